"""How a JSON value becomes an exact SQL value: pure builders of DuckDB expressions, one per type.

A *leaf* is what `json_transform` gives for one value. VARCHAR, dates, times and UUIDs come as the
unescaped text; numbers, booleans, JSON, maps and times that are numbers come as JSON text, in which a
string still has its quotes (measured on DuckDB 1.5.5: a number as JSON text costs half of a number as
VARCHAR). Every builder is exact or NULL: it never rounds, and it never raises. Numbers are read in
numbers.py, times in times.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from loader.contract import numbers, times
from loader.contract.column import PLAIN_WAY, Way
from loader.contract.digits import NUL
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_
from loader.types import SqlType

BARE_WORDS = frozenset({"true", "false", "nan", "inf", "infinity"})
"""Words that DuckDB's JSON reads without quotes, in lower case."""

_TEXT_LEAVES = frozenset({"VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "UUID"})


def is_text_leaf(type_: SqlType, way: Way) -> bool:
    """Whether the leaf is the unescaped text, not JSON text."""
    return type_.kind in _TEXT_LEAVES and not is_epoch(type_, way)


def is_epoch(type_: SqlType, way: Way) -> bool:
    """Whether a time is written as a number."""
    return way.epoch is not None and type_.kind in {"TIMESTAMP", "TIMESTAMPTZ"}


def structure(type_: SqlType, way: Way = PLAIN_WAY) -> object:
    """What `json_transform` shall read for a type: a tree with VARCHAR and JSON leaves."""
    if type_.kind == "STRUCT":
        return {name: structure(field, way) for name, field in type_.fields}
    if type_.element is not None:
        return [structure(type_.element, way)]
    return "VARCHAR" if is_text_leaf(type_, way) else "JSON"


def leaf_sql(type_: SqlType, way: Way) -> str:
    """The SQL type of `structure(type_)`."""
    if type_.kind == "STRUCT":
        fields = (f"{name_(name)} {leaf_sql(field, way)}" for name, field in type_.fields)
        return f"STRUCT({', '.join(fields)})"
    if type_.element is not None:
        return f"{leaf_sql(type_.element, way)}[]"
    return "VARCHAR" if is_text_leaf(type_, way) else "JSON"


# ---------------------------------------------------------------- one value


def exact(type_: SqlType, leaf: str, way: Way = PLAIN_WAY, depth: int = 0) -> str:
    """The typed value of a leaf, or NULL if the leaf is NULL or is no exact value of the type."""
    if type_.kind == "STRUCT":
        fields = (
            f"{text_(name)}: {exact(field, f'{leaf}.{name_(name)}', way, depth)}"
            for name, field in type_.fields
        )
        return f"CASE WHEN {leaf} IS NOT NULL THEN {{{', '.join(fields)}}} END"
    if type_.element is not None:
        each = f"e{depth}"
        return f"list_transform({leaf}, lambda {each}: {exact(type_.element, each, way, depth + 1)})"
    if type_.kind == "MAP":
        return _map(type_, leaf, way, depth)
    return choose(type_, leaf, cast(type_, leaf, way), way)


def _map(type_: SqlType, leaf: str, way: Way, depth: int) -> str:
    """A map from JSON text; a key that stands twice makes NULL (a map cannot hold both)."""
    assert type_.value is not None  # noqa: S101 - the type grammar gives every MAP a value
    each = f"e{depth}"
    read = text_(json.dumps(f"MAP(VARCHAR, {leaf_sql(type_.value, way)})"))
    entry = f"{{'key': {each}.key, 'value': {exact(type_.value, f'{each}.value', way, depth + 1)}}}"
    entries = f"list_transform(map_entries(from_json({leaf}, {read})), lambda {each}: {entry})"
    return f"TRY(map_from_entries({entries}))"


def cast(type_: SqlType, leaf: str, way: Way = PLAIN_WAY) -> str:
    """The plain cast: right wherever `quick` is true, possibly rounded elsewhere. Evaluate it once."""
    kind, text = type_.kind, json_text(type_, leaf, way)
    if kind == "VARCHAR":
        return leaf
    if is_epoch(type_, way):
        return f"CAST(NULL AS {kind})"
    if kind == "BOOLEAN":
        return f"CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind == "JSON":
        return json_value(leaf, text)
    return f"TRY_CAST({text} AS {type_.sql()})"


def choose(type_: SqlType, leaf: str, casted: str, way: Way) -> str:
    """The cast where it is surely exact, else the slow way, which decides from the digits."""
    if type_.kind == "VARCHAR" and way.coerce:
        return f"CASE WHEN starts_with({leaf}, chr(0)) THEN {numbers.as_text(leaf)} ELSE {casted} END"
    if type_.kind in {"VARCHAR", "BOOLEAN", "JSON"}:
        return casted
    slow = _slow(type_, json_text(type_, leaf, way), way)
    return f"CASE WHEN {quick(type_, leaf, casted, way)} THEN {casted} {f'ELSE {slow} ' if slow else ''}END"


def json_text(type_: SqlType, leaf: str, way: Way) -> str:
    """The leaf as a text: what it says, or the JSON text of it."""
    return leaf if is_text_leaf(type_, way) else f"CAST({leaf} AS VARCHAR)"


def quick(type_: SqlType, leaf: str, casted: str, way: Way = PLAIN_WAY) -> str:  # noqa: PLR0911 - one per kind
    """True if the cast is surely exact; cheap; false or NULL when in doubt.

    Two numbers of up to 15 digits that differ also differ as doubles (IEEE 754, DBL_DIG = 15);
    longer reals never come unmarked. Zero may be an underflow (1e-400): in doubt.
    """
    kind, text = type_.kind, json_text(type_, leaf, way)
    if type_.is_integer:
        return f"CAST({casted} AS VARCHAR) = {text}"
    bare = f" AND {numbers.is_number(text)}" if way.bare else ""  # a cast takes spaces, JSON has none
    if kind == "DECIMAL":
        same = f"CAST({casted} AS DOUBLE) = TRY_CAST({text} AS DOUBLE)"
        return f"{same} AND strlen({text}) <= 16 AND {text} NOT IN ('0.0', '-0.0'){bare}"
    if kind in {"DOUBLE", "FLOAT"}:
        return f"isfinite({casted}){bare}"
    if kind == "UUID":
        return f"{text} LIKE '________-____-____-____-____________' AND {casted} IS NOT NULL"
    if kind == "DATE":
        return f"CAST({casted} AS VARCHAR) = {text} AND {times.in_range(kind, casted)}"
    if is_epoch(type_, way):
        return "false"
    if type_.is_time:
        return f"{times.in_range(kind, casted)} AND {times.shaped(text, zoned=kind == 'TIMESTAMPTZ')}"
    return f"{casted} IS NOT NULL"


def _slow(type_: SqlType, text: str, way: Way) -> str:
    """What remains when the cast is in doubt; empty if nothing does."""
    if is_epoch(type_, way):
        return times.since_epoch(type_.kind, text, way)
    if type_.kind == "TIMESTAMPTZ":
        return times.local(text, way)
    return numbers.slow(type_, text, way) if type_.is_integer or type_.kind in numbers.KINDS else ""


def odd_text(leaf: str) -> str:
    """True if a VARCHAR leaf may come from something else than a JSON string; then the type is asked.

    Such a leaf begins with a digit, `-`, `{` or `[`, or is one of the bare words that DuckDB reads.
    """
    words = ", ".join(map(text_, sorted(BARE_WORDS - {"infinity"})))
    return (
        f"({leaf} < ':' OR {leaf} >= '{{' OR ({leaf} >= '[' AND {leaf} < '\\') OR CASE "
        f"WHEN strlen({leaf}) BETWEEN 3 AND 5 THEN lower({leaf}) IN ({words}) "
        f"WHEN strlen({leaf}) = 8 THEN lower({leaf}) = 'infinity' ELSE false END)"
    )


def is_text(leaf: str) -> str:
    """True if a VARCHAR leaf surely comes from a JSON string; most begin with a letter of no bare word."""
    usual = f"({leaf} >= 'A' AND {leaf} < 'I') OR ({leaf} >= 'O' AND {leaf} < '[')"
    return f"CASE WHEN {usual} THEN true ELSE NOT {odd_text(leaf)} END"


def without_nul(type_: SqlType, leaf: str) -> str:
    """True unless NUL may stand inside of a text, which no VARCHAR takes; cheap where the record has none."""
    if type_.kind == "VARCHAR":
        held = f"contains({leaf}, chr(0))"
    else:
        held = f"contains(CAST(to_json({leaf}) AS VARCHAR), '\\u0000')"
    return f"""CASE WHEN "$nul" THEN NOT {held} ELSE true END"""


# ---------------------------------------------------------------- JSON


def json_value(leaf: str, text: str) -> str:
    """The value with marked numbers written back; NULL if it holds NaN or Infinity, which are no JSON."""
    bare = f"regexp_replace({text}, '\"(\\\\.|[^\"\\\\])*\"', '', 'g')"
    bare = f"regexp_matches({bare}, '(?i)nan|inf')"
    word = f"CASE WHEN regexp_matches({text}, '(?i)nan|inf') THEN {bare} ELSE false END"
    back = f"TRY_CAST({numbers.unmarked(text)} AS JSON)"
    return f"CASE WHEN {word} THEN NULL WHEN contains({text}, '\"{NUL}') THEN {back} ELSE {leaf} END"


# ---------------------------------------------------------------- inside of nested values


class Node(NamedTuple):
    """One place inside a nested column, as a JSON path below the column."""

    path: str
    type: SqlType
    many: bool


def nodes(type_: SqlType, path: str = "", many: bool = False) -> Iterator[Node]:  # noqa: FBT001, FBT002
    """All places of a type, parents first; `many` is true below a list or map: several values each."""
    yield Node(path, type_, many)
    for name, field in type_.fields:
        yield from nodes(field, f"{path}.{path_step(name)}", many)
    if type_.element is not None:
        yield from nodes(type_.element, f"{path}[*]", many=True)
    if type_.value is not None:
        yield from nodes(type_.value, f"{path}.*", many=True)


def path_step(name: str) -> str:
    """A field's name inside a JSON path of DuckDB."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_flat(type_: SqlType) -> bool:
    """True for a list of scalars or of structs of scalars: these have a quick way."""
    inside = type_.element
    if inside is None:
        return False
    leaves = [field for _, field in inside.fields] or [inside]
    return not any(leaf.is_nested or leaf.kind == "JSON" for leaf in leaves)


def quick_list(type_: SqlType, leaf: str, way: Way) -> str:
    """The plain casts of a flat list, with NULL in place of each element that is in doubt."""
    inside = type_.element
    assert inside is not None  # noqa: S101 - callers asked is_flat
    if inside.kind != "STRUCT":
        casted = cast(inside, "e", way)
        return f"list_transform({leaf}, lambda e: CASE WHEN {_clean(inside, 'e', way)} THEN {casted} END)"
    leaves = [(name, field, f"e.{name_(name)}") for name, field in inside.fields]
    clean = " AND ".join(f"({each} IS NULL OR {_clean(field, each, way)})" for _, field, each in leaves)
    some = " OR ".join(f"{each} IS NOT NULL" for _, _, each in leaves)
    fields = ", ".join(f"{text_(name)}: {cast(field, each, way)}" for name, field, each in leaves)
    return f"list_transform({leaf}, lambda e: CASE WHEN {clean} AND ({some}) THEN {{{fields}}} END)"


def _clean(type_: SqlType, leaf: str, way: Way) -> str:
    if type_.kind == "VARCHAR":
        return is_text(leaf)
    return f"({quick(type_, leaf, cast(type_, leaf, way), way)})"
