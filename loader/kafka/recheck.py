"""Read spans with holes again: a hole is only one if the broker still gives no record there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import Consumer, KafkaError, TopicPartition

from loader.errors import BrokerAway
from loader.kafka.identity import Broker
from loader.kafka.settings import consumer_settings, make_consumer
from loader.model import LogRange

if TYPE_CHECKING:
    from loader.config import Config

SILENCE = 10.0  # seconds without a record or an end before the broker counts as away


def broker(config: Config, *, embedded: bool = False) -> Broker:
    """Something to ask about the pipeline's topic; close it after use."""
    kafka = config.kafka
    return Broker(kafka.bootstrap, kafka.topic, kafka.group, kafka.client_settings(), embedded=embedded)


def miscounted(
    config: Config, spans: Iterable[Mapping[str, Any]], log: Mapping[int, LogRange], *, embedded: bool = False
) -> tuple[list[str], int]:
    """Read each span (partition, begin_offset, end_offset, consumed) again, read-committed.

    Returns what differs, one line each, and how many spans could not be read because retention has
    removed their begin. Raises BrokerAway.
    """
    kafka = config.kafka
    asked = broker(config, embedded=embedded)
    with closing(asked), closing(_consumer(config, asked)) as consumer:
        findings, gone = [], 0
        for span in spans:
            partition = span["partition"]
            if span["begin_offset"] < log[partition].low:
                gone += 1
                continue
            found = _count(consumer, kafka.topic, partition, span["begin_offset"], span["end_offset"])
            if found != span["consumed"]:
                place = f"{kafka.topic}[{partition}]:{span['begin_offset']}-{span['end_offset']}"
                findings.append(f"{place}: the topic has {found} records, {span['consumed']} were consumed")
        return findings, gone


def records_in(
    config: Config, log: Mapping[int, LogRange], partition: int, begin: int, end: int
) -> int | None:
    """How many records the topic holds in [begin, end), read-committed; None where its log does not reach.

    Raises BrokerAway.
    """
    if begin < log[partition].low or end > log[partition].end:
        return None
    asked = broker(config)
    with closing(asked), closing(_consumer(config, asked)) as consumer:
        return _count(consumer, config.kafka.topic, partition, begin, end)


def _consumer(config: Config, asked: Broker) -> Consumer:
    kafka = config.kafka
    settings = consumer_settings(kafka.bootstrap, kafka.group, kafka.client_settings())
    return make_consumer(settings, asked.health.failed)


def _count(consumer: Consumer, topic: str, partition: int, begin: int, end: int) -> int:
    """The records in [begin, end): read until one at or after the end, or the end of the partition."""
    consumer.assign([TopicPartition(topic, partition, begin)])
    found, until = 0, time.monotonic() + SILENCE
    while time.monotonic() < until:
        for message in consumer.consume(2000, 0.1):
            until = time.monotonic() + SILENCE
            error = message.error()
            at_end = error is not None and error.code() == KafkaError._PARTITION_EOF
            if at_end or (error is None and cast("int", message.offset()) >= end):
                return found
            found += error is None
    raise BrokerAway("no answer while a span was read again", address=f"{topic}[{partition}]@{begin}")
