"""The circuit breaker: stop when too large a share would be refused.

Then it is our fault or that of the producer's release, and a person must look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import duckdb

from loader.errors import QuarantineLimit
from loader.model import Totals
from loader.statements import statement

MEMORY = 1_000  # consumed records of earlier batches that count beside this batch
GO_ON = (
    "loader plan; then mend table.columns in the configuration, or keep them in quarantine: "
    "loader load --accept-quarantine"
)
FROM = 100  # below this many records together nothing is said


def recent_share(cursor: duckdb.DuckDBPyConnection, pipeline: str) -> list[tuple[int, int]]:
    """What weighs beside a batch: (consumed, quarantined) of the newest loads, newest first."""
    return cursor.execute(statement("load/recent_share"), {"pipeline": pipeline}).fetchall()


class Breaker:
    """Weighs a batch with the last MEMORY consumed records before it."""

    def __init__(
        self, limit: float, recent: Iterable[tuple[int, int]] | None = None, *, accept: bool = False
    ) -> None:
        """`recent` is what `recent_share` says; None: not asked yet, so `recall` comes before `trips`."""
        self._limit = limit
        self._accept = accept
        self._recent = None if recent is None else deque(recent)

    @property
    def is_new(self) -> bool:
        """Whether it does not know the batches before yet."""
        return self._recent is None

    def recall(self, recent: Iterable[tuple[int, int]]) -> None:
        """Weigh with these from now on: what was refused may have been mended since."""
        self._recent = deque(recent)

    def trips(self, totals: Totals) -> bool:
        """Whether the batch must not be written."""
        consumed, quarantined = self._together(totals)
        over = quarantined > self._limit * consumed
        return consumed >= FROM and over and totals.quarantined > 0 and not self._accept

    def passed(self, totals: Totals) -> None:
        """Note a committed batch; one that somebody has accepted does not weigh in later."""
        if self._accept or self._recent is None:  # the ledger will tell
            return
        self._recent.appendleft((totals.consumed, totals.quarantined))
        while sum(consumed for consumed, _ in list(self._recent)[:-1]) >= MEMORY:
            self._recent.pop()

    def error(self, topic: str, totals: Totals, reasons: list[str]) -> QuarantineLimit:
        """What to tell the person who must look."""
        consumed, refused = self._together(totals)
        more = f" ({refused:,.0f} of {consumed:,} with those before)" if consumed > totals.consumed else ""
        message = (
            f"{totals.quarantined:,} of {totals.consumed:,} records{more} would be refused, more than "
            f"limits.quarantine = {self._limit:g}; nothing of this batch was written. "
            f"Most often: {'; '.join(reasons)}"
        )
        return QuarantineLimit(message, address=topic, hint=GO_ON)

    def _together(self, totals: Totals) -> tuple[int, float]:
        """Consumed and quarantined of the batch and of MEMORY records before it.

        Of a batch that reaches further back than that, its average stands for the part that counts.
        """
        room, consumed, quarantined = MEMORY, totals.consumed, float(totals.quarantined)
        for older, refused in self._recent or ():
            counted = min(older, room)
            room -= counted
            consumed += counted
            quarantined += refused * counted / older if older else 0.0
        return consumed, quarantined
