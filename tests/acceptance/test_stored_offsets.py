"""The offsets that the warehouse holds against what others say: Kafka's group, an older copy, nonsense."""

from __future__ import annotations

import shutil
import signal

import duckdb
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, order, tell
from tests.servers import topics
from tests.servers.command import Cli


def reset_group(pipeline: Pipeline, offsets: dict[int, int]) -> None:
    """Set what Kafka's group has on record, as an operator does."""
    admin = AdminClient({"bootstrap.servers": pipeline.bootstrap})
    places = [TopicPartition(pipeline.topic, partition, at) for partition, at in offsets.items()]
    wanted = ConsumerGroupTopicPartitions(pipeline.group, places)
    admin.alter_consumer_group_offsets([wanted])[pipeline.group].result(20)


@pytest.mark.fault(19)
def test_an_operator_resets_the_group(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Back or ahead, and deleted: the warehouse decides where to go on, and says that they differ."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=2)), tell(900, seed=91, partitions=2)
    parts = [story.messages[at : at + 300] for at in range(0, len(story.messages), 300)]
    topics.produce(kafka, pipeline.topic, parts[0])
    assert pipeline("load").code == 0
    for offsets, part in (({0: 0, 1: 7}, parts[1]), ({0: 5_000, 1: 6_000}, parts[2])):
        topics.produce(kafka, pipeline.topic, part)
        before = pipeline.positions()
        reset_group(pipeline, offsets)
        loaded = pipeline("load")
        assert (loaded.code, loaded.json["consumed"]) == (0, len(part)), loaded.err
        assert f"[0]: the group's offset in Kafka is {offsets[0]} instead of {before[0]}" in loaded.err
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.delete_consumer_groups([pipeline.group])[pipeline.group].result(20)
    for part in parts[3:]:
        topics.produce(kafka, pipeline.topic, part)
    assert pipeline("load").code == 0
    assert pipeline.check() == story.expected
    assert pipeline.acknowledged() == pipeline.positions()


@pytest.mark.fault(56)
@pytest.mark.parametrize("kind", KINDS)
def test_a_warehouse_from_an_older_copy_reads_again(
    kafka: str, topic: MakeTopic, cli: Cli, kind: str
) -> None:
    """What was loaded after the copy comes again, once; Kafka's group is ahead, and does not matter."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=2), kind), tell(600, seed=92, partitions=2)
    topics.produce(kafka, pipeline.topic, story.messages[:300])
    assert pipeline("load").code == 0
    copy = cli.folder / "copy"
    shutil.copytree(pipeline.folder, copy)
    topics.produce(kafka, pipeline.topic, story.messages[300:])
    assert pipeline("load").code == 0
    shutil.rmtree(pipeline.folder)
    copy.rename(pipeline.folder)
    loaded = pipeline("load")
    assert (loaded.code, loaded.json["consumed"]) == (0, len(story.messages) - 300), loaded.err
    assert "instead of" in loaded.err
    assert pipeline.check() == story.expected
    pipeline.verify()


@pytest.mark.fault(37, 56)
@pytest.mark.parametrize("stored", [10**12, -5])
def test_an_offset_outside_of_the_log_stops(kafka: str, topic: MakeTopic, cli: Cli, stored: int) -> None:
    """Newer than Kafka, or nonsense: exit 1 with the range, nothing is read or changed."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), "duckdb")
    topics.produce(kafka, pipeline.topic, tell(50, seed=93, partitions=1).messages)
    assert pipeline("load").code == 0
    with duckdb.connect(str(pipeline.folder / "warehouse.duckdb")) as warehouse:
        warehouse.execute(f"UPDATE loader.offsets SET next_offset = {stored}")
    refused = pipeline("load")
    error = refused.json["error"]
    assert (refused.code, error["kind"]) == (1, "offsets_lost"), refused.out
    assert error["address"] == f"{pipeline.topic}[0]@{stored}"
    assert str(stored) in error["message"]
    assert pipeline.positions() == {0: stored}


@pytest.mark.fault(40)
@pytest.mark.parametrize("kind", KINDS)
def test_latest_stays_where_the_first_start_found_it(
    kafka: str, topic: MakeTopic, cli: Cli, kind: str
) -> None:
    """Killed between the first offsets and the first batch: what came since then is loaded, and no more."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), kind)
    latest = ("load", "--set", "kafka.start=latest")
    topics.produce(kafka, pipeline.topic, [order(number) for number in range(10)])
    killed = pipeline(*latest, env={"LOADER_FAIL": "in_assign:kill"})
    assert killed.code == -signal.SIGKILL, killed.err
    topics.produce(kafka, pipeline.topic, [order(number) for number in range(10, 15)])
    assert pipeline(*latest).json["loaded"] == 5
    assert pipeline.rows("SELECT min(_offset) AS first, count(*) AS n FROM orders") == [{"first": 10, "n": 5}]
    pipeline.verify()
