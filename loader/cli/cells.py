"""The cells of a result as JSON can hold them, by Arrow type: a MAP as an object, an INTERVAL as a text."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from loader.cli.words import as_json

SECOND = 10**9  # nanoseconds


def cells(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column."""
    return [_plain(value, column.type) for value in column.to_pylist()]


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """The values of a column as texts: nested ones as JSON; a null stays one."""
    return [None if value is None else _text(value) for value in cells(column)]


def is_flat(type_: pa.DataType) -> bool:
    """Whether Arrow itself can write values of this type as text."""
    return not type_.num_fields and not kinds.is_interval(type_)


def _plain(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if kinds.is_map(type_):
        return {_text(_plain(key, type_.key_type)): _plain(part, type_.item_type) for key, part in value}
    if kinds.is_struct(type_):
        return {field.name: _plain(value[field.name], field.type) for field in type_}
    if kinds.is_list(type_) or kinds.is_large_list(type_) or kinds.is_fixed_size_list(type_):
        return [_plain(part, type_.value_type) for part in value]
    return _interval(value) if isinstance(value, pa.MonthDayNano) else as_json(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _interval(value: pa.MonthDayNano) -> str:
    """As DuckDB writes it: `1 year 2 months 3 days 04:05:06.7`."""
    sign = -1 if value.months < 0 else 1
    years, months = divmod(abs(value.months), 12)
    amounts = ((sign * years, "year"), (sign * months, "month"), (value.days, "day"))
    words = [f"{number} {unit}{'' if abs(number) == 1 else 's'}" for number, unit in amounts if number]
    if value.nanoseconds or not words:
        words.append(_time(value.nanoseconds))
    return " ".join(words)


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(abs(nanoseconds), SECOND)
    whole = f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f".{rest // 1_000:06}".rstrip("0").rstrip(".")
    return f"{'-' if nanoseconds < 0 else ''}{whole}{fraction}"
