"""The quick look at a batch: settle what is surely right, by conditions that cost little. Pure.

Where all values of a record are settled, its checks decide about it. Whatever is in doubt (a rule that may be
broken, a rare way to write a value) is left to `sql/load/parse.sql`, which is exact for every record and
dearer. So a condition here may be too strict, never too lax: the exact statement reads what it settles alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from loader.contract import expressions as sql
from loader.contract import times
from loader.contract.parsing import Plan, TableCheck, Trees
from loader.statements import quote_text as text_

_TEXT = '"$text"'

ANYTHING = "?"
"""The mark of a record of which anything may be in doubt; `? 0 4 ` names columns."""


class Settled:
    """A column that the quick look has settled in all records, as parse.sql takes it: no rule to look at."""

    sure = ""

    def __init__(self, plan: Plan) -> None:
        self.name, self.source, self.leaf = plan.name, plan.source, plan.leaf
        self.cast, self.casted = _cast(plan), plan.casted
        self.value, self.typed = plan.casted, plan.typed


def in_doubt(doubts: Iterable[str]) -> frozenset[int] | None:
    """The columns, by their number, that these marks leave in doubt; None if it may be anything."""
    marks = set(doubts)
    if ANYTHING in marks:
        return None
    return frozenset(int(number) for mark in marks for number in mark.removeprefix(ANYTHING).split())


def parameters(
    plans: Sequence[Plan], trees: Trees, checks: Sequence[tuple[Plan | TableCheck, int]]
) -> dict[str, object] | None:
    """What the template `load/parse_quick` needs; None for a contract that has no quick look.

    `checks` come with the number of the flag that says a record breaks them.
    """
    if len(trees.trees) != 1 or not all(map(_is_quick, plans)):
        return None
    sure = {plan: " AND ".join(_conditions(plan)) for plan in plans}
    return {
        "structure": json.dumps(trees.trees[0]),
        "columns": plans,
        "checks": checks,
        "casts": {plan.casted: _cast(plan) for plan in plans},
        "sure": {plan.is_sure: (plan.index, conditions) for plan, conditions in sure.items() if conditions},
    }


def _is_quick(plan: Plan) -> bool:
    """Scalars and flat lists of the value, and what Kafka says; without a default, no time as a number."""
    if (
        plan.column.default is not None
        or plan.column.epoch
        or not (plan.place.kind == "json" or plan.is_outside)
    ):
        return False
    return sql.is_flat(plan.type) or not (plan.type.is_nested or plan.type.kind == "JSON")


def _cast(plan: Plan) -> str:
    """The value of a leaf, right where the conditions hold."""
    if _is_utc(plan):  # a time with Z or without an offset, which the conditions make sure of
        return f"make_timestamptz(epoch_us(TRY_CAST({plan.leaf} AS TIMESTAMP)))"
    return plan.cast


def _conditions(plan: Plan) -> Iterator[str]:
    if plan.column.required:
        yield f"{plan.leaf} IS NOT NULL"
    if plan.column.one_of:
        allowed = ", ".join(map(text_, plan.column.one_of))
        yield f"({plan.leaf} IS NULL OR CAST({plan.casted} AS VARCHAR) IN ({allowed}))"
    if plan.place.kind == "json" and not _is_listed(plan):
        yield from _of_value(plan)


def _is_listed(plan: Plan) -> bool:
    """Whether being one of the allowed words says all: they can come from a JSON string only."""
    words = plan.column.one_of or ()
    is_top_text = len(plan.place.path) == 1 and plan.type.kind == "VARCHAR"
    clear = [word[:1].isalpha() and word.casefold() not in sql.BARE_WORDS for word in words]
    return is_top_text and bool(clear) and all(clear)


def _of_value(plan: Plan) -> Iterator[str]:
    if plan.type.is_nested:
        absent = f"NOT contains({_TEXT}, {text_(plan.place.path[0])}) AND NOT contains({_TEXT}, '\\')"
        yield f"CASE WHEN {plan.leaf} IS NULL THEN {absent} ELSE {plan.sure} END"
        return
    if len(plan.place.path) > 1:
        yield f"{plan.leaf} IS NOT NULL"
    yield f"({plan.leaf} IS NULL OR {_is_sure(plan)})"


def _is_sure(plan: Plan) -> str:
    if plan.type.kind == "VARCHAR":
        return f"({sql.is_text(plan.leaf)} AND {sql.without_nul(plan.type, plan.leaf)})"
    if _is_utc(plan):
        in_range = times.in_range("TIMESTAMPTZ", plan.casted)
        return f"({in_range} AND {times.common_shape(plan.leaf, ends=('Z', ''))})"
    return f"({sql.quick(plan.type, plan.leaf, plan.casted, plan.way)})"


def _is_utc(plan: Plan) -> bool:
    zone = plan.way.zone
    return (
        plan.type.kind == "TIMESTAMPTZ"
        and plan.place.kind == "json"
        and zone is not None
        and zone.upper() in times.UTC
    )
