"""What the command lines of the benchmark have in common: amounts, what is told, table and exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence

from tests.benchmarks.bench import Bench, say
from tests.benchmarks.figures import Run, aligned, phases_of_a_batch, table
from tests.benchmarks.loads import FILES, fresh, load
from tests.benchmarks.results import FOLDER, Result
from tests.benchmarks.sets import BASE
from tests.benchmarks.targets import verdicts

LEAST = 20_000  # records: fewer are consumed before there is a rate
MISSED = 3  # exit code: a comparison failed, as in the interface
AMOUNTS = ("records", "rounds", "kinds", "seconds")


def add_amounts(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much is measured, on what, and whether it is kept."""
    parser.add_argument("--records", type=_records, default=2_000_000, help="orders in a topic")
    parser.add_argument("--rounds", type=_positive, default=5, help="how often everything is measured")
    parser.add_argument("--warehouse", type=_kinds, default=tuple(FILES), dest="kinds", help=",".join(FILES))
    parser.add_argument("--seconds", type=float, help="of each trickle (60) or paced replay (10)")
    parser.add_argument("--bootstrap", default="", help="use this broker in place of one of our own")
    parser.add_argument("--save", action="store_true", help=f"keep the figures in the folder {FOLDER.name}")


def _records(text: str) -> int:
    if (number := _positive(text)) < LEAST:
        raise argparse.ArgumentTypeError(f"{text} is less than {LEAST}")
    return number


def _positive(text: str) -> int:
    if (number := int(text.replace("_", ""))) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    if unknown := set(kinds) - set(FILES):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of {', '.join(FILES)}")
    return kinds


def command(module: str) -> str:
    """The command line, as it is typed again."""
    return " ".join(["python -m", module, *sys.argv[1:]])


def warm_up(bench: Bench) -> None:
    """Load a little: the first to start reads libraries from disk and compiles modules."""
    with bench.topic(BASE, LEAST) as topic:
        for kind in bench.kinds:
            with fresh(kind) as warehouse:
                load(bench.bootstrap, topic, warehouse)


def told(runs: Iterable[Run]) -> Iterator[Run]:
    """The runs, each said as it is done."""
    for run in runs:
        found = next((run.figures[name] for name in ("rate", "process_rate") if name in run.figures), None)
        rate = "" if found is None else f": {found:,.0f} records/s"
        say(f"round {run.round} {run.what}, {run.who}{rate}")
        yield run


def finish(result: Result, columns: Sequence[str], *, save: bool) -> int:
    """Keep the result if asked for, print table, phases and verdicts; the exit code that they mean."""
    if save:
        result.save(FOLDER / f"{result.experiment}.json")
    print(f"\n{aligned(table(result.runs, columns))}\n")
    for who, seconds in phases_of_a_batch(result.runs).items():
        parts = (f"{name} {1000 * each:.0f} ms" for name, each in seconds.items())
        print(f"a batch of {result.runs[0].what} in {who}: {', '.join(parts)}")
    found = verdicts(result.experiment, result.runs)
    print("\n".join(verdict.text for verdict in found))
    return 0 if all(verdict.ok for verdict in found) else MISSED
