"""Open a warehouse to read it beside its writer.

A DuckLake can be read at any time. A DuckDB file is locked by its writer; then the published copy
answers, where there is one, and says its age.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from loader.errors import ActionNeeded, WarehouseBusy
from loader.warehouse.attach import connect
from loader.warehouse.migrate import has_control

if TYPE_CHECKING:
    from loader.config import Warehouse as Address


@dataclass(frozen=True, slots=True)
class Place:
    """Where a warehouse is, as far as a reader needs it; paths are absolute."""

    file: Path
    kind: str = "duckdb"
    data_path: Path | None = None  # the folder of a lake's Parquet files
    publish_path: Path | None = None


def open_to_read(
    address: Address | Place, memory: int
) -> tuple[duckdb.DuckDBPyConnection, float | None] | None:
    """The warehouse read-only, and the age of the published copy where that answers; None: nothing loaded.

    `memory` is DuckDB's limit in bytes. Raises WarehouseBusy, WarehouseAway, WarehouseDamaged.
    """
    if not address.file.exists():
        return None
    home, age = _connected(address, memory)
    if not has_control(home):
        home.close()
        return None
    return home, age


def _connected(address: Address | Place, memory: int) -> tuple[duckdb.DuckDBPyConnection, float | None]:
    try:
        return connect(address, read_only=True, memory=memory), None  # type: ignore[arg-type]
    except WarehouseBusy:
        copy = address.publish_path
        if copy is None or not copy.exists():
            raise
        age = time.time() - copy.stat().st_mtime
        return connect(Place(copy), read_only=True, memory=memory), age  # type: ignore[arg-type]


def nothing_there(file: Path) -> ActionNeeded:
    """The error of a verb that needs a warehouse which `load` has made."""
    return ActionNeeded("nothing has been loaded yet", address=str(file), hint="loader load")
