"""What the broker knows about a topic: its identity, what its log holds, where to begin.

Everything here is asked afresh, bounded in time, and never creates a topic. The in-process broker
of librdkafka (`embedded`) cannot describe topics: there identity is empty and the log is asked for
its watermarks; nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import ConfigResource, OffsetSpec

from loader.errors import LoaderError, TopicMissing, TopicReplaced
from loader.guards import taking_over
from loader.kafka.faults import WORDS, Health, action_needed, code_of
from loader.kafka.settings import admin_settings, consumer_settings, make_admin, make_consumer
from loader.model import Identity, LogRange

ANSWER = 5.0  # seconds in which a broker has to answer
METADATA = 2.0  # in which any broker that is up gives the metadata
YOUNG = 2.0  # seconds in which a topic just created may still be unknown to a broker
AGAIN = 0.1  # seconds between two questions about such a topic
UNKNOWN = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)
MOMENTARY = (
    *UNKNOWN,
    KafkaError._NOENT,  # "No leaders found"
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
OF_MEMBERS = frozenset({
    "group.protocol", "group.remote.assignor", "heartbeat.interval.ms",
    "max.poll.interval.ms", "session.timeout.ms",
})  # fmt: skip
"""Settings of a group's members; without their protocol some do not fit together."""
A = TypeVar("A")


class Broker:
    """Questions about one topic and one group; keeps one admin client alive."""

    def __init__(  # noqa: PLR0913 - the address of a topic
        self,
        bootstrap: str,
        topic: str,
        group: str,
        client: Mapping[str, str] | None = None,
        *,
        embedded: bool = False,
        answer: float = ANSWER,
    ) -> None:
        """`answer` is in seconds. Raises ConfigError for a setting that librdkafka refuses."""
        self.topic = topic
        self.group = group
        self.health = Health(bootstrap)
        self._answer = answer
        self._embedded = embedded
        self._settings = consumer_settings(bootstrap, group, client)
        self._admin = make_admin(admin_settings(bootstrap, client), self.health.failed)
        self._consumer: Consumer | None = None

    def identity(self) -> Identity:
        """Which topic this is. Raises TopicMissing, BrokerAway, ActionNeeded (not allowed)."""
        if self._embedded:
            return Identity("", self.topic, "", len(self._asked(self._metadata)))
        described = self._asked(self._describe)
        cluster = self._asked(lambda: self._admin.cluster_id(timeout=self._answer))
        return Identity(str(cluster or ""), self.topic, str(described.topic_id), len(described.partitions))

    def confirm(self, known: Identity) -> Identity:
        """The identity now, if the topic is still `known`. Raises TopicReplaced, as `identity`."""
        now = self.identity()
        if known.topic_id and now.topic_id != known.topic_id:
            message = f"deleted and created again: the topic's id is {now.topic_id}, was {known.topic_id}"
            raise TopicReplaced(message, address=self.topic, hint=taking_over(now))
        return now

    def log(self, partitions: Collection[int]) -> dict[int, LogRange]:
        """Low watermark and last stable offset of each partition. Raises as `identity`."""
        if self._embedded:
            return self._asked(lambda: {p: self._watermarks(p) for p in partitions})
        low = self._offsets(partitions, OffsetSpec.earliest())
        end = self._offsets(partitions, OffsetSpec.latest())
        return {partition: LogRange(low[partition], end[partition]) for partition in partitions}

    def starts(self, partitions: Collection[int], start: str | datetime) -> dict[int, int]:
        """Where to begin: `earliest`, `latest` or a time (without a zone: UTC). Raises as `identity`.

        The first record at or after the time; the end of the log where there is none.
        """
        log = self.log(partitions)
        if start == "earliest":
            return {partition: log[partition].low for partition in partitions}
        if start == "latest" or self._embedded:  # the in-process broker knows no times
            return {partition: log[partition].end for partition in partitions}
        found = self._offsets(partitions, OffsetSpec.for_timestamp(_milliseconds(start)))
        return {p: log[p].end if found[p] < 0 else min(found[p], log[p].end) for p in partitions}

    def acknowledged(self) -> dict[int, int]:
        """What the group has on record for the topic. Raises BrokerAway, ActionNeeded."""
        wanted = [TopicPartition(self.topic, p) for p in range(self.identity().partitions)]
        found = self._asked(lambda: self._committed(wanted), of_any=False)
        return {tp.partition: tp.offset for tp in found if tp.offset >= 0}

    def lower(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Set the group's offsets back to these where they are ahead; which were. Raises as `acknowledged`.

        A group with members is left alone by the broker: ActionNeeded or BrokerAway with its words.
        """
        known = self.acknowledged()
        ahead = {partition: at for partition, at in positions.items() if known.get(partition, 0) > at}
        if ahead:
            places = [TopicPartition(self.topic, partition, at) for partition, at in ahead.items()]
            self._asked(lambda: self._altered([ConsumerGroupTopicPartitions(self.group, places)]))
        return ahead

    def is_compacted(self) -> bool:
        """Whether old records of the topic may vanish one by one. Raises as `identity`."""
        if self._embedded:
            return False
        resource = ConfigResource(ConfigResource.Type.TOPIC, self.topic)
        found = self._asked(lambda: self._result(self._admin.describe_configs([resource])[resource]))
        return "compact" in str(found["cleanup.policy"].value)

    def close(self) -> None:
        """Let go of the connections."""
        if self._consumer:
            self._consumer.close()
            self._consumer = None

    # how to ask

    def _asked(self, question: Callable[[], A], *, of_any: bool = True) -> A:
        """The answer, asked again while the broker may still be learning; errors in plain words.

        What any broker of the cluster can tell (`of_any`) is asked a second time where no answer came: the
        client may have chosen one that has just gone, and asks another one after new metadata only. Where
        nobody gives these, there is nobody to ask.
        """
        until, silent = time.monotonic() + YOUNG, not of_any
        while True:
            try:
                answer = question()
            except (KafkaException, TimeoutError) as failure:
                self._admin.poll(0)  # brings the causes to Health
                code = code_of(failure)
                if code == KafkaError._TIMED_OUT and not silent and self._renewed():
                    silent = True
                elif code not in MOMENTARY or time.monotonic() > until:
                    raise self._explained(failure) from failure
                else:
                    time.sleep(AGAIN)
            else:
                self._admin.poll(0)
                self.health.answered()
                return answer

    def _renewed(self) -> bool:
        try:
            self._admin.list_topics(timeout=min(self._answer, METADATA))  # all: one alone might be created
        except KafkaException:
            return False
        return True

    def _explained(self, failure: Exception) -> LoaderError:
        code = code_of(failure)
        if code in UNKNOWN:
            message = "the topic does not exist, and the loader never creates it"
            return TopicMissing(message, address=self.topic, hint="correct kafka.topic, or create it")
        if code in WORDS:
            return action_needed(code, str(failure), self.topic)
        return self.health.explain(str(failure))

    def _describe(self) -> Any:
        futures = self._admin.describe_topics(TopicCollection([self.topic]), request_timeout=self._answer)
        return self._result(futures[self.topic])

    def _offsets(self, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(self.topic, partition): spec for partition in partitions}
        return self._asked(lambda: self._listed(wanted)) if wanted else {}

    def _listed(self, wanted: dict[TopicPartition, OffsetSpec]) -> dict[int, int]:
        futures = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._answer
        )
        return {tp.partition: self._result(future).offset for tp, future in futures.items()}

    def _committed(self, wanted: list[TopicPartition]) -> list[TopicPartition]:
        """Asked as a consumer, which joins nothing.

        The admin client's own call ends the process (SIGSEGV, without a word) where the broker says that it
        does not coordinate the group yet: librdkafka's issue 5040.
        """
        return list(self._lookup().committed(wanted, timeout=self._answer))

    def _altered(self, request: list[ConsumerGroupTopicPartitions]) -> None:
        futures = self._admin.alter_consumer_group_offsets(request, request_timeout=self._answer)
        for place in self._result(futures[self.group]).topic_partitions:
            if place.error is not None:
                raise KafkaException(place.error)

    def _result(self, future: Future[Any]) -> Any:
        return future.result(self._answer + 1)

    # what only a consumer can ask

    def _metadata(self) -> Mapping[int, Any]:
        topic = self._lookup().list_topics(self.topic, timeout=self._answer).topics[self.topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        return dict(topic.partitions)

    def _watermarks(self, partition: int) -> LogRange:
        wanted = TopicPartition(self.topic, partition)
        found = self._lookup().get_watermark_offsets(wanted, timeout=self._answer, cached=False)
        if found is None:
            raise TimeoutError
        return LogRange(int(found[0]), int(found[1]))

    def _lookup(self) -> Consumer:
        """A consumer that never subscribes; with the protocol `consumer` it would ask as a member."""
        if not self._consumer:
            settings = {name: value for name, value in self._settings.items() if name not in OF_MEMBERS}
            self._consumer = make_consumer(settings, self.health.failed)
        return self._consumer


def _milliseconds(moment: str | datetime) -> int:
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)
