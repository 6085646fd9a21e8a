"""Comparing a warehouse with an answer key, id by id; pure.

Content is compared as typed content: 12.50 equals 12.5, and a time equals the same instant in another
zone. Text is not a number: "12.5" differs from 12.5. A null equals an absent field.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from loader.replay.answers import Answers

SHOWN = 20  # ids per list
COUNTS = ("loaded", "duplicates", "quarantined", "skipped")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?").fullmatch
Row = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Ids that are missing, extra or wrong: how many, and the first of them."""

    total: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """The outcome: counts expected and found, and the ids that differ."""

    expected: dict[str, int]
    found: dict[str, int]
    missing: Difference
    extra: Difference
    wrong: Difference

    @property
    def ok(self) -> bool:
        """True if nothing differs."""
        same = all(self.expected[name] == self.found[name] for name in COUNTS)
        return same and not (self.missing.total or self.extra.total or self.wrong.total)

    def as_json(self) -> dict[str, Any]:
        """Return the result of `loader score --json`: lists capped, totals not."""
        lists = {"missing": self.missing, "extra": self.extra, "wrong": self.wrong}
        return {
            "ok": self.ok,
            "expected": self.expected | dict.fromkeys(lists, 0),
            "found": self.found | {name: each.total for name, each in lists.items()},
            **{name: list(each.ids) for name, each in lists.items()},
        }


def score(answers: Answers, rows: Iterable[Row], counts: Mapping[str, int]) -> Score:
    """Compare the rows of the target table, and the other counts, with the answer key.

    `rows` are (id, content): column name to value, as text, number, Decimal, datetime, list or dict;
    columns that begin with `_` are ignored, and an order is compared on the columns that the first row
    has. An id that occurs twice counts as extra. `counts` has duplicates, quarantined and skipped.
    Memory: about 150 bytes per expected id.
    """
    columns, found = _columns_of(rows)
    open_ids = {order_id: _expected(content, columns) for order_id, content in answers.contents()}
    extra, wrong, loaded = _Collector(), _Collector(), 0
    for order_id, content in found:
        loaded += 1
        expected = open_ids.pop(order_id, None)
        if expected is None:
            extra.add(order_id)
        elif expected != _digest(content, columns):
            wrong.add(order_id)
    missing = Difference(len(open_ids), tuple(islice(open_ids, SHOWN)))
    present = {"loaded": loaded} | {name: counts.get(name, 0) for name in COUNTS[1:]}
    return Score(answers.expected, present, missing, extra.result(), wrong.result())


def _columns_of(rows: Iterable[Row]) -> tuple[frozenset[str] | None, Iterator[Row]]:
    """Look at the first row; return its columns (None without rows) and all rows."""
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return None, iterator
    return frozenset(name for name in first[1] if not name.startswith("_")), chain([first], iterator)


class _Collector:
    """Counts ids and keeps the first few."""

    def __init__(self) -> None:
        self._total, self._ids = 0, list[str]()

    def add(self, order_id: str) -> None:
        self._total += 1
        if len(self._ids) < SHOWN:
            self._ids.append(order_id)

    def result(self) -> Difference:
        return Difference(self._total, tuple(self._ids))


def _expected(content: bytes, columns: frozenset[str] | None) -> bytes:
    return _digest(json.loads(content, parse_float=Decimal), columns)


def _digest(content: Mapping[str, Any], columns: frozenset[str] | None) -> bytes:
    """Return 16 bytes that stand for the typed content of these columns."""
    kept = {name: value for name, value in content.items() if columns is None or name in columns}
    return hashlib.blake2b(repr(canonical(kept)).encode(), digest_size=16).digest()


def canonical(value: Any) -> Any:
    """Return the one form of this content: texts that begin with their type, in tuples that do so too."""
    form = _FORMS.get(type(value))
    if form is None:
        form = next((form for kind, form in _FORMS.items() if isinstance(value, kind)), _text)
    return form(value)


def _object(value: Mapping[str, Any]) -> Any:
    return "{", *sorted((name, canonical(part)) for name, part in value.items() if part is not None)


def _list(value: Iterable[Any]) -> Any:
    return "[", *map(canonical, value)


def _number(number: Decimal) -> str:
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "n:0" if text == "-0" else f"n:{text}"


def _text(value: Any) -> str:
    if not value[:1].isdigit() or not _TIME(value):
        return f"s:{value}"
    try:
        return _instant(datetime.fromisoformat(value))
    except ValueError:
        return f"s:{value}"


def _instant(when: datetime) -> str:
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    return f"t:{since.days} {since.seconds} {since.microseconds}"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS: dict[type, Callable[[Any], Any]] = {
    str: _text,
    dict: _object,
    list: _list,
    tuple: _list,
    Decimal: _number,
    bool: lambda value: value,
    type(None): lambda value: value,
    int: lambda value: f"n:{value}",
    float: lambda value: _number(Decimal(repr(value))),
    datetime: _instant,
    date: lambda value: f"s:{value.isoformat()}",
}
"""By type, those first that are a kind of another: a truth value is a kind of int, a datetime of date."""
