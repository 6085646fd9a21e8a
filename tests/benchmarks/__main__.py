"""`make bench`: what the loader can do on this machine, beside what the Kafka client can do at all.

    python -m tests.benchmarks [--all | --history | --batch-size | ...] [--records N] [--rounds N] [--save]

Starts a real Kafka, fills topics, and measures everything several times in turn (experiments.py lists the
measurements; without one of them named, the data sets). Prints one table with medians and ranges, the
phases of a batch, and whether the targets are met (targets.py): exit code 0 if so, 3 if not. `--save` keeps
the figures in tests/benchmarks/results; `python -m tests.benchmarks.page` makes docs/benchmarks.md of them.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.bench import opened
from tests.benchmarks.command import AMOUNTS, add_amounts, command, finish, told, warm_up
from tests.benchmarks.experiments import EXPERIMENTS
from tests.benchmarks.machine import described, machine
from tests.benchmarks.results import Result
from tests.servers.jars import KAFKA_VERSION


def main() -> int:
    """Measure, print, and say whether the targets are met (0 or MISSED)."""
    options = _options()
    facts = machine(f"at {options.bootstrap}" if options.bootstrap else KAFKA_VERSION)
    print(described(facts), flush=True)
    experiment = EXPERIMENTS[options.experiment]
    with opened(options.bootstrap, **{name: getattr(options, name) for name in AMOUNTS}) as bench:
        warm_up(bench)
        measured = list(told(experiment.measure(bench, everything=options.all)))
    result = Result(options.experiment, command("tests.benchmarks"), facts, experiment.derived(measured))
    return finish(result, experiment.columns, save=options.save)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    for name, experiment in EXPERIMENTS.items():
        which.add_argument(
            f"--{name}", action="store_const", const=name, dest="experiment", help=experiment.title
        )
    parser.set_defaults(experiment="sets")
    parser.add_argument("--all", action="store_true", help="also the data sets and sizes that take long")
    add_amounts(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
