"""Put source, warehouse and engine together for `load` and `run`."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from loader.batching import Batcher, BatchPolicy
from loader.cli.lean import lean_memory
from loader.engine import Observer, load, supervise
from loader.guards import not_loaded_elsewhere
from loader.model import Span
from loader.observe.logs import logger
from loader.observe.several import Several
from loader.observe.tally import Tally
from loader.stopping import Stop

if TYPE_CHECKING:
    from pathlib import Path

    from loader.config import Config

BATCH_UNREACHABLE = 30.0  # seconds, where limits.unreachable is not set
STREAM_UNREACHABLE = 600.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the command line says about one run."""

    batch_run: bool
    max_records: int | None = None
    max_seconds: float | None = None
    accept_quarantine: bool = False
    new_warehouse: bool = False
    accept_loss: tuple[Span, ...] = ()
    new_topic: str = ""
    embedded: bool = False  # the demo's in-process broker, which cannot tell topic ids


def stream(
    config: Config,
    bounds: Bounds,
    farewell: Callable[[dict[str, Any]], None] = lambda _: None,
    observers: Sequence[Observer] = (),
) -> tuple[dict[str, Any], int]:
    """Load until caught up, stopped or at a limit; the result and the signal that stopped it (or 0).

    `farewell` gets the result if the process must end before this function can return. `observers` hear
    of everything.
    """
    stop = Stop(
        time.monotonic,
        batch_run=bounds.batch_run,
        max_records=bounds.max_records,
        max_seconds=bounds.max_seconds,
        unreachable=_unreachable(config, batch_run=bounds.batch_run),
        new_warehouse=bounds.new_warehouse,
        accept_loss=bounds.accept_loss,
        new_topic=bounds.new_topic,
    )
    tally = Tally(stop)

    def say_farewell() -> None:
        farewell(tally.result(config.pipeline, "stopped"))

    with lean_memory(), Signals(stop, config.limits.stop, say_farewell) as signals:
        observer = Several(tally, *observers)
        supervise(lambda: _attempt(config, bounds, stop, observer), stop, observer, time.sleep)
    outcome = "stopped" if stop.requested else "limit_reached" if stop.limit_reached() else "caught_up"
    return tally.result(config.pipeline, outcome), signals.received


def _unreachable(config: Config, *, batch_run: bool) -> float:
    """Seconds until broker or warehouse are given up; 0 means at the first failure."""
    if config.limits.unreachable is not None:
        return config.limits.unreachable
    return BATCH_UNREACHABLE if batch_run else STREAM_UNREACHABLE


@contextmanager
def _attempt(config: Config, bounds: Bounds, stop: Stop, observer: Observer) -> Iterator[Callable[[], None]]:
    """A fresh warehouse and a fresh source, closed at the end whatever happens."""
    from loader.cli.courier import Courier, topics
    from loader.kafka.delivery import Delivery
    from loader.kafka.source import KafkaSource
    from loader.warehouse.store import DuckWarehouse

    policy = BatchPolicy(config.batch.records, config.batch.bytes, config.batch.wait)
    if not (bounds.new_warehouse or _is_there(config.warehouse.file)):
        _may_begin(config, embedded=bounds.embedded)
    with (
        closing(DuckWarehouse(config, accept_quarantine=bounds.accept_quarantine)) as warehouse,
        closing(
            KafkaSource.from_config(config, batch_run=bounds.batch_run, embedded=bounds.embedded)
        ) as source,
    ):
        batcher = Batcher(policy, time.monotonic)
        if sent_on := topics(config):
            observer = courier = Courier(observer, warehouse, Delivery(config), sent_on)
            courier.deliver()  # what was committed and not sent, or sent and not marked, before a kill
        yield lambda: load(source, warehouse, batcher, stop, observer, time.sleep)


def _may_begin(config: Config, *, embedded: bool) -> None:
    """Make no warehouse for a load that would be refused: contract, topic and group are looked at before.

    Raises ConfigError, TopicMissing, BrokerAway, and ActionNeeded where the group has loaded elsewhere.
    """
    from loader.kafka.look import broker
    from loader.warehouse.rehearse import rehearse

    rehearse(config)
    with closing(broker(config, embedded=embedded)) as asked:
        acknowledged = asked.acknowledged()
    if not _is_there(config.warehouse.file):  # still: another worker may have begun meanwhile
        not_loaded_elsewhere(config.kafka.topic, acknowledged)


def _is_there(file: Path) -> bool:
    """Whether there is a warehouse, or something that only opening it can tell."""
    try:
        return file.exists()
    except OSError:
        return True


class Signals:
    """SIGINT and SIGTERM ask to stop; the batch gets `grace` seconds; a second signal ends at once.

    A thread of its own reads them from the interpreter's wake-up pipe: the main thread may be inside
    DuckDB, where Python's handlers do not run, and a second signal may reach another thread.
    """

    def __init__(self, stop: Stop, grace: float, farewell: Callable[[], None]) -> None:
        """`farewell` is called before the process ends because the grace has run out."""
        self._stop = stop
        self._grace = grace
        self._farewell = farewell
        self.received = 0

    def __enter__(self) -> Self:
        """Take the two signals over."""
        self._ours, self._pipe = socket.socketpair()
        self._pipe.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._pipe.fileno(), warn_on_full_buffer=False)
        self._before = {
            number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._watcher = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give them back; the grace ends."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._pipe.close()
        self._watcher.join()
        self._ours.close()

    def _watch(self) -> None:
        first = self._ours.recv(1)
        if not first:
            return
        self.received = first[0]
        self._stop.requested = True
        self._ours.settimeout(self._grace)
        try:
            second = self._ours.recv(1)
        except (TimeoutError, BlockingIOError):  # the latter where the grace is no time at all
            logger().warning("the last batch was not committed in time and is dropped; it is read again")
            self._farewell()
            os._exit(128 + self.received if self._stop.batch_run else 0)
        if second:
            os._exit(128 + second[0])
