"""Two short measurements: a start of `load` with nothing new, and the producer."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.cases import loaded
from tests.benchmarks.children import run, run_python
from tests.benchmarks.figures import Run
from tests.benchmarks.loads import Warehouse, checked, load, words
from tests.benchmarks.sets import BASE
from tests.servers import topics

FEW = 10_000  # records that the table holds, where none is new
RATES = (1_000, 10_000, 50_000)  # records/s
SECONDS = 10.0  # of each paced replay
NOTHING = ("-c", "print({})")  # what Python itself takes
IMPORT = re.compile(r"^import time: +(\d+) \|", re.MULTILINE)  # µs in the module alone


def start(bench: Bench, *, everything: bool) -> Iterator[Run]:  # noqa: ARG001 - as all measurements
    """`loader load` when nothing is new, in full; Python alone; and the imports, in a run of their own."""
    with bench.topic(BASE, FEW) as topic, ExitStack() as stack:
        tables = []
        for kind in bench.kinds:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="loader-bench-warehouse-"))
            tables.append(loaded(bench, topic, Warehouse(kind, Path(folder))))
        for number in range(1, bench.rounds + 1):
            for warehouse in tables:
                yield Run(number, "nothing new", warehouse.kind, _started(bench, topic, warehouse))


def _started(bench: Bench, topic: str, warehouse: Warehouse) -> dict[str, float]:
    done = checked(load(bench.bootstrap, topic, warehouse), {"consumed": 0})
    interpreter = run(sys.executable, *NOTHING).wall
    given = [*words(bench.bootstrap, topic, *warehouse.settings), "load"]
    timed = run(sys.executable, "-X", "importtime", "-m", *given)
    imports = imported(timed.said) - imported(run(sys.executable, "-X", "importtime", *NOTHING).said)
    parts = {"interpreter": interpreter, "imports": imports, "rest": done.wall - interpreter - imports}
    return {"wall": done.wall, **parts, "cpu": done.cpu, "peak": done.peak}


def imported(said: str) -> float:
    """Seconds in all modules, by what `-X importtime` says."""
    return sum(map(int, IMPORT.findall(said))) / 1e6


def producer(bench: Bench, *, everything: bool) -> Iterator[Run]:  # noqa: ARG001 - as all measurements
    """`loader replay` of a prepared dataset: flat out, then at several rates."""
    file = bench.dataset(BASE, bench.records)
    for number in range(1, bench.rounds + 1):
        with bench.empty_topic(BASE.partitions) as topic:
            sent = _replay(bench, topic, file)
        yield Run(number, "flat out", "replay", {"rate": sent["acknowledged"] / sent["seconds"]})
        for rate in RATES:
            count = min(bench.records, round(rate * (bench.seconds or SECONDS)))
            with bench.empty_topic(BASE.partitions) as topic:
                _replay(bench, topic, file, "--rate", str(rate), "--limit", str(count))
                paced = (count - 1) / topics.lasting(bench.bootstrap, topic)
            figures = {"rate": paced, "error": abs(paced / rate - 1)}
            yield Run(number, f"{rate:,}/s asked", "replay", figures)


def _replay(bench: Bench, topic: str, file: Path, *options: str) -> dict[str, float]:
    return run_python(*words(bench.bootstrap, topic), "replay", str(file), *options).result
