"""Why a record is refused: for each column and rule a condition, the value and the words. Pure.

Evaluated for refused records only, by `sql/load/explain.sql`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from loader.contract import expressions as sql
from loader.contract import numbers
from loader.contract.inside import reasons_inside
from loader.contract.parsing import Plan, TableCheck
from loader.contract.wording import broken_rule, phrases
from loader.statements import quote_text as text_

_TEXT = '"$text"'


class Reason(NamedTuple):
    """A rule that a place may break, where its flag (Plan.flags) is raised: SQL of condition, rule and value.

    `said` holds what each rule says after the value.
    """

    flag: str
    column: str
    place: str
    condition: str
    rule: str
    value: str
    said: dict[str, str]

    def phrase(self, named: str) -> str:
        """SQL of what the rule says; `named` is SQL of the rule, which is one that `rule` mentions."""
        said = {name: words for name, words in self.said.items() if text_(name) in self.rule}
        if len(said) == 1 and self.rule == text_(*said):
            return text_(*said.values())
        cases = "".join(f" WHEN {text_(name)} THEN {text_(words)}" for name, words in said.items())
        return f"CASE {named}{cases} ELSE {named} END" if cases else named


def reasons(plan: Plan) -> Iterator[Reason]:
    """Why a column is refused, rule by rule."""
    for found in _found(plan):
        flag, condition, rule, value, said, where = found
        yield Reason(flag, plan.column.name, where or plan.column.name, condition, rule, value, said)


def check_reason(check: TableCheck) -> Reason:
    """What a named check of the table says; its name stands where the column's would."""
    words = {"check": f"breaks the check {check.expression}"}
    return Reason("check", check.name, check.name, "true", "'check'", check.shown, words)


Found = tuple[str, str, str, str, dict[str, str], str]


def _found(plan: Plan) -> Iterator[Found]:
    column = plan.column
    if plan.is_needed:
        yield "missing", _missing(plan), "'missing'", "NULL", {"missing": "missing"}, ""
    if column.default is not None:
        said = {"default": f"the default {column.default} is no exact {plan.type}"}
        yield "default", f"{plan.leaf} IS NULL", "'default'", "NULL", said, ""
    if plan.place.kind == "json":
        yield from _of_json(plan)
    elif plan.place.kind == "extra":
        yield "value", "true", "'json'", plan.leaf, {"json": "holds NaN or Infinity"}, ""
    elif not plan.is_outside:
        yield from _of_text(plan)
    if column.one_of:
        others = {"one_of": f"is not one of {', '.join(column.one_of)}"}
        yield "one_of", "true", "'one_of'", _shown(plan), others, ""
    if column.check:
        broken = {"check": f"breaks the check {' '.join(column.check.split())}"}
        yield "check", "true", "'check'", _shown(plan), broken, ""


def _missing(plan: Plan) -> str:
    """Nothing there, or JSON null; a value of a wrong type is not missing."""
    if plan.place.kind in {"key", "header"}:
        return f"{plan.bytes} IS NULL"
    if plan.is_outside:
        return "true"
    nothing = f"coalesce(json_type({_TEXT}, {text_(plan.path)}), 'NULL') = 'NULL'"
    return f"{nothing} AND NOT coalesce({plan.no_parent}, false)" if plan.has_parents else nothing


def _of_json(plan: Plan) -> Iterator[Found]:
    said = phrases(plan.type, plan.way)
    if plan.has_parents:
        above = {"type": "stands in something that is not an object"}
        yield "missing" if plan.is_needed else "parent", plan.no_parent, "'type'", "NULL", above, ""
    if plan.type.is_nested:
        yield from (("value", *found) for found in reasons_inside(plan))
    elif plan.is_text:
        nul = f"\"$types\"[{plan.type_position}] = 'VARCHAR' AND NOT {numbers.is_marked(plan.leaf)}"
        yield "value", "true", f"CASE WHEN {nul} THEN 'nul' ELSE 'type' END", _shown(plan), said, ""
    else:
        yield "value", "true", broken_rule(plan.type, plan.leaf, plan.way), _shown(plan), said, ""
    if plan.counts:
        tiny = {"inexact": "may be a number too small to be read"}
        yield "zero", "true", "'inexact'", _shown(plan), tiny, ""


def _of_text(plan: Plan) -> Iterator[Found]:
    said = phrases(plan.type, plan.way)
    yield "text", f"{plan.leaf} IS NULL", "'utf8'", "NULL", said, ""
    yield "text", f"contains({plan.leaf}, chr(0))", "'nul'", _shown(plan), said, ""
    if plan.type.kind != "VARCHAR":
        yield "value", "true", broken_rule(plan.type, plan.leaf, plan.way), _shown(plan), said, ""


def _shown(plan: Plan) -> str:
    """The offending value as a person would write it."""
    if plan.is_outside:
        return f"CAST({plan.leaf} AS VARCHAR)"
    if plan.type.is_nested:
        return f"CAST(to_json({plan.leaf}) AS VARCHAR)"
    if plan.type.kind == "VARCHAR":
        return numbers.as_text(plan.leaf)
    if sql.is_text_leaf(plan.type, plan.way):
        return plan.leaf
    return numbers.unmarked(f"CAST({plan.leaf} AS VARCHAR)")
