"""Files that DuckLake writes itself, in compaction and flush: durable before COMMIT, and never lost by it.

DuckLake syncs nothing, and removes what it wrote when COMMIT fails, also when the commit takes effect
later. So each of its new files gets a second name until the outcome is known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loader.warehouse.files import seal_new_file
from loader.warehouse.transaction import CommitFailed

SECOND = ".keep"
OWN = "ducklake-*.parquet"  # how DuckLake names its files; ours are loader-*.parquet


@contextmanager
def kept_files(data: Path | None) -> Iterator[Callable[[], None]]:
    """Around a transaction; the function it gives is to be called just before COMMIT. No effect for None."""
    before, kept = _files(data), list[Path]()

    def keep() -> None:
        for file in _files(data) - before:
            with suppress(FileNotFoundError):  # another writer's, gone again
                seal_new_file(file, data.parent if data else None)
                kept.append(_second_name(file))

    try:
        yield keep
    except CommitFailed:
        _put_back(kept)
        raise
    finally:
        for name in kept:
            name.unlink(missing_ok=True)


def _files(data: Path | None) -> set[Path]:
    return set(data.rglob(OWN)) if data else set()


def _second_name(file: Path) -> Path:
    name = file.with_suffix(SECOND)
    os.link(file, name)
    return name


def _put_back(names: list[Path]) -> None:
    for name in names:
        file = name.with_suffix(".parquet")
        if not file.exists():
            os.link(name, file)
