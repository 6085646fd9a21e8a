"""What a writer does between batches, so that commits stay quick and readers find a fresh copy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from loader.errors import WarehouseAway
from loader.statements import statement
from loader.warehouse.files import sync_new_file
from loader.warehouse.publish import publish
from loader.warehouse.transaction import transaction

LOG = logging.getLogger("loader.warehouse")
FLUSH_EVERY = 1_000  # commits; one flush takes about half a second then


class Flusher:
    """Empties the lake's inlined control rows every FLUSH_EVERY commits of this process."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, data: Path, every: int = FLUSH_EVERY) -> None:
        self._cursor = cursor
        self._folder = data / "loader"
        self._every = every
        self._commits = 0

    def committed(self, take_head: Callable[[], None]) -> None:
        """Count a commit; flush when it is time, as a change of its own that takes the head."""
        self._commits += 1
        if self._commits % self._every:
            return
        before = self._files()
        with transaction(self._cursor):
            take_head()
            self._cursor.execute(statement("warehouse/flush_inlined"))
            for file in self._files() - before:
                sync_new_file(file)

    def _files(self) -> set[Path]:
        return set(self._folder.rglob("*.parquet"))


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
