"""What a `[[derive]]` means: its SELECT is compiled before anything is read, and kept within its bounds.

A derived table must come out the same whenever it is made. So its SELECT sees the rows of this pipeline
and nothing else: no other table, no file, no clock, no chance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import duckdb

from loader.contract import Contract
from loader.errors import ActionNeeded, ConfigError, all_of
from loader.statements import quote_identifier, source, statement
from loader.types import TypeSyntaxError, parse_type
from loader.warehouse.rehearse import words

if TYPE_CHECKING:
    from loader.config import Config, Derive

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
CLOCK = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
"""Functions that are written as a column is."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """One derived table: its SELECT, the key of its rows, and which row of a key stays."""

    table: str
    sql: str
    meaning: str  # its syntax tree: the same however the text is laid out
    key: tuple[str, ...]  # quoted
    keeps_first: bool
    send_to: str | None
    columns: tuple[tuple[str, str], ...]  # name and type, without _batch

    @property
    def digest(self) -> str:
        """Changes with whatever would make another table; where its rows are sent may change freely.

        A comment or the lay-out of the text may change too, but not the version of DuckDB that reads it.
        """
        facts = (self.meaning, self.key, self.keeps_first, self.send_to is not None, self.columns)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    @property
    def quoted(self) -> list[str]:
        """Its columns as quoted identifiers, without _batch."""
        return [quote_identifier(name) for name, _ in self.columns]

    @property
    def id(self) -> str:
        """What a row of the relation `r` is known by in the outbox, as an expression."""
        return statement("derive/id", key=self.key)


def derivations(config: Config, contract: Contract) -> tuple[Derivation, ...]:
    """The derived tables of a configuration. Raises ConfigError with what is wrong with each."""
    looks = (
        partial(_compiled, contract, derive, f"derive[{number}]")
        for number, derive in enumerate(config.derive)
    )
    return tuple(all_of("derive", *looks))


def result(sql: str, new: str, so_far: str, batch: int) -> str:
    """The rows that a derive file gives for these two relations (SELECTs), as a SELECT."""
    return statement("derive/result", sql=sql, new=new, so_far=so_far, batch=batch)


def no_rows(contract: Contract) -> str:
    """A SELECT of the columns that a derive file sees."""
    return statement("derive/no_rows", columns=contract.ddl())


@dataclass(frozen=True, slots=True)
class Which:
    """Which rows of the target: see `sql/derive/target.sql`. Without anything said, all."""

    batch: int = 0
    ledger: str = ""
    upto: int = 0
    places: tuple[tuple[int, int], ...] = ()
    former: str = ""


def rows_of_target(contract: Contract, table: str, which: Which, more: str = "") -> str:
    """A SELECT of rows of the target, and of `more`."""
    parts: dict[str, object] = {"columns": contract.ddl(), "no_rows": no_rows(contract), "more": more}
    return statement("derive/target", table=table, **parts, **asdict(which))


def unknown_keys(derivation: Derivation, rows: str, others: str) -> str:
    """Of `rows` (a SELECT), those whose key is not among the rows of the table `others`, as a SELECT."""
    return statement("derive/unknown_keys", rows=rows, others=others, key=derivation.key)


@contextmanager
def own_words(derivation: Derivation) -> Iterator[None]:
    """What goes wrong with the values of a SELECT is for its author; other errors are left alone."""
    try:
        yield
    except (duckdb.DataError, duckdb.ProgrammingError) as error:
        hint = "use TRY_CAST or CASE in its SELECT; nothing of the batch was loaded"
        raise ActionNeeded(words(error), address=f"derive {derivation.table}", hint=hint) from error


def refuse_twice(cursor: duckdb.DuckDBPyConnection, derivation: Derivation, name: str) -> None:
    """Raise ActionNeeded where the rows of a table in memory have a key twice."""
    row = cursor.execute(statement("derive/twice", name=name, key=derivation.key)).fetchone()
    if row:
        message = f"its SELECT gives the key {row[0]} in {row[1]} rows"
        hint = "GROUP BY the key, or make another column part of it"
        raise ActionNeeded(message, address=f"derive {derivation.table}", hint=hint)


def _compiled(contract: Contract, derive: Derive, address: str) -> Derivation:
    sql = _text(derive, address)
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as home:
        tree = _tree(home, sql)
        if wrong := _forbidden(tree):
            raise _mistake(wrong, f"{address}.sql")
        nothing = no_rows(contract)
        try:
            found = home.execute(result(sql, nothing, nothing, 0)).description or []
        except duckdb.Error as error:
            raise _mistake(words(error), f"{address}.sql") from error
    columns = tuple((name, str(type_)) for name, type_, *_ in found[:-1])
    for name, type_ in columns:
        if wrong := _misfit(name, type_):
            raise _mistake(f"column {name}: {wrong}", f"{address}.sql")
    by_name = {name.casefold(): name for name, _ in columns}
    if missing := [name for name in derive.key if name.casefold() not in by_name]:
        raise _mistake(f"the SELECT gives no column {missing[0]}", f"{address}.key")
    key = tuple(quote_identifier(by_name[name.casefold()]) for name in derive.key)
    meaning = json.dumps(tree, sort_keys=True)
    return Derivation(derive.table, sql, meaning, key, derive.keep == "first", derive.send_to, columns)


def _text(derive: Derive, address: str) -> str:
    if derive.file is None:
        return source(f"derived/{derive.sql}")
    try:
        return derive.file.read_text(encoding="utf-8").rstrip().rstrip(";")
    except UnicodeDecodeError:
        raise _mistake(f"{derive.file} is not UTF-8 text", f"{address}.sql") from None
    except OSError as error:
        raise _mistake(f"{derive.file} cannot be read: {error.strerror}", f"{address}.sql") from error


def _mistake(what: str, address: str) -> ConfigError:
    return ConfigError(what, address=address, mistakes=(f"{address}: {what}",))


def _misfit(name: str, type_: str) -> str:
    """Why a column cannot be kept, or nothing."""
    if name.startswith("_"):
        return "names that begin with _ belong to the loader"
    try:
        parsed = parse_type(type_)
    except TypeSyntaxError:
        return f"{type_} is no type that a table of the loader can have; CAST it"
    if parsed.is_nested:
        return f"{type_} is nested; CAST(to_json(…) AS VARCHAR) keeps it as text"
    if parsed.kind in ("HUGEINT", "UHUGEINT"):
        return f"{type_} cannot be kept exactly in Parquet; CAST it to BIGINT or DECIMAL(38, 0)"
    return ""


def _tree(home: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The syntax tree, without the places in the text."""
    row = home.execute(statement("read/syntax"), {"sql": sql}).fetchone()
    found: dict[str, Any] = json.loads(row[0], object_hook=_without_place) if row else {"error": True}
    return found


def _without_place(node: dict[str, Any]) -> dict[str, Any]:
    node.pop("query_location", None)
    return node


def _forbidden(tree: dict[str, Any]) -> str:
    """What of it is not one SELECT over the two relations, in words; or nothing."""
    if tree["error"]:
        return str(tree.get("error_message", "is no SELECT"))
    if len(tree["statements"]) != 1:
        return "must be one SELECT"
    for node in _nodes(tree):
        if wrong := _outside(node):
            return f"{wrong}: a derive file sees new and so_far, and nothing that changes by itself"
    return ""


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every node of a syntax tree."""
    if isinstance(node, dict):
        yield node
        for part in node.values():
            yield from _nodes(part)
    elif isinstance(node, list):
        for part in node:
            yield from _nodes(part)


def _outside(node: Mapping[str, Any]) -> str:
    """What of a node reaches beyond the two relations, or nothing."""
    kind = node.get("type")
    if kind == "BASE_TABLE" and (node["schema_name"] or node["catalog_name"]):
        return f"the table {node['schema_name']}.{node['table_name']} is refused"
    if kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).casefold()
        return "" if name in TABLE_FUNCTIONS else f"the function {name} is refused"
    name = str(node.get("function_name", "")).casefold()
    if name in _unsteady():
        return f"the function {name} is refused"
    names = node.get("column_names") if kind == "COLUMN_REF" else None
    if names and len(names) == 1 and str(names[0]).casefold() in CLOCK:
        return f"{names[0]} is refused"
    return ""


@cache
def _unsteady() -> frozenset[str]:
    """Functions whose value is another one in another statement."""
    with duckdb.connect(":memory:") as home:
        return frozenset(name for (name,) in home.execute(statement("derive/unsteady")).fetchall())
