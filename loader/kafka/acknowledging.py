"""Telling the group what is committed: handed over by the engine, sent by the reader's thread.

The client lets one thread in at a time: a commit from the engine's thread would wait until the
reader is not inside `consume()`, which is nearly never (measured: 80 s). Nothing waits for the
answer, so that a coordinator that is away does not hold up the load; `log_commit` tells it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from loader.kafka.settings import LOG
from loader.model import Position


class Acknowledgements:
    """The newest committed position of each partition that the group has not been told yet."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._lock = threading.Lock()
        self._waiting: dict[int, Position] = {}

    def put(self, positions: Mapping[int, Position]) -> None:
        """Hand over; called by the engine's thread."""
        with self._lock:
            self._waiting.update(positions)

    def send(self, consumer: Consumer) -> None:
        """Tell the group what was handed over; called by the reader's thread. Never raises."""
        if not self._waiting:
            return
        with self._lock:
            positions, self._waiting = self._waiting, {}
        try:
            consumer.commit(offsets=positions_of(self._topic, positions), asynchronous=True)
        except (KafkaException, RuntimeError) as failure:
            LOG.warning("acknowledging to the group failed: %s", failure)


def log_commit(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
    """Say what the group did not take; nothing depends on it."""
    if error is not None:
        LOG.warning("acknowledging to the group failed: %s", error.str())
        return
    for partition in partitions:
        if partition.error is not None:
            place = f"{partition.topic}[{partition.partition}]@{partition.offset}"
            LOG.warning("acknowledging %s to the group failed: %s", place, partition.error.str())


def positions_of(topic: str, positions: Mapping[int, Position]) -> list[TopicPartition]:
    """Positions as the client wants them, with leader epochs where they are known."""
    return [
        TopicPartition(topic, partition, at.offset, leader_epoch=at.epoch)
        if at.epoch >= 0
        else TopicPartition(topic, partition, at.offset)
        for partition, at in sorted(positions.items())
    ]
