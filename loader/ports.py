"""The two interfaces of the engine: where records come from and where they go.

`stage` of a warehouse is apart from `split` and `commit`, so that one batch is staged while the one
before it commits; neither staging nor splitting touches anything that a reader can see.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol, TypeVar

from loader.model import Batch, Chunk, Identity, LogRange, Position, Receipt

Begin = Callable[[Collection[int]], Mapping[int, Position]]
"""Answers an assignment: where each of these partitions begins, by the warehouse."""


class Source(Protocol):
    """One topic as a stream of chunks. Used from one thread; `acknowledge` from the same."""

    def identity(self) -> Identity:
        """Ask the broker which topic this is. Raises TopicMissing, BrokerAway."""
        ...

    def log(self, partitions: Collection[int]) -> dict[int, LogRange]:
        """Ask the broker what the log of each partition holds. Raises BrokerAway."""
        ...

    def starts(self, partitions: Collection[int], *, follows: bool = False) -> dict[int, int]:
        """Where a new pipeline begins, by `kafka.start`. Raises BrokerAway.

        A topic that follows another one is new as a whole: there `latest` means its first record too.
        """
        ...

    def acknowledged(self) -> dict[int, int]:
        """What Kafka's group has on record; for messages to people, never to decide where to read."""
        ...

    def read(self, timeout: float, begin: Begin) -> Chunk | None:
        """The next chunk, or None after `timeout` seconds without one.

        Calling it again says that everything given before is settled: a partition that is being
        taken away is let go only then. `begin` is called, in this thread, for partitions that
        are being assigned. Raises Restart when what was read is not to be trusted any more, and
        the errors of `identity`.
        """
        ...

    @property
    def finished(self) -> bool:
        """Whether all records up to the ends that were frozen at the start have been given."""
        ...

    def confirm(self) -> None:
        """Make sure that the topic is still the one we began with. Raises TopicReplaced, BrokerAway."""
        ...

    def acknowledge(self, positions: Mapping[int, Position]) -> None:
        """Tell Kafka's group what is committed; a failure is only logged, never raised."""
        ...

    def close(self) -> None:
        """Leave the group and stop reading. May be called twice."""
        ...


class Staged(Protocol):
    """A batch whose records are parsed and checked, and seen by no one yet."""

    @property
    def batch(self) -> Batch:
        """The batch that was staged."""
        ...


S = TypeVar("S", bound=Staged)
P = TypeVar("P")  # a split: what of a staged batch is new, twin or refused, by one state of the warehouse


class Warehouse(Protocol[S, P]):
    """Where rows, quarantine, ledger and offsets change in one transaction."""

    def recorded(self) -> Identity | None:
        """The topic's identity as recorded, of the newest generation; None for a new pipeline.

        Raises OffsetsMoved when another worker has taken over a new topic since it was asked first.
        """
        ...

    def offsets(self) -> dict[int, Position]:
        """The committed offset of every partition of the topic in force. Raises as `recorded`."""
        ...

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Make the identity and the first offsets of new partitions durable, before any read.

        Raises HeadMoved when another worker has done so, Restart when it is not known whether it was done.
        """
        ...

    def take_over(self, identity: Identity, starts: Mapping[int, int], note: str) -> Receipt:
        """Make durable that another topic is loaded from now on: a new generation, from `starts` on.

        What was loaded before stays. `note` tells the ledger of it. Raises as `record`.
        """
        ...

    def stage(self, batch: Batch) -> S:
        """Parse and check a batch without looking at the warehouse; may run beside `commit`."""
        ...

    def split(self, staged: S, before: P | None = None) -> P:
        """Sort what was staged into new, twin and refused by what is committed now; write the rows.

        `before` is the split that lost its race: what still is right of it is kept.
        Raises QuarantineLimit, WarehouseAway, Restart.
        """
        ...

    def commit(self, split: P) -> Receipt:
        """One transaction for everything; durable when it returns.

        Raises HeadMoved (split again), OffsetsMoved (we are the zombie), WarehouseAway. An unknown
        outcome of COMMIT is settled here and never reaches the caller.
        """
        ...

    def rest(self) -> None:
        """Nothing is under way: do a short piece of upkeep, when one is due. A failure is only logged."""
        ...

    def discard(self, staged: S) -> None:
        """Drop what staging left behind; files that a COMMIT may have named stay."""
        ...

    def close(self) -> None:
        """Close every connection. May be called twice."""
        ...
