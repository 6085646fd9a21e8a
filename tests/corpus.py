"""The corpus: hand-made records with what becomes of each, in `tests/contract/corpus/*.toml`.

A file has a `[table]` as in a configuration, and records in one of two ways:

* `[fields]`: per column a list of [JSON text of the value, outcome]; each is a record of its own,
  `{"id": its number, "COLUMN": value}`.
* `[[record]]`: `value` (text), `hex` (bytes) or neither (a null value); `key`; `headers`; and what becomes of
  it: `row` (columns and their texts), `refused` (messages) or `ends` (`duplicate`, `duplicate, differs` or
  `skipped`).

Values of rows are written as DuckDB casts them to VARCHAR, with the time zone UTC; NULL as `NULL`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle import Store
from tests.servers.topics import Message

FOLDER = Path(__file__).parent / "contract" / "corpus"
FILES = sorted(file.stem for file in FOLDER.glob("*.toml"))
TIME = 1_772_600_000_123  # Kafka's time of every record, in milliseconds

Outcome = str | tuple[str, ...] | dict[str, str]
"""Where a record ended, or its messages, or the row that it became."""


@dataclass(frozen=True)
class Case:
    """One file of the corpus: its `[table]`, its records in their order, and what becomes of each."""

    table: dict[str, Any]
    messages: list[Message]
    outcomes: list[Outcome]


def read(name: str) -> Case:
    """Read one file; every record goes to partition 0."""
    tree = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    pairs = [*_fields(tree.get("fields", {})), *map(_record, tree.get("record", []))]
    return Case(tree["table"], [message for message, _ in pairs], [outcome for _, outcome in pairs])


def _fields(fields: Mapping[str, list[tuple[str, str]]]) -> list[tuple[Message, Outcome]]:
    given = [(column, *pair) for column, pairs in fields.items() for pair in pairs]
    return [
        (
            _message(f'{{"id": {number}, "{column}": {value}}}'.encode()),
            tuple(text[1:].strip().split("; ")) if text.startswith("!") else {column: text},
        )
        for number, (column, value, text) in enumerate(given)
    ]


def _record(record: Mapping[str, Any]) -> tuple[Message, Outcome]:
    value = record["value"].encode() if "value" in record else None
    value = bytes.fromhex(record["hex"]) if "hex" in record else value
    headers = tuple((name, text.encode()) for name, text in record.get("headers", {}).items())
    key = record["key"].encode() if "key" in record else None
    outcome: Outcome = record.get("row") or record.get("ends") or tuple(record["refused"])
    return _message(value, key, headers), outcome


def _message(
    value: bytes | None, key: bytes | None = None, headers: tuple[tuple[str, bytes | None], ...] = ()
) -> Message:
    return Message(value, key, 0, TIME, headers)


def found(store: Store, case: Case) -> list[Outcome]:
    """What became of each record, by plain DuckDB; of rows the columns that the corpus speaks of."""
    rows = {
        row["_offset"]: row
        for row in store.rows("SELECT COLUMNS(c -> c <> '_offset')::VARCHAR, _offset FROM corpus")
    }
    refused = {row["offset"]: row["reasons"] for row in store.table("loader.quarantine")}
    again = {row["offset"]: row["differs"] for row in store.table("loader.duplicates")}
    return [
        _found(offset, rows, refused, again, case.outcomes[offset]) for offset in range(len(case.outcomes))
    ]


def _found(
    offset: int,
    rows: Mapping[int, Mapping[str, Any]],
    refused: Mapping[int, str],
    again: Mapping[int, bool],
    expected: Outcome,
) -> Outcome:
    if offset in rows:
        wanted = expected if isinstance(expected, dict) else rows[offset]
        return {name: "NULL" if rows[offset][name] is None else rows[offset][name] for name in wanted}
    if offset in refused:
        return tuple(reason["message"] for reason in json.loads(refused[offset]))
    if offset in again:
        return "duplicate, differs" if again[offset] else "duplicate"
    return "skipped"
