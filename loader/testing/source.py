"""A source made of a story: records, and markers for what can happen between them.

    topic = MemoryTopic(partitions=2)
    topic.tell([Record(0, b"a"), Hole(0, 3), Record(0, b"b"), Crash(), Record(1, b"c")])
    source = MemorySource(topic, until_end=True)

The topic outlives its sources, as a broker does: after a `Crash` make a new source and go on. A
marker happens once. Records keep their offsets however often they are read.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

import pyarrow as pa

from loader.errors import Restart, TopicMissing, TopicReplaced
from loader.guards import records_lost
from loader.model import CHUNK_SCHEMA, Chunk, Identity, LogRange, Position, Span, empty_records, next_offset
from loader.ports import Begin

CHUNK = 100  # records given at once


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `time` in milliseconds."""

    partition: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """So many offsets without a record: markers, aborted or compacted records."""

    partition: int
    offsets: int = 1


@dataclass(frozen=True, slots=True)
class Crash:
    """`read` raises Crashed: the process ends here, what is in memory is lost."""


class Crashed(Exception):
    """The process has ended here, as far as the story goes."""


@dataclass(frozen=True, slots=True)
class Fail:
    """`read` raises this error."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Idle:
    """`read` gives nothing once."""


@dataclass(frozen=True, slots=True)
class Revoke:
    """The group takes partitions away: the batch is due, and they are let go when it is settled."""

    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Assign:
    """The group gives partitions: they begin where the warehouse says."""

    partitions: tuple[int, ...]


Marker = Crash | Fail | Idle | Revoke | Assign
Event = Record | Hole | Marker


@dataclass(frozen=True, slots=True)
class _Placed:
    """A record or hole with the offset that it begins at."""

    event: Record | Hole
    offset: int

    @property
    def partition(self) -> int:
        return self.event.partition

    @property
    def end(self) -> int:
        if isinstance(self.event, Hole):
            return self.offset + self.event.offsets
        return next_offset(self.offset)


@dataclass(slots=True)
class MemoryTopic:
    """What the broker would keep: the log, the topic's identity, and the group's offsets."""

    partitions: int = 4
    name: str = "topic"
    story: list[_Placed | Marker] = field(default_factory=list)
    acknowledged: dict[int, int] = field(default_factory=dict)
    low: dict[int, int] = field(default_factory=dict)
    exists: bool = True
    _ends: dict[int, int] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(2))
    _id: int = 1
    _happened: set[int] = field(default_factory=set)

    def tell(self, events: Iterable[Event]) -> None:
        """Go on with the story."""
        for event in events:
            if isinstance(event, Record | Hole):
                placed = _Placed(event, self.end(event.partition))
                self._ends[event.partition] = placed.end
                self.story.append(placed)
            else:
                self.story.append(event)

    def end(self, partition: int) -> int:
        """The offset behind the last record or hole."""
        return self._ends.get(partition, 0)

    def delete_records(self, partition: int, before: int) -> None:
        """Let the log of a partition begin at `before`."""
        self.low[partition] = before

    def recreate(self) -> None:
        """Delete the topic and make another with the same name: empty, with a new id."""
        self._id = next(self._ids)
        self.story, self._ends, self.low, self._happened = [], {}, {}, set()

    def identity(self) -> Identity:
        """Raises TopicMissing."""
        if not self.exists:
            raise TopicMissing("the topic does not exist", address=self.name)
        return Identity("memory", self.name, f"id-{self._id}", self.partitions)

    def log(self, partition: int) -> LogRange:
        """First and last offset."""
        return LogRange(self.low.get(partition, 0), self.end(partition))

    def happens(self, place: int) -> bool:
        """Whether the marker at this place of the story happens now: the first time only."""
        if place in self._happened:
            return False
        self._happened.add(place)
        return True


class MemorySource:
    """Implements `loader.ports.Source` over a MemoryTopic; all partitions, or those that `Assign` gives."""

    def __init__(
        self,
        topic: MemoryTopic | Iterable[Event],
        *,
        until_end: bool = False,
        join_group: bool = False,
        start: str = "earliest",
        chunk: int = CHUNK,
    ) -> None:
        """Read `chunk` records at once at most. A list of events stands for a topic of its own."""
        self.topic = topic if isinstance(topic, MemoryTopic) else _topic_of(topic)
        self._until_end = until_end
        self._join_group = join_group
        self._start = start
        self._chunk = chunk
        self._at: dict[int, Position] = {}
        self._ends: dict[int, int] | None = None
        self._known: Identity | None = None
        self._leaving: tuple[int, ...] = ()
        self._failed: Exception | None = None
        self._place = 0
        self.closed = False

    def identity(self) -> Identity:
        """As the port says."""
        return self.topic.identity()

    def log(self, partitions: Collection[int]) -> dict[int, LogRange]:
        """As the port says."""
        return {partition: self.topic.log(partition) for partition in partitions}

    def starts(self, partitions: Collection[int], *, follows: bool = False) -> dict[int, int]:
        """As the port says; `earliest` or `latest`."""
        log, is_latest = self.log(partitions), self._start == "latest" and not follows
        return {p: log[p].end if is_latest else log[p].low for p in partitions}

    def acknowledged(self) -> dict[int, int]:
        """As the port says."""
        return dict(self.topic.acknowledged)

    def read(self, timeout: float, begin: Begin) -> Chunk | None:
        """As the port says. What follows in the story, up to a marker; waits only when it is at its end."""
        if self._failed:
            raise self._failed
        self._let_go()
        if self._known is None:
            self._open(begin)
        try:
            chunk = self._next(begin)
        except Exception as error:
            self._failed = Restart(f"this source has failed: {error}")
            raise
        if chunk is None and not self.finished and self._place >= len(self.topic.story):
            time.sleep(min(timeout, 0.001))
        return chunk

    @property
    def finished(self) -> bool:
        """As the port says."""
        if self._ends is None:
            return False
        return all(p in self._at and self._at[p].offset >= end for p, end in self._ends.items())

    def confirm(self) -> None:
        """As the port says."""
        if self._known and self.identity().topic_id != self._known.topic_id:
            raise TopicReplaced("the topic was deleted and created again", address=self.topic.name)

    def acknowledge(self, positions: Mapping[int, Position]) -> None:
        """As the port says."""
        self.topic.acknowledged.update({p: position.offset for p, position in positions.items()})

    def close(self) -> None:
        """As the port says."""
        self.closed = True

    def _open(self, begin: Begin) -> None:
        self._known = self.identity()
        every = range(self.topic.partitions)
        if not self._join_group:
            self._at = dict(begin(every))
        if self._until_end:
            self._ends = {partition: self.topic.end(partition) for partition in every}

    def _let_go(self) -> None:
        for partition in self._leaving:
            self._at.pop(partition, None)
        self._leaving = ()

    def _next(self, begin: Begin) -> Chunk | None:
        """Records up to the next marker, the chunk's size or the end of the story."""
        taken: list[_Placed] = []
        while self._place < len(self.topic.story) and len(taken) < self._chunk:
            event = self.topic.story[self._place]
            if not isinstance(event, _Placed):
                if taken:
                    break
                self._place += 1
                if self.topic.happens(self._place):
                    return self._act(event, begin)
                continue
            self._place += 1
            if self._wanted(event):
                taken.append(event)
        return self._given(taken) if taken else None

    def _wanted(self, placed: _Placed) -> bool:
        at, low = self._at.get(placed.partition), self.topic.low.get(placed.partition, 0)
        if at is None or at.offset >= placed.end:
            return False
        if at.offset < low:
            raise records_lost(self.topic.name, [Span(placed.partition, at.offset, low)])
        return self._ends is None or placed.offset < self._ends.get(placed.partition, 0)

    def _act(self, marker: Marker, begin: Begin) -> Chunk | None:
        if isinstance(marker, Crash):
            raise Crashed("the story says: crash")
        if isinstance(marker, Fail):
            raise marker.error
        if isinstance(marker, Revoke):
            self._leaving = marker.partitions
            return Chunk(empty_records(), (), due="revoked")
        if isinstance(marker, Assign):
            self._at.update(begin(marker.partitions))
            self._place = 0  # what was told of them before is still to be read
        return None

    def _given(self, taken: list[_Placed]) -> Chunk:
        begins = {placed.partition: self._at[placed.partition].offset for placed in reversed(taken)}
        for placed in taken:
            self._at[placed.partition] = Position(placed.end, 0)
        spans = tuple(Span(p, begin, self._at[p].offset, 0) for p, begin in sorted(begins.items()))
        return Chunk(_records([placed for placed in taken if isinstance(placed.event, Record)]), spans)


def _records(placed: list[_Placed]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([_row(each) for each in placed], schema=CHUNK_SCHEMA)


def _row(placed: _Placed) -> dict[str, object]:
    record = placed.event
    if not isinstance(record, Record):
        raise TypeError(record)
    return {
        "partition": record.partition,
        "offset": placed.offset,
        "kafka_time": record.time,
        "key": record.key,
        "value": record.value,
        "text": _text(record.value),
        "headers": [{"key": key, "value": value} for key, value in record.headers] or None,
    }


def _text(value: bytes | None) -> str | None:
    """Null for null, schema-registry framing and invalid UTF-8, as the real source does it."""
    if value is None or (value[:1] == b"\0" and len(value) >= 5):  # noqa: PLR2004 - a zero and a 4-byte id
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _topic_of(events: Iterable[Event]) -> MemoryTopic:
    told = list(events)
    used = [event.partition for event in told if isinstance(event, Record | Hole)]
    topic = MemoryTopic(partitions=max(used, default=0) + 1)
    topic.tell(told)
    return topic
