"""What refused records are told: the parameters of `sql/load/explain.sql`. Pure.

To plan a statement costs more than to run it on a few records. So it holds the reasons of those flags
alone that were raised in a batch, with the columns that these need.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from loader.contract import inside
from loader.contract.numbers import unmarked
from loader.contract.parsing import Plan, TableCheck, Trees, number_texts
from loader.contract.reasons import Reason, check_reason, reasons
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_

SHOWN = 100
"""Longest offending value that a reason repeats, in characters."""

MOST_TOLD = 100  # unknown fields of a record
TOLD_BYTES = 256 << 10  # of text that telling them parses, for each record

Raised = Mapping[tuple[str, str], int]
"""Owner (a column, or a check, as quoted in SQL) and kind of each flag that was raised; its number."""


class Told(NamedTuple):
    """SQL of one reason, stage by stage; `named` and `shown` are what `rule` and `value` are called then."""

    flag: str
    condition: str
    rule: str
    named: str
    value: str
    shown: str
    column: str
    message: str


def parameters(
    plans: Sequence[Plan], trees: Trees, checks: Sequence[TableCheck], raised: Raised
) -> dict[str, object]:
    """What the template needs beside the names, for the columns of the raised flags and all table checks."""
    texts = number_texts(plans)
    checks = [check for check in checks if (check.checked, "check") in raised]
    found = [(plan.name, reason) for plan in plans for reason in reasons(plan)]
    found += [(check.checked, check_reason(check)) for check in checks]
    told = [(key, reason) for owner, reason in found if (key := (owner, reason.flag)) in raised]
    return {
        "structures": [json.dumps(tree) for tree in trees.trees if tree],
        "columns": plans,
        "odd": " OR ".join(_when(raised, plan) for plan in texts if (plan.name, "value") in raised),
        "text_paths": f"[{', '.join(text_(plan.path) for plan in texts)}]",
        "wrongs": list(_wrongs(plans, raised)),
        "reasons": [_told(number, is_raised(raised[key]), each) for number, (key, each) in enumerate(told)],
        "record_value": _shortened('"$text"'),
        "seen": {plan.name: plan.typed for check in checks for plan in check.seen},
    }


def unknown_reasons() -> str:
    """The reasons of the fields in `"$unknown"`, as JSON texts with commas between.

    Each value is another parse of the record, and their trees are kept together: of a large record that has
    many such fields the first ones are told, and how many there are besides.
    """
    told = f'least({MOST_TOLD}, greatest(1, {TOLD_BYTES} // strlen("$text")))'
    rest = f'len("$unknown") - {told}'
    message = f"({rest}) || ' more fields are in no column of the contract'"
    more = f"{{'column': '…', 'rule': 'unknown', 'value': CAST(NULL AS VARCHAR), 'message': {message}}}"
    others = f"CASE WHEN {rest} > 0 THEN CAST(to_json({more}) AS VARCHAR) END"
    return f"concat_ws(',', {_first_unknown(told)}, {others})"


def _first_unknown(count: str) -> str:
    value = unmarked('CAST(json_extract("$text", u.pointer) AS VARCHAR)')
    valued = f"list_transform(\"$unknown\"[1 : {count}], lambda u: {{'field': u.field, 'value': {value}}})"
    shown = f"list_transform({valued}, lambda v: {{'field': v.field, 'value': {_shortened('v.value')}}})"
    message = "s.field || ': ' || coalesce(s.value || ' ', '') || 'is in no column of the contract'"
    reason = f"{{'column': s.field, 'rule': 'unknown', 'value': s.value, 'message': {message}}}"
    return f"array_to_string(list_transform({shown}, lambda s: CAST(to_json({reason}) AS VARCHAR)), ',')"


def is_raised(number: int) -> str:
    """True for a record whose flag of this number was raised."""
    return f"contains(\"$flags\", ' {number} ')"


def _when(raised: Raised, plan: Plan) -> str:
    return is_raised(raised[plan.name, "value"])


def _wrongs(plans: Sequence[Plan], raised: Raised) -> Iterator[tuple[str, str]]:
    """The lists of what stands wrongly inside of nested columns, each on its own records."""
    for plan in plans:
        if (plan.name, "value") in raised:
            for name, wrong in inside.wrongs(plan):
                yield name, f"CASE WHEN {_when(raised, plan)} THEN {wrong} END"


def _told(number: int, flag: str, reason: Reason) -> Told:
    named, shown = name_(f"$rule{number}"), name_(f"$shown{number}")
    if reason.value == "NULL":
        shown = "CAST(NULL AS VARCHAR)"
    value = "" if reason.value == "NULL" else _shortened(f"CAST({reason.value} AS VARCHAR)")
    place = text_(reason.place + ": ")
    message = f"{place} || coalesce({shown} || ' ', '') || {reason.phrase(named)}"
    return Told(flag, reason.condition, reason.rule, named, value, shown, reason.column, message)


def _shortened(value: str) -> str:
    """The value as a line can show it."""
    short = f"CASE WHEN length({value}) > {SHOWN} THEN left({value}, {SHOWN}) || '…' ELSE {value} END"
    return f"replace({short}, chr(0), '␀')"
