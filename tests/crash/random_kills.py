"""Kill `loader run` at random moments while it loads, then let the oracle judge.

    python -m tests.crash.random_kills --kills 20 --records 500000 --warehouse ducklake --seed 1

starts a Kafka of its own, prints one JSON object, and exits 0 when everything is exact, else 1. The
test suite runs a small one. The seed decides data and moments; what a moment meets is up to the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.oracle import read_topic
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline, Story, committed, tell
from tests.servers import topics
from tests.servers.command import Cli, Running
from tests.servers.kafka import KafkaServer

SMALL_BATCHES = ("--set", "batch.records=1000")
BATCH = 2_000  # records in a batch then, nearly always: the source gives so many at once
PATIENCE = 60.0  # seconds in which a restarted worker has to commit something
EARLY = 0.2  # the share of kills that do not wait for a commit: they may meet the start


@dataclass
class Verdict:
    """What happened, and whether it was exact."""

    warehouse: str
    seed: int
    records: int = 0
    kills: int = 0
    kills_under_way: int = 0  # before everything was loaded
    positions_at_kills: list[int] = field(default_factory=list)
    batches: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    exact: bool = False
    verify: bool = False

    @property
    def ok(self) -> bool:
        """Whether the oracle and `verify` agree that nothing is wrong."""
        return self.exact and self.verify


def random_kills(pipeline: Pipeline, story: Story, kills: int, seed: int) -> Verdict:
    """Kill the run on a topic that holds the story; raises AssertionError with what the oracle found."""
    chance, begun = random.Random(seed), time.monotonic()
    verdict = Verdict(pipeline.kind, seed, len(story.messages))
    most = max(1, len(story.messages) // BATCH // kills)
    for _ in range(kills):
        running = pipeline.start("run", *SMALL_BATCHES)
        _let_run(running, chance, most)
        assert running.kill().code == -9, f"it ended before it was killed:\n{running.err}"
        _note(verdict, pipeline, len(story.messages))
    assert pipeline("load", *SMALL_BATCHES, timeout=600).code == 0
    verdict.counts = pipeline.check(read_topic(pipeline.bootstrap, pipeline.topic))._asdict()
    assert verdict.counts == story.expected._asdict()
    verdict.exact = True
    verdict.verify = pipeline("verify", timeout=600).code == 0
    verdict.batches = pipeline.batches()
    verdict.seconds = round(time.monotonic() - begun, 1)
    return verdict


def _let_run(running: Running, chance: random.Random, most: int) -> None:
    """Let it run to a random moment: some time after the first to `most`-th commit, or at once."""
    wanted = 0 if chance.random() < EARLY else chance.randint(1, most)
    deadline = time.monotonic() + PATIENCE
    while committed(running) < wanted and time.monotonic() < deadline and running.process.poll() is None:
        time.sleep(0.005)
    try:
        running.process.wait(chance.uniform(0, 0.3 if wanted else 2.0))
    except subprocess.TimeoutExpired:
        return


def _note(verdict: Verdict, pipeline: Pipeline, records: int) -> None:
    verdict.kills += 1
    if not any(pipeline.folder.glob("*.*[eb]")):  # killed before there was a warehouse
        verdict.positions_at_kills.append(0)
        return
    verdict.positions_at_kills.append(sum(pipeline.positions().values()))
    verdict.kills_under_way += verdict.positions_at_kills[-1] < records


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--records", type=int, default=500_000, help="unique ones; 2 %% duplicates come on top"
    )
    parser.add_argument("--warehouse", choices=KINDS, default="ducklake")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="random-kills-") as folder:
        result = _run(Path(folder), wanted)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def _run(folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    story = tell(wanted.records, seed=wanted.seed, partitions=4)
    cli = Cli(folder)
    with KafkaServer(folder / "kafka") as kafka:
        topics.create(kafka.bootstrap, "orders", 4)
        topics.produce(kafka.bootstrap, "orders", story.messages, **{"queue.buffering.max.messages": 200_000})
        pipeline = Pipeline(cli, kafka.bootstrap, "orders", wanted.warehouse, client=SHORT_SESSION)
        try:
            verdict = random_kills(pipeline, story, wanted.kills, wanted.seed)
        except AssertionError as wrong:
            return {"ok": False, "seed": wanted.seed, "wrong": str(wrong)}
        finally:
            cli.close()
    return {"ok": verdict.ok, **asdict(verdict)}


if __name__ == "__main__":
    sys.exit(main())
