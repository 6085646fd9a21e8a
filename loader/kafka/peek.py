"""Look at records of a topic without joining a group or committing anything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self, cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from loader.errors import BrokerAway
from loader.kafka.chunks import to_batches
from loader.kafka.identity import Broker
from loader.kafka.look import MESSAGES, SILENCE, broker, consumer
from loader.model import CHUNK_SCHEMA, Identity, LogRange

if TYPE_CHECKING:
    from loader.config import Config


class Peek:
    """A look at the pipeline's topic; use it as a context manager.

    The consumer is assigned, so it never becomes a member of `kafka.group`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._broker: Broker | None = None
        self._consumer: Consumer | None = None

    def __enter__(self) -> Self:
        """Make the clients; nothing is asked yet. Raises ConfigError."""
        self._broker = broker(self._config)
        self._consumer = consumer(self._config, self._broker)
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of the connections."""
        self._reading.close()
        self._asked.close()

    @property
    def _asked(self) -> Broker:
        assert self._broker is not None  # noqa: S101 - made when the block began
        return self._broker

    @property
    def _reading(self) -> Consumer:
        assert self._consumer is not None  # noqa: S101 - as above
        return self._consumer

    def identity(self) -> Identity:
        """Which topic this is. Raises TopicMissing, BrokerAway, ActionNeeded (not allowed)."""
        return self._asked.identity()

    def log(self) -> dict[int, LogRange]:
        """What the log of each partition holds. Raises as `identity`."""
        return self._asked.log(range(self.identity().partitions))

    def sample(self, log: Mapping[int, LogRange], most: int, message_bytes: int) -> pa.Table:
        """About `most` records (CHUNK_SCHEMA), the same share of each partition: its oldest and newest.

        A larger value than `message_bytes` has no text. Raises as `identity`.
        """
        taken: list[Message] = []
        filled = [partition for partition, part in log.items() if part.end > part.low]
        for left, partition in zip(range(len(filled), 0, -1), filled, strict=True):
            share = -(-(most - len(taken)) // left)
            taken += self._of_partition(partition, log[partition], share)
        batches = to_batches(taken, message_bytes) if taken else []
        return pa.Table.from_batches(batches, CHUNK_SCHEMA)

    def record(self, partition: int, offset: int, message_bytes: int) -> pa.RecordBatch | None:
        """The record at an offset, or None where the log has none there. Raises as `identity`."""
        found = self._span(partition, offset, offset, 1)
        return to_batches(found, message_bytes)[0] if found else None

    def _of_partition(self, partition: int, part: LogRange, share: int) -> list[Message]:
        if part.end - part.low <= share:
            return self._span(partition, part.low, part.end - 1, share)
        old = self._span(partition, part.low, part.end - 1, share - share // 2)
        return old + self._span(partition, part.end - share // 2, part.end - 1, share // 2)

    def _span(self, partition: int, first: int, last: int, most: int) -> list[Message]:
        """Up to `most` records with offsets from `first` to `last`, both included."""
        if most < 1:
            return []
        self._reading.assign([TopicPartition(self._config.kafka.topic, partition, first)])
        found: list[Message] = []
        until = time.monotonic() + SILENCE
        while time.monotonic() < until:
            for message in self._reading.consume(min(MESSAGES, most), 0.1):
                until = time.monotonic() + SILENCE
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    continue  # said again by the broker when it is asked, or followed by silence
                if error is not None or cast("int", message.offset()) > last:
                    return found
                found.append(message)
                if len(found) == most:
                    return found
        self.identity()  # a broker that is away is said so
        address = f"{self._config.kafka.topic}[{partition}]@{first}"
        raise BrokerAway("no answer while records were read", address=address)
