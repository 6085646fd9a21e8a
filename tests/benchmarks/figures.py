"""Runs and what they say together: shares within a round, medians and ranges, tables. All pure.

The neighbours of a machine move absolute figures by up to two times, so a run is compared only with
runs of its own round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

CEILING = "ceiling A"
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: of which round, of what (a data set, a size), by whom, and its figures by name."""

    round: int
    what: str
    who: str  # CEILING, a kind of warehouse, or another loader
    figures: Mapping[str, float]
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds in one batch


class Figure(NamedTuple):
    """How a figure is shown: its heading, the unit to divide by, the format."""

    heading: str
    unit: float
    style: str


FIGURES = {
    "rate": Figure("records/s", 1, ",.0f"),  # by the program's own count
    "ratio": Figure("of ceiling A", 1, ".3f"),
    "of_base": Figure("of base", 1, ".2f"),
    "process_rate": Figure("records/s with start-up", 1, ",.0f"),
    "of_lake": Figure("of our lake", 1, ".3f"),
    "peak": Figure("peak MB", MB, ",.0f"),
    "cpu_each": Figure("CPU µs/record", 1e-6, ".2f"),
    "before": Figure("ms/batch, table asked", 1e-3, ",.0f"),
    "batch": Figure("ms/batch, set asked", 1e-3, ",.0f"),
    "growth": Figure("of the least", 1, ".2f"),
    "set_seconds": Figure("s to read the ids", 1, ".1f"),
    "set_memory": Figure("set, MiB", 1, ",.0f"),
    "set_disk": Figure("set on disk, MiB", 1, ",.0f"),
    "late": Figure("ms beyond batch.wait, p50", 1e-3, ",.0f"),
    "latest": Figure("p99", 1e-3, ",.0f"),
    "share": Figure("share of a core", 1, ".1%"),
    "wall": Figure("s in all", 1, ".2f"),
    "interpreter": Figure("s Python itself", 1, ".2f"),
    "imports": Figure("s imports", 1, ".2f"),
    "rest": Figure("s broker and warehouse", 1, ".2f"),
    "cpu": Figure("CPU s", 1, ".2f"),
    "error": Figure("off the asked rate", 1, ".3%"),
}


class Spread(NamedTuple):
    """The median of some values, and between which they lie."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    """Median, least and greatest of at least one value."""
    known = list(values)
    return Spread(statistics.median(known), min(known), max(known))


Key = tuple[int, str, str]  # round, what, who


def with_share(runs: Sequence[Run], name: str, figure: str, reference: Callable[[Run], Key]) -> list[Run]:
    """The runs with a figure more: their `figure` as a share of the one that the reference run has."""
    known = {(run.round, run.what, run.who): run.figures.get(figure) for run in runs}
    found = []
    for run in runs:
        own, other = run.figures.get(figure), known.get(reference(run))
        share = {name: own / other} if own is not None and other else {}
        found.append(replace(run, figures={**run.figures, **share}))
    return found


def of_ceiling(runs: Sequence[Run]) -> list[Run]:
    """Each rate as a share of the ceiling of its round, on the same topic."""
    return with_share(runs, "ratio", "rate", lambda run: (run.round, run.what, CEILING))


def of_first(runs: Sequence[Run], name: str, figure: str) -> list[Run]:
    """Each figure as a share of what the same loader had in the same round in the first case."""
    return with_share(runs, name, figure, lambda run: (run.round, runs[0].what, run.who)) if runs else []


def grouped(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    """The rounds of each (what, who), in the order in which they first came."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.what, run.who), []).append(run)
    return found


def median(runs: Iterable[Run], figure: str) -> float | None:
    """The median of a figure over some runs; None where none has it."""
    values = [run.figures[figure] for run in runs if figure in run.figures]
    return statistics.median(values) if values else None


def table(runs: Sequence[Run], names: Sequence[str]) -> list[list[str]]:
    """A heading, then for each (what, who) the median of each figure with its range."""
    rows = [["", "", *(FIGURES[name].heading for name in names)]]
    for (what, who), some in grouped(runs).items():
        rows.append([what, who, *(_cell(some, name) for name in names)])
    return rows


def _cell(runs: Sequence[Run], name: str) -> str:
    values = [run.figures[name] for run in runs if name in run.figures]
    return shown(name, spread(values)) if values else ""


def shown(name: str, found: Spread) -> str:
    """As `0.41 (0.39-0.44)`; without a range where there is one value only."""
    middle, low, high = (_text(name, value) for value in found)
    return middle if low == high else f"{middle} ({low}-{high})"


def _text(name: str, value: float) -> str:
    return format(value / FIGURES[name].unit, FIGURES[name].style)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """For a terminal: the first two columns to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = "<<" + ">" * (len(widths) - 2)
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def phases_of_a_batch(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """For each loader that reports them, the median seconds of each phase of a batch in the first case."""
    found: dict[str, dict[str, float]] = {}
    for (_, who), some in grouped(run for run in runs if run.what == runs[0].what).items():
        names = dict.fromkeys(name for run in some for name in run.phases)
        if names:
            found[who] = {name: spread(run.phases.get(name, 0.0) for run in some).median for name in names}
    return found
