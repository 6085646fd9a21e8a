"""One column of the contract: its type, its rules and the place in a record where its value stands. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from loader.errors import ConfigError
from loader.types import SqlType

Kind = Literal["json", "key", "header", "topic", "partition", "offset", "time", "extra"]

UNKNOWN = "$unknown"
"""The source of the column that keeps unknown fields; no `from` of a user can say it."""

_STEP = re.compile(r'\.(?:([^\s."\[\]*?#]+)|"((?:[^"\\]|\\["\\])+)")')


FIXED: dict[str, Kind] = {
    "key": "key",
    "kafka.topic": "topic",
    "kafka.partition": "partition",
    "kafka.offset": "offset",
    "kafka.timestamp": "time",
}
"""The places that have one name."""

OUTSIDE = frozenset({"topic", "partition", "offset", "time"})
"""What Kafka says about a record: typed already, never wrong."""


class Way(NamedTuple):
    """How the values of a column are read.

    `zone` is what a time without an offset means: an IANA name, or None to refuse it. `bare` says that
    the value is a text that stands alone (key, header), not in JSON.
    """

    zone: str | None = None
    dst: str = "refuse"
    epoch: str | None = None
    coerce: bool | None = None
    bare: bool = False


PLAIN_WAY = Way()


class Source(NamedTuple):
    """Where a value stands; `path` holds the keys from the top, or the name of the header."""

    kind: Kind
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None, column: str) -> Source:
        """Read `$.customer."home id"`, `key`, `headers.NAME` or `kafka.offset`. Raises ConfigError."""
        if text is None:
            return cls("json", (column,))
        if text == UNKNOWN:
            return cls("extra")
        if text in FIXED:
            return cls(FIXED[text])
        if text.startswith("headers.") and len(text) > len("headers."):
            return cls("header", (text.removeprefix("headers."),))
        if text.startswith("$.") and _STEP.sub("", text[1:]) == "":
            steps = (bare or re.sub(r"\\(.)", r"\1", quoted) for bare, quoted in _STEP.findall(text[1:]))
            return cls("json", tuple(steps))
        raise ConfigError(
            f"{text!r} is no place in a record",
            address=f"table.columns.{column}.from",
            hint=f"a path of names such as $.customer.id, headers.NAME, {', '.join(FIXED)}",
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
    coerce: bool | None = None
    dst: Literal["refuse", "earlier", "later"] = "refuse"
    epoch: Literal["s", "ms", "us"] | None = None

    @property
    def place(self) -> Source:
        """Where its value stands in a record."""
        return Source.of(self.source, self.name)

    @property
    def way(self) -> Way:
        """How its values are read."""
        zone = None if self.zone == "require" else self.zone
        return Way(zone, self.dst, self.epoch, self.coerce, self.place.kind in {"key", "header"})
