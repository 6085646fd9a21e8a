"""A topic of a real broker as the engine's `Source`: all of its partitions, or a group's share.

The engine's thread asks and answers (identity, offsets, what an error means); the reader's thread
consumes. A batch run (`until_end`) freezes the last stable offsets when it begins to read and gives
nothing at or beyond them. Any failure of the reader ends this source: make a new one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from loader.errors import ActionNeeded, BrokerAway, OffsetsLost, Restart
from loader.guards import log_truncated, records_lost
from loader.kafka.acknowledging import Acknowledgements
from loader.kafka.faults import Meaning, action_needed
from loader.kafka.groups import Rebalances
from loader.kafka.handover import Failure, Handover, Request
from loader.kafka.identity import Broker
from loader.kafka.progress import Progress
from loader.kafka.reader import Fault, Reader
from loader.kafka.settings import LOG, consumer_settings, make_consumer, max_poll_seconds
from loader.model import Chunk, Identity, LogRange, Position, Span
from loader.ports import Begin

if TYPE_CHECKING:
    from loader.config import Config

LOOK_AGAIN = 30.0  # seconds between two looks at the topic while nothing is committed
OTHERS = 1.0  # seconds between two looks at what the rest of the group has acknowledged


@dataclass(frozen=True, slots=True)
class Limits:
    """What waits between the threads at most (about a batch), and what counts as too large."""

    bytes: int = 48 << 20
    records: int = 200_000
    message_bytes: int = 16 << 20
    memory: int = 1 << 30  # of the whole process; the client's own queue takes its share


class KafkaSource:
    """Implements `loader.ports.Source`."""

    def __init__(  # noqa: PLR0913 - plain parameters, so that nothing here knows the configuration
        self,
        bootstrap: str,
        topic: str,
        group: str,
        client: Mapping[str, str] | None = None,
        *,
        start: str | datetime = "earliest",
        join_group: bool = False,
        until_end: bool = False,
        embedded: bool = False,
        limits: Limits | None = None,
    ) -> None:
        """Connects to nothing yet. Raises ConfigError for settings that librdkafka refuses."""
        self._limits = limits or Limits()
        self._settings = consumer_settings(bootstrap, group, client, memory=self._limits.memory)
        self._broker = Broker(bootstrap, topic, group, client, embedded=embedded)
        self._topic = topic
        self._start = start
        self._join_group = join_group
        self._until_end = until_end
        self._embedded = embedded
        self._handover = Handover(self._limits.bytes, self._limits.records)
        self._reader: Reader | None = None
        self._is_open = False
        self._progress = Progress(topic)
        self._acknowledgements = Acknowledgements(topic)
        self._known: Identity | None = None
        self._at: dict[int, int] = {}
        self._partitions = 0
        self._looked = self._others_looked = time.monotonic()

    @classmethod
    def from_config(cls, config: Config, *, batch_run: bool, embedded: bool = False) -> KafkaSource:
        """The source that a configuration asks for; `batch_run` is `load`, otherwise `run`."""
        kafka, limits = config.kafka, config.limits
        return cls(
            kafka.bootstrap,
            kafka.topic,
            kafka.group,
            kafka.client_settings(),
            start=kafka.start,
            join_group=kafka.assign == "group" or (kafka.assign == "auto" and not batch_run),
            until_end=batch_run,
            embedded=embedded,
            limits=Limits(config.batch.bytes, config.batch.records, limits.message_bytes, limits.memory),
        )

    def identity(self) -> Identity:
        """As the port says; ActionNeeded when we may not look."""
        return self._broker.identity()

    def log(self, partitions: Collection[int]) -> dict[int, LogRange]:
        """As the port says; the end is the last stable offset."""
        return self._broker.log(partitions)

    def starts(self, partitions: Collection[int], *, follows: bool = False) -> dict[int, int]:
        """As the port says."""
        start = "earliest" if follows and self._start == "latest" else self._start
        return self._broker.starts(partitions, start)

    def acknowledged(self) -> dict[int, int]:
        """As the port says. Raises BrokerAway, ActionNeeded."""
        return self._broker.acknowledged()

    def read(self, timeout: float, begin: Begin) -> Chunk | None:
        """As the port says; the first call begins to read."""
        self._handover.settle()
        until = time.monotonic() + timeout
        if not self._is_open:
            self._open(begin)
            self._is_open = True
        self._look_around(begin)
        while True:
            item = self._handover.get(0.0 if self.finished else max(0.0, until - time.monotonic()))
            if item is None:
                self._look_at_others(begin)
                return None
            if isinstance(item, Chunk):
                self._at.update({span.partition: span.end for span in item.spans})
                return item
            if isinstance(item, Failure):
                self._handover.put(item)  # for whoever asks again
                raise self._explained(item.error) from item.error
            self._answer(item, begin)

    @property
    def finished(self) -> bool:
        """Whether everything below the frozen ends has been given (in a group: or is in the warehouse)."""
        return self._progress.ends is not None and not self._missing()

    def confirm(self) -> None:
        """As the port says, about 2 ms; notices new partitions. The in-process broker cannot tell."""
        if self._known and not self._embedded:
            self._partitions = self._broker.confirm(self._known).partitions
        self._looked = time.monotonic()

    def acknowledge(self, positions: Mapping[int, Position]) -> None:
        """As the port says; works during a rebalance and outside of a group too."""
        if self._reader and positions:
            self._acknowledgements.put(positions)

    def close(self) -> None:
        """As the port says; takes about 4 seconds at worst, when brokers hang."""
        self._handover.close()
        if self._reader:
            self._reader.close()
        self._broker.close()

    # beginning

    def _open(self, begin: Begin) -> None:
        self._known = self.identity()
        self._partitions = self._known.partitions
        every = range(self._known.partitions)
        positions = {} if self._join_group else dict(begin(every))
        ends = {p: log.end for p, log in self.log(every).items()} if self._until_end else None
        self._progress = Progress(self._topic, ends)
        self._at = {partition: at.offset for partition, at in positions.items()}
        self._compare_with_group(positions)
        if self.finished:  # nothing is new: no client is made to read with
            return
        self._reader = self._make_reader()
        self._reader.start({p: at for p, at in positions.items() if ends is None or at.offset < ends[p]})

    def _make_reader(self) -> Reader:
        max_poll = max_poll_seconds(self._settings)
        group = Rebalances(self._topic, self._handover, self._progress, self._acknowledgements, max_poll)
        return Reader(
            make_consumer(
                self._settings | {"on_commit": self._acknowledgements.answered}, self._broker.health.failed
            ),
            self._topic,
            self._handover,
            self._progress,
            self._broker.health,
            message_bytes=self._limits.message_bytes,
            acknowledgements=self._acknowledgements,
            group=group if self._join_group else None,
            patience=max_poll / 3,
        )

    def _answer(self, request: Request, begin: Begin) -> None:
        try:
            positions = begin(request.partitions)
        except BaseException:
            self._handover.answer(request, None)
            raise
        self._at.update({partition: at.offset for partition, at in positions.items()})
        self._handover.answer(request, positions)
        self._compare_with_group(positions)

    def _compare_with_group(self, begun: Mapping[int, Position]) -> None:
        """Say where Kafka's group stands elsewhere than the warehouse, which alone decides.

        Behind is usual after a kill or in a rebalance, ahead means that somebody moved it, or restored the
        warehouse. A group that cannot be asked is no failure.
        """
        try:
            group = {} if self._embedded else self._broker.acknowledged()
        except (BrokerAway, ActionNeeded) as failure:
            LOG.info("the offsets of the group cannot be compared: %s", failure)
            return
        for partition, position in sorted(begun.items()):
            theirs, ours = group.get(partition, position.offset), position.offset
            if theirs != ours:
                level = logging.WARNING if theirs > ours else logging.INFO
                words = "the group's offset in Kafka is %s instead of %s, which is the warehouse's and counts"
                LOG.log(level, f"%s[%s]: {words}", self._topic, partition, theirs, ours)

    # looking around

    def _look_around(self, begin: Begin) -> None:
        """See now and then that the topic is still there and whole, and whether it has more partitions."""
        if self._known is None:
            return
        if time.monotonic() - self._looked > LOOK_AGAIN:
            self.confirm()
            self._look_at_ends()
        if self._until_end:
            return
        new = range(self._known.partitions, self._partitions)
        if new and not self._join_group and self._reader:
            LOG.info("%s has new partitions: %s", self._topic, list(new))
            self._reader.add(begin(new))
            self._known = replace(self._known, partitions=self._partitions)

    def _missing(self) -> set[int]:
        ends = self._progress.ends or {}
        return {partition for partition, end in ends.items() if self._at.get(partition, -1) < end}

    def _look_at_ends(self) -> None:
        """A log that has shrunk below a frozen end would never be read up to it. Raises OffsetsLost."""
        ends = self._progress.ends or {}
        for partition, log in self.log(ends).items():
            if log.end < ends[partition]:
                message = f"the log ended at {ends[partition]} and ends at {log.end} now: it was truncated"
                address, hint = f"{self._topic}[{partition}]@{log.end}", "loader load, which compares anew"
                raise OffsetsLost(message, address=address, hint=hint)

    def _look_at_others(self, begin: Begin) -> None:
        """In a batch run of a group, what we do not own is done when the warehouse has it."""
        missing = self._missing()
        late = time.monotonic() - self._others_looked > OTHERS
        if not (missing and late and self._join_group) or missing & self._progress.owned:
            return
        self._others_looked = time.monotonic()
        self._at.update({partition: at.offset for partition, at in begin(sorted(missing)).items()})

    # what went wrong

    def _explained(self, error: Exception) -> Exception:
        """The error to raise for what ended the reader. Raises what asking the broker raises."""
        if not isinstance(error, Fault):
            return error
        address = self._topic
        if error.partition >= 0:
            address += f"[{error.partition}]" + (f"@{error.offset}" if error.offset >= 0 else "")
        if error.meaning is Meaning.PERSON:
            return action_needed(error.code, str(error), address)
        if error.meaning in (Meaning.LOOK, Meaning.RANGE):
            self.confirm()
        if error.meaning is Meaning.RANGE:
            return self._lost(error, address)
        return Restart(f"{address}: {error}")

    def _lost(self, fault: Fault, address: str) -> Exception:
        at = fault.offset if fault.offset >= 0 else self._at.get(fault.partition, 0)
        try:
            log = self.log([fault.partition])[fault.partition]
        except BrokerAway as away:
            return away
        if at < log.low:
            return records_lost(self._topic, [Span(fault.partition, at, log.low)])
        if at > log.end:
            return log_truncated(self._topic, [Span(fault.partition, log.end, at)])
        what = f"the broker does not give offset {at}, though the log holds {log.low} to {log.end}"
        return OffsetsLost(f"{what}: {fault}", address=address, hint="look at the broker's log")
