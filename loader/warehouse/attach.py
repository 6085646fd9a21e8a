"""Open a warehouse: a private in-memory database for staging, with the warehouse attached as `lake`.

Both kinds of warehouse look the same from then on. Extensions come from the pinned wheels; nothing
is installed at run time.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from loader.errors import (
    ActionNeeded,
    LoaderError,
    NothingLoaded,
    WarehouseAway,
    WarehouseBusy,
    WarehouseDamaged,
    WarehouseMismatch,
)
from loader.statements import statement

if TYPE_CHECKING:
    from loader.config import Warehouse as Address

EXTENSIONS = ("sqlite_scanner", "ducklake")
DISK_FULL = "the disk is full; nothing of the batch was loaded"
CHECK_PATH = "check warehouse.path and warehouse.data"
NOTHING_LOADED = ("nothing has been loaded yet", "loader load")  # message, hint
LEFT_AFTER = 86_400.0  # seconds
INLINE_ROWS = 64  # target rows of a batch up to which no file is made; 5 k inlined rows cost 490 ms
INLINE_CONTROL_ROWS = 10_000


def connect(
    address: Address, *, read_only: bool = False, memory: int | None = None, threads: int = 1
) -> duckdb.DuckDBPyConnection:
    """A connection with the warehouse attached as `lake`; `memory` is DuckDB's limit in bytes.

    Raises WarehouseBusy (another process has the DuckDB file), WarehouseAway (no such folder, no
    permission), WarehouseDamaged (not a warehouse).
    """
    home = _private()
    try:
        if address.kind == "ducklake":
            _load_extensions(home)
        _settle_in(home, memory, threads)
        home.execute(_attach(address, read_only=read_only))
    except duckdb.Error as error:
        home.close()
        raise translated(error, str(address.file)) from error
    return home


def attach_empty(memory: int | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with an empty database in memory as `lake`."""
    home = _private()
    _settle_in(home, memory, threads=1)
    home.execute(statement("warehouse/attach_empty"))
    return home


def tidy(catalogue: Path) -> None:
    """Let SQLite remove what a read-only look has left beside a catalogue that nobody has open."""
    with _private() as home, suppress(duckdb.Error):  # someone has it open: then it is theirs
        _load_extensions(home)
        _settle_in(home, None, threads=1)
        home.execute(statement("plan/tidy", file=str(catalogue)))


def _private() -> duckdb.DuckDBPyConnection:
    """A database in memory, of this process alone.

    The extensions are those of the installed wheels, whose content pip has compared with its record, as that
    of this program: reading 70 MB again for their signatures takes 0.2 to 0.5 s. The settings end the
    permission, and it cannot be given again.
    """
    return duckdb.connect(":memory:", config={"allow_unsigned_extensions": True})


def _settle_in(home: duckdb.DuckDBPyConnection, memory: int | None, threads: int) -> None:
    _sweep()
    spill = str(spill_folder() / f"{os.getpid()}-{secrets.token_hex(4)}")
    home.execute(statement("warehouse/settings", threads=threads, memory=memory, temporary=spill))


def spill_folder() -> Path:
    """A folder of this user's. Two connections must never spill into one: files have fixed names there."""
    folder = Path(tempfile.gettempdir()) / f"loader-spill-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@cache
def _sweep() -> None:
    """Once in a process: remove what killed processes have spilled and left a day ago or more."""
    for folder in spill_folder().iterdir() if Path("/proc/self").exists() else ():
        with suppress(OSError):  # another process sweeps too
            process, seconds = folder.name.split("-")[0], time.time() - folder.stat().st_mtime
            if seconds > LEFT_AFTER and not Path("/proc", process).exists():
                shutil.rmtree(folder, ignore_errors=True)


def spill_folders(process: int) -> list[Path]:
    """Where the connections of a process spill to disk; they remain when it is killed."""
    return list(spill_folder().glob(f"{process}-*"))


def _attach(address: Address, *, read_only: bool) -> str:
    if address.kind == "ducklake":
        return statement(
            "warehouse/attach_ducklake",
            address=f"ducklake:sqlite:{address.file}",
            data=str(address.data_path),
            read_only=read_only,
            inline_rows=INLINE_CONTROL_ROWS,
        )
    return statement("warehouse/attach_duckdb", address=str(address.file), read_only=read_only)


def _load_extensions(home: duckdb.DuckDBPyConnection) -> None:
    for name in EXTENSIONS:
        wheel = files(f"duckdb_extension_{name}") / "extensions" / f"v{duckdb.__version__}"
        with as_file(wheel / f"{name}.duckdb_extension") as path:
            home.load_extension(str(path))


def unwritable(error: OSError, address: str) -> LoaderError:
    """An error of the file system: a person must act, or there may be room or a disk again later."""
    words = ": ".join(str(part) for part in (error.strerror or error, error.filename) if part)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return ActionNeeded(words, address=address, hint=CHECK_PATH)
    if error.errno == errno.ENOSPC:
        return WarehouseAway(DISK_FULL, address=address)
    return WarehouseAway(words, address=address, hint=CHECK_PATH)


KNOWN: tuple[tuple[str, type[LoaderError], str, str], ...] = (  # pattern, error, message (or DuckDB's), hint
    (r"No space left|disk is full", WarehouseAway, DISK_FULL, ""),
    (r"Existing DuckLake .* does not exist", NothingLoaded, *NOTHING_LOADED),  # the first load is making it
    (
        r"DATA_PATH.*does not match",
        WarehouseMismatch,
        "the lake was made with another folder for its files than warehouse.data says",
        "set warehouse.data back, or begin anew in another warehouse.path: a lake cannot be moved",
    ),
    (r"Permission denied|Read-only file system|Not a directory|Is a directory", ActionNeeded, "", CHECK_PATH),
    (r"Out of Memory", WarehouseAway, "", "raise limits.memory"),
    (
        r"not a valid DuckDB|file is not a database|Corrupt|checksum|malformed|Failed to parse DuckLake",
        WarehouseDamaged,
        "",
        "restore the warehouse from a backup",
    ),
)


def translated(error: duckdb.Error, address: str) -> LoaderError:
    """A DuckDB error as one of ours, by what its text says; WarehouseAway where it says nothing known."""
    text = str(error).split("\n", 1)[0]
    if "lock" in text and (holder := re.search(r"held in (\S+) \(PID (\d+)\)", str(error))):
        program, process = holder.groups()
        message = f"process {process} ({Path(program).name}) holds it"
        return WarehouseBusy(message, address=address, hint="run again when that process has ended")
    for pattern, kind, message, hint in KNOWN:
        if re.search(pattern, str(error)):
            return kind(message or text, address=address, hint=hint)
    return WarehouseAway(text, address=address, hint=CHECK_PATH if "does not exist" in text else "")
