"""Dates and times from text, and from numbers where `epoch` says so: pure builders of DuckDB expressions.

Every builder is exact to the microsecond or NULL: it never rounds, and it never raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC as UTC_ZONE
from datetime import datetime

from loader.contract.column import Way
from loader.contract.numbers import decimals, plain_number, refused_text
from loader.statements import quote_text as text_

FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
"""Years that DuckDB, Parquet, Python and JSON's date texts (RFC 3339) can all hold."""

UTC = frozenset({"UTC", "ETC/UTC", "GMT", "Z"})
"""Names of the zone in which a local time is an instant without more ado, in upper case."""

EPOCH_DECIMALS = {"s": 6, "ms": 3, "us": 0}
"""How many digits behind the point a number of this unit may have: down to the microsecond."""

_FIRST_US = int(datetime(1, 1, 1, tzinfo=UTC_ZONE).timestamp()) * 10**6
_LAST_US = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC_ZONE).timestamp()) * 10**6 + 999_999

DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
FULL_CLOCK = CLOCK.replace(")?)?", ")?)")
FINE_CLOCK = FULL_CLOCK.replace("{1,6}0*)?", "+)")
OFFSET = "(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"


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


def shaped(text: str, *, zoned: bool) -> str:
    """True for a full date and time in ISO 8601 writing, with (`zoned`) or without an offset."""
    common = common_shape(text, ["Z" if zoned else ""])
    rare = f"regexp_full_match({text}, '{DAY}{(FULL_CLOCK + OFFSET) if zoned else CLOCK}')"
    return f"CASE WHEN {common} THEN true ELSE {rare} END"


def local(text: str, way: Way) -> str:
    """A local time as an instant in the column's zone; empty where there is no zone.

    The two candidates come from the zone's offsets a day before and a day after. Where exactly one of
    them shows that time, it is the one. In the gap of a clock change none does, and where the hour comes
    twice both do: NULL, or by `dst` the earlier or the later candidate (as Temporal's disambiguation:
    https://tc39.es/proposal-temporal/docs/timezone.html).
    """
    if way.zone is None:
        return ""
    if way.zone.upper() in UTC:
        value = f"TRY_CAST({text} || 'Z' AS TIMESTAMPTZ)"
        found = f"CASE WHEN {in_range('TIMESTAMPTZ', value)} THEN {value} END"
    else:
        found = _in_zone(text, way.zone, {"earlier": "list_min(c)", "later": "list_max(c)"}.get(way.dst))
    return f"CASE WHEN regexp_full_match({text}, '{DAY}{CLOCK}') THEN {found} END"


def _in_zone(text: str, zone: str, otherwise: str | None) -> str:
    days = (f"make_timestamptz(epoch_us(l) + {sign} 86400000000)" for sign in ("-", "+"))
    both = ", ".join(
        f"make_timestamptz(epoch_us(l) - epoch_us(timezone({text_(zone)}, {day})) + epoch_us({day}))"
        for day in days
    )
    shown = f"list_filter(list_distinct(c), lambda i: timezone({text_(zone)}, i) = l)"
    chosen = f"lambda s: CASE WHEN len(s) = 1 THEN s[1] ELSE {otherwise or 'NULL'} END"
    one = f"list_transform([{shown}], {chosen})[1]"
    within = f"list_transform([{one}], lambda v: CASE WHEN {in_range('TIMESTAMPTZ', 'v')} THEN v END)[1]"
    instants = f"list_transform([[{both}]], lambda c: {within})[1]"
    return f"list_transform([TRY_CAST({text} AS TIMESTAMP)], lambda l: {instants})[1]"


def since_epoch(kind: str, text: str, way: Way) -> str:
    """The instant of a JSON number of seconds, milli- or microseconds since 1970, down to the microsecond."""
    places = EPOCH_DECIMALS[way.epoch or "us"]
    digits = f"replace(q, '.', '') || repeat('0', CAST({places} - {decimals('q')} AS BIGINT))"
    make = "make_timestamptz" if kind == "TIMESTAMPTZ" else "make_timestamp"
    us = f"CASE WHEN {decimals('q')} <= {places} THEN TRY_CAST({digits} AS BIGINT) END"
    made = f"CASE WHEN u BETWEEN {_FIRST_US} AND {_LAST_US} THEN {make}(u) END"
    value = f"list_transform([{us}], lambda u: {made})[1]"
    asked = f"{text} IS NULL" + (f" OR {refused_text(text)}" if way.coerce is False else "")
    return (
        f"CASE WHEN {asked} THEN NULL ELSE list_transform([{plain_number(text)}], lambda q: {value})[1] END"
    )
