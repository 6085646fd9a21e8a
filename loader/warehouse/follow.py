"""Let the target table follow the contract: in the transaction of the first batch that needs it.

Until then the table is as it was, and readers see it so. The warehouse remembers every shape that the
table has had (`loader.contracts`); a worker whose contract is not the newest one's is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import duckdb

from loader.contract import Contract
from loader.contract.shape import NOT_YET, Change, Facet, Past, Shape, change, is_late, sameness
from loader.errors import WarehouseMismatch
from loader.statements import quote_identifier, quote_text, statement
from loader.types import SqlType, TypeSyntaxError, parse_type

NEW_PIPELINE = "to load everything anew, give pipeline, kafka.group and table.name new names"


class Follower:
    """The table of one pipeline beside its contract, on one cursor, whose transaction it uses."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        pipeline: str,
        table: str,
        contract: Contract,
        worker: str = "",
    ) -> None:
        self._cursor = cursor
        self._pipeline = pipeline
        self._table = table
        self._contract = contract
        self._worker = worker
        self._wanted = Shape.of(contract)
        self._basis = 0  # the newest change of the table that we know
        self._seen = -1  # the head at which we looked last
        self._past: Past = ()
        self._parameters: dict[str, object] = {}
        self._is_pending = False

    def refuse_other_pairs(self) -> None:
        """A pipeline has one table and a table one pipeline. Raises WarehouseMismatch.

        A new table would begin at the old offsets: without the rows that were loaded before.
        """
        sql = statement("load/other_owner")
        if other := self._cursor.execute(sql, [self._table, self._pipeline]).fetchone():
            message = f"the pipeline {other[0]} loads into this table already"
            raise WarehouseMismatch(message, address=self._table, hint=NEW_PIPELINE)
        row = self._cursor.execute(statement("load/recorded"), [self._pipeline]).fetchone()
        if row and row[4] != self._table:
            message = f"the pipeline {self._pipeline} loads into the table {row[4]}"
            raise WarehouseMismatch(message, address=self._table, hint=NEW_PIPELINE)

    def begin(self, seq: int) -> bool:
        """Create the table as change `seq` where there is none (True), or see that it can follow.

        Raises WarehouseMismatch with every difference that it cannot follow, and changes nothing then.
        """
        if not self._present():
            columns = self._contract.ddl()
            self._cursor.execute(statement("warehouse/create_target", table=self._table, columns=columns))
            self._record(seq, self._wanted)
            self._basis = seq
            return True
        self.foresee(strict=True)
        return False

    def arrange(self, seq: int) -> bool:
        """Let new files of a lake's table be parted as the contract says (change `seq`); True if that is new.

        What is there stays as it is. A worker that knows another layout is stopped, as by any change.
        """
        layout = self._contract.layout
        if self._basis == seq:  # the table was made just now
            if layout is None:
                return False
        else:
            number, before = self._past[-1]
            if before.layout == self._wanted.layout:
                return False
            if number == 0:  # a table that we did not make
                self._record(0, before)
            self._record(seq, replace(before, layout=self._wanted.layout))
            self.foresee(strict=True)
        keys, column = (layout.keys, layout.column) if layout else ((), "")
        self._cursor.execute(statement("warehouse/partition", table=self._table, keys=keys, column=column))
        return True

    def foresee(self, *, strict: bool = False) -> Change | None:
        """What the next batch changes in the table, and what stands against it; None without a table.

        With `strict` the latter raises WarehouseMismatch.
        """
        table = self._present()
        if not table:
            return None
        self._past = self._known(table)
        self._basis = self._past[-1][0]
        found = change(table, self._past[-1][1], self._wanted)
        if found.required:
            found = replace(found, refused=(*found.refused, *self._unfilled(found)))
        if strict and found.refused:
            message = f"the table cannot follow the contract: {'; '.join(found.refused)}"
            hint = f"change table.columns back; {NEW_PIPELINE}"
            raise WarehouseMismatch(message, address=self._table, hint=hint)
        self._is_pending = bool(found.added or found.widened or self._past[-1][1] != self._wanted)
        self._parameters = self._comparison(table)
        return found

    def at(self, seen: int) -> Mapping[str, object]:
        """What `load/verdicts` needs to compare records with stored rows at the head `seen`.

        Raises WarehouseMismatch when another worker has changed the table for another contract.
        """
        if seen != self._seen:
            if self._is_overtaken() or not self._parameters:
                self.foresee(strict=True)
            self._seen = seen
        return self._parameters

    def follow(self, seq: int) -> None:
        """Change the table where that is needed: inside a transaction that took the head as `seq`."""
        if not self._is_pending:
            return
        found = self.foresee(strict=True)
        assert found is not None  # noqa: S101 - the table was there at the head that we hold
        if self._past[-1][0] == 0:  # a table that we did not make: as it was before our first batch
            self._record(0, self._past[-1][1])
        for name, facets in (("add_column", found.added), ("widen_column", found.widened)):
            for facet in facets:
                parts = {"column": facet.name, "type": facet.type.sql()}
                self._cursor.execute(statement(f"warehouse/{name}", table=self._table, **parts))
        self._record(seq, self._wanted)

    def committed(self, seq: int) -> None:
        """Note our own commit: nobody has changed the table since we looked."""
        if self._is_pending:
            self._basis, self._is_pending, self._parameters = seq, False, {}
        else:
            self._seen = seq

    def _present(self) -> dict[str, str]:
        rows = self._cursor.execute(statement("warehouse/columns"), [self._table]).fetchall()
        return {name: type_ for name, type_ in rows}  # noqa: C416 - rows are tuples of two

    def _known(self, table: Mapping[str, str]) -> Past:
        """The shapes of the table, the newest last; number 0 for a table that we did not make."""
        rows = self._cursor.execute(statement("load/contracts"), [self._pipeline]).fetchall()
        past = [(seq, Shape.from_json(shape)) for seq, shape, *_ in rows]
        return past or [(0, Shape(self._wanted.id, tuple(self._found(table))))]

    def _found(self, table: Mapping[str, str]) -> Iterator[Facet]:
        """The contract's columns as the table has them."""
        for facet in self._wanted.columns:
            if facet.name in table:
                type_ = _parsed(table[facet.name]) or facet.type
                yield facet._replace(type=type_, required=False)

    def _unfilled(self, found: Change) -> list[str]:
        """Columns that shall always hold a value and do not: in words."""
        added = {facet.name for facet in found.added}
        words = []
        for name in found.required:
            where = "true" if name in added else f"{quote_identifier(name)} IS NULL"
            sql = statement("warehouse/holds_rows", table=self._table, where=where)
            if self._cursor.execute(sql).fetchone():
                way = (
                    "give it a default, or required = false"
                    if name in added
                    else "fill it, or required = false"
                )
                words.append(f"{name} is required now, but the table holds rows without it ({way})")
        return words

    def _is_overtaken(self) -> bool:
        """Whether another worker has changed the table; raises when for another contract than ours."""
        rows = self._cursor.execute(statement("load/contracts"), [self._pipeline]).fetchall()
        if not rows or rows[-1][0] == self._basis:
            return False
        _, shape, worker, at = rows[-1]
        if Shape.from_json(shape) != self._wanted:
            message = f"the contract was changed by {worker} at {at}; this worker still has the old one"
            hint = "start it again with the new configuration"
            raise WarehouseMismatch(message, address=self._table, hint=hint)
        return True

    def _comparison(self, table: Mapping[str, str]) -> dict[str, object]:
        past = [*self._past, (NOT_YET, self._wanted)] if self._is_pending else self._past
        ids = self._contract.id
        content = [name for name in self._contract.content_columns if name not in ids]
        return {
            "late": is_late(past),
            "stored": [self._stored(table, name) for name in (*ids, *content)],
            "same": [sameness(past, name, self._default(name)) for name in content],
        }

    def _stored(self, table: Mapping[str, str], name: str) -> str:
        """A column of a stored row in the contract's type, also before the table has followed it."""
        facet = self._wanted[name]
        assert facet is not None  # noqa: S101 - it is a column of the contract
        quoted = quote_identifier(name)
        if table.get(name) and _parsed(table[name]) == facet.type:
            return f"t.{quoted}"
        stored = f"t.{quoted}" if name in table else "NULL"
        return f"CAST({stored} AS {facet.type.sql()}) AS {quoted}"

    def _default(self, name: str) -> str:
        """SQL for a column's default; empty where there is none, or none that can be written as one text."""
        (column,) = (column for column in self._contract.all_columns if column.name == name)
        if column.default is None or column.type.is_nested:
            return ""
        return f"TRY_CAST({quote_text(str(column.default))} AS {column.type.sql()})"

    def _record(self, seq: int, shape: Shape) -> None:
        facts: list[Any] = [self._pipeline, seq, self._worker, self._contract.digest(), shape.as_json()]
        self._cursor.execute(statement("load/insert_contract"), facts)


def _parsed(type_: str) -> SqlType | None:
    """A type of the table; None for one that no contract can have."""
    try:
        return parse_type(type_)
    except TypeSyntaxError:
        return None
