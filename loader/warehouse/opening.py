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

from loader.errors import NothingLoaded, WarehouseBusy, WarehouseMismatch
from loader.warehouse.attach import NOTHING_LOADED, connect, translated
from loader.warehouse.migrate import has_control, lacking

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

    `memory` is DuckDB's limit in bytes. Raises WarehouseBusy, WarehouseAway, WarehouseDamaged, and
    WarehouseMismatch where another version made it: a reader cannot bring it up to date.
    """
    if not address.file.exists():
        return None
    try:
        home, age = _connected(address, memory)
    except NothingLoaded:  # the file of a lake, and no tables in it
        return None
    try:
        if has_control(home):
            _refuse_older(home, address)
            return home, age
    except BaseException as error:
        home.close()
        if isinstance(error, duckdb.Error):
            raise translated(error, str(address.file)) from error
        raise
    home.close()
    return None


def _refuse_older(home: duckdb.DuckDBPyConnection, address: Address | Place) -> None:
    if missing := lacking(home):
        message = f"an older version of the loader made the warehouse, without {', '.join(missing)}"
        hint = "loader maintain, which brings it up to date"
        raise WarehouseMismatch(message, address=str(address.file), hint=hint)


def _connected(address: Address | Place, memory: int) -> tuple[duckdb.DuckDBPyConnection, float | None]:
    try:
        return connect(address, read_only=True, memory=memory), None  # type: ignore[arg-type]
    except WarehouseBusy:
        copy = address.publish_path
        if copy is None or not copy.exists():
            raise
        age = time.time() - copy.stat().st_mtime
        return connect(Place(copy), read_only=True, memory=memory), age  # type: ignore[arg-type]


def nothing_there(file: Path) -> NothingLoaded:
    """The error of a verb that needs a warehouse which `load` has made."""
    message, hint = NOTHING_LOADED
    return NothingLoaded(message, address=str(file), hint=hint)
