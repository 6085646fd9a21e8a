"""What of a contract its table depends on, and whether a table can follow a changed contract. Pure.

The *shape* is the id and each column with its type, its place in the record and whether it may be NULL.
A table follows what loses nothing: new columns, wider types, fields that join a STRUCT. Everything else is
refused, in words that name the column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

from loader.contract.contract import Contract
from loader.statements import quote_identifier as name_
from loader.types import INTEGERS, SqlType, TypeSyntaxError, parse_type

OWN = {"_partition": "INTEGER", "_offset": "BIGINT", "_kafka_time": "TIMESTAMPTZ", "_batch": "BIGINT"}
"""The loader's own columns in every target table."""

NOT_YET = 2**63 - 1
"""The head's number of a change that is not committed yet: every stored row is older."""


class Facet(NamedTuple):
    """One column of a shape. `place` is where its value stands; `required`: a row always has a value."""

    name: str
    type: SqlType
    place: str
    required: bool
    is_content: bool


@dataclass(frozen=True)
class Shape:
    """The id and the columns, in the contract's order; how the files are parted (empty: not at all)."""

    id: tuple[str, ...]
    columns: tuple[Facet, ...]
    layout: str = ""

    @classmethod
    def of(cls, contract: Contract) -> Shape:
        """Take what the table depends on out of a contract."""
        content = set(contract.content_columns)
        facets = (
            Facet(
                column.name,
                column.type,
                column.source or column.name,
                column.required and column.default is None,
                column.name in content,
            )
            for column in contract.all_columns
        )
        return cls(contract.id, tuple(facets), str(contract.layout or ""))

    @classmethod
    def from_json(cls, text: str) -> Shape:
        """Read what `as_json` wrote."""
        told = json.loads(text)
        facets = (Facet(name, parse_type(type_), *rest) for name, type_, *rest in told["columns"])
        return cls(tuple(told["id"]), tuple(facets), told.get("layout", ""))

    def as_json(self) -> str:
        """One line of JSON for the warehouse."""
        columns = [[facet.name, facet.type.sql(), *facet[2:]] for facet in self.columns]
        layout = {"layout": self.layout} if self.layout else {}
        return json.dumps({"id": self.id, "columns": columns, **layout})

    def __getitem__(self, name: str) -> Facet | None:
        """The column of this name, or None."""
        return next((facet for facet in self.columns if facet.name == name), None)


@dataclass(frozen=True)
class Change:
    """From a table to a shape: what is to be done, and what cannot be done, each with words for it."""

    added: tuple[Facet, ...] = ()
    widened: tuple[Facet, ...] = ()
    required: tuple[str, ...] = ()  # columns that were optional so far: the table must hold no NULL there
    steps: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def change(table: Mapping[str, str], before: Shape | None, wanted: Shape) -> Change:
    """What turns the table (name and DuckDB's type of each column) into the wanted shape.

    `before` is the shape that the table has had last; None where it was not made by this pipeline.
    """
    told = [*_differences(table, before, wanted)]
    names = {verdict: {one.column for one in told if one.verdict == verdict} for verdict in ("new", "wider")}
    return Change(
        added=tuple(facet for facet in wanted.columns if facet.name in names["new"]),
        widened=tuple(facet for facet in wanted.columns if facet.name in names["wider"]),
        required=tuple(_newly_required(before, wanted)),
        steps=tuple(one.words for one in told if one.verdict != "refused"),
        refused=tuple(one.words for one in told if one.verdict == "refused"),
    )


class _Difference(NamedTuple):
    verdict: Literal["new", "wider", "refused", "layout"]
    column: str
    words: str


def _differences(table: Mapping[str, str], before: Shape | None, wanted: Shape) -> Iterator[_Difference]:
    if before and before.id != wanted.id:
        words = f"the id is {', '.join(before.id)} in the table, {', '.join(wanted.id)} in the contract"
        yield _Difference("refused", "", words)
    if before and before.layout != wanted.layout:
        yield _Difference("layout", "", f"new files are parted by {wanted.layout or 'nothing'}")
    yield from _left_over(table, before, wanted)
    spelled = {name.casefold(): name for name in table}
    for facet in wanted.columns:
        known = before[facet.name] if before else None
        there = spelled.get(facet.name.casefold())
        if there is None and known:
            yield _Difference("refused", facet.name, f"{facet.name} was taken out of the table by someone")
        elif there is None:
            yield _Difference("new", facet.name, f"{facet.name} {facet.type} is new")
        elif there != facet.name:
            words = f"{facet.name} is called {there} in the table (call it so, and give its place by from)"
            yield _Difference("refused", facet.name, words)
        else:
            if known and known.place != facet.place:
                words = (
                    f"{facet.name} came from {known.place} so far, not from {facet.place} "
                    "(give that a column of its own)"
                )
                yield _Difference("refused", facet.name, words)
            yield from _type_differences(facet, table[facet.name])


def _left_over(table: Mapping[str, str], before: Shape | None, wanted: Shape) -> Iterator[_Difference]:
    """Columns that the contract does not name, and the loader's own ones."""
    named = {facet.name.casefold() for facet in wanted.columns}
    for name, type_ in table.items():
        if name.casefold() not in named and name not in OWN:
            was_there = before is None or before[name] is not None
            way = (
                "keep it with required = false" if was_there else "someone else added it: name it, or drop it"
            )
            yield _Difference("refused", name, f"{name} {type_} is not in the contract ({way})")
    for name, type_ in OWN.items():
        found = table.get(name)
        if found is None or parse_type(found) != parse_type(type_):
            yield _Difference("refused", name, f"the table has no {name} {type_}: it is not the loader's")


def _type_differences(facet: Facet, present: str) -> Iterator[_Difference]:
    try:
        old = parse_type(present)
    except TypeSyntaxError:
        words = f"{facet.name} is {present} in the table, {facet.type} in the contract"
        yield _Difference("refused", facet.name, words)
        return
    for verdict, words in _compared(facet.name, old, facet.type):
        yield _Difference(verdict, facet.name, words)


def _newly_required(before: Shape | None, wanted: Shape) -> Iterator[str]:
    for facet in wanted.columns:
        known = before[facet.name] if before else None
        if facet.required and not (known and known.required):
            yield facet.name


# ---------------------------------------------------------------- types


def _compared(
    place: str, old: SqlType, new: SqlType, *, inside: bool = False
) -> Iterator[tuple[Literal["new", "wider", "refused"], str]]:
    """What differs between two types, place by place; nothing where only the order of fields does."""
    if old == new:
        return
    if old.kind == new.kind == "STRUCT":
        yield from _compared_fields(place, old, new)
    elif old.element and new.element:
        yield from _compared(f"{place}[]", old.element, new.element, inside=True)
    elif old.value and new.value:
        yield from _compared(f"{place}{{}}", old.value, new.value, inside=True)
    elif _holds(new, old, inside=inside):
        yield "wider", f"{place} {old} becomes {new}"
    else:
        way = "wider types are followed" if _holds(old, new, inside=inside) else "give it a column of its own"
        yield "refused", f"{place} is {old} in the table, {new} in the contract ({way})"


def _compared_fields(
    place: str, old: SqlType, new: SqlType
) -> Iterator[tuple[Literal["new", "wider", "refused"], str]]:
    present, wanted = dict(old.fields), dict(new.fields)
    for name, type_ in wanted.items():
        if name in present:
            yield from _compared(f"{place}.{name}", present[name], type_, inside=True)
        elif name.casefold() in {other.casefold() for other in present}:
            yield "refused", f"{place}.{name} differs from the table's name in upper and lower case"
        else:
            yield "wider", f"{place}.{name} {type_} is new"
    for name in present.keys() - wanted.keys():
        if name.casefold() not in {other.casefold() for other in wanted}:
            yield "refused", f"{place}.{name} is not in the contract (keep it)"


def _holds(wide: SqlType, narrow: SqlType, *, inside: bool) -> bool:
    """Whether every value of one plain type is a value of the other, and both warehouses follow.

    A FLOAT inside of something becomes no DOUBLE: its old values could not be compared with new ones.
    """
    if narrow.is_integer and wide.is_integer:
        (low, high), (lowest, highest) = INTEGERS[narrow.kind], INTEGERS[wide.kind]
        return lowest <= low and high <= highest
    if wide.kind == "DECIMAL":
        digits = len(str(INTEGERS[narrow.kind][1])) if narrow.is_integer else narrow.precision - narrow.scale
        counts = narrow.is_integer or narrow.kind == "DECIMAL"
        return counts and narrow.scale <= wide.scale and digits <= wide.precision - wide.scale
    return (narrow.kind, wide.kind) == ("FLOAT", "DOUBLE") and not inside


# ---------------------------------------------------------------- twins

Past = Sequence[tuple[int, Shape]]
"""The shapes that a table has had, each with the head's number of the change, in order."""


def is_late(past: Past) -> bool:
    """Whether a stored row may be older than a column, or than its type."""
    return len(past) > 1


def sameness(past: Past, name: str, default: str = "") -> str:
    """SQL that is true if a record `s` and a stored row `f` have the same content in a column.

    `default` is SQL for what stands in for a missing value: a stored NULL is older than it, and means it.

    Only what the column held when the row was written is compared: f."$seq" is the head's number of the
    row's batch. A column that came later says nothing about the row; nor does a field that joined a STRUCT.
    """
    s, f = f"s.{name_(name)}", f"f.{name_(name)}"
    held = [(seq, facet.type) for seq, shape in past if (facet := shape[name])]
    now = held[-1][1]
    f = f"coalesce({f}, {default})" if default else f
    plain = f"{s} IS NOT DISTINCT FROM {f}"
    cases = [(held[0][0], "true")] if held[0][0] > past[0][0] else []
    cases += [(end, _same_as(old, now, s, f) or plain) for (_, old), (end, _) in pairwise(held)]
    if all(case == plain for _, case in cases):
        return plain
    whens = " ".join(f'WHEN f."$seq" < {end} THEN {case}' for end, case in cases)
    return f"CASE {whens} ELSE {plain} END"


def _same_as(old: SqlType, now: SqlType, s: str, f: str) -> str:
    """The comparison by what the old type could tell; empty where that is all that the new one can."""
    if (old.kind, now.kind) == ("FLOAT", "DOUBLE"):
        as_float = f"TRY_CAST({s} AS FLOAT) IS NOT DISTINCT FROM TRY_CAST({f} AS FLOAT)"
        return f"({s} IS NULL) = ({f} IS NULL) AND {as_float}"
    kept = _kept(old, now).sql()
    return "" if kept == now.sql() else f"CAST({s} AS {kept}) IS NOT DISTINCT FROM CAST({f} AS {kept})"


def _kept(old: SqlType, now: SqlType) -> SqlType:
    """The new type without the fields that the old one did not have."""
    if old.kind == now.kind == "STRUCT":
        present = dict(old.fields)
        fields = ((name, _kept(present[name], type_)) for name, type_ in now.fields if name in present)
        return replace(now, fields=tuple(fields))
    if old.element and now.element:
        return replace(now, element=_kept(old.element, now.element))
    if old.value and now.value:
        return replace(now, value=_kept(old.value, now.value))
    return now
