"""The queue between the two threads: bounded by waiting, in order, and never a deadlock on close."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from loader.kafka.handover import Failure, Handover, Request
from loader.model import CHUNK_SCHEMA, Chunk, Position, Span, empty_records

T = TypeVar("T")
LONG = 10.0


def chunk(count: int = 1, due: str = "") -> Chunk:
    """A chunk of so many records."""
    import pyarrow as pa

    rows = [{"partition": 0, "offset": n, "value": b"x"} for n in range(count)]
    return Chunk(pa.RecordBatch.from_pylist(rows, schema=CHUNK_SCHEMA), (Span(0, 0, count),), due)


@pytest.fixture
def aside() -> Iterator[Callable[[Callable[[], T]], Future[T]]]:
    """Run something in the other thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def test_there_is_room_until_the_records_reach_the_limit() -> None:
    """One chunk may exceed it; then the reader waits until the engine takes one."""
    queue = Handover(1 << 30, 10)
    assert queue.wait_for_room(0)
    queue.put(chunk(11))
    assert not queue.wait_for_room(0)
    queue.get(0)
    assert queue.wait_for_room(0)


def test_bytes_count_too() -> None:
    """Whichever limit comes first."""
    queue = Handover(1, 1_000)
    queue.put(chunk(1))
    assert not queue.wait_for_room(0)


def test_nothing_overtakes() -> None:
    """A failure comes after the chunks that were read before it."""
    queue = Handover(1, 1)
    first, failure = chunk(), Failure(RuntimeError())
    queue.put(first)
    queue.put(failure)
    assert [queue.get(0), queue.get(0), queue.get(0)] == [first, failure, None]


def test_settled_means_asked_again(aside: Callable[..., Future[bool]]) -> None:
    """Given is not settled: only the next question says that what was given is committed."""
    queue = Handover(1 << 30, 10)
    queue.put(Chunk(empty_records(), (), due="revoked"))
    waiting = aside(lambda: queue.wait_until_settled(LONG))
    queue.settle()
    queue.get(0)
    assert not waiting.done()
    queue.settle()
    assert waiting.result(LONG)


def test_settling_is_bounded() -> None:
    """A commit that takes too long is not waited for."""
    queue = Handover(1, 1)
    queue.put(chunk())
    assert not queue.wait_until_settled(0.01)


def test_a_question_is_answered_by_the_other_thread(aside: Callable[..., Future[object]]) -> None:
    """Positions, or None where there are none."""
    queue = Handover(1, 1)
    for answer in ({3: Position(7)}, None):
        asked = aside(lambda: queue.ask([3], LONG))
        request = queue.get(LONG)
        assert isinstance(request, Request)
        assert request.partitions == [3]
        queue.answer(request, answer)
        assert asked.result(LONG) == answer


def test_close_frees_everyone() -> None:
    """Room, questions and settling: whoever waits goes on at once."""
    queue = Handover(1, 1)
    queue.put(chunk())
    waits: list[Callable[[], object]] = [
        lambda: queue.wait_for_room(LONG),
        lambda: queue.ask([0], LONG),
        lambda: queue.wait_until_settled(LONG),
    ]
    threads = [threading.Thread(target=wait) for wait in waits]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive()
    assert queue.get(0) is None
