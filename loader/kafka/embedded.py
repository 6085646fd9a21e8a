"""The broker inside this process, for `loader demo` and quick tests: librdkafka's mock cluster.

Its limits, all found by trying (librdkafka 2.16):
* every topic has 4 partitions; librdkafka offers no setting for another number;
* beyond 5 MiB a partition drops its oldest records without a word: whoever fills one must check that
  each partition still begins at offset 0 (`first_offsets`);
* it knows no topic ids, no `create_topics`, `describe_topics`, `delete_records`, no time look-up, and
  shows aborted transactions to readers of committed records;
* it lives as long as this object, and in this process's memory only.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, Producer, TopicPartition

from loader.errors import ConfigError

PARTITIONS = 4
PARTITION_BYTES = 5 << 20  # what a partition keeps
_PATIENCE = 10.0  # seconds; it answers within milliseconds


class EmbeddedBroker:
    """A context manager: `bootstrap` is the address while it is open."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        """Raise ConfigError for another number of partitions than the mock cluster gives."""
        if partitions != PARTITIONS:
            raise ConfigError(f"the in-process broker gives every topic {PARTITIONS} partitions")
        self.bootstrap = ""
        self._owner: Producer | None = None

    def __enter__(self) -> Self:
        self._owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._owner.list_topics(timeout=_PATIENCE).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner = None

    def make_topic(self, topic: str) -> int:
        """Make a topic by asking for it; return its number of partitions."""
        if self._owner is None:
            raise RuntimeError("the in-process broker is not open")
        return len(self._owner.list_topics(topic, timeout=_PATIENCE).topics[topic].partitions)

    def first_offsets(self, topic: str) -> dict[int, int]:
        """Return the first offset that each partition still has; above 0, records were dropped."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none", "log_level": 0})
        try:
            return {
                index: consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=_PATIENCE)[0]
                for index in range(PARTITIONS)
            }
        finally:
            consumer.close()
