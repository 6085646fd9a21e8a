"""Read a range of a partition again, as the loader read it: for `verify --deep`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from loader.errors import BrokerAway
from loader.kafka.chunks import to_batches
from loader.kafka.recheck import broker
from loader.kafka.settings import consumer_settings, make_consumer
from loader.model import CHUNK_SCHEMA, Span, next_offset

if TYPE_CHECKING:
    from loader.config import Config

SILENCE = 10.0  # seconds without a record or an end before the broker counts as away
MESSAGES = 2_000  # per call of the client
RECORDS = 50_000  # in what is given at once, about
BYTES = 32 * 2**20  # and its size, about


@dataclass(frozen=True, slots=True)
class Reread:
    """The records of a span that were found, none where it is all holes; as CHUNK_SCHEMA."""

    span: Span
    records: pa.Table


def read_again(config: Config, span: Span, *, embedded: bool = False) -> Iterator[Reread]:
    """The records in a span, read-committed, in pieces whose spans form a chain over it.

    Raises BrokerAway, and the errors of the client's first contact.
    """
    kafka = config.kafka
    settings = consumer_settings(kafka.bootstrap, kafka.group, kafka.client_settings())
    with (
        closing(broker(config, embedded=embedded)) as asked,
        closing(make_consumer(settings, asked.health.failed)) as consumer,
    ):
        consumer.assign([TopicPartition(kafka.topic, span.partition, span.begin)])
        begin, found, size = span.begin, [], 0
        for messages in _messages(consumer, kafka.topic, span):
            found.extend(to_batches(messages, config.limits.message_bytes))
            size += found[-1].nbytes
            if sum(batch.num_rows for batch in found) >= RECORDS or size >= BYTES:
                end = next_offset(found[-1]["offset"][-1].as_py())
                yield _reread(span.partition, begin, end, found)
                begin, found, size = end, [], 0
        yield _reread(span.partition, begin, span.end, found)


def _reread(partition: int, begin: int, end: int, found: list[pa.RecordBatch]) -> Reread:
    return Reread(Span(partition, begin, end), pa.Table.from_batches(found, CHUNK_SCHEMA))


def _messages(consumer: Consumer, topic: str, span: Span) -> Iterator[list[Message]]:
    """The messages below the span's end, until one at or after it, or the end of the partition."""
    until = time.monotonic() + SILENCE
    while time.monotonic() < until:
        wanted: list[Message] = []
        ended = False
        for message in consumer.consume(MESSAGES, 0.1):
            until = time.monotonic() + SILENCE
            error = message.error()
            if error is None and cast("int", message.offset()) < span.end:
                wanted.append(message)
            elif error is None or error.code() == KafkaError._PARTITION_EOF:
                ended = True
        if wanted:
            yield wanted
        if ended:
            return
    raise BrokerAway("no answer while the topic was read again", address=f"{topic}[{span.partition}]")
