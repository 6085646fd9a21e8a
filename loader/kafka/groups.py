"""Rebalances of a consumer group, cooperative or KIP-848: begin at the warehouse's offsets, let go late.

The callbacks run in the reader's thread, inside `consume()`. Without an explicit assignment the
client would begin at Kafka's offsets on its own, so every path out of `assigned` assigns something.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from loader.errors import Restart
from loader.failpoints import fail_point
from loader.kafka.acknowledging import Acknowledgements, positions_of
from loader.kafka.handover import Handover
from loader.kafka.progress import Progress
from loader.kafka.settings import LOG
from loader.model import Chunk, empty_records

LONGEST_WAIT = 30.0  # seconds a rebalance is held up for a commit


class Rebalances:
    """The three callbacks of one membership."""

    def __init__(
        self,
        topic: str,
        handover: Handover,
        progress: Progress,
        acknowledgements: Acknowledgements,
        max_poll: float,
    ) -> None:
        """`max_poll` is max.poll.interval.ms in seconds: a third of it is what we use at most."""
        self._acknowledgements = acknowledgements
        self._topic = topic
        self._handover = handover
        self._progress = progress
        self._patience = min(LONGEST_WAIT, max_poll / 3)
        self._max_poll = max_poll
        self._dropped: set[int] = set()

    def subscribe(self, consumer: Consumer) -> None:
        """Join the group."""
        consumer.subscribe([self._topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)

    def next_call(self) -> None:
        """Another `consume()` begins."""
        self._dropped.clear()

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin at the warehouse's offsets. Raises Restart when the engine could not tell them."""
        new = sorted(partition.partition for partition in partitions)
        LOG.info("assigned %s %s", self._topic, new)
        positions = self._handover.ask(new, self._max_poll / 2) if new else {}
        if positions is None:
            consumer.incremental_assign([])
            self._refuse("no offsets to begin at", new)
            return
        self._progress.own(positions)
        consumer.incremental_assign(positions_of(self._topic, positions))
        if self._dropped.intersection(new):
            # records of the old assignment may be among those this call returns
            self._refuse("taken away and given back within one call", new)

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Make the batch due, wait until it is settled, then let go; kept partitions keep theirs."""
        old = sorted(partition.partition for partition in partitions)
        LOG.info("revoked %s %s", self._topic, old)
        if self._progress.owned.intersection(old) and not self._handover.closed:
            self._handover.put(Chunk(empty_records(), (), due="revoked"))
            fail_point("in_revoke")
            if not self._handover.wait_until_settled(self._patience):
                LOG.warning("let go of %s %s before its batch was committed", self._topic, old)
            self._acknowledgements.send(consumer, at_once=True)
        self._drop(consumer, old, partitions)

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others may own them already: do not wait, forget everything. Raises Restart."""
        old = sorted(partition.partition for partition in partitions)
        LOG.warning("lost %s %s to the group", self._topic, old)
        self._drop(consumer, old, partitions)
        self._refuse("partitions were lost to the group", old)

    def _drop(self, consumer: Consumer, old: Iterable[int], partitions: list[TopicPartition]) -> None:
        self._progress.drop(tuple(old))
        self._acknowledgements.forget(old)
        self._dropped.update(old)
        consumer.incremental_unassign(partitions)

    def _refuse(self, why: str, partitions: list[int]) -> None:
        if not self._handover.closed:
            message = f"{self._topic}{partitions}: {why}"
            raise Restart(message)
