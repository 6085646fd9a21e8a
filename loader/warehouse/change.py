"""Changes of the warehouse that are no batch: each takes its turn among the writers, and the head."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from loader.errors import HeadMoved, LoaderError, WarehouseBusy
from loader.statements import statement
from loader.warehouse.attach import translated, unwritable
from loader.warehouse.commit import take_head
from loader.warehouse.files import WriterLock
from loader.warehouse.migrate import open_warehouse
from loader.warehouse.transaction import CommitFailed, is_conflict, one, transaction

if TYPE_CHECKING:
    from loader.config import Config

TRIES = 8
PAUSE = 0.05  # seconds, more with each try


@dataclass(frozen=True, slots=True)
class Changes:
    """One cursor of an open warehouse, and the writers' lock of a lake (None for a DuckDB file)."""

    cursor: duckdb.DuckDBPyConnection
    lock: WriterLock | None
    address: str

    def turn(self) -> AbstractContextManager[None]:
        """Hold the writers' lock; it is given back at the end of the block."""
        return self.lock.held() if self.lock else nullcontext()

    def apply(self, body: Callable[[], None]) -> None:
        """The body in one transaction that takes the head; again, a few times, when others were first.

        Raises WarehouseBusy when they always were, and our errors.
        """
        for attempt in range(TRIES):
            try:
                with own_errors(self.address), self.turn(), transaction(self.cursor):
                    take_head(self.cursor, one(self.cursor.execute(statement("load/head"))))
                    body()
            except (HeadMoved, CommitFailed):
                time.sleep(PAUSE * attempt)
            else:
                return
        message = f"other writers committed first {TRIES} times in a row"
        raise WarehouseBusy(message, address=self.address, hint="run again later")


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
        yield Changes(home, lock, address)
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
