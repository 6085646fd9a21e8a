"""Three brokers on this machine that are one cluster; the first one is the controller too.

with cluster(folder) as brokers:
    Producer({"bootstrap.servers": addresses(brokers)})
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from tests.servers.kafka import QUICK_RESTART, KafkaServer, new_uuid

GROUPS = "__consumer_offsets"


@contextmanager
def cluster(folder: Path) -> Iterator[list[KafkaServer]]:
    """Start three; all are killed at the end."""
    name = new_uuid()
    with ExitStack() as stack:
        brokers = [KafkaServer(folder / "1", settings=QUICK_RESTART, cluster=name)]
        voters = brokers[0].properties["controller.quorum.voters"]
        brokers += [_member(folder, number, voters, name) for number in (2, 3)]
        for broker in brokers:
            stack.enter_context(broker)
        yield brokers


def _member(folder: Path, number: int, voters: str, name: str) -> KafkaServer:
    broker = KafkaServer(folder / str(number), settings=QUICK_RESTART, cluster=name)
    broker.properties |= {
        "process.roles": "broker",
        "node.id": str(number),
        "listeners": broker.properties["advertised.listeners"],
        "controller.quorum.voters": voters,
    }
    return broker


def addresses(brokers: Sequence[KafkaServer]) -> str:
    """What `bootstrap.servers` takes."""
    return ",".join(broker.bootstrap for broker in brokers)


def place(brokers: Sequence[KafkaServer], topic: str, *replicas: list[int], **config: str) -> None:
    """Create a topic whose partitions stand on these brokers, by number; the first of each leads."""
    admin = AdminClient({"bootstrap.servers": addresses(brokers)})
    new = NewTopic(topic, len(replicas), replica_assignment=list(replicas), config=config)
    admin.create_topics([new])[topic].result(20)


def in_step(brokers: Sequence[KafkaServer], topic: str) -> bool:
    """Whether every replica of the topic holds what its leader holds."""
    admin = AdminClient({"bootstrap.servers": addresses(brokers)})
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions.values()
    return all(sorted(each.isrs) == sorted(each.replicas) for each in partitions)
