"""Which rule a value breaks, and what each rule says. Pure; evaluated for refused records only."""

from __future__ import annotations

from loader.contract import expressions as sql
from loader.contract import times
from loader.contract.column import PLAIN_WAY, Way
from loader.contract.numbers import KINDS, decimals, plain_number, refused_text
from loader.types import SqlType

TWICE = "TWICE"
"""Stands for the type of an object that cannot be a MAP."""

_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}


def json_word(kind: str) -> str:
    """What a person calls a JSON type of DuckDB's `json_type`."""
    words = {"ARRAY": "a list", "OBJECT": "an object", "VARCHAR": "a text", "BOOLEAN": "true or false"}
    words |= {"NULL": "null", TWICE: "a key twice"}
    cases = " ".join(f"WHEN '{name}' THEN '{word}'" for name, word in words.items())
    return f"CASE {kind} {cases} ELSE 'a number' END"


def broken_rule(type_: SqlType, leaf: str, way: Way = PLAIN_WAY) -> str:
    """The name of the rule that a leaf without an exact value breaks."""
    kind, text = type_.kind, sql.json_text(type_, leaf, way)
    if sql.is_epoch(type_, way):
        return _broken_number(text, times.EPOCH_DECIMALS[way.epoch or "us"], "'range'", way)
    if type_.is_integer or kind == "DECIMAL":
        return _broken_number(text, type_.scale, "'range'", way)
    if kind in KINDS:
        either = f"CASE WHEN {refused_text(text)} THEN 'type' ELSE 'range' END"
        otherwise = "'range'" if way.coerce else either
        return _broken_number(text, 1000, otherwise, way)
    if kind == "JSON":
        return "'json'"
    if kind == "DATE":
        return f"CASE WHEN regexp_full_match({text}, '{times.DAY}') THEN 'range' ELSE 'type' END"
    return _broken_time(kind, text) if type_.is_time else "'type'"


def _broken_number(text: str, scale: int, otherwise: str, way: Way) -> str:
    refused = f"WHEN {refused_text(text)} THEN 'coerce' " if way.coerce is False else ""
    rule = (
        f"CASE WHEN q IS NULL THEN 'type' {refused}WHEN {decimals('q')} > {scale} THEN 'inexact' "
        f"ELSE {otherwise} END"
    )
    return f"list_transform([{plain_number(text)}], lambda q: {rule})[1]"


def _broken_time(kind: str, text: str) -> str:
    zoned = f"regexp_full_match({text}, '{times.DAY}{times.FULL_CLOCK}{times.OFFSET}')"
    local = f"regexp_full_match({text}, '{times.DAY}{times.CLOCK}')"
    fine = f"regexp_full_match({text}, '{times.DAY}{times.FINE_CLOCK}{times.OFFSET}?')"
    wrong = ("'zone'", "'range'") if kind == "TIMESTAMP" else ("'range'", "'zone'")
    real = f"TRY_CAST(left({text}, 10) AS DATE) IS NULL"
    return (
        f"CASE WHEN {real} THEN 'type' WHEN {zoned} THEN {wrong[0]} WHEN {local} THEN {wrong[1]} "
        f"WHEN {fine} THEN 'inexact' ELSE 'type' END"
    )


def phrases(type_: SqlType, way: Way) -> dict[str, str]:
    """What each rule says, after the value: 'amount: 12.345 has more than 2 decimals'."""
    kind = type_.sql()
    said = {
        "type": f"is not {'an' if kind.startswith('I') else 'a'} {kind}",
        "range": f"does not fit {kind}",
        "inexact": "is not a whole number",
        "coerce": "is a text, and coerce is false",
        "nul": "holds a NUL character",
        "json": "holds NaN or Infinity",
        "utf8": "is not valid UTF-8",
    }
    if type_.kind == "DECIMAL":
        said["inexact"] = f"has more than {type_.scale} decimal{'s' * (type_.scale != 1)}"
    if type_.kind == "VARCHAR":
        said["type"] = "is not a text or a number" if way.coerce else "is not a text"
    if type_.is_time:
        outside = "is no day" if type_.kind == "DATE" else "is outside"
        said["range"] = f"{outside} of the years 1 to 9999"
        said["inexact"] = "is finer than a microsecond"
        said["zone"] = _zone_phrase(type_.kind, way.zone)
    if sql.is_epoch(type_, way):
        said["type"] = f"is not a number of {_UNITS[way.epoch or 'us']}"
    return said


def _zone_phrase(kind: str, zone: str | None) -> str:
    if kind == "TIMESTAMP":
        return "has an offset, but TIMESTAMP has none"
    if zone is None:
        return 'has no offset, and zone is "require"'
    return f"does not exist, or comes twice, in {zone}"
