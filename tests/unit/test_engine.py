"""The algorithm on sources and warehouses in memory, with a clock that only moves when it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from loader.batching import Batcher, BatchPolicy
from loader.engine import COMMIT_TRIES, FENCE_TRIES, load, supervise
from loader.errors import (
    ActionNeeded,
    BrokerAway,
    FenceLost,
    HeadMoved,
    OffsetsLost,
    OffsetsMoved,
    Restart,
    Temporary,
    TopicReplaced,
)
from loader.guards import begin
from loader.model import Batch, Chunk, Position, Receipt, Span
from loader.ports import Begin
from loader.stopping import Stop
from loader.testing.source import (
    Assign,
    Crash,
    Crashed,
    Fail,
    Hole,
    Idle,
    MemorySource,
    MemoryTopic,
    Record,
    Revoke,
)
from loader.testing.warehouse import MemorySplit, MemoryWarehouse, Shared

MANY = 10**9


class Clock:
    """A clock that only moves when it is told to; sleeping moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Watch:
    """Remembers what the engine tells its observer, and counts commits as the command line does."""

    stop: Stop
    receipts: list[Receipt] = field(default_factory=list)
    conflicts: int = 0
    restarts: list[Exception] = field(default_factory=list)
    begun: dict[int, int] = field(default_factory=dict)

    def began(self, positions: Mapping[int, Position]) -> None:
        """Keep where reading begins."""
        self.begun.update({partition: position.offset for partition, position in positions.items()})

    def committed(self, receipt: Receipt) -> None:
        """Count it."""
        self.stop.succeeded(receipt)
        self.receipts.append(receipt)

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Count it."""
        del batch, attempt
        self.conflicts += 1

    def restarting(self, reason: Exception, pause: float) -> None:
        """Keep the reason."""
        del pause
        self.restarts.append(reason)


class Contested(MemoryWarehouse):
    """A warehouse whose commits fail as often as the test says, before anything has changed."""

    def __init__(self, shared: Shared, failures: list[Exception]) -> None:
        super().__init__(shared)
        self.failures = failures

    def commit(self, split: MemorySplit) -> Receipt:
        """Fail, or commit."""
        if self.failures:
            raise self.failures.pop(0)
        return super().commit(split)


class Bench:
    """A topic, a durable warehouse and the engine between them."""

    def __init__(self, *events: object, partitions: int = 1, **limits: Any) -> None:
        self.clock = Clock()
        self.topic = MemoryTopic(partitions=partitions)
        self.topic.tell(events)  # type: ignore[arg-type]
        self.shared = Shared()
        self.stop = Stop(self.clock, **limits)
        self.watch = Watch(self.stop)
        self.policy = BatchPolicy(MANY, MANY, 60)
        self.chunk = 100
        self.failures: list[Exception] = []
        self.join_group = False
        self.sources: list[MemorySource] = []

    def load(self) -> None:
        """One attempt, until the end of the topic or the limits of `stop`."""
        with self.attempt() as run:
            run()

    def supervise(self) -> None:
        """As many attempts as it takes."""
        supervise(self.attempt, self.stop, self.watch, self.clock.sleep)

    @contextmanager
    def attempt(self) -> Iterator[Any]:
        """A fresh source and warehouse."""
        source = self.source()
        self.sources.append(source)
        warehouse = Contested(self.shared, self.failures)
        batcher = Batcher(self.policy, self.clock)
        yield lambda: load(source, warehouse, batcher, self.stop, self.watch, self.clock.sleep)
        source.close()

    def source(self) -> MemorySource:
        """The source of an attempt; a member of a group streams without an end."""
        whole = not self.join_group
        return MemorySource(self.topic, until_end=whole, join_group=self.join_group, chunk=self.chunk)

    def ids(self) -> list[str]:
        """What is loaded."""
        return sorted(self.shared.rows)

    def consumed(self) -> list[int]:
        """The size of each batch, in records."""
        return [receipt.totals.consumed for receipt in self.shared.receipts]


def orders(first: int, count: int, partition: int = 0) -> list[Record]:
    """Orders with consecutive numbers."""
    return [
        Record(partition, json.dumps({"order_id": f"{n:04d}"}).encode()) for n in range(first, first + count)
    ]


def names(first: int, count: int) -> list[str]:
    """The ids of such orders."""
    return [f"{n:04d}" for n in range(first, first + count)]


# batches


def test_a_load_ends_at_the_end_with_what_is_left() -> None:
    """One batch for a short topic; offsets, acknowledgement and rows agree; holes are counted."""
    bench = Bench(*orders(0, 5), Hole(0, 2), *orders(5, 3, partition=1), partitions=2)
    bench.load()
    assert bench.ids() == names(0, 8)
    assert bench.consumed() == [8]
    assert bench.shared.receipts[0].totals.holes == 2
    assert bench.topic.acknowledged == {0: 7, 1: 3}
    assert {p: at.offset for p, at in bench.shared.offsets.items()} == {0: 7, 1: 3}
    assert bench.watch.begun == {0: 0, 1: 0}


def test_batches_are_due_by_records() -> None:
    """A batch ends as soon as it holds enough records, whatever the chunks."""
    bench = Bench(*orders(0, 25))
    bench.policy, bench.chunk = BatchPolicy(10, MANY, 60), 5
    bench.load()
    assert bench.consumed() == [10, 10, 5]


def test_batches_are_due_by_bytes() -> None:
    """A batch ends as soon as it holds enough bytes."""
    bench = Bench(*orders(0, 20))
    bench.policy, bench.chunk = BatchPolicy(MANY, 1, 60), 5
    bench.load()
    assert bench.consumed() == [5, 5, 5, 5]


def test_batches_are_due_by_age() -> None:
    """A batch is committed when its first record has waited long enough, though nothing more comes."""
    bench = Bench(*orders(0, 5), Idle(), Idle(), *orders(5, 5))
    bench.source = lambda: Slow(bench)  # type: ignore[method-assign]
    bench.load()
    assert bench.consumed() == [5, 5]


def test_what_waits_goes_into_a_batch_that_is_old_until_it_is_full() -> None:
    """Behind a slow commit every chunk is old; a batch of each would have as many slow commits."""
    bench = Bench(*orders(0, 40), Idle(), Idle(), *orders(40, 5))
    bench.policy, bench.chunk = BatchPolicy(25, MANY, 60), 5
    bench.source = lambda: Slow(bench)  # type: ignore[method-assign]
    bench.load()
    assert bench.consumed() == [25, 15, 5]


class Slow(MemorySource):
    """A source on which each read takes half of the batch's longest wait."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.topic, until_end=True, chunk=bench.chunk)
        self._clock, self._step = bench.clock, bench.policy.wait / 2

    def read(self, timeout: float, begin: Begin) -> Chunk | None:
        """As the source, slowly."""
        self._clock.now += self._step
        return super().read(timeout, begin)


def test_a_topic_of_holes_is_progress() -> None:
    """Offsets move over control records alone."""
    bench = Bench(Hole(0, 7))
    bench.load()
    assert bench.shared.offsets[0].offset == 7
    assert bench.shared.receipts[0].totals.holes == 7


def test_a_second_load_begins_where_the_first_ended() -> None:
    """Nothing is read twice, and without news nothing is committed."""
    bench = Bench(*orders(0, 5))
    bench.load()
    bench.load()
    assert bench.consumed() == [5]
    bench.topic.tell(orders(5, 2))
    bench.load()
    assert bench.consumed() == [5, 2]


# limits


def test_max_records_is_exact() -> None:
    """A chunk is cut where the limit is; the next load goes on with the record after it."""
    bench = Bench(*orders(0, 10), max_records=7)
    bench.load()
    assert bench.ids() == names(0, 7)
    assert bench.shared.offsets[0].offset == 7
    bench.stop = Stop(bench.clock)
    bench.load()
    assert bench.consumed() == [7, 3]


def test_max_seconds_commits_what_has_been_read() -> None:
    """The time limit ends the load behind the chunk it falls in."""
    bench = Bench(*orders(0, 10), max_seconds=50)
    bench.chunk = 2
    bench.source = lambda: Slow(bench)  # type: ignore[method-assign]
    bench.load()
    assert bench.ids() == names(0, 4)
    assert bench.shared.offsets[0].offset == 4


def test_a_stop_commits_what_has_been_read() -> None:
    """Asked to stop, the engine commits its batch and reads no more."""
    bench = Bench(*orders(0, 10))
    bench.chunk = 4
    bench.policy = BatchPolicy(4, MANY, 60)
    bench.watch.committed = lambda _: setattr(bench.stop, "requested", True)  # type: ignore[method-assign]
    bench.load()
    assert bench.shared.offsets[0].offset == len(bench.ids()) < 10


# races


def test_a_lost_race_is_split_again() -> None:
    """HeadMoved: the same batch is tried again after a pause, and committed once."""
    bench = Bench(*orders(0, 3))
    bench.failures = [HeadMoved(), HeadMoved()]
    bench.load()
    assert bench.consumed() == [3]
    assert bench.watch.conflicts == len(bench.clock.slept) == 2


def test_a_lock_while_the_offsets_are_read_is_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost race where nothing is committed: begin again, as after any other loss."""
    bench, real = Bench(*orders(0, 3)), MemoryWarehouse.offsets
    locked = iter([HeadMoved("database is locked")])

    def offsets(warehouse: MemoryWarehouse) -> dict[int, Position]:
        for error in locked:
            raise error
        return real(warehouse)

    monkeypatch.setattr(MemoryWarehouse, "offsets", offsets)
    bench.supervise()
    assert bench.ids() == names(0, 3)
    assert [type(reason) for reason in bench.watch.restarts] == [HeadMoved]


def test_a_partition_that_the_broker_does_not_know_yet_is_a_restart() -> None:
    """The group gives out what one broker has seen, another one is asked: its metadata is older."""
    bench = Bench(*orders(0, 3))
    with pytest.raises(Restart, match=r"does not know of the partitions \[3\] yet"):
        begin(bench.source(), MemoryWarehouse(bench.shared), bench.stop, print, [0, 3])


def test_lost_races_are_bounded() -> None:
    """After COMMIT_TRIES lost races in a row the loader gives up with FenceLost; nothing is committed."""
    bench = Bench(*orders(0, 3))
    bench.failures = [HeadMoved() for _ in range(COMMIT_TRIES + 5)]
    with pytest.raises(FenceLost, match=f"{COMMIT_TRIES} times"):
        bench.supervise()
    assert len(bench.failures) == 5
    assert bench.ids() == []
    assert sum(bench.clock.slept) < 0.02 * 2**COMMIT_TRIES


def test_a_twin_that_another_worker_loads_meanwhile_is_found() -> None:
    """What others commit between our split and our commit is seen by the next split."""
    bench = Bench(*orders(0, 3))
    other = MemoryWarehouse(bench.shared)

    def interfere(reason: Exception) -> None:
        bench.shared.rows["0001"] = {"order_id": "0001"}
        bench.shared.seq += 1
        del reason

    bench.failures = [HeadMoved()]
    bench.watch.conflicted = lambda batch, attempt: interfere(HeadMoved())  # type: ignore[method-assign] # noqa: ARG005
    bench.load()
    totals = bench.shared.receipts[0].totals
    assert (totals.loaded, totals.duplicates) == (2, 1)
    assert other.offsets()[0].offset == 3


def test_a_zombie_begins_again_from_the_warehouse() -> None:
    """OffsetsMoved: everything in memory is dropped, a fresh source begins at the committed offsets."""
    bench = Bench(*orders(0, 6))
    bench.failures = [OffsetsMoved("taken over")]
    bench.supervise()
    assert bench.ids() == names(0, 6)
    assert bench.consumed() == [6]
    assert [type(reason) for reason in bench.watch.restarts] == [OffsetsMoved]
    assert len(bench.sources) == 2


def test_a_batch_run_that_keeps_losing_gives_up() -> None:
    """OffsetsMoved FENCE_TRIES times without a commit of our own: FenceLost, exit 75."""
    bench = Bench(*orders(0, 3))
    bench.failures = [OffsetsMoved("taken over") for _ in range(10)]
    with pytest.raises(FenceLost) as lost:
        bench.supervise()
    assert lost.value.exit_code == 75
    assert len(bench.failures) == 10 - FENCE_TRIES


def test_a_stream_that_keeps_losing_goes_on() -> None:
    """A stream is patient: as long as it is within its bound it begins again."""
    bench = Bench(*orders(0, 3), batch_run=False, unreachable=600)
    bench.failures = [OffsetsMoved("taken over") for _ in range(10)]
    bench.supervise()
    assert bench.ids() == names(0, 3)
    assert len(bench.watch.restarts) == 10


# restarts


def test_a_crash_anywhere_loses_nothing() -> None:
    """Whatever place of the story the process ends at: the next one completes it, exactly once."""
    for place in range(20):
        story: list[object] = [*orders(0, 12), *orders(5, 3), *orders(12, 5)]
        bench = Bench(*story[:place], Crash(), *story[place:])
        bench.policy, bench.chunk = BatchPolicy(3, MANY, 60), 2
        with pytest.raises(Crashed):
            bench.load()
        bench.load()
        assert bench.ids() == names(0, 17), place
        assert sum(bench.consumed()) == len(story)
        assert len(bench.shared.duplicates) == 3
        ends = [receipt.spans[0].end for receipt in bench.shared.receipts]
        assert [receipt.spans[0].begin for receipt in bench.shared.receipts] == [0, *ends[:-1]]


def test_what_asks_for_a_restart_gets_one() -> None:
    """Restart, a broker away for a moment: begun again with a growing pause, then complete."""
    reasons = [Restart("the client failed"), BrokerAway("nobody answers"), Restart("again")]
    bench = Bench(*orders(0, 3), *(Fail(reason) for reason in reasons), *orders(3, 3))
    bench.supervise()
    assert bench.ids() == names(0, 6)
    assert bench.watch.restarts == reasons
    assert bench.clock.slept == sorted(bench.clock.slept)


def test_restarts_are_bounded_in_time() -> None:
    """Without any commit for `unreachable` seconds the last reason is raised, as exit 75."""
    away = Bench(*(Fail(BrokerAway("nobody answers")) for _ in range(100)), *orders(0, 3), unreachable=30)
    with pytest.raises(BrokerAway):
        away.supervise()
    assert 30 <= away.clock.now <= 40
    puzzled = Bench(*(Fail(Restart("the client failed")) for _ in range(100)), *orders(0, 3), unreachable=30)
    with pytest.raises(Temporary, match="the client failed"):
        puzzled.supervise()


def test_a_commit_renews_the_patience() -> None:
    """An outage is counted from the last commit: many short ones do not add up."""
    events: list[object] = []
    for n in range(20):
        events += [*orders(n, 1), *(Fail(BrokerAway("nobody answers")) for _ in range(4))]
    bench = Bench(*events, unreachable=10)
    bench.policy, bench.chunk = BatchPolicy(1, MANY, 60), 1
    bench.supervise()
    assert bench.ids() == names(0, 20)
    assert bench.clock.now > 30


@pytest.mark.parametrize("error", [ActionNeeded("a person"), ValueError("a bug")])
def test_what_needs_a_person_or_is_a_bug_is_not_tried_again(error: Exception) -> None:
    """Other errors end the load at once; what was committed before stays."""
    bench = Bench(*orders(0, 4), Fail(error), *orders(4, 3))
    bench.policy, bench.chunk = BatchPolicy(2, MANY, 60), 2
    with pytest.raises(type(error)):
        bench.supervise()
    assert bench.watch.restarts == []
    assert bench.ids() == names(0, bench.shared.offsets[0].offset)


@pytest.mark.parametrize("error", [ActionNeeded("a person"), Restart("away"), ValueError("a bug")])
def test_kafka_hears_of_nothing_that_was_not_committed(error: Exception) -> None:
    """A commit that fails is not acknowledged, whatever made it fail."""
    bench = Bench(*orders(0, 4), batch_run=True, unreachable=0)
    bench.policy, bench.chunk = BatchPolicy(2, MANY, 60), 2
    bench.failures = [error]
    with pytest.raises(Exception, match=str(error)):
        bench.supervise()
    assert bench.shared.receipts == []
    assert bench.topic.acknowledged == {}


@pytest.mark.parametrize("acknowledged", [{}, {0: 0}, {0: 3}, {0: 10}])
@pytest.mark.fault(19, 25)
def test_the_group_has_no_say_in_where_we_begin(acknowledged: dict[int, int]) -> None:
    """Whatever the group has on record (nothing, less, more): reading goes on where the warehouse stands."""
    bench = Bench(*orders(0, 6))
    bench.load()
    bench.topic.tell(orders(6, 6))  # type: ignore[arg-type]
    bench.topic.acknowledged = acknowledged
    bench.load()
    assert bench.ids() == names(0, 12)
    assert bench.shared.duplicates == []


# rebalances


def test_partitions_are_let_go_only_when_their_batch_is_committed() -> None:
    """Revoked: all that was read is committed, whatever its size, before the source is asked again."""
    bench = Bench(
        Assign((0, 1)), *orders(0, 3), *orders(3, 3, partition=1), Revoke((1,)), *orders(6, 2), partitions=2
    )
    bench.join_group = True
    settled: list[dict[int, int]] = []

    class Member(MemorySource):
        def _let_go(self) -> None:
            if self._leaving:
                settled.append({p: at.offset for p, at in bench.shared.offsets.items()})
            super()._let_go()
            bench.stop.requested = bench.stop.requested or self._place >= len(self.topic.story)

    bench.source = lambda: Member(bench.topic, join_group=True)  # type: ignore[method-assign]
    bench.load()
    assert settled == [{0: 3, 1: 3}]
    assert bench.ids() == names(0, 8)


# before anything is read


@pytest.mark.fault(40)
def test_the_first_offsets_are_durable_before_the_first_record() -> None:
    """A crash between baseline and first batch cannot move the beginning."""
    bench = Bench(Crash(), *orders(0, 3))
    bench.topic.delete_records(0, 1)
    with pytest.raises(Crashed):
        bench.load()
    assert bench.shared.offsets[0].offset == 1
    bench.load()
    assert bench.ids() == names(1, 2)


def test_another_topic_is_refused() -> None:
    """A topic that was made again is noticed before a record of it is read."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.topic.recreate()
    bench.topic.tell(orders(50, 9))
    with pytest.raises(TopicReplaced):
        bench.supervise()
    assert bench.ids() == names(0, 3)


def test_a_topic_made_again_while_we_read_is_noticed_before_the_commit() -> None:
    """What was read may be of the new topic: it is not committed."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.topic.tell(orders(3, 3))

    class Replaced(MemorySource):
        def read(self, timeout: float, begin: Begin) -> Chunk | None:
            chunk = super().read(timeout, begin)
            if chunk:
                self.topic._id += 1
            return chunk

    bench.source = lambda: Replaced(bench.topic, until_end=True)  # type: ignore[method-assign]
    with pytest.raises(TopicReplaced):
        bench.supervise()
    assert bench.ids() == names(0, 3)


def test_lost_records_stop_the_load_with_their_range() -> None:
    """Retention has passed our offset: the message names the range; the offset stays."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.topic.tell(orders(3, 10))
    bench.topic.delete_records(0, 8)
    with pytest.raises(OffsetsLost, match="offsets 3 to 8") as lost:
        bench.supervise()
    assert lost.value.address == "topic[0]@3"
    assert lost.value.hint == "loader load --accept-loss 'topic[0]:3-8'"
    assert bench.shared.offsets[0].offset == 3


def lossy() -> Bench:
    """Offsets 3 to 8 are gone, 3 was the next one to load."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.topic.tell(orders(3, 10))
    bench.topic.delete_records(0, 8)
    return bench


def test_exactly_the_lost_range_may_be_accepted() -> None:
    """The gap is committed before the first record behind it, once; a restart may name it again."""
    bench = lossy()
    bench.stop.accept_loss = (Span(0, 3, 8),)
    bench.supervise()
    assert bench.ids() == [*names(0, 3), *names(8, 5)]
    assert [(receipt.kind, receipt.spans) for receipt in bench.shared.receipts][1] == (
        "accept", (Span(0, 3, 8),)
    )  # fmt: skip
    bench.supervise()
    assert len(bench.shared.receipts) == 3


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        (3, 9, "--accept-loss names 3-9, but offsets 3 to 8 are gone"),
        (2, 8, "--accept-loss names 2-8, but offsets 3 to 8 are gone"),
        (3, 7, "--accept-loss names 3-7, but offsets 3 to 8 are gone"),
        (5, 6, "--accept-loss names 5-6, but offsets 3 to 8 are gone"),
    ],
)
def test_another_range_is_refused_with_the_right_one(begin: int, end: int, words: str) -> None:
    """Nothing is accepted that is not named exactly, and nothing changes."""
    bench = lossy()
    bench.stop.accept_loss = (Span(0, begin, end),)
    with pytest.raises(OffsetsLost, match=words) as lost:
        bench.supervise()
    assert lost.value.hint == "loader load --accept-loss 'topic[0]:3-8'"
    assert bench.shared.offsets[0].offset == 3


def test_loss_in_a_partition_that_is_not_there_is_refused() -> None:
    """A slip of the number must not look as if it had been accepted."""
    bench = lossy()
    bench.stop.accept_loss = (Span(7, 3, 8),)
    with pytest.raises(OffsetsLost, match="no such partition: the topic has 1, counted from 0"):
        bench.supervise()
    assert bench.shared.offsets[0].offset == 3


def test_no_loss_can_be_accepted_before_it_happens() -> None:
    """A range in front of us of which nothing is lost is refused."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.stop.accept_loss = (Span(0, 3, 8),)
    with pytest.raises(OffsetsLost, match="no record is lost there"):
        bench.supervise()


@pytest.mark.fault(35)
def test_a_truncated_log_names_the_rewind() -> None:
    """The log ends before our offset: the hint is the command that goes back to its end."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.shared.offsets[0] = Position(9)
    with pytest.raises(OffsetsLost, match="the log ends at 3, before our offset") as lost:
        bench.supervise()
    assert lost.value.hint == "loader rewind --to-offset 0:3 --yes"


def test_a_worker_without_records_lets_the_warehouse_rest() -> None:
    """Whenever there is nothing to read, stage or commit, and only then."""
    stop, clock = Stop(clock=Clock(), batch_run=False), Clock()
    states: list[tuple[bool, int]] = []
    batcher = Batcher(BatchPolicy(2, MANY, 10.0), clock)

    class Resting(MemoryWarehouse):
        def rest(self) -> None:
            states.append((batcher.is_empty, stop.commits))
            stop.requested = len(states) == 3

    source = MemorySource(orders(0, 4))
    load(source, Resting(), batcher, stop, Watch(stop), clock.sleep)
    assert states == [(True, stop.commits)] * 3
    assert stop.commits > 0


def test_an_idle_worker_notices_a_rewind() -> None:
    """With nothing new to read, an offset of the warehouse that went back makes it begin again from there."""
    bench = Bench(*orders(0, 3))
    bench.load()

    class Rewound(MemorySource):
        def read(self, timeout: float, begin: Begin) -> Chunk | None:
            chunk = super().read(timeout, begin)
            bench.shared.offsets[0] = Position(1)
            bench.clock.now += 1
            return chunk

    source, warehouse = Rewound(bench.topic), MemoryWarehouse(bench.shared)
    batcher = Batcher(bench.policy, bench.clock)
    with pytest.raises(OffsetsMoved, match="rewound to 1"):
        load(source, warehouse, batcher, bench.stop, bench.watch, bench.clock.sleep)


def test_a_new_warehouse_for_an_old_group_needs_a_word() -> None:
    """Kafka's group has offsets, the warehouse has none: refused, unless it is meant."""
    bench = Bench(*orders(0, 3))
    bench.topic.acknowledged = {0: 2}
    with pytest.raises(ActionNeeded, match="the warehouse is new"):
        bench.supervise()
    bench.stop.new_warehouse = True
    bench.supervise()
    assert bench.ids() == names(0, 3)


def test_new_partitions_begin_at_their_beginning() -> None:
    """Partitions that are added later are recorded from 0 and loaded."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.topic.partitions = 2
    bench.topic.tell(orders(3, 2, partition=1))
    bench.load()
    assert bench.ids() == names(0, 5)
    assert bench.shared.offsets[1].offset == 2
