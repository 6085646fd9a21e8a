"""Changes of the warehouse that are no batch: each takes its turn among the writers, and the head."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb

from loader.errors import HeadMoved, LoaderError, WarehouseBusy
from loader.failpoints import fail_point
from loader.statements import statement
from loader.warehouse.attach import translated, unwritable
from loader.warehouse.commit import take_head
from loader.warehouse.durable import kept_files
from loader.warehouse.files import WriterLock
from loader.warehouse.migrate import open_warehouse
from loader.warehouse.transaction import CommitFailed, is_conflict, one, transaction

if TYPE_CHECKING:
    from loader.config import Config

T = TypeVar("T")
TRIES = 8
PAUSE = 0.05  # seconds, more with each try


@dataclass(frozen=True, slots=True)
class Changes:
    """One cursor of an open warehouse, and the writers' lock of a lake (None for a DuckDB file)."""

    cursor: duckdb.DuckDBPyConnection
    lock: WriterLock | None
    address: str
    data: Path | None = None  # the folder of a lake's files

    def turn(self) -> AbstractContextManager[None]:
        """Hold the writers' lock; it is given back at the end of the block."""
        return self.lock.held() if self.lock else nullcontext()

    def apply(self, body: Callable[[], T], *, fenced: bool = True) -> T:
        """The body in one transaction that takes the head; again, a few times, when others were first.

        Files that DuckLake writes in it are durable before COMMIT. `fenced` False leaves the head: for
        what changes no row, because DuckLake refuses changes and compaction in one transaction.
        Raises WarehouseBusy when others always were first, and our errors.
        """
        for attempt in range(TRIES):
            try:
                return self._once(body, fenced=fenced)
            except (HeadMoved, CommitFailed):
                time.sleep(PAUSE * attempt)
        message = f"other writers committed first {TRIES} times in a row"
        raise WarehouseBusy(message, address=self.address, hint="run again later")

    def _once(self, body: Callable[[], T], *, fenced: bool) -> T:
        with own_errors(self.address), self.turn(), kept_files(self.data) as keep, transaction(self.cursor):
            if fenced:
                take_head(self.cursor, one(self.cursor.execute(statement("load/head"))))
            done = body()
            fail_point("mid_change")
            keep()
            fail_point("before_change_commit")
        fail_point("after_change_commit")
        return done


@contextmanager
def own_errors(address: str) -> Iterator[None]:
    """What DuckDB and the file system raise, as our errors; a lost race is HeadMoved."""
    try:
        yield
    except (CommitFailed, duckdb.Error) as error:
        if is_conflict(error):
            raise HeadMoved(str(error)) from error
        if isinstance(error, CommitFailed):
            raise
        raise translated(error, address) from error
    except OSError as error:
        raise unwritable(error, address) from error


@contextmanager
def changes(config: Config, memory: int | None = None) -> Iterator[Changes]:
    """The warehouse, opened for changes (`memory`: DuckDB's limit in bytes). Raises our errors."""
    address = str(config.warehouse.file)
    lock = WriterLock(Path(f"{address}.lock")) if config.warehouse.kind == "ducklake" else None
    with own_errors(address), lock.held() if lock else nullcontext():
        home = open_warehouse(config.warehouse, memory)
    try:
        yield Changes(home, lock, address, config.warehouse.data_path if lock else None)
    finally:
        home.close()


def settled(action: Callable[[], None]) -> LoaderError | None:
    """Do something that the caller can do without; its error instead of an exception."""
    try:
        action()
    except LoaderError as error:
        return error
    except (HeadMoved, CommitFailed) as race:
        return WarehouseBusy(str(race))
    return None
