"""When a batch is due: by records, bytes or age, whichever comes first. Pure; the clock is given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from loader.model import CHUNK_SCHEMA, Batch, Chunk, Span, joined, new_batch_id, size

EARLY = 0.25  # of the wait, at most: so early is a batch closed to be durable in time
FADES = 0.8  # of the head start is kept from one batch to the next, where that took less


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """The limits of a batch: records, bytes in memory, and seconds until what came first is durable."""

    records: int
    bytes: int
    wait: float


class Batcher:
    """Collects chunks until the batch is due; knows nothing of Kafka and has no clock of its own."""

    def __init__(self, policy: BatchPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._taken: deque[float] = deque()
        self._early = 0.0
        self._discard()

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; the batch's age counts from the arrival of the first one that brings anything.

        So the time that it spent in the queue, while the batch before it was committed, counts too.
        """
        if not chunk.spans:
            return
        if not self._spans:
            self._since = self._clock() if chunk.arrived is None else chunk.arrived
        self._spans.extend(chunk.spans)
        self._records += chunk.records.num_rows
        self._bytes += size(chunk.records)
        self._seconds += chunk.seconds
        if chunk.records.num_rows:
            self._chunks.append(chunk.records)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been read since the last batch was taken."""
        return not self._spans

    def room(self) -> int:
        """How many records still fit."""
        return self._policy.records - self._records

    def due(self, *, more: bool = False) -> bool:
        """Whether a limit has been reached; that of the age only where no `more` may be at hand.

        What waits goes into the batch that is old, until that is full: behind a slow commit everything is
        old, and a batch of each little piece would make it slower still.
        """
        full = self.room() <= 0 or self._bytes >= self._policy.bytes
        return bool(self._spans) and (full or (not more and self.patience() <= 0))

    def patience(self) -> float:
        """Seconds until the batch is due by age; the whole wait while it is empty.

        It is due so much earlier as the last ones took from then on until they were durable.
        """
        if not self._spans:
            return self._policy.wait
        return self._since + self._policy.wait - self._early - self._clock()

    def take(self) -> Batch | None:
        """The batch so far, or None when nothing was read; begins a new one.

        Raises ValueError when the spans of a partition do not meet.
        """
        if not self._spans:
            return None
        spans, chunks, seconds = joined(self._spans), self._chunks, self._seconds
        self._taken.append(self._clock())
        self._discard()
        records = pa.Table.from_batches(chunks, schema=CHUNK_SCHEMA)
        return Batch(new_batch_id(), spans, records, seconds=seconds)

    def committed(self) -> None:
        """The oldest of the batches that were taken is durable."""
        took = self._clock() - self._taken.popleft()
        self._early = min(max(took, FADES * self._early), EARLY * self._policy.wait)

    def _discard(self) -> None:
        self._spans: list[Span] = []
        self._chunks: list[pa.RecordBatch] = []
        self._records = 0
        self._bytes = 0
        self._seconds = 0.0
        self._since = 0.0
