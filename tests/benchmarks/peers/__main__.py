"""`python -m tests.benchmarks.peers`: the loader beside others, on one topic, in turn, in one run.

    python -m tests.benchmarks.peers [--only NAME,NAME] [--records N] [--rounds N] [--save]

Peers that are packages get a virtual environment of their own, made by pip for this run. Every rate is that
of the whole process, start-up included. `--save` keeps the figures for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.bench import Bench, opened, say
from tests.benchmarks.children import run
from tests.benchmarks.command import AMOUNTS, add_amounts, command, finish, told, warm_up
from tests.benchmarks.figures import Run
from tests.benchmarks.loads import checked, figures, fresh, load, load_figures
from tests.benchmarks.machine import described, machine
from tests.benchmarks.peers.known import COLUMNS, PEERS, Peer, of_lake
from tests.benchmarks.results import Result
from tests.benchmarks.sets import BASE
from tests.servers.jars import KAFKA_VERSION

FEWEST = 1_000  # records of a peer


def main() -> int:
    """Measure, print, and say whether the targets are met (0 or MISSED)."""
    options = _options()
    facts = machine(f"at {options.bootstrap}" if options.bootstrap else KAFKA_VERSION)
    print(described(facts), flush=True)
    with opened(options.bootstrap, **{name: getattr(options, name) for name in AMOUNTS}) as bench:
        warm_up(bench)
        pythons = {peer.name: _python(peer, bench.folder) for peer in options.only}
        for peer in options.only:
            facts |= _version(peer, pythons[peer.name])
        runs = list(told(_in_turn(bench, options.only, pythons)))
    result = Result("peers", command("tests.benchmarks.peers"), facts, of_lake(runs))
    return finish(result, COLUMNS, save=options.save)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", type=_named, default=PEERS, help=", ".join(peer.name for peer in PEERS))
    add_amounts(parser)
    return parser.parse_args()


def _named(text: str) -> list[Peer]:
    """The peers whose names begin with one of the given words."""
    chosen = [peer for peer in PEERS if peer.name.startswith(tuple(text.split(",")))]
    if not chosen:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(peer.name for peer in PEERS)}")
    return chosen


def _python(peer: Peer, folder: Path) -> str:
    """The interpreter of a peer; makes its environment. Raises CalledProcessError where pip fails."""
    if not peer.packages:
        return sys.executable
    say(f"installing {', '.join(peer.packages)}")
    place = folder / peer.program[0].removesuffix(".py")
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    if peer.jvm:
        subprocess.run([python, *_program(peer), "fetch"], check=True, stdout=sys.stderr)
    return python


def _program(peer: Peer) -> list[str]:
    first, *more = peer.program
    return [str(Path(__file__).with_name(first)) if peer.packages else f"-m{first}", *more]


def _version(peer: Peer, python: str) -> dict[str, str]:
    """Which version of its first package a peer has."""
    if not peer.packages:
        return {}
    name = re.split(r"[\[=]", peer.packages[0])[0]
    code = f"from importlib.metadata import version as v; print('{{\"{name}\": \"' + v('{name}') + '\"}}')"
    return dict(run(python, "-c", code).result)


def _in_turn(bench: Bench, peers: Sequence[Peer], pythons: Mapping[str, str]) -> Iterator[Run]:
    with bench.topic(BASE) as topic:
        for number in range(1, bench.rounds + 1):
            for peer in peers:
                found = _theirs(bench, topic, peer, pythons) if peer.program else _ours(bench, topic, peer)
                yield Run(number, BASE.name, peer.name, found)


def _ours(bench: Bench, topic: str, peer: Peer) -> dict[str, float]:
    with fresh(peer.name) as warehouse:
        done = load(bench.bootstrap, topic, warehouse)
    return load_figures(checked(done, BASE.expected(bench.records)))


def _theirs(bench: Bench, topic: str, peer: Peer, pythons: Mapping[str, str]) -> dict[str, float]:
    """Raises RuntimeError where fewer records were loaded than asked for."""
    records = max(round(peer.share * bench.records), FEWEST)
    with tempfile.TemporaryDirectory(prefix="loader-bench-peer-") as folder:
        done = run(pythons[peer.name], *_program(peer), bench.bootstrap, topic, str(records), folder)
    if done.result["records"] < records:
        raise RuntimeError(f"{peer.name} loaded {done.result['records']} of {records} records")
    found = figures(done, done.result["records"])
    return {"process_rate": found["process_rate"]} if peer.jvm else found


if __name__ == "__main__":
    sys.exit(main())
