"""A warehouse in memory that keeps the same promises: fence, offsets, twins, conflicts, quarantine.

It reads JSON objects with one id column and checks nothing else; it does not survive the process
and it is not durable. For tests of the engine and of programs that use the ports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loader.errors import HeadMoved, OffsetsMoved
from loader.model import Batch, Identity, Position, Receipt, Span, Totals, new_batch_id


@dataclass
class Shared:
    """What is durable: several MemoryWarehouse objects on one of these are several workers."""

    seq: int = 0
    identity: Identity | None = None
    offsets: dict[int, Position] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    quarantine: list[tuple[int, int, str]] = field(default_factory=list)
    duplicates: list[tuple[int, int, str]] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)


@dataclass(frozen=True)
class MemoryStaged:
    """A batch, as it is."""

    batch: Batch


@dataclass(frozen=True)
class MemorySplit:
    """A batch with the verdict on each record, made from the head `seen`."""

    batch: Batch
    seen: int
    new: dict[str, tuple[tuple[int, int], dict[str, Any]]] = field(default_factory=dict)
    duplicates: list[tuple[int, int, str]] = field(default_factory=list)
    quarantine: list[tuple[int, int, str]] = field(default_factory=list)


class MemoryWarehouse:
    """One worker's view of a Shared warehouse."""

    def __init__(self, shared: Shared | None = None, id_column: str = "order_id") -> None:
        self.shared = shared or Shared()
        self._id = id_column
        self._generation: int | None = None  # of the topic, as this worker has seen it first

    def recorded(self) -> Identity | None:
        """The identity of the topic in force. Raises OffsetsMoved when another worker has taken it over."""
        if self.shared.identity:
            self._hold(self.shared.identity.generation)
        return self.shared.identity

    def offsets(self) -> dict[int, Position]:
        """The committed offset of each partition. Raises as `recorded`."""
        self.recorded()
        return dict(self.shared.offsets)

    def _hold(self, generation: int) -> None:
        if self._generation not in {None, generation}:
            message = "another worker has taken over a new topic"
            raise OffsetsMoved(message)
        self._generation = generation

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Keep the identity and the first offsets. Raises HeadMoved when they are there already."""
        if set(starts) & self.shared.offsets.keys():
            message = "the first offsets are recorded already"
            raise HeadMoved(message)
        self.shared.identity = replace(identity, generation=self._generation or 0)
        self.shared.offsets |= {partition: Position(offset) for partition, offset in starts.items()}
        self.shared.seq += 1

    def take_over(self, identity: Identity, starts: Mapping[int, int], note: str) -> Receipt:
        """Begin a new generation. Raises OffsetsMoved when another worker has done so."""
        shared, before = self.shared, self.recorded()
        self._generation = before.generation + 1 if before else 0
        shared.identity = replace(identity, generation=self._generation)
        shared.offsets = {partition: Position(offset) for partition, offset in starts.items()}
        shared.seq += 1
        spans = tuple(Span(partition, at, at) for partition, at in sorted(starts.items()))
        receipt = Receipt(new_batch_id(), shared.seq, spans, Totals(), kind="topic", note=note)
        shared.receipts.append(receipt)
        return receipt

    def stage(self, batch: Batch) -> MemoryStaged:
        """Keep the batch."""
        return MemoryStaged(replace(batch, generation=self._generation or 0))

    def split(self, staged: MemoryStaged, before: MemorySplit | None = None) -> MemorySplit:
        """Sort the records into new, twin and refused, by what is committed now."""
        del before
        split = MemorySplit(staged.batch, self.shared.seq)
        table = staged.batch.records.sort_by([("partition", "ascending"), ("offset", "ascending")])
        for row in table.select(["partition", "offset", "text"]).to_pylist():
            self._sort(split, (row["partition"], row["offset"]), row["text"])
        return split

    def _sort(self, split: MemorySplit, place: tuple[int, int], text: str | None) -> None:
        try:
            value = json.loads(text or "")
            key = value[self._id]
        except (ValueError, TypeError, KeyError):
            split.quarantine.append((*place, "unreadable"))
            return
        known = split.new[key][1] if key in split.new else self.shared.rows.get(key)
        if known is None:
            split.new[key] = (place, value)
        elif known == value:
            split.duplicates.append((*place, key))
        else:
            split.quarantine.append((*place, "conflict"))

    def commit(self, split: MemorySplit) -> Receipt:
        """All or nothing. Raises HeadMoved, OffsetsMoved."""
        shared, spans = self.shared, split.batch.spans
        if shared.seq != split.seen:
            message = f"the head is {shared.seq}, not {split.seen}"
            raise HeadMoved(message)
        in_force = shared.identity.generation if shared.identity else 0
        if split.batch.generation != in_force or any(
            shared.offsets[span.partition].offset != span.begin for span in spans
        ):
            message = "a span does not begin at the committed offset of this topic"
            raise OffsetsMoved(message)
        shared.seq += 1
        shared.offsets |= {span.partition: Position(span.end, span.epoch) for span in spans}
        for key, (place, value) in split.new.items():
            shared.rows[key], shared.places[key] = value, place
        shared.duplicates += split.duplicates
        shared.quarantine += split.quarantine
        receipt = Receipt(split.batch.id, shared.seq, spans, _totals(split), kind=split.batch.kind)
        shared.receipts.append(receipt)
        return receipt

    def rest(self) -> None:
        """Nothing to keep up."""

    def discard(self, staged: MemoryStaged) -> None:
        """Nothing is left behind."""

    def close(self) -> None:
        """Nothing to close."""


def _totals(split: MemorySplit) -> Totals:
    consumed = split.batch.records.num_rows
    covered = sum(span.end - span.begin for span in split.batch.spans)
    return Totals(
        consumed=consumed,
        loaded=len(split.new),
        duplicates=len(split.duplicates),
        quarantined=len(split.quarantine),
        holes=covered - consumed,
    )
