"""Keep the digits of long numbers, and find what DuckDB's JSON lets pass: a rare rewrite before parsing.

DuckDB's JSON (yyjson) reads a number with a point or an exponent as a double and forgets its text:
169299987.35345112345 would lose its last digits. A double holds 15 decimal digits (IEEE 754, DBL_DIG), so
the few records with a longer literal are found here by a look at the raw bytes, and the literal becomes
a string that begins with NUL (`MARK`), which no accepted text can hold. Whole numbers need nothing: DuckDB
keeps all their digits. The same look finds trailing commas, which DuckDB accepts and RFC 8259 does not.

A contract that keeps the *text* of numbers (`texts`) wants more: `1.50`, `1e2`, `-0` and `0.0000001` mean the
same after the way through a double, but are written otherwise. For it they are marked too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NUL = "\\u0000"
"""Six characters, as JSON writes NUL."""

MARK = NUL + "." * 16
"""What a marked number begins with; the points make every row that holds it by itself a candidate."""

LONG = 16
"""Characters of digits and point from which on a literal may have more digits than a double."""

FEW = 200
"""Up to so many values are not worth a closer look: Arrow compiles its expression each time, for 4 ms."""

_Rows = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]

_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_PLAIN = (r"(?P<comma>,(?=[ \t\r\n]*[\]}]))", r"(?P<number>[-+0-9.eE]{16,})")
_PLAIN_TOKENS = [re.compile(each) for each in _PLAIN]  # one by one: twice as quick as both in one
_TOKEN = re.compile(
    "|".join((r'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")', '(?P<open>")', *_PLAIN)),
    re.DOTALL,
)
_SHORT_TOKEN = re.compile(_TOKEN.pattern.replace("{16,}", "{2,}"), re.DOTALL)
_ANY_REAL = re.compile(rf"(?=-?[0-9]*[.eE]|-0){_NUMBER}")
_REAL = re.compile(rf"(?=-?[0-9]*[.eE])(?=-?[0-9.]{{{LONG}}}){_NUMBER}")
_COLON = re.compile(r"[ \t\r\n]*:")

# a real literal of at least 16 characters of digits and point, where a value may stand
_LONG_REAL = (
    r"(?:^|[\[:,\s])-?(?:"
    + "|".join(rf"[0-9]{{{whole}}}\.[0-9]{{{LONG - 1 - whole},}}" for whole in range(1, LONG - 1))
    + rf"|[0-9]{{{LONG - 1},}}\.[0-9]|[0-9]{{{LONG},}}[eE])"
)

# a number that DuckDB writes otherwise than it came, or a string that begins as a marked number does
_REWRITTEN = (
    r"(?:^|[\[:,\s])-?(?:[0-9]+(?:\.[0-9]+)?[eE]|[0-9]+\.[0-9]+0(?:[^0-9]|$)|0\.0000)"
    r'|(?:^|[\[:,\s])-0(?:[^.0-9]|$)|"\\u0000'
)


def candidates(values: pa.Array, *, texts: bool = False) -> _Rows:
    """Rows (ascending) whose text `quote_long_numbers` may change; no other row can need it.

    `values` is an Arrow array of string or binary. Costs about 0.1 µs for a record of 234 bytes, mostly
    without the GIL: if every fourth byte is sampled, a run of 16 bytes holds four sampled ones in a row.
    """
    data, offsets = _buffers(values)
    if not len(data):
        return np.empty(0, np.int64)
    runs = _rows(_long_runs(data), offsets)
    others = _rows(_trailing_commas(data), offsets)
    if texts:
        odd = pc.match_substring_regex(values.cast(pa.large_binary()), _REWRITTEN)
        others = np.union1d(others, np.flatnonzero(np.asarray(pc.fill_null(odd, fill_value=False))))
    if len(runs) > FEW:
        runs = runs[_may_be_long(values.take(pa.array(runs)).cast(pa.large_binary()))]
    return np.union1d(runs, others)


def _may_be_long(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Which values may hold a long real number, or a string that begins as a marked one."""
    odd = pc.or_(pc.match_substring_regex(values, _LONG_REAL), pc.match_substring(values, f'"{NUL}'))
    return np.asarray(pc.fill_null(odd, fill_value=False))


def quote_long_numbers(text: str, *, texts: bool = False) -> str:
    """JSON text in which long real numbers (`texts`: all reals) are marked strings.

    Invalid JSON stays invalid. A string that begins with NUL by itself gets a second one, so that it
    cannot pass for a marked number; a trailing comma is doubled, so that DuckDB refuses it too.
    """
    parts: list[str] = []
    end = 0
    for begin, stop, new in _changes(text, texts=texts):
        parts += (text[end:begin], new)
        end = stop
    return "".join([*parts, text[end:]]) if parts else text


def _changes(text: str, *, texts: bool) -> list[tuple[int, int, str]]:
    """What to put in place of which range of the text, in order."""
    number = _ANY_REAL if texts else _REAL
    found = []
    for token in _tokens(text, texts=texts):
        if token.lastgroup == "open":  # a string without an end: invalid as it is
            return []
        if new := _rewritten(token, text, number):
            found.append((token.start(), token.end(), new))
    return found


def _tokens(text: str, *, texts: bool) -> Iterable[re.Match[str]]:
    """The tokens that may be rewritten; where nothing is escaped, quotes tell what stands in a string."""
    if texts or "\\" in text or text.count('"') % 2:
        return (_SHORT_TOKEN if texts else _TOKEN).finditer(text)
    found = [each for pattern in _PLAIN_TOKENS for each in pattern.finditer(text)]
    outside = [each for each in found if text.count('"', 0, each.start()) % 2 == 0]
    return sorted(outside, key=lambda each: each.start())


def _rewritten(token: re.Match[str], text: str, number: re.Pattern[str]) -> str | None:
    found = token.group()
    if token.lastgroup == "comma":
        return ",,"
    if token.lastgroup == "string":
        return f'"{NUL}{found[1:]}' if found.startswith(f'"{NUL}') else None
    if not number.fullmatch(found) or _COLON.match(text, token.end()):  # a number is no key: stays invalid
        return None
    return f'"{MARK}{found}"'


def _buffers(values: pa.Array) -> tuple[_Bytes, _Rows]:
    """The bytes of all rows, without a copy, and where each row begins and the last one ends."""
    wide = pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)
    _, places, data = values.buffers()
    if places is None or data is None or not len(values):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    kind: Any = np.int64 if wide else np.int32
    offsets = np.frombuffer(places, kind, len(values) + 1, values.offset * kind().itemsize)
    first, last = int(offsets[0]), int(offsets[-1])
    return np.frombuffer(data, np.uint8, last - first, first), offsets.astype(np.int64) - first


def _long_runs(data: _Bytes) -> _Rows:
    """Where four sampled bytes in a row are digits or points (or `/`, which costs a needless look)."""
    digit = (data[::4] - np.uint8(ord("."))) < np.uint8(12)
    run = digit[:-3] & digit[1:-2] & digit[2:-1] & digit[3:]
    return np.flatnonzero(run) * 4


def _trailing_commas(data: _Bytes) -> _Rows:
    """Where a closing bracket follows a comma, with nothing but white space between."""
    before = data[:-1]
    closing = (data[1:] | np.uint8(0x20)) == np.uint8(ord("}"))
    place = np.flatnonzero(closing & ((before == np.uint8(ord(","))) | (before <= np.uint8(ord(" ")))))
    found = [place[data[place] == ord(",")]]
    while len(place := place[np.isin(data[place], (9, 10, 13, 32)) & (place > 0)]):
        place = place - 1
        found.append(place[data[place] == ord(",")])
    return np.concatenate(found)


def _rows(places: _Rows, offsets: _Rows) -> _Rows:
    return np.unique(np.searchsorted(offsets, places, side="right") - 1)
