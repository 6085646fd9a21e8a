"""Numbers, read from their digits: pure builders of DuckDB expressions over JSON text.

The text is a bare number, a number in a JSON string, or a *marked* one: DuckDB's JSON reads reals as
doubles and forgets their text, so digits.py turns those that would lose by it into strings that begin with
`MARK`. Every builder is exact or NULL: it never rounds, and it never raises.
"""

from __future__ import annotations

from loader.contract.column import Way
from loader.contract.digits import NUL
from loader.statements import quote_text as text_
from loader.types import SqlType

KINDS = frozenset({"DECIMAL", "DOUBLE", "FLOAT"})
"""Kinds of numbers that are not whole."""

# RFC 8259, section 6; the shape of json_transform's output and of accepted numbers in text
_NUMBER = r"^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]{1,4}))?$"
_FILLED = r"\.{16}"
_MARKED_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
_MARKED = rf'"\\u0000{_FILLED}{_MARKED_NUMBER}"'
_MARK_CHARACTERS = 17  # NUL and the filling


def unquoted(text: str) -> str:
    """The number inside JSON text: bare, in a string, or marked; other strings as they are."""
    marked = f"regexp_extract({text}, {text_('^' + _MARKED + '$')}, 1)"
    inner = f"substring({text}, 2, strlen({text}) - 2)"
    return (
        f"CASE WHEN {_begins_marked(text)} THEN {marked} "
        f"WHEN starts_with({text}, '\"') THEN {inner} ELSE {text} END"
    )


def _begins_marked(text: str) -> str:
    return f"starts_with({text}, '\"{NUL}')"


def refused_text(text: str) -> str:
    """True for a JSON string that is no marked number: what `coerce = false` refuses."""
    return f"(starts_with({text}, '\"') AND NOT {_begins_marked(text)})"


def plain_number(text: str) -> str:
    """The number without exponent and needless zeros ('12.340e1' is '123.4'); NULL if it is none.

    Beyond 200 places either way the answer is 'huge' or 'tiny', except for zero.
    """
    groups = f"regexp_extract({unquoted(text)}, {text_(_NUMBER)}, ['sign', 'whole', 'part', 'power'])"
    point = "strlen(n.whole) + coalesce(TRY_CAST(n.power AS INTEGER), 0)"
    digits = f"{{'sign': n.sign, 'digits': n.whole || n.part, 'point': {point}}}"
    spread = (
        "CASE WHEN d.digits = '' THEN NULL WHEN ltrim(d.digits, '0') = '' THEN '0' "
        "WHEN d.point > 200 + strlen(d.digits) THEN 'huge' WHEN d.point < -200 THEN 'tiny' "
        "WHEN d.point <= 0 THEN '0.' || repeat('0', -d.point) || d.digits "
        "WHEN d.point >= strlen(d.digits) THEN d.digits || repeat('0', d.point - strlen(d.digits)) || '.' "
        "ELSE left(d.digits, d.point) || '.' || substring(d.digits, d.point + 1) END"
    )
    zero = "CASE WHEN starts_with(ltrim(p.plain, '0'), '.') THEN '0' ELSE '' END"
    tidy = f"p.sign || {zero} || rtrim(rtrim(ltrim(p.plain, '0'), '0'), '.')"
    parts = f"list_transform([{groups}], lambda n: {digits})"
    signed = f"list_transform({parts}, lambda d: {{'sign': d.sign, 'plain': {spread}}})"
    tidied = f"CASE WHEN contains(p.plain, '.') THEN {tidy} ELSE p.plain END"
    return f"list_transform({signed}, lambda p: {tidied})[1]"


def slow(type_: SqlType, text: str, way: Way) -> str:
    """The value where the plain cast is in doubt: DOUBLE and FLOAT take the nearest, others an equal one."""
    if type_.kind in {"DOUBLE", "FLOAT"}:
        value = f"TRY_CAST({unquoted(text)} AS {type_.sql()})"
        shaped = f"regexp_full_match({unquoted(text)}, {text_(_NUMBER)})"
        taken = f"starts_with({text}, '\"') AND {shaped}" if way.coerce else _begins_marked(text)
        return f"CASE WHEN {taken} AND isfinite({value}) THEN {value} END"
    value = f"CASE WHEN {decimals('q')} <= {type_.scale} THEN TRY_CAST(q AS {type_.sql()}) END"
    asked = f"{text} IS NULL" + (f" OR {refused_text(text)}" if way.coerce is False else "")
    return (
        f"CASE WHEN {asked} THEN NULL ELSE list_transform([{plain_number(text)}], lambda q: {value})[1] END"
    )


def decimals(plain: str) -> str:
    """How many digits stand behind the point of a plain number; 1000 for 'tiny'."""
    behind = f"CASE WHEN contains({plain}, '.') THEN strlen({plain}) - instr({plain}, '.') ELSE 0 END"
    return f"(CASE WHEN {plain} = 'tiny' THEN 1000 ELSE {behind} END)"


def underflow(record: str) -> str:
    """True if the record's text may hold a number so small that it was read as zero (under 1e-99)."""
    return f"regexp_matches({record}, '[0-9][eE]-[0-9]{{3}}')"


# ---------------------------------------------------------------- marked numbers in other places


def unmarked(text: str) -> str:
    """JSON text in which marked numbers are numbers again, with all their digits."""
    back = f"regexp_replace({text}, {text_(_MARKED)}, '\\1', 'g')"
    return f"replace({back}, '\"{NUL}{NUL}', '\"{NUL}')"


def is_marked(leaf: str) -> str:
    """True for a VARCHAR leaf that is a marked number."""
    shape = text_(_FILLED + _MARKED_NUMBER)
    return f"(starts_with({leaf}, chr(0)) AND regexp_full_match(substring({leaf}, 2), {shape}))"


def as_text(leaf: str) -> str:
    """A VARCHAR leaf, the mark of a number taken away."""
    return f"CASE WHEN {is_marked(leaf)} THEN substring({leaf}, {_MARK_CHARACTERS + 1}) ELSE {leaf} END"


def number_as_text(text: str) -> str:
    """The text of a bare or marked number in JSON text; NULL for anything else."""
    shaped = f"regexp_full_match({text}, {text_(_NUMBER)})"
    marked = f"NULLIF(regexp_extract({text}, {text_('^' + _MARKED + '$')}, 1), '')"
    return f"CASE WHEN {shaped} THEN {text} WHEN {_begins_marked(text)} THEN {marked} END"


def is_number(leaf: str) -> str:
    """True for a VARCHAR leaf whose text is a number as JSON writes it."""
    return f"regexp_full_match({leaf}, {text_(_NUMBER)})"
