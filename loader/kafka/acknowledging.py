"""Telling the group what is committed: handed over by the engine, sent by the reader's thread.

The client lets one thread in at a time: a commit from the engine's thread would wait until the
reader is not inside `consume()`, which is nearly never (measured: 80 s). Nothing waits for the
answer, so that a coordinator that is away does not hold up the load. What fails is said and sent again,
unless the group refused the member or the partition was taken away: others may stand further by then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from loader.kafka.settings import LOG
from loader.model import Position

AGAIN = 1.0  # seconds until what failed is sent again
OF_MEMBERS = (  # the group refuses the one who sends, not what is sent
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError.STALE_MEMBER_EPOCH,
)


class Acknowledgements:
    """The newest committed position of each partition that the group has not been told yet."""

    def __init__(self, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[int, Position] = {}
        self._sent: dict[int, Position] = {}  # without an answer so far; of the reader's thread, as all below
        self._not_before = 0.0

    def put(self, positions: Mapping[int, Position]) -> None:
        """Hand over; called by the engine's thread."""
        with self._lock:
            self._waiting.update(positions)

    def send(self, consumer: Consumer, *, at_once: bool = False) -> None:
        """Tell the group what was handed over; called by the reader's thread. Never raises.

        Where something has failed just now it waits a second, unless it is to be done `at_once`.
        """
        if not self._waiting or (self._clock() < self._not_before and not at_once):
            return
        with self._lock:
            positions, self._waiting = self._waiting, {}
        self._sent |= positions
        try:
            consumer.commit(offsets=positions_of(self._topic, positions), asynchronous=True)
        except (KafkaException, RuntimeError) as failure:
            LOG.warning("acknowledging to the group failed: %s", failure)

    def answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Say what the group did not take, and keep it for later: the client's `on_commit`."""
        if error is not None:
            LOG.warning("acknowledging to the group failed: %s", error.str())
        for at in partitions:
            failed = at.error or error
            if error is None and at.error is not None:
                place = f"{at.topic}[{at.partition}]@{at.offset}"
                LOG.warning("acknowledging %s to the group failed: %s", place, at.error.str())
            sent = self._sent.get(at.partition)
            if sent is None or sent.offset != at.offset:  # taken away, or there is a newer one
                continue
            del self._sent[at.partition]
            if failed is not None and failed.code() not in OF_MEMBERS:
                self._not_before = self._clock() + AGAIN
                with self._lock:
                    self._waiting.setdefault(at.partition, sent)

    def forget(self, partitions: Iterable[int]) -> None:
        """Send nothing again of partitions that were taken away; called by the reader's thread."""
        for partition in partitions:
            self._sent.pop(partition, None)


def positions_of(topic: str, positions: Mapping[int, Position]) -> list[TopicPartition]:
    """Positions as the client wants them, with leader epochs where they are known."""
    return [
        TopicPartition(topic, partition, at.offset, leader_epoch=at.epoch)
        if at.epoch >= 0
        else TopicPartition(topic, partition, at.offset)
        for partition, at in sorted(positions.items())
    ]
