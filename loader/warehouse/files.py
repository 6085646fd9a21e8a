"""Files on disk: made durable by us, because DuckDB and DuckLake never sync the Parquet they write.

Nor do they write checksums into it, so that a bit that flips on the disk would be another value and
nobody would know. So each new file of a lake has a seal: a small file of the same name that holds its
checksum.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = logging.getLogger("loader.warehouse")
LOCK_SECONDS = 10.0  # a commit of a large batch takes about two
LOCK_LOOK = 0.005
SEAL = ".crc"  # what a seal's name ends in, in place of the file's .parquet
PARQUET = b"PAR1"  # what a Parquet file begins and ends with
PIECE = 1 << 20  # bytes that are read at once
_DURABLE: set[Path] = set()  # folders whose names this process has synced


def sync(path: Path) -> None:
    """Make a file or a folder durable (fsync). Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path, root: Path | None = None) -> None:
    """Create a folder with its parents and make the names durable.

    Those of all that are missing, and those below `root` whoever made them: DuckLake does not sync.
    """
    if path in _DURABLE:
        return
    is_there = path.is_dir()
    if root and path != root and root in path.parents:
        make_folder(path.parent, root)
    elif is_there:
        return
    else:
        make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)
    _DURABLE.add(path)


def sync_new_file(path: Path, root: Path | None = None) -> None:
    """Make a file that was just written durable, with its name and those of its folders below `root`."""
    sync(path)
    make_folder(path.parent, root)
    sync(path.parent)


def seal_new_file(path: Path, root: Path | None = None) -> None:
    """As `sync_new_file`, for a Parquet file of a lake, which gets its seal.

    The seal itself need not be durable: a file without one is only not proved to be whole.
    """
    path.with_suffix(SEAL).write_text(_checksum(path))
    sync_new_file(path, root)


def is_whole(path: Path) -> bool:
    """Whether a Parquet file is written to its end: footer, length of the footer, mark. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        end = file.read()
    footer = int.from_bytes(end[:4], "little")
    return end[4:] == PARQUET and footer <= size - len(end) - len(PARQUET)


def remove_file(path: Path) -> None:
    """Remove a file, and with a Parquet file its seal, if they are there; another name of it has none."""
    path.unlink(missing_ok=True)
    if path.suffix == ".parquet":
        path.with_suffix(SEAL).unlink(missing_ok=True)


def is_as_written(path: Path) -> bool | None:
    """Whether a file still has the bytes that were sealed; None where it has no seal. Raises OSError.

    A seal that is empty or nonsense, as after a power cut, is none.
    """
    try:
        sealed = path.with_suffix(SEAL).read_text(errors="replace")
    except FileNotFoundError:
        return None
    return sealed == _checksum(path) if re.fullmatch("[0-9a-f]{8}", sealed) else None


def lonely_seals(folder: Path) -> list[Path]:
    """Seals below a folder whose files are gone."""
    return [seal for seal in folder.rglob(f"*{SEAL}") if not seal.with_suffix(".parquet").exists()]


def _checksum(path: Path) -> str:
    """The CRC-32 of a file's bytes, in hexadecimal: finds every flipped bit and every shorter burst."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            crc = zlib.crc32(piece, crc)
    return f"{crc:08x}"


class WriterLock:
    """The advisory lock that writers of one local catalogue take in turn.

    It is for progress only: without it large transactions starve small ones. Safety is the head's. So
    a writer that is frozen while it holds the lock delays the others once, and does not stop them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._patience = LOCK_SECONDS

    def take(self) -> None:
        """Wait for the lock, LOCK_SECONDS at most, then go on without it; no effect when it is held."""
        if self._handle is not None:
            return
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + self._patience
        while not _locked(handle):
            if time.monotonic() > until:
                os.close(handle)
                self._go_on_without()
                return
            time.sleep(LOCK_LOOK)
        self._handle, self._patience = handle, LOCK_SECONDS

    def _go_on_without(self) -> None:
        """Do not wait again until the lock has been free: its holder is frozen, or very slow."""
        if self._patience:
            LOG.warning("%s: another writer does not let go of the lock, going on without it", self._path)
        self._patience = 0.0

    def give(self) -> None:
        """Let the lock go; no effect when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for a block; it is let go at the end, also when it was held before."""
        self.take()
        try:
            yield
        finally:
            self.give()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
