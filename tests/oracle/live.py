"""Watches a lake while it is loaded, in a process of its own: `python -m tests.oracle.live WANTED`.

WANTED is a JSON object: catalog, bootstrap, group, topic, pause (seconds between looks). One line of JSON
for each look; it ends when its standard input does. What failed is a line with `error`.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from aiokafka.errors import KafkaError

from tests.oracle.around import Look, Sample
from tests.oracle.group import acknowledged
from tests.oracle.store import Store, lake

NEWEST = 20  # batches that a look compares: all of them would take longer with each look
HEAD = "SELECT seq FROM loader.head"
FIRST = f"SELECT coalesce(min(batch), 0) AS first FROM (FROM loader.batches ORDER BY seq DESC LIMIT {NEWEST})"
ROWS = "SELECT _batch AS batch, count(*)::BIGINT AS n FROM orders WHERE _batch >= {first} GROUP BY ALL"
LEDGER = "SELECT batch, loaded AS n FROM loader.batches WHERE loaded > 0 AND batch >= {first}"
OFFSETS = "SELECT partition, next_offset FROM loader.offsets"
UNMADE = "creating a new DuckLake is explicitly disabled"  # an empty catalogue: its first worker just began


def look(store: Store) -> tuple[Look, dict[int, int]]:
    """One snapshot: the newest batches, and the committed offsets."""
    store.rows("BEGIN TRANSACTION")
    [head], [first] = store.rows(HEAD), store.rows(FIRST)
    rows, ledger = (
        {row["batch"]: row["n"] for row in store.rows(sql.format(**first))} for sql in (ROWS, LEDGER)
    )
    committed = {row["partition"]: row["next_offset"] for row in store.rows(OFFSETS)}
    return Look(head["seq"], rows, ledger), committed


def collected(lines: Iterable[str]) -> tuple[list[Sample], list[Look], list[str]]:
    """What the lines of this program say: samples, looks, errors."""
    samples, looks, errors = list[Sample](), list[Look](), list[str]()
    for line in map(json.loads, lines):
        if "error" in line:
            errors.append(line["error"])
            continue
        looks.append(Look(line["head"], _numbers(line["rows"]), _numbers(line["ledger"])))
        if line["acknowledged"] is not None:
            samples.append(Sample(_numbers(line["acknowledged"]), _numbers(line["committed"])))
    return samples, looks, errors


def _numbers(found: dict[str, int]) -> dict[int, int]:
    return {int(number): value for number, value in found.items()}


def main(wanted: dict[str, Any]) -> None:
    """Look until standard input ends; before there is a table there is nothing to see."""
    while not select.select([sys.stdin], [], [], wanted["pause"])[0]:
        try:
            told: dict[int, int] | None = acknowledged(wanted["bootstrap"], wanted["group"], wanted["topic"])
        except (KafkaError, OSError):  # the broker is away: rows and ledger can still be compared
            told = None
        if Path(wanted["catalog"]).exists():
            _tell(_seen(Path(wanted["catalog"]), told))


def _seen(catalog: Path, told: dict[int, int] | None) -> dict[str, Any]:
    try:
        with lake(catalog) as store:
            if not store.has_table("orders"):
                return {}
            seen, committed = look(store)
    except duckdb.Error as error:
        return {} if UNMADE in str(error) else {"error": str(error)}
    return {**seen._asdict(), "acknowledged": told, "committed": committed}


def _tell(line: dict[str, Any]) -> None:
    if line:
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
