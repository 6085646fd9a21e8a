"""From what was seen to a contract: a type for each column, id and event time. Pure.

Types are wide enough for what was seen and for more of the same kind; what does not fit together
becomes JSON, the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from typing import Any

from loader.inference.outliers import TELLING_ID, own
from loader.inference.seen import FIELDS, Sample, Seen
from loader.types import INTEGERS, SqlType

DEEPEST = 8  # levels of nesting that become STRUCTs and lists; what is deeper becomes JSON
MONEY = 18  # digits of the usual DECIMAL
LONGEST = 38  # digits of the longest
CENTS = 2  # digits behind the point at least: 12.5 today is 12.25 tomorrow
SCALE = 9  # with more digits behind the point it is a measurement, not an amount
LONGEST_NAME = 200
TRIED = 12  # columns that are tried in pairs as an id
MANY = 100  # different records from which on being unique says something of a column whose name tells nothing
FEW = 10  # and of one whose name tells an id

JSON = SqlType("JSON")
VARCHAR = SqlType("VARCHAR")
_TELLING_TIME = re.compile(r"time|date|_at$|_on$|^ts$|At$|^at$|when|created|occurred", re.IGNORECASE)
_IDS = frozenset({"VARCHAR", "UUID"})  # besides whole numbers: nobody numbers by a time or an amount
_NO_PATH = re.compile(r'["\\\x00-\x1f]')


@dataclass(frozen=True)
class DraftColumn:
    """A column as it is proposed; `source` is set where its name is not that of the field."""

    name: str
    type: SqlType
    required: bool
    zone: str = ""
    source: str = ""
    seen: Seen = field(default_factory=Seen, compare=False)


@dataclass(frozen=True)
class Draft:
    """A contract as it is proposed; `id` is empty where no column can be one: then every record is a row."""

    columns: tuple[DraftColumn, ...]
    id: tuple[str, ...]  # unique and present in all records of the sample
    id_is_sure: bool  # there were enough records to say so
    id_candidates: tuple[tuple[str, ...], ...]  # others; without an id those whose name tells one
    event_time: str
    event_times: tuple[str, ...]
    left_out: dict[str, str]  # fields that did not become a column, and why
    records: int

    def column(self, name: str) -> DraftColumn:
        """The column of this name."""
        return next(column for column in self.columns if column.name == name)

    def widened(self, names: Iterable[str]) -> Draft:
        """The same with these columns as wide as they get: texts VARCHAR, everything else JSON."""
        wanted = set(names) - set(self.id)
        columns = tuple(_wider(c) if c.name in wanted else c for c in self.columns)
        times = tuple(name for name in self.event_times if name not in wanted)
        event_time = self.event_time if self.event_time in times else next(iter(times), "")
        return replace(self, columns=columns, event_time=event_time, event_times=times)


def _wider(column: DraftColumn) -> DraftColumn:
    only_text = column.seen.kind == "text" and column.type != VARCHAR
    return replace(column, type=VARCHAR if only_text else JSON, zone="")


def draft(found: Sample, topic: str) -> Draft:
    """Propose a contract for the records of a sample, of which there must be at least one."""
    whole = Seen()
    for record in found.records:
        whole.add(record)
    columns, left_out = _columns(whole, len(found.records))
    candidates = _ids(found, columns, topic)
    key = _key_column(found, columns)
    if key and not any(map(_tells, candidates[:1])):
        columns, candidates = [key, *columns], [(key.name,), *candidates]
    id_ = candidates[0] if candidates else ()
    times = _event_times(columns)
    return Draft(
        columns=tuple(columns),
        id=id_,
        id_is_sure=bool(id_) and len(found.distinct) >= (FEW if _tells(id_) else MANY),
        id_candidates=tuple(candidates[1:]) if id_ else tuple(_by_name(columns, topic)),
        event_time=times[0] if times else "",
        event_times=tuple(times),
        left_out=left_out,
        records=len(found.records),
    )


# ---------------------------------------------------------------- columns


def _columns(whole: Seen, records: int) -> tuple[list[DraftColumn], dict[str, str]]:
    columns: list[DraftColumn] = []
    left_out: dict[str, str] = {}
    taken = {name.casefold() for name in whole.fields if _is_name(name)}
    used: set[str] = set()
    for field_, seen in list(whole.fields.items())[:FIELDS]:
        type_ = type_of(seen)
        name = field_
        if type_ is None:
            left_out[field_] = "only null was seen"
            continue
        if not _is_name(field_) or field_.casefold() in used:
            if not field_.isprintable() or not field_.strip() or _NO_PATH.search(field_):
                left_out[field_] = "no path can name it"
                continue
            name = _free_name(field_, taken | used)
        used.add(name.casefold())
        source = "" if name == field_ else f'$."{field_}"'
        zone = _zone(seen) if type_.kind == "TIMESTAMPTZ" else ""
        columns.append(DraftColumn(name, type_, seen.present == records, zone, source, seen))
    if len(whole.fields) > FIELDS:
        left_out["…"] = f"more than {FIELDS} fields"
    return columns, left_out


def _is_name(name: str) -> bool:
    printable = name.strip() == name and bool(name) and name.isprintable() and len(name) <= LONGEST_NAME
    return printable and not name.startswith(("_", "$"))


def _free_name(wanted: str, taken: set[str]) -> str:
    """A name that a column may have and that is not taken: `_id` becomes `id`, or `id_2`."""
    plain = re.sub(r"[^\w]+", "_", wanted).strip("_")[: LONGEST_NAME - 10] or "column"
    names = (plain if number == 1 else f"{plain}_{number}" for number in range(1, FIELDS + 2))
    return next(name for name in names if name.casefold() not in taken)


def _zone(seen: Seen) -> str:
    return "UTC" if seen.shapes["local"] else "require"


def type_of(seen: Seen, depth: int = 0) -> SqlType | None:
    """The type for what was seen; None where nothing was. Below the top times have no zone to be read in."""
    if depth > DEEPEST:
        return JSON
    ways: dict[str, Callable[[], SqlType | None]] = {
        "nothing": lambda: None,
        "boolean": lambda: SqlType("BOOLEAN"),
        "number": lambda: _number(seen),
        "text": lambda: _text(seen, nested=depth > 0),
        "object": lambda: _struct(seen, depth),
        "array": lambda: _list(seen, depth),
    }
    return ways.get(seen.kind, lambda: JSON)()


def _number(seen: Seen) -> SqlType:
    low, high = INTEGERS["BIGINT"]
    if seen.whole:
        if low <= seen.low and seen.high <= high:
            return SqlType("BIGINT")
        return SqlType("DECIMAL", LONGEST, 0) if seen.digits <= LONGEST else JSON
    scale, whole = max(seen.scale, CENTS), max(seen.digits, 0)
    if scale <= SCALE and whole + scale <= LONGEST:
        return SqlType("DECIMAL", MONEY if whole + scale <= MONEY else LONGEST, scale)
    return SqlType("DOUBLE")


def _text(seen: Seen, *, nested: bool) -> SqlType:
    shapes = set(seen.shapes)
    if shapes == {"date"}:
        return SqlType("DATE")
    if shapes == {"uuid"}:
        return SqlType("UUID")
    if shapes == {"zoned"} or (shapes and shapes <= {"zoned", "local"} and not nested):
        return SqlType("TIMESTAMPTZ")
    return SqlType("TIMESTAMP") if shapes == {"local"} else VARCHAR


def _struct(seen: Seen, depth: int) -> SqlType:
    """A STRUCT of the fields that were seen with a value; JSON where STRUCT cannot name them."""
    fields = {name: type_of(below, depth + 1) for name, below in seen.fields.items()}
    known = tuple((name, type_) for name, type_ in fields.items() if type_ is not None)
    names = {name.casefold() for name in fields}
    plain = all(name and name.isprintable() for name in fields)
    if not known or len(names) < len(fields) or len(fields) > FIELDS or not plain:
        return JSON
    return SqlType("STRUCT", fields=known)


def _list(seen: Seen, depth: int) -> SqlType:
    inside = type_of(seen.element, depth + 1) if seen.element else None
    return SqlType("LIST", element=inside or JSON)


# ---------------------------------------------------------------- id and event time


def _ids(found: Sample, columns: Sequence[DraftColumn], topic: str) -> list[tuple[str, ...]]:
    """Columns that are present in all records and unique among those that differ, the likeliest first.

    Pairs of columns where no column is unique by itself.
    """
    rows = found.distinct
    fit = [c for c in _by_likelihood(columns, topic) if c.required]
    if len(rows) < MANY:  # among so few even amounts are all different
        fit = [c for c in fit if _tells([c.name]) or c.type.kind in _IDS]
    values = {c.name: [_value(found.records[row], c) for row in rows] for c in fit}
    single: list[tuple[str, ...]] = [(c.name,) for c in fit if len(set(values[c.name])) == len(rows)]
    if single:
        return single
    pairs = combinations([c.name for c in fit[:TRIED]], 2)
    return [pair for pair in pairs if len(set(zip(*(values[n] for n in pair), strict=True))) == len(rows)]


def _by_likelihood(columns: Sequence[DraftColumn], topic: str) -> list[DraftColumn]:
    """The columns whose type can identify a record, the likeliest by name and type first."""

    def unlikely(column: DraftColumn) -> tuple[bool, bool, bool]:
        return not _tells([column.name]), not own(column.name, topic), column.type.kind not in _IDS

    return sorted((c for c in columns if _may_identify(c.type)), key=unlikely)


def _tells(names: Iterable[str]) -> bool:
    """Whether one of the names sounds like an id's."""
    return any(TELLING_ID.search(name) for name in names)


def _may_identify(type_: SqlType) -> bool:
    """Whether a value of this type can be an id: a text, a UUID or a whole number."""
    return type_.kind in _IDS or type_.is_integer or (type_.kind == "DECIMAL" and type_.scale == 0)


def _by_name(columns: Sequence[DraftColumn], topic: str) -> Iterator[tuple[str, ...]]:
    """The columns whose name tells an id, although the sample speaks against it."""
    return ((c.name,) for c in _by_likelihood(columns, topic) if _tells([c.name]))


def _key_column(found: Sample, columns: Sequence[DraftColumn]) -> DraftColumn | None:
    """Kafka's key as a column, where it is present, a text and unique; None where it is not."""
    keys = [found.keys[row] for row in found.distinct]
    if any(c.name.casefold() == "key" for c in columns) or None in found.keys or len(set(keys)) < len(keys):
        return None
    seen = Seen()
    for each in found.keys:
        seen.add(each)
    if "\0" in "".join(map(str, keys)):
        return None
    return DraftColumn("key", VARCHAR, required=True, source="key", seen=seen)


def _value(record: dict[str, Any], column: DraftColumn) -> Any:
    """The value as the loader compares it: what is equal there must not pass for two ids."""
    value = record.get(column.source[3:-1] if column.source else column.name)
    if column.type.kind == "UUID":
        return str(value).casefold()
    return value if column.type.kind == "VARCHAR" else Decimal(value or 0)


def _event_times(columns: Sequence[DraftColumn]) -> list[str]:
    """Columns that hold a time, the likeliest first."""
    times = [c for c in columns if c.type.is_time]

    def rank(column: DraftColumn) -> tuple[bool, bool, bool]:
        return not column.required, column.type.kind == "DATE", not _TELLING_TIME.search(column.name)

    return [column.name for column in sorted(times, key=rank)]
