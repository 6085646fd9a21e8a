"""Whether a column holds what an event said: the same number or moment, whatever its notation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any


def same(stored: object, sent: object) -> bool:
    """Whether a column holds what the JSON value said; numbers in `sent` are Decimal, never float."""
    if stored is None or sent is None or isinstance(stored, bool) or isinstance(sent, bool):
        return stored is sent
    for kind, equal in EQUAL.items():
        if isinstance(stored, kind):
            return equal(stored, sent)
    return str(stored) == str(sent)


def _same_struct(stored: Mapping[str, object], sent: object) -> bool:
    return isinstance(sent, Mapping) and all(same(value, sent.get(name)) for name, value in stored.items())


def _same_list(stored: list[object], sent: object) -> bool:
    return isinstance(sent, list) and len(stored) == len(sent) and all(map(same, stored, sent))


def _same_text(stored: str, sent: object) -> bool:
    """A text, or a column of type JSON."""
    if isinstance(sent, Mapping | list):
        return bool(json.loads(stored, parse_float=Decimal) == sent)
    return stored == str(sent)


EQUAL: dict[type, Callable[[Any, Any], bool]] = {
    date: lambda stored, sent: _moment(stored.isoformat()) == _moment(sent),  # a datetime is a date too
    Decimal: lambda stored, sent: _number(stored) == _number(sent),
    int: lambda stored, sent: _number(stored) == _number(sent),
    float: lambda stored, sent: _number(stored) == _number(sent),
    dict: _same_struct,
    list: _same_list,
    str: _same_text,
}
"""How a stored value of each type is compared."""


def _number(value: object) -> Decimal | object:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


def _moment(sent: object) -> object:
    """A point in time; without a zone it is read as UTC. What is not a time stays as it is."""
    try:
        moment = datetime.fromisoformat(str(sent))
    except ValueError:
        return sent
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
