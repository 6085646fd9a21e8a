"""Let the derived tables follow the target, batch by batch.

What a batch derives is computed in its split, on the snapshot whose head its commit requires, and
committed with it. Nothing here knows how a table is made anew; see `rederive.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import duckdb

from loader.contract import Contract
from loader.errors import WarehouseMismatch
from loader.statements import quote_identifier, statement
from loader.warehouse.derivation import (
    Derivation,
    Which,
    own_words,
    refuse_twice,
    result,
    rows_of_target,
    unknown_keys,
)
from loader.warehouse.transaction import one


@dataclass(frozen=True, slots=True)
class Derived:
    """Rows of a derived table, and what of them is to be sent, each in a table of the in-memory database."""

    derivation: Derivation
    rows: str
    count: int
    outgoing: str
    outgoing_count: int

    @property
    def names(self) -> tuple[str, str]:
        """The tables that are to be dropped in the end."""
        return self.rows, self.outgoing


class Deriver:
    """The derived tables of one pipeline, on one cursor, whose transaction it uses."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        pipeline: str,
        table: str,
        contract: Contract,
        wanted: Sequence[Derivation],
    ) -> None:
        self.wanted = tuple(wanted)
        self._cursor = cursor
        self._pipeline = pipeline
        self._table = table
        self._contract = contract
        self._seen = -1  # the head at which we looked last
        self._made: dict[int, list[Derived]] = {}  # by batch

    def begin(self, seq: int) -> bool:
        """Create, as change `seq`, the tables of a pipeline that has no rows yet (True).

        Raises WarehouseMismatch where tables were made otherwise than the configuration says, or not at all.
        """
        known = self.known()
        new = [derivation for derivation in self.wanted if derivation.table not in known]
        self._compare(known)
        if not new:
            self._seen = seq - 1
            return False
        if self._cursor.execute(statement("derive/has_batches"), [self._pipeline]).fetchone():
            _refuse(new[0].table, "the table is not made yet, and rows are loaded already", new[0].table)
        for derivation in new:
            self.refuse_taken(derivation)
            self.create(derivation, seq)
        return True

    def at(self, seen: int) -> None:
        """Make sure that the tables at this head are those that we know. Raises WarehouseMismatch."""
        if seen == self._seen:
            return
        known = self.known()
        self._compare(known)
        if missing := [each.table for each in self.wanted if each.table not in known]:
            _refuse(missing[0], "somebody has dropped the table", missing[0])
        self._seen = seen

    def committed(self, seq: int) -> None:
        """Note our own commit: nobody has changed the tables since we looked."""
        self._seen = seq

    def known(self) -> dict[str, str]:
        """The derived tables that there are, and the digests of how they were made."""
        rows = self._cursor.execute(statement("derive/recorded"), [self._pipeline]).fetchall()
        return {name: digest for name, digest in rows}  # noqa: C416 - rows are tuples of two

    def _compare(self, known: dict[str, str]) -> None:
        wanted = {derivation.table: derivation.digest for derivation in self.wanted}
        for table, digest in known.items():
            if table not in wanted:
                _refuse(table, "the table is derived here, and no [[derive]] makes it", f"--drop {table}")
            if wanted[table] != digest:
                _refuse(table, "the table was made with another SELECT, key or types than now", table)

    def refuse_taken(self, derivation: Derivation) -> None:
        """Raise WarehouseMismatch where the table's name has another owner."""
        table = derivation.table
        row = self._cursor.execute(statement("derive/other_owner"), [table, self._pipeline]).fetchone()
        if row is None and not self._cursor.execute(statement("warehouse/columns"), [table]).fetchone():
            return
        owner = f"the pipeline {row[0]}" if row else "a table that the loader did not make"
        message, hint = f"the name belongs to {owner}", "give derive.table another name"
        raise WarehouseMismatch(message, address=table, hint=hint)

    def create(self, derivation: Derivation, seq: int) -> None:
        """Make the empty table, in place of one that there may be, and note how it is made."""
        names = {"table": derivation.table, "columns": derivation.columns}
        self._cursor.execute(statement("derive/create_table", **names))
        facts = [derivation.digest, seq, self._pipeline, derivation.table]
        if not one(self._cursor.execute(statement("derive/record_again"), facts)):
            facts = [self._pipeline, derivation.table, derivation.digest, seq]
            self._cursor.execute(statement("derive/record"), facts)

    def derive(self, batch: int, seen: int, parameters: Mapping[str, object]) -> list[Derived]:
        """What the rows that a batch adds derive, on the snapshot of the head `seen`; nothing without rows.

        `parameters` are those of `load/rows`. Raises WarehouseMismatch, and ActionNeeded when a SELECT
        fails or gives a key twice.
        """
        self.at(seen)
        if not self.wanted:
            return []
        new = statement("load/rows", **parameters)
        if not self._cursor.execute(statement("derive/any", rows=new)).fetchone():
            return []
        so_far = rows_of_target(self._contract, self._table, Which(), new)
        made = self._made[batch] = []
        for number, derivation in enumerate(self.wanted):
            rows = self._rows(derivation, new, so_far, batch)
            made.append(self._keep(f"derived_{batch}_{number}", derivation, rows, seen))
        return made

    def _rows(self, derivation: Derivation, new: str, so_far: str, batch: int) -> str:
        rows = result(derivation.sql, new, so_far, batch)
        if not derivation.keeps_first:
            return rows
        return unknown_keys(derivation, rows, f"lake.main.{quote_identifier(derivation.table)}")

    def _keep(self, name: str, derivation: Derivation, rows: str, seen: int) -> Derived:
        with own_words(derivation):
            self._cursor.execute(statement("derive/keep_result", name=name, rows=rows))
        refuse_twice(self._cursor, derivation, name)
        return self.outgoing(name, derivation, seen)

    def outgoing(self, name: str, derivation: Derivation, seen: int) -> Derived:
        """What of rows that are kept is to be sent: keys that never were in the outbox."""
        count, outgoing = self._count(name), f"outgoing_{name}"
        if not (count and derivation.send_to):
            return Derived(derivation, name, count, outgoing, 0)
        columns = derivation.quoted
        facts = {"pipeline": self._pipeline, "table": derivation.table, "seq": seen + 1}
        rows = statement("derive/outgoing", rows=name, id=derivation.id, columns=columns, **facts)
        self._cursor.execute(statement("derive/keep_result", name=outgoing, rows=rows))
        return Derived(derivation, name, count, outgoing, self._count(outgoing))

    def _count(self, name: str) -> int:
        return one(self._cursor.execute(statement("derive/count", name=name)))

    def discard(self, batch: int) -> None:
        """Drop what a batch has derived."""
        for name in (name for derived in self._made.pop(batch, ()) for name in derived.names):
            self._cursor.execute(statement("load/drop_staging", name=name))


def _refuse(table: str, message: str, words: str) -> NoReturn:
    raise WarehouseMismatch(message, address=table, hint=f"loader rebuild {words}")
