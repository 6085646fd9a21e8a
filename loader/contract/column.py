"""One column of the contract: its type, its rules and the place in a record where its value stands. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from loader.errors import ConfigError
from loader.types import SqlType

_STEP = re.compile(r'\.(?:([^\s."\[\]*?#]+)|"((?:[^"\\]|\\["\\])+)")')


class Source(NamedTuple):
    """Where a value stands; `path` holds the keys from the top, or the name of the header."""

    kind: Literal["json", "key", "header", "time"]
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None, column: str) -> Source:
        """Read `$.customer."home id"`, `key`, `headers.NAME` or `kafka.timestamp`. Raises ConfigError."""
        if text is None:
            return cls("json", (column,))
        if text == "key":
            return cls("key")
        if text == "kafka.timestamp":
            return cls("time")
        if text.startswith("headers.") and len(text) > len("headers."):
            return cls("header", (text.removeprefix("headers."),))
        if text.startswith("$.") and _STEP.sub("", text[1:]) == "":
            steps = (bare or re.sub(r"\\(.)", r"\1", quoted) for bare, quoted in _STEP.findall(text[1:]))
            return cls("json", tuple(steps))
        raise ConfigError(
            f"{text!r} is no place in a record",
            address=f"table.columns.{column}.from",
            hint='a path of names such as $.customer.id, "key", "headers.NAME" or "kafka.timestamp"',
        )


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type and rules; `source` None means the field of the same name."""

    name: str
    type: SqlType
    required: bool = True
    check: str | None = None
    zone: str | None = None
    one_of: tuple[str, ...] | None = None
    default: Any = None
    source: str | None = None

    @property
    def place(self) -> Source:
        """Where its value stands in a record."""
        return Source.of(self.source, self.name)

    @property
    def local_zone(self) -> str | None:
        """The zone of a time that is written without one; None to refuse it."""
        return None if self.zone in {None, "require"} else self.zone
