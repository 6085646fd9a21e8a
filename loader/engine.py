"""The whole algorithm: read a batch, stage it, commit it with its offsets, then tell Kafka.

`load` is the loop, `commit` the one retry of the program, `supervise` the one restart. A batch run
and a stream differ only in when the source is finished. Nothing here knows Kafka, DuckDB or a clock.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol

from loader.batching import Batcher
from loader.errors import ActionNeeded, BrokerAway, FenceLost, HeadMoved, OffsetsMoved, Restart, WarehouseAway
from loader.failpoints import fail_point
from loader.guards import begin, not_undone
from loader.model import Batch, Position, Receipt
from loader.ports import P, S, Source, Warehouse
from loader.stopping import Stop
from loader.trail import about_batch

AHEAD = 1  # batches that may be staged beside the one that commits: more would only take memory
LOOK = 0.005  # seconds to wait for records while a batch is being staged
COMMIT_TRIES = 8
FENCE_TRIES = 3  # a batch run that loses its spans this often in a row gives up (interface: exit 75)

Sleep = Callable[[float], None]


class Observer(Protocol):
    """Hooks for logs, metrics and progress; they see everything and decide nothing."""

    def began(self, positions: Mapping[int, Position]) -> None:
        """Partitions were assigned; each is read from its committed offset on."""
        ...

    def committed(self, receipt: Receipt) -> None:
        """A batch is durable in the warehouse."""
        ...

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Another worker committed first; the batch is split again."""
        ...

    def restarting(self, reason: Exception, pause: float) -> None:
        """Memory is dropped; reading begins again from the warehouse after `pause` seconds."""
        ...


def load(  # noqa: PLR0913, PLR0917 - the six parts of the machine
    source: Source,
    warehouse: Warehouse[S, P],
    batcher: Batcher,
    stop: Stop,
    observer: Observer,
    sleep: Sleep,
) -> None:
    """Move records until the source is finished or stopped; a batch is staged while another commits."""
    with ThreadPoolExecutor(1, "stage") as stager:
        ahead: deque[Future[S]] = deque()
        reached: dict[int, int] = {}
        trouble: ActionNeeded | None = None

        def begun(partitions: Collection[int]) -> Mapping[int, Position]:
            positions = begin(source, warehouse, stop, observer.committed, partitions)
            reached.update({partition: position.offset for partition, position in positions.items()})
            observer.began(positions)
            return positions

        ending = False
        while not ending:
            patience = LOOK if ahead else stop.patience(batcher.patience())
            try:
                chunk = source.read(patience, begun)
            except ActionNeeded as found:  # what was read before it is good, and is committed first
                chunk, trouble = None, found
            if chunk:
                batcher.add(stop.bounded(chunk))
            elif not ahead and batcher.is_empty:
                stop.idle()
                warehouse.rest()
                if stop.looks_back():
                    not_undone(warehouse, reached)
            ending = trouble is not None or source.finished or stop.reached()
            settle = ending or (chunk is not None and bool(chunk.due))
            if (settle or batcher.due(more=bool(chunk))) and (batch := batcher.take()):
                fail_point("after_consume")
                ahead.append(stager.submit(_stage, warehouse, batch))
            while ahead and (settle or len(ahead) > AHEAD or ahead[0].done()):
                receipt = commit(ahead.popleft().result(), source.confirm, warehouse, observer, sleep)
                batcher.committed()
                observer.committed(receipt)
                reached.update({span.partition: span.end for span in receipt.spans})
                fail_point("before_acknowledge")
                source.acknowledge({span.partition: Position(span.end, span.epoch) for span in receipt.spans})
                fail_point("after_acknowledge")
    if trouble:
        raise trouble


def _stage(warehouse: Warehouse[S, P], batch: Batch) -> S:
    with about_batch(batch.id):
        return warehouse.stage(batch)


def commit(
    staged: S, confirm: Callable[[], None], warehouse: Warehouse[S, P], observer: Observer, sleep: Sleep
) -> Receipt:
    """Split and commit one batch; split it again when others commit first, a few times with jitter.

    `confirm` makes sure, before each commit, that the topic still is the one we began with.
    """
    split: P | None = None
    with about_batch(staged.batch.id):
        try:
            for attempt in range(COMMIT_TRIES):
                split = warehouse.split(staged, split)
                confirm()
                try:
                    return warehouse.commit(split)
                except HeadMoved:
                    observer.conflicted(staged.batch, attempt)
                    sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
        finally:
            warehouse.discard(staged)
    message = f"other writers committed first {COMMIT_TRIES} times in a row"
    raise FenceLost(message, hint="run again, or with fewer workers on this warehouse")


def supervise(
    attempt: Callable[[], AbstractContextManager[Callable[[], None]]],
    stop: Stop,
    observer: Observer,
    sleep: Sleep,
) -> None:
    """Run attempts until one ends by itself; what asks for a restart is tried again, bounded.

    `attempt` opens a fresh source and warehouse and gives the function that loads with them.
    The bound is `stop.unreachable` seconds without any commit (and FENCE_TRIES for a batch run).
    """
    fenced = 0
    while True:
        before = stop.commits
        try:
            with attempt() as run:
                return run()
        except (Restart, BrokerAway, WarehouseAway, HeadMoved) as reason:
            fenced = fenced + 1 if isinstance(reason, OffsetsMoved) and stop.commits == before else 0
            if stop.batch_run and fenced >= FENCE_TRIES:
                message = f"another worker committed the same records first, {fenced} times in a row"
                raise FenceLost(message, hint="run again when the other worker has ended") from reason
            if stop.requested:
                return None
            pause = stop.pause_before_restart(reason)
            observer.restarting(reason, pause)
            sleep(pause)
