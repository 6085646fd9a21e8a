"""Mistakes in plain words: where, what is wrong, and what was probably meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from typing import TYPE_CHECKING

from loader.config.keys import dotted, nearest_key
from loader.errors import ConfigError
from loader.types import TypeSyntaxError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pydantic_core import ErrorDetails

LONGEST_VALUE = 60

WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a text or a list of texts",
    "too_short": "must not be empty",
}
"""Pydantic's kinds of error in the words of this project."""

_WITHOUT_VALUE = frozenset({"missing", "extra_forbidden", "too_short"})


@dataclass(frozen=True)
class Mistake:
    """One mistake at a key (empty: the file as a whole); `origin` is a file, variable or option."""

    origin: str
    key: tuple[str, ...]
    what: str
    nearest: str = ""

    @property
    def address(self) -> str:
        """Origin and key, such as `loader.toml: kafka.topic`."""
        return f"{self.origin}: {dotted(self.key)}" if self.key else self.origin

    def __str__(self) -> str:
        """One line."""
        return f"{self.address}: {self.what}" + (f"; did you mean {self.nearest}?" if self.nearest else "")


def config_error(mistakes: Iterable[Mistake], origin: str) -> ConfigError:
    """One error for all mistakes; with a single one it carries that one's address."""
    found = tuple(dict.fromkeys(mistakes))
    lines = tuple(str(mistake) for mistake in found)
    if len(found) == 1:
        return ConfigError(str(lines[0]).removeprefix(f"{found[0].address}: "), address=found[0].address,
                           mistakes=lines)  # fmt: skip
    return ConfigError(f"{len(found)} mistakes in the configuration", address=origin, mistakes=lines)


def in_words(error: ErrorDetails, *, secret: bool) -> tuple[str, str]:
    """Say what is wrong, and the nearest right word; the value itself is named unless it is a secret."""
    kind = error["type"]
    path = tuple(str(part) for part in error["loc"])
    if kind == "extra_forbidden":
        return "unknown key", nearest_key(path)
    context = error.get("ctx", {})
    if kind == "value_error":
        what = str(context["error"])
    else:
        what = WORDS.get(kind, error["msg"].replace("Input should", "must")).format(**context)
    what = what.replace("'", '"') if kind == "literal_error" else what
    if secret:
        return ("is not valid" if isinstance(context.get("error"), TypeSyntaxError) else what), ""
    if kind in _WITHOUT_VALUE or error["input"] == "" or isinstance(context.get("error"), TypeSyntaxError):
        return what, ""
    return f"{what}, not {shown(error['input'])}", _nearest_word(error)


def _nearest_word(error: ErrorDetails) -> str:
    if error["type"] != "literal_error" or not isinstance(error["input"], str):
        return ""
    expected = error["ctx"]["expected"].replace(" or ", ", ").replace("'", "")
    return nearest(error["input"], expected.split(", "))


def nearest(word: str, known: Collection[str]) -> str:
    """Find the most similar known word, whatever its case; empty if none is near."""
    by_case = {name.casefold(): name for name in known}
    return next((by_case[found] for found in get_close_matches(word.casefold(), by_case, n=1)), "")


def shown(value: object) -> str:
    """Write a value as TOML would, shortened; tables and lists only by name."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, str):
        return f'"{value[:LONGEST_VALUE]}{"…" if len(value) > LONGEST_VALUE else ""}"'.replace("\n", " ")
    return str(value)
