"""What Kafka has on record for a group, and where its logs end, by aiokafka."""

from __future__ import annotations

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

YOUNG = 10.0  # seconds in which a broker may not coordinate a group yet
MOMENTARY = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)


def acknowledged(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """The offsets that the group has acknowledged, by partition. Raises KafkaError."""
    deadline = time.monotonic() + YOUNG
    while True:
        try:
            return asyncio.run(_acknowledged(bootstrap, group, topic))
        except MOMENTARY:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def stable_ends(bootstrap: str, topic: str, partitions: int) -> dict[int, int]:
    """The last stable offset of each partition. Raises KafkaError."""
    return asyncio.run(_ends(bootstrap, topic, partitions))


async def _acknowledged(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await admin.start()
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {
        at.partition: known.offset for at, known in found.items() if at.topic == topic and known.offset >= 0
    }


async def _ends(bootstrap: str, topic: str, partitions: int) -> dict[int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
    finally:
        await consumer.stop()
    return {at.partition: end for at, end in ends.items()}
