"""`verify --deep`: the topic is read again, and each record is where it should be with its content."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import pytest

from loader.config import load_config
from loader.warehouse.attach import connect
from tests.conftest import MakeTopic
from tests.oracle.topic import read_topic
from tests.pipelines import KINDS, Pipeline, Story, order, tell, until
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.topics import Message

LAST = "(SELECT max(_offset) FROM lake.main.orders)"
TWICE = """INSERT INTO lake.loader.duplicates
SELECT 'orders', 0, _batch, _partition, _offset, order_id, 0, 0, 0, false
FROM lake.main.orders WHERE _offset = {row}"""


@pytest.fixture(scope="module", params=KINDS)
def pristine(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pipeline, Story]:
    """A story with everything in it, loaded in several batches from two partitions; nobody changes it."""
    cli, name = Cli(tmp_path_factory.mktemp("loaded")), f"deep-{uuid.uuid4().hex[:8]}"
    topics.create(kafka, name, 2)
    pipeline, story = Pipeline(cli, kafka, name, request.param), tell(1_000, seed=3, partitions=2)
    topics.produce(kafka, name, story.messages)
    assert pipeline("load", "--set", "batch.records=350").code == 0
    return pipeline, story


@pytest.fixture
def loaded(pristine: tuple[Pipeline, Story], cli: Cli) -> tuple[Pipeline, Story]:
    """A copy of it, which the test may change."""
    pipeline, story = pristine
    return pipeline.copied(cli), story


def deep(pipeline: Pipeline) -> tuple[int, dict[str, Any]]:
    """Exit code and the check `deep`."""
    done = pipeline("verify", "--deep")
    (check,) = [check for check in done.json["checks"] if check["name"] == "deep"]
    return done.code, check


def changed(pipeline: Pipeline, statement: str) -> None:
    """Change the warehouse behind the loader's back."""
    with connect(load_config(pipeline.file, ()).warehouse) as home:
        home.execute(statement)


def test_every_record_is_found_again(loaded: tuple[Pipeline, Story]) -> None:
    """A sound warehouse passes, and the places are counted as `load` counted them."""
    pipeline, story = loaded
    code, check = deep(pipeline)
    assert (code, check["status"]) == (0, "ok"), check
    for count, place in zip(story.expected, ("loaded", "duplicates", "quarantined"), strict=False):
        assert f"{count:,} {place}" in check["detail"] or count == 0


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "UPDATE lake.main.orders SET amount = amount + 1 WHERE _offset = {row}",
            'another value of "amount"',
        ),
        (
            "UPDATE lake.main.orders SET user_id = coalesce(user_id, 0) + 1 WHERE _offset = {row}",
            'another value of "user_id"',
        ),
        ("DELETE FROM lake.main.orders WHERE _offset = {row}", "is in no place"),
        ("UPDATE lake.main.orders SET _kafka_time = now() WHERE _offset = {row}", "another Kafka time"),
        ("DELETE FROM lake.loader.duplicates", "is in no place"),
        ("UPDATE lake.loader.duplicates SET id = 'X'", "is a duplicate with another id"),
        ("UPDATE lake.loader.quarantine SET value = '{{}}'::BLOB", "is in quarantine with other bytes"),
        (
            TWICE,
            "is in 2 places",
        ),
    ],
)
def test_a_change_behind_the_back_is_named(
    loaded: tuple[Pipeline, Story], statement: str, finding: str
) -> None:
    """One changed field, a vanished or doubled row, other bytes: found, with partition and offset."""
    pipeline, _ = loaded
    changed(pipeline, statement.format(row=LAST))
    code, check = deep(pipeline)
    assert (code, check["status"]) == (3, "failed"), check
    assert finding in check["detail"]
    assert f"{pipeline.topic}[" in check["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_in_the_topic_is_a_finding(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """A row at an offset where the topic has a transaction's marker was never consumed."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), kind)
    topics.produce_transaction(kafka, pipeline.topic, [Message(order(n), partition=0) for n in range(5)])
    assert pipeline("load").code == 0
    assert deep(pipeline)[1]["status"] == "ok"
    row = "SELECT * REPLACE (5 AS _offset, 'X' AS order_id) FROM lake.main.orders LIMIT 1"
    changed(pipeline, f"INSERT INTO lake.main.orders {row}")
    code, check = deep(pipeline)
    assert (code, check["status"]) == (3, "failed")
    assert f"{pipeline.topic}[0]@5 is in the table, but not in the topic" in check["detail"]


@pytest.mark.fault(30)
def test_a_topic_that_was_compacted_since_is_no_finding(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """What was loaded may be gone from the log: it is counted, and the rest is compared."""
    compact = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    pipeline = Pipeline(cli, kafka, topic(1, compact))
    first = [Message(order(n), key=b"%d" % n) for n in range(5)]
    topics.produce_transaction(kafka, pipeline.topic, first)  # its marker is a hole
    assert pipeline("load").code == 0
    for number, message in enumerate(first[:3]):
        time.sleep(0.15)  # a segment has to grow older than segment.ms, by the broker's clock
        topics.produce(kafka, pipeline.topic, [message._replace(value=order(10 + number))])
    until(lambda: len(read_topic(kafka, pipeline.topic)) < len(first) + 3, "the broker did not compact")
    done = pipeline("verify", "--deep")
    details = {check["name"]: check["detail"] for check in done.json["checks"]}
    assert done.code == 0, details
    assert re.search(r"with holes read again, \d records? of them compacted away since$", details["broker"])
    assert re.search(r"\d compacted away, \d loaded$", details["deep"])


def test_without_a_broker_it_is_said_at_once(loaded: tuple[Pipeline, Story]) -> None:
    """Who asks for a deep look and cannot have one gets exit code 75, not a half proof."""
    pipeline, _ = loaded
    done = pipeline("verify", "--deep", "--set", "kafka.bootstrap=127.0.0.1:1")
    assert done.code == 75
    assert "without --deep" in done.json["error"]["hint"]
