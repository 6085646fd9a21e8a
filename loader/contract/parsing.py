"""How one column is parsed and checked: expressions for `sql/load/parse.sql`, stage by stage. Pure.

The hot path is cheap on purpose: a plain cast and one condition per rule. What is dear (JSON's types, the
digits of a number, the inside of a nested value) is reached by odd records only; the reasons (reasons.py)
by refused ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from loader.contract import expressions as sql
from loader.contract import numbers
from loader.contract.column import OUTSIDE, Column
from loader.contract.inside import wrongs
from loader.contract.trees import Trees
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_

__all__ = ["Flag", "Plan", "TableCheck", "Trees", "number_texts"]

_TEXT = '"$text"'


class Flag(NamedTuple):
    """A condition that makes a record refused; `kind` says which reasons (reasons.py) it may have."""

    kind: str
    condition: str


def _condition(expression: str) -> str:
    """NULL if the check fails with an error; true if it holds or is unknown, as in SQL."""
    return f"TRY(coalesce(CAST(({expression}\n) AS BOOLEAN), true))"


class TableCheck:
    """A named condition over the whole row."""

    def __init__(self, index: int, name: str, expression: str, plans: list[Plan]) -> None:
        self.name = name
        self.text = expression
        self.expression = " ".join(expression.split())
        self.check = _condition(expression)
        self.checked = name_(f"$tablecheck{index}")
        words = {word.casefold() for word in re.findall(r"\w+", expression)}
        self.seen = [plan for plan in plans if plan.column.name.casefold() in words]

    @property
    def shown(self) -> str:
        """The values that the condition names, as `amount=5, action=refund`."""
        values = (
            f"{text_(plan.column.name)} || '=' || coalesce(CAST({plan.typed} AS VARCHAR), 'NULL')"
            for plan in self.seen
        )
        return f"concat_ws(', ', {', '.join(values)})" if self.seen else "NULL"


class Plan:
    """The expressions of one column."""

    def __init__(self, index: int, column: Column, trees: Trees, topic: str = "", extra: str = "") -> None:
        self.index = index
        self.column = column
        self.place = column.place
        self.type = column.type
        self.way = column.way
        self.name = name_(column.name)
        self.leaf = name_(f"${index}")
        self.casted = name_(f"$cast{index}")
        self.typed = name_(f"$value{index}")
        self.checked = name_(f"$check{index}")
        self.is_sure = name_(f"$sure{index}")
        self.type_position = 0
        self.source = self._source(trees, topic, extra)

    @property
    def path(self) -> str:
        """The JSON path of the column's value."""
        return "$." + ".".join(sql.path_step(step) for step in self.place.path)

    @property
    def is_text(self) -> bool:
        """Whether JSON's type must be asked to tell a text from a number."""
        return self.type.kind == "VARCHAR" and self.place.kind == "json"

    @property
    def is_outside(self) -> bool:
        """Whether Kafka gives the value, typed."""
        return self.place.kind in OUTSIDE

    def _source(self, trees: Trees, topic: str, extra: str) -> str:
        if self.place.kind == "json":
            return trees.add(self.place.path, sql.structure(self.type, self.way))
        if self.place.kind == "extra":
            return extra
        if self.place.kind == "topic":
            return text_(topic)
        return name_(f"${self.place.kind}") if self.is_outside else f"TRY(decode({self.bytes}))"

    @property
    def bytes(self) -> str:
        """Key, or the last header of the name (Kafka's own rule, `Headers.lastHeader`)."""
        if self.place.kind == "key":
            return '"$key"'
        return f"""list_filter("$headers", lambda h: h.key = {text_(self.place.path[0])})[-1].value"""

    @property
    def _given(self) -> str:
        """The leaf, or the default in its place."""
        default = self.column.default
        if default is None:
            return self.leaf
        if sql.is_text_leaf(self.type, self.way):
            return f"coalesce({self.leaf}, {text_(str(default))})"
        is_number = self.type.is_integer or self.type.kind in numbers.KINDS
        written = text_(
            default if is_number and isinstance(default, str) else json.dumps(default, default=str)
        )
        if self.way.bare:
            return f"coalesce({self.leaf}, {written})"
        if self.type.is_nested and self.type.kind != "MAP":
            read = text_(json.dumps(sql.structure(self.type, self.way)))
            return f"coalesce({self.leaf}, from_json({written}, {read}))"
        return f"coalesce({self.leaf}, TRY_CAST({written} AS JSON))"

    @property
    def cast(self) -> str:
        """Stage 2: the plain cast; for a flat list its quick way; for other nested values nothing."""
        if self.place.kind == "time":
            return self.leaf if self.type.kind == "TIMESTAMPTZ" else f"make_timestamp(epoch_us({self.leaf}))"
        if self.is_outside:
            return f"CAST({self.leaf} AS {self.type.sql()})"
        if self.place.kind == "extra":
            return f"TRY_CAST({sql.json_value(self.leaf, self.leaf)} AS JSON)"
        if sql.is_flat(self.type):
            return sql.quick_list(self.type, self._given, self.way)
        return "NULL" if self.type.is_nested else sql.cast(self.type, self._given, self.way)

    @property
    def sure(self) -> str:
        """Stage 3, nested values: whether the quick way has settled the record."""
        if not sql.is_flat(self.type):
            return "false" if self.type.is_nested else ""
        is_clear = sql.without_nul(self.type, self._given)
        return f"coalesce(list_count({self.casted}) = len({self._given}) AND {is_clear}, false)"

    @property
    def value(self) -> str:
        """Stage 4: the exact value or NULL."""
        if self.is_outside:
            return self.casted
        if self.type.is_nested:
            slow = sql.exact(self.type, self._given, self.way)
            return (
                f"CASE WHEN {self.is_sure} THEN {self.casted} ELSE {slow} END"
                if self.sure != "false"
                else slow
            )
        return sql.choose(self.type, self._given, self.casted, self.way)

    @property
    def check(self) -> str:
        """Stage 5: the column's check; empty without one."""
        return _condition(self.column.check) if self.column.check else ""

    # ------------------------------------------------------------ rules

    def flags(self) -> Iterator[Flag]:
        """Conditions of which any makes the record refused; cheap where the record is good."""
        if self.is_needed:
            yield Flag("missing", f"{self.leaf} IS NULL")
        if self.column.default is not None:
            yield Flag("default", f"{self.typed} IS NULL")
        if self.place.kind in {"json", "extra"}:
            yield from self._value_flags()
        elif not self.is_outside:
            unreadable = f"({self.leaf} IS NULL OR contains({self.leaf}, chr(0)))"
            yield Flag("text", f"({self.bytes} IS NOT NULL AND {unreadable})")
            yield Flag("value", self.no_value)
        if self.column.one_of:
            yield Flag("one_of", f"coalesce({self.not_one_of}, false)")
        if self.column.check:
            yield Flag("check", f"{self.checked} IS NOT TRUE")

    def _value_flags(self) -> Iterator[Flag]:
        if self.is_text:
            asked = f'CASE WHEN "$types" IS NOT NULL THEN coalesce({self.no_text}, false) ELSE false END'
            yield Flag("value", asked)
        elif self.type.is_nested:
            inside = " OR ".join(f"len({wrong}) > 0" for _, wrong in wrongs(self))
            asked = f'WHEN "$object" AND {self._maybe_there} THEN coalesce({inside}, false)'
            settled = f"{self.is_sure} AND {self.leaf} IS NOT NULL"  # a default says nothing about the record
            yield Flag("value", f"CASE WHEN {settled} THEN false {asked} ELSE false END")
        else:
            yield Flag("value", self.no_value)
        if self.counts:
            yield Flag("zero", f"CASE WHEN {self.zero} THEN {numbers.underflow(_TEXT)} ELSE false END")
        if self.has_parents and not self.is_needed:
            guard = f'"$object" AND {self.leaf} IS NULL AND {self._maybe_there}'
            yield Flag("parent", f"CASE WHEN {guard} THEN coalesce({self.no_parent}, false) ELSE false END")

    @property
    def no_value(self) -> str:
        """True if something is there, but no exact value of the type."""
        return f"({self.leaf} IS NOT NULL AND {self.typed} IS NULL)"

    @property
    def is_needed(self) -> bool:
        """Whether a record without the value is refused."""
        return self.column.required and self.column.default is None

    @property
    def has_parents(self) -> bool:
        """Whether the value stands inside of another object."""
        return len(self.place.path) > 1

    @property
    def counts(self) -> bool:
        """Whether a number that underflows to zero would be a wrong value."""
        return self.type.is_integer or self.type.kind == "DECIMAL" or sql.is_epoch(self.type, self.way)

    @property
    def zero(self) -> str:
        """True for a real zero, which may be an underflow."""
        return f"CAST({self.leaf} AS VARCHAR) IN ('0.0', '-0.0')"

    @property
    def no_text(self) -> str:
        """True if JSON's type shows that the leaf is no text (with `coerce`: nor a number)."""
        kind = f'"$types"[{self.type_position}]'
        if not self.way.coerce:
            return f"{kind} NOT IN ('VARCHAR', 'NULL') OR contains({self.leaf}, chr(0))"
        nul = f"contains({self.leaf}, chr(0)) AND NOT {numbers.is_marked(self.leaf)}"
        other = f"WHEN 'NULL' THEN false ELSE NOT {numbers.is_number(self.leaf)}"
        return f"CASE {kind} WHEN 'VARCHAR' THEN {nul} {other} END"

    @property
    def _maybe_there(self) -> str:
        """False if the field's name surely is not in the text (it may be written with escapes)."""
        name = self.place.path[0]
        return f"({self.leaf} IS NOT NULL OR contains({_TEXT}, {text_(name)}) OR contains({_TEXT}, '\\'))"

    @property
    def no_parent(self) -> str:
        """True if something on the way to the value is there, but is no object."""
        parents = (
            "$." + ".".join(map(sql.path_step, self.place.path[:n])) for n in range(1, len(self.place.path))
        )
        return " OR ".join(f"json_type({_TEXT}, {text_(path)}) NOT IN ('OBJECT', 'NULL')" for path in parents)

    @property
    def not_one_of(self) -> str:
        """True if the value is none of the allowed ones."""
        return f"CAST({self.typed} AS VARCHAR) NOT IN ({', '.join(map(text_, self.column.one_of or ()))})"


def number_texts(plans: Iterable[Plan]) -> list[Plan]:
    """The columns whose JSON type may have to be asked, each given its place in the list of types."""
    texts = [plan for plan in plans if plan.is_text]
    for position, plan in enumerate(texts, 1):
        plan.type_position = position
    return texts
