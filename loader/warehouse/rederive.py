"""Make derived tables anew from the rows of the target, in the order in which their batches were committed.

The result is kept in the private in-memory database; the caller compares it, or puts it in place of the
table in a transaction that takes the head at which it was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from loader.contract import Contract
from loader.model import new_batch_id
from loader.statements import statement
from loader.warehouse.derivation import (
    Derivation,
    Which,
    no_rows,
    own_words,
    refuse_twice,
    result,
    rows_of_target,
    unknown_keys,
)


@dataclass(frozen=True, slots=True)
class Rederiver:
    """Makes the derived tables of one pipeline anew, inside a transaction that only reads the lake.

    Rows at or behind the places (partition, offset) are left out: they are about to go, but for those of the
    batches that the SELECT `former` gives.
    """

    cursor: duckdb.DuckDBPyConnection
    pipeline: str
    table: str
    contract: Contract
    places: tuple[tuple[int, int], ...] = ()
    former: str = ""

    def anew(self, derivation: Derivation, name: str, batch: int, since: int | None = None) -> None:
        """Keep the whole table as `name`; `batch` is noted in rows that no single batch has written.

        With `since`, what batches before this number of the head have found is taken as it stands.
        Raises ActionNeeded when the SELECT fails or gives a key twice.
        """
        ledger = f"ledger_{new_batch_id()}"
        rows = statement("derive/ledger", pipeline=self.pipeline)
        self._run("keep_result", name=ledger, rows=rows)
        with own_words(derivation):
            if derivation.keeps_first:
                self._batch_by_batch(derivation, name, ledger, since)
            else:
                self._at_once(derivation, name, ledger, batch)
        self.cursor.execute(statement("load/drop_staging", name=ledger))

    def _at_once(self, derivation: Derivation, name: str, ledger: str, batch: int) -> None:
        """Every row is new: so every key is computed, from all of its rows."""
        new, so_far = self._rows(ledger=ledger), self._rows()
        self._run("keep_result", name=name, rows=result(derivation.sql, new, so_far, batch))
        refuse_twice(self.cursor, derivation, name)

    def _batch_by_batch(self, derivation: Derivation, name: str, ledger: str, since: int | None) -> None:
        rows = result(derivation.sql, no_rows(self.contract), no_rows(self.contract), 0)
        if since:
            rows = statement("derive/kept", table=derivation.table, ledger=ledger, since=since)
        self._run("keep_result", name=name, rows=rows)
        order = self.cursor.execute(statement("derive/order", ledger=ledger), [since or 0]).fetchall()
        for batch, seq in order:
            self._add(derivation, name, ledger, batch, seq)

    def _add(self, derivation: Derivation, name: str, ledger: str, batch: int, seq: int) -> None:
        """What a batch has derived: from its rows, and those of the batches up to it."""
        new = self._rows(batch=batch)
        if not self.cursor.execute(statement("derive/any", rows=new)).fetchone():
            return  # all its rows are undone
        so_far = self._rows(ledger=ledger, upto=seq)
        one_batch = f"of_{batch}_{name}"
        rows = unknown_keys(derivation, result(derivation.sql, new, so_far, batch), name)
        self._run("keep_result", name=one_batch, rows=rows)
        refuse_twice(self.cursor, derivation, one_batch)
        self._run("add_result", name=name, rows=statement("load/all_rows", name=one_batch))
        self.cursor.execute(statement("load/drop_staging", name=one_batch))

    def _rows(self, *, batch: int = 0, ledger: str = "", upto: int = 0) -> str:
        return rows_of_target(self.contract, self.table, Which(batch, ledger, upto, self.places, self.former))

    def _run(self, name: str, /, **names: object) -> None:
        self.cursor.execute(statement(f"derive/{name}", **names))

    def differences(self, derivation: Derivation, name: str) -> tuple[int, int]:
        """Rows that the table has too many, and rows that it lacks, against `name`."""
        columns = [*derivation.quoted, *(["_batch"] if derivation.keeps_first else [])]
        sql = statement("derive/differences", table=derivation.table, name=name, columns=columns)
        row = self.cursor.execute(sql).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def first_undone(self) -> int | None:
        """The number of the first batch that loses a row; None where none does."""
        sql = statement("derive/first_undone", table=self.table, places=self.places, former=self.former)
        row = self.cursor.execute(sql).fetchone()
        return row[0] if row else None
