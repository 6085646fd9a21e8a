"""Try refused records again, drop them: entry by entry once, however often others come between.

A great many entries are worked off in groups, a transaction each; killed between two of them, a second
call does the rest, because what is settled is not open any more.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from loader.engine import Sleep, commit
from loader.errors import FenceLost, HeadMoved, Restart
from loader.model import Batch, Position, Receipt, Totals
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.wanted import Place, Wanted

if TYPE_CHECKING:
    from loader.config import Config

T = TypeVar("T")
LOG = logging.getLogger("loader.warehouse")
TRIES = 5  # for one group, when others change the quarantine at the same time


@dataclass(slots=True)
class Retried:
    """What became of the entries that were tried again, and why some were refused again."""

    totals: Totals = field(default_factory=Totals)
    batches: list[int] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


@contextmanager
def opened(config: Config, sleep: Sleep) -> Iterator[Quarantine]:
    """The warehouse for changes of its quarantine. Raises what Quarantine raises, and FenceLost."""
    with closing(patiently(partial(Quarantine, config), sleep)) as quarantine:
        yield quarantine


def retry(quarantine: Quarantine, wanted: Wanted, sleep: Sleep, *, dry_run: bool = False) -> Retried:
    """Send the wanted open entries through contract and duplicates again, as they are now.

    A dry run writes nothing. Raises FenceLost when others are always first, and what a commit raises.
    """
    result = Retried()
    for places in patiently(partial(quarantine.groups, wanted), sleep):
        if dry_run:
            patiently(partial(_foresee, quarantine, places, result), sleep)
        else:
            patiently(partial(_retried, quarantine, places, result, sleep), sleep)
    return result


def drop(quarantine: Quarantine, wanted: Wanted, note: str, sleep: Sleep) -> int:
    """Settle the wanted open entries as dropped; how many. Raises FenceLost."""
    groups = patiently(partial(quarantine.groups, wanted), sleep)
    return sum(patiently(partial(quarantine.drop, group, note), sleep) for group in groups)


def edit(quarantine: Quarantine, place: Place, value: bytes | None, sleep: Sleep) -> int:
    """Keep another value for the next retry; the batch. Raises ActionNeeded (not open), FenceLost."""
    return patiently(partial(quarantine.edit, place, value), sleep)


def _retried(quarantine: Quarantine, places: pa.Table, result: Retried, sleep: Sleep) -> None:
    batch = quarantine.again(places)
    if not batch.records.num_rows:  # others have settled them all
        return
    staged = quarantine.stage(batch)
    receipt = commit(staged, _nothing_to_confirm, quarantine, _Log(), sleep)
    result.totals += receipt.totals
    result.batches.append(receipt.batch)
    if receipt.totals.quarantined:
        result.reasons.update(quarantine.reasons(receipt.batch))


def _foresee(quarantine: Quarantine, places: pa.Table, result: Retried) -> None:
    staged = quarantine.stage(quarantine.again(places))
    try:
        totals, reasons = quarantine.foresee(staged)
    finally:
        quarantine.discard(staged)
    result.totals += totals
    result.reasons.update(reasons)


def patiently(change: Callable[[], T], sleep: Sleep) -> T:
    """Do it; read and do it again when others were first, a few times with jitter. Raises FenceLost."""
    for attempt in range(TRIES):
        try:
            return change()
        except (HeadMoved, Restart) as reason:
            LOG.info("another writer was first, trying again: %s", reason)
            sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter, not a secret
    message = f"other writers changed the warehouse {TRIES} times in a row"
    raise FenceLost(message, hint="run the same command again while no loader runs")


def _nothing_to_confirm() -> None:
    """The records are in the warehouse: whether their topic still is the same does not matter."""


class _Log:
    """An `engine.Observer` that says as much as the log needs."""

    def began(self, positions: Mapping[int, Position]) -> None:
        """Nothing: no partition is read."""

    def committed(self, receipt: Receipt) -> None:
        """Nothing: the result says it."""

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Say that another writer was first."""
        del batch
        LOG.debug("another writer committed first (%s)", attempt)

    def restarting(self, reason: Exception, pause: float) -> None:
        """Nothing: a retry is not restarted."""
