"""Whether the `default` of a column fits its type. Rough: the warehouse has the last word."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from uuid import UUID

from loader.types import INTEGERS, SqlType

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.config.values import Toml


def misfit(value: Toml, type_: SqlType) -> str:
    """Say what the default must be; empty if it fits."""
    if type_.is_integer:
        low, high = INTEGERS[type_.kind]
        whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if whole and low <= value <= high else f"must be a whole number from {low} to {high}"
    if type_.kind == "DECIMAL":
        return "" if _fits_decimal(value, type_) else f"must be a number that fits {type_}"
    fits, what = _RULES[type_.kind]
    return "" if fits(value) else what


def _fits_decimal(value: Toml, type_: SqlType) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return False
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    return -exponent <= type_.scale and abs(number) < Decimal(10) ** (type_.precision - type_.scale)


def _parses(parse: Callable[[str], Toml]) -> Callable[[Toml], bool]:
    def fits(value: Toml) -> bool:
        try:
            return isinstance(value, str) and parse(value) is not None
        except ValueError:
            return False

    return fits


def _is(*types: type) -> Callable[[Toml], bool]:
    return lambda value: isinstance(value, types)


def _finite(value: Toml) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_NUMBER = (_finite, "must be a finite number")
_MOMENT = (_parses(datetime.fromisoformat), 'must be a time, such as "2026-03-03T10:30:00Z"')
_RULES: dict[str, tuple[Callable[[Toml], bool], str]] = {
    "VARCHAR": (lambda value: isinstance(value, str) and "\0" not in value, "must be a text"),
    "BOOLEAN": (_is(bool), "must be true or false"),
    "DOUBLE": _NUMBER,
    "FLOAT": _NUMBER,
    "DATE": (_parses(date.fromisoformat), 'must be a date, such as "2026-03-03"'),
    "TIMESTAMP": _MOMENT,
    "TIMESTAMPTZ": _MOMENT,
    "UUID": (_parses(UUID), "must be a UUID"),
    "JSON": (lambda _: True, ""),
    "STRUCT": (_is(dict), "must be a table"),
    "MAP": (_is(dict), "must be a table"),
    "LIST": (_is(list, tuple), "must be a list"),
}
