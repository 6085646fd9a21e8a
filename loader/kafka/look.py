"""What every look at a topic from outside of a load needs: someone to ask, a consumer, the records of a span.

No group is joined and nothing is committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from loader.errors import BrokerAway
from loader.kafka.identity import Broker
from loader.kafka.settings import consumer_settings, make_consumer
from loader.model import Span

if TYPE_CHECKING:
    from loader.config import Config

SILENCE = 10.0  # seconds without a record or an end before the broker counts as away
MESSAGES = 2_000  # per call of the client


def broker(config: Config, *, embedded: bool = False) -> Broker:
    """Something to ask about the pipeline's topic; close it after use."""
    kafka = config.kafka
    return Broker(kafka.bootstrap, kafka.topic, kafka.group, kafka.client_settings(), embedded=embedded)


def consumer(config: Config, asked: Broker) -> Consumer:
    """A consumer to assign partitions to, whose troubles `asked` hears of; close it after use."""
    kafka = config.kafka
    settings = consumer_settings(kafka.bootstrap, kafka.group, kafka.client_settings())
    return make_consumer(settings, asked.health.failed)


def messages_in(reading: Consumer, topic: str, span: Span) -> Iterator[list[Message]]:
    """The messages of a span, until one at or after its end, or the end of the partition.

    Raises BrokerAway.
    """
    reading.assign([TopicPartition(topic, span.partition, span.begin)])
    until = time.monotonic() + SILENCE
    while time.monotonic() < until:
        wanted: list[Message] = []
        ended = False
        for message in reading.consume(MESSAGES, 0.1):
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
    address = f"{topic}[{span.partition}]@{span.begin}"
    raise BrokerAway("no answer while a span was read again", address=address)
