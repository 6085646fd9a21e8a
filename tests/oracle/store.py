"""Opens a warehouse read-only with plain DuckDB, as any reader could."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import duckdb

Row = dict[str, Any]


class Store:
    """A read-only warehouse; rows come as dictionaries. `home` (see there) is left open."""

    def __init__(self, attach: str, *extensions: str, on: duckdb.DuckDBPyConnection | None = None) -> None:
        self._is_ours = on is None
        self._connection = on or home(*extensions)
        self._connection.execute(f"ATTACH {attach}")
        self._connection.execute("USE warehouse")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours:
            self._connection.close()
        else:
            self._connection.execute("USE memory")
            self._connection.execute("DETACH warehouse")

    def rows(self, sql: str) -> list[Row]:
        """The result of a query."""
        found = self._connection.execute(sql)
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]

    def table(self, name: str) -> list[Row]:
        """All rows of a table, such as `orders` or `loader.quarantine`."""
        return self.rows(f"SELECT * FROM {name}")

    def has_table(self, name: str) -> bool:
        """Whether the table is there, as `schema.name` or as a name in the main schema."""
        schema, _, table = f"main.{name}".rpartition(".")
        found = self.rows(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'warehouse'"
        )
        return {"schema_name": schema.rpartition(".")[2], "table_name": table} in found


LAKE = ("sqlite_scanner", "ducklake")


def home(*extensions: str) -> duckdb.DuckDBPyConnection:
    """A connection for many warehouses, one after the other: loading extensions takes time."""
    settings = {"autoinstall_known_extensions": "false", "allow_unsigned_extensions": "true"}
    connection = duckdb.connect(config=settings)  # checking signatures takes 0.2 s: the loader does
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")  # with more, a look at a lake is not one look (docs/reading.md)
    connection.execute("SET enable_progress_bar = false")  # it would stand in our output
    for extension in extensions:
        connection.execute(f"LOAD '{extension_file(extension)}'")
    return connection


def lake(catalog: Path, data: Path | None = None, on: duckdb.DuckDBPyConnection | None = None) -> Store:
    """A DuckLake with a SQLite catalogue; `data` is only needed when the catalogue does not name it."""
    where = f", DATA_PATH '{data}/'" if data else ""
    attach = f"'ducklake:sqlite:{catalog}' AS warehouse (READ_ONLY{where})"
    return Store(attach, *LAKE, on=on)


def database(path: Path, on: duckdb.DuckDBPyConnection | None = None) -> Store:
    """A DuckDB file; nobody may be writing it."""
    return Store(f"'{path}' AS warehouse (READ_ONLY)", on=on)


def extension_file(name: str) -> Path:
    """The extension in its wheel: nothing is ever downloaded by a test."""
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the wheel duckdb-extension-{name} is not installed")
    [found] = Path(spec.submodule_search_locations[0]).glob(f"extensions/v*/{name}.duckdb_extension")
    return found
