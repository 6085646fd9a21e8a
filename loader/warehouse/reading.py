"""Read a warehouse beside its writer: a read-only connection on one snapshot.

A DuckLake can be read at any time. A DuckDB file is locked by its writer; then the published copy
answers, where there is one, and says its age.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.errors import ActionNeeded, WarehouseBusy
from loader.model import Identity
from loader.statements import names, quote_identifier, source, statement
from loader.warehouse.attach import connect, translated
from loader.warehouse.follow import Follower
from loader.warehouse.migrate import has_control
from loader.warehouse.transaction import roll_back
from loader.warehouse.wanted import Wanted

if TYPE_CHECKING:
    from loader.config import Config

Row = dict[str, Any]
ENTRIES = 500  # that are in memory at once in an export
READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.RELATION)


@dataclass(frozen=True, slots=True)
class Place:
    """A DuckDB file to read in place of the one in the configuration: the published copy."""

    file: Path
    kind: str = "duckdb"


def open_to_read(config: Config) -> tuple[duckdb.DuckDBPyConnection, float | None] | None:
    """The warehouse read-only, and the age of the published copy where that answers; None: nothing loaded.

    Raises WarehouseBusy, WarehouseAway.
    """
    address, memory, age = config.warehouse, config.limits.memory, None
    if not address.file.exists():
        return None
    try:
        home = connect(address, read_only=True, memory=memory)
    except WarehouseBusy:
        copy = address.publish_path
        if copy is None or not copy.exists():
            raise
        age = time.time() - copy.stat().st_mtime
        home = connect(Place(copy), read_only=True, memory=memory)  # type: ignore[arg-type]
    if not has_control(home):
        home.close()
        return None
    return home, age


class Reader:
    """A read-only look at one pipeline's warehouse; use it as a context manager."""

    def __init__(self, config: Config) -> None:
        """Open. Raises ActionNeeded (nothing loaded yet), WarehouseBusy, WarehouseAway."""
        self.config = config
        self.contract = Contract.from_config(config.table, config.limits.message_bytes)
        opened = open_to_read(config)
        if opened is None:
            raise nothing_there(config.warehouse.file)
        self.home, self.age = opened  # seconds since the copy was published; None: not a copy

    def __enter__(self) -> Self:
        """Begin one snapshot for everything that is read."""
        self.home.execute("BEGIN TRANSACTION READ ONLY")
        return self

    def begin_again(self) -> None:
        """After a statement that failed: a new snapshot, because the old one answers no more."""
        roll_back(self.home)
        self.home.execute("BEGIN TRANSACTION READ ONLY")

    def __exit__(self, *error: object) -> None:
        """Close the connection."""
        self.home.close()

    def rows(self, name: str, parameters: Row | None = None, /, **names: object) -> list[Row]:
        """The result of a statement under `sql/`, a dict per row. Raises our errors."""
        try:
            return fetched(self.home.execute(statement(name, **names), parameters or {}))
        except duckdb.Error as error:
            raise translated(error, str(self.config.warehouse.file)) from error

    def of_pipeline(self, name: str, **parameters: object) -> list[Row]:
        """As `of_table`, with the pipeline's name as a parameter."""
        return self.of_table(name, pipeline=self.config.pipeline, **parameters)

    def of_table(self, name: str, **parameters: object) -> list[Row]:
        """As `rows`, with the target table, its ids and its columns filled in."""
        names = {"table": self.config.table.name, "ids": self.id_columns(), "columns": self.columns()}
        return self.rows(name, parameters, **names)

    def of_wanted(self, name: str, wanted: Wanted, **parameters: object) -> list[Row]:
        """The result of a statement about the quarantine entries that are wanted."""
        given = wanted.parameters(self.config.pipeline) | parameters
        return self.rows(name, given, wanted=wanted.condition())

    def batches_of_wanted(self, name: str, wanted: Wanted) -> Iterator[pa.RecordBatch]:
        """As `of_wanted`, as Arrow, a few hundred entries at a time."""
        try:
            sql = statement(name, wanted=wanted.condition())
            given = wanted.parameters(self.config.pipeline)
            yield from self.home.execute(sql, given).to_arrow_reader(ENTRIES)
        except duckdb.Error as error:
            raise translated(error, str(self.config.warehouse.file)) from error

    def recorded(self) -> Identity | None:
        """The topic's identity as recorded at the first start; None where the pipeline is not known."""
        row = self.home.execute(statement("load/recorded"), [self.config.pipeline]).fetchone()
        return Identity(*row[:4]) if row else None

    def follower(self) -> Follower:
        """The target table beside the contract."""
        return Follower(self.home, self.config.pipeline, self.config.table.name, self.contract)

    def id_columns(self) -> list[str]:
        """The id's columns as quoted identifiers."""
        return [quote_identifier(name) for name in self.contract.id]

    def columns(self) -> list[str]:
        """The contract's columns as quoted identifiers, but for those that come with the next batch."""
        present = self.home.execute(statement("warehouse/columns"), [self.config.table.name]).fetchall()
        in_table = {quote_identifier(name) for name, _ in present}
        return [name for name, _ in self.contract.ddl() if name in in_table]


def fetched(result: duckdb.DuckDBPyConnection) -> list[Row]:
    """All rows of a result, a dict per row."""
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def nothing_there(file: Path) -> ActionNeeded:
    """The error of a verb that needs a warehouse which `load` has made."""
    return ActionNeeded("nothing has been loaded yet", address=str(file), hint="loader load")


def score_rows(config: Config) -> Iterator[Row]:
    """The rows of the target table, contract columns only, for `loader score`."""
    with Reader(config) as reader:
        sql = statement("read/score_rows", table=config.table.name, columns=reader.columns())
        for batch in reader.home.execute(sql).to_arrow_reader(50_000):
            yield from batch.to_pylist()


def analytics() -> dict[str, str]:
    """The shipped analytics: name and the sentence in the header of each file."""
    headers = {name: source(f"analytics/{name}").split("\n", 1)[0] for name in names("analytics")}
    return {name: header.removeprefix("-- ") for name, header in headers.items()}


def query(reader: Reader, name_or_sql: str) -> pa.Table:
    """Run one of the shipped analytics or SQL of the user, read-only.

    Raises ActionNeeded with DuckDB's own words where the SQL is wrong, and for anything but one SELECT.
    """
    sql = name_or_sql
    if name_or_sql in names("analytics"):
        table = quote_identifier(reader.config.table.name)
        sql = statement(f"analytics/{name_or_sql}", table=table, pipeline=reader.config.pipeline)
    try:
        _only_reads(reader.home.extract_statements(sql))
        reader.home.execute("USE lake")
        result: pa.Table = reader.home.execute(sql).to_arrow_table()
    except duckdb.Error as error:
        hint = "loader query --list" if " " not in name_or_sql else ""
        words = " ".join(str(error).split("LINE 1:", 1)[0].split())
        raise ActionNeeded(words, address="query", hint=hint) from error
    return result


def _only_reads(statements: list[duckdb.Statement]) -> None:
    if [found.type for found in statements] not in ([kind] for kind in READING):
        raise ActionNeeded("only one statement that reads is run here, such as SELECT", address="query")
