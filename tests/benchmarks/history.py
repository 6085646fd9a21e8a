"""Batch time against the number of ids that the table holds already, and what the set of ids costs."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.bench import Bench, say
from tests.benchmarks.cases import loaded, millions
from tests.benchmarks.children import Done, run_python
from tests.benchmarks.figures import Run, spread
from tests.benchmarks.loads import Warehouse, checked, load, load_figures, phases
from tests.benchmarks.sets import BASE

PARTS = 20  # of the records asked for, in the smallest history: 0.1 million
SIZES = (1, 10, 100)  # times the smallest
LARGEST = 500
MANY = 200_000_000  # ids, beyond what a set in memory is made for
BATCHES = 40  # in a load: the set begins after 16 and more batches
FIRST = 1_000  # records that make the warehouse


@dataclass(frozen=True, slots=True)
class Batches:
    """Seconds from one commit to the next, without and with the set of ids; what the loader said of it."""

    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    ids: dict[str, float] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """Medians, where there is something."""
        times = {"before": self.before, "batch": self.after}
        return {name: spread(some).median for name, some in times.items() if some} | self.ids


def batches(said: str) -> Batches:
    """Read the log lines of a load. The time in which the set is made is no batch time."""
    found, made = Batches(), False
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    moments = [line for line in lines if line["event"] == "committed" or _set(line["event"])]
    for last, line in pairwise(moments):
        if ids := _set(line["event"]):
            found.ids.update(ids)
            made = True
        elif not _set(last["event"]):
            gap = datetime.fromisoformat(line["timestamp"]) - datetime.fromisoformat(last["timestamp"])
            (found.after if made else found.before).append(gap.total_seconds())
    return found


def _set(event: str) -> dict[str, float]:
    told = re.match(r"ids read in ([\d.]+) s; their set takes (\d+) MiB, and (\d+) MiB on disk", event)
    names = ("set_seconds", "set_memory", "set_disk")
    return dict(zip(names, map(float, told.groups()), strict=True)) if told else {}


def history(bench: Bench, *, everything: bool) -> Iterator[Run]:
    """Load one topic into tables of several sizes; each is as it was before, in each round."""
    yield from _over(
        bench, [bench.records // PARTS * size for size in (*SIZES, *([LARGEST] if everything else []))]
    )


def many_ids(bench: Bench, *, everything: bool) -> Iterator[Run]:  # noqa: ARG001 - as all measurements
    """Load one topic into a table of very many ids."""
    yield from _over(bench, [MANY])


def _over(bench: Bench, sizes: Sequence[int]) -> Iterator[Run]:
    with ExitStack() as stack:
        topic = stack.enter_context(bench.topic(BASE))
        tables = [
            (size, stack.enter_context(_filled(bench, topic, kind, size)))
            for size in sizes
            for kind in bench.kinds
        ]
        for number in range(1, bench.rounds + 1):
            for size, warehouse in tables:
                done = _load(bench, topic, warehouse)
                found = load_figures(done) | batches(done.said).figures
                yield Run(number, f"{millions(size)} ids", warehouse.kind, found, phases(done))


@contextmanager
def _filled(bench: Bench, topic: str, kind: str, ids: int) -> Iterator[Warehouse]:
    """A warehouse that a short load has made, with so many rows more."""
    with tempfile.TemporaryDirectory(prefix="loader-bench-warehouse-") as folder:
        warehouse = loaded(bench, topic, Warehouse(kind, Path(folder)), "--max-records", str(FIRST))
        settings = [word for each in warehouse.settings for word in ("--set", each)]
        done = run_python("tests.benchmarks.fill", "--ids", str(ids), *settings)
        say(f"filled a {kind} with {ids:,} ids in {done.wall:.0f} s")
        warehouse.keep()
        yield warehouse


def _load(bench: Bench, topic: str, warehouse: Warehouse) -> Done:
    warehouse.restore()
    size = f"batch.records={bench.records // BATCHES}"
    return checked(
        load(bench.bootstrap, topic, warehouse, size, logs=True), {"duplicates": 0, "quarantined": 0}
    )
