"""How long records have been waiting in the topic: the time of the first one that is not loaded yet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, KafkaError, TopicPartition

from loader.errors import BrokerAway
from loader.kafka.look import SILENCE, broker, consumer

if TYPE_CHECKING:
    from loader.config import Config


def oldest_waiting(config: Config, committed: Mapping[int, int]) -> float | None:
    """When the records at these offsets were sent: the oldest one (seconds since the epoch).

    None where no record waits: what follows the offsets are transaction markers or aborted records,
    or records without a time. Raises BrokerAway.
    """
    kafka = config.kafka
    silent, times = set(committed), []
    asked = broker(config)
    with closing(asked), closing(consumer(config, asked)) as reading:
        reading.assign([TopicPartition(kafka.topic, *place) for place in committed.items()])
        until = time.monotonic() + SILENCE
        while silent and time.monotonic() < until:
            for message in reading.consume(100, 0.1):
                error, partition = message.error(), message.partition()
                if partition not in silent or (error and error.code() != KafkaError._PARTITION_EOF):
                    continue
                silent.discard(partition)
                kind, stamp = message.timestamp() if error is None else (TIMESTAMP_NOT_AVAILABLE, 0)
                times += [stamp / 1000] if kind != TIMESTAMP_NOT_AVAILABLE else []
    if silent:
        raise BrokerAway(
            "no answer while asking for the next record", address=f"{kafka.topic}[{min(silent)}]"
        )
    return min(times, default=None)
