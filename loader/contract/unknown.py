"""The fields of a record that no column takes: which they are, and how they are kept. Pure.

A field is taken when a column reads it, or something below it. Below a column of type STRUCT, LIST or MAP
the type says what is taken; any other column takes all that stands at its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from loader.contract.column import Column
from loader.contract.expressions import path_step
from loader.statements import quote_text as text_
from loader.types import SqlType

EACH = "[*]"
"""The step into every element of a list."""

ANY = ".*"
"""The step into every value of a map."""


@dataclass(slots=True)
class _Taken:
    """What of an object is taken: `whole`, or these fields."""

    whole: bool = False
    below: dict[str, _Taken] = field(default_factory=dict)

    def step(self, name: str) -> _Taken:
        return self.below.setdefault(name, _Taken())

    def take(self, type_: SqlType) -> None:
        if type_.kind == "STRUCT":
            for name, inside in type_.fields:
                self.step(f".{name}").take(inside)
        elif type_.element is not None:
            self.step(EACH).take(type_.element)
        elif type_.value is not None:
            self.step(ANY).take(type_.value)
        else:
            self.whole = True


class Place(NamedTuple):
    """An object (`many`: several) of which only some fields are taken."""

    steps: tuple[str, ...]
    names: tuple[str, ...]
    many: bool

    @property
    def prefix(self) -> str:
        """What stands before a field's name in its path, as `customer.` or `items[*].`."""
        return "".join(self.steps).removeprefix(".") + ("." if self.steps else "")


def places(columns: Iterable[Column]) -> Iterator[Place]:
    """Every object in which a field may be unknown; the record itself first."""
    root = _Taken()
    for column in columns:
        if column.place.kind == "json":
            node = root
            for name in column.place.path:
                node = node.step(f".{name}")
            node.take(column.type)
    yield from _places(root, ())


def _places(node: _Taken, steps: tuple[str, ...]) -> Iterator[Place]:
    if node.whole:
        return
    names = tuple(name[1:] for name in node.below if name not in {EACH, ANY})
    if names or not steps:
        yield Place(steps, names, many=EACH in steps or ANY in steps)
    for name, below in node.below.items():
        yield from _places(below, (*steps, name))


def unknown_fields(objects: Iterable[Place], text: str) -> str:
    """The list of a text's unknown fields: `top` (first step), `field` (path), `pointer` (to the value)."""
    return f"list_concat({', '.join(_unknown(place, text) for place in objects)}, [])"


def _unknown(place: Place, text: str) -> str:
    keys = f"json_keys({text}{f', {text_(_path(place))}' if place.steps else ''})"
    keys = f"list_distinct({f'flatten({keys})' if place.many else keys})"
    taken = ", ".join(map(text_, place.names))
    left = f"list_filter({keys}, lambda k: k NOT IN ({taken}))" if taken else keys
    top = text_(place.steps[0][1:]) if place.steps else "k"
    shown = f"{text_(place.prefix)} || replace(k, chr(0), '␀')"
    step = "'/' || replace(replace(k, '~', '~0'), '/', '~1')"
    above = "".join("/" + name[1:].replace("~", "~0").replace("/", "~1") for name in place.steps)
    pointer = "CAST(NULL AS VARCHAR)" if place.many else f"{text_(above)} || {step}"
    found = f"{{'top': {top}, 'field': {shown}, 'pointer': {pointer}}}"
    return f"list_transform(list_sort({left}), lambda k: {found})"


def _path(place: Place) -> str:
    return "$" + "".join(step if step in {EACH, ANY} else f".{path_step(step[1:])}" for step in place.steps)


def left_over(objects: Iterable[Place]) -> str:
    """The JSON text of an object with the fields that no column takes, or takes in part; whole, sorted.

    Only of fields that are taken in part the list of unknown ones is asked: for each it would be read whole.
    """
    record, *below = objects
    entries = 'map_entries(from_json("$text", \'"MAP(VARCHAR, JSON)"\'))'
    taken, partly = record.names, {place.steps[0][1:] for place in below}
    is_left = f"e.key NOT IN ({', '.join(map(text_, taken))})" if taken else "true"
    if partly:
        asked = 'list_contains(list_transform("$unknown", lambda u: u.top), e.key)'
        names = ", ".join(map(text_, sorted(partly)))
        is_left = f"CASE WHEN e.key IN ({names}) THEN {asked} ELSE {is_left} END"
    members = f"list_sort(list_filter({entries}, lambda e: {is_left}))"
    written = "CAST(to_json(e.key) AS VARCHAR) || ':' || coalesce(CAST(e.value AS VARCHAR), 'null')"
    joined = f"'{{' || array_to_string(list_transform({members}, lambda e: {written}), ',') || '}}'"
    return f'CASE WHEN len("$unknown") > 0 THEN {joined} END'
