"""Where in a JSON text the value of a reason stands, and where a text stops being JSON. Pure.

For messages to people: what is loaded is decided by `sql/load/parse.sql` alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from loader.contract.contract import Contract

Place = tuple[int, int]
"""Begin and end (exclusive), in characters."""

ANY = "*"
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, strict=False)
_SPACE = re.compile(r"[ \t\r\n]*")
_STEP = re.compile(r"\[\*\]|\.([^.\[]+)")
_CONSTANT = re.compile(r"-?\b(?:NaN|Infinity)\b")
SHORTENED = "…"


def place_of(
    text: str, contract: Contract, reason: dict[str, str | None], *, surely: bool = False
) -> Place | None:
    """Where the offending value of a reason stands; None where there is nothing to point at.

    `surely`: only where the value that the reason shows is found; the text may be another one.
    """
    column = next((each for each in contract.columns if each.name == reason["column"]), None)
    if column is None or column.place.kind != "json":
        return None
    inside = (reason["message"] or "").removeprefix(column.name).split(": ", 1)[0]
    steps = [*column.place.path, *(match[1] or ANY for match in _STEP.finditer(inside))]
    try:
        found = list(_places(text, 0, steps))
    except (ValueError, IndexError, RecursionError):
        return None
    shown = (reason["value"] or "").removesuffix(SHORTENED)
    guess = found[0] if found and not surely else None
    return next((place for place in found if _shows(text, place, shown)), guess)


def _shows(text: str, place: Place, shown: str) -> bool:
    raw = text[slice(*place)]
    return bool(shown) and (raw.startswith(shown) or raw.removeprefix('"').startswith(shown))


def _places(text: str, at: int, steps: Sequence[str]) -> Iterator[Place]:
    """The places that a path leads to; of a key that stands twice the first counts."""
    begin = _skip(text, at)
    if not steps:
        yield begin, _DECODER.raw_decode(text, begin)[1]
        return
    for key, value in _members(text, begin):
        if steps[0] in {ANY, key}:
            yield from _places(text, value, steps[1:])
            if steps[0] != ANY:
                return


def _members(text: str, at: int) -> Iterator[tuple[str | None, int]]:
    """Key (None in a list) and begin of each value in an object or list; nothing in a scalar."""
    if text[at] not in "{[":
        return
    keyed, at = text[at] == "{", _skip(text, at + 1)
    while text[at] not in "}]":
        key = None
        if keyed:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at) + 1
        at = _skip(text, at)
        yield key, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def broken_at(text: str) -> tuple[int, str] | None:
    """Where a text stops being JSON, and why; None where it is JSON, or too deep to say."""
    try:
        json.loads(text, parse_float=str, parse_int=str, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        words = error.msg.removesuffix(" starting at")
        return error.pos, words[:1].lower() + words[1:]
    except ValueError as error:
        found = _CONSTANT.search(text)
        return (found.start() if found else 0), str(error)
    except RecursionError:
        return None
    return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
