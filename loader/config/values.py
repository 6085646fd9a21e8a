"""Sizes, durations, moments and names as they stand in a configuration file.

Each function takes what TOML gave and returns the value, or raises ValueError with the end of a
sentence that begins with the key: "must be …". None of them repeats the value: it may be a secret.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator

Toml: TypeAlias = Any
"""Whatever a TOML file can hold, before it is checked."""

Tree: TypeAlias = dict[str, Toml]

SIZES = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}")
_SERVER = re.compile(r"(?:[A-Za-z_]+://)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/\[\]]+)(?::([0-9]{1,5}))?")
_RESERVED_TABLES = frozenset({"loader", "main", "information_schema", "pg_catalog"})


def parse_size(value: object) -> int:
    """Bytes from `"32 MiB"`, `"500 MB"` or a whole number of bytes; at least 1."""
    amount, unit = _amount(value)
    if amount is None or unit not in SIZES or not 1 <= amount * SIZES[unit] < 2**63:
        raise ValueError('must be a size, such as "32 MiB", or a whole number of bytes above 0')
    return int(amount * SIZES[unit])


def parse_duration(value: object) -> float:
    """Seconds from `"250ms"`, `"10s"`, `"10m"`, `"1h"` or a number of seconds; 0 or more."""
    if isinstance(value, float):
        amount, unit = (value if math.isfinite(value) and value >= 0 else None), "s"
    else:
        amount, unit = _amount(value)
        unit = unit if isinstance(value, str) else "s"
    if amount is None or unit not in SECONDS:
        raise ValueError('must be a duration, such as "10s", "250ms" or "10m", or a number of seconds')
    return amount * SECONDS[unit]


def _amount(value: object) -> tuple[float | None, str]:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value if value >= 0 else None), ""
    found = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None, ""
    number = found[1]
    return (float(number) if "." in number else int(number)), found[2].casefold()


def parse_start(value: object) -> str | datetime:
    """`earliest`, `latest`, or a moment with a zone (`2026-03-03T10:30:00Z`)."""
    if value in ("earliest", "latest"):
        return str(value)
    moment = value if isinstance(value, datetime) else _moment(value)
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            'must be "earliest", "latest" or a moment with a zone, such as "2026-03-03T10:30:00Z"'
        )
    return moment


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def as_tuple(value: object) -> object:
    """One text means a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def as_tables(value: object) -> object:
    """A list of tables as a tuple."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError("must be a list of tables: write [[...]] above each")
    return tuple(value)


def setting_text(value: object) -> object:
    """Give the text that the client expects for a TOML number or truth value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        raise ValueError('must be a text; put a name with dots into quotes, as in "sasl.username"')  # noqa: TRY004
    return str(value) if isinstance(value, int | float) else value


def plain_text(value: str) -> str:
    """Refuse empty text and control characters."""
    if not value.strip() or not value.isprintable():
        raise ValueError("must be a text of printable characters and not empty")
    return value


def expression(value: str) -> str:
    """Refuse an empty expression; line breaks are allowed."""
    if not value.strip() or "\0" in value:
        raise ValueError("must be a SQL expression and not empty")
    return value


def pipeline_name(value: str) -> str:
    """Up to 100 letters, digits, `.`, `_`, `-`."""
    return _matching(_NAME, value, "must be up to 100 letters, digits, '.', '_' or '-'")


def is_pipeline_name(value: str) -> bool:
    """Whether `pipeline_name` accepts it."""
    return bool(_NAME.fullmatch(value))


def topic_name(value: str) -> str:
    """Accept what Kafka allows: up to 249 ASCII letters, digits, `.`, `_`, `-`, and neither `.` nor `..`."""
    if value in {".", ".."}:
        raise ValueError("must not be '.' or '..'")
    return _matching(_TOPIC, value, "must be 1 to 249 letters, digits, '.', '_' or '-', as Kafka allows")


def table_name(value: str) -> str:
    """Accept a plain name; where the table stands is decided by `warehouse.path`."""
    if value.casefold() in _RESERVED_TABLES:
        raise ValueError("must be another name: this one belongs to the loader or to DuckDB")
    return _matching(_TABLE, value, "must be a plain name: a letter, then letters, digits or '_', no schema")


def servers(value: str) -> str:
    """Check `host:port,host:port`; the client looks for the hosts later."""
    for part in plain_text(value).split(","):
        found = _SERVER.fullmatch(part.strip())
        if found is None or not 1 <= int(found[1] or 9092) <= 65535:  # noqa: PLR2004 - ports are 16 bits wide
            raise ValueError('must be servers such as "host1:9092,host2:9092"')
    return value


def _matching(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(what)
    return value


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone (UTC is one even where no zone database is installed)."""
    try:
        return name == "UTC" or ZoneInfo(name).key == name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def iso_text(value: Toml) -> Toml:
    """Write the dates and times of TOML as ISO text, so that a default is always JSON."""
    if isinstance(value, dict):
        return {name: iso_text(below) for name, below in value.items()}
    if isinstance(value, list):
        return [iso_text(below) for below in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Start = Annotated[str | datetime, BeforeValidator(parse_start)]
Text = Annotated[str, AfterValidator(plain_text)]
Expression = Annotated[str, AfterValidator(expression)]
