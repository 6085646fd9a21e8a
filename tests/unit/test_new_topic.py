"""A topic that was created anew: taken over only by its exact id, as a new generation of the stream."""

from __future__ import annotations

import pytest

from loader.batching import Batcher
from loader.engine import load
from loader.errors import ActionNeeded, OffsetsMoved, TopicReplaced
from loader.model import Chunk, Identity
from loader.ports import Begin
from loader.testing.source import MemorySource
from loader.testing.warehouse import MemoryWarehouse
from tests.making import batch, order
from tests.unit.test_engine import Bench, names, orders


def replaced(first: int, count: int) -> Bench:
    """Three records were loaded; then the topic was created anew, with other ones."""
    bench = Bench(*orders(0, 3))
    bench.load()
    bench.topic.recreate()
    bench.topic.tell(orders(first, count))
    return bench


@pytest.mark.parametrize("count", [1, 3, 9])
def test_the_id_that_was_named_is_taken_over(count: int) -> None:
    """With fewer records, as many, more: earlier rows stay, the new log is read from its start."""
    bench = replaced(50, count)
    bench.stop.new_topic = "id-2"
    bench.supervise()
    assert bench.ids() == [*names(0, 3), *names(50, count)]
    assert bench.shared.offsets[0].offset == count
    _, taken, loaded = bench.shared.receipts
    assert (taken.kind, taken.totals.consumed, loaded.totals.loaded) == ("topic", 0, count)
    assert "topic id id-1 is followed by id-2" in taken.note
    assert "loaded up to [0]@3, what it held behind is not known" in taken.note
    assert taken in bench.watch.receipts
    bench.supervise()  # the same command again finds it done
    assert len(bench.shared.receipts) == 3


def test_the_guard_names_ids_offsets_and_the_command() -> None:
    """Who reads the error knows what was loaded of the old topic, and what to type."""
    bench = replaced(50, 9)
    with pytest.raises(TopicReplaced) as refused:
        bench.supervise()
    assert "its topic id is id-2, recorded is id-1" in refused.value.message
    assert "the old one was loaded up to [0]@3" in refused.value.message
    assert refused.value.hint == "loader load --new-topic id-2"


def test_another_id_is_refused() -> None:
    """The flag accepts one topic, not whatever comes next; the error names the right one."""
    bench = replaced(50, 9)
    bench.stop.new_topic = "id-7"
    with pytest.raises(TopicReplaced, match="names id-7, but the topic's id is id-2") as refused:
        bench.supervise()
    assert refused.value.hint == "loader load --new-topic id-2"
    assert bench.ids() == names(0, 3)


@pytest.mark.parametrize("loaded", [True, False])
def test_without_a_change_the_flag_is_refused(loaded: bool) -> None:
    """Nothing was loaded yet, or the topic is the one that was loaded: there is nothing to take over."""
    bench = Bench(*orders(0, 3))
    if loaded:
        bench.load()
    bench.stop.new_topic = "id-1"
    with pytest.raises(ActionNeeded) as refused:
        bench.supervise()
    assert refused.value.hint == "the same without --new-topic"
    assert bench.ids() == (names(0, 3) if loaded else [])


@pytest.mark.fault(55)
def test_another_name_is_never_taken_over() -> None:
    """The flag is for a topic behind the same name; the configuration that names another one is refused."""
    bench = replaced(50, 9)
    bench.topic.name = "others"
    bench.stop.new_topic = "id-2"
    with pytest.raises(TopicReplaced, match="its name is others"):
        bench.supervise()


def test_a_worker_with_records_of_the_old_topic_cannot_commit_them() -> None:
    """Even where the new topic stands exactly at the place where its batch begins."""
    shared = Bench().shared
    late, other = MemoryWarehouse(shared), MemoryWarehouse(shared)
    identity = Identity("memory", "orders", "id-1", 1)
    late.record(identity, {0: 0})
    late.offsets()
    staged = late.stage(batch((0, 0, [order(1)])))
    other.recorded()
    other.take_over(Identity("memory", "orders", "id-2", 1), {0: 0}, "anew")
    with pytest.raises(OffsetsMoved, match="of this topic"):
        late.commit(late.split(staged))
    with pytest.raises(OffsetsMoved, match="has taken over a new topic"):
        late.recorded()
    assert shared.rows == {}


def test_an_idle_worker_notices_that_another_one_took_the_topic_over() -> None:
    """It begins again from the warehouse, and so on the new topic."""
    bench = Bench(*orders(0, 3))
    bench.load()

    class Overtaken(MemorySource):
        def read(self, timeout: float, begin: Begin) -> Chunk | None:
            chunk = super().read(timeout, begin)
            if bench.shared.identity and not bench.shared.identity.generation:
                other = MemoryWarehouse(bench.shared)
                other.recorded()
                other.take_over(Identity("memory", "orders", "id-2", 1), {0: 0}, "anew")
            bench.clock.now += 1
            return chunk

    source, warehouse = Overtaken(bench.topic), MemoryWarehouse(bench.shared)
    batcher = Batcher(bench.policy, bench.clock)
    with pytest.raises(OffsetsMoved, match="has taken over a new topic"):
        load(source, warehouse, batcher, bench.stop, bench.watch, bench.clock.sleep)
