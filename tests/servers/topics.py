"""What a test does to topics: create, fill, cut, delete, and write transactions.

All calls block until the broker has done it, and raise if it has not.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

T = TypeVar("T")

NOT_YET = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_ALREADY_EXISTS}
"""What the broker may say for a moment after a topic was created or deleted."""


class Message(NamedTuple):
    """A record to send; partition -1 leaves the choice to the key, timestamp 0 (ms) means now."""

    value: bytes | None
    key: bytes | None = None
    partition: int = -1
    timestamp: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Place(NamedTuple):
    """Where a record ended up, by its delivery report."""

    partition: int
    offset: int


def create(bootstrap: str, topic: str, partitions: int = 4, config: Mapping[str, str] | None = None) -> str:
    """Create a topic and return its id once the broker knows it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(topic, partitions, 1, config=dict(config or {}))
    _soon(lambda: admin.create_topics([new])[topic].result(20))
    return topic_id(bootstrap, topic)


def topic_id(bootstrap: str, topic: str) -> str:
    """The id that this incarnation of the topic has and no other ever will."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described = _soon(lambda: admin.describe_topics(TopicCollection([topic]))[topic].result(20))
    return str(described.topic_id)


def delete(bootstrap: str, topic: str) -> None:
    """Delete a topic; returns when the broker no longer lists it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(20)
    _until(lambda: topic not in admin.list_topics(timeout=10).topics)


def recreate(bootstrap: str, topic: str, partitions: int = 4) -> str:
    """Delete the topic and create another of the same name; returns the new id."""
    delete(bootstrap, topic)
    return create(bootstrap, topic, partitions)


def add_partitions(bootstrap: str, topic: str, total: int) -> None:
    """Let the topic have `total` partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(20)
    _until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == total)


def delete_records(bootstrap: str, topic: str, before: Mapping[int, int]) -> None:
    """Remove all records below an offset, for each given partition; the log then begins there."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
    for future in admin.delete_records(wanted).values():
        future.result(20)


def ends(bootstrap: str, topic: str) -> dict[int, tuple[int, int]]:
    """For each partition the first offset and the last stable one (open transactions hold it back)."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    partitions = list(admin.list_topics(topic, timeout=10).topics[topic].partitions)
    low = _offsets(admin, topic, partitions, OffsetSpec.earliest())
    end = _offsets(admin, topic, partitions, OffsetSpec.latest())
    return {partition: (low[partition], end[partition]) for partition in partitions}


def produce(
    bootstrap: str, topic: str, messages: Iterable[Message | bytes], **settings: object
) -> list[Place]:
    """Send records and wait for all delivery reports; places are in the order of the messages.

    `settings` are the client's, with `_` for `.`, as in `linger_ms=0`.
    """
    producer = _producer(bootstrap, settings)
    places = _send(producer, topic, messages)
    producer.flush(60)
    return _delivered(places)


def produce_transaction(
    bootstrap: str, topic: str, messages: Iterable[Message | bytes], *, commit: bool = True
) -> list[Place]:
    """Send records in one transaction of their own, and commit or abort it."""
    with open_transaction(bootstrap, topic, messages) as (producer, places):
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    return places


@contextmanager
def open_transaction(
    bootstrap: str, topic: str, messages: Iterable[Message | bytes]
) -> Iterator[tuple[Producer, list[Place]]]:
    """Records in a transaction that is still open in the block; it is aborted at the end if it still is."""
    settings = {"transactional_id": f"{topic}-{time.monotonic_ns()}", "transaction_timeout_ms": 60_000}
    producer = _producer(bootstrap, settings)
    producer.init_transactions(30)
    producer.begin_transaction()
    places = _send(producer, topic, messages)
    producer.flush(30)
    try:
        yield producer, _delivered(places)
    finally:
        _abort_if_open(producer)


def _abort_if_open(producer: Producer) -> None:
    try:
        producer.abort_transaction(30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._STATE:
            raise


def _producer(bootstrap: str, settings: Mapping[str, object]) -> Producer:
    chosen = {name.replace("_", "."): value for name, value in settings.items()}
    ordered = {"max.in.flight": 1}  # else a batch that is sent again lands behind the next one
    return Producer({"bootstrap.servers": bootstrap, "linger.ms": 5} | ordered | chosen)


def _send(producer: Producer, topic: str, messages: Iterable[Message | bytes]) -> list[Any]:
    """Hand all messages to the client; the list holds a place or an error for each when flushed."""
    reports: list[Any] = []
    for number, given in enumerate(messages):
        message = given if isinstance(given, Message) else Message(given)
        reports.append(None)

        def report(error: KafkaError | None, sent: Any, number: int = number) -> None:
            reports[number] = error or Place(sent.partition(), sent.offset())

        _hand_over(producer, topic, message, report)
    return reports


def _hand_over(producer: Producer, topic: str, message: Message, report: Callable[[Any, Any], None]) -> None:
    """Produce one message; a full buffer means wait."""
    value, key, partition, timestamp, headers = message
    while True:
        try:
            producer.produce(
                topic, value, key, partition, on_delivery=report, timestamp=timestamp, headers=list(headers)
            )
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _delivered(reports: list[Any]) -> list[Place]:
    refused = [report for report in reports if not isinstance(report, Place)]
    if refused:
        raise RuntimeError(f"{len(refused)} of {len(reports)} records not delivered: {refused[0]}")
    return [report for report in reports if isinstance(report, Place)]


def lasting(bootstrap: str, topic: str) -> float:
    """Seconds from the time of the first record of any partition to the latest time."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    partitions = list(admin.list_topics(topic, timeout=10).topics[topic].partitions)
    first = _found(admin, topic, partitions, OffsetSpec.for_timestamp(0))
    last = _found(admin, topic, partitions, OffsetSpec.max_timestamp())
    known = [found.timestamp for found in (*first.values(), *last.values()) if found.timestamp >= 0]
    return (max(known) - min(known)) / 1000


def _offsets(admin: AdminClient, topic: str, partitions: list[int], spec: OffsetSpec) -> dict[int, int]:
    return {number: found.offset for number, found in _found(admin, topic, partitions, spec).items()}


def _found(admin: AdminClient, topic: str, partitions: list[int], spec: OffsetSpec) -> dict[int, Any]:
    wanted = {TopicPartition(topic, partition): spec for partition in partitions}
    futures = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED)
    return {place.partition: future.result(20) for place, future in futures.items()}


def _soon(call: Callable[[], T]) -> T:
    """Call until the broker knows of what was just done (10 s at most)."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return call()
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _until(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the broker did not follow in time")
        time.sleep(0.05)
