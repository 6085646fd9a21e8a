"""The published copy of a DuckDB file: what read verbs answer from while the loader holds the file.

The copy is made by a process of its own: a POSIX lock is given up when *any* descriptor of the file
is closed in the process that holds it, so opening the file here would unlock it for other writers.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import duckdb

from loader.errors import WarehouseAway
from loader.statements import statement
from loader.warehouse.files import make_folder, sync_new_file


def publish(cursor: duckdb.DuckDBPyConnection, file: Path, copy: Path) -> None:
    """Copy the warehouse as it is now and rename it into place; no transaction may be open.

    Raises WarehouseAway when there is no room.
    """
    cursor.execute(statement("warehouse/checkpoint"))
    make_folder(copy.parent)
    temporary = Path(f"{copy}.{os.getpid()}.new")
    done = subprocess.run(["cp", "--", str(file), str(temporary)], capture_output=True, check=False)  # noqa: S603, S607 - fixed program, own paths
    if done.returncode:
        temporary.unlink(missing_ok=True)
        raise WarehouseAway(f"cannot publish: {done.stderr.decode().strip()}", address=str(copy))
    sync_new_file(temporary)
    temporary.replace(copy)
    sync_new_file(copy)
