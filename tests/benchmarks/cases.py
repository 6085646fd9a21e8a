"""Measurements of whole loads: over data sets, batch sizes and backlogs, each beside the ceiling in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import CEILING, Run
from tests.benchmarks.loads import Warehouse, ceiling, checked, fresh, load, load_figures, phases
from tests.benchmarks.sets import ALL, BASE, DEFAULT, TWICE, DataSet

BATCHES = (20_000, 50_000, 100_000, 200_000, 400_000)  # records
ROOM = 300  # bytes for each record of a batch, so that records alone make it due
BACKLOGS = (0.25, 0.5, 1.0, 2.5)  # of the records asked for: 0.5 to 5 million


@dataclass(frozen=True, slots=True)
class Case:
    """A filled topic, and what is loaded from it: into fresh warehouses, or ones that hold it already."""

    bench: Bench
    what: str
    data: DataSet
    topic: str
    records: int
    settings: tuple[str, ...] = ()
    prepared: Mapping[str, Warehouse] = field(default_factory=dict)  # by kind

    def runs(self, number: int) -> Iterator[Run]:
        """One round: the ceiling, then each kind of warehouse."""
        held = self.records * (2 if self.prepared else 1)
        yield Run(number, self.what, CEILING, ceiling(self.bench.bootstrap, self.topic, held))
        for kind in self.bench.kinds:
            with self._warehouse(kind) as warehouse:
                done = load(self.bench.bootstrap, self.topic, warehouse, *self.settings)
            checked(done, self.data.expected(self.records))
            yield Run(number, self.what, kind, load_figures(done), phases(done))

    @contextmanager
    def _warehouse(self, kind: str) -> Iterator[Warehouse]:
        if warehouse := self.prepared.get(kind):
            warehouse.restore()
            yield warehouse
            return
        with fresh(kind) as warehouse:
            yield warehouse


@contextmanager
def filled(bench: Bench, data: DataSet, records: int | None = None, what: str = "") -> Iterator[Case]:
    """The case of a data set; where everything was sent before, warehouses hold it and it is sent again."""
    count = records or bench.records
    with ExitStack() as stack:
        topic = stack.enter_context(bench.topic(data, count))
        prepared = {}
        if data.duplicates == TWICE:
            for kind in bench.kinds:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="loader-bench-warehouse-"))
                prepared[kind] = loaded(bench, topic, Warehouse(kind, Path(folder)))
            bench.send(topic, data, count)
        yield Case(bench, what or data.name, data, topic, count, prepared=prepared)


def loaded(bench: Bench, topic: str, warehouse: Warehouse, *options: str) -> Warehouse:
    """The warehouse with what the topic holds now, remembered."""
    load(bench.bootstrap, topic, warehouse, options=options)
    warehouse.keep()
    return warehouse


def _in_turn(bench: Bench, cases: list[Case]) -> Iterator[Run]:
    for number in range(1, bench.rounds + 1):
        for case in cases:
            yield from case.runs(number)


def sets(bench: Bench, *, everything: bool) -> Iterator[Run]:
    """Each data set beside the ceiling on its own topic."""
    with ExitStack() as stack:
        cases = [stack.enter_context(filled(bench, data)) for data in (ALL if everything else DEFAULT)]
        yield from _in_turn(bench, cases)


def batch_sizes(bench: Bench, *, everything: bool) -> Iterator[Run]:  # noqa: ARG001 - as all measurements
    """One topic, loaded in batches of several sizes."""
    with filled(bench, BASE) as case:
        cases = [
            Case(bench, f"{size // 1000} k", BASE, case.topic, case.records, _batches(size))
            for size in BATCHES
        ]
        yield from _in_turn(bench, cases)


def _batches(size: int) -> tuple[str, str]:
    return f"batch.records={size}", f"batch.bytes={size * ROOM}"


def backlogs(bench: Bench, *, everything: bool) -> Iterator[Run]:  # noqa: ARG001 - as all measurements
    """Topics of several lengths."""
    with ExitStack() as stack:
        sizes = [round(bench.records * share) for share in BACKLOGS]
        cases = [stack.enter_context(filled(bench, BASE, size, millions(size))) for size in sizes]
        yield from _in_turn(bench, cases)


def millions(count: float) -> str:
    """As `0.5 M`."""
    return f"{count / 1e6:g} M"
