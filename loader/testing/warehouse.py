"""A warehouse in memory that keeps the same promises: fence, offsets, twins, conflicts, quarantine.

It reads JSON objects with one id column and checks nothing else; it does not survive the process
and it is not durable. For tests of the engine and of programs that use the ports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loader.errors import HeadMoved, OffsetsMoved
from loader.model import Batch, Identity, Position, Receipt, Totals


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
    """A batch with the verdict on each record, made from the head `seen`."""

    batch: Batch
    seen: int
    new: dict[str, tuple[tuple[int, int], dict[str, Any]]]
    duplicates: list[tuple[int, int, str]]
    quarantine: list[tuple[int, int, str]]


class MemoryWarehouse:
    """One worker's view of a Shared warehouse."""

    def __init__(self, shared: Shared | None = None, id_column: str = "order_id") -> None:
        self.shared = shared or Shared()
        self._id = id_column

    def recorded(self) -> Identity | None:
        """The identity given to `record` first."""
        return self.shared.identity

    def offsets(self) -> dict[int, Position]:
        """The committed offset of each partition."""
        return dict(self.shared.offsets)

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Keep the identity and the first offsets. Raises HeadMoved when they are there already."""
        if set(starts) & self.shared.offsets.keys():
            message = "the first offsets are recorded already"
            raise HeadMoved(message)
        self.shared.identity = identity
        self.shared.offsets |= {partition: Position(offset) for partition, offset in starts.items()}
        self.shared.seq += 1

    def stage(self, batch: Batch) -> MemoryStaged:
        """Sort the records into new, twin and refused, by what is committed now."""
        staged = MemoryStaged(batch, self.shared.seq, {}, [], [])
        table = batch.records.sort_by([("partition", "ascending"), ("offset", "ascending")])
        for row in table.select(["partition", "offset", "text"]).to_pylist():
            self._sort(staged, (row["partition"], row["offset"]), row["text"])
        return staged

    def _sort(self, staged: MemoryStaged, place: tuple[int, int], text: str | None) -> None:
        try:
            value = json.loads(text or "")
            key = value[self._id]
        except (ValueError, TypeError, KeyError):
            staged.quarantine.append((*place, "unreadable"))
            return
        known = staged.new[key][1] if key in staged.new else self.shared.rows.get(key)
        if known is None:
            staged.new[key] = (place, value)
        elif known == value:
            staged.duplicates.append((*place, key))
        else:
            staged.quarantine.append((*place, "conflict"))

    def restage(self, staged: MemoryStaged) -> MemoryStaged:
        """Sort again by what is committed now."""
        return self.stage(staged.batch)

    def commit(self, staged: MemoryStaged) -> Receipt:
        """All or nothing. Raises HeadMoved, OffsetsMoved."""
        shared, spans = self.shared, staged.batch.spans
        if shared.seq != staged.seen:
            message = f"the head is {shared.seq}, not {staged.seen}"
            raise HeadMoved(message)
        if any(shared.offsets[span.partition].offset != span.begin for span in spans):
            message = "a span does not begin at the committed offset"
            raise OffsetsMoved(message)
        shared.seq += 1
        shared.offsets |= {span.partition: Position(span.end, span.epoch) for span in spans}
        for key, (place, value) in staged.new.items():
            shared.rows[key], shared.places[key] = value, place
        shared.duplicates += staged.duplicates
        shared.quarantine += staged.quarantine
        receipt = Receipt(staged.batch.id, shared.seq, spans, _totals(staged))
        shared.receipts.append(receipt)
        return receipt

    def discard(self, staged: MemoryStaged) -> None:
        """Nothing is left behind."""

    def close(self) -> None:
        """Nothing to close."""


def _totals(staged: MemoryStaged) -> Totals:
    consumed = staged.batch.records.num_rows
    covered = sum(span.end - span.begin for span in staged.batch.spans)
    return Totals(
        consumed=consumed,
        loaded=len(staged.new),
        duplicates=len(staged.duplicates),
        quarantined=len(staged.quarantine),
        holes=covered - consumed,
    )
