"""What was seen in a sample of records: which values stand at each place. Pure.

JSON is read as the loader reads it: numbers keep their text, of a key that stands twice the first
counts, NaN and Infinity are no JSON, null is a missing value.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from typing import Any

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SECONDS = r":[0-5][0-9](?:\.[0-9]{1,6}0*)?"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_SHAPES = {
    "date": re.compile(_DAY),
    "local": re.compile(f"{_DAY}{_CLOCK}(?:{_SECONDS})?"),
    "zoned": re.compile(f"{_DAY}{_CLOCK}{_SECONDS}{_OFFSET}"),
    "uuid": re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
}
"""The shapes of texts that are more than a text."""

_EXACT = Context(prec=10_000)
FIELDS = 200  # of one object; with more of them it is a map, or nobody's table


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


@dataclass
class Seen:
    """The values at one place: how many, of which kinds, from where to where, and one of them."""

    present: int = 0  # not null
    kinds: Counter[str] = field(default_factory=Counter)  # text, number, boolean, object, array
    shapes: Counter[str] = field(default_factory=Counter)  # of texts; `text` for any other
    low: Any = None
    high: Any = None
    example: Any = None
    whole: bool = True  # every number is written without point and exponent
    digits: int = 0  # before the point, of the longest number
    scale: int = 0  # behind the point
    fields: dict[str, Seen] = field(default_factory=dict)
    element: Seen | None = None

    def add(self, value: Any) -> None:
        """Note a value; null is none."""
        if value is None:
            return
        self.present += 1
        self.example = value if self.example is None else self.example
        if isinstance(value, Number):
            self._number(value)
        elif isinstance(value, str):
            self._text(value)
        elif isinstance(value, dict):
            self._object(value)
        elif isinstance(value, list):
            self._array(value)
        else:
            self.kinds["boolean"] += 1

    @property
    def kind(self) -> str:
        """The one kind of all values; `mixed`, or `nothing` where there were only nulls."""
        return next(iter(self.kinds)) if len(self.kinds) == 1 else "mixed" if self.kinds else "nothing"

    def _number(self, value: Number) -> None:
        self.kinds["number"] += 1
        self.whole &= "." not in value and "e" not in value.lower()
        try:
            exact = Decimal(value)
            _, digits, exponent = exact.normalize(_EXACT).as_tuple()
        except ArithmeticError:  # an exponent that no number has
            self.scale = self.digits = _EXACT.prec
            return
        self.scale = max(self.scale, -int(exponent))
        self.digits = max(self.digits, len(digits) + int(exponent))
        self._range(exact)

    def _text(self, value: str) -> None:
        self.kinds["text"] += 1
        self.shapes[shape(value)] += 1
        if self.kind == "text":
            self._range(value)

    def _range(self, value: Any) -> None:
        if type(self.low) is not type(value):
            self.low = self.high = value
        self.low, self.high = min(self.low, value), max(self.high, value)

    def _object(self, value: dict[str, Any]) -> None:
        self.kinds["object"] += 1
        for name, each in value.items():
            if name in self.fields or len(self.fields) <= FIELDS:
                self.fields.setdefault(name, Seen()).add(each)

    def _array(self, value: list[Any]) -> None:
        self.kinds["array"] += 1
        self.element = self.element or Seen()
        for each in value:
            self.element.add(each)


def shape(text: str) -> str:
    """What a text is besides a text: date, local, zoned (times without and with an offset), uuid; or text."""
    for name, pattern in _SHAPES.items():
        if pattern.fullmatch(text):
            return name if name == "uuid" or _is_day(text[:10]) else "text"
    return "text"


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


@dataclass
class Sample:
    """The records of a sample that are JSON objects, and how many others there were, by what they are."""

    records: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)  # of these records; None where it is no text
    rows: list[int] = field(default_factory=list)  # where in the sample these records stand
    unusable: Counter[str] = field(default_factory=Counter)

    @property
    def distinct(self) -> list[int]:
        """The records, by number, without those that say the same as one before: repeats are no conflict."""
        first: dict[str, int] = {}
        for number, record in enumerate(self.records):
            first.setdefault(json.dumps(record, sort_keys=True), number)
        return list(first.values())


def sample(values: Iterable[tuple[bytes | None, str | None, bytes | None]]) -> Sample:
    """Read a sample of (value, its text, key); the text is None for what cannot be parsed as text."""
    found = Sample()
    for row, (value, text, key) in enumerate(values):
        record = _record(value, text)
        if isinstance(record, str):
            found.unusable[record] += 1
        else:
            found.records.append(record)
            found.keys.append(_key(key))
            found.rows.append(row)
    return found


def _record(value: bytes | None, text: str | None) -> dict[str, Any] | str:
    """The record as an object, or in words what it is instead."""
    if value is None:
        return "tombstone (null value)"
    if text is None:
        return "framed, too large or not UTF-8"
    try:
        record = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_no_json, object_pairs_hook=_first
        )
        text.encode()
    except (ValueError, RecursionError):
        return "not valid JSON"
    if not isinstance(record, dict):
        return "JSON, but no object"
    if any("\0" in each for each in _texts(record)):
        return "holds a NUL character"
    return record


def _no_json(word: str) -> None:
    raise ValueError(word)


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs)) if len(dict(pairs)) < len(pairs) else dict(pairs)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _key(key: bytes | None) -> str | None:
    try:
        return key.decode() if key else None
    except UnicodeDecodeError:
        return None
