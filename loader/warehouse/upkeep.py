"""What a writer does between its batches, so that commits stay quick and files few."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loader.errors import HeadMoved, LoaderError
from loader.runs import ended_run, now
from loader.statements import statement
from loader.warehouse.change import Changes, own_errors
from loader.warehouse.history import insert
from loader.warehouse.maintenance import Maintenance
from loader.warehouse.transaction import CommitFailed

if TYPE_CHECKING:
    from loader.config import Config

LOG = logging.getLogger("loader.warehouse")
FLUSH_EVERY = 1_000  # changes; one flush takes about half a second then
TURNS = 2  # a load that is one batch takes two numbers: the batch's, and the one of its row in the history


class Upkeep:
    """Empties the lake's inlined rows at every `flush_every`th change; does maintenance when it is due.

    One piece of maintenance after a commit, or while nothing comes, so that no batch waits for more.
    """

    def __init__(self, config: Config, changes: Changes, flush_every: int = FLUSH_EVERY) -> None:
        self._config = config
        self._changes = changes
        self._flush_every = flush_every
        self._since = time.monotonic()
        self._steps: Iterator[str] | None = None

    def committed(self, seq: int) -> None:
        """A batch is durable: what fails here is said, and tried again later."""
        self._go_on(flush=self._changes.data is not None and seq % self._flush_every < TURNS)

    def idle(self) -> None:
        """Nothing is under way: go on too, so that a stream without records has its upkeep."""
        self._go_on(flush=False)

    def _go_on(self, *, flush: bool) -> None:
        try:
            if flush:
                self._flush()
            if self._steps is None and self._is_due():
                self._steps = self._maintain()
            if self._steps is not None and next(self._steps, None) is None:
                self._steps = None
        except (HeadMoved, CommitFailed, LoaderError) as failure:
            self._steps = None
            LOG.warning("upkeep of the warehouse was not finished, later again: %s", failure)

    def _flush(self) -> None:
        self._changes.apply(
            lambda: self._changes.cursor.execute(statement("warehouse/flush_inlined")).fetchall()
        )

    def _is_due(self) -> bool:
        """Whether it is time, and no other process has done it."""
        every = self._config.maintain.every
        if not every or time.monotonic() - self._since < every:
            return False
        self._since = time.monotonic()
        with own_errors(self._changes.address):
            ago = self._changes.cursor.execute(statement("maintain/last_run")).fetchone()
        return not ago or ago[0] is None or not 0 <= ago[0] < every  # below 0: a clock was ahead then

    def _maintain(self) -> Iterator[str]:
        maintenance = Maintenance(self._changes, self._config)
        begun = now()
        for step in maintenance.steps():
            LOG.info("upkeep: %s", step)
            yield step
        result = {"outcome": "done", "done": maintenance.done}
        insert(self._changes, self._config.pipeline, [ended_run("maintain", "run", begun, 0, result)])
        yield "written into the history"
