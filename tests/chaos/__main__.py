"""Break everything at random moments while orders are loaded, then let the oracle judge.

    python -m tests.chaos --warehouse ducklake --kills 25 --seed 1
    python -m tests.chaos --warehouse duckdb --seconds 120 --seed 2
    python -m tests.chaos --warehouse ducklake --workers 3 --kills 25

starts a Kafka and makes a warehouse of its own, and prints one JSON object: the seed, what was done, and
each fact of the oracle (tests/oracle) with whether it held. Exits 0 when all of them did, else 3; the
warehouse is kept then, and `repeat` is the command that does the same again. The seed decides records,
faults and moments; what a moment meets is up to the machine.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from confluent_kafka import KafkaException

from tests.chaos.campaign import MIXES, Campaign, Wanted
from tests.chaos.feed import Feed
from tests.chaos.verdict import together, unfinished, verdict
from tests.chaos.watch import Watch
from tests.chaos.workers import LONG
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.kafka import QUICK_RESTART, KafkaServer

PARTITIONS = 4
STARTS = ("fresh", "forked")
EXACT, WRONG = 0, 3
CONFIG = """
[limits]
quarantine = 0.5
[maintain]
every = "20s"
keep_snapshots = "0s"
"""


def wanted(arguments: list[str] | None) -> Wanted:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--warehouse", choices=KINDS, default="ducklake")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=25, help="end after so many SIGKILLs of a live process")
    parser.add_argument("--seconds", type=float, help="end after so many seconds instead")
    parser.add_argument("--workers", type=int, default=1, help="of one group (a lake only)")
    parser.add_argument("--mix", choices=MIXES, default="all", help="which faults are drawn")
    parser.add_argument("--rate", type=float, default=500, help="records that are sent in a second")
    parser.add_argument("--share", type=int, default=2_000, help="most records that are sent in a round")
    parser.add_argument(
        "--start",
        choices=STARTS,
        default="fresh",
        help="forked: skip the imports, for many kills in short time",
    )
    parser.add_argument(
        "--warehouses",
        type=int,
        default=1,
        help="so many at once, each with a topic and a seed (the next one)",
    )
    found = Wanted(**vars(parser.parse_args(arguments)))
    if found.warehouse == "duckdb" and found.workers > 1:
        parser.error("a DuckDB file has one writer")
    if found.mix == "all" and found.warehouses > 1:
        parser.error("they share a broker, which one of them would break for all: --mix kills")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    chosen, begun = wanted(arguments), time.monotonic()
    words = [f"--{name}={value}" for name, value in vars(chosen).items() if value is not None]
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    kafka = KafkaServer(folder / "kafka", settings=QUICK_RESTART)
    try:
        kafka.start(LONG)
        for number in range(chosen.warehouses):
            topics.create(kafka.bootstrap, f"orders-{number}", PARTITIONS)
        with ThreadPoolExecutor(chosen.warehouses) as pool:
            parts = list(pool.map(partial(one, chosen, folder, kafka), range(chosen.warehouses)))
    finally:
        kafka.kill()
    command = shlex.join(["python", "-m", "tests.chaos", *words])
    result = together(chosen, command, parts, time.monotonic() - begun)
    if result["ok"]:
        shutil.rmtree(folder)
    else:
        result["kept"] = str(folder)
    print(json.dumps(result))
    return EXACT if result["ok"] else WRONG


def one(chosen: Wanted, folder: Path, kafka: KafkaServer, number: int) -> dict[str, Any]:
    """A campaign with a topic and a warehouse of its own; the seed of each is different."""
    place, seed = folder / f"warehouse-{number}", chosen.seed + number
    place.mkdir()
    try:
        return run(chosen, seed, place, kafka, f"orders-{number}")
    except (TimeoutError, TimeoutExpired, KafkaException):  # something did not end, or did not come back
        return unfinished(seed, traceback.format_exc())


def run(chosen: Wanted, seed: int, folder: Path, kafka: KafkaServer, topic: str) -> dict[str, Any]:
    """One campaign on a topic that is empty; the verdict."""
    begun = time.monotonic()
    env = {"PYTHONFAULTHANDLER": "1", "TMPDIR": str(folder)}
    cli = Cli(folder, env, fork=chosen.start == "forked")
    pipeline = Pipeline(cli, kafka.bootstrap, topic, chosen.warehouse, client=SHORT_SESSION)
    pipeline.file.write_text(pipeline.file.read_text() + CONFIG)
    feed = Feed(kafka.bootstrap, topic, PARTITIONS, seed, chosen.rate)
    feed.start()
    watch = Watch(pipeline, folder)
    try:
        campaign = Campaign(chosen, seed, kafka, pipeline, feed, watch)
        campaign.go()
        return verdict(campaign, time.monotonic() - begun)
    finally:
        watch.kill()
        cli.close()


if __name__ == "__main__":
    sys.exit(main())
