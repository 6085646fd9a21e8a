"""`loader trace`: from an id back to the record in Kafka."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, order
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.topics import Message

TWO = ("--set", 'table.id=["order_id","user_id"]', "--set", "table.columns.user_id.required=true")


def filled(cli: Cli, kafka: str, topic: str, kind: str) -> Pipeline:
    """100 orders, a twin of the third in another partition, and a conflict with it; all loaded."""
    pipeline = Pipeline(cli, kafka, topic, kind)
    messages = [Message(order(n), key=b"k%d" % n, partition=0, headers=(("h", b"1"),)) for n in range(100)]
    topics.produce(kafka, topic, messages)
    assert pipeline("load").code == 0
    topics.produce(
        kafka, topic, [Message(order(3), partition=1), Message(order(3, amount=0.01), partition=1)]
    )
    assert pipeline("load", "--accept-quarantine").code == 0
    return pipeline


@pytest.mark.parametrize("kind", KINDS)
def test_an_id_is_followed_to_its_records(kind: str, kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Row, twin and conflict with position, batch, time and file, and with --message the bytes from Kafka."""
    pipeline = filled(cli, kafka, topic(partitions=2), kind)
    found = pipeline("trace", "ORD0000003", "--message")
    assert found.code == 0, found.err
    [row], [twin], [conflict] = (found.json[name] for name in ("rows", "duplicates", "quarantine"))
    assert (row["partition"], row["offset"]) == (0, 3)
    assert row["row"] == {
        "order_id": "ORD0000003", "timestamp": "2026-03-03 10:00:03+00:00", "user_id": 3, "amount": "3.25",
    }  # fmt: skip
    assert Path(row["file"]).exists()
    ledger = pipeline.rows("SELECT batch, seq FROM loader.batches ORDER BY seq")
    assert (row["batch"], row["seq"]) == (ledger[0]["batch"], ledger[0]["seq"])
    assert row["message"]["value"].encode() == order(3)
    assert (row["message"]["key"], row["message"]["headers"][0]["value"]) == ("k3", "1")
    assert (twin["first_partition"], twin["first_offset"], twin["first_batch"]) == (0, 3, row["batch"])
    assert twin["message"]["value"].encode() == order(3)
    assert (conflict["partition"], conflict["offset"], conflict["state"]) == (1, 1, "open")
    assert conflict["message"]["value"].encode() == order(3, amount=0.01)
    edited = pipeline("quarantine", "edit", "1:1", "--value", order(300).decode())
    assert edited.code == 0, edited.err
    assert pipeline("trace", "ORD0000003").json["quarantine"][0]["edited"] is True
    assert f"{pipeline.topic}[1]@1 open, edited, batch" in cli("-c", pipeline.file, "trace", "ORD0000003").out
    pipeline.verify()


def test_what_kafka_has_not_any_more_is_said(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """After retention, without a broker, after the topic was made anew: one clear word, and what we know."""
    pipeline = filled(cli, kafka, topic(partitions=2), "ducklake")
    topics.delete_records(kafka, pipeline.topic, {0: 50})
    [row] = pipeline("trace", "ORD0000003", "--message").json["rows"]
    assert row["message"] is None
    assert (
        row["message_missing"] == "not in Kafka any more: retention removed it, the log begins at offset 50"
    )
    away = pipeline("--set", "kafka.bootstrap=localhost:1", "trace", "ORD0000003", "--message")
    assert away.code == 0
    assert away.json["rows"][0]["message_missing"].startswith("no broker in reach: Connect to ")
    topics.recreate(kafka, pipeline.topic, 2)
    topics.produce(kafka, pipeline.topic, [Message(order(n), partition=0) for n in range(900, 910)])
    [row] = pipeline("trace", "ORD0000003", "--message").json["rows"]
    assert row["message"] is None, "the record of another topic was shown"
    assert "not the topic that was loaded so far" in row["message_missing"]
    text = cli("-c", pipeline.file, "trace", "ORD0000003", "--message").out
    assert text.count("not the topic that was loaded so far") == 3


def test_several_id_columns_are_several_words(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """One word for each column, or one text as everything prints it; any other number is a mistake."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1))
    topics.produce(kafka, pipeline.topic, [order(3), order(3)])
    assert pipeline("load", *TWO).code == 0
    for words in (("ORD0000003", "3"), ("ORD0000003|3",)):
        found = pipeline("trace", *words, *TWO).json
        assert [row["offset"] for row in found["rows"]] == [0]
        assert [entry["offset"] for entry in found["duplicates"]] == [1]
    assert pipeline("trace", "ORD0000003", "4", *TWO).code == 1
    wrong = pipeline("trace", "a", "b", "c", *TWO)
    assert (wrong.code, wrong.json["error"]["hint"]) == (2, "loader trace ORDER_ID USER_ID")


def test_an_id_that_is_nowhere_is_one_line(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Exit 1; text that looks like SQL, or is no text at all, is only an id."""
    pipeline = filled(cli, kafka, topic(partitions=2), "duckdb")
    for id_ in ("nobody", "'; DROP TABLE orders; --", "ünï\ncode", ""):
        result = cli("-c", pipeline.file, "trace", "--", id_)
        assert result.code == 1, result.err
        assert "this id is nowhere" in result.err
    pipeline.verify()


def test_the_published_copy_answers_while_a_writer_holds_the_file(
    kafka: str, topic: MakeTopic, cli: Cli
) -> None:
    """As with the other verbs that read; the age of the copy is said."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), "duckdb")
    topics.produce(kafka, pipeline.topic, [order(n) for n in range(10)])
    publish = ("--set", "warehouse.publish=copy.duckdb")
    assert pipeline("load", *publish).code == 0
    with duckdb.connect(str(pipeline.folder / "warehouse.duckdb")):
        found = pipeline("trace", "ORD0000003", *publish)
        queried = pipeline("query", "SELECT count(*) AS n FROM orders", *publish)
        assert pipeline("trace", "ORD0000003").code == 75
    assert found.json["published_age_s"] >= 0
    assert found.json["rows"][0]["offset"] == 3
    assert queried.json["rows"] == [{"n": 10}]
    assert "from the published copy" in queried.err
