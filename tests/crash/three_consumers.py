"""Warehouse, fraud check and dashboard on one topic, killed at random, while orders come in.

    python -m tests.crash.three_consumers --seconds 120 --seed 1

starts a Kafka of its own, runs the three shipped configurations side by side as groups of their own, kills
one of them after the other, prints one JSON object, and exits 0 when every table is exact and every alert was
delivered under its own id, else 1. The test suite runs a short one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.oracle import Record, check_exact, lake, read_topic
from tests.pipelines import SHORT_SESSION
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli, Running
from tests.servers.kafka import KafkaServer
from tests.servers.topics import Message

NAMES = ("orders", "fraud", "dashboard")
QUICK = ("--set", "batch.wait=300ms", "--set", "batch.records=2000")
SESSION = "".join(f'"{key}" = "{value}"\n' for key, value in SHORT_SESSION.items())
BEGIN = datetime(2026, 3, 3, 10, tzinfo=UTC)
PART = 400  # orders that are produced at once
USERS = 60
FRESH = 1.5  # seconds that a consumer may live at most before it is killed

MINUTES = """
SELECT date_trunc('minute', timestamp) AS minute, currency,
    count(*) FILTER (WHERE action = 'purchase') AS orders,
    count(*) FILTER (WHERE action = 'refund') AS refunds,
    sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END) AS revenue,
    count(DISTINCT user_id) AS customers
FROM orders GROUP BY ALL ORDER BY ALL
"""


@dataclass
class Verdict:
    """What happened, and whether it was exact."""

    seed: int
    seconds: float = 0.0
    orders: int = 0
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    batches: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, int] = field(default_factory=dict)  # by rule
    sent: int = 0
    distinct: int = 0
    repeats: int = 0
    ok: bool = False


@dataclass
class Consumers:
    """The three pipelines in a folder, as a user copies them."""

    cli: Cli
    bootstrap: str
    topic: str
    alerts: str
    running: dict[str, Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the shipped configurations for this broker and these topics."""
        (self.cli.folder / "config").mkdir()
        self.cli.env.setdefault("TMPDIR", str(self.cli.folder))
        for name in NAMES:
            text = (REPOSITORY / "config" / f"{name}.toml").read_text()
            for old, new in (
                ("localhost:9092", self.bootstrap),
                ('topic = "orders"', f'topic = "{self.topic}"'),
                ('send_to = "fraud_alerts"', f'send_to = "{self.alerts}"'),
                ('\ngroup = "', f'\ngroup = "{self.topic}-'),
                ("[warehouse]", f"[kafka.client]\n{SESSION}[warehouse]"),
            ):
                text = text.replace(old, new)
            self.file(name).write_text(text)

    def file(self, name: str) -> Path:
        """The configuration of one of them."""
        return self.cli.folder / "config" / f"{name}.toml"

    def start(self, name: str) -> None:
        """Let it run."""
        self.running[name] = self.cli.start("-c", self.file(name), "--json", "run", *QUICK)

    def verb(self, name: str, *words: str, env: dict[str, str] | None = None) -> Any:
        """Run a verb of one of them to its end."""
        return self.cli("-c", self.file(name), "--json", *words, env=env, timeout=300)

    def rows(self, name: str, sql: str) -> list[dict[str, Any]]:
        """The result of a query by plain DuckDB."""
        with lake(self.catalog(name)) as store:
            return store.rows(sql)

    def catalog(self, name: str) -> Path:
        """Where its warehouse is."""
        folder = self.cli.folder / "warehouse"
        return (folder if name == "orders" else folder / name) / "catalog.sqlite"

    def catch_up(self) -> None:
        """Kill all, load what is left, and let `verify` say that all is exact and equal to a rebuild."""
        for running in self.running.values():
            running.kill()
        for name in NAMES:
            done = self.verb(name, "load")
            assert done.code == 0, done.err
            proof = self.verb(name, "verify", "--derived")
            assert proof.code == 0, proof.out


def told(count: int, chance: random.Random, first: int = 0) -> list[Message]:
    """Orders of few users in and out of order, with twins and poison among them."""
    messages = []
    for number in range(first, first + count):
        late = chance.choices([0, chance.randrange(3_600), chance.randrange(90_000)], [8, 1, 1])[0]
        when = BEGIN + timedelta(seconds=number * 0.5 - late)
        user = chance.randrange(USERS)
        fields = {
            "order_id": f"O{number:06d}",
            "timestamp": when.isoformat(),
            "user_id": user,
            "action": chance.choices(["purchase", "refund"], [9, 1])[0],
            "amount": chance.choices([10 + user, 2_000], [199, 1])[0],
            "currency": chance.choices(["EUR", "USD"], [99, 1])[0],
            "items": [],
        }
        value = json.dumps(fields).encode()
        messages += [Message(value, f"{user}".encode())] * chance.choices([1, 2], [97, 3])[0]
        if not number % 97:
            messages.append(Message(b"not json"))
    return messages


def side_by_side(consumers: Consumers, seconds: float, seed: int) -> Verdict:
    """Run, produce and kill for so long; raises AssertionError with what was not exact."""
    chance, begun = random.Random(seed), time.monotonic()
    verdict = Verdict(seed)
    while (spent := time.monotonic() - begun) < seconds:
        for name in NAMES:
            if name not in consumers.running or consumers.running[name].process.poll() is not None:
                consumers.start(name)
        topics.produce(consumers.bootstrap, consumers.topic, told(PART, chance, verdict.orders))
        verdict.orders += PART
        victim = chance.choice(NAMES)
        _live(consumers.running[victim], chance.uniform(0, min(FRESH, seconds - spent)))
        killed = consumers.running[victim].kill()
        assert killed.code == -9, killed.err
        verdict.kills[victim] += 1
    consumers.catch_up()
    judge(consumers, verdict)
    verdict.seconds = round(time.monotonic() - begun, 1)
    return verdict


def _live(running: Running, seconds: float) -> None:
    """Let it live so long, counted from its first commit where one comes soon."""
    deadline = time.monotonic() + 10
    while (
        "] committed " not in running.err and time.monotonic() < deadline and running.process.poll() is None
    ):
        time.sleep(0.02)
    try:
        running.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def judge(consumers: Consumers, verdict: Verdict) -> None:
    """Every table against the topic, the roll-up against its rows, every alert against what was sent."""
    records = read_topic(consumers.bootstrap, consumers.topic)
    for name in NAMES:
        with lake(consumers.catalog(name)) as store:
            verdict.counts = check_exact(records, store, pipeline=name)._asdict()
            verdict.batches[name] = store.rows("SELECT count(*) AS n FROM loader.batches")[0]["n"]
    assert verdict.counts["loaded"] == verdict.orders
    minutes = consumers.rows("dashboard", "SELECT * EXCLUDE _batch FROM orders_per_minute ORDER BY ALL")
    assert minutes == consumers.rows("orders", MINUTES)
    found = {row["alert_id"]: row["rule"] for row in consumers.rows("fraud", "FROM fraud_alerts")}
    messages = read_topic(consumers.bootstrap, consumers.alerts)
    verdict.alerts = dict(Counter(found.values()))
    verdict.sent, verdict.repeats = len(messages), len(list(repeats(messages)))
    verdict.distinct = len({message.key for message in messages})
    assert {(message.key or b"").decode() for message in messages} == set(found)
    assert verdict.sent - verdict.repeats == verdict.distinct == len(found)
    assert verdict.distinct > 0
    verdict.ok = True


def repeats(messages: list[Record]) -> Iterator[str]:
    """The keys of messages that came before; each must be the same message."""
    seen: dict[bytes | None, bytes | None] = {}
    for message in messages:
        if message.key in seen:
            assert seen[message.key] == message.value, message
            yield str(message.key)
        seen.setdefault(message.key, message.value)


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="three-consumers-") as folder:
        result = _run(Path(folder), wanted)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def _run(folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    cli = Cli(folder)
    with KafkaServer(folder / "kafka") as kafka:
        topics.create(kafka.bootstrap, "orders", 4)
        topics.create(kafka.bootstrap, "fraud_alerts", 2)
        try:
            consumers = Consumers(cli, kafka.bootstrap, "orders", "fraud_alerts")
            return asdict(side_by_side(consumers, wanted.seconds, wanted.seed))
        except AssertionError as wrong:
            return {"ok": False, "seed": wanted.seed, "wrong": str(wrong)}
        finally:
            cli.close()


if __name__ == "__main__":
    sys.exit(main())
