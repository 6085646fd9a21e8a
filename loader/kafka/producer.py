"""Sending records to a topic: idempotent, counted to the last one, as fast as the client can.

Successes are not reported one by one (that costs a callback each): the client reports errors only, and
what is neither refused nor still in its queue has been acknowledged.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from loader.errors import ActionNeeded, BrokerAway, ConfigError, RecordsRefused, TopicMissing

PATIENCE = 30.0  # seconds without any answer before the broker counts as away
HOPELESS = 1_000  # refused records, none accepted: the rest would fare no better
_STEP = 0.1  # seconds to wait for the client at a time
_TICK = 0.002  # and the least: it counts whole milliseconds, less would spin; what is late is caught up

TUNING: dict[str, Any] = {
    "linger.ms": 20,
    "compression.type": "lz4",
    "batch.num.messages": 10_000,
    "batch.size": 1_000_000,  # bytes
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 131_072,
    "message.max.bytes": 100_000_000,  # the broker decides
    "partitioner": "murmur2_random",  # as Java clients do: a key always lands in the same partition
    "socket.timeout.ms": 10_000,  # leaves a hung broker sooner than the default of 60 s
    "log_level": 2,  # errors come through error_cb; stderr belongs to the progress bar
}


Outgoing = tuple[bytes | None, bytes | None, int | None, dict[str, bytes | None] | None]
"""Key (it decides the partition), value (None: a tombstone), recorded time in ms since 1970, headers."""


class Pace(Protocol):
    """Says when a record is due."""

    def wait(self, sent: int, timestamp_ms: int | None) -> float:
        """Return the seconds to wait before the next record."""


@dataclass(frozen=True, slots=True)
class SendReport:
    """What became of the records: `sent = acknowledged + refused`; bytes of keys and values, seconds."""

    sent: int
    acknowledged: int
    refused: int
    by_error: dict[str, int]
    bytes: int
    seconds: float


Progress = Callable[[int, int], None]  # sent, acknowledged


def send(  # noqa: PLR0913 - what, whereto, how fast, and who watches
    blocks: Iterable[Iterable[Outgoing]],
    settings: Mapping[str, Any],
    topic: str,
    pacing: Pace | None = None,
    on_progress: Progress | None = None,
    *,
    patience: float = PATIENCE,
    recorded_time: bool = False,
) -> SendReport:
    """Send all records and wait until the broker has answered for each.

    `settings` are the client's (bootstrap.servers, security). Without `pacing` all is due at once. Records
    get the time of sending, with `recorded_time` their own. Raises TopicMissing before anything is sent,
    BrokerAway after `patience` seconds without an answer, RecordsRefused at the end if the broker did not
    take them all.
    """
    sender = Sender(settings, topic, on_progress, patience=patience, recorded_time=recorded_time)
    sender.check_topic()
    for block in blocks:
        sender.put(block, pacing)
    sender.drain()
    report = sender.report()
    if report.refused:
        raise RecordsRefused(_refusal(report), address=topic)
    return report


def _refusal(report: SendReport) -> str:
    causes = ", ".join(f"{count} {name}" for name, count in sorted(report.by_error.items()))
    return f"{report.refused} of {report.sent} records refused: {causes}; {report.acknowledged} acknowledged"


class Sender:
    """One producer for one topic, and its counts."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        topic: str,
        on_progress: Progress | None = None,
        *,
        patience: float = PATIENCE,
        recorded_time: bool = False,
    ) -> None:
        self.sent, self.bytes = 0, 0
        self.by_error: Counter[str] = Counter()
        self._topic, self._on_progress = topic, on_progress
        self._recorded_time, self._patience, self._clock = recorded_time, patience, time.monotonic
        self._cause = ""
        self._producer = self._connect(settings)
        self._start = self._last_move = self._clock()
        self._last_answered = self._told = 0

    def _connect(self, settings: Mapping[str, Any]) -> Producer:
        ours = {
            "enable.idempotence": True, "acks": "all", "allow.auto.create.topics": False,
            "delivery.report.only.error": True, "on_delivery": self._refused, "error_cb": self._trouble,
        }  # fmt: skip
        try:
            return Producer({**TUNING, **settings, **ours})
        except (KafkaException, ValueError, TypeError) as error:
            raise ConfigError(f"the client refuses its settings: {error}", address="kafka.client") from error

    def _refused(self, error: KafkaError, _message: object) -> None:
        self.by_error[error.name()] += 1

    def _trouble(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._cause:
            self._cause = error.str()

    @property
    def refused(self) -> int:
        """Records that will never arrive, so far."""
        return self.by_error.total()

    @property
    def acknowledged(self) -> int:
        """Records that the broker has taken, so far; a refusal not yet reported counts as queued."""
        return max(self.sent - len(self._producer) - self.refused, 0)

    def check_topic(self) -> None:
        """Raise TopicMissing, or BrokerAway if nobody answers in time."""
        try:
            found = self._producer.list_topics(self._topic, timeout=self._patience).topics[self._topic]
        except KafkaException as error:
            self._producer.poll(0)  # fetches the cause from error_cb
            raise BrokerAway(self._away(error.args[0].str()), address=self._topic) from error
        if found.error is None:
            return
        if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            hint = "create it on the broker first: the loader never creates a topic"
            raise TopicMissing("the topic does not exist", address=self._topic, hint=hint)
        hint = "look at the topic, and at the rights of this user"
        raise ActionNeeded(found.error.str(), address=self._topic, hint=hint)

    def _away(self, reason: str) -> str:
        return f"no answer from the broker: {self._cause or reason}"

    def put(self, block: Iterable[Outgoing], pacing: Pace | None = None) -> None:
        """Hand a block to the client, each record when it is due; waits while the client's queue is full."""
        produce, topic, timed = self._producer.produce, self._topic, self._recorded_time
        self._check()  # where all before it is answered patience begins anew
        size = 0
        for record in block:
            key, value, timestamp_ms, headers = record
            if pacing:
                self._wait(pacing, timestamp_ms)
            try:
                if timed or headers:
                    produce(topic, value, key, **_extras(timestamp_ms if timed else None, headers))
                else:
                    produce(topic, value, key)
            except (BufferError, KafkaException) as error:
                self._again(error, record)
            self.sent += 1
            size += len(value or b"") + len(key or b"")
        self.bytes += size
        self._step(0)

    def _wait(self, pacing: Pace, timestamp_ms: int | None) -> None:
        while (seconds := pacing.wait(self.sent, timestamp_ms)) > 0:
            self._step(min(max(seconds, _TICK), _STEP))

    def _again(self, error: Exception, record: Outgoing) -> None:
        """Try again while the queue is full; any other error is a refusal by the client itself."""
        key, value, timestamp_ms, headers = record
        extras = _extras(timestamp_ms if self._recorded_time else None, headers)
        while isinstance(error, BufferError):
            self._step(_STEP)
            try:
                self._producer.produce(self._topic, value, key, **extras)
            except (BufferError, KafkaException) as again:
                error = again
            else:
                return
        self._refused(error.args[0], None)

    def _step(self, seconds: float) -> None:
        self._producer.poll(seconds)
        self._check()

    def _check(self) -> None:
        """Tell the progress; raise if nothing moves any more."""
        self._told = max(self._told, self.acknowledged)  # events of the client count as waiting for a moment
        if self._on_progress:
            self._on_progress(self.sent, self._told)
        waiting, now = len(self._producer), self._clock()
        answered = self.sent - waiting
        if answered != self._last_answered or not waiting:
            self._last_answered, self._last_move = answered, now
        if now - self._last_move > self._patience or self.by_error["_MSG_TIMED_OUT"]:
            self._give_up()
        if self.refused >= HOPELESS and not self.acknowledged:
            self._stop(RecordsRefused(_refusal(self.report()), address=self._topic))

    def _give_up(self) -> NoReturn:
        text = f"{self._away('nothing was acknowledged in time')}; of {self.sent} records {self.acknowledged}"
        self._stop(BrokerAway(f"{text} are known to have arrived", address=self._topic))

    def _stop(self, error: Exception) -> NoReturn:
        self._producer.purge()
        raise error

    def drain(self) -> None:
        """Wait until every record is answered."""
        while self._producer.flush(_STEP):
            self._check()
        self._check()

    def report(self) -> SendReport:
        """Return the counts so far."""
        seconds = self._clock() - self._start
        by_error = dict(self.by_error)
        return SendReport(self.sent, self.acknowledged, self.refused, by_error, self.bytes, seconds)


def _extras(timestamp_ms: int | None, headers: dict[str, bytes | None] | None) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if headers:
        extras["headers"] = list(headers.items())
    if timestamp_ms is not None:
        extras["timestamp"] = timestamp_ms
    return extras
