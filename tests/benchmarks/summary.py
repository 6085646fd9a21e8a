"""What the measured runs mean: rates, ratios within a round, medians, verdicts and the table. All pure.

The neighbours of this machine move absolute figures by up to two times, so a run is compared only
with the ceiling of its own round, and the verdicts are about medians of such ratios.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

CEILING = "ceiling A"
LEAST_RATIO = 0.25  # of the ceiling: issue 3, acceptance criterion 3
MOST_MEMORY = 700  # MB, the same
RARE = 0.0001  # up to this share of malformed records, a load may lose a twentieth of its speed
LEAST_OF_CLEAN = {True: 0.95, False: 0.5}  # by whether they are rare: issue 4, acceptance criterion 3
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: CEILING or a kind of warehouse, with a share of malformed records."""

    kind: str
    poison: float = 0.0

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.kind} {self.poison:g} poison" if self.poison else self.kind


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process. `seconds` are its own count, `wall` those from its start to its end."""

    round: int
    what: str  # the name of its Subject
    records: int
    seconds: float
    wall: float
    peak: int  # bytes
    user: float  # CPU seconds
    system: float
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Records per second by its own count."""
        return self.records / self.seconds

    @property
    def wall_rate(self) -> float:
        """Records per second of the whole process, start-up included."""
        return self.records / self.wall

    @property
    def cpu(self) -> float:
        """CPU seconds, user and system."""
        return self.user + self.system


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and between which they lie."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a target is met; `text` is the sentence that says so."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """What the table shows of a run."""

    run: Run
    ratio: float  # by its own count
    wall_ratio: float  # of the whole process


Figure = tuple[str, Callable[[Row], float], str]  # heading, value, format

FIGURES: Sequence[Figure] = (
    ("records/s", lambda row: row.run.rate, ",.0f"),
    ("ratio to A", lambda row: row.ratio, ".3f"),
    ("process/s", lambda row: row.run.wall_rate, ",.0f"),
    ("ratio to A", lambda row: row.wall_ratio, ".3f"),
    ("peak MB", lambda row: row.run.peak / MB, ",.0f"),
    ("user s", lambda row: row.run.user, ".2f"),
    ("sys s", lambda row: row.run.system, ".2f"),
    ("CPU µs/rec", lambda row: row.run.cpu / row.run.records * 1e6, ".2f"),
)
"""`records/s` is by the process's own count, `process/s` from its start to its end; a ratio follows each."""


def spread(values: Iterable[float]) -> Spread:
    """Median, least and greatest of at least one value."""
    known = list(values)
    return Spread(statistics.median(known), min(known), max(known))


def with_ratios(runs: Sequence[Run]) -> list[Row]:
    """Each run beside its rate as a share of the ceiling of the same round."""
    ceilings = {run.round: run.rate for run in runs if run.what == CEILING}
    return [Row(run, run.rate / ceilings[run.round], run.wall_rate / ceilings[run.round]) for run in runs]


def by_subject(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of the ceiling and of each warehouse, in the order in which they first came."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.run.what, []).append(row)
    return found


def table(runs: Sequence[Run]) -> str:
    """All runs, then median and range of each subject, in aligned columns."""
    rows = with_ratios(runs)
    cells = [["round", "", *(heading for heading, _, _ in FIGURES)]]
    cells += [[str(row.run.round), row.run.what, *_figures(row)] for row in rows]
    for what, some in by_subject(rows).items():
        cells += _summary(what, some)
    return _aligned(cells)


def _figures(row: Row) -> list[str]:
    return [format(value(row), style) for _, value, style in FIGURES]


def _summary(what: str, rows: Sequence[Row]) -> list[list[str]]:
    """Two lines: the medians, and from which to which value."""
    spreads = [(spread(map(value, rows)), style) for _, value, style in FIGURES]
    middle = [format(each.median, style) for each, style in spreads]
    ranges = [f"{each.low:{style}}-{each.high:{style}}" for each, style in spreads]
    return [["median", what, *middle], ["min-max", "", *ranges]]


def _aligned(cells: Sequence[Sequence[str]]) -> str:
    """The first two columns to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = "<<" + ">" * (len(widths) - 2)
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True))
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def verdicts(runs: Sequence[Run]) -> list[Verdict]:
    """For each warehouse: its median ratio to the ceiling, and the highest peak of all rounds.

    With malformed records: the median ratio to the clean load of the same round.
    """
    found = []
    for what, rows in by_subject(with_ratios(runs)).items():
        kind, _, poison = what.partition(" ")
        if poison and what != CEILING:
            found.append(_hardly_slower(what, rows, [run for run in runs if run.what == kind]))
        elif what != CEILING:
            found += [_fast_enough(what, rows), _small_enough(what, rows)]
    return found


def _hardly_slower(what: str, rows: Sequence[Row], clean: Sequence[Run]) -> Verdict:
    rates = {run.round: run.rate for run in clean}
    ratio = spread(row.run.rate / rates[row.run.round] for row in rows).median
    least = LEAST_OF_CLEAN[float(what.split(" ")[1]) <= RARE]
    ok = ratio >= least
    return Verdict(ok, f"{what}: >= {least} of the clean rate: {_word(ok)}, median {ratio:.3f}")


def _fast_enough(what: str, rows: Sequence[Row]) -> Verdict:
    ratio, whole = (
        spread(values).median for values in zip(*((r.ratio, r.wall_ratio) for r in rows), strict=True)
    )
    ok = ratio >= LEAST_RATIO
    return Verdict(
        ok, f"{what}: ratio >= {LEAST_RATIO}: {_word(ok)}, median {ratio:.3f} ({whole:.3f} with start-up)"
    )


def _small_enough(what: str, rows: Sequence[Row]) -> Verdict:
    """A peak is a bound, so no round may pass it; the median stands beside it."""
    peak = spread(row.run.peak / MB for row in rows)
    ok = peak.high < MOST_MEMORY
    text = f"median {peak.median:,.0f} MB, highest {peak.high:,.0f} MB"
    return Verdict(ok, f"{what}: peak memory < {MOST_MEMORY} MB: {_word(ok)}, {text}")


def _word(ok: bool) -> str:
    return "yes" if ok else "NO"


def phases(runs: Sequence[Run]) -> str:
    """Median seconds of each phase for each warehouse that reports them, longest first."""
    lines = []
    for what, rows in by_subject(with_ratios(runs)).items():
        names = {name for row in rows for name in row.run.phases}
        medians = {name: spread(row.run.phases.get(name, 0.0) for row in rows).median for name in names}
        ordered = sorted(medians.items(), key=lambda item: -item[1])
        if ordered:
            lines.append(f"{what}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in ordered))
    return "\n".join(lines) or "the results of `loader load` have no phases"


def as_json(machine: Mapping[str, str], runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that was measured, for a file."""
    found = verdicts(runs)
    return {
        "machine": dict(machine),
        "runs": [
            asdict(row.run) | {"ratio": row.ratio, "wall_ratio": row.wall_ratio} for row in with_ratios(runs)
        ],
        "verdicts": [asdict(verdict) for verdict in found],
        "ok": all(verdict.ok for verdict in found),
    }
