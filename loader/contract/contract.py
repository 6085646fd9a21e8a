"""The contract of the target table: columns and rules, turned into SQL expressions. Pure.

What a record must be so that it is loaded stands here; how one column is parsed in parsing.py; how one
value of one type is read exactly in expressions.py; the statement that puts them to work is
`sql/load/parse.sql`. A record is loaded whole and exact, or refused with every rule that it breaks.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from loader.contract import expressions as sql
from loader.contract import quick
from loader.contract.column import Column, Source
from loader.contract.parsing import Plan, Trees, deep, record_rules
from loader.errors import ConfigError
from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_
from loader.types import parse_type

__all__ = ["Column", "Contract", "Source"]

RESERVED = frozenset({"_partition", "_offset", "_kafka_time", "_batch", "_reasons", "_skip"})
"""Names of the loader's own columns beside the contract's."""

SHOWN = 100
"""Longest offending value that a reason repeats, in characters."""


@dataclass(frozen=True)
class Contract:
    """What a record must be. Raises ConfigError when the columns cannot stand together."""

    columns: tuple[Column, ...]
    id: tuple[str, ...]
    event_time: str | None = None
    tombstones: Literal["quarantine", "skip"] = "quarantine"
    message_bytes: int = 16 * 2**20

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
            )
            for name, given in table.columns.items()
        )  # fmt: skip
        return cls(columns, tuple(table.id), table.event_time, table.tombstones, int(message_bytes))

    def ddl(self) -> list[tuple[str, str]]:
        """Quoted name and SQL type of each column of the target table, in order."""
        return [(name_(column.name), column.type.sql()) for column in self.columns]

    @property
    def content_columns(self) -> tuple[str, ...]:
        """The columns that come from the value: what twin and conflict compare."""
        return tuple(column.name for column in self.columns if column.place.kind == "json")

    @property
    def is_nested(self) -> bool:
        """Whether a column is a list, struct or map: DuckLake keeps inlined ones as text and spoils them."""
        return any(column.type.is_nested for column in self.columns)

    def digest(self) -> str:
        """The same for contracts that read every record alike, in every process; 16 hexadecimal digits."""
        facts = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    def quick_parameters(
        self, chunk: str, staging: str, *, trusting: bool = True
    ) -> dict[str, object] | None:
        """What the template `load/parse_quick` needs; None for a contract without a quick look."""
        if self._quick is None:
            return None
        return {"chunk": chunk, "staging": staging, "trusting": trusting, **self._quick}

    def parse_parameters(self, chunk: str, staging: str, *, more: bool = False) -> dict[str, object]:
        """What the template `load/parse` needs to stage a chunk, or what `more` the quick look left.

        The names are SQL, quoted if need be.
        """
        return {"chunk": chunk, "staging": staging, "explain": False, "more": more, **self._parameters}

    def explain_parameters(self, chunk: str, staging: str) -> dict[str, object]:
        """The same template, to give the refused records of a staged chunk their reasons.

        Apart, because it takes 10 times as long to plan and is needed only if something was refused.
        """
        return {**self.parse_parameters(chunk, staging), "explain": True, **self._explanations}

    @cached_property
    def _plans(self) -> tuple[list[Plan], Trees]:
        trees = Trees()
        return [Plan(index, column, trees) for index, column in enumerate(self.columns)], trees

    @cached_property
    def _quick(self) -> dict[str, object] | None:
        return quick.parameters(*self._plans, self.message_bytes)

    @cached_property
    def _parameters(self) -> dict[str, object]:
        plans, trees = self._plans
        texts = [plan for plan in plans if plan.is_text]
        for position, plan in enumerate(texts, 1):
            plan.type_position = position
        odd = " OR ".join(
            ['coalesce("$nul", false)', *(f"coalesce({sql.odd_text(plan.leaf)}, false)" for plan in texts)]
        )
        return {
            "structures": [json.dumps(tree) for tree in trees.trees],
            "columns": plans,
            "odd": f'"$object" AND ({odd})' if texts else "false",
            "text_paths": f"[{', '.join(text_(plan.path) for plan in texts) or text_('$')}]",
            "broken": " OR ".join(["false", *(flag for plan in plans for flag in plan.flags())]),
            "skip": "true" if self.tombstones == "skip" else "false",
            "message_bytes": self.message_bytes,
            "deep": deep(),
        }

    @cached_property
    def _explanations(self) -> dict[str, object]:
        plans: list[Plan] = self._parameters["columns"]  # type: ignore[assignment]
        reasons = [reason for plan in plans for reason in plan.reasons()]
        said = {
            f"{n} {rule}": words for n, reason in enumerate(reasons) for rule, words in reason.said.items()
        }
        record, sentences = record_rules(self.message_bytes)
        return {
            "wrongs": [wrong for plan in plans for wrong in plan.wrongs()],
            "reasons": reasons,
            "phrases": said,
            "record_rule": record,
            "record_sentence": sentences,
            "shown": SHOWN,
        }


def _check_column(column: Column) -> None:
    address = f"table.columns.{column.name}"
    if column.name.casefold() in RESERVED or column.name.startswith("$"):
        raise ConfigError(
            f"{column.name} is a name of the loader's own", address=address, hint="another name, and from"
        )
    kind = column.place.kind
    if kind == "time" and column.type.kind not in {"TIMESTAMP", "TIMESTAMPTZ"}:
        raise ConfigError("kafka.timestamp is a TIMESTAMPTZ", address=address, hint='type = "TIMESTAMPTZ"')
    if kind in {"key", "header"} and (column.type.is_nested or column.type.kind == "JSON"):
        raise ConfigError(f"a {kind} is a text, no {column.type}", address=address, hint='type = "VARCHAR"')
