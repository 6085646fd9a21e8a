"""What the product must reach, for each measurement, and the sentences that say whether it does. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.figures import CEILING, FIGURES, MB, Run, Spread, grouped, shown, spread
from tests.benchmarks.sets import BASE, POISON, REPLAY


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of a figure: of its median, or of each round where it is a limit that must never be passed."""

    figure: str
    bound: float
    at_least: bool = False
    each_round: bool = False
    what: str = ""  # where it holds; everywhere if empty

    def met(self, found: Spread) -> bool:
        """Whether the runs meet it."""
        if self.at_least:
            return (found.low if self.each_round else found.median) >= self.bound
        return (found.high if self.each_round else found.median) <= self.bound


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a target is met; `text` is the sentence that says so."""

    ok: bool
    text: str


MEMORY = Target("peak", 500 * MB, each_round=True)
RARE, OFTEN = POISON

TARGETS: dict[str, tuple[Target, ...]] = {
    "sets": (
        Target("ratio", 0.40, at_least=True, what=BASE.name),
        MEMORY,
        Target("of_base", 0.95, at_least=True, what=RARE.name),
        Target("of_base", 0.5, at_least=True, what=OFTEN.name),
        Target("of_base", 1.0, at_least=True, what=REPLAY.name),
    ),
    "backlog": (MEMORY,),
    "history": (Target("growth", 1.2),),
    "latency": (Target("latest", 0.1), Target("share", 0.1)),
    "start": (Target("wall", 1.0), Target("imports", 0.5)),
    "producer": (Target("rate", 300_000, at_least=True, what="flat out"), Target("error", 0.01)),
    "peers": (Target("of_lake", 1 / 5),),
}


def verdicts(experiment: str, runs: Sequence[Run]) -> list[Verdict]:
    """Each target, for each loader and case that has the figure."""
    found = []
    for target in TARGETS.get(experiment, ()):
        for (what, who), some in grouped(runs).items():
            values = [run.figures[target.figure] for run in some if target.figure in run.figures]
            if values and who != CEILING and target.what in {"", what}:
                found.append(_verdict(target, f"{what}, {who}", spread(values)))
    return found


def _verdict(target: Target, where: str, found: Spread) -> Verdict:
    ok, figure = target.met(found), FIGURES[target.figure]
    bound = shown(target.figure, Spread(target.bound, target.bound, target.bound))
    word = "at least" if target.at_least else "at most"
    always = " in each round" if target.each_round else ""
    said = f"{shown(target.figure, found)}, {word} {bound}{always}"
    return Verdict(ok, f"{where}: {figure.heading}: {said}: {'yes' if ok else 'NO'}")
