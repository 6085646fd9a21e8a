"""The shipped analytics by what stands in their headers: what they say, how to draw it, what they ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loader.statements import names, source

_PLOT = re.compile(
    r"^-- Plot: (?P<values>[\w, ]+?) by (?P<axis>\w+)(?: per (?P<series>[\w, ]+))?$", re.MULTILINE
)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_EXAMPLE = re.compile(r" \(--param [^)]*\)")
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw of a result: columns with the values, along an axis, a series for each of the others."""

    values: tuple[str, ...]
    axis: str
    series: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analytic:
    """One of the files in `sql/analytics`."""

    name: str
    about: str
    drawing: Drawing | None
    parameters: tuple[str, ...]

    @property
    def title(self) -> str:
        """What stands before the colon, without the example of a parameter."""
        return _EXAMPLE.sub("", self.about.split(":", 1)[0])


def analytics() -> dict[str, Analytic]:
    """All of them, by name."""
    return {name: _analytic(name) for name in names("analytics")}


def _analytic(name: str) -> Analytic:
    text = source(f"analytics/{name}")
    about = text.split("\n", 1)[0].removeprefix("-- ")
    found = _PLOT.search(text)
    drawing = (
        Drawing(_words(found["values"]), found["axis"], _words(found["series"] or "")) if found else None
    )
    parameters = dict.fromkeys(_PARAMETER.findall(_COMMENT.sub("", text)))
    return Analytic(name, about, drawing, tuple(parameters))


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
