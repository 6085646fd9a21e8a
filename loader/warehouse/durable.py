"""Files that DuckLake writes itself, in compaction and flush: durable before COMMIT, and never lost by it.

DuckLake syncs nothing, and removes what it wrote when COMMIT fails, also when the commit takes effect
later. So each of its new files gets a second name until the outcome is known. Which of them are the
transaction's own it does not tell before COMMIT: a file that another lake writes into the same folder
meanwhile is treated alike, and what we name is ours alone, so that neither takes it from the other.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loader.warehouse.files import is_whole, seal_new_file
from loader.warehouse.transaction import CommitFailed

SECOND = ".keep"
OWN = "ducklake-*.parquet"  # how DuckLake names its files; ours are loader-*.parquet


@contextmanager
def kept_files(data: Path | None) -> Iterator[Callable[[], None]]:
    """Around a transaction; the function it gives is to be called just before COMMIT. No effect for None."""
    before, kept = _files(data), dict[Path, Path]()
    ending = f".{secrets.token_hex(4)}{SECOND}"

    def keep() -> None:
        for file in _files(data) - before:
            with suppress(FileNotFoundError):  # another writer's, gone again
                if is_whole(file):  # else another lake is still writing it
                    seal_new_file(file, data.parent if data else None)
                    kept[file] = _second_name(file, ending)

    try:
        yield keep
    except CommitFailed:
        _put_back(kept)
        raise
    finally:
        for name in kept.values():
            name.unlink(missing_ok=True)


def _files(data: Path | None) -> set[Path]:
    return set(data.rglob(OWN)) if data else set()


def _second_name(file: Path, ending: str) -> Path:
    name = file.with_suffix(ending)
    os.link(file, name)
    return name


def first_name(name: Path) -> Path:
    """The file that a second name was given to."""
    return name.with_name(f"{name.name.split('.', 1)[0]}.parquet")


def _put_back(kept: dict[Path, Path]) -> None:
    for file, name in kept.items():
        with suppress(FileExistsError):
            os.link(name, file)
