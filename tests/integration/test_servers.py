"""The Kafka that the tests start is a real one, and dies with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from tests.oracle import read_topic
from tests.servers import topics
from tests.servers.kafka import KafkaServer
from tests.servers.topics import Message

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeKafka, MakeTopic

OWNER = """
import sys, time
from pathlib import Path
from tests.servers.kafka import KafkaServer
server = KafkaServer(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_what_is_produced_is_consumed(kafka: str, topic: MakeTopic) -> None:
    """A record sent to the shared broker comes back through a consumer group."""
    name = topic(partitions=1)
    assert topics.produce(kafka, name, [b"hello"]) == [(0, 0)]
    settings = {"bootstrap.servers": kafka, "group.id": name, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([name])
    [message] = consumer.consume(1, timeout=30)
    consumer.close()
    assert message.value() == b"hello"


def test_a_topic_made_again_has_another_id(kafka: str, topic: MakeTopic) -> None:
    """The id of a topic never returns: a new topic of the same name is told apart, and empty."""
    name = topic(partitions=2)
    before = topics.topic_id(kafka, name)
    topics.produce(kafka, name, [b"x"] * 10)
    assert topics.recreate(kafka, name, partitions=2) != before
    assert topics.ends(kafka, name) == {0: (0, 0), 1: (0, 0)}


def test_the_oracle_reads_committed_records_only(kafka: str, topic: MakeTopic) -> None:
    """Aborted records and transaction markers are not read, yet the last stable end is reached."""
    name = topic(partitions=1)
    topics.produce(kafka, name, [Message(b"one", key=b"k", timestamp=1_700_000_000_000)])
    topics.produce_transaction(kafka, name, [b"never"], commit=False)
    topics.produce_transaction(kafka, name, [b"two"])
    topics.produce_transaction(kafka, name, [b"never"], commit=False)
    records = read_topic(kafka, name)
    assert [(r.partition, r.offset, r.key, r.value) for r in records] == [
        (0, 0, b"k", b"one"),
        (0, 3, None, b"two"),
    ]
    assert records[0].timestamp == 1_700_000_000_000
    assert topics.ends(kafka, name) == {0: (0, 7)}


def test_an_open_transaction_holds_the_end_back(kafka: str, topic: MakeTopic) -> None:
    """The oracle and `ends` stop at the last stable offset, whatever lies behind it."""
    name = topic(partitions=1)
    topics.produce(kafka, name, [b"one"])
    with topics.open_transaction(kafka, name, [b"not yet"]):
        topics.produce(kafka, name, [b"later"])
        assert topics.ends(kafka, name) == {0: (0, 1)}
        assert [r.value for r in read_topic(kafka, name)] == [b"one"]
    assert [r.value for r in read_topic(kafka, name)] == [b"one", b"later"]


def test_records_can_be_removed_from_the_front(kafka: str, topic: MakeTopic) -> None:
    """`delete_records` moves the beginning of the log, as retention would."""
    name = topic(partitions=1)
    topics.produce(kafka, name, [b"x"] * 10)
    topics.delete_records(kafka, name, {0: 6})
    assert topics.ends(kafka, name) == {0: (6, 10)}
    assert [r.offset for r in read_topic(kafka, name)] == [6, 7, 8, 9]


def test_how_long_a_topic_lasts_is_told_by_its_records(kafka: str, topic: MakeTopic) -> None:
    """From the first to the latest, in whatever partitions; an empty one says nothing."""
    name = topic(partitions=3)
    times = [(0, 19_000), (0, 20_000), (1, 21_500)]
    topics.produce(kafka, name, [Message(b"x", None, partition, time) for partition, time in times])
    assert topics.lasting(kafka, name) == 2.5


def test_a_missing_topic_stays_missing(kafka: str) -> None:
    """The broker makes no topic by itself."""
    admin = AdminClient({"bootstrap.servers": kafka})
    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        admin.describe_topics(TopicCollection(["nobody-made-this"]))["nobody-made-this"].result(20)


def test_a_killed_broker_comes_back_with_its_data(own_kafka: MakeKafka) -> None:
    """After SIGKILL, and after a stop in good order, records, topic id and cluster id are the same."""
    server = own_kafka()
    identity = topics.create(server.bootstrap, "orders", 1)
    topics.produce(server.bootstrap, "orders", [b"kept"])
    cluster = _cluster_id(server)
    for end in (server.kill, server.stop):
        end()
        assert not server.running
        server.start()
        assert [r.value for r in read_topic(server.bootstrap, "orders")] == [b"kept"]
        assert topics.topic_id(server.bootstrap, "orders") == identity
        assert _cluster_id(server) == cluster


def test_a_paused_broker_hangs_and_goes_on(own_kafka: MakeKafka) -> None:
    """SIGSTOP leaves the port open and every question without an answer until SIGCONT."""
    server = own_kafka()
    client = AdminClient({"bootstrap.servers": server.bootstrap})
    server.pause()
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1)
    server.resume()
    assert client.list_topics(timeout=30).brokers


def test_two_brokers_are_two_clusters(own_kafka: MakeKafka) -> None:
    """Each server has a cluster id of its own, so that a test can replace one by another."""
    assert _cluster_id(own_kafka()) != _cluster_id(own_kafka())


def test_a_start_that_fails_shows_the_log(tmp_path: Path) -> None:
    """A broker that ends while it starts is an error which carries the end of its log."""
    server = KafkaServer(tmp_path / "kafka", settings={"log.retention.ms": "a week"})
    with pytest.raises(RuntimeError, match="ended while it started") as failure:
        server.start()
    assert "log.retention.ms" in failure.value.__notes__[0]
    assert not server.running


def test_no_broker_outlives_its_owner(tmp_path: Path) -> None:
    """Even when the owner is killed with SIGKILL its broker ends, so no run leaks a JVM."""
    command = [sys.executable, "-c", OWNER, str(tmp_path / "kafka")]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})
    assert owner.stdout
    broker = psutil.Process(int(owner.stdout.readline()))
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    deadline = time.monotonic() + 20
    while broker.is_running() and broker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _cluster_id(server: KafkaServer) -> str:
    admin = AdminClient({"bootstrap.servers": server.bootstrap})
    return str(admin.describe_cluster().result(20).cluster_id)
