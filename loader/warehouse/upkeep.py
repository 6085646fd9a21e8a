"""What a writer does between batches, so that commits stay quick and readers find a fresh copy."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from loader.errors import WarehouseAway
from loader.statements import statement
from loader.warehouse.files import sync_new_file
from loader.warehouse.publish import publish
from loader.warehouse.transaction import CommitFailed, transaction

LOG = logging.getLogger("loader.warehouse")
FLUSH_EVERY = 1_000  # commits; one flush takes about half a second then


class Flusher:
    """Empties the lake's inlined rows whenever the head's number is a multiple of `every`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, data: Path, every: int = FLUSH_EVERY) -> None:
        self._cursor = cursor
        self._data = data
        self._every = every

    def committed(self, seq: int, take_head: Callable[[], None]) -> None:
        """Flush when it is time, as a change of its own that takes the head."""
        if seq % self._every:
            return
        before, kept = self._files(), []
        try:
            with transaction(self._cursor):
                take_head()
                self._cursor.execute(statement("warehouse/flush_inlined"))
                for file in self._files() - before:
                    sync_new_file(file, self._data.parent)
                    kept.append(_second_name(file))
        except CommitFailed:
            _put_back(kept)  # DuckLake removes what it wrote, also when the commit takes effect later
            raise
        finally:
            for name in kept:
                name.unlink(missing_ok=True)

    def _files(self) -> set[Path]:
        return set(self._data.rglob("*.parquet"))


def _second_name(file: Path) -> Path:
    name = file.with_suffix(".keep")
    os.link(file, name)
    return name


def _put_back(names: list[Path]) -> None:
    for name in names:
        file = name.with_suffix(".parquet")
        if not file.exists():
            os.link(name, file)


class Publisher:
    """Renews the published copy of a DuckDB file every `every` seconds, and at the end."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, file: Path, copy: Path, every: float) -> None:
        self._cursor, self._file, self._copy, self._every = cursor, file, copy, every
        self._stale = True
        self._last = -every

    def committed(self) -> None:
        """The file has changed; publish it if the copy is old enough."""
        self._stale = True
        if time.monotonic() - self._last >= self._every:
            self.renew()

    def renew(self) -> None:
        """Publish now, unless the copy is up to date. A failure is a warning: the load goes on."""
        if not self._stale:
            return
        try:
            publish(self._cursor, self._file, self._copy)
            self._stale = False
        except (WarehouseAway, OSError, duckdb.Error) as failure:
            LOG.warning("the published copy was not renewed: %s", failure)
        self._last = time.monotonic()
