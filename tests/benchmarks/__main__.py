"""`make bench`: `loader load` on a real broker, as a ratio to ceiling A measured in the same run.

    python -m tests.benchmarks [--records 2000000] [--rounds 5] [--warehouse ducklake,duckdb] [--poison 0.1]

Fills a topic of 4 partitions with clean orders of about 230 bytes (lz4), then measures in turn, round
after round: the ceiling, and a load into a fresh warehouse of each kind with the contract of
config/orders.toml. `--poison` adds a topic in which such a share of the records is malformed, and compares
its load with the clean one of the same round. Exit code 0 if all targets are met (summary.py), 3 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from tests.benchmarks.children import REPOSITORY, Done, run_python
from tests.benchmarks.machine import described, machine
from tests.benchmarks.summary import CEILING, Run, Subject, as_json, phases, table, verdicts
from tests.servers import topics
from tests.servers.jars import KAFKA_VERSION
from tests.servers.kafka import KafkaServer

PARTITIONS = 4
LEAST = 20_000  # records: fewer are consumed before there is a rate
WAREHOUSES = {"ducklake": "ducklake:sqlite:{}/catalog.sqlite", "duckdb": "{}/warehouse.duckdb"}
CONTRACT = REPOSITORY / "config" / "orders.toml"
MISSED = 3  # exit code: a comparison failed, as in the interface


def main() -> int:
    """Measure, print, and say whether the targets are met (0 or MISSED)."""
    options = _options()
    broker = f"at {options.bootstrap}" if options.bootstrap else KAFKA_VERSION
    facts = machine(broker)
    print(described(facts), flush=True)
    with tempfile.TemporaryDirectory(prefix="loader-bench-") as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"  # for all children; nothing into the tree
        runs = list(_measured(options, Path(folder)))
    print(f"\n{table(runs)}\n")
    if options.profile:
        print(f"{phases(runs)}\n")
    found = verdicts(runs)
    print("\n".join(verdict.text for verdict in found))
    if options.json:
        options.json.write_text(json.dumps(as_json(facts, runs), indent=1) + "\n")
    return 0 if all(verdict.ok for verdict in found) else MISSED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=_records, default=2_000_000, help="orders in the topic")
    parser.add_argument("--rounds", type=_positive, default=5, help="how often everything is measured")
    parser.add_argument("--warehouse", type=_kinds, default=list(WAREHOUSES), help="ducklake,duckdb")
    parser.add_argument("--bootstrap", default="", help="use this broker in place of one of our own")
    parser.add_argument(
        "--poison", type=_shares, default=[], help="shares of malformed records, such as 0.00001,0.1"
    )
    parser.add_argument("--batch", type=_positive, help="batch.records, if not the contract's")
    parser.add_argument("--json", type=Path, help="write all figures into this file too")
    parser.add_argument("--profile", action="store_true", help="print the seconds of each phase of a load")
    return parser.parse_args()


def _records(text: str) -> int:
    if (number := _positive(text)) < LEAST:
        raise argparse.ArgumentTypeError(f"{text} is less than {LEAST}")
    return number


def _positive(text: str) -> int:
    if (number := int(text.replace("_", ""))) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _kinds(text: str) -> list[str]:
    kinds = text.split(",")
    if unknown := set(kinds) - set(WAREHOUSES):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of {', '.join(WAREHOUSES)}")
    return kinds


def _shares(text: str) -> list[float]:
    shares = [float(share) for share in text.split(",")]
    if not all(0 < share < 1 for share in shares):
        raise argparse.ArgumentTypeError(f"{text!r} holds something else than shares between 0 and 1")
    return shares


def _measured(options: argparse.Namespace, folder: Path) -> Iterator[Run]:
    """All runs, each said as it is done."""
    with ExitStack() as stack:
        bootstrap = stack.enter_context(_broker(options.bootstrap, folder))
        topics = {
            share: stack.enter_context(_topic(bootstrap, options.records, share))
            for share in (0.0, *options.poison)
        }
        _warm_up(bootstrap, topics[0.0], options)
        subjects = [Subject(CEILING), *(Subject(k, share) for k in options.warehouse for share in topics)]
        for number in range(1, options.rounds + 1):
            for subject in subjects:
                run = _one(number, subject, bootstrap, topics[subject.poison], options)
                print(f"round {number} {run.what}: {run.rate:,.0f} records/s", file=sys.stderr)
                yield run


@contextmanager
def _broker(bootstrap: str, folder: Path) -> Iterator[str]:
    """The address of the broker that was named, or of a new one in the folder."""
    server = nullcontext() if bootstrap else KafkaServer(folder / "kafka")
    with server as ours:
        yield ours.bootstrap if ours else bootstrap


@contextmanager
def _topic(bootstrap: str, records: int, poison: float) -> Iterator[str]:
    """A new topic filled with orders, deleted in the end: the broker may be somebody's."""
    topic = f"bench-{uuid.uuid4().hex[:12]}"
    topics.create(bootstrap, topic, PARTITIONS)
    faults = ["--fault", f"malformed={poison:.9f}"] if poison else []
    try:
        sent = run_python(*_loader(bootstrap, topic), "replay", "--records", str(records), *faults).result
        size, seconds = sent["bytes"] / records, sent["seconds"]
        print(
            f"filled: {records:,} orders of {size:.0f} bytes with their keys, {poison:g} malformed, "
            f"in {seconds:.1f} s",
            file=sys.stderr,
        )
        os.sync()  # or the first round would share the disk with the broker's late writes
        yield topic
    finally:
        topics.delete(bootstrap, topic)


def _warm_up(bootstrap: str, topic: str, options: argparse.Namespace) -> None:
    """Run everything once for a moment: the first to start reads libraries from disk and compiles modules."""
    run_python("tests.benchmarks.ceiling", bootstrap, topic, "--records", str(LEAST))
    for kind in options.warehouse:
        _load(kind, bootstrap, topic, options.batch, "--max-records", "1000")


def _loader(bootstrap: str, topic: str, *more: str) -> list[str]:
    """`loader` with the contract of the example and `more` settings."""
    settings = (f"kafka.bootstrap={bootstrap}", f"kafka.topic={topic}", *more)
    return [
        "loader",
        "--json",
        "-q",
        "-c",
        str(CONTRACT),
        *(word for each in settings for word in ("--set", each)),
    ]


def _one(number: int, subject: Subject, bootstrap: str, topic: str, options: argparse.Namespace) -> Run:
    what = subject.name
    if subject.kind == CEILING:
        done = run_python("tests.benchmarks.ceiling", bootstrap, topic, "--records", str(options.records))
        return _run(number, what, options.records, options.records / done.result["records_per_second"], done)
    done = _load(subject.kind, bootstrap, topic, options.batch)
    _check(done, options.records, subject.poison)
    return _run(number, what, options.records, done.result["seconds"], done)


def _load(kind: str, bootstrap: str, topic: str, batch: int | None, *more: str) -> Done:
    """`loader load` into a warehouse that is made for it and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="loader-bench-warehouse-") as folder:
        return run_python(*_loader(bootstrap, topic, *_warehouse(kind, folder, batch)), "load", *more)


def _warehouse(kind: str, folder: str, batch: int | None) -> list[str]:
    """Settings of a fresh warehouse, with a group that has acknowledged nothing yet."""
    settings = [f"warehouse.path={WAREHOUSES[kind].format(folder)}", f"warehouse.data={folder}/data"]
    settings += [f"kafka.group=bench-{uuid.uuid4().hex[:12]}", "limits.quarantine=1.0"]
    return settings + ([f"batch.records={batch}"] if batch else [])


def _check(done: Done, records: int, poison: float) -> None:
    """A fast load of something else than all records is no figure. Raises RuntimeError."""
    found = {name: done.result[name] for name in ("outcome", "consumed", "quarantined")}
    refused = found.pop("quarantined")
    complete = done.result["loaded"] + refused == records and (refused > 0) == (poison > 0)
    if found != {"outcome": "caught_up", "consumed": records} or not complete:
        raise RuntimeError(f"not all of {records} records were loaded: {done.result}")


def _run(number: int, what: str, records: int, seconds: float, done: Done) -> Run:
    own = done.result.get("phases", {})
    return Run(number, what, records, seconds, done.wall, done.peak, done.user, done.system, own)


if __name__ == "__main__":
    sys.exit(main())
