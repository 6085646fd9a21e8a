"""Retention: what is old goes from the books, and its counts stay, so that the balance still can be proved.

Three things go, each after an age of its own (`[retention]`): closed quarantine entries, duplicates, and
spans. Of the former two, counts by batch remain (`loader.removed`); of spans, one sum for each partition
(`loader.folded`). The ledger's batches stay: rows of the target refer to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from loader.failpoints import fail_point
from loader.model import batch_at
from loader.runs import now
from loader.statements import statement
from loader.warehouse.change import Changes, own_errors
from loader.warehouse.reading import fetched
from loader.warehouse.relations import registered

if TYPE_CHECKING:
    from loader.config import Retention

Row = dict[str, Any]
AT_ONCE = 50_000  # entries or duplicates that one piece removes, about
BATCHES = 5_000  # whose spans one piece folds; more where a rewind has undone more
SLACK = 0.1  # of an age, a day at most: so much older something must be before anything is done
DAY = 86_400.0
NOTHING: Row = {"records": 0, "upto": 0, "oldest": None}


@dataclass(frozen=True, slots=True)
class Retire:
    """The retention of one pipeline."""

    changes: Changes
    settings: Retention
    pipeline: str

    def steps(self) -> Iterator[tuple[str, int]]:
        """Remove what is old, piece by piece; what each piece removed, and how many. Raises our errors."""
        for name in ("quarantine", "duplicates"):
            while self._old(name, AT_ONCE)["records"]:
                yield f"removed_{name}", self.changes.apply(partial(self._remove, name))
        while self._old("spans", BATCHES)["records"]:
            yield "folded_batches", self.changes.apply(self._fold)

    def plan(self) -> dict[str, int]:
        """What there is to remove, without removing it; nothing of what is not configured."""
        names = ("quarantine", "duplicates", "spans")
        return {f"old_{name}": self._old(name)["records"] for name in names if self._age(name)}

    def _age(self, name: str) -> float:
        """The age in seconds; 0 where this is kept for ever."""
        return getattr(self.settings, name) or 0.0

    def _old(self, name: str, most: int | None = None) -> Row:
        """What is old enough, `most` at once, and whether it is worth a change of the warehouse now."""
        if not (age := self._age(name)):
            return NOTHING
        present = now().timestamp()
        found = self._one(f"retention/old_{name}", before=batch_at(present - age), most=most)
        is_due = found["records"] and found["oldest"] < batch_at(present - age - min(SLACK * age, DAY))
        return found if is_due else NOTHING

    def _remove(self, name: str) -> int:
        """Count and remove; inside a transaction that took the head."""
        found = self._old(name, AT_ONCE)
        facts = {"pipeline": self.pipeline, "upto": found["upto"]}
        self.changes.cursor.execute(statement(f"retention/count_{name}"), facts)
        fail_point("mid_retention")
        self.changes.cursor.execute(statement(f"retention/remove_{name}"), facts)
        return int(found["records"])

    def _fold(self) -> int:
        """Put one sum in the place of many spans; inside a transaction that took the head."""
        found, run = self._old("spans", BATCHES), self.changes.cursor.execute
        if not found["records"]:
            return 0
        facts = {"pipeline": self.pipeline, "seq": found["upto"]}
        for table, name in (("folded", "fold_spans"), ("removed", "fold_removed")):
            sums = run(statement(f"retention/{name}"), facts).to_arrow_table()
            with registered(self.changes.cursor, sums=sums):
                run(statement("retention/forget_sums", table=table), {"pipeline": self.pipeline})
                run(statement("retention/keep_sums", table=table))
            fail_point("mid_retention")
        run(statement("retention/remove_spans"), facts)
        return int(found["records"])

    def _one(self, name: str, **parameters: object) -> Row:
        with own_errors(self.changes.address):
            sql = statement(name)
            (row,) = fetched(self.changes.cursor.execute(sql, {"pipeline": self.pipeline, **parameters}))
        return row
