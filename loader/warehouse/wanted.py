"""Which quarantine entries a person means: the filters that all verbs of `loader quarantine` share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from loader.statements import statement

STATES = ("open", "loaded", "duplicate", "skipped", "dropped")


class Place(NamedTuple):
    """Where a record stood; `generation` None is the topic in force."""

    partition: int
    offset: int
    generation: int | None = None

    def __str__(self) -> str:
        """As people write it: `2:1841`, or `2:1841#0` for a former topic."""
        former = "" if self.generation is None else f"#{self.generation}"
        return f"{self.partition}:{self.offset}{former}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter; what is None does not matter. Times are Kafka's, `until` is exclusive."""

    state: str | None = "open"
    reason: str | None = None  # a label such as `amount: type`, or a rule such as `type`
    column: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    partition: int | None = None
    id: str | None = None
    batch: int | None = None  # that refused the record, or the retry or drop that came to it last
    places: tuple[Place, ...] | None = None

    def condition(self) -> str:
        """The SQL condition, for the statements that take `wanted`."""
        return statement("read/quarantine_wanted")

    def parameters(self, pipeline: str) -> dict[str, object]:
        """What the condition's parameters stand for."""
        places = None if self.places is None else list(map(str, self.places))
        names = ("state", "reason", "column", "since", "until", "partition", "id", "batch")
        return {"pipeline": pipeline, "places": places, **{name: getattr(self, name) for name in names}}
