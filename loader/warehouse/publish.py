"""The published copy of a DuckDB file: what read verbs answer from while the loader holds the file.

The copy is made by a process of its own: a POSIX lock is given up when *any* descriptor of the file
is closed in the process that holds it, so opening the file here would unlock it for other writers.
"""

from __future__ import annotations

import glob
import logging
import os
import subprocess
import time
from pathlib import Path

import duckdb

from loader.errors import WarehouseAway
from loader.statements import statement
from loader.warehouse.files import make_folder, sync_new_file

LOG = logging.getLogger("loader.warehouse")


def publish(cursor: duckdb.DuckDBPyConnection, file: Path, copy: Path) -> None:
    """Copy the warehouse as it is now and rename it into place; no transaction may be open.

    Raises WarehouseAway when there is no room.
    """
    cursor.execute(statement("warehouse/checkpoint"))
    make_folder(copy.parent)
    _remove_left(copy)
    temporary = Path(f"{copy}.{os.getpid()}.new")
    done = subprocess.run(["cp", "--", str(file), str(temporary)], capture_output=True, check=False)  # noqa: S603, S607 - fixed program, own paths
    if done.returncode:
        temporary.unlink(missing_ok=True)
        raise WarehouseAway(f"cannot publish: {done.stderr.decode().strip()}", address=str(copy))
    sync_new_file(temporary)
    temporary.replace(copy)
    sync_new_file(copy)


def _remove_left(copy: Path) -> None:
    """Remove what killed processes had copied: only one process holds the file, and so publishes it."""
    for file in copy.parent.glob(f"{glob.escape(copy.name)}.*.new"):
        if file.name.removeprefix(f"{copy.name}.").removesuffix(".new").isdigit():
            file.unlink(missing_ok=True)


class Publisher:
    """Renews the published copy of a DuckDB file every `every` seconds, if there is news, and at the end."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, file: Path, copy: Path, every: float) -> None:
        self._cursor, self._file, self._copy, self._every = cursor, file, copy, every
        self._stale = True
        self._last = -every

    def committed(self) -> None:
        """The file has changed."""
        self._stale = True
        self.look()

    def look(self) -> None:
        """Publish what is new if the copy is old enough."""
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
