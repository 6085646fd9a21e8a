"""Read some records of a topic and leave no trace: no group is joined, no offset is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from loader.errors import BrokerAway
from loader.kafka.chunks import to_batches
from loader.kafka.identity import Broker
from loader.kafka.look import MESSAGES, SILENCE, consumer
from loader.model import CHUNK_SCHEMA, Batch, LogRange, Span, new_batch_id, next_offset, size

if TYPE_CHECKING:
    from loader.config import Config

MEMORY_SHARE = 4  # this part of limits.memory may be taken by the records


def sample(config: Config, asked: Broker, log: Mapping[int, LogRange], records: int) -> Batch:
    """Up to so many records, read-committed, from the `low` of each partition on, evenly over partitions.

    Fewer when their bytes fill a quarter of limits.memory. Raises BrokerAway.
    """
    room = config.limits.memory // MEMORY_SHARE
    spans, chunks = [], []
    with closing(consumer(config, asked)) as reading:
        for partition, wanted in shares(log, records).items():
            begin = end = log[partition].low
            for messages in _messages(reading, TopicPartition(config.kafka.topic, partition, begin), wanted):
                found = to_batches(messages, config.limits.message_bytes)
                chunks += found
                room -= sum(map(size, found))
                end = next_offset(cast("int", messages[-1].offset()))
                if end >= log[partition].end or room <= 0:
                    break
            spans.append(Span(partition, begin, end))
    return Batch(new_batch_id(), tuple(spans), pa.Table.from_batches(chunks, schema=CHUNK_SCHEMA))


def shares(log: Mapping[int, LogRange], records: int) -> dict[int, int]:
    """How many records to read of each partition: evenly, and what one has too few of goes to others."""
    found: dict[int, int] = {}
    by_size = sorted(log, key=lambda partition: log[partition].end - log[partition].low)
    for number, partition in enumerate(by_size):
        here = log[partition].end - log[partition].low
        found[partition] = min(here, -(-records // (len(by_size) - number)))
        records -= found[partition]
    return {partition: found[partition] for partition in sorted(found) if found[partition]}


def _messages(reading: Consumer, place: TopicPartition, wanted: int) -> Iterator[list[Message]]:
    """Messages of one partition until there are `wanted`, or its end."""
    reading.assign([place])
    until = time.monotonic() + SILENCE
    while wanted > 0 and time.monotonic() < until:
        found = reading.consume(min(wanted, MESSAGES), 0.1)
        good = [message for message in found if message.error() is None]
        if good:
            yield good
            wanted -= len(good)
            until = time.monotonic() + SILENCE
        for message in found:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return
            if error is not None and not error.retriable():
                raise KafkaException(error)
    if wanted > 0:
        where = f"{place.topic}[{place.partition}]"
        raise BrokerAway("no answer while records were read", address=where)
