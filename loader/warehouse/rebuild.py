"""`loader rebuild`: make derived tables anew, in one transaction each, or give them up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from loader.engine import Sleep
from loader.errors import ActionNeeded
from loader.failpoints import fail_point
from loader.model import new_batch_id
from loader.statements import statement
from loader.warehouse.commit import take_head
from loader.warehouse.derivation import Derivation
from loader.warehouse.durable import kept_files
from loader.warehouse.opening import nothing_there
from loader.warehouse.remake import Remade, Remaker
from loader.warehouse.retry import patiently
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.transaction import CommitFailed, transaction

if TYPE_CHECKING:
    from loader.config import Config


@contextmanager
def opened(config: Config, sleep: Sleep) -> Iterator[Rebuild]:
    """The warehouse for changes of its derived tables. Raises what Rebuild raises, and FenceLost."""
    with closing(patiently(partial(Rebuild, config), sleep)) as warehouse:
        yield warehouse


class Rebuild(DuckWarehouse):
    """A warehouse whose derived tables need not be as the configuration says: they are about to be."""

    def __init__(self, config: Config) -> None:
        """Open. Raises ActionNeeded where nothing has been loaded yet, and what DuckWarehouse raises."""
        if not config.warehouse.file.exists():
            raise nothing_there(config.warehouse.file)
        super().__init__(config)

    def _begin_derived(self, seq: int) -> bool:  # noqa: ARG002 - nothing is compared
        return False

    def wanted(self, tables: list[str]) -> list[Derivation]:
        """The derivations of these tables, or all. Raises ActionNeeded for one that no [[derive]] makes."""
        found = {derivation.table: derivation for derivation in self._deriver.wanted}
        if unknown := [table for table in tables if table not in found]:
            message = "no [[derive]] makes this table"
            hint = f"loader rebuild --drop {unknown[0]}" if unknown[0] in self.known() else ""
            raise ActionNeeded(message, address=unknown[0], hint=hint)
        return [found[table] for table in tables or found]

    def known(self) -> set[str]:
        """The derived tables that the pipeline has."""
        with self._own_errors():
            return set(self._deriver.known())

    def rebuild(self, derivation: Derivation) -> int:
        """Make one table anew; how many rows it has.

        Raises HeadMoved or Restart when others were first: nothing was changed, it may be tried again.
        """
        batch = new_batch_id()
        maker = Remaker(self._commits, self._splitter, self._deriver)
        with self._own_errors(), self._turn():
            if derivation.table not in self.known():
                self._deriver.refuse_taken(derivation)
            seen = self._head()
            remade = maker.prepare(seen, batch, [derivation])
            seq = self._put(batch, seen + 1, maker, remade, derivation.table)
            maker.discard(remade)
        self._keep_up(seq)
        return remade[0].derived.count

    def _put(self, batch: int, seq: int, maker: Remaker, remade: list[Remade], table: str) -> int:
        data = self._config.warehouse.data_path if self._is_lake else None
        fail_point("before_begin")
        try:
            with self._own_errors(), kept_files(data) as keep, transaction(self._commits):
                take_head(self._commits, seq - 1)
                maker.put(remade, seq)
                fail_point("mid_change")
                self._note(batch, seq, "rebuild", table, self._topics.in_force())
                keep()
                fail_point("before_commit")
        except CommitFailed as unknown:
            seq = self._settled(batch, unknown)
        fail_point("after_commit")
        return seq

    def drop(self, table: str) -> None:
        """Drop a derived table and forget it. Raises ActionNeeded where there is none, and as `rebuild`."""
        if table not in self.known():
            known = ", ".join(sorted(self.known()))
            hint = f"one of {known}" if known else "there is none"
            raise ActionNeeded("no such derived table", address=table, hint=hint)
        batch = new_batch_id()
        try:
            with self._own_errors(), self._turn(), transaction(self._commits):
                seen = self._head()
                take_head(self._commits, seen)
                self._commits.execute(statement("derive/forget"), [self._pipeline, table])
                self._commits.execute(statement("derive/drop_table", table=table))
                self._note(batch, seen + 1, "rebuild", f"{table} dropped", self._topics.in_force())
        except CommitFailed as unknown:
            seen = self._settled(batch, unknown) - 1
        self._keep_up(seen + 1)
