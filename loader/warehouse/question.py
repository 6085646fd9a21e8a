"""What a query may be: one statement that reads, of the warehouse's tables and of nothing else.

Three walls, each enough for what it is there for: the statement must be one that reads; table functions
must be on a list (those of the extension sqlite_scanner open any SQLite file past DuckDB's file
system, and some of DuckLake's write); and DuckDB itself is locked (`sql/warehouse/lock_down.sql`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

import duckdb
import pyarrow as pa

from loader.errors import ActionNeeded
from loader.statements import names, quote_identifier, statement

READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.RELATION)
ROWS = 50_000  # of a batch of the result
TABLE_FUNCTIONS = frozenset(
    {
        "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "summary",
        "histogram", "histogram_values", "test_all_types", "icu_calendar_names", "pg_timezone_names",
        "duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions", "duckdb_keywords",
        "duckdb_schemas", "duckdb_settings", "duckdb_tables", "duckdb_types", "duckdb_views",
        "pragma_table_info", "pragma_version",
        "ducklake_current_snapshot", "ducklake_list_files", "ducklake_snapshots", "ducklake_table_changes",
        "ducklake_table_deletions", "ducklake_table_info", "ducklake_table_insertions",
    }
)  # fmt: skip
"""What may stand in FROM with parentheses: it reads the query's own values or the warehouse."""

_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE\b|\s*\([^()]*\))?", re.IGNORECASE | re.ASCII)
NO_NUMBERS = ("NaN", "Infinity", "-Infinity")  # what TOML's nan and inf become: rather words
OUTSIDE = "a query reaches the warehouse's tables and nothing else"
ELSEWHERE = "attach the warehouse in a DuckDB of your own: loader status prints the line"
ONLY_READS = "only one statement that reads is run here, such as SELECT"


def answer(
    home: duckdb.DuckDBPyConnection,
    name_or_sql: str,
    table: str,
    pipeline: str,
    parameters: Mapping[str, str] | None = None,
) -> pa.RecordBatchReader:
    """Run one of the shipped analytics or SQL of the user; the batches come as they are made.

    `parameters` are what `$name` stands for in it, as they were typed (see `typed`).

    Raises ActionNeeded for what does not only read, and DuckDB's errors (see `in_words`).
    """
    sql = name_or_sql
    if name_or_sql in names("analytics"):
        sql = statement(f"analytics/{name_or_sql}", table=quote_identifier(table), pipeline=pipeline)
    _only_reads(home, sql)
    home.execute("USE lake")
    values = {name: typed(text) for name, text in (parameters or {}).items()}
    result: pa.RecordBatchReader = home.execute(sql, values).to_arrow_reader(ROWS)
    return result


def typed(text: str) -> Any:
    """A parameter as TOML reads it (number, date, time, true, "text"), else the text itself."""
    try:
        tree = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except (ValueError, RecursionError, InvalidOperation):
        return text
    value = tree["value"] if tree.keys() == {"value"} else text
    return value if not isinstance(value, dict) and str(value) not in NO_NUMBERS else text


def in_words(error: Exception, name_or_sql: str) -> ActionNeeded:
    """What DuckDB said about a query, as an error of ours; it may also come while the batches are read."""
    words = " ".join(str(error).split("LINE 1:", 1)[0].split())
    hint = ""
    if "Parser Error" in words and re.fullmatch(r"[\w-]+", name_or_sql):
        near = get_close_matches(name_or_sql.casefold(), names("analytics"), n=1)
        words = f"no query is called {name_or_sql}"
        hint = f"loader query {near[0]}" if near else "loader query --list"
    if "prepared statement parameters" in words or "excess parameters" in words:
        hint = "each $name of the query needs one --param name=VALUE, and no other"
    if "Permission Error" in words:
        words = f"{OUTSIDE}: {words}"
    if isinstance(error, MemoryError) or "Out of Memory" in words or "bad_alloc" in words:
        words = "the query needs more than limits.memory"
        hint = "ask for less, or raise limits.memory"
    return ActionNeeded(words, address="query", hint=hint)


def _only_reads(home: duckdb.DuckDBPyConnection, sql: str) -> None:
    kinds = [found.type for found in home.extract_statements(sql)]
    if kinds not in ([kind] for kind in READING):
        raise ActionNeeded(ONLY_READS, address="query", hint=ELSEWHERE)
    plain = _explained(sql) if kinds == [duckdb.StatementType.EXPLAIN] else sql
    row = home.execute(statement("read/syntax"), {"sql": plain}).fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        raise ActionNeeded(ONLY_READS, address="query", hint=ELSEWHERE)
    for name in sorted(set(_table_functions(tree)) - TABLE_FUNCTIONS):
        message = f"{OUTSIDE}: the function {name} is refused"
        raise ActionNeeded(message, address="query", hint=ELSEWHERE)


def _explained(sql: str) -> str:
    """What an EXPLAIN explains. It begins the text: behind a comment it could be told from nothing safely."""
    found = _EXPLAIN.match(sql)
    if not found:
        raise ActionNeeded(ONLY_READS, address="query", hint="leave out what stands before EXPLAIN")
    return sql[found.end() :]


def _table_functions(node: Any) -> Iterator[str]:
    """The names of all table functions of a syntax tree."""
    if isinstance(node, list):
        for part in node:
            yield from _table_functions(part)
    elif isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            yield str(node["function"].get("function_name", "?")).casefold()
        yield from _table_functions(list(node.values()))
