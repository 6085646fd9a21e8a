"""The words of the loader as types: positions, spans, chunks, batches, receipts.

Offsets are always *the next one to read*. Three kinds exist and are never mixed: the position
(memory, here), the committed offset (warehouse, `Position` in `loader.offsets`) and the
acknowledged offset (Kafka's group, a courtesy copy).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

CHUNK_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kafka_time", pa.timestamp("ms", tz="UTC")),  # null where the message has no timestamp
        ("key", pa.binary()),
        ("value", pa.binary()),  # the bytes as they came; null is a tombstone
        ("text", pa.string()),  # the same bytes where they are valid UTF-8, else null
        ("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ]
)


def next_offset(last: int) -> int:
    """The offset to read after `last`: the only `+ 1` on an offset in the program."""
    return last + 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on in one partition: the next offset to read and the leader epoch, if known."""

    offset: int
    epoch: int = -1


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open range `[begin, end)` of one partition; `epoch` is that of its end."""

    partition: int
    begin: int
    end: int
    epoch: int = -1


@dataclass(frozen=True, slots=True)
class Identity:
    """Which topic this is; `cluster_id` and `topic_id` are empty where the broker cannot tell.

    `generation` is the warehouse's count of the pipeline's topics: 0 is the first one.
    """

    cluster_id: str
    topic: str
    topic_id: str
    partitions: int
    generation: int = 0


@dataclass(frozen=True, slots=True)
class LogRange:
    """What a partition's log holds: `low` is its first offset, `end` its last stable offset."""

    low: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records in order of arrival, and how far each partition has been read with them.

    A span may be longer than its records (holes) and may have none at all. `due` says why the
    batch has to be committed now, whatever its size: `end`, `revoked`, or nothing. `arrived` is when it
    was read, in seconds of the monotonic clock; None where only the one who takes it can tell. `seconds`
    are those of the processor that reading took.
    """

    records: pa.RecordBatch
    spans: tuple[Span, ...]
    due: str = ""
    arrived: float | None = None
    seconds: float = 0.0

    def first(self, count: int) -> Chunk:
        """The first `count` records, with the spans cut behind the last record that is kept."""
        if count >= self.records.num_rows:
            return self
        kept = self.records.slice(0, count)
        spans = []
        for span in self.spans:
            mine = kept.filter(pc.equal(kept["partition"], span.partition))
            if mine.num_rows:
                end = next_offset(mine["offset"][-1].as_py())
                spans.append(replace(span, end=end))
        return replace(self, records=kept, spans=tuple(spans), due="")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction commits. `id` is unique and time-ordered, picked before any write.

    A `load` covers spans. A `retry` has none: its records are open entries of the quarantine, as they
    were when the head was `seen`, all of one `generation` of the topic. An `accept` has spans and no records:
    offsets that are gone from the log, whose loss was accepted. `seconds`: of the processor, for reading it.
    """

    id: int
    spans: tuple[Span, ...]
    records: pa.Table
    kind: Literal["load", "retry", "accept"] = "load"
    seen: int = 0
    generation: int = 0  # the warehouse gives a load the one in force where it was read
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of records; `consumed = loaded + duplicates + quarantined + skipped`, always."""

    consumed: int = 0
    loaded: int = 0
    duplicates: int = 0
    quarantined: int = 0
    skipped: int = 0
    holes: int = 0

    def __add__(self, other: Totals) -> Totals:
        """Count by count."""
        return Totals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the warehouse has made durable: one committed batch."""

    batch: int
    seq: int
    spans: tuple[Span, ...]
    totals: Totals
    seconds: Mapping[str, float] = field(default_factory=dict)  # by phase
    kind: str = "load"  # of the batch
    reasons: Mapping[str, int] = field(default_factory=dict)  # of what was refused; a record may have several
    newest_event: float | None = None  # of the loaded rows, in seconds since the epoch
    note: str = ""  # of a topic that was taken over
    bytes: Mapping[str, int] = field(default_factory=dict)  # by phase


@dataclass(frozen=True, slots=True)
class Lag:
    """What is in the topic and not loaded yet: records by partition, and how long the oldest has waited.

    `seconds` is None where the broker does not say how old the records are.
    """

    records: Mapping[int, int]
    seconds: float | None


def new_batch_id() -> int:
    """A unique, time-ordered id below 2**63: 41 bits of milliseconds, 22 random bits."""
    return (time.time_ns() // 1_000_000) << 22 | secrets.randbits(22)


def batch_time(batch: int) -> float:
    """When a batch id was picked, in seconds since the epoch."""
    return (batch >> 22) / 1000


def batch_at(seconds: float) -> int:
    """The smallest batch id of a moment, in seconds since the epoch: the reverse of `batch_time`."""
    return int(seconds * 1000) << 22


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Consecutive spans of each partition as one; raises ValueError where they do not meet."""
    whole: dict[int, Span] = {}
    for span in spans:
        before = whole.get(span.partition)
        if before and before.end != span.begin:
            message = f"partition {span.partition}: span begins at {span.begin}, not at {before.end}"
            raise ValueError(message)
        whole[span.partition] = replace(span, begin=before.begin) if before else span
    return tuple(whole[partition] for partition in sorted(whole))


def size(records: pa.RecordBatch | pa.Table) -> int:
    """The bytes that records take in memory; `text` shares its bytes with `value`."""
    return int(sum(records[name].nbytes for name in records.schema.names if name != "text"))


def empty_records() -> pa.RecordBatch:
    """A chunk's record batch without records."""
    return pa.RecordBatch.from_pylist([], schema=CHUNK_SCHEMA)
