"""The inside of nested columns: what must not stand at each place of a STRUCT, LIST or MAP. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from loader.contract import expressions as sql
from loader.contract import numbers
from loader.contract.column import Way
from loader.contract.wording import TWICE, broken_rule, json_word, phrases
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_
from loader.types import SqlType

if TYPE_CHECKING:
    from loader.contract.parsing import Plan

_TEXT = '"$text"'

_CONTAINERS = {"LIST": "a list", "STRUCT": "an object", "MAP": "an object with each key once"}

Found = tuple[str, str, str, dict[str, str], str]
"""Condition, rule, value, what each rule says, and the place of a reason."""


def wrongs(plan: Plan) -> Iterator[tuple[str, str]]:
    """Name and expression of the list of wrong values at each place inside a nested column."""
    if plan.type.is_nested:
        for index, node in enumerate(sql.nodes(plan.type)):
            yield _name(plan, index), _wrong(plan, node)


def reasons_inside(plan: Plan) -> Iterator[Found]:
    """Why a nested column is refused, place by place; the first wrong value of each is shown."""
    for index, node in enumerate(sql.nodes(plan.type)):
        wrong = _name(plan, index)
        where = plan.column.name + node.path.replace('"', "")
        if node.type.is_nested:
            words = {"type": f"where {_CONTAINERS[node.type.kind]} should stand"}
            yield f"len({wrong}) > 0", "'type'", json_word(f"{wrong}[1]"), words, where
        else:
            rule = _rule(node.type, f"{wrong}[1]", plan.way)
            shown = numbers.unmarked(f"{wrong}[1]")
            yield f"len({wrong}) > 0", rule, shown, phrases(node.type, plan.way), where


def _name(plan: Plan, index: int) -> str:
    return name_(f"{plan.leaf[1:-1]}wrong{index}")


def _wrong(plan: Plan, node: sql.Node) -> str:
    """What must not stand at a place inside: JSON types of lists and objects, JSON texts of leaves."""
    path = text_(plan.path + node.path)
    kind = node.type.kind
    if kind == "MAP":
        twice = "len(k) <> len(list_distinct(k)) OR contains(array_to_string(k, ''), chr(0))"
        keys = f"list_filter({_all('json_keys', path, node)}, lambda k: {twice})"
        keys = f"list_transform({keys}, lambda k: '{TWICE}')"
        return f"list_concat({_not_a('OBJECT', path, node)}, {keys})"
    if node.type.is_nested:
        return _not_a("ARRAY" if kind == "LIST" else "OBJECT", path, node)
    texts = f"list_transform({_all('json_extract', path, node)}, lambda j: CAST(j AS VARCHAR))"
    return f"list_filter({texts}, lambda j: j <> 'null' AND ({_wrong_leaf(node.type, plan.way)}))"


def _not_a(kind: str, path: str, node: sql.Node) -> str:
    return f"list_filter({_all('json_type', path, node)}, lambda t: t NOT IN ('{kind}', 'NULL'))"


def _wrong_leaf(type_: SqlType, way: Way) -> str:
    """True for JSON text `j` that is no exact value of the type."""
    text = "json_extract_string(CAST(j AS JSON), '$')"
    if type_.kind == "VARCHAR":
        no_text = f"NOT starts_with(j, '\"') OR contains({text}, chr(0))"
        return f"({numbers.number_as_text('j')}) IS NULL AND ({no_text})" if way.coerce else no_text
    if sql.is_text_leaf(type_, way):
        return f"NOT starts_with(j, '\"') OR {sql.exact(type_, text, way, 8)} IS NULL"
    leaf = "CAST(j AS JSON)" if type_.kind == "JSON" else "j"
    bad = f"{sql.exact(type_, leaf, way, 8)} IS NULL"
    if type_.is_integer or type_.kind == "DECIMAL" or sql.is_epoch(type_, way):
        bad += f" OR CASE WHEN j IN ('0.0', '-0.0') THEN {numbers.underflow(_TEXT)} ELSE false END"
    return bad


def _all(function: str, path: str, node: sql.Node) -> str:
    """What a JSON function says at a path, as a list: with a wildcard it is one already."""
    call = f"{function}({_TEXT}, {path})"
    return call if node.many else f"[{call}]"


def _rule(type_: SqlType, first: str, way: Way) -> str:
    if type_.kind == "VARCHAR":
        marked = numbers.is_marked(f"json_extract_string(CAST({first} AS JSON), '$')")
        return f"CASE WHEN starts_with({first}, '\"') AND NOT {marked} THEN 'nul' ELSE 'type' END"
    text = sql.is_text_leaf(type_, way)
    leaf = f"substring({first}, 2, strlen({first}) - 2)" if text else first
    rule = f"coalesce({broken_rule(type_, leaf, way)}, 'type')"
    return f"CASE WHEN {first} IN ('0.0', '-0.0') THEN 'inexact' ELSE {rule} END"
