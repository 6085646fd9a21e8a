"""Read a warehouse beside its writer: a read-only connection on one snapshot."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.model import Identity
from loader.statements import quote_identifier, source, statement
from loader.warehouse.attach import translated
from loader.warehouse.follow import Follower
from loader.warehouse.opening import nothing_there, open_to_read
from loader.warehouse.topics import Topics
from loader.warehouse.transaction import roll_back
from loader.warehouse.wanted import Wanted

if TYPE_CHECKING:
    from loader.config import Config

LOG = logging.getLogger("loader.warehouse")
Row = dict[str, Any]
ENTRIES = 500  # that are in memory at once in an export
COPIED = re.compile(r"\bledger\.(\w+)")  # the control tables that a statement reads from a copy
PIPELINE = "$pipeline"


class Reader:
    """A read-only look at one pipeline's warehouse; use it as a context manager."""

    def __init__(self, config: Config, *, tells: bool = True) -> None:
        """Open; `age` is the published copy's in seconds, None where it is not a copy.

        `tells` is whether the log says the age: False for a caller that shows it.
        Raises ActionNeeded (nothing loaded yet), WarehouseBusy, WarehouseAway.
        """
        self.config = config
        self.contract = Contract.from_config(config.table, config.limits.message_bytes)
        opened = open_to_read(config.warehouse, config.limits.memory)
        if opened is None:
            raise nothing_there(config.warehouse.file)
        self.home, self.age = opened  # seconds since the copy was published; None: not a copy
        if tells and self.age is not None:
            LOG.info("from the published copy, %.0f s old", self.age)
        self._copied: set[str] = set()
        self._columns: list[str] | None = None

    def __enter__(self) -> Self:
        """Begin one snapshot for everything that is read. Raises our errors."""
        self._fetched("BEGIN TRANSACTION")  # the warehouse is attached to be read only; copies are in memory
        return self

    def begin_again(self) -> None:
        """After a statement that failed: a new snapshot, because the old one answers no more."""
        roll_back(self.home)
        self._copied, self._columns = set(), None
        self._fetched("BEGIN TRANSACTION")

    def __exit__(self, *error: object) -> None:
        """Close the connection."""
        self.home.close()

    def rows(self, name: str, parameters: Row | None = None, /, **names: object) -> list[Row]:
        """The result of a statement under `sql/`, a dict per row. Raises our errors."""
        return self._fetched(statement(name, **names), parameters)

    def _fetched(self, sql: str, parameters: Row | list[str] | None = None) -> list[Row]:
        with self._own_errors():
            return fetched(self.home.execute(sql, parameters or {}))

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise translated(error, str(self.config.warehouse.file)) from error

    def of_pipeline(self, name: str, **parameters: object) -> list[Row]:
        """As `of_table`, with the pipeline's name as a parameter, and its control tables as `ledger`."""
        template = source(name)  # before names of columns stand in it
        for table in sorted(set(COPIED.findall(template)) - self._copied):
            self.rows("read/copy_ledger", table=table, pipeline=self.config.pipeline)
            self._copied.add(table)
        if PIPELINE in template:
            parameters["pipeline"] = self.config.pipeline
        return self.of_table(name, **parameters)

    def of_table(self, name: str, **parameters: object) -> list[Row]:
        """As `rows`, with the target table, its ids and its columns filled in."""
        return self.rows(name, parameters, **self._of_table())

    def _of_table(self) -> Row:
        return {"table": self.config.table.name, "ids": self.id_columns(), "columns": self.columns()}

    def of_wanted(self, name: str, wanted: Wanted, **parameters: object) -> list[Row]:
        """The result of a statement about the quarantine entries that are wanted."""
        given = wanted.parameters(self.config.pipeline) | parameters
        return self.rows(name, given, wanted=wanted.condition())

    def batches_of_wanted(self, name: str, wanted: Wanted) -> Iterator[pa.RecordBatch]:
        """As `of_wanted`, as Arrow, a few hundred entries at a time."""
        with self._own_errors():
            sql = statement(name, wanted=wanted.condition())
            given = wanted.parameters(self.config.pipeline)
            yield from self.home.execute(sql, given).to_arrow_reader(ENTRIES)

    def rows_of_id(self, words: Sequence[str]) -> list[Row]:
        """The rows with an id, a text for each id column or one for all, joined with `|`; nested by `row`."""
        own = self.contract.columns
        in_lake = self.config.warehouse.kind == "ducklake" and all(
            c.name.casefold() != "filename" for c in own
        )
        parts = len(words) > 1
        values = {f"id{n}": word for n, word in enumerate(words, 1)} if parts else {"id": words[0]}
        given = {"pipeline": self.config.pipeline, **values}
        return self.rows("read/trace_rows", given, **self._of_table(), parts=parts, in_lake=in_lake)

    def recorded(self) -> Identity | None:
        """The identity of the topic in force, as recorded; None where the pipeline is not known."""
        with self._own_errors():
            return Topics(self.home, self.config.pipeline, self.config.table.name).recorded()

    def generation(self) -> int:
        """The generation of the topic in force; 0 where the pipeline is not known."""
        with self._own_errors():
            return Topics(self.home, self.config.pipeline, self.config.table.name).in_force()

    def follower(self) -> Follower:
        """The target table beside the contract."""
        return Follower(self.home, self.config.pipeline, self.config.table.name, self.contract)

    def id_columns(self) -> list[str]:
        """The id's columns as quoted identifiers."""
        return [quote_identifier(name) for name in self.contract.id]

    def refuse_without_table(self) -> None:
        """Raise NothingLoaded where the pipeline's table is not there: its first load is to come."""
        if not self.columns():
            raise nothing_there(self.config.warehouse.file)

    def columns(self) -> list[str]:
        """The contract's columns as quoted identifiers, but for those that come with the next batch."""
        if self._columns is None:
            present = self._fetched(statement("warehouse/columns"), [self.config.table.name])
            in_table = {quote_identifier(row["column_name"]) for row in present}
            self._columns = [name for name, _ in self.contract.ddl() if name in in_table]
        return self._columns


def fetched(result: duckdb.DuckDBPyConnection) -> list[Row]:
    """All rows of a result, a dict per row."""
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def score_rows(config: Config) -> Iterator[Row]:
    """The rows of the target table, contract columns only, for `loader score`."""
    with Reader(config) as reader:
        reader.refuse_without_table()
        sql = statement("read/score_rows", table=config.table.name, columns=reader.columns())
        for batch in reader.home.execute(sql).to_arrow_reader(50_000):
            yield from batch.to_pylist()
