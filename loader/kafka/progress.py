"""How far each partition has been read: which records are ours, and the spans of a chunk.

Pure. `begin` of a span is always where the last one ended; its end is the larger of the consumer's
position and the end-of-partition event's offset, cut at the frozen end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loader.errors import Restart
from loader.model import Position, Span

Offsets = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max  # no offset is as large
ROOM = 64  # partitions; grows


@dataclass(slots=True)
class Progress:
    """The positions of the partitions we own, and the frozen ends of a batch run."""

    topic: str
    ends: Mapping[int, int] | None = None  # None: a stream
    _owned: dict[int, Position] = field(default_factory=dict)
    _begins: Offsets = field(default_factory=lambda: np.full(ROOM, NEVER, np.int64))
    _limits: Offsets = field(default_factory=lambda: np.full(ROOM, NEVER, np.int64))

    def own(self, positions: Mapping[int, Position]) -> None:
        """Read these partitions from these positions on."""
        for partition, position in positions.items():
            self._reserve(partition)
            self._owned[partition] = position
            self._begins[partition] = position.offset
            if self.ends is not None:
                self._limits[partition] = self.ends.get(partition, 0)

    def drop(self, partitions: Collection[int]) -> None:
        """These partitions are not ours any more; records of them that still come are ignored."""
        for partition in partitions:
            self._owned.pop(partition, None)
            self._begins[partition] = NEVER

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that are ours."""
        return frozenset(self._owned)

    def reached(self) -> frozenset[int]:
        """The partitions that are ours and read up to their frozen end."""
        return frozenset(p for p, at in self._owned.items() if at.offset >= self._limits[p])

    def ours(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """The records to give: of our partitions, below the frozen ends.

        Raises Restart when a partition has gone back: a stale fetch, or another log than before.
        """
        partition, offset = _numpy(records, "partition"), _numpy(records, "offset")
        self._reserve(int(partition.max(initial=0)))
        begins = self._begins[partition]
        owned = begins != NEVER
        order = np.argsort(partition, kind="stable")
        steps = np.diff(offset[order])[np.diff(partition[order]) == 0]
        if (offset < begins)[owned].any() or (steps <= 0).any():
            message = f"{self.topic}: the client gave records from before our position"
            raise Restart(message)
        keep = owned & (offset < self._limits[partition])
        return records if keep.all() else records.filter(pa.array(keep))

    def spans(self, positions: Iterable[tuple[int, int, int]]) -> tuple[Span, ...]:
        """Move to these (partition, offset, epoch); a span for each partition that has moved."""
        moved: dict[int, Span] = {}
        for partition, offset, epoch in positions:
            if partition not in self._owned:
                continue
            before = moved.get(partition)
            begin = before.begin if before else self._owned[partition].offset
            end = min(offset, int(self._limits[partition]))
            if end > (before.end if before else begin):
                moved[partition] = Span(partition, begin, end, epoch)
        for span in moved.values():
            self._owned[span.partition] = Position(span.end, span.epoch)
            self._begins[span.partition] = span.end
        return tuple(moved.values())

    def _reserve(self, partition: int) -> None:
        while partition >= len(self._begins):
            more = np.full(len(self._begins), NEVER, np.int64)
            self._begins = np.concatenate([self._begins, more])
            self._limits = np.concatenate([self._limits, more])


def last_offsets(records: pa.RecordBatch) -> dict[int, int]:
    """The offset of each partition's last record here."""
    partition = _numpy(records, "partition")
    last = np.full(int(partition.max(initial=-1)) + 1, -1, np.int64)
    last[partition] = _numpy(records, "offset")  # of equal indices the last one wins
    found = np.flatnonzero(last >= 0)
    return dict(zip(found.tolist(), last[found].tolist(), strict=True))


def _numpy(records: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    return records.column(name).to_numpy()  # type: ignore[no-any-return]
