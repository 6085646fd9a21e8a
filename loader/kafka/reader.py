"""The one thread that consumes: messages become chunks and go into the hand-over queue.

It never asks the broker anything but whether it is there. Whatever it cannot deal with goes into
the queue as a failure, behind the data read before it, and the thread ends: the engine's thread
finds out what it means. It waits while the queue is full, because `pause` and `resume` throw the
client's own queue away; only a member of a group that would be thrown out pauses and polls.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from loader.errors import Restart
from loader.kafka.acknowledging import Acknowledgements, positions_of
from loader.kafka.chunks import to_batches
from loader.kafka.faults import Health, Meaning, meaning
from loader.kafka.groups import Rebalances
from loader.kafka.handover import Failure, Handover
from loader.kafka.progress import Progress, last_offsets
from loader.model import Chunk, Position, empty_records, next_offset

MESSAGES = 2_000  # per call: more do not stay in the processor's cache
CHUNK_BYTES = 8 << 20  # aimed at: large messages come in fewer
POLL = 0.05  # seconds a call waits for messages; also the longest delay at the end of a batch run
STREAM_POLL = 0.1  # in a stream: of a trickle each call makes a chunk, which costs 1 to 2 ms of the processor
QUIET = 10.0  # seconds without a sign of the broker after which we ask whether it is there
ANSWER = 5.0  # seconds in which it has to answer
END = 2.0  # seconds to wait for the thread or the client to end


class Fault(Exception):
    """A message that is an error: what it means is found out by asking the broker."""

    def __init__(self, message: Message) -> None:
        error = _error(message)
        super().__init__(str(error.str()))
        self.code = int(error.code())
        self.meaning = meaning(error)
        self.partition = _number(message.partition())
        self.offset = _number(message.offset())


class Reader:
    """Consumes until it is closed or fails. All but `add` and `close` is its own thread's."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        consumer: Consumer,
        topic: str,
        handover: Handover,
        progress: Progress,
        health: Health,
        *,
        message_bytes: int,
        acknowledgements: Acknowledgements,
        group: Rebalances | None = None,
        patience: float = 60.0,
    ) -> None:
        """`patience`: seconds of waiting for room after which a member of a group pauses and polls."""
        self._consumer = consumer
        self._topic = topic
        self._handover = handover
        self._progress = progress
        self._health = health
        self._message_bytes = message_bytes
        self._acknowledgements = acknowledgements
        self._group = group
        self._patience = patience
        self._count = MESSAGES // 10  # until the size of messages is known
        self._poll = STREAM_POLL if progress.ends is None else POLL
        self._new: dict[int, Position] = {}
        self._lock = threading.Lock()
        self._held: list[Message] = []
        self._spent = 0.0  # seconds of the processor, up to the last chunk
        self._heard = self._called = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="kafka-reader", daemon=True)

    def start(self, positions: Mapping[int, Position]) -> None:
        """Begin reading: these partitions, or what the group gives us."""
        self._new.update(positions)
        self._thread.start()

    def add(self, positions: Mapping[int, Position]) -> None:
        """Read these partitions too, soon."""
        with self._lock:
            self._new.update(positions)

    def close(self) -> None:
        """End the thread, leave the group; bounded in time, what hangs is left behind."""
        self._handover.close()
        if self._thread.ident is not None:
            self._thread.join(END)
        if not self._thread.is_alive():
            closing = threading.Thread(target=self._consumer.close, name="kafka-close", daemon=True)
            closing.start()
            closing.join(END)

    # the thread

    def _run(self) -> None:
        try:
            if self._group:
                self._group.subscribe(self._consumer)
            while not self._handover.closed:
                self._step()
            self._acknowledgements.send(self._consumer, at_once=True)
        except Exception as failure:  # noqa: BLE001 - carried to the engine's thread and raised there
            self._handover.put(Failure(failure))

    def _step(self) -> None:
        self._begin_new()
        self._acknowledgements.send(self._consumer)
        messages = self._consume()
        events = [message for message in messages if message.error() is not None]
        if events:
            messages = [message for message in messages if message.error() is None]
        if messages or events:
            self._give(messages, [event for event in events if _is_end(event)])
            self._raise_faults(events)
            self._let_go_of_ended()
        self._wait_for_room()

    def _begin_new(self) -> None:
        with self._lock:
            new, self._new = self._new, {}
        if new:
            self._progress.own(new)
            self._consumer.incremental_assign(positions_of(self._topic, new))

    def _consume(self) -> list[Message]:
        if self._group:
            self._group.next_call()
        held, self._held = self._held, []
        self._called = time.monotonic()
        try:
            messages = held + self._consumer.consume(self._count, self._poll)
        except (Restart, MemoryError):
            raise
        except Exception as failure:
            message = f"the client failed, what it has read is unknown: {failure}"
            raise Restart(message) from failure
        self._listen(heard=bool(messages))
        return messages

    def _give(self, messages: list[Message], ends: list[Message]) -> None:
        batches = to_batches(messages, self._message_bytes) if messages else [empty_records()]
        for records in batches[:-1]:
            self._put(records, {p: (next_offset(last), -1) for p, last in last_offsets(records).items()})
        self._put(batches[-1], self._positions(batches[-1], ends))
        size = sum(records.get_total_buffer_size() for records in batches) // max(1, len(messages))
        if messages:
            self._count = max(1, min(MESSAGES, CHUNK_BYTES // max(1, size)))

    def _positions(self, records: pa.RecordBatch, ends: list[Message]) -> dict[int, tuple[int, int]]:
        """Where the consumer stands in the partitions that have moved, with leader epochs."""
        last = last_offsets(records)
        found = {partition: (next_offset(offset), -1) for partition, offset in last.items()}
        for event in ends:
            partition = _number(event.partition())
            mark = (_number(event.offset()), _number(event.leader_epoch()))
            found[partition] = max(found.get(partition, mark), mark)
        wanted = [TopicPartition(self._topic, partition) for partition in found]
        for at in self._consumer.position(wanted) if wanted else ():
            mark = (at.offset, _number(at.leader_epoch))
            found[at.partition] = max(found[at.partition], mark)
        return found

    def _put(self, records: pa.RecordBatch, positions: Mapping[int, tuple[int, int]]) -> None:
        ours = self._progress.ours(records)
        spans = self._progress.spans((p, offset, epoch) for p, (offset, epoch) in positions.items())
        if spans:
            before, self._spent = self._spent, time.thread_time()
            self._handover.put(Chunk(ours, spans, arrived=self._called, seconds=self._spent - before))

    def _raise_faults(self, events: list[Message]) -> None:
        for event in events:
            if not _is_end(event) and meaning(_error(event)) is not Meaning.WAIT:
                raise Fault(event)

    def _let_go_of_ended(self) -> None:
        """A batch run does not fetch what lies behind its frozen ends."""
        ended = self._progress.reached() if self._progress.ends is not None and not self._group else ()
        if ended:
            self._progress.drop(ended)
            self._consumer.incremental_unassign([TopicPartition(self._topic, p) for p in sorted(ended)])

    def _wait_for_room(self) -> None:
        while not self._handover.wait_for_room(self._patience):
            if self._group:
                self._poll_paused()

    def _poll_paused(self) -> None:
        """Stay a member of the group while there is no room: rebalances are served, nothing is read."""
        while not self._handover.wait_for_room(0.0):
            self._consumer.pause(self._consumer.assignment())
            self._held = self._consume()  # gives what is held, too
            self._handover.wait_for_room(1.0)
        self._consumer.resume(self._consumer.assignment())

    def _listen(self, *, heard: bool) -> None:
        """Raise BrokerAway or ActionNeeded when the broker is silent and does not answer either."""
        if heard:
            self._heard = time.monotonic()
            self._health.answered()
            return
        if self._health.refused():
            raise self._health.explain("the broker refuses us")
        if time.monotonic() - self._heard > QUIET:
            self._ask_whether_there()

    def _ask_whether_there(self) -> None:
        try:
            self._consumer.list_topics(self._topic, timeout=ANSWER)
        except KafkaException as failure:
            raise self._health.explain(f"no broker answers: {failure}") from failure
        self._health.answered()
        self._heard = time.monotonic()


def _is_end(message: Message) -> bool:
    return bool(_error(message).code() == KafkaError._PARTITION_EOF)


def _error(message: Message) -> KafkaError:
    return cast("KafkaError", message.error())  # asked of events only


def _number(number: int | None) -> int:
    return -1 if number is None else number
