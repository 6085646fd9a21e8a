"""The contract of the target table: columns and rules, turned into SQL expressions. Pure.

What a record must be so that it is loaded stands here; how one column is parsed in parsing.py; how one
value of one type is read exactly in expressions.py (numbers.py, times.py); what a refused record is told in
explain.py and reasons.py; the statements that put them to work are `sql/load/parse.sql` and its neighbours.

A record is loaded whole and exact, or refused with every rule that it breaks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from loader.contract import exact, explain, quick, unknown
from loader.contract.column import OUTSIDE, UNKNOWN, Column, Source
from loader.contract.parsing import Plan, TableCheck, Trees, number_texts
from loader.contract.records import record_rule
from loader.errors import ConfigError
from loader.layout import Layout
from loader.statements import quote_identifier as name_
from loader.types import SqlType, parse_type

__all__ = ["Column", "Contract", "Source"]

RESERVED = frozenset({"_partition", "_offset", "_kafka_time", "_batch", "_reasons", "_skip", "_extra"})
"""Names of the loader's own columns beside the contract's."""

EXTRA = Column("_extra", SqlType("JSON"), required=False, source=UNKNOWN)
"""The column of `unknown_fields = "keep"`."""

OUTSIDE_TYPES = {
    "topic": ("VARCHAR",),
    "partition": ("INTEGER", "BIGINT"),
    "offset": ("BIGINT",),
    "time": ("TIMESTAMPTZ", "TIMESTAMP"),
}
"""The types that take what Kafka says about a record."""


@dataclass(frozen=True)
class Contract:
    """What a record must be. Raises ConfigError when the columns cannot stand together."""

    columns: tuple[Column, ...]
    id: tuple[str, ...]
    event_time: str | None = None
    tombstones: Literal["quarantine", "skip"] = "quarantine"
    message_bytes: int = 16 * 2**20
    unknown_fields: Literal["ignore", "keep", "refuse"] = "ignore"
    duplicates: Literal["exact", "off"] = "exact"
    on_conflict: Literal["quarantine", "keep_first"] = "quarantine"
    checks: tuple[tuple[str, str], ...] = ()
    layout: Layout | None = None
    """How the files of the table are parted; no record is read otherwise for it."""
    topic: str = ""
    """What `kafka.topic` gives; empty where no column asks for it."""

    def __post_init__(self) -> None:
        for column in self.columns:
            _check_column(column)

    @classmethod
    def from_config(cls, table: Any, message_bytes: int = 16 * 2**20) -> Contract:
        """Take `[table]` of a configuration and `limits.message_bytes`."""
        columns = tuple(
            Column(
                name=name, type=parse_type(given.type), required=given.required, check=given.check,
                zone=given.zone, one_of=given.one_of, default=given.default, source=given.from_,
                coerce=given.coerce, dst=given.dst, epoch=given.epoch,
            )
            for name, given in table.columns.items()
        )  # fmt: skip
        return cls(
            columns, tuple(table.id), table.event_time, table.tombstones, int(message_bytes),
            unknown_fields=table.unknown_fields, duplicates=table.duplicates, on_conflict=table.on_conflict,
            checks=tuple(table.checks.items()), layout=table.layout,
            topic=table.topic if any(column.place.kind == "topic" for column in columns) else "",
        )  # fmt: skip

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The contract's columns, and `_extra` where unknown fields are kept."""
        return (*self.columns, EXTRA) if self.unknown_fields == "keep" else self.columns

    def ddl(self) -> list[tuple[str, str]]:
        """Quoted name and SQL type of each column of the target table, in order."""
        return [(name_(column.name), column.type.sql()) for column in self.all_columns]

    @property
    def content_columns(self) -> tuple[str, ...]:
        """The columns that come from the value: what twin and conflict compare."""
        return tuple(column.name for column in self.all_columns if column.place.kind in {"json", "extra"})

    @property
    def keeps_texts(self) -> bool:
        """Whether a number may be stored as it was written: then digits.py marks more of them."""
        return any(
            column.type.holds({"JSON"}) or (column.coerce and column.type.holds({"VARCHAR"}))
            for column in self.all_columns
        )

    @property
    def known_fields(self) -> frozenset[str]:
        """The paths of the fields that a column takes."""
        return frozenset(place.prefix + name for place in self.places for name in place.names)

    @property
    def conditions(self) -> list[tuple[str, str, str]]:
        """Address, text and SQL of every check of a column or of the table."""
        plans, _ = self._plans
        columns = [
            (f"table.columns.{plan.column.name}.check", plan.column.check, plan.check)
            for plan in plans
            if plan.column.check
        ]
        tables = ((f"table.checks.{each.name}", each.text, each.check) for each in self._table_checks)
        return [*columns, *tables]

    @cached_property
    def places(self) -> tuple[unknown.Place, ...]:
        """Every object of a record in which a field may be unknown."""
        return tuple(unknown.places(self.columns))

    @property
    def is_nested(self) -> bool:
        """Whether a column is a list, struct or map: DuckLake keeps inlined ones as text and spoils them."""
        return any(column.type.is_nested for column in self.columns)

    def digest(self) -> str:
        """The same for contracts that read every record alike, in every process; 16 hexadecimal digits."""
        given = {name: value for name, value in asdict(self).items() if name != "layout"}
        facts = json.dumps(given, sort_keys=True, default=str)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    def quick_parameters(
        self, chunk: str, staging: str, *, trusting: bool = True
    ) -> dict[str, object] | None:
        """What the template `load/parse_quick` needs; None for a contract without a quick look."""
        if self._quick is None:
            return None
        return {"chunk": chunk, "staging": staging, "trusting": trusting, **self._quick}

    def parse_parameters(
        self, chunk: str, staging: str, *, more: bool = False, doubts: Iterable[str] = (quick.ANYTHING,)
    ) -> dict[str, object]:
        """What the template `load/parse` needs to stage a chunk, or what `more` the quick look left.

        `doubts`: the marks that these records got from the quick look. The names are SQL, quoted if need be.
        """
        numbers = quick.in_doubt(doubts)
        columns = None if numbers is None else {plan.name for plan in self._plans[0] if plan.index in numbers}
        return {
            **exact.parameters(*self._plans, self._checks, columns),
            "chunk": chunk,
            "staging": staging,
            "more": more,
            "flags": [flag for flag in self._flags if flag.is_possible(columns)],
            "unknown": self._unknown,
            "skip": self._skip,
            "message_bytes": self.message_bytes,
        }

    def explain_parameters(self, chunk: str, staging: str, marks: Collection[str]) -> dict[str, object]:
        """What the template `load/explain` needs to give the refused records of a chunk their reasons.

        `marks` are all that stand in `_reasons` of refused records.
        """
        numbers, is_record = exact.raised(marks)
        raised = {(flag.owner, flag.kind): flag.number for flag in self._flags if flag.number in numbers}
        trees, owners = Trees(), {owner for owner, _ in raised}
        columns = [each for each in enumerate(self.all_columns) if name_(each[1].name) in owners]
        plans = [Plan(index, column, trees, self.topic, self._extra) for index, column in columns]
        is_unknown = ("", "unknown") in raised
        return {
            **explain.parameters(plans, trees, self._table_checks, raised),
            "chunk": chunk,
            "staging": staging,
            "record": record_rule(self.message_bytes) if is_record else "",
            "unknown": self._unknown if is_unknown or any(p.place.kind == "extra" for p in plans) else "",
            "unknown_reasons": explain.unknown_reasons() if is_unknown else "",
        }

    @cached_property
    def _plans(self) -> tuple[list[Plan], Trees]:
        trees = Trees()
        columns = enumerate(self.all_columns)
        plans = [Plan(index, each, trees, self.topic, self._extra) for index, each in columns]
        number_texts(plans)
        return plans, trees

    @cached_property
    def _table_checks(self) -> list[TableCheck]:
        plans, _ = self._plans
        return [TableCheck(n, name, check, plans) for n, (name, check) in enumerate(self.checks)]

    @property
    def _checks(self) -> list[Plan | TableCheck]:
        return [*(plan for plan in self._plans[0] if plan.check), *self._table_checks]

    @cached_property
    def _quick(self) -> dict[str, object] | None:
        if self.unknown_fields != "ignore":
            return None
        numbers = [flag.number for flag in self._flags if flag.kind == "check"]
        checks = list(zip(self._checks, numbers, strict=True))
        found = quick.parameters(*self._plans, checks)
        return found and {**found, "message_bytes": self.message_bytes, "skip": self._skip}

    @cached_property
    def _flags(self) -> list[exact.Numbered]:
        refuse = self.unknown_fields == "refuse"
        return exact.flags(self._plans[0], self._table_checks, refuse=refuse)

    @property
    def _unknown(self) -> str:
        return "" if self.unknown_fields == "ignore" else unknown.unknown_fields(self.places, '"$text"')

    @property
    def _extra(self) -> str:
        return unknown.left_over(self.places) if self.unknown_fields == "keep" else ""

    @property
    def _skip(self) -> str:
        return "true" if self.tombstones == "skip" else "false"


def _check_column(column: Column) -> None:
    address = f"table.columns.{column.name}"
    if column.name.casefold() in RESERVED or column.name.startswith("$"):
        raise ConfigError(
            f"{column.name} is a name of the loader's own", address=address, hint="another name, and from"
        )
    kind = column.place.kind
    if kind in OUTSIDE and column.type.kind not in OUTSIDE_TYPES[kind]:
        right = " or ".join(OUTSIDE_TYPES[kind])
        raise ConfigError(
            f"{column.source} is a {right}", address=address, hint=f'type = "{OUTSIDE_TYPES[kind][0]}"'
        )
    if kind in {"key", "header"} and (column.type.is_nested or column.type.kind == "JSON"):
        raise ConfigError(f"a {kind} is a text, no {column.type}", address=address, hint='type = "VARCHAR"')
