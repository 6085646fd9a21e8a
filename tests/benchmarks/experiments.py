"""The measurements of `make bench`, by name: how each is made, what is derived from it, what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.benchmarks.bench import Bench
from tests.benchmarks.cases import backlogs, batch_sizes, sets
from tests.benchmarks.figures import Run, of_ceiling, of_first
from tests.benchmarks.history import history, many_ids
from tests.benchmarks.short import producer, start
from tests.benchmarks.trickle import latency


class Measure(Protocol):
    """Makes the runs of a measurement, each when it is done; `everything` also those that take long."""

    def __call__(self, bench: Bench, *, everything: bool) -> Iterator[Run]:
        """The runs."""
        ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """One measurement; `columns` are the figures of its table, `derived` adds those that compare runs."""

    measure: Measure
    title: str
    columns: tuple[str, ...]
    derived: Callable[[Sequence[Run]], Sequence[Run]] = lambda runs: runs


def _of_ceiling_and_base(runs: Sequence[Run]) -> Sequence[Run]:
    return of_first(of_ceiling(runs), "of_base", "rate")


LOAD = ("rate", "ratio", "process_rate", "peak", "cpu_each")

EXPERIMENTS = {
    "sets": Experiment(sets, "Data sets", ("rate", "ratio", "of_base", *LOAD[2:]), _of_ceiling_and_base),
    "batch-size": Experiment(batch_sizes, "Speed against batch size", LOAD, of_ceiling),
    "backlog": Experiment(backlogs, "Memory against backlog", LOAD, of_ceiling),
    "history": Experiment(
        history,
        "Batch time against history",
        ("before", "batch", "growth", "set_seconds", "set_memory", "set_disk", "rate", "peak"),
        lambda runs: of_first(runs, "growth", "batch"),
    ),
    "many-ids": Experiment(
        many_ids,
        "Two hundred million ids",
        ("before", "batch", "set_seconds", "set_memory", "set_disk", "rate", "peak"),
    ),
    "latency": Experiment(latency, "Latency", ("late", "latest", "share", "peak")),
    "start": Experiment(
        start, "Start with nothing new", ("wall", "interpreter", "imports", "rest", "cpu", "peak")
    ),
    "producer": Experiment(producer, "Producer", ("rate", "error")),
}
