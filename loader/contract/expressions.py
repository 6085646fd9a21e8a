"""How a JSON value becomes an exact SQL value: pure builders of DuckDB expressions, one per type.

A *leaf* is what `json_transform` gives for one value. VARCHAR, dates, times and UUIDs come as the
unescaped text; numbers, booleans, JSON and maps come as JSON text, in which a string still has its
quotes (measured on DuckDB 1.5.5: a number as JSON text costs half of a number as VARCHAR).
Every builder is exact or NULL: it never rounds, and it never raises.

A real number of 16 and more digits arrives as a string that begins with `MARK` (see digits.py),
because DuckDB's JSON reads reals as doubles and forgets their text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_
from loader.types import SqlType

MARK = "\\u0000"
"""Six characters, as JSON writes NUL: what follows in the string is the text of a long number."""

FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
"""Years that DuckDB, Parquet, Python and JSON's date texts (RFC 3339) can all hold."""

UTC = frozenset({"UTC", "ETC/UTC", "GMT", "Z"})
"""Names of the zone in which a local time is an instant without more ado, in upper case."""

BARE_WORDS = frozenset({"true", "false", "nan", "inf", "infinity"})
"""Words that DuckDB's JSON reads without quotes, in lower case."""

TEXT_LEAVES = frozenset({"VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "UUID"})
NUMBERS = frozenset({"DECIMAL", "DOUBLE", "FLOAT"})

# RFC 8259, section 6; the shape of json_transform's output and of accepted numbers in text
_NUMBER = r"^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]{1,4}))?$"
_MARKED_NUMBER = r"-?[0-9.]{16,}(?:[eE][-+]?[0-9]+)?"
_MARKED = rf'"\\u0000({_MARKED_NUMBER})"'
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
_FULL_CLOCK = _CLOCK.replace(")?)?", ")?)")
_FINE_CLOCK = _FULL_CLOCK.replace("{1,6}0*)?", "+)")
_OFFSET = "(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"


def structure(type_: SqlType) -> object:
    """What `json_transform` shall read for a type: a tree with VARCHAR and JSON leaves."""
    if type_.kind == "STRUCT":
        return {name: structure(field) for name, field in type_.fields}
    if type_.element is not None:
        return [structure(type_.element)]
    return "VARCHAR" if type_.kind in TEXT_LEAVES else "JSON"


def leaf_sql(type_: SqlType) -> str:
    """The SQL type of `structure(type_)`."""
    if type_.kind == "STRUCT":
        return f"STRUCT({', '.join(f'{name_(name)} {leaf_sql(field)}' for name, field in type_.fields)})"
    if type_.element is not None:
        return f"{leaf_sql(type_.element)}[]"
    return "VARCHAR" if type_.kind in TEXT_LEAVES else "JSON"


# ---------------------------------------------------------------- one value


def exact(type_: SqlType, leaf: str, zone: str | None = None, depth: int = 0) -> str:
    """The typed value of a leaf, or NULL if the leaf is NULL or is no exact value of the type.

    `zone` is what a time without an offset means: an IANA name, or None to refuse it.
    """
    if type_.kind == "STRUCT":
        fields = (
            f"{text_(name)}: {exact(field, f'{leaf}.{name_(name)}', zone, depth)}"
            for name, field in type_.fields
        )
        return f"CASE WHEN {leaf} IS NOT NULL THEN {{{', '.join(fields)}}} END"
    if type_.element is not None:
        each = f"e{depth}"
        return f"list_transform({leaf}, lambda {each}: {exact(type_.element, each, zone, depth + 1)})"
    if type_.kind == "MAP":
        return _map(type_, leaf, zone, depth)
    return choose(type_, leaf, cast(type_, leaf), zone)


def _map(type_: SqlType, leaf: str, zone: str | None, depth: int) -> str:
    """A map from JSON text; a key that stands twice makes NULL (a map cannot hold both)."""
    assert type_.value is not None  # noqa: S101 - the type grammar gives every MAP a value
    each = f"e{depth}"
    read = text_(json.dumps(f"MAP(VARCHAR, {leaf_sql(type_.value)})"))
    entry = f"{{'key': {each}.key, 'value': {exact(type_.value, f'{each}.value', zone, depth + 1)}}}"
    entries = f"list_transform(map_entries(from_json({leaf}, {read})), lambda {each}: {entry})"
    return f"TRY(map_from_entries({entries}))"


def cast(type_: SqlType, leaf: str) -> str:
    """The plain cast: right wherever `quick` is true, possibly rounded elsewhere. Evaluate it once."""
    kind, text = type_.kind, _text(type_, leaf)
    if kind == "VARCHAR":
        return leaf
    if kind == "BOOLEAN":
        return f"CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind == "JSON":
        return _json(leaf, text)
    return f"TRY_CAST({text} AS {type_.sql()})"


def choose(type_: SqlType, leaf: str, casted: str, zone: str | None) -> str:
    """The cast where it is surely exact, else the slow way, which decides from the digits."""
    if type_.kind in {"VARCHAR", "BOOLEAN", "JSON"}:
        return casted
    slow = _slow(type_, _text(type_, leaf), zone)
    return f"CASE WHEN {quick(type_, leaf, casted)} THEN {casted} {f'ELSE {slow} ' if slow else ''}END"


def _text(type_: SqlType, leaf: str) -> str:
    return leaf if type_.kind in TEXT_LEAVES else f"CAST({leaf} AS VARCHAR)"


def quick(type_: SqlType, leaf: str, casted: str) -> str:  # noqa: PLR0911 - one per kind
    """True if the cast is surely exact; cheap; false or NULL when in doubt.

    Two numbers of up to 15 digits that differ also differ as doubles (IEEE 754, DBL_DIG = 15);
    longer reals never come unmarked. Zero may be an underflow (1e-400): in doubt.
    """
    kind, text = type_.kind, _text(type_, leaf)
    if type_.is_integer:
        return f"CAST({casted} AS VARCHAR) = {text}"
    if kind == "DECIMAL":
        same = f"CAST({casted} AS DOUBLE) = TRY_CAST({text} AS DOUBLE)"
        return f"{same} AND strlen({text}) <= 16 AND {text} NOT IN ('0.0', '-0.0')"
    if kind in {"DOUBLE", "FLOAT"}:
        return f"isfinite({casted})"
    if kind == "UUID":
        return f"{text} LIKE '________-____-____-____-____________' AND {casted} IS NOT NULL"
    if kind == "DATE":
        return f"CAST({casted} AS VARCHAR) = {text} AND {in_range(kind, casted)}"
    if type_.is_time:
        return f"{in_range(kind, casted)} AND {_shaped(text, zoned=kind == 'TIMESTAMPTZ')}"
    return f"{casted} IS NOT NULL"


def _slow(type_: SqlType, text: str, zone: str | None) -> str:
    """What remains when the cast is in doubt; empty if nothing does."""
    if type_.kind == "TIMESTAMPTZ" and zone is not None:
        return f"CASE WHEN regexp_full_match({text}, '{_DAY}{_CLOCK}') THEN {_local(text, zone)} END"
    return _number(type_, text) if type_.is_integer or type_.kind in NUMBERS else ""


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


# ---------------------------------------------------------------- numbers, from their digits


def unquoted(text: str) -> str:
    """The number inside JSON text: bare, in a string, or marked as long; other strings as they are."""
    marked = f"regexp_extract({text}, {text_('^' + _MARKED + '$')}, 1)"
    inner = f"substring({text}, 2, strlen({text}) - 2)"
    return (
        f"CASE WHEN starts_with({text}, '\"{MARK}') THEN {marked} "
        f"WHEN starts_with({text}, '\"') THEN {inner} ELSE {text} END"
    )


def plain_number(text: str) -> str:
    """The number without exponent and needless zeros ('12.340e1' is '123.4'); NULL if it is none.

    Beyond 200 places either way the answer is 'huge' or 'tiny', except for zero.
    """
    groups = f"regexp_extract({unquoted(text)}, {text_(_NUMBER)}, ['sign', 'whole', 'part', 'power'])"
    point = "strlen(n.whole) + coalesce(TRY_CAST(n.power AS INTEGER), 0)"
    digits = f"{{'sign': n.sign, 'digits': n.whole || n.part, 'point': {point}}}"
    spread = (
        "CASE WHEN d.digits = '' THEN NULL WHEN ltrim(d.digits, '0') = '' THEN '0' "
        "WHEN d.point > 200 + strlen(d.digits) THEN 'huge' WHEN d.point < -200 THEN 'tiny' "
        "WHEN d.point <= 0 THEN '0.' || repeat('0', -d.point) || d.digits "
        "WHEN d.point >= strlen(d.digits) THEN d.digits || repeat('0', d.point - strlen(d.digits)) || '.' "
        "ELSE left(d.digits, d.point) || '.' || substring(d.digits, d.point + 1) END"
    )
    zero = "CASE WHEN starts_with(ltrim(p.plain, '0'), '.') THEN '0' ELSE '' END"
    tidy = f"p.sign || {zero} || rtrim(rtrim(ltrim(p.plain, '0'), '0'), '.')"
    parts = f"list_transform([{groups}], lambda n: {digits})"
    signed = f"list_transform({parts}, lambda d: {{'sign': d.sign, 'plain': {spread}}})"
    tidied = f"CASE WHEN contains(p.plain, '.') THEN {tidy} ELSE p.plain END"
    return f"list_transform({signed}, lambda p: {tidied})[1]"


def _number(type_: SqlType, text: str) -> str:
    """The slow way: DOUBLE and FLOAT take the value nearest to a marked number, the others an equal one."""
    if type_.kind in {"DOUBLE", "FLOAT"}:
        value = f"TRY_CAST({unquoted(text)} AS {type_.sql()})"
        return f"CASE WHEN starts_with({text}, '\"{MARK}') AND isfinite({value}) THEN {value} END"
    value = f"CASE WHEN {decimals('q')} <= {type_.scale} THEN TRY_CAST(q AS {type_.sql()}) END"
    return (
        f"CASE WHEN {text} IS NOT NULL THEN list_transform([{plain_number(text)}], lambda q: {value})[1] END"
    )


def decimals(plain: str) -> str:
    """How many digits stand behind the point of a plain number; 1000 for 'tiny'."""
    behind = f"CASE WHEN contains({plain}, '.') THEN strlen({plain}) - instr({plain}, '.') ELSE 0 END"
    return f"(CASE WHEN {plain} = 'tiny' THEN 1000 ELSE {behind} END)"


def underflow(record: str) -> str:
    """True if the record's text may hold a number so small that it was read as zero (under 1e-99)."""
    return f"regexp_matches({record}, '[0-9][eE]-[0-9]{{3}}')"


# ---------------------------------------------------------------- the other kinds


def _json(leaf: str, text: str) -> str:
    """The value with marked numbers written back; NULL if it holds NaN or Infinity, which are no JSON."""
    bare = f"regexp_replace({text}, '\"(\\\\.|[^\"\\\\])*\"', '', 'g')"
    bare = f"regexp_matches({bare}, '(?i)nan|inf')"
    word = f"CASE WHEN regexp_matches({text}, '(?i)nan|inf') THEN {bare} ELSE false END"
    back = f"TRY_CAST({unmarked(text)} AS JSON)"
    return f"CASE WHEN {word} THEN NULL WHEN contains({text}, '\"{MARK}') THEN {back} ELSE {leaf} END"


def unmarked(text: str) -> str:
    """JSON text in which marked numbers are numbers again, with all their digits."""
    back = f"regexp_replace({text}, {text_(_MARKED)}, '\\1', 'g')"
    return f"replace({back}, '\"{MARK}{MARK}', '\"{MARK}')"


def is_marked(leaf: str) -> str:
    """True for a VARCHAR leaf that is a marked number."""
    return f"(starts_with({leaf}, chr(0)) AND regexp_full_match(substring({leaf}, 2), '{_MARKED_NUMBER}'))"


def in_range(kind: str, value: str) -> str:
    """Years 1 to 9999; this also keeps 'infinity' out."""
    if kind == "DATE":
        return f"{value} BETWEEN DATE '{FIRST_DAY}' AND DATE '{LAST_DAY}'"
    zone = "+00" if kind == "TIMESTAMPTZ" else ""
    first, last = f"{FIRST_DAY} 00:00:00{zone}", f"{LAST_DAY} 23:59:59.999999{zone}"
    return f"{value} BETWEEN {kind} '{first}' AND {kind} '{last}'"


def common_shape(text: str, ends: Iterable[str]) -> str:
    """True for the common ways to write a full date and time, with one of the ends (`Z` or nothing).

    By LIKE, a quarter of a regex's cost: the cast has checked the digits; the first character is a
    digit, so no spaces stand in the year's place; hour 24 is out.
    """
    shapes = " ".join(
        f"WHEN {19 + len(part) + len(end)} THEN {text} LIKE '____-__-__T__:__:__{part}{end}'"
        for end in ends
        for part in ("", ".___", ".______")
    )
    digit = f"{text} >= '0' AND {text} < ':' AND NOT contains({text}, 'T24')"
    return f"(CASE strlen({text}) {shapes} ELSE false END AND {digit})"


def _shaped(text: str, *, zoned: bool) -> str:
    """True for a full date and time in ISO 8601 writing, with (`zoned`) or without an offset."""
    common = common_shape(text, ["Z" if zoned else ""])
    rare = f"regexp_full_match({text}, '{_DAY}{(_FULL_CLOCK + _OFFSET) if zoned else _CLOCK}')"
    return f"CASE WHEN {common} THEN true ELSE {rare} END"


def _local(text: str, zone: str) -> str:
    """A local time as an instant: NULL in the gap of a clock change and where the hour comes twice.

    The two candidates come from the zone's offsets a day before and a day after.
    """
    if zone.upper() in UTC:
        value = f"TRY_CAST({text} || 'Z' AS TIMESTAMPTZ)"
        return f"CASE WHEN {in_range('TIMESTAMPTZ', value)} THEN {value} END"
    days = (f"make_timestamptz(epoch_us(l + to_days({day})))" for day in (-1, 1))
    candidates = ", ".join(
        f"make_timestamptz(epoch_us(l) - epoch_us(timezone({text_(zone)}, {day})) + epoch_us({day}))"
        for day in days
    )
    same = f"timezone({text_(zone)}, c) = l AND {in_range('TIMESTAMPTZ', 'c')}"
    found = f"list_filter(list_distinct([{candidates}]), lambda c: {same})"
    all_ = f"list_transform([TRY_CAST({text} AS TIMESTAMP)], lambda l: {found})"
    return f"list_transform({all_}, lambda s: CASE WHEN len(s) = 1 THEN s[1] END)[1]"


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


def quick_list(type_: SqlType, leaf: str) -> str:
    """The plain casts of a flat list, with NULL in place of each element that is in doubt."""
    inside = type_.element
    assert inside is not None  # noqa: S101 - callers asked is_flat
    if inside.kind != "STRUCT":
        return (
            f"list_transform({leaf}, lambda e: CASE WHEN {_clean(inside, 'e')} THEN {cast(inside, 'e')} END)"
        )
    leaves = [(field, f"e.{name_(name)}") for name, field in inside.fields]
    clean = " AND ".join(f"({each} IS NULL OR {_clean(field, each)})" for field, each in leaves)
    some = " OR ".join(f"{each} IS NOT NULL" for _, each in leaves)
    fields = ", ".join(f"{text_(name)}: {cast(field, f'e.{name_(name)}')}" for name, field in inside.fields)
    return f"list_transform({leaf}, lambda e: CASE WHEN {clean} AND ({some}) THEN {{{fields}}} END)"


def _clean(type_: SqlType, leaf: str) -> str:
    if type_.kind == "VARCHAR":
        return is_text(leaf)
    return f"({quick(type_, leaf, cast(type_, leaf))})"


# ---------------------------------------------------------------- why not


def broken_rule(type_: SqlType, leaf: str) -> str:
    """The name of the rule that a leaf without an exact value breaks."""
    kind, text = type_.kind, _text(type_, leaf)
    if type_.is_integer or kind in NUMBERS:
        words = f"CASE WHEN starts_with({text}, '\"') THEN 'type' ELSE 'range' END"
        range_ = words if kind in {"DOUBLE", "FLOAT"} else "'range'"
        scale = 1000 if kind in {"DOUBLE", "FLOAT"} else type_.scale
        rule = (
            f"CASE WHEN q IS NULL THEN 'type' WHEN {decimals('q')} > {scale} THEN 'inexact' ELSE {range_} END"
        )
        return f"list_transform([{plain_number(text)}], lambda q: {rule})[1]"
    if kind == "JSON":
        return "'json'"
    if kind == "DATE":
        return f"CASE WHEN regexp_full_match({text}, '{_DAY}') THEN 'range' ELSE 'type' END"
    return _broken_time(kind, text) if type_.is_time else "'type'"


def _broken_time(kind: str, text: str) -> str:
    zoned = f"regexp_full_match({text}, '{_DAY}{_FULL_CLOCK}{_OFFSET}')"
    local = f"regexp_full_match({text}, '{_DAY}{_CLOCK}')"
    fine = f"regexp_full_match({text}, '{_DAY}{_FINE_CLOCK}{_OFFSET}?')"
    wrong = ("'zone'", "'range'") if kind == "TIMESTAMP" else ("'range'", "'zone'")
    real = f"TRY_CAST(left({text}, 10) AS DATE) IS NULL"
    return (
        f"CASE WHEN {real} THEN 'type' WHEN {zoned} THEN {wrong[0]} WHEN {local} THEN {wrong[1]} "
        f"WHEN {fine} THEN 'inexact' ELSE 'type' END"
    )


def phrases(type_: SqlType, zone: str | None) -> dict[str, str]:
    """What each rule says, after the value: 'amount: 12.345 has more than 2 decimals'."""
    kind = type_.sql()
    said = {
        "type": f"is not a {kind}",
        "range": f"does not fit {kind}",
        "inexact": "is not a whole number",
        "nul": "holds a NUL character",
        "json": "holds NaN or Infinity",
        "utf8": "is not valid UTF-8",
    }
    if type_.kind == "DECIMAL":
        said["inexact"] = f"has more than {type_.scale} decimal{'s' * (type_.scale != 1)}"
    if type_.kind == "VARCHAR":
        said["type"] = "is not a text"
    if type_.is_time:
        said["range"] = "is outside of the years 1 to 9999"
        said["inexact"] = "is finer than a microsecond"
        said["zone"] = _zone_phrase(type_.kind, zone)
    return said


def _zone_phrase(kind: str, zone: str | None) -> str:
    if kind == "TIMESTAMP":
        return "has an offset, but TIMESTAMP has none"
    if zone is None:
        return 'has no offset, and zone is "require"'
    return f"does not exist, or comes twice, in {zone}"
