"""The two interfaces of the engine: where records come from and where they go.

`stage` and `commit` of a warehouse are separate, so that one batch can be staged while the one
before it commits; staging touches nothing that a reader can see.
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

    def starts(self, partitions: Collection[int]) -> dict[int, int]:
        """Where a new pipeline begins, by `kafka.start`. Raises BrokerAway."""
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
    """A batch that is parsed, split and written, but seen by no one yet."""

    @property
    def batch(self) -> Batch:
        """The batch that was staged."""
        ...


S = TypeVar("S", bound=Staged)


class Warehouse(Protocol[S]):
    """Where rows, quarantine, ledger and offsets change in one transaction."""

    def recorded(self) -> Identity | None:
        """The topic's identity as recorded at the first start; None for a new pipeline."""
        ...

    def offsets(self) -> dict[int, Position]:
        """The committed offset of every partition known so far."""
        ...

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Make the identity and the first offsets of new partitions durable, before any read."""
        ...

    def stage(self, batch: Batch) -> S:
        """Parse, check, split and write a batch. Raises QuarantineLimit, WarehouseAway."""
        ...

    def restage(self, staged: S) -> S:
        """Split again after others committed; writes again only where the split has changed."""
        ...

    def commit(self, staged: S) -> Receipt:
        """One transaction for everything; durable when it returns.

        Raises HeadMoved (split again), OffsetsMoved (we are the zombie), WarehouseAway. An unknown
        outcome of COMMIT is settled here and never reaches the caller.
        """
        ...

    def discard(self, staged: S) -> None:
        """Drop what staging left behind; files that a COMMIT may have named stay."""
        ...

    def close(self) -> None:
        """Close every connection. May be called twice."""
        ...
