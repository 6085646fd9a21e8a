"""What a beginner's Kafka tutorial leaves behind must load as it is.

The script below is such a tutorial, word for word: kafka-python, a JSON serializer, `sales_topic`, two
messages. It needs a broker of its own because of the topic's name.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeKafka
from tests.oracle import Counts, check_exact, lake, read_topic
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli, Result

SCRIPT = """\
import json
import sys
from kafka import KafkaProducer

producer = KafkaProducer(
    bootstrap_servers=sys.argv[1],
    value_serializer=lambda v: json.dumps(v).encode("utf-8"),
)
producer.send("sales_topic", {"user_id": 101, "action": "purchase", "amount": 250})
producer.send("sales_topic", {"order_id": "ORD1001", "timestamp": "2026-03-03T10:30:00", "amount": 500})
producer.flush()
"""


@pytest.fixture
def bootstrap(own_kafka: MakeKafka) -> str:
    """A broker on which the tutorial's script has run."""
    server = own_kafka()
    topics.create(server.bootstrap, "sales_topic", 1)
    subprocess.run([sys.executable, "-c", SCRIPT, server.bootstrap], check=True, timeout=60)
    return server.bootstrap


def test_the_tutorials_messages_load(bootstrap: str, cli: Cli, tmp_path: Path) -> None:
    """The message with an id is loaded, the other one quarantined with both reasons; then nothing is new."""

    def loader(*words: str) -> Result:
        settings = {
            "kafka.bootstrap": bootstrap,
            "kafka.topic": "sales_topic",
            "warehouse.path": f"ducklake:sqlite:{tmp_path}/warehouse/catalog.sqlite",
            "warehouse.data": f"{tmp_path}/warehouse/data",
        }
        options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        return cli("-c", REPOSITORY / "config" / "orders.toml", "--json", *options, *words)

    first = loader("load")
    assert first.code == 0, first.err
    counts = {name: first.json[name] for name in ("outcome", "consumed", "loaded", "quarantined")}
    assert counts == {"outcome": "caught_up", "consumed": 2, "loaded": 1, "quarantined": 1}

    again = loader("load")
    assert (again.code, again.json["outcome"], again.json["batches"]) == (0, "caught_up", 0)

    with lake(tmp_path / "warehouse" / "catalog.sqlite") as store:
        assert check_exact(read_topic(bootstrap, "sales_topic"), store) == Counts(1, 0, 1, 0)
        [row] = store.rows(
            "SELECT order_id, timestamp::VARCHAR AS moment, amount::VARCHAR AS amount FROM orders"
        )
    assert row == {"order_id": "ORD1001", "moment": "2026-03-03 10:30:00+00", "amount": "500.00"}

    listed = loader("quarantine", "list").json
    assert listed["open"] == 1
    [entry] = listed["entries"]
    assert said(entry) == "order_id: missing; timestamp: missing"
    shown = loader("quarantine", "show", f"sales_topic[{entry['partition']}]@{entry['offset']}").json
    assert said(shown) == said(entry)
    assert shown["value"] == '{"user_id": 101, "action": "purchase", "amount": 250}'
    assert loader("verify").json["ok"] is True


def said(entry: dict[str, Any]) -> str:
    """The reasons as a person reads them."""
    return "; ".join(reason["message"] for reason in entry["reasons"])
