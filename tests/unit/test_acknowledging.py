"""What the group is told: the newest position of each partition, again where no answer or a bad one came."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from loader.kafka.acknowledging import AGAIN, Acknowledgements
from loader.model import Position


class Group:
    """Takes commits as a consumer does; `told` are their positions."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[dict[int, int]] = []
        self.acknowledgements = Acknowledgements("t", lambda: self.now)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """As the client's, which answers later."""
        assert asynchronous
        self.told.append({at.partition: at.offset for at in offsets})

    def put(self, **at: int) -> None:
        """The engine hands over and the reader sends."""
        self.acknowledgements.put({int(p[1:]): Position(offset) for p, offset in at.items()})
        self.send()

    def send(self, *, at_once: bool = False) -> None:
        """One step of the reader."""
        self.acknowledgements.send(self, at_once=at_once)  # type: ignore[arg-type] # the part that is used

    def answers(self, code: int | None, **at: int) -> None:
        """The client calls back."""
        error = None if code is None else KafkaError(code)
        places = [TopicPartition("t", int(p[1:]), offset) for p, offset in at.items()]
        self.acknowledgements.answered(error, places)


@pytest.fixture
def group() -> Group:
    """One group and one worker's acknowledgements."""
    return Group()


def test_what_was_taken_is_told_once(group: Group) -> None:
    """Nothing is sent without something new."""
    group.put(p0=3, p1=5)
    group.answers(None, p0=3, p1=5)
    group.now += 10
    group.send()
    assert group.told == [{0: 3, 1: 5}]


@pytest.mark.fault(25)
@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.NOT_COORDINATOR])
def test_what_failed_is_sent_again_after_a_while(group: Group, code: int) -> None:
    """Once for each answer, and not in a tight loop."""
    group.put(p0=3)
    group.answers(code, p0=3)
    group.send()
    assert group.told == [{0: 3}]
    group.now += AGAIN
    group.send()
    group.send()
    assert group.told == [{0: 3}, {0: 3}]


def test_a_newer_position_takes_the_place_of_one_that_failed(group: Group) -> None:
    """Whether it was handed over before the bad answer or after it."""
    group.put(p0=3)
    group.put(p0=7)
    group.answers(KafkaError._TIMED_OUT, p0=3)
    group.now += AGAIN
    group.send()
    assert group.told == [{0: 3}, {0: 7}]
    group.answers(KafkaError._TIMED_OUT, p0=7)
    group.put(p0=9)
    group.send(at_once=True)
    assert group.told[2:] == [{0: 9}]


@pytest.mark.fault(14, 18)
def test_nothing_is_sent_again_of_a_partition_that_was_taken_away(group: Group) -> None:
    """Its new owner may stand further by then."""
    group.put(p0=3, p1=5)
    group.acknowledgements.forget([0])
    group.answers(KafkaError._TIMED_OUT, p0=3, p1=5)
    group.now += AGAIN
    group.send()
    assert group.told[1:] == [{1: 5}]


@pytest.mark.fault(14, 18)
@pytest.mark.parametrize("code", [KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID])
def test_a_member_that_is_refused_sends_nothing_again(
    group: Group, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a zombie; that it was refused is said."""
    group.put(p0=3)
    group.answers(code, p0=3)
    group.now += AGAIN
    group.send()
    assert group.told == [{0: 3}]
    assert "acknowledging to the group failed" in caplog.text


def test_one_partition_may_fail_alone(group: Group, caplog: pytest.LogCaptureFixture) -> None:
    """It is named, and it alone is sent again."""
    group.put(p0=3, p1=5)

    class At:
        topic, partition, offset, error = "t", 1, 5, KafkaError(KafkaError._TIMED_OUT)

    places: list[Any] = [TopicPartition("t", 0, 3), At()]
    group.acknowledgements.answered(None, places)
    assert "acknowledging t[1]@5 to the group failed" in caplog.text
    group.now += AGAIN
    group.send()
    assert group.told[1:] == [{1: 5}]
