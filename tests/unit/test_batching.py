"""When a batch is due, and what it is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loader.batching import Batcher, BatchPolicy
from loader.model import Chunk, Span, batch_time, empty_records, joined, new_batch_id, next_offset
from tests.making import order, records


class Clock:
    """A clock that only moves when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


def chunk(partition: int, begin: int, count: int) -> Chunk:
    """A chunk of `count` orders."""
    made = records(partition, begin, [order(n) for n in range(count)])
    return Chunk(made, (Span(partition, begin, begin + count),))


def test_a_batch_is_due_by_records_bytes_or_age() -> None:
    """Each limit alone makes it due, at the limit and not before."""
    clock = Clock()
    by_records = Batcher(BatchPolicy(3, 10**9, 60), clock)
    by_records.add(chunk(0, 0, 2))
    assert not by_records.due()
    by_records.add(chunk(0, 2, 1))
    assert by_records.due()
    by_bytes = Batcher(BatchPolicy(10**9, 100, 60), clock)
    by_bytes.add(chunk(0, 0, 2))
    assert by_bytes.due()
    by_age = Batcher(BatchPolicy(10**9, 10**9, 60), clock)
    by_age.add(chunk(0, 0, 1))
    clock.now = 59.9
    assert not by_age.due()
    clock.now = 60.0
    assert by_age.due()


def test_the_age_counts_from_the_arrival() -> None:
    """What waited in the queue while another batch was committed is due so much earlier."""
    clock = Clock()
    batcher = Batcher(BatchPolicy(100, 10**9, 60), clock)
    clock.now = 100.0
    batcher.add(replace(chunk(0, 0, 3), arrived=70.0).first(1))
    assert batcher.patience() == 30
    clock.now = 130.0
    assert batcher.due()


def test_a_batch_is_closed_so_early_that_it_is_durable_in_time() -> None:
    """By what the last commits took, which fades; by a quarter of the wait at most."""
    clock = Clock()
    batcher = Batcher(BatchPolicy(100, 10**9, 60), clock)
    batcher.add(chunk(0, 0, 1))
    for took, early in ((10.0, 10.0), (1.0, 8.0), (1.0, 6.4), (40.0, 15.0)):
        assert batcher.take() is not None
        clock.now += took
        batcher.committed()
        batcher.add(chunk(0, 0, 1))
        assert batcher.patience() == pytest.approx(60 - early)
        clock.now += 60.001 - early
        assert batcher.due()


def test_the_batches_beside_each_other_are_told_apart() -> None:
    """Two are under way: the first to be taken is the first to be durable."""
    clock = Clock()
    batcher = Batcher(BatchPolicy(100, 10**9, 60), clock)
    for moment in (0.0, 5.0):
        clock.now = moment
        batcher.add(chunk(0, 0, 1))
        batcher.take()
    clock.now = 6.0
    batcher.committed()  # took 6 s
    batcher.committed()  # took 1 s
    batcher.add(chunk(0, 1, 1))
    assert batcher.patience() == pytest.approx(60 - 0.8 * 6)


def test_a_batch_knows_what_reading_it_took() -> None:
    """The seconds of its chunks, and none of the batch before it."""
    batcher = Batcher(BatchPolicy(100, 10**9, 60), Clock())
    batcher.add(replace(chunk(0, 0, 3), seconds=0.25))
    batcher.add(replace(chunk(0, 3, 3), seconds=0.5).first(2))
    first = batcher.take()
    batcher.add(replace(chunk(0, 5, 1), seconds=2.0))
    second = batcher.take()
    assert first is not None
    assert second is not None
    assert (first.seconds, second.seconds) == (0.75, 2.0)


def test_an_empty_batch_is_never_due() -> None:
    """Nothing read is nothing to commit, however long it takes; taking it gives None."""
    clock = Clock()
    batcher = Batcher(BatchPolicy(1, 1, 1), clock)
    clock.now = 100.0
    assert not batcher.due()
    assert batcher.take() is None
    assert batcher.patience() == 1


def test_a_batch_joins_the_spans_of_its_chunks() -> None:
    """Consecutive spans become one; holes at the end belong to the span; taking begins anew."""
    batcher = Batcher(BatchPolicy(100, 10**9, 60), Clock())
    batcher.add(chunk(1, 5, 2))
    batcher.add(Chunk(empty_records(), (Span(1, 7, 9), Span(0, 0, 3))))
    batch = batcher.take()
    assert batch is not None
    assert batch.spans == (Span(0, 0, 3), Span(1, 5, 9))
    assert batch.records.num_rows == 2
    assert batcher.take() is None


def test_spans_that_do_not_meet_are_refused() -> None:
    """A gap between two chunks of a partition can never be committed."""
    with pytest.raises(ValueError, match="begins at 4, not at 3"):
        joined([Span(0, 0, 3), Span(0, 4, 5)])


def test_a_chunk_can_be_cut() -> None:
    """The spans of a cut chunk end behind the last record that is kept, per partition."""
    whole = chunk(2, 10, 5)
    assert whole.first(5) is whole
    cut = whole.first(3)
    assert cut.records.num_rows == 3
    assert cut.spans == (Span(2, 10, next_offset(12)),)


def test_batch_ids_are_unique_and_in_order_of_time() -> None:
    """An id says when it was picked, and fits a signed 64-bit integer."""
    ids = [new_batch_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert max(ids) < 2**63
    assert batch_time(ids[0]) <= batch_time(ids[-1])
