"""The exact statement: parameters of `sql/load/parse.sql`, which decides about every record. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from loader.contract import expressions as sql
from loader.contract import quick
from loader.contract.parsing import Plan, TableCheck, Trees
from loader.contract.records import deep
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_


class Numbered(NamedTuple):
    """A flag (Plan.flags) with the number that marks a refused record; `owner` is as in explain.py."""

    number: int
    owner: str
    kind: str
    condition: str

    @property
    def name(self) -> str:
        """What its condition is called."""
        return name_(f"$flag{self.number}")

    def is_possible(self, doubts: Collection[str] | None) -> bool:
        """Whether it can be raised where only these columns are in doubt (None: all)."""
        return doubts is None or self.owner in doubts or self.kind == "check"


def flags(plans: Sequence[Plan], checks: Sequence[TableCheck], *, refuse: bool) -> list[Numbered]:
    """All conditions that make a record refused; `refuse`: unknown fields do."""
    found = [(plan.name, *flag) for plan in plans for flag in plan.flags()]
    found += [(check.checked, "check", f"{check.checked} IS NOT TRUE") for check in checks]
    found += [("", "unknown", 'len("$unknown") > 0')] if refuse else []
    return [Numbered(number, *each) for number, each in enumerate(found)]


def parameters(
    plans: Sequence[Plan], trees: Trees, checks: Sequence[Plan | TableCheck], doubts: Collection[str] | None
) -> dict[str, object]:
    """What the template needs of the columns; `doubts` are the columns that it must look into, None: all.

    The quick look has settled the others: their plain cast is right, and no rule but a check can be broken.
    """
    texts = [plan for plan in plans if plan.is_text]
    doubtful = [plan for plan in plans if doubts is None or plan.name in doubts]
    odd = ['coalesce("$nul", false)', *(_odd(plan) for plan in texts if plan in doubtful)]
    return {
        "structures": [json.dumps(tree) for tree in trees.trees if tree],
        "columns": [plan if plan in doubtful else quick.Settled(plan) for plan in plans],
        "checks": checks,
        "settled": doubts is not None,
        "odd": f'"$object" AND ({" OR ".join(odd)})' if texts else "false",
        "text_paths": f"[{', '.join(text_(plan.path) for plan in texts) or text_('$')}]",
        "deep": deep(),
    }


def _odd(plan: Plan) -> str:
    return f"coalesce({sql.odd_text(plan.leaf)}, false)"


def raised(marks: Collection[str]) -> tuple[set[int], bool]:
    """The flags that the marks of refused records name, and whether one of them is no record at all."""
    flagged = [mark for mark in marks if mark.startswith(" ")]
    numbers = {int(number) for mark in flagged for number in mark.split()}
    return numbers, len(flagged) < len(marks)
