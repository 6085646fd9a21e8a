"""The thread that consumes, on a client whose every answer is given: errors among records, exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, KafkaException, TopicPartition

from loader.errors import Restart
from loader.kafka.acknowledging import Acknowledgements
from loader.kafka.faults import Health, Meaning
from loader.kafka.handover import Failure, Handover
from loader.kafka.progress import Progress
from loader.kafka.reader import Fault, Reader
from loader.model import Chunk, Position

SOON = 5.0  # seconds in which the thread gives what it has


class FakeMessage:
    """A record at an offset of partition 0, or an error there."""

    def __init__(self, offset: int, error: KafkaError | None = None) -> None:
        self._offset, self._error = offset, error

    def offset(self) -> int:
        """As the client's."""
        return self._offset

    def partition(self) -> int:
        """As the client's."""
        return 0

    def error(self) -> KafkaError | None:
        """As the client's."""
        return self._error

    def value(self) -> bytes:
        """As the client's."""
        return b"{}"

    def key(self) -> None:
        """As the client's."""

    def headers(self) -> None:
        """As the client's."""

    def leader_epoch(self) -> int:
        """As the client's."""
        return 0

    def timestamp(self) -> tuple[int, int]:
        """As the client's."""
        return TIMESTAMP_CREATE_TIME, 1


class FakeConsumer:
    """Gives one answer after the other, then nothing."""

    def __init__(self, answers: list[list[FakeMessage] | Exception]) -> None:
        self._answers = answers
        self._at = 0

    def consume(self, count: int, timeout: float) -> list[FakeMessage]:
        """The next answer."""
        del count, timeout
        if not self._answers:
            return []
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self._at = answer[-1].offset() + 1
        return answer

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Behind the last record, and the marker of a transaction behind that."""
        return [TopicPartition(each.topic, each.partition, self._at + 1) for each in partitions]

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


@contextmanager
def reading(*answers: list[FakeMessage] | Exception) -> Iterator[Callable[[], Any]]:
    """A reader of one partition from 0 on; what it gives, item by item."""
    handover, progress = Handover(1 << 20, 1_000), Progress("t")
    consumer: Any = FakeConsumer(list(answers))
    reader = Reader(
        consumer,
        "t",
        handover,
        progress,
        Health("here"),
        message_bytes=1_000,
        acknowledgements=Acknowledgements("t"),
    )
    reader.start({0: Position(0)})
    with closing(reader):
        yield lambda: handover.get(SOON)


def test_what_came_while_it_waited_for_room_is_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that polls while the queue is full gets an event now and then: each is kept as it came."""
    events = [FakeMessage(n, KafkaError(KafkaError._ALL_BROKERS_DOWN)) for n in range(5)]
    consumer: Any = FakeConsumer([[event] for event in events])
    for name in ("pause", "resume"):
        setattr(consumer, name, lambda _: None)
    consumer.assignment = list
    reader = Reader(
        consumer, "t", Handover(1 << 20, 1_000), Progress("t"), Health("here"),
        message_bytes=1_000, acknowledgements=Acknowledgements("t"),
    )  # fmt: skip
    room = iter([False, False] * 5 + [True])
    monkeypatch.setattr(reader._handover, "wait_for_room", lambda _: next(room))
    reader._poll_paused()
    assert reader._held == events


def offsets(chunk: object) -> list[int]:
    """What a chunk holds."""
    assert isinstance(chunk, Chunk), chunk
    found: list[int] = chunk.records["offset"].to_pylist()
    return found


def test_a_span_ends_at_the_position_not_behind_the_last_record() -> None:
    """What lies between is a hole: a marker, or a record that compaction took."""
    with reading([FakeMessage(0), FakeMessage(3)]) as item:
        chunk = item()
    assert offsets(chunk) == [0, 3]
    assert [(span.begin, span.end) for span in chunk.spans] == [(0, 5)]


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (KafkaError._AUTO_OFFSET_RESET, Meaning.RANGE),
        (KafkaError._BAD_MSG, Meaning.PERSON),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, Meaning.LOOK),
        (KafkaError._MAX_POLL_EXCEEDED, Meaning.RESTART),
    ],
)
def test_an_error_between_records_is_dealt_with(code: int, meaning: Meaning) -> None:
    """What came with it is given, then the error; nothing that would come behind it is read."""
    damaged = FakeMessage(2, KafkaError(code))
    with reading([FakeMessage(0), damaged, FakeMessage(1)], [FakeMessage(9)]) as item:
        assert offsets(item()) == [0, 1]
        failure = item()
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, Fault)
    assert (failure.error.meaning, failure.error.partition, failure.error.offset) == (meaning, 0, 2)


@pytest.mark.fault(39)
def test_an_error_that_passes_is_passed_over() -> None:
    """A broken connection among records is the client's to mend: nothing stops, no offset moves by it."""
    broken = FakeMessage(7, KafkaError(KafkaError._TRANSPORT))
    with reading([FakeMessage(0), broken, FakeMessage(1)]) as item:
        chunk = item()
    assert offsets(chunk) == [0, 1]
    assert [(span.begin, span.end) for span in chunk.spans] == [(0, 3)]


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    "raised", [KafkaException(KafkaError(KafkaError._FAIL)), RuntimeError("closed"), ValueError("a callback")]
)
def test_after_an_exception_nothing_of_the_client_is_trusted(raised: Exception) -> None:
    """`consume` drops records that it had taken when it raises: the only way on is the warehouse."""
    with reading([FakeMessage(0)], raised, [FakeMessage(9)]) as item:
        assert offsets(item()) == [0]
        failure = item()
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, Restart)
