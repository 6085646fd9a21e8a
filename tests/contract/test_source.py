"""One suite for all sources: a real broker, the in-process broker and the memory source.

What a fake cannot do is a strict xfail with its reason.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from loader.errors import TopicMissing
from loader.kafka.embedded import EmbeddedBroker
from loader.kafka.source import KafkaSource
from loader.model import Chunk, Identity, Position, joined
from loader.ports import Source
from loader.testing import MemorySource, MemoryTopic, Record
from tests.servers import topics

PATIENCE = 30.0  # seconds until a test gives up
PARTITIONS = 4  # the in-process broker has no other number


class World(Protocol):
    """A broker with one topic of four partitions."""

    def send(self, records: Sequence[Record]) -> None:
        """Append records and wait until they can be read."""
        ...

    def source(self, *, until_end: bool = True, start: str | datetime = "earliest") -> Source:
        """A new source of all partitions; the fixture closes it."""
        ...


class Broker:
    """A world behind an address; the group stays the same for all its sources."""

    def __init__(self, bootstrap: str, topic: str, *, embedded: bool) -> None:
        self.bootstrap, self.topic, self.embedded = bootstrap, topic, embedded
        self.group = f"group-{uuid.uuid4().hex}"

    def send(self, records: Sequence[Record]) -> None:
        """Produce them."""
        messages = [
            topics.Message(r.value, r.key, r.partition, r.time or 0, tuple(r.headers)) for r in records
        ]
        topics.produce(self.bootstrap, self.topic, messages)

    def source(self, *, until_end: bool = True, start: str | datetime = "earliest") -> Source:
        """As World says."""
        return KafkaSource(
            self.bootstrap, self.topic, self.group, start=start, until_end=until_end, embedded=self.embedded
        )


class Memory:
    """A world without a broker."""

    def __init__(self) -> None:
        self.topic = MemoryTopic(PARTITIONS)

    def send(self, records: Sequence[Record]) -> None:
        """Go on with the story."""
        self.topic.tell(records)

    def source(self, *, until_end: bool = True, start: str | datetime = "earliest") -> Source:
        """As World says."""
        return MemorySource(self.topic, until_end=until_end, start=str(start))


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedBroker]:
    """The in-process broker, one for this file."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(params=["real", "embedded", "memory"])
def world(request: pytest.FixtureRequest) -> World:
    """Each of the three worlds."""
    if request.param == "memory":
        return Memory()
    if request.param == "embedded":
        broker = request.getfixturevalue("embedded")
        name = f"topic-{uuid.uuid4().hex}"
        broker.make_topic(name)
        return Broker(broker.bootstrap, name, embedded=True)
    make_topic = request.getfixturevalue("topic")
    return Broker(request.getfixturevalue("kafka"), make_topic(PARTITIONS), embedded=False)


@pytest.fixture
def opened(world: World) -> Iterator[Callable[..., Source]]:
    """Make sources that are closed at the end of the test."""
    sources: list[Source] = []

    def make(**wishes: Any) -> Source:
        sources.append(world.source(**wishes))
        return sources[-1]

    yield make
    for source in sources:
        source.close()


def cannot(request: pytest.FixtureRequest, kind: str, reason: str) -> None:
    """Expect the test to fail in this world, strictly."""
    if request.node.callspec.params["world"] == kind:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


def begin_at(offsets: Mapping[int, int]) -> Callable[[Collection[int]], Mapping[int, Position]]:
    """A warehouse that knows these offsets, 0 for others."""
    return lambda partitions: {p: Position(offsets.get(p, 0)) for p in partitions}


def drain(source: Source, offsets: Mapping[int, int] | None = None) -> list[Chunk]:
    """All chunks until the source is finished."""
    chunks, until = [], time.monotonic() + PATIENCE
    while not source.finished:
        assert time.monotonic() < until, "the source did not finish"
        if chunk := source.read(0.2, begin_at(offsets or {})):
            chunks.append(chunk)
    return chunks


def read_until(source: Source, count: int, offsets: Mapping[int, int] | None = None) -> list[Chunk]:
    """Chunks until so many records were read."""
    chunks: list[Chunk] = []
    until = time.monotonic() + PATIENCE
    while len(rows(chunks)) < count:
        assert time.monotonic() < until, "the records did not come"
        if chunk := source.read(0.2, begin_at(offsets or {})):
            chunks.append(chunk)
    return chunks


def rows(chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
    """The records of the chunks in order."""
    return [row for chunk in chunks for row in chunk.records.to_pylist()]


def by_partition(chunks: Sequence[Chunk]) -> dict[int, list[bytes]]:
    """The values of each partition in order."""
    found: dict[int, list[bytes]] = {}
    for row in rows(chunks):
        found.setdefault(row["partition"], []).append(row["value"])
    return found


def spread(count: int, mark: str = "r") -> list[Record]:
    """So many records over all partitions, in turns."""
    return [Record(n % PARTITIONS, f"{mark}{n}".encode()) for n in range(count)]


def test_reads_everything_in_order(world: World, opened: Callable[..., Source]) -> None:
    """Every record comes once, in the order of its partition, with its offset."""
    world.send(spread(1_000))
    chunks = drain(opened())
    for partition, values in by_partition(chunks).items():
        assert values == [f"r{n}".encode() for n in range(partition, 1_000, PARTITIONS)]
    for partition in range(PARTITIONS):
        offsets = [row["offset"] for row in rows(chunks) if row["partition"] == partition]
        assert offsets == list(range(250))


def test_spans_form_a_chain_from_begin_to_end(world: World, opened: Callable[..., Source]) -> None:
    """The spans of all chunks join, from the given offsets to the ends."""
    world.send(spread(400))
    begins = {0: 10, 1: 20, 2: 30, 3: 99}
    whole = joined(span for chunk in drain(opened(), begins) for span in chunk.spans)
    assert [(span.partition, span.begin, span.end) for span in whole] == [
        (0, 10, 100), (1, 20, 100), (2, 30, 100), (3, 99, 100),
    ]  # fmt: skip


def test_each_chunk_covers_its_records(world: World, opened: Callable[..., Source]) -> None:
    """No record lies outside the spans of its chunk."""
    world.send(spread(600))
    for chunk in drain(opened()):
        spans = {span.partition: range(span.begin, span.end) for span in chunk.spans}
        assert all(row["offset"] in spans[row["partition"]] for row in chunk.records.to_pylist())


def test_begins_where_it_is_told(world: World, opened: Callable[..., Source]) -> None:
    """Reading begins at the offsets that the warehouse gives, whatever the group has acknowledged."""
    world.send(spread(40))
    first = opened()
    drain(first)
    first.acknowledge({0: Position(9)})
    first.close()
    again = by_partition(drain(opened(), {0: 5, 1: 10, 2: 10, 3: 0}))
    assert again == {
        0: [b"r20", b"r24", b"r28", b"r32", b"r36"],
        3: [f"r{n}".encode() for n in range(3, 40, 4)],
    }


def test_an_empty_topic_is_finished_after_the_first_look(opened: Callable[..., Source]) -> None:
    """Nothing to read: finished, without a chunk; but not before anything was asked."""
    source = opened()
    assert not source.finished
    assert drain(source) == []


def test_finished_needs_no_record_in_empty_partitions(world: World, opened: Callable[..., Source]) -> None:
    """Empty partitions do not hold up the end."""
    world.send([Record(2, b"only")])
    assert by_partition(drain(opened())) == {2: [b"only"]}


def test_one_unread_message_is_read(world: World, opened: Callable[..., Source]) -> None:
    """Exactly one record behind our offsets is not overlooked."""
    world.send(spread(40))
    chunks = drain(opened(), {0: 10, 1: 10, 2: 9, 3: 10})
    assert by_partition(chunks) == {2: [b"r38"]}


def test_caught_up_already_reads_nothing(world: World, opened: Callable[..., Source]) -> None:
    """Nothing is new: no chunk, finished."""
    world.send(spread(40))
    assert drain(opened(), dict.fromkeys(range(PARTITIONS), 10)) == []


def test_what_comes_behind_the_frozen_ends_is_not_given(world: World, opened: Callable[..., Source]) -> None:
    """A batch run gives what was there when it began to read, and no more."""
    world.send(spread(400))
    source = opened()
    first = read_until(source, 1)
    world.send(spread(400, "late"))
    chunks = first + drain(source)
    assert len(rows(chunks)) == 400
    assert {span.end for span in joined(s for chunk in chunks for s in chunk.spans)} == {100}


def test_a_stream_goes_on(world: World, opened: Callable[..., Source]) -> None:
    """Without an end the source gives what comes later, and is never finished."""
    world.send(spread(8))
    source = opened(until_end=False)
    first = read_until(source, 8)
    world.send(spread(8, "late"))
    late = read_until(source, 8)
    assert not source.finished
    assert by_partition(first + late)[1] == [b"r1", b"r5", b"late1", b"late5"]


BYTES = [
    Record(0, b'{"plain": 1}', key=b"k"),
    Record(0, None, key=b"tombstone"),
    Record(0, b"", key=None),
    Record(0, b"\xff\xfe invalid", key=b"\xff\x00"),
    Record(0, b"\x00\x00\x00\x00\x01framed", key=b""),
    Record(0, "grüße, 世界".encode()),
    Record(0, b"nul \x00 inside"),
    Record(0, b"h", headers=(("a", b"1"), ("b", None), ("a", b"\xff"), ("empty", b""))),
]


@pytest.mark.fault(43)
def test_bytes_survive(world: World, opened: Callable[..., Source]) -> None:
    """Keys, values and headers arrive byte for byte: null, empty, invalid UTF-8, duplicates, order."""
    world.send(BYTES)
    found = rows(drain(opened()))
    assert [(row["key"], row["value"]) for row in found] == [(r.key, r.value) for r in BYTES]
    headers = [tuple((h["key"], h["value"]) for h in row["headers"] or ()) for row in found]
    assert headers == [r.headers for r in BYTES]


def test_text_is_what_can_be_parsed(world: World, opened: Callable[..., Source]) -> None:
    """`text` is null for null, invalid UTF-8 and framed values, else the value."""
    world.send(BYTES)
    texts = [row["text"] for row in rows(drain(opened()))]
    assert texts == ['{"plain": 1}', None, "", None, None, "grüße, 世界", "nul \0 inside", "h"]


def test_kafka_time_is_that_of_the_record(world: World, opened: Callable[..., Source]) -> None:
    """The time is kept to the millisecond, in UTC."""
    world.send([Record(0, b"x", time=1_772_533_800_123)])
    [row] = rows(drain(opened()))
    assert row["kafka_time"] == datetime(2026, 3, 3, 10, 30, 0, 123_000, UTC)


def test_identity_names_the_topic(request: pytest.FixtureRequest, opened: Callable[..., Source]) -> None:
    """The topic's id and the cluster's are known and stay the same."""
    cannot(request, "embedded", "the in-process broker has no topic ids")
    source = opened()
    identity = source.identity()
    assert isinstance(identity, Identity)
    assert identity.partitions == PARTITIONS
    assert source.identity() == identity
    assert identity.topic_id


def test_log_and_starts(world: World, opened: Callable[..., Source]) -> None:
    """The log's range, and where `earliest` and `latest` begin."""
    world.send([*spread(8), Record(1, b"more")])
    source = opened()
    log = source.log([0, 1])
    assert {p: (r.low, r.end) for p, r in log.items()} == {0: (0, 2), 1: (0, 3)}
    assert source.starts([0, 1]) == {0: 0, 1: 0}
    assert opened(start="latest").starts([0, 1]) == {0: 2, 1: 3}
    assert opened(start="latest").starts([0, 1], follows=True) == {0: 0, 1: 0}


def test_starts_at_a_time(
    request: pytest.FixtureRequest, world: World, opened: Callable[..., Source]
) -> None:
    """A time begins at the first record at or after it, at the end where there is none."""
    cannot(request, "embedded", "the in-process broker cannot look up times")
    cannot(request, "memory", "the memory source knows earliest and latest only")
    times = (1_772_533_800_000, 1_772_533_900_000, 1_772_534_000_000)
    world.send([Record(0, b"x", time=moment) for moment in times])
    source = opened(start=datetime.fromtimestamp(times[1] / 1000, UTC))
    assert source.starts([0, 1]) == {0: 1, 1: 0}


def test_acknowledged_offsets_are_kept(world: World, opened: Callable[..., Source]) -> None:
    """What was acknowledged is on record for the group, at the latest when the source is closed."""
    world.send(spread(8))
    source = opened()
    assert source.acknowledged() == {}
    drain(source)
    source.acknowledge({0: Position(1), 3: Position(1)})
    source.acknowledge({0: Position(2)})
    source.close()
    assert opened().acknowledged() == {0: 2, 3: 1}


def test_an_error_of_begin_reaches_the_caller(world: World, opened: Callable[..., Source]) -> None:
    """What the checks before reading raise comes out of `read`."""
    world.send(spread(8))

    def refuse(partitions: Collection[int]) -> Mapping[int, Position]:
        raise TopicMissing(f"refused {len(partitions)}")

    with pytest.raises(TopicMissing, match="refused 4"):
        opened().read(1.0, refuse)


def test_closing_twice_is_fine(world: World) -> None:
    """Before the first read, in the middle, and again."""
    world.source().close()
    world.send(spread(400))
    source = world.source(until_end=False)
    with closing(source):
        read_until(source, 1)
        source.close()


def test_confirm_accepts_the_topic_we_began_with(world: World, opened: Callable[..., Source]) -> None:
    """Nothing has happened to the topic: `confirm` returns."""
    world.send(spread(8))
    source = opened()
    drain(source)
    source.confirm()
