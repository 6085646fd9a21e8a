"""Put derived tables that were made anew in place of those that are there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import duckdb

from loader.errors import HeadMoved
from loader.statements import statement
from loader.warehouse.commit import append
from loader.warehouse.derivation import Derivation
from loader.warehouse.deriver import Derived, Deriver
from loader.warehouse.rederive import Rederiver
from loader.warehouse.split import Part, Splitter, is_large, parts_of
from loader.warehouse.transaction import one, transaction


@dataclass(frozen=True, slots=True)
class Remade:
    """A derived table made anew, and its rows as parts of a transaction."""

    derived: Derived
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Remaker:
    """Makes derived tables of one pipeline anew; `splitter` writes the files. `former`: see Rederiver."""

    cursor: duckdb.DuckDBPyConnection
    splitter: Splitter
    deriver: Deriver
    former: str = ""

    def prepare(
        self,
        seen: int,
        batch: int,
        wanted: Iterable[Derivation],
        places: tuple[tuple[int, int], ...] = (),
    ) -> list[Remade]:
        """The tables as they are at the head `seen`; with places, without the rows that go there.

        Nothing where no row goes. Raises HeadMoved when it is another head, WarehouseMismatch where rows
        go and the tables are others than we know, and as `Rederiver.anew`.
        """
        of = self.splitter
        maker = Rederiver(self.cursor, of.pipeline, of.table, of.contract, places, self.former)
        with transaction(self.cursor):
            if one(self.cursor.execute(statement("load/head"))) != seen:
                message = f"the head is not {seen} any more"
                raise HeadMoved(message)
            if places:
                self.deriver.at(seen)
            since = maker.first_undone() if places else None
            if places and since is None:
                return []
            found = []
            for number, derivation in enumerate(wanted):
                name = f"remade_{batch}_{number}"
                maker.anew(derivation, name, batch, since)
                found.append(self.deriver.outgoing(name, derivation, seen))
        return [Remade(derived, tuple(self._parts(derived, batch))) for derived in found]

    def _parts(self, derived: Derived, batch: int) -> Iterable[Part]:
        for part in parts_of(derived):
            yield self.splitter.filed(batch, replace(part, replaces=()), large=is_large(part))

    def put(self, remade: Iterable[Remade], seq: int) -> None:
        """Inside a transaction that took the head as `seq`."""
        for each in remade:
            self.deriver.create(each.derived.derivation, seq)
            for part in each.parts:
                append(self.cursor, part)

    def discard(self, remade: Iterable[Remade]) -> None:
        """Drop the rows from memory."""
        with suppress(duckdb.Error):  # the warehouse was opened anew: then they are gone
            for name in (name for each in remade for name in each.derived.names):
                self.cursor.execute(statement("load/drop_staging", name=name))
