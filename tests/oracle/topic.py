"""Reads a whole topic with aiokafka, committed records only."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition


class Record(NamedTuple):
    """One committed record; the timestamp is in milliseconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = ()


def read_topic(bootstrap: str, topic: str, *, timeout: float = 120.0) -> list[Record]:
    """All committed records up to the last stable offset of each partition, by partition and offset.

    Raises TimeoutError when the ends are not reached in time (seconds).
    """
    return sorted(asyncio.run(asyncio.wait_for(_read(bootstrap, topic), timeout)), key=lambda r: r[:2])


async def _read(bootstrap: str, topic: str) -> list[Record]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=16 << 20,
    )
    await consumer.start()
    try:
        return await _read_to_ends(consumer, await _partitions(consumer, topic))
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = await consumer._client._wait_on_metadata(
        topic
    )  # partitions_for_topic knows only what is cached
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _read_to_ends(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> list[Record]:
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    records: list[Record] = []
    while [p for p in partitions if await consumer.position(p) < ends[p]]:
        for messages in (await consumer.getmany(timeout_ms=200)).values():
            records += [
                Record(m.partition, m.offset, m.key, m.value, m.timestamp, tuple(m.headers)) for m in messages
            ]
    return [r for r in records if r.offset < ends[TopicPartition(partitions[0].topic, r.partition)]]
