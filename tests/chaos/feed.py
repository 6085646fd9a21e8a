"""The producer: a thread that sends the stream at a steady rate, keeps a journal, and aborts transactions."""

from __future__ import annotations

import random
import threading
import time
from itertools import islice
from typing import Any

from confluent_kafka import KafkaException, Producer

from tests.chaos.stream import Item, phantoms, stream
from tests.oracle.journal import Sent, digest

TICK = 0.05  # seconds between two bursts
TRANSACTIONS = 0.02  # the share of ticks in which a transaction is made; it holds the end of the log back
ABORTED = 0.5  # the share of transactions that are aborted
LARGEST = 60  # records in a transaction
PATIENCE = 120.0  # seconds in which the broker has to answer


class Feed(threading.Thread):
    """Sends as many records as were granted. `journal` is complete when `finish` has returned."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, seed: int, rate: float) -> None:
        super().__init__(name="feed", daemon=True)
        self.journal: list[Sent] = []
        self.ends: dict[int, int] = {}  # the log reaches so far at least, by partition
        self.problem: Exception | None = None
        self._topic, self._rate, self._granted = topic, rate, 0
        self._stream, self._phantoms = stream(seed, partitions), phantoms(seed, partitions)
        self._chance = random.Random(f"feed {seed}")
        self._over = threading.Event()
        common = {"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0}
        self._plain = Producer({**common, "enable.idempotence": True})
        self._careful = Producer({**common, "transactional.id": f"{topic}-feed"})

    def grant(self, records: int) -> None:
        """Let it send so many more."""
        self._granted += records

    def finish(self) -> list[Sent]:
        """Stop sending, wait for all reports, and return the journal. Raises what went wrong."""
        self._over.set()
        self.join()
        if self.problem:
            raise self.problem
        return self.journal

    def run(self) -> None:
        """Send until it is over; what goes wrong is for `finish`."""
        try:
            self._careful.init_transactions(PATIENCE)
            self._send_all()
            if waiting := self._plain.flush(PATIENCE):
                raise TimeoutError(f"{waiting} records without a report")  # noqa: TRY301 - one way out
        except Exception as problem:  # noqa: BLE001 - another thread raises it
            self.problem = problem

    def _send_all(self) -> None:
        sent, due, last = 0, 0.0, time.monotonic()
        while not self._over.wait(TICK):
            now = time.monotonic()
            due, last = max(0.0, min(due + (now - last) * self._rate, self._granted - sent)), now
            if self._chance.random() < TRANSACTIONS and due > 1:
                sent += self._transaction(min(int(due), LARGEST))
            for item in islice(self._stream, int(due)):
                self._produce(self._plain, item, self.journal)
                sent += 1
            due -= int(due)
            self._plain.poll(0)

    def _transaction(self, most: int) -> int:
        """Records in a transaction that is committed, or phantoms in one that is aborted."""
        abort, count = self._chance.random() < ABORTED, self._chance.randint(1, most)
        reports: list[Sent] = []
        self._careful.begin_transaction()
        for item in islice(self._phantoms if abort else self._stream, count):
            self._produce(self._careful, item, reports)
        if waiting := self._careful.flush(PATIENCE):
            raise TimeoutError(f"{waiting} records of a transaction without a report")
        if abort or not self._committed():
            self._settle(self._careful.abort_transaction)
            reports = [report._replace(kind="aborted") for report in reports]
        self.journal += reports
        return 0 if abort else count

    def _committed(self) -> bool:
        """Commit; whether it came to that. A transaction that must be aborted is not committed."""
        try:
            self._settle(self._careful.commit_transaction)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            return False
        return True

    @staticmethod
    def _settle(call: Any) -> None:
        """Commit or abort, again and again while the broker is away."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return call(10)
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise

    def _produce(self, producer: Producer, item: Item, into: list[Sent]) -> None:
        def report(error: Any, message: Any) -> None:
            if error is not None:
                self.problem = KafkaException(error)
                return
            partition, offset = message.partition(), message.offset()
            self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)
            into.append(Sent(partition, offset, item.id, digest(item.value), item.kind))

        producer.produce(self._topic, item.value, partition=item.partition, on_delivery=report)
