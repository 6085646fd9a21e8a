"""How a column is parsed, checked and, if refused, explained: expressions for `sql/load/parse.sql`. Pure.

The hot path is cheap on purpose: a plain cast and one condition per rule. What is dear (JSON's types, the
digits of a number, the inside of a nested value) is reached by odd records only; the reasons by refused ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from loader.contract import expressions as sql
from loader.contract.column import Column
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_
from loader.types import SqlType

MAX_DEPTH = 64
"""Records with over 1,000 brackets that nest deeper are refused (Jackson's limit is 1,000 levels)."""


class Trees:
    """The structures for `json_transform`: as few as hold all places (one, unless places overlap)."""

    def __init__(self) -> None:
        self.trees: list[dict[str, Any]] = [{}]

    def add(self, path: tuple[str, ...], leaf: object) -> str:
        """The expression that takes the leaf at `path` out of the parsed JSON."""
        index = next((i for i, tree in enumerate(self.trees) if self._put(tree, path, leaf)), None)
        if index is None:
            self.trees.append({})
            index = len(self.trees) - 1
            self._put(self.trees[index], path, leaf)
        found = name_(f"$json{index}")
        for step in path:
            found = f"struct_extract({found}, {text_(step)})"
        return found

    def _put(self, tree: dict[str, Any], path: tuple[str, ...], leaf: object) -> bool:
        *parents, last = path
        for step in parents:
            if _differs_in_case(tree, step):
                return False
            tree = tree.setdefault(step, _Inner())
            if not isinstance(tree, _Inner):
                return False
        if _differs_in_case(tree, last):
            return False
        present = tree.setdefault(last, leaf)
        return present == leaf and not isinstance(present, _Inner)


def _differs_in_case(tree: dict[str, Any], step: str) -> bool:
    """DuckDB's structs do not tell upper from lower case, JSON does."""
    return any(key.casefold() == step.casefold() and key != step for key in tree)


class _Inner(dict[str, Any]):
    """An object on the way to leaves (a STRUCT column's structure is a plain dict)."""


class Plan:
    """The expressions of one column, stage by stage of `sql/load/parse.sql`."""

    def __init__(self, index: int, column: Column, trees: Trees) -> None:
        self.column = column
        self.place = column.place
        self.type = column.type
        self.name = name_(column.name)
        self.leaf = name_(f"${index}")
        self.casted = name_(f"$cast{index}")
        self.typed = name_(f"$value{index}")
        self.checked = name_(f"$check{index}")
        self.is_sure = name_(f"$sure{index}")
        self.type_position = 0
        self.source = self._source(trees)

    @property
    def path(self) -> str:
        """The JSON path of the column's value."""
        return "$." + ".".join(sql.path_step(step) for step in self.place.path)

    @property
    def is_text(self) -> bool:
        """Whether JSON's type must be asked to tell a text from a number."""
        return self.type.kind == "VARCHAR" and self.place.kind == "json"

    def _source(self, trees: Trees) -> str:
        if self.place.kind == "json":
            return trees.add(self.place.path, sql.structure(self.type))
        if self.place.kind == "time":
            return '"$time"'
        return f"TRY(decode({self._bytes}))"

    @property
    def _bytes(self) -> str:
        """Key, or the last header of the name (Kafka's own rule, `Headers.lastHeader`)."""
        if self.place.kind == "key":
            return '"$key"'
        return f"""list_filter("$headers", lambda h: h.key = {text_(self.place.path[0])})[-1].value"""

    @property
    def _given(self) -> str:
        """The leaf, or the default in its place."""
        if self.column.default is None:
            return self.leaf
        default = self.column.default
        if self.type.kind in sql.TEXT_LEAVES:
            return f"coalesce({self.leaf}, {text_(str(default))})"
        written = text_(json.dumps(default, default=str))
        if self.type.is_nested and self.type.kind != "MAP":
            return (
                f"coalesce({self.leaf}, from_json({written}, {text_(json.dumps(sql.structure(self.type)))}))"
            )
        return f"coalesce({self.leaf}, CAST({written} AS JSON))"

    @property
    def cast(self) -> str:
        """Stage 2: the plain cast; for a flat list its quick way; for other nested values nothing."""
        if self.place.kind == "time":
            return self.leaf if self.type.kind == "TIMESTAMPTZ" else f"make_timestamp(epoch_us({self.leaf}))"
        if sql.is_flat(self.type):
            return sql.quick_list(self.type, self._given)
        return "NULL" if self.type.is_nested else sql.cast(self.type, self._given)

    @property
    def sure(self) -> str:
        """Stage 3, nested values: whether the quick way has settled the record."""
        if not sql.is_flat(self.type):
            return "false" if self.type.is_nested else ""
        return f'coalesce(list_count({self.casted}) = len({self._given}) AND NOT "$nul", false)'

    @property
    def value(self) -> str:
        """Stage 4: the exact value or NULL."""
        if self.place.kind == "time":
            return self.casted
        if self.type.is_nested:
            slow = sql.exact(self.type, self._given, self.column.local_zone)
            return (
                f"CASE WHEN {self.is_sure} THEN {self.casted} ELSE {slow} END"
                if self.sure != "false"
                else slow
            )
        return sql.choose(self.type, self._given, self.casted, self.column.local_zone)

    @property
    def check(self) -> str:
        """Stage 5: NULL if the check fails with an error; true if it holds or is unknown, as in SQL."""
        return f"TRY(coalesce(CAST(({self.column.check}) AS BOOLEAN), true))" if self.column.check else ""

    # ------------------------------------------------------------ rules

    def flags(self) -> Iterator[str]:
        """Conditions of which any makes the record refused; cheap where the record is good."""
        if self._is_needed:
            yield f"{self.leaf} IS NULL"
        if self.column.default is not None:
            yield f"{self.typed} IS NULL"
        if self.place.kind == "json":
            yield from self._value_flags()
        elif self.place.kind != "time":
            yield f"({self._bytes} IS NOT NULL AND ({self.typed} IS NULL OR contains({self.leaf}, chr(0))))"
        if self.column.one_of:
            yield f"coalesce({self._not_one_of}, false)"
        if self.column.check:
            yield f"{self.checked} IS NOT TRUE"

    def _value_flags(self) -> Iterator[str]:
        if self.is_text:
            yield f'CASE WHEN "$types" IS NOT NULL THEN coalesce({self._no_text}, false) ELSE false END'
        elif self.type.is_nested:
            inside = " OR ".join(f"len({wrong}) > 0" for _, wrong in self.wrongs())
            asked = f'WHEN "$object" AND {self._maybe_there} THEN coalesce({inside}, false)'
            settled = f"{self.is_sure} AND {self.leaf} IS NOT NULL"  # a default says nothing about the record
            yield f"CASE WHEN {settled} THEN false {asked} ELSE false END"
        else:
            yield f"({self.leaf} IS NOT NULL AND {self.typed} IS NULL)"
        if self._counts:
            yield f"CASE WHEN {self._zero} THEN {sql.underflow(_TEXT)} ELSE false END"
        if self._has_parents and not self._is_needed:
            guard = f'"$object" AND {self.leaf} IS NULL AND {self._maybe_there}'
            yield f"CASE WHEN {guard} THEN coalesce({self._no_parent}, false) ELSE false END"

    @property
    def _counts(self) -> bool:
        return self.type.is_integer or self.type.kind == "DECIMAL"

    @property
    def _zero(self) -> str:
        return f"CAST({self.leaf} AS VARCHAR) IN ('0.0', '-0.0')"

    @property
    def _no_text(self) -> str:
        kind = f'"$types"[{self.type_position}]'
        return f"{kind} NOT IN ('VARCHAR', 'NULL') OR contains({self.leaf}, chr(0))"

    @property
    def _maybe_there(self) -> str:
        """False if the field's name surely is not in the text (it may be written with escapes)."""
        name = self.place.path[0]
        return f"({self.leaf} IS NOT NULL OR contains({_TEXT}, {text_(name)}) OR contains({_TEXT}, '\\'))"

    @property
    def _no_parent(self) -> str:
        """True if something on the way to the value is there, but is no object."""
        parents = (
            "$." + ".".join(map(sql.path_step, self.place.path[:n])) for n in range(1, len(self.place.path))
        )
        return " OR ".join(f"json_type({_TEXT}, {text_(path)}) NOT IN ('OBJECT', 'NULL')" for path in parents)

    @property
    def _not_one_of(self) -> str:
        return f"CAST({self.typed} AS VARCHAR) NOT IN ({', '.join(map(text_, self.column.one_of or ()))})"

    # ------------------------------------------------------------ reasons

    def reasons(self) -> Iterator[Reason]:
        """Why the column is refused, rule by rule; evaluated for refused records only."""
        if self._is_needed:
            yield self._reason(self._missing, "'missing'", "NULL", {"missing": "missing"})
        if self.column.default is not None:
            said = {"default": f"the default {self.column.default} is no exact {self.type}"}
            yield self._reason(f"{self.leaf} IS NULL AND {self.typed} IS NULL", "'default'", "NULL", said)
        if self.place.kind == "json":
            yield from self._json_reasons()
        elif self.place.kind != "time":
            yield from self._text_reasons()
        if self.column.one_of:
            others = {"one_of": f"is not one of {', '.join(self.column.one_of)}"}
            yield self._reason(self._not_one_of, "'one_of'", self._shown, others)
        if self.column.check:
            broken = {"check": f"breaks the check {self.column.check}"}
            yield self._reason(f"{self.checked} IS NOT TRUE", "'check'", self._shown, broken)

    @property
    def _is_needed(self) -> bool:
        return self.column.required and self.column.default is None

    @property
    def _missing(self) -> str:
        """Nothing there, or JSON null; a value of a wrong type is not missing."""
        if self.place.kind in {"key", "header"}:
            return f"{self._bytes} IS NULL"
        if self.place.kind == "time":
            return f"{self.leaf} IS NULL"
        nothing = f"{self.leaf} IS NULL AND coalesce(json_type({_TEXT}, {text_(self.path)}), 'NULL') = 'NULL'"
        return f"{nothing} AND NOT coalesce({self._no_parent}, false)" if self._has_parents else nothing

    @property
    def _has_parents(self) -> bool:
        return len(self.place.path) > 1

    def _json_reasons(self) -> Iterator[Reason]:
        zone = self.column.local_zone
        said = sql.phrases(self.type, zone)
        if self._has_parents:
            inside = {"type": "stands in something that is not an object"}
            yield self._reason(self._no_parent, "'type'", "NULL", inside)
        if self.type.is_nested:
            yield from (self._reason(*reason) for reason in self._inside())
        elif self.is_text:
            nul = f"\"$types\"[{self.type_position}] = 'VARCHAR' AND NOT {sql.is_marked(self.leaf)}"
            rule = f"CASE WHEN {nul} THEN 'nul' ELSE 'type' END"
            yield self._reason(f'"$types" IS NOT NULL AND ({self._no_text})', rule, self._shown, said)
        else:
            broken = sql.broken_rule(self.type, self.leaf)
            yield self._reason(f"{self.leaf} IS NOT NULL AND {self.typed} IS NULL", broken, self._shown, said)
        if self._counts:
            tiny = {"inexact": "may be a number too small to be read"}
            yield self._reason(f"{self._zero} AND {sql.underflow(_TEXT)}", "'inexact'", self._shown, tiny)

    def _text_reasons(self) -> Iterator[Reason]:
        said = sql.phrases(self.type, self.column.local_zone)
        rule = sql.broken_rule(self.type, self.leaf)
        yield self._reason(f"{self._bytes} IS NOT NULL AND {self.leaf} IS NULL", "'utf8'", "NULL", said)
        yield self._reason(f"contains({self.leaf}, chr(0))", "'nul'", self._shown, said)
        if self.type.kind != "VARCHAR":
            yield self._reason(f"{self.leaf} IS NOT NULL AND {self.typed} IS NULL", rule, self._shown, said)

    @property
    def _shown(self) -> str:
        """The offending value as a person would write it."""
        if self.place.kind == "time":
            return f"CAST({self.leaf} AS VARCHAR)"
        if self.type.is_nested:
            return f"CAST(to_json({self.leaf}) AS VARCHAR)"
        return (
            self.leaf if self.type.kind in sql.TEXT_LEAVES else sql.unmarked(f"CAST({self.leaf} AS VARCHAR)")
        )

    def _reason(self, condition: str, rule: str, value: str, said: dict[str, str], where: str = "") -> Reason:
        return Reason(self.column.name, where or self.column.name, condition, rule, value, said)

    # ------------------------------------------------------------ inside of nested values

    def wrongs(self) -> Iterator[tuple[str, str]]:
        """Name and expression of the list of wrong values at each place inside a nested column."""
        if self.type.is_nested:
            for index, node in enumerate(sql.nodes(self.type)):
                yield self._wrong_name(index), self._wrong(node)

    def _wrong_name(self, index: int) -> str:
        return name_(f"{self.leaf[1:-1]}wrong{index}")

    def _wrong(self, node: sql.Node) -> str:
        """What must not stand at a place inside: JSON types of lists and objects, JSON texts of leaves."""
        path = text_(self.path + node.path)
        kind = node.type.kind
        if kind == "MAP":
            twice = "len(k) <> len(list_distinct(k)) OR contains(array_to_string(k, ''), chr(0))"
            keys = f"list_filter({_all('json_keys', path, node)}, lambda k: {twice})"
            keys = f"list_transform({keys}, lambda k: 'object')"
            return f"list_concat({self._not_a('OBJECT', path, node)}, {keys})"
        if node.type.is_nested:
            return self._not_a("ARRAY" if kind == "LIST" else "OBJECT", path, node)
        bad = self._wrong_leaf(node.type)
        texts = f"list_transform({_all('json_extract', path, node)}, lambda j: CAST(j AS VARCHAR))"
        return f"list_filter({texts}, lambda j: j <> 'null' AND ({bad}))"

    def _not_a(self, kind: str, path: str, node: sql.Node) -> str:
        return f"list_filter({_all('json_type', path, node)}, lambda t: t NOT IN ('{kind}', 'NULL'))"

    def _wrong_leaf(self, type_: SqlType) -> str:
        """True for JSON text `j` that is no exact value of the type."""
        text = "json_extract_string(CAST(j AS JSON), '$')"
        if type_.kind == "VARCHAR":
            return f"NOT starts_with(j, '\"') OR contains({text}, chr(0))"
        if type_.kind in sql.TEXT_LEAVES:
            return f"NOT starts_with(j, '\"') OR {sql.exact(type_, text, self.column.local_zone, 8)} IS NULL"
        leaf = "CAST(j AS JSON)" if type_.kind == "JSON" else "j"
        bad = f"{sql.exact(type_, leaf, None, 8)} IS NULL"
        if type_.is_integer or type_.kind == "DECIMAL":
            bad += f" OR CASE WHEN j IN ('0.0', '-0.0') THEN {sql.underflow(_TEXT)} ELSE false END"
        return bad

    def _inside(self) -> Iterator[tuple[str, str, str, dict[str, str], str]]:
        zone = self.column.local_zone
        for index, node in enumerate(sql.nodes(self.type)):
            wrong = self._wrong_name(index)
            where = self.column.name + node.path.replace('"', "")
            if node.type.is_nested:
                container = "a list" if node.type.kind == "LIST" else "an object with each key once"
                words = {"type": f"where {container} should stand"}
                yield f"len({wrong}) > 0", "'type'", f"lower({wrong}[1])", words, where
            else:
                rule = _rule_inside(node.type, f"{wrong}[1]")
                shown = sql.unmarked(f"{wrong}[1]")
                yield f"len({wrong}) > 0", rule, shown, sql.phrases(node.type, zone), where


class Reason(NamedTuple):
    """A rule that a place may break: SQL of condition, rule and value; and what each rule says."""

    column: str
    place: str
    condition: str
    rule: str
    value: str
    said: dict[str, str]


_TEXT = '"$text"'


def _all(function: str, path: str, node: sql.Node) -> str:
    """What a JSON function says at a path, as a list: with a wildcard it is one already."""
    call = f"{function}({_TEXT}, {path})"
    return call if node.many else f"[{call}]"


def _rule_inside(type_: SqlType, first: str) -> str:
    if type_.kind == "VARCHAR":
        marked = sql.is_marked(f"json_extract_string(CAST({first} AS JSON), '$')")
        return f"CASE WHEN starts_with({first}, '\"') AND NOT {marked} THEN 'nul' ELSE 'type' END"
    leaf = f"substring({first}, 2, strlen({first}) - 2)" if type_.kind in sql.TEXT_LEAVES else first
    rule = f"coalesce({sql.broken_rule(type_, leaf)}, 'type')"
    return f"CASE WHEN {first} IN ('0.0', '-0.0') THEN 'inexact' ELSE {rule} END"


def record_rules(message_bytes: int) -> tuple[str, str]:
    """SQL of rule and sentence for a value that is no record at all: the first that fits."""
    value, size = '"$value"', 'octet_length("$value")'
    schema = f"CAST('0x' || substring(hex({value}), 3, 8) AS BIGINT)"
    cases = [
        (f"{value} IS NULL", "tombstone", "'the value is null'"),
        (f"{size} > {message_bytes}", "size",
         f"'the message has ' || {size} || ' bytes; the limit is {message_bytes}'"),
        (f"{size} >= 5 AND starts_with(hex({value}[:1]), '00')", "framing",
         f"'the value is framed for a schema registry (schema ' || {schema} || '), not plain JSON'"),
        (f"{size} = 0", "json", "'the value is empty'"),
        (f"{_TEXT} IS NULL", "utf8", "'the value is not valid UTF-8'"),
        (f"NOT json_valid({_TEXT})", "json", "'the value is not valid JSON'"),
        (f"json_type({_TEXT}) = 'OBJECT'", "depth", f"'the value is nested deeper than {MAX_DEPTH} levels'"),
        ("true", "json", f"'the value is JSON, but no object: ' || lower(json_type({_TEXT}))"),
    ]  # fmt: skip
    rule = " ".join(f"WHEN {when} THEN {text_(name)}" for when, name, _ in cases)
    sentence = " ".join(f"WHEN {when} THEN {words}" for when, _, words in cases)
    return f"CASE {rule} END", f"CASE {sentence} END"


def deep() -> str:
    """True if more than 1,000 brackets are open at once, or if over 1,000 nest deeper than MAX_DEPTH.

    Without strings and all else but brackets, each pass takes away eight levels from the inside.
    """
    block = r"[\[{][\]}]"
    for _ in range(7):
        block = rf"[\[{{](?:{block})*[\]}}]"
    opened = f"2 * strlen({_TEXT}) - strlen(replace({_TEXT}, '[', '')) - strlen(replace({_TEXT}, '{{', ''))"
    bare = rf"regexp_replace({_TEXT}, '\"(\\.|[^\"\\])*\"', '', 'g')"
    brackets = rf"regexp_replace({bare}, '[^\[\]{{}}]+', '', 'g')"
    rest = "b"
    for _ in range(MAX_DEPTH // 8):
        rest = f"regexp_replace({rest}, '{block}', '', 'g')"
    run = r"regexp_matches(b, '[\[{]{1000}')"
    deep = f"list_transform([{brackets}], lambda b: CASE WHEN {run} THEN true ELSE strlen({rest}) > 0 END)[1]"
    return f"(CASE WHEN {opened} > 1000 THEN {deep} ELSE false END)"
