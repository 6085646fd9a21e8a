"""What only several keys together can show to be wrong.

These checks read the merged tree before it becomes a Config, and pass over whatever is missing or
of the wrong type, so that one round reports every mistake.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from zoneinfo import available_timezones

from loader.config import client as client_rules
from loader.config.defaults import misfit
from loader.config.mistakes import nearest
from loader.config.model import Batch, Limits, parse_address
from loader.config.values import Toml, Tree, as_tuple, is_zone, iso_text, parse_duration, parse_size
from loader.layout import parse_layout
from loader.types import COERCED, STAMPS, SqlType, TypeSyntaxError, parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

SMALLEST_MEMORY = 256 * 2**20
LONGEST_NAME = 200
_NEVER_IDS = frozenset({"STRUCT", "LIST", "MAP", "JSON", "DOUBLE", "FLOAT"})
_ORIGINS = ("key", "kafka.topic", "kafka.partition", "kafka.offset", "kafka.timestamp")
_PATH = re.compile(r"""\$(\.([^\W\d]\w*|"[^"\\\x00-\x1f]+"))+""")


class Finding(NamedTuple):
    """A mistake at a path of the tree; `tells` is True if its text repeats the value found there."""

    path: tuple[str, ...]
    what: str
    nearest: str = ""
    tells: bool = False


def findings(tree: Tree) -> Iterator[Finding]:
    """Every mistake that the types of the single keys do not show."""
    yield from _client(tree)
    yield from _warehouse(tree)
    yield from _limits(tree)
    yield from _freshness(tree)
    for number, job in enumerate(at(tree, "schedule", of=list) or ()):
        if isinstance(job, dict):
            yield from _job(("schedule", str(number)), job)
    yield from _derive(tree)
    columns = at(tree, "table", "columns", of=dict) or {}
    yield from _ids(tree, columns)
    yield from _duplicates(tree)
    yield from _table_checks(tree, columns)
    yield from _event_time(tree, columns)
    yield from _layout(tree, columns)
    yield from _names(columns)
    yield from _exact_in_a_lake(tree, columns)
    for name, column in columns.items():
        if isinstance(column, dict):
            yield from _column(("table", "columns", name), column)


def at(tree: Tree, *path: str, of: type | tuple[type, ...] = object) -> Toml:
    """Find the value at a path; None if it is missing or of another type."""
    value: Toml = tree
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, of) else None


def _exact_in_a_lake(tree: Tree, columns: Tree) -> Iterator[Finding]:
    """HUGEINT: Parquet has no such type, so DuckDB would write a DOUBLE and lose digits."""
    address = _parsed(parse_address, at(tree, "warehouse", "path", of=str))
    for name in columns if address and address[0] == "ducklake" else ():
        type_ = _parsed(parse_type, at(columns, name, "type", of=str))
        if type_ and any(kind in type_.sql() for kind in ("HUGEINT", "UHUGEINT")):
            what = "HUGEINT cannot be kept exactly in a lake's Parquet files; use DECIMAL(38,0)"
            yield Finding(("table", "columns", name, "type"), what)


def _client(tree: Tree) -> Iterator[Finding]:
    for name, value in (at(tree, "kafka", "client", of=dict) or {}).items():
        path = ("kafka", "client", name)
        if why := client_rules.refusal(name):
            yield Finding(path, f"is refused: {why}")
        allowed = client_rules.ALLOWED_VALUES.get(name)
        if allowed and isinstance(value, str) and value not in allowed:
            yield Finding(path, f"must be {' or '.join(allowed)}", nearest(value, allowed))


def _warehouse(tree: Tree) -> Iterator[Finding]:
    address = _parsed(parse_address, at(tree, "warehouse", "path", of=str))
    publish = at(tree, "warehouse", "publish", of=str)
    if address is None or publish is None:
        return
    if address[0] == "ducklake":
        yield Finding(("warehouse", "publish"), "is for a DuckDB file only; a lake needs no copy to be read")
    elif publish == address[1]:
        yield Finding(("warehouse", "publish"), "must be another file than warehouse.path")


def _limits(tree: Tree) -> Iterator[Finding]:
    memory = _size(at(tree, "limits", "memory"), Limits.model_fields["memory"].default)
    if memory is None:
        return
    if memory < SMALLEST_MEMORY:
        yield Finding(("limits", "memory"), "must be at least 256 MiB")
    for path, default in (
        (("batch", "bytes"), Batch.model_fields["bytes"].default),
        (("limits", "message_bytes"), Limits.model_fields["message_bytes"].default),
    ):
        size = _size(at(tree, *path), default)
        if size is not None and size > memory // 2:
            yield Finding(path, "must be at most half of limits.memory")


def _freshness(tree: Tree) -> Iterator[Finding]:
    warn, fail = (_parsed(parse_duration, at(tree, "freshness", name)) for name in ("warn", "fail"))
    if warn is not None and fail is not None and warn > fail:
        yield Finding(("freshness", "warn"), "must not be more than freshness.fail")


def _job(path: tuple[str, ...], job: Tree) -> Iterator[Finding]:
    every, jitter = (_parsed(parse_duration, job.get(name)) for name in ("every", "jitter"))
    if ("cron" in job) == ("every" in job):
        yield Finding((*path, "cron"), "give either cron or every")
    elif every is not None and jitter is not None and jitter >= every > 0:
        yield Finding((*path, "jitter"), "must be less than every")
    if "every" in job and "zone" in job:
        yield Finding((*path, "zone"), "is for cron only")


def _derive(tree: Tree) -> Iterator[Finding]:
    """Tables have different names; only rows that never change are sent, and not to where they come from."""
    taken = {str(at(tree, "table", "name")).casefold()}
    for number, derive in enumerate(at(tree, "derive", of=list) or ()):
        path, name = ("derive", str(number)), at(derive, "table", of=str)
        if name is not None and name.casefold() in taken:
            yield Finding((*path, "table"), "is the name of another table of this pipeline", tells=True)
        taken.add(str(name).casefold())
        send_to = at(derive, "send_to", of=str)
        if send_to is not None and at(derive, "keep") != "first":
            yield Finding((*path, "send_to"), 'is for keep = "first": rows that change cannot be sent once')
        elif send_to is not None and send_to == at(tree, "kafka", "topic"):
            yield Finding((*path, "send_to"), "must be another topic than kafka.topic", tells=True)


def _size(value: Toml, default: Toml) -> int | None:
    return _parsed(parse_size, default if value is None else value)


def _parsed(parse: Callable[[Toml], Result], value: Toml) -> Result | None:
    try:
        return None if value is None else parse(value)
    except ValueError:
        return None


def _ids(tree: Tree, columns: Tree) -> Iterator[Finding]:
    ids = as_tuple(at(tree, "table", "id", of=(str, list)))
    names = [name for name in ids if isinstance(name, str)] if isinstance(ids, tuple) else []
    for name, count in Counter(names).items():
        if count > 1:
            yield Finding(("table", "id"), f"names {name} twice", tells=True)
        if columns and name not in columns:
            yield Finding(("table", "id"), f"no column {name}", nearest(name, columns), tells=True)
        elif isinstance(columns.get(name), dict):
            yield from _id_column(("table", "columns", name), columns[name])


def _duplicates(tree: Tree) -> Iterator[Finding]:
    off = at(tree, "table", "duplicates") == "off"
    if at(tree, "table", "id") == [] and not off:
        yield Finding(("table", "id"), "must not be empty, but with duplicates = off")
    if off and at(tree, "table", "on_conflict") == "keep_first":
        yield Finding(("table", "on_conflict"), "is not possible with duplicates = off: nothing is compared")


def _table_checks(tree: Tree, columns: Tree) -> Iterator[Finding]:
    names = {name.casefold() for name in columns}
    for name in at(tree, "table", "checks", of=dict) or {}:
        if name.casefold() in names:
            yield Finding(("table", "checks", name), "is the name of a column; a check needs its own")


def _id_column(path: tuple[str, ...], column: Tree) -> Iterator[Finding]:
    if column.get("required") is False:
        yield Finding((*path, "required"), "must be true: the column belongs to table.id")
    if column.get("default") is not None:
        yield Finding((*path, "default"), "is not possible: the column belongs to table.id")
    type_ = _type(column)
    if type_ and type_.kind in _NEVER_IDS:
        yield Finding((*path, "type"), "this type cannot identify a record; use VARCHAR for table.id")


def _event_time(tree: Tree, columns: Tree) -> Iterator[Finding]:
    name = at(tree, "table", "event_time", of=str)
    if name is None or not columns:
        return
    if name not in columns:
        yield Finding(("table", "event_time"), f"no column {name}", nearest(name, columns), tells=True)
        return
    type_ = _type(columns[name])
    if type_ and not type_.is_time:
        what = f"column {name} is {type_}, not a time; use TIMESTAMPTZ"
        yield Finding(("table", "event_time"), what, tells=True)


def _layout(tree: Tree, columns: Tree) -> Iterator[Finding]:
    layout = _parsed(parse_layout, at(tree, "table", "partition_by", of=str))
    if layout is None:
        return
    path = ("table", "partition_by")
    address = _parsed(parse_address, at(tree, "warehouse", "path", of=str))
    if address and address[0] == "duckdb":
        yield Finding(path, "is for a lake only: a DuckDB file has no files to part; take it out")
    if columns and layout.column not in columns:
        yield Finding(path, f"no column {layout.column}", nearest(layout.column, columns), tells=True)
        return
    type_ = _type(columns.get(layout.column))
    if type_ and not (type_.is_time and (type_.kind != "DATE" or layout.unit != "hour")):
        yield Finding(path, f"column {layout.column} is {type_}, which has no {layout.unit}", tells=True)
    for name in columns:
        if name.casefold() in layout.keys:
            yield Finding(path, f"the folders would be called as the column {name}: give it another name")


def _names(columns: Tree) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name in columns:
        path = ("table", "columns", name)
        if name.startswith("_"):
            yield Finding(path, "a column must not begin with _: these names belong to the loader")
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            yield Finding(path, f"a column name has 1 to {LONGEST_NAME} characters, none of them control")
        if name.casefold() in seen:
            yield Finding(path, f"is the same column as {seen[name.casefold()]}: case does not matter")
        seen.setdefault(name.casefold(), name)


def _column(path: tuple[str, ...], column: Tree) -> Iterator[Finding]:
    origin = column.get("from")
    if isinstance(origin, str) and not _is_origin(origin):
        what = f"must be a JSON path such as $.customer.id, or headers.NAME, {', '.join(_ORIGINS)}"
        yield Finding((*path, "from"), what, nearest(origin, _ORIGINS))
    if isinstance(origin, str) and origin.startswith("kafka."):
        for name in ("zone", "dst", "epoch", "coerce"):
            if column.get(name) is not None:
                yield Finding((*path, name), f"is not possible with from = {origin}: Kafka gives it typed")
        return
    type_ = _type(column)
    yield from _times(path, column, type_)
    if type_ is None:
        return
    if column.get("coerce") is not None:
        yield from _coerce(path, column, type_)
    if column.get("one_of") is not None and type_.kind != "VARCHAR":
        yield Finding((*path, "one_of"), f"is for VARCHAR only, and this column is {type_}")
    yield from _default(path, column, type_)


def _coerce(path: tuple[str, ...], column: Tree, type_: SqlType) -> Iterator[Finding]:
    origin = column.get("from")
    if not type_.holds(COERCED) and column.get("epoch") is None:
        yield Finding((*path, "coerce"), f"is for numbers and VARCHAR only, and this column is {type_}")
    if isinstance(origin, str) and not origin.startswith("$"):
        yield Finding((*path, "coerce"), "is for values of the JSON only: a key or header is always a text")


def _times(path: tuple[str, ...], column: Tree, type_: SqlType | None) -> Iterator[Finding]:
    zone, epoch = column.get("zone"), column.get("epoch")
    if type_ and epoch is not None and not type_.holds(STAMPS):
        yield Finding((*path, "epoch"), f"is for TIMESTAMPTZ and TIMESTAMP only, and this column is {type_}")
    if column.get("dst") in ("earlier", "later") and zone in (None, "require"):
        yield Finding((*path, "dst"), "needs a zone such as Europe/Berlin: without one no clock changes")
    if not isinstance(zone, str):
        return
    if epoch is not None:
        yield Finding((*path, "zone"), "is not possible with epoch: such a number is an instant already")
    if type_ and not type_.holds({"TIMESTAMPTZ"}):
        yield Finding((*path, "zone"), f"is for TIMESTAMPTZ only, and this column is {type_}")
    if zone != "require" and not is_zone(zone):
        what = "must be require or a time zone such as Europe/Berlin"
        yield Finding((*path, "zone"), what, nearest(zone, {"require", "UTC", *available_timezones()}))


def _default(path: tuple[str, ...], column: Tree, type_: SqlType) -> Iterator[Finding]:
    default, choices = iso_text(column.get("default")), as_tuple(column.get("one_of"))
    if default is None:
        return
    is_epoch = column.get("epoch") is not None and type_.kind in STAMPS
    what = misfit(default, SqlType("BIGINT") if is_epoch else type_)
    if what:
        yield Finding((*path, "default"), what)
    elif isinstance(choices, tuple) and default not in choices:
        yield Finding((*path, "default"), "must be one of one_of", nearest(str(default), _texts(choices)))


def _texts(values: tuple[Toml, ...]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _type(column: Toml) -> SqlType | None:
    text = column.get("type") if isinstance(column, dict) else None
    try:
        return parse_type(text) if isinstance(text, str) else None
    except TypeSyntaxError:
        return None


def _is_origin(text: str) -> bool:
    header = text.removeprefix("headers.")
    named = text in _ORIGINS or (header != text and bool(header))
    return named or bool(_PATH.fullmatch(text))
