"""Files and folders for others that appear complete, in the place of those before."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loader.errors import ActionNeeded, WarehouseBusy
from loader.warehouse.files import sync

MARK = "_loader_export.json"
"""Stands in a folder that an export has made: only such a folder is replaced."""

EXCHANGE = 2  # RENAME_EXCHANGE of Linux' renameat2
HERE = -100  # AT_FDCWD


@contextmanager
def replaced(target: Path, *, folder: bool) -> Iterator[Path]:
    """Where to write what shall stand at `target` when the block is left: a file, or a whole folder.

    It is synced to disk first. After an error, or a kill, the old one stands. Raises WarehouseBusy (another
    process writes the same target), ActionNeeded (there stands something that no export has made), OSError.
    """
    _refuse_others(target, folder=folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    room = target.with_name(f".{target.name}.new")
    room.mkdir(exist_ok=True)
    handle = _locked(room, target)
    inside = room / "folder" if folder else room / target.name
    try:
        _empty(room)
        yield inside
        _sync_all(inside)
        _swap(inside, target)
        sync(target.parent)
    finally:
        _empty(room)
        room.rmdir()
        os.close(handle)


def _refuse_others(target: Path, *, folder: bool) -> None:
    if not target.exists():
        return
    ours = (target / MARK).exists() if folder else target.is_file()
    empty = folder and target.is_dir() and not any(target.iterdir())
    if not (ours or empty):
        what = "is not an export, and is not replaced" if folder else "is a folder"
        raise ActionNeeded(what, address=str(target), hint="give another --to")


def _locked(room: Path, target: Path) -> int:
    handle = os.open(room, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise WarehouseBusy("another export writes it", address=str(target), hint="run again later") from None
    return handle


def _empty(room: Path) -> None:
    """Remove what a killed export has left."""
    for entry in room.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _sync_all(path: Path) -> None:
    for entry in (path, *path.rglob("*")):
        sync(entry)


def _swap(new: Path, target: Path) -> None:
    """Put the new one in place; on Linux a folder changes places with the old one in one step."""
    if not target.is_dir() or not any(target.iterdir()):
        new.replace(target)
        return
    if _exchanged(new, target):
        return
    old = new.with_name("old")
    target.rename(old)
    new.rename(target)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the system could let two names change places."""
    if sys.platform != "linux":
        return False
    with suppress(AttributeError):  # a C library before glibc 2.28
        rename = ctypes.CDLL(None).renameat2
        return bool(rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0)
    return False
