"""Which files a warehouse names, and which lie there: by SQLite and DuckDB alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import duckdb

from tests.oracle.store import Store

NAMED = """
SELECT (CASE WHEN f.path_is_relative THEN m.value || s.path || t.path ELSE '' END) || f.path AS path,
       f.record_count AS rows, f.end_snapshot IS NULL AS live
FROM ducklake_data_file f
JOIN ducklake_table t USING (table_id)
JOIN ducklake_schema s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
JOIN ducklake_metadata m ON m.key = 'data_path'
UNION ALL
SELECT (CASE WHEN f.path_is_relative THEN m.value || s.path || t.path ELSE '' END) || f.path,
       f.delete_count, f.end_snapshot IS NULL
FROM ducklake_delete_file f
JOIN ducklake_table t USING (table_id)
JOIN ducklake_schema s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
JOIN ducklake_metadata m ON m.key = 'data_path'
"""
"""Data and delete files of a lake, also those of its past; a table may stand in several rows."""

DELETABLE = """
SELECT (CASE WHEN path_is_relative THEN m.value ELSE '' END) || path AS path
FROM ducklake_files_scheduled_for_deletion JOIN ducklake_metadata m ON m.key = 'data_path'
"""
"""Files that were needed once: they may be there or not."""


MARK = ".lake-"  # the file by which a lake says that the folder is its own
SEAL = ".crc"  # the checksum of the file of the same name, which may outlive it for a while


class Files(NamedTuple):
    """Where names and files do not agree, and how many files were read to the end."""

    missing: list[str]
    unreadable: list[str]
    strangers: list[str]
    read: int


def lake_files(catalog: Path, data: Path) -> Files:
    """Read each file that the lake names now; nobody may be writing."""
    with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as home:
        named = {path: (rows, bool(live)) for path, rows, live in home.execute(NAMED)}
        deletable = {path for (path,) in home.execute(DELETABLE)}
    missing = sorted(path for path in named if not Path(path).is_file())
    files = (path for path in data.rglob("*") if path.is_file() and path.suffix != SEAL)
    there = {str(path) for path in files if not path.name.startswith(MARK)}
    live = {path: rows for path, (rows, is_live) in named.items() if is_live and path not in missing}
    with duckdb.connect() as reader:
        unreadable = [path for path, rows in sorted(live.items()) if not _holds(reader, path, rows)]
    return Files(missing, unreadable, sorted(there - named.keys() - deletable), len(live))


def database_files(store: Store, file: Path, others: frozenset[str]) -> Files:
    """Read each table of a DuckDB file; `others` are names that may lie beside it."""
    tables = store.rows(
        "SELECT schema_name || '.' || table_name AS name FROM duckdb_tables() "
        "WHERE database_name = 'warehouse'"
    )
    unreadable = [table["name"] for table in tables if not _reads(store, table["name"])]
    allowed = others | {file.name, f"{file.name}.wal"}
    beside = sorted(path.name for path in file.parent.iterdir() if path.name not in allowed)
    return Files([], unreadable, beside, len(tables))


def _holds(reader: duckdb.DuckDBPyConnection, path: str, rows: int) -> bool:
    """Whether the Parquet file can be read to its end and has so many rows."""
    try:
        found = reader.execute("SELECT count(*), count(hash(COLUMNS(*))) FROM read_parquet(?)", [path])
        return bool((found.fetchone() or [None])[0] == rows)
    except duckdb.Error:
        return False


def _reads(store: Store, table: str) -> bool:
    try:
        return bool(store.rows(f"SELECT count(hash(COLUMNS(*))) FROM {table}"))
    except duckdb.Error:
        return False
