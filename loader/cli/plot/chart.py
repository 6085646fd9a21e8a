"""What to draw of a result: labels along an axis, and for each series one value per label."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loader.analytics import Drawing
from loader.errors import ActionNeeded
from loader.printable import printable

if TYPE_CHECKING:
    import pyarrow as pa

MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?.*)?|\d\d:\d\d(:\d\d)?")
HINT = "put the axis first, then texts that tell series apart, then the number: SELECT day, currency, revenue"


@dataclass(frozen=True, slots=True)
class Chart:
    """Labels in their order; each series has a value, or None, for each label."""

    axis: str
    values: str
    labels: tuple[str, ...]
    series: dict[str, tuple[float | None, ...]]

    @property
    def is_time(self) -> bool:
        """Whether the labels are times or dates, and stand in their order."""
        times = all(MOMENT.fullmatch(label) for label in self.labels)
        return times and list(self.labels) == sorted(self.labels)


def chart(result: pa.Table, drawing: Drawing | None) -> Chart:
    """What to draw, as the analytic's header says, or by the rule of HINT. Raises ActionNeeded."""
    wanted = drawing or _guess(result)
    columns = {name: result[name].to_pylist() for name in (*wanted.values, wanted.axis, *wanted.series)}
    labels = _labels(columns[wanted.axis])
    series: dict[str, dict[str, float | None]] = {}
    for row in range(result.num_rows):
        group = " ".join(_text(columns[name][row]) for name in wanted.series)
        for value in wanted.values:
            name = group if len(wanted.values) == 1 else f"{group} {value}".strip()
            series.setdefault(name, {})[_text(columns[wanted.axis][row])] = _number(columns[value][row])
    rows = {
        name: tuple(found.get(label) for label in labels)
        for name, found in series.items()
        if any(value is not None for value in found.values())
    }
    if not rows:
        hint = "ask for rows that have values, or without --plot"
        raise ActionNeeded("there is nothing to draw: no value", address="query", hint=hint)
    return Chart(wanted.axis, ", ".join(wanted.values), labels, rows)


def _guess(result: pa.Table) -> Drawing:
    """The first column is the axis, the first number behind it the value, what is between makes series."""
    import pyarrow as pa

    names = result.column_names
    if len(set(names)) < len(names):
        raise ActionNeeded("two columns have the same name", address="query", hint="name them with AS")
    for place, field in enumerate(result.schema):
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        if place and (numeric or pa.types.is_decimal(field.type)):
            return Drawing((field.name,), names[0], tuple(names[1:place]))
    raise ActionNeeded("no column to draw", address="query", hint=HINT)


def _labels(found: list[Any]) -> tuple[str, ...]:
    """Each label once; numbers and times in their order, other texts as they come."""
    if all(isinstance(value, int | float) for value in found):
        return tuple(_text(value) for value in sorted(set(found)))
    labels = tuple(dict.fromkeys(_text(value) for value in found))
    return tuple(sorted(labels)) if all(MOMENT.fullmatch(label) for label in labels) else labels


def _text(value: Any) -> str:
    return "" if value is None else printable(str(value))


def _number(value: Any) -> float | None:
    """What can be drawn of a value: neither NULL nor NaN nor an infinity."""
    number = None if value is None else float(value)
    return number if number is not None and math.isfinite(number) else None
