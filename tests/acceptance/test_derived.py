"""Derived tables as users meet them: three consumers of one topic, and alerts that go on to another."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.test_quarantine import CONSOLE, Shell, commands, steady
from tests.conftest import MakeKafka, MakeTopic
from tests.crash.three_consumers import Consumers, side_by_side, told
from tests.oracle import read_topic
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli

PAGE = REPOSITORY / "docs" / "derived.md"
CUSTOMERS = """\
SELECT user_id, count(*) AS orders, sum(amount) AS revenue, max(timestamp) AS last_seen
FROM so_far
SEMI JOIN (SELECT user_id FROM new) AS touched USING (user_id)
GROUP BY user_id
"""


def events() -> str:
    """Orders for the page: five within a minute, and two currencies."""
    rows = [
        {"order_id": f"ORD{number}", "timestamp": f"2026-03-03T10:30:{10 * number:02d}Z", "user_id": 7,
         "action": "purchase", "amount": 12.5, "currency": "EUR"}
        for number in range(1, 6)
    ]  # fmt: skip
    other = {"timestamp": "2026-03-03T10:32:00Z", "user_id": 8, "action": "purchase", "amount": 20}
    rows += [
        other | {"order_id": "ORD6", "currency": "EUR"},
        other | {"order_id": "ORD7", "currency": "USD", "timestamp": "2026-03-03T10:34:00Z"},
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_the_page_about_derived_tables_is_what_happens(own_kafka: MakeKafka, cli: Cli) -> None:
    """Each command of docs/derived.md, in order, prints what stands there, but for ids and times."""
    kafka, page = own_kafka(), PAGE.read_text()
    topics.create(kafka.bootstrap, "orders", 1)
    topics.create(kafka.bootstrap, "fraud_alerts", 1)
    assert cli("init", "--example").code == 0
    [added] = re.findall(r"<!-- into loader.toml -->\n```toml\n(.*?)```", page, re.DOTALL)
    with (cli.folder / "loader.toml").open("a") as file:
        file.write(f"\n{added}")
    (cli.folder / "events.jsonl").write_text(events())
    (cli.folder / "customers.sql").write_text(CUSTOMERS)
    shell = Shell(cli, kafka.bootstrap)
    found = CONSOLE.sub(lambda block: "".join(map(shell.typed, commands(block[0]))), page)
    if os.environ.get("LOADER_UPDATE_GOLDEN"):
        PAGE.write_text(found)
    assert timeless(found) == timeless(PAGE.read_text())


def timeless(text: str) -> str:
    """The text without ids, times, speeds and the spaces that follow from them."""
    text = re.sub(r"\d+\.\d s\b|[\d.,]+ MB|[\d,]+/s", "N", steady(text))
    return re.sub(r"[ ─━]+", " ", text)


@pytest.mark.slow
def test_three_consumers_side_by_side_and_killed(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Warehouse, fraud check and dashboard, killed at random: exact tables, every alert delivered by its id.

    `python -m tests.crash.three_consumers` does so for two minutes.
    """
    consumers = Consumers(cli, kafka, topic(4), topic(2))
    verdict = side_by_side(consumers, seconds=8, seed=1)
    print(f"{verdict.distinct} alerts, {verdict.repeats} of them repeated, kills: {verdict.kills}")
    assert verdict.ok


def test_alerts_are_sent_at_least_once(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path) -> None:
    """Killed before the sending: sent by the next start. Killed before the mark: sent again, the same.

    Marked: never again. A load that finds nothing sends nothing.
    """
    consumers = Consumers(cli, kafka, topic(1), topic(1))
    topics.produce(kafka, consumers.topic, told(600, random.Random(1)))
    log = tmp_path / "reached"

    def killed(place: str) -> int:
        done = consumers.verb(
            "fraud", "load", env={"LOADER_FAIL": f"{place}:kill", "LOADER_FAIL_LOG": str(log)}
        )
        assert done.code == -9, done.err
        return len(read_topic(kafka, consumers.alerts))

    assert killed("before_send") == 0
    assert consumers.verb("fraud", "status").json["derived"][0]["waiting"] > 0
    alerts = len(consumers.rows("fraud", "FROM fraud_alerts"))
    assert killed("before_mark") == alerts > 10
    assert killed("after_mark") == 2 * alerts
    topics.produce(kafka, consumers.topic, [b"not json"])
    assert consumers.verb("fraud", "load", "--accept-quarantine").code == 0
    messages = read_topic(kafka, consumers.alerts)
    assert set(Counter((message.key, message.value) for message in messages).values()) == {2}
    assert log.read_text().split() == ["before_send", "before_mark", "after_mark"]
    status = consumers.verb("fraud", "status").json["derived"]
    assert status == [{"table": "fraud_alerts", "queued": alerts, "waiting": 0}]
    assert consumers.verb("fraud", "verify", "--derived").code == 0


def test_a_topic_for_alerts_that_is_missing_stops_the_load_after_the_commit(
    kafka: str, topic: MakeTopic, cli: Cli
) -> None:
    """The rows and alerts are safe, the error names the topic, and the alerts go out when it is there."""
    consumers = Consumers(cli, kafka, topic(1), f"{topic(1)}-later")
    topics.produce(kafka, consumers.topic, told(600, random.Random(1)))
    failed = consumers.verb("fraud", "load")
    assert (failed.code, failed.json["error"]["kind"]) == (1, "topic_missing")
    assert failed.json["error"]["address"] == consumers.alerts
    assert consumers.rows("fraud", "SELECT count(*) AS n FROM orders")[0]["n"] == 600
    topics.create(kafka, consumers.alerts, 1)
    assert consumers.verb("fraud", "load").code == 0
    alerts = consumers.rows("fraud", "SELECT alert_id FROM fraud_alerts")
    assert len(read_topic(kafka, consumers.alerts)) == len(alerts) > 0


def test_a_retry_sends_its_alerts_before_it_ends(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """So does a rebuild. Without the topic, what was done stands, and an error says that rows wait."""
    consumers = Consumers(cli, kafka, topic(1), f"{topic(1)}-later")
    in_a_minute = [(when, 10) for when in ("01", "11", "21", "31")] + [("41", "-10")]
    orders = [
        {"order_id": f"O{n}", "timestamp": f"2026-03-03T10:30:{second}Z", "user_id": 7, "action": "purchase",
         "amount": amount, "currency": "EUR"}
        for n, (second, amount) in enumerate(in_a_minute)
    ]  # fmt: skip
    topics.produce(kafka, consumers.topic, [json.dumps(each).encode() for each in orders])
    assert consumers.verb("fraud", "load", "--accept-quarantine").json["quarantined"] == 1
    position = f"{consumers.topic}[0]@4"
    value = json.dumps(orders[4] | {"amount": 10})
    edited = consumers.verb("fraud", "quarantine", "edit", position, "--value", value)
    assert edited.code == 0, edited.err
    retried = consumers.verb("fraud", "quarantine", "retry", position)
    assert (retried.code, retried.json["loaded"]) == (1, 1)
    assert "done, but rows wait to be sent, with the next load: the topic does not exist" in retried.err
    topics.create(kafka, consumers.alerts, 1)
    assert consumers.verb("fraud", "rebuild").code == 0
    [message] = read_topic(kafka, consumers.alerts)
    [alert] = consumers.rows("fraud", "SELECT alert_id FROM fraud_alerts")
    assert message.key == alert["alert_id"].encode()
    assert consumers.verb("fraud", "status").json["derived"][0]["waiting"] == 0
