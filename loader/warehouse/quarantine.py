"""The life cycle of refused records: try them again, edit them, drop them.

Each is a change of its own, with a row in the ledger, in one transaction that takes the head: so it
may run beside loads. What a retry reads goes the way of a batch: stage, split, commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from loader.errors import ActionNeeded, HeadMoved
from loader.failpoints import fail_point
from loader.model import CHUNK_SCHEMA, Batch, Totals, new_batch_id
from loader.statements import statement
from loader.warehouse.commit import take_head
from loader.warehouse.opening import nothing_there
from loader.warehouse.reading import fetched
from loader.warehouse.relations import registered
from loader.warehouse.stage import Staged, names
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.transaction import CommitFailed, one, transaction
from loader.warehouse.wanted import Place, Wanted

if TYPE_CHECKING:
    from loader.config import Config

# What one transaction changes: above INLINE_CONTROL_ROWS DuckLake writes files of its own, which nobody
# syncs; and a change copies the bytes of its entries. One record may be larger.
ENTRIES = 5_000
ENTRY_BYTES = 16 << 20


class Quarantine(DuckWarehouse):
    """A warehouse of which the refused records are looked after."""

    def __init__(self, config: Config) -> None:
        """Open. Raises ActionNeeded where nothing has been loaded yet, and what DuckWarehouse raises."""
        if not config.warehouse.file.exists():
            raise nothing_there(config.warehouse.file)
        super().__init__(config, accept_quarantine=True)

    def groups(self, wanted: Wanted) -> list[pa.Table]:
        """The positions of the entries that are wanted, in groups that one transaction can take.

        A group has one generation of the topic: in two of them a position may stand twice.
        """
        with self._own_errors():
            sql = statement("read/quarantine_places", wanted=wanted.condition())
            found = self._commits.execute(sql, wanted.parameters(self._pipeline)).to_arrow_table()
        groups, begin, size = [], 0, 0
        generations = found["generation"].to_pylist()
        for row, each in enumerate(found["bytes"].to_pylist()):
            full = size + each > ENTRY_BYTES or row - begin == ENTRIES
            if row > begin and (full or generations[row] != generations[begin]):
                groups.append(found.slice(begin, row - begin))
                begin, size = row, 0
            size += each
        return [*groups, found.slice(begin)] if found.num_rows else []

    def again(self, places: pa.Table) -> Batch:
        """Those entries of a group that are open still, as the batch of a retry."""
        generation = _generation(places)
        sql = statement("load/open_entries", places="places", pipeline=self._pipeline, generation=generation)
        with self._own_errors(), registered(self._commits, places=places), transaction(self._commits):
            seen, found = self._head(), self._commits.execute(sql).to_arrow_table()
        return Batch(new_batch_id(), (), found.cast(CHUNK_SCHEMA), "retry", seen, generation)

    def foresee(self, staged: Staged) -> tuple[Totals, dict[str, int]]:
        """What a commit would do by the warehouse as it is now, and why records would be refused again."""
        with self._own_errors():
            totals = self._splitter.foresee(staged)
            sql = statement("load/reasons_of", name=names(staged.batch)["refused"])
            return totals, dict(self._commits.execute(sql).fetchall())

    def reasons(self, batch: int) -> dict[str, int]:
        """Why a retry refused records again: reason and records."""
        wanted = Wanted(batch=batch)
        with self._own_errors():
            sql = statement("read/quarantine_reasons", wanted=wanted.condition())
            found = fetched(self._commits.execute(sql, wanted.parameters(self._pipeline)))
        return {row["reason"]: row["records"] for row in found}

    def edit(self, place: Place, value: bytes | None) -> int:
        """Keep another value beside the original, for the next retry; None forgets it. The batch.

        Raises ActionNeeded when there is no such open entry.
        """
        where = {"pipeline": self._pipeline, **place._asdict()}
        with self._own_errors():
            row = self._commits.execute(statement("load/entry_state"), where).fetchone()
        if row is None or row[0] != "open":
            raise self._not_open(place, row)
        parameters = {"value": value, **place._asdict(), "generation": row[1]}

        def change(cursor: duckdb.DuckDBPyConnection, _: int) -> int:
            sql = statement("load/edit_entry", pipeline=self._pipeline)
            if one(cursor.execute(sql, parameters)) != 1:
                message = "another writer settled the entry meanwhile"
                raise HeadMoved(message)
            return 0

        return self._change("edit", row[1], change)[0]

    def drop(self, places: pa.Table, note: str) -> int:
        """Settle the open entries of a group as dropped; how many there were."""

        def change(cursor: duckdb.DuckDBPyConnection, batch: int) -> int:
            names = {"pipeline": self._pipeline, "generation": _generation(places), "batch": batch}
            sql = statement("load/drop_entries", places="places", **names)
            with registered(cursor, places=places):
                return one(cursor.execute(sql))

        return self._change("drop", _generation(places), change, note)[1]

    def _not_open(self, place: Place, row: tuple[str, int] | None) -> ActionNeeded:
        message = f"the entry is {row[0]}, not open" if row else "no such entry in the quarantine"
        address = f"{self._config.kafka.topic}[{place.partition}]@{place.offset}"
        return ActionNeeded(message, address=address, hint="loader quarantine list --state all")

    def _change(
        self,
        kind: str,
        generation: int,
        change: Callable[[duckdb.DuckDBPyConnection, int], int],
        note: str | None = None,
    ) -> tuple[int, int]:
        """One transaction that changes entries; its batch, and how many of them stay refused by it.

        Raises HeadMoved when another writer was first, Restart when COMMIT failed (both: nothing changed).
        """
        batch = new_batch_id()
        try:
            with self._own_errors(), self._turn(), transaction(self._commits):
                seen = self._head()
                take_head(self._commits, seen)
                changed = change(self._commits, batch)
                self._note(batch, seen + 1, kind, note, generation, consumed=changed, quarantined=changed)
                fail_point("before_commit")
        except CommitFailed as unknown:
            seen = self._settled(batch, unknown) - 1
        fail_point("after_commit")
        self._keep_up(seen + 1)
        return batch, changed


def _generation(places: pa.Table) -> int:
    """The one generation of a group."""
    return int(places["generation"][0].as_py())
