"""The types a column may have: DuckDB's type text, parsed into a tree and written back canonically.

Pure: knows no database. The grammar is a subset of DuckDB's
(https://duckdb.org/docs/stable/sql/data_types/overview); what is left out has no faithful form in
JSON and Parquet at the same time, or is better said with a rule (`one_of` instead of ENUM).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "HUGEINT": (-(2**127), 2**127 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**64 - 1),
}
"""Smallest and largest value of each integer kind."""

TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMPTZ"})
STAMPS = frozenset({"TIMESTAMP", "TIMESTAMPTZ"})
COERCED = frozenset({"VARCHAR", "DECIMAL", "DOUBLE", "FLOAT", *INTEGERS})
"""Kinds that `coerce` says something about."""

PLAIN = frozenset({"VARCHAR", "BOOLEAN", "DOUBLE", "FLOAT", "UUID", "JSON", *TIMES, *INTEGERS})
"""Kinds without anything in parentheses."""

NESTED = frozenset({"STRUCT", "LIST", "MAP"})

ALIASES = {
    "TEXT": "VARCHAR", "STRING": "VARCHAR", "CHAR": "VARCHAR",
    "BOOL": "BOOLEAN", "LOGICAL": "BOOLEAN",
    "INT": "INTEGER", "INT4": "INTEGER", "SIGNED": "INTEGER",
    "LONG": "BIGINT", "INT8": "BIGINT", "SHORT": "SMALLINT", "INT2": "SMALLINT",
    "INT1": "TINYINT", "INT128": "HUGEINT",
    "REAL": "FLOAT", "FLOAT4": "FLOAT", "FLOAT8": "DOUBLE",
    "NUMERIC": "DECIMAL", "DATETIME": "TIMESTAMP",
}  # fmt: skip
"""Other spellings that DuckDB knows; numbers in them are bytes, as there."""

INSTEAD = {
    "ENUM": 'is not a column type; use VARCHAR with one_of = ["…"]',
    "BLOB": "is not supported; JSON holds no bytes: use VARCHAR",
    "TIME": "is not supported; use VARCHAR or TIMESTAMP",
    "INTERVAL": "is not supported; use VARCHAR",
    "UNION": "is not supported; use JSON",
    "UHUGEINT": "is not supported; use DECIMAL(38,0)",
}

MAX_PRECISION = 38
MAX_DEPTH = 32
"""Nesting above this is refused, so that no type can exhaust the stack of a parser."""


class TypeSyntaxError(ValueError):
    """The text is not a type; `position` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.position = position


@dataclass(frozen=True, slots=True)
class SqlType:
    """One node of a type: `fields` belong to STRUCT, `element` to LIST, `key` and `value` to MAP."""

    kind: str
    precision: int = 0
    scale: int = 0
    fields: tuple[tuple[str, SqlType], ...] = ()
    element: SqlType | None = None
    key: SqlType | None = None
    value: SqlType | None = None

    def sql(self) -> str:
        """Canonical DuckDB text; field names are always quoted, so that no keyword can break them."""
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.kind == "STRUCT":
            return f"STRUCT({', '.join(f'{quote(name)} {type_.sql()}' for name, type_ in self.fields)})"
        if self.element is not None:
            return f"{self.element.sql()}[]"
        if self.key is not None and self.value is not None:
            return f"MAP({self.key.sql()}, {self.value.sql()})"
        return self.kind

    def __str__(self) -> str:
        """Give the same as `sql()`."""
        return self.sql()

    @property
    def is_nested(self) -> bool:
        """True for STRUCT, LIST and MAP."""
        return self.kind in NESTED

    @property
    def is_integer(self) -> bool:
        """True for whole numbers of any width (not for DECIMAL(p,0))."""
        return self.kind in INTEGERS

    @property
    def is_time(self) -> bool:
        """True for DATE, TIMESTAMP and TIMESTAMPTZ."""
        return self.kind in TIMES

    def holds(self, kinds: Collection[str]) -> bool:
        """True if the type or a part of it is of one of these kinds."""
        parts = [type_ for _, type_ in self.fields] + [self.element, self.value]
        return self.kind in kinds or any(part.holds(kinds) for part in parts if part is not None)


def quote(name: str) -> str:
    """Write `name` as a SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def parse_type(text: str) -> SqlType:
    """Parse DuckDB's type text, such as `STRUCT(sku VARCHAR, price DECIMAL(18,2))[]`.

    Two texts mean the same type exactly if the results are equal. Raises TypeSyntaxError.
    """
    return _Parser(text).whole()


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:(?P<word>[^\W\d][\w$]*)|(?P<quoted>"(?:[^"]|"")*")|(?P<number>[0-9]+)"""
    r"""|(?P<mark>[()\[\],])|(?P<end>\Z)|(?P<bad>.))""",
    re.DOTALL,
)


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(str(found.lastgroup), found.group(str(found.lastgroup)), found.start(str(found.lastgroup)))
        for found in _TOKEN.finditer(text)
    ]


class _Parser:
    """Recursive descent over the tokens; each method reads one rule and leaves the next token current."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.index = 0

    @property
    def current(self) -> _Token:
        return self.tokens[self.index]

    def whole(self) -> SqlType:
        result = self.type_(1)
        if self.current.kind != "end":
            self.fail(f"{self.seen()} after the end of the type")
        return result

    def type_(self, depth: int) -> SqlType:
        if depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels")
        result = self.unlisted(depth)
        while self.accept("["):
            if self.current.kind == "number":
                self.fail("arrays of a fixed size are not supported; use []")
            self.expect("]")
            depth += 1
            if depth > MAX_DEPTH:
                self.fail(f"nested deeper than {MAX_DEPTH} levels")
            result = SqlType("LIST", element=result)
        return result

    def unlisted(self, depth: int) -> SqlType:
        kind = self.kind()
        if kind == "DECIMAL":
            return self.decimal()
        if kind == "STRUCT":
            return self.struct(depth)
        if kind == "MAP":
            return self.map_(depth)
        if self.current.text == "(":
            rule = '; use check = "length(…) <= n"' if kind == "VARCHAR" else ""
            self.fail(f"{kind} takes nothing in parentheses{rule}")
        return SqlType(kind)

    def kind(self) -> str:
        token = self.current
        if token.kind != "word":
            self.fail(f"{self.seen()} where a type should stand")
        self.index += 1
        name = token.text.upper()
        name = ALIASES.get(name, name)
        if name == "TIMESTAMP":
            return self.timestamp()
        if name == "DOUBLE":
            self.accept_words("PRECISION")
        if name not in PLAIN and name not in {"DECIMAL", "STRUCT", "MAP"}:
            raise TypeSyntaxError(_unknown(token.text), token.position)
        return name

    def timestamp(self) -> str:
        if self.accept_words("WITH", "TIME", "ZONE"):
            return "TIMESTAMPTZ"
        self.accept_words("WITHOUT", "TIME", "ZONE")
        return "TIMESTAMP"

    def decimal(self) -> SqlType:
        """Without parentheses DECIMAL means DECIMAL(18,3), with one number the scale is 0, as in DuckDB."""
        if not self.accept("("):
            return SqlType("DECIMAL", precision=18, scale=3)
        precision = self.number(1, MAX_PRECISION, "the precision of DECIMAL")
        scale = self.number(0, precision, "the scale of DECIMAL") if self.accept(",") else 0
        self.expect(")")
        return SqlType("DECIMAL", precision=precision, scale=scale)

    def number(self, low: int, high: int, what: str) -> int:
        token = self.current
        short = token.kind == "number" and len(token.text) <= len(str(high))
        if not short or not low <= int(token.text) <= high:
            self.fail(f"{what} must be a whole number from {low} to {high}")
        self.index += 1
        return int(token.text)

    def struct(self, depth: int) -> SqlType:
        self.expect("(")
        fields = [self.field(depth)]
        seen = {fields[0][0].casefold()}
        while self.accept(","):
            position = self.current.position
            fields.append(self.field(depth))
            if fields[-1][0].casefold() in seen:
                raise TypeSyntaxError(f"the field {fields[-1][0]} stands twice in one STRUCT", position)
            seen.add(fields[-1][0].casefold())
        self.expect(")")
        return SqlType("STRUCT", fields=tuple(fields))

    def field(self, depth: int) -> tuple[str, SqlType]:
        token = self.current
        if token.kind not in {"word", "quoted"}:
            self.fail(f"{self.seen()} where a field name should stand")
        name = token.text if token.kind == "word" else token.text[1:-1].replace('""', '"')
        if not name or not name.isprintable():
            self.fail("a field name must not be empty or hold control characters")
        self.index += 1
        return name, self.type_(depth + 1)

    def map_(self, depth: int) -> SqlType:
        self.expect("(")
        position = self.current.position
        key = self.type_(depth + 1)
        if key.kind != "VARCHAR":
            raise TypeSyntaxError("the key of a MAP must be VARCHAR, as in JSON", position)
        self.expect(",")
        value = self.type_(depth + 1)
        self.expect(")")
        return SqlType("MAP", key=key, value=value)

    def accept(self, mark: str) -> bool:
        found = self.current.kind == "mark" and self.current.text == mark
        self.index += found
        return found

    def accept_words(self, *words: str) -> bool:
        ahead = self.tokens[self.index : self.index + len(words)]
        found = tuple(token.text.upper() for token in ahead if token.kind == "word") == words
        self.index += len(words) if found else 0
        return found

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            self.fail(f'{self.seen()} where "{mark}" should stand')

    def seen(self) -> str:
        return "the text ends" if self.current.kind == "end" else f'"{self.current.text}"'

    def fail(self, message: str) -> NoReturn:
        raise TypeSyntaxError(message, self.current.position)


def _unknown(name: str) -> str:
    if name.upper() in INSTEAD:
        return f"{name} {INSTEAD[name.upper()]}"
    known = sorted({*PLAIN, *ALIASES, "DECIMAL", "STRUCT", "MAP"})
    near = get_close_matches(name.upper(), known, n=1)
    return f"unknown type {name}" + (f"; did you mean {near[0]}?" if near else "")
