"""What only a real broker does: transactions, compaction, retention, re-creation, rebalances, outages."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from loader.batching import Batcher, BatchPolicy
from loader.errors import (
    ActionNeeded,
    BrokerAway,
    OffsetsLost,
    OffsetsMoved,
    Restart,
    TopicMissing,
    TopicReplaced,
)
from loader.kafka import reader
from loader.kafka.reader import Reader
from loader.kafka.source import KafkaSource, Limits
from loader.model import Batch, Chunk, Position, joined
from tests.conftest import MakeKafka, MakeTopic
from tests.servers import topics
from tests.servers.topics import Message

PATIENCE = 40.0  # seconds until a test gives up
PROTOCOLS = {
    "cooperative": {"session.timeout.ms": "6000", "heartbeat.interval.ms": "300"},
    "consumer": {"group.protocol": "consumer"},
}


def source_of(bootstrap: str, topic: str, **wishes: Any) -> KafkaSource:
    """A batch run of all partitions unless wished otherwise, in a group of its own."""
    wishes = {"group": f"group-{uuid.uuid4().hex}", "until_end": True} | wishes
    return KafkaSource(bootstrap, topic, **wishes)


def begin(partitions: Collection[int]) -> Mapping[int, Position]:
    """A warehouse that is new."""
    return {partition: Position(0) for partition in partitions}


def never(partitions: Collection[int]) -> Mapping[int, Position]:
    """No partition may be asked for."""
    raise AssertionError(partitions)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as it is so."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def drain(source: KafkaSource, begin: Callable[..., Mapping[int, Position]] = begin) -> list[Chunk]:
    """All chunks until the source is finished."""
    chunks, until = [], time.monotonic() + PATIENCE
    while not source.finished:
        assert time.monotonic() < until, "the source did not finish"
        if chunk := source.read(0.2, begin):
            chunks.append(chunk)
    return chunks


def values(chunks: Sequence[Chunk]) -> list[bytes]:
    """The values in order."""
    return [value for chunk in chunks for value in chunk.records["value"].to_pylist()]


def ranges(chunks: Sequence[Chunk]) -> dict[int, tuple[int, int]]:
    """The whole span of each partition; raises ValueError where spans do not meet."""
    whole = joined(span for chunk in chunks for span in chunk.spans)
    return {span.partition: (span.begin, span.end) for span in whole}


def numbered(count: int, mark: str = "r", partition: int = 0) -> list[Message]:
    """So many records for one partition."""
    return [Message(f"{mark}{n}".encode(), partition=partition) for n in range(count)]


def ends_at(kafka: str, name: str, end: int) -> None:
    """Wait until the last stable offset is there: markers are written after `commit_transaction`."""
    wait_for(lambda: topics.ends(kafka, name)[0][1] == end, f"the log does not end at {end}")


# transactions and holes


@pytest.mark.fault(27)
def test_aborted_records_are_never_seen(kafka: str, topic: MakeTopic) -> None:
    """Committed records come, aborted ones do not, and the spans join over markers and holes."""
    name = topic(1)
    topics.produce_transaction(kafka, name, numbered(3, "good"))
    topics.produce_transaction(kafka, name, numbered(5, "bad"), commit=False)
    topics.produce_transaction(kafka, name, numbered(2, "more"))
    ends_at(kafka, name, 13)
    with closing(source_of(kafka, name)) as source:
        chunks = drain(source)
    assert values(chunks) == [b"good0", b"good1", b"good2", b"more0", b"more1"]
    assert ranges(chunks) == {0: (0, 13)}


@pytest.mark.fault(28)
def test_control_records_alone_are_progress(kafka: str, topic: MakeTopic) -> None:
    """Behind our offset are only markers and aborted records: finished, with a span and no record."""
    name = topic(1)
    topics.produce_transaction(kafka, name, numbered(3))
    topics.produce_transaction(kafka, name, numbered(2, "bad"), commit=False)
    ends_at(kafka, name, 7)
    with closing(source_of(kafka, name)) as source:
        chunks = drain(source, lambda partitions: {p: Position(3) for p in partitions})
    assert values(chunks) == []
    assert ranges(chunks) == {0: (3, 7)}


@pytest.mark.fault(29)
def test_an_open_transaction_holds_the_end_back(kafka: str, topic: MakeTopic) -> None:
    """A batch run ends at the last stable offset, although records wait behind it."""
    name = topic(1)
    topics.produce(kafka, name, numbered(4))
    with topics.open_transaction(kafka, name, numbered(3, "open")):
        topics.produce(kafka, name, numbered(2, "behind"))
        with closing(source_of(kafka, name)) as source:
            chunks = drain(source)
            assert source.log([0])[0].end == 4
    assert values(chunks) == [b"r0", b"r1", b"r2", b"r3"]
    assert ranges(chunks) == {0: (0, 4)}


@pytest.mark.fault(29)
def test_aborted_head_before_an_open_transaction(kafka: str, topic: MakeTopic) -> None:
    """No record ever comes, and still the end is reached: by position or by the end's event."""
    name = topic(1)
    topics.produce_transaction(kafka, name, numbered(3, "bad"), commit=False)
    ends_at(kafka, name, 4)
    with (
        topics.open_transaction(kafka, name, numbered(1, "open")),
        closing(source_of(kafka, name)) as source,
    ):
        chunks = drain(source)
    assert ranges(chunks) == {0: (0, 4)}
    assert values(chunks) == []


@pytest.mark.fault(27)
def test_a_stream_passes_an_aborted_tail(kafka: str, topic: MakeTopic) -> None:
    """While a stream waits, an aborted transaction moves its position, and nothing else."""
    name = topic(1)
    topics.produce(kafka, name, numbered(1))
    with closing(source_of(kafka, name, until_end=False)) as source:
        chunks: list[Chunk] = []

        def reaches(end: int) -> bool:
            if chunk := source.read(0.1, begin):
                chunks.append(chunk)
            return bool(chunks) and ranges(chunks)[0][1] == end

        wait_for(lambda: reaches(1), "the record did not come")
        topics.produce_transaction(kafka, name, numbered(2, "bad"), commit=False)
        wait_for(lambda: reaches(4), "the position did not move")
    assert values(chunks) == [b"r0"]


@pytest.mark.fault(30)
def test_a_compacted_topic_has_holes(kafka: str, topic: MakeTopic) -> None:
    """What compaction removed is a hole inside the spans."""
    compact = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    name = topic(1, compact)
    for round_ in range(3):
        topics.produce(kafka, name, [Message(b"%d" % round_, key=b"%d" % key) for key in range(10)])
        time.sleep(0.15)  # a segment has to grow older than segment.ms, by the broker's clock
    topics.produce(kafka, name, [Message(b"last", key=b"z")])

    def compacted() -> bool:
        with closing(source_of(kafka, name)) as source:
            return len(values(drain(source))) < 31

    wait_for(compacted, "the broker did not compact")
    with closing(source_of(kafka, name)) as source:
        chunks = drain(source)
    assert ranges(chunks) == {0: (0, 31)}
    assert values(chunks)[-1] == b"last"


# lost offsets, lost topics


@pytest.mark.fault(31)
def test_records_deleted_behind_our_back_are_named(kafka: str, topic: MakeTopic) -> None:
    """Reading below the low watermark stops with the exact range; it never jumps."""
    name = topic(1)
    topics.produce(kafka, name, numbered(100))
    topics.delete_records(kafka, name, {0: 60})
    with (
        closing(source_of(kafka, name)) as source,
        pytest.raises(OffsetsLost, match="offsets 7 to 60") as lost,
    ):
        drain(source, lambda partitions: {p: Position(7) for p in partitions})
    assert lost.value.address == f"{name}[0]@7"


@pytest.mark.fault(34)
def test_confirm_sees_that_the_topic_was_replaced(kafka: str, topic: MakeTopic) -> None:
    """Deleted and created again while we read: the new id gives it away."""
    name = topic(1)
    topics.produce(kafka, name, numbered(10))
    with closing(source_of(kafka, name)) as source:
        drain(source)
        source.confirm()
        topics.recreate(kafka, name, 1)
        with pytest.raises(TopicReplaced, match="deleted and created again"):
            source.confirm()


@pytest.mark.fault(32)
def test_a_deleted_topic_is_missing(kafka: str, topic: MakeTopic) -> None:
    """Deleted while we read: confirm says so."""
    name = topic(1)
    with closing(source_of(kafka, name)) as source:
        drain(source)
        topics.delete(kafka, name)
        with pytest.raises(TopicMissing):
            source.confirm()


def test_a_missing_topic_is_not_created(kafka: str) -> None:
    """The loader never creates a topic."""
    name = f"missing-{uuid.uuid4().hex}"
    for _ in range(2):
        with closing(source_of(kafka, name)) as source, pytest.raises(TopicMissing, match="does not exist"):
            source.read(1.0, begin)


# brokers away


def test_an_unused_port_is_broker_away() -> None:
    """Nobody listens: said in words, in bounded time."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    began = time.monotonic()
    with closing(source_of(address, "any")) as source, pytest.raises(BrokerAway, match="refused") as away:
        source.read(1.0, begin)
    assert away.value.address == address
    assert time.monotonic() - began < 15


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "pause"])
@pytest.mark.fault(22, 24)
def test_a_broker_that_goes_away_while_we_read(
    own_kafka: MakeKafka, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A stream that hears nothing asks, and raises BrokerAway; closing does not hang."""
    for name in ("QUIET", "ANSWER"):  # 10 and 5 seconds
        monkeypatch.setattr(reader, name, 1.0)
    server = own_kafka()
    topics.create(server.bootstrap, "t", 1)
    topics.produce(server.bootstrap, "t", numbered(10))
    source = source_of(server.bootstrap, "t", until_end=False, join_group=True)
    assert source.read(10.0, begin) is not None
    getattr(server, how)()
    began = time.monotonic()
    with pytest.raises(BrokerAway):
        wait_for(lambda: source.read(0.5, begin) is None and False, "no error came")
    assert time.monotonic() - began < 20
    source.acknowledge({0: Position(1)})
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 6


@pytest.mark.slow
@pytest.mark.fault(22)
def test_a_short_outage_is_waited_out(own_kafka: MakeKafka) -> None:
    """A broker that restarts within seconds is no error; nothing is lost or doubled."""
    server = own_kafka()
    topics.create(server.bootstrap, "t", 1)
    topics.produce(server.bootstrap, "t", numbered(10))
    with closing(source_of(server.bootstrap, "t", until_end=False)) as source:
        chunks: list[Chunk] = []

        def has(count: int) -> bool:
            if chunk := source.read(0.1, begin):
                chunks.append(chunk)
            return len(values(chunks)) == count

        wait_for(lambda: has(10), "the first records did not come")
        server.stop()
        server.start()
        topics.produce(server.bootstrap, "t", numbered(5, "after"))
        wait_for(lambda: has(15), "the records after the outage did not come")
    assert ranges(chunks) == {0: (0, 15)}


# memory, partitions


def test_memory_is_bounded_by_waiting(kafka: str, topic: MakeTopic) -> None:
    """The reader stops a chunk behind the limit while nobody takes what it has read."""
    name = topic(1)
    topics.produce(kafka, name, numbered(20_000))
    with closing(source_of(kafka, name, limits=Limits(records=4_000))) as source:
        first = source.read(10.0, begin)
        assert first
        handover = source._handover
        wait_for(lambda: not handover.wait_for_room(0.0), "the queue did not fill")
        time.sleep(0.3)  # nothing to wait for: it must not grow
        assert 4_000 <= handover._records < 6_000
        chunks = [first, *drain(source)]
    assert len(values(chunks)) == 20_000
    assert ranges(chunks) == {0: (0, 20_000)}


def test_records_behind_the_frozen_end_are_cut_off(kafka: str, topic: MakeTopic) -> None:
    """Produced while the reader was still far from the end: they lie in its way and are not given."""
    name = topic(1)
    topics.produce(kafka, name, numbered(10_000))
    with closing(source_of(kafka, name, limits=Limits(records=500))) as source:
        first = source.read(10.0, begin)
        assert first
        topics.produce(kafka, name, numbered(1_000, "late"))
        chunks = [first, *drain(source)]
    assert len(values(chunks)) == 10_000
    assert ranges(chunks) == {0: (0, 10_000)}


def test_spans_carry_the_leader_epoch(kafka: str, topic: MakeTopic) -> None:
    """In mid-partition too, where only the consumer's position tells it."""
    name = topic(1)
    topics.produce(kafka, name, numbered(10_000))
    with closing(source_of(kafka, name)) as source:
        epochs = {span.epoch for chunk in drain(source) for span in chunk.spans}
    assert epochs == {0}


@pytest.mark.fault(42)
def test_large_messages_come_in_small_chunks(kafka: str, topic: MakeTopic) -> None:
    """Memory is bounded by bytes too; values above the limit are given without text."""
    name = topic(1, {"max.message.bytes": "3000000"})
    big = [Message(b"x" * 1_000_000, partition=0) for _ in range(40)]
    topics.produce(kafka, name, big, message_max_bytes=3_000_000)
    limits = Limits(bytes=4 << 20, message_bytes=900_000)
    with closing(source_of(kafka, name, limits=limits)) as source:
        chunks = drain(source)
    assert len(values(chunks)) == 40
    assert all(chunk.records["text"].null_count == chunk.records.num_rows for chunk in chunks)


@pytest.mark.fault(21)
def test_partitions_added_while_a_stream_runs(kafka: str, topic: MakeTopic) -> None:
    """Without a group, `confirm` notices them and the next `read` begins them."""
    name = topic(1)
    topics.produce(kafka, name, numbered(1))
    with closing(source_of(kafka, name, until_end=False)) as source:
        assert source.read(10.0, begin)
        topics.add_partitions(kafka, name, 3)
        topics.produce(kafka, name, numbered(5, "new", partition=2))
        source.confirm()
        asked: list[int] = []
        found: list[bytes] = []

        def begin_new(partitions: Collection[int]) -> Mapping[int, Position]:
            asked.extend(partitions)
            return begin(partitions)

        def has_new() -> bool:
            if chunk := source.read(0.1, begin_new):
                found.extend(values([chunk]))
            return len(found) == 5

        wait_for(has_new, "the new partition was not read")
    assert asked == [1, 2]


# groups


class Shared:
    """A warehouse of a few lines: offsets that are compared and set, and what was committed."""

    def __init__(self, partitions: int) -> None:
        self.lock = threading.Lock()
        self.offsets = dict.fromkeys(range(partitions), 0)
        self.seen: Counter[tuple[int, int]] = Counter()

    def begin(self, partitions: Collection[int]) -> Mapping[int, Position]:
        """Where the partitions begin."""
        with self.lock:
            return {partition: Position(self.offsets[partition]) for partition in partitions}

    def commit(self, batch: Batch) -> None:
        """Compare and set. Raises OffsetsMoved."""
        with self.lock:
            if any(self.offsets[span.partition] != span.begin for span in batch.spans):
                raise OffsetsMoved(str(batch.spans))
            self.offsets.update({span.partition: span.end for span in batch.spans})
            places = zip(
                batch.records["partition"].to_pylist(), batch.records["offset"].to_pylist(), strict=True
            )
            self.seen.update(places)


class Member:
    """A worker in a thread: reads, batches and commits as the engine does, restarts as it does."""

    def __init__(self, make: Callable[[], KafkaSource], shared: Shared, *, pause: float = 0.0) -> None:
        self._make, self._shared, self._pause = make, shared, pause
        self.restarts: list[str] = []
        self.committed = 0
        self.owned: set[int] = set()
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Commit what is left and leave the group; raises what went wrong."""
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                with closing(self._make()) as source:
                    try:
                        self._work(source)
                    except Restart as restart:
                        self.restarts.append(repr(restart))
        except Exception as error:  # noqa: BLE001 - raised again by stop()
            self.error = error

    def _work(self, source: KafkaSource) -> None:
        batcher = Batcher(BatchPolicy(700, 1 << 20, 0.2), time.monotonic)
        while not self._stop.is_set() and not source.finished:
            chunk = source.read(max(0.0, min(0.1, batcher.patience())), self._shared.begin)
            self.owned = set(source._progress.owned)
            if chunk:
                batcher.add(chunk)
            if batcher.due() or (chunk and chunk.due):
                self._commit(source, batcher.take())
        self._commit(source, batcher.take())

    def _commit(self, source: KafkaSource, batch: Batch | None) -> None:
        if batch:
            self._stop.wait(self._pause)
            self._shared.commit(batch)
            self.committed += batch.records.num_rows
            source.acknowledge({span.partition: Position(span.end, span.epoch) for span in batch.spans})


@contextmanager
def members() -> Iterator[Callable[..., Member]]:
    """Start members; all are stopped at the end."""
    started: list[Member] = []

    def start(make: Callable[[], KafkaSource], shared: Shared, **wishes: Any) -> Member:
        started.append(Member(make, shared, **wishes))
        return started[-1]

    try:
        yield start
    finally:
        for member in started:
            member.stop()


def worker_of(kafka: str, name: str, client: Mapping[str, str], **wishes: Any) -> Callable[[], KafkaSource]:
    """Makes sources of one group."""
    group = f"group-{uuid.uuid4().hex}"
    wishes = {"until_end": False, "join_group": True, "limits": Limits(records=2_000)} | wishes
    return lambda: KafkaSource(kafka, name, group, client, **wishes)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.fault(13, 20)
def test_two_members_share_every_record_once(kafka: str, topic: MakeTopic, protocol: str) -> None:
    """A second member joins in mid-stream and leaves again: each record is committed exactly once."""
    name, count = topic(4), 8_000
    topics.produce(kafka, name, [Message(b"x", partition=n % 4) for n in range(count)])
    shared, make = Shared(4), worker_of(kafka, name, PROTOCOLS[protocol])
    with members() as start:
        first = start(make, shared, pause=0.05)
        wait_for(lambda: first.committed > 500, "the first member does not get on")
        second = start(make, shared, pause=0.05)
        wait_for(lambda: len(second.owned) == 2 and len(first.owned) == 2, "the partitions are not shared")
        topics.produce(kafka, name, [Message(b"y", partition=n % 4) for n in range(count)])
        wait_for(lambda: second.committed > 500, "the second member does not get on")
        second.stop()
        wait_for(lambda: len(first.owned) == 4, "the first member does not take over")
        wait_for(lambda: len(shared.seen) == 2 * count, "not everything was read")
    assert set(shared.seen.values()) == {1}
    assert first.restarts == second.restarts == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.fault(13, 20)
def test_more_members_than_partitions(kafka: str, topic: MakeTopic, protocol: str) -> None:
    """A member without partitions waits, and takes over when another leaves."""
    name = topic(1)
    topics.produce(kafka, name, numbered(1_000))
    shared, make = Shared(1), worker_of(kafka, name, PROTOCOLS[protocol])
    with members() as start:
        first, second = start(make, shared), start(make, shared)
        wait_for(lambda: len(shared.seen) == 1_000, "not everything was read")
        busy, idle = (first, second) if first.owned else (second, first)
        assert not idle.owned
        busy.stop()
        topics.produce(kafka, name, numbered(500, "more"))
        wait_for(lambda: len(shared.seen) == 1_500, "the idle member does not take over")
    assert set(shared.seen.values()) == {1}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.fault(11, 12)
def test_revoked_partitions_are_let_go_after_the_commit(kafka: str, topic: MakeTopic, protocol: str) -> None:
    """A batch is due when partitions are taken; they are kept until `read` is called again."""
    name = topic(2)
    topics.produce(kafka, name, [Message(b"x", partition=n % 2) for n in range(200)])
    shared, make = Shared(2), worker_of(kafka, name, PROTOCOLS[protocol])
    with closing(make()) as source, members() as start:
        wait_for(lambda: source.read(0.1, begin) is not None, "nothing came")
        second = start(make, shared)
        chunk: Chunk | None = None

        def due() -> bool:
            nonlocal chunk
            chunk = source.read(0.1, begin)
            return chunk is not None and chunk.due == "revoked"

        wait_for(due, "no batch became due")
        assert source._progress.owned == {0, 1}
        assert not second.owned
        wait_for(lambda: source.read(0.1, begin) is None and len(source._progress.owned) == 1, "not let go")
        wait_for(lambda: len(second.owned) == 1, "the other member got nothing")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refused_beginning_is_not_begun_elsewhere(kafka: str, topic: MakeTopic, protocol: str) -> None:
    """When `begin` raises, the caller gets the error, and Kafka's offsets are not used instead."""
    name = topic(2)
    topics.produce(kafka, name, [Message(b"x", partition=n % 2) for n in range(10)])

    def refuse(partitions: Collection[int]) -> Mapping[int, Position]:
        raise ActionNeeded(f"not the topic we know {len(partitions)}")

    with closing(worker_of(kafka, name, PROTOCOLS[protocol])()) as source:
        with pytest.raises(ActionNeeded, match="not the topic"):
            wait_for(lambda: source.read(0.5, refuse) is not None, "begin was not asked")
        with pytest.raises(Restart):
            wait_for(lambda: source.read(0.5, never) is not None, "the reader did not end")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_batch_run_in_a_group_ends(kafka: str, topic: MakeTopic, protocol: str) -> None:
    """Two members catch up together; each ends when the whole topic is done, by either of them."""
    name = topic(4)
    topics.produce(kafka, name, [Message(b"x", partition=n % 4) for n in range(8_000)])
    shared, make = Shared(4), worker_of(kafka, name, PROTOCOLS[protocol], until_end=True)
    with members() as start:
        both = [start(make, shared, pause=0.05), start(make, shared, pause=0.05)]
        wait_for(lambda: len(shared.seen) == 8_000, "not everything was read")
    assert set(shared.seen.values()) == {1}
    assert [member.restarts for member in both] == [[], []]


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.fault(16)
def test_a_long_commit_does_not_cost_the_membership(
    kafka: str, topic: MakeTopic, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """The queue is full for longer than max.poll.interval: the reader pauses and polls, nothing is lost."""
    paused: list[Reader] = []
    poll = Reader._poll_paused
    monkeypatch.setattr(Reader, "_poll_paused", lambda reader: (paused.append(reader), poll(reader))[1])
    name = topic(2)
    topics.produce(kafka, name, [Message(b"x", partition=n % 2) for n in range(20_000)])
    client = PROTOCOLS[protocol] | {"max.poll.interval.ms": "6000"}
    with closing(worker_of(kafka, name, client)()) as source:
        chunks: list[Chunk] = []
        wait_for(lambda: _took(source, chunks), "nothing came")
        time.sleep(9)  # the commit: longer than the interval
        wait_for(lambda: _took(source, chunks) and len(values(chunks)) == 20_000, "the rest did not come")
    assert ranges(chunks) == {0: (0, 10_000), 1: (0, 10_000)}
    assert [chunk.due for chunk in chunks if chunk.due] == []
    assert paused


def _took(source: KafkaSource, chunks: list[Chunk]) -> bool:
    chunk = source.read(0.2, begin)
    if chunk:
        chunks.append(chunk)
    return chunk is not None
