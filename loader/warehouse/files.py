"""Files on disk: made durable by us, because DuckDB and DuckLake never sync the Parquet they write."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loader.errors import WarehouseBusy

LOCK_SECONDS = 60.0
LOCK_LOOK = 0.005


def sync(path: Path) -> None:
    """Make a file or a folder durable (fsync). Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Create a folder with its parents; each new name is made durable."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def sync_new_file(path: Path) -> None:
    """Make a file that was just written durable, with its name."""
    sync(path)
    sync(path.parent)


class WriterLock:
    """The advisory lock that writers of one local catalogue take in turn.

    It is for progress only: without it large transactions starve small ones. Safety is the head's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> None:
        """Wait for the lock. Raises WarehouseBusy after a minute; no effect when it is held."""
        if self._handle is not None:
            return
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + LOCK_SECONDS
        while not _locked(handle):
            if time.monotonic() > until:
                os.close(handle)
                message = f"another writer has held the lock for {LOCK_SECONDS:.0f} s"
                raise WarehouseBusy(message, address=str(self._path), hint="run again later")
            time.sleep(LOCK_LOOK)
        self._handle = handle

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
