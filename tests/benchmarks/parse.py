"""CPU per record of the parse statement on orders of 234 bytes; run it as a script.

    python tests/benchmarks/parse.py [RECORDS]

One DuckDB thread; the smallest of five runs; planning is part of it and shown apart.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import duckdb
import pyarrow as pa

from loader.contract import Column, Contract
from loader.contract.digits import candidates
from loader.statements import statement
from loader.types import parse_type

BYTES = 234
CHUNK = 2000
ITEMS = "STRUCT(sku VARCHAR, quantity INTEGER, price DECIMAL(18,2))[]"


def contract(*, items: bool) -> Contract:
    """The contract of config/orders.toml, with or without its nested column."""
    columns = [
        Column("order_id", parse_type("VARCHAR"), check="length(order_id) <= 64"),
        Column("timestamp", parse_type("TIMESTAMPTZ"), zone="UTC"),
        Column("user_id", parse_type("BIGINT"), required=False),
        Column("action", parse_type("VARCHAR"), required=False, one_of=("purchase", "refund")),
        Column("amount", parse_type("DECIMAL(18,2)"), check="amount >= 0"),
        Column("currency", parse_type("VARCHAR"), required=False),
        Column("items", parse_type(ITEMS), required=False),
    ]
    return Contract(tuple(columns if items else columns[:-1]), ("order_id",), "timestamp")


def orders(count: int, poison: float = 0.0) -> list[str]:
    """Orders with one or two items, filled up to BYTES; `poison` of them with a wrong amount."""
    chance = random.Random(1)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    return [_order(i, begin, chance, poison) for i in range(count)]


def _order(number: int, begin: datetime, chance: random.Random, poison: float) -> str:
    items = [
        {
            "sku": f"SKU-{chance.randrange(10_000):04d}",
            "quantity": chance.randrange(1, 9),
            "price": chance.randrange(20_000) / 100,
        }
        for _ in range(chance.randrange(1, 3))
    ]
    amount = round(sum(item["quantity"] * item["price"] for item in items), 2)  # type: ignore[operator]
    order = {
        "order_id": f"ORD{number:09d}",
        "timestamp": (begin + timedelta(milliseconds=37 * number))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "user_id": chance.randrange(100_000),
        "action": "purchase" if chance.random() < 0.95 else "refund",
        "amount": "none" if chance.random() < poison else amount,
        "currency": chance.choice(["EUR", "USD", "GBP"]),
        "items": items,
    }
    text = json.dumps(order, separators=(",", ":"))
    room = BYTES - len(text) - len(',"note":""')
    return text[:-1] + f',"note":"{"x" * room}"}}' if room >= 0 else text


def table(texts: list[str]) -> pa.Table:
    """The records as the reader hands them over, in chunks."""
    headers = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
    return pa.Table.from_batches(
        [
            pa.record_batch(
                {
                    "partition": pa.array([0] * len(part), pa.int32()),
                    "offset": pa.array(range(at, at + len(part)), pa.int64()),
                    "kafka_time": pa.array([1_772_600_000_000 + at] * len(part), pa.timestamp("ms")),
                    "key": pa.nulls(len(part), pa.binary()),
                    "value": pa.array([t.encode() for t in part], pa.binary()),
                    "text": pa.array(part, pa.string()),
                    "headers": pa.nulls(len(part), headers),
                }
            )
            for at in range(0, len(texts), CHUNK)
            for part in [texts[at : at + CHUNK]]
        ]
    )


def cpu(work: Callable[[], object], times: int = 5) -> float:
    """The smallest CPU time of some runs, in seconds."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def measure(count: int, *, items: bool, poison: float) -> str:
    """One line: microseconds per record for candidates, parse and reasons; planning in milliseconds."""
    chunk = table(orders(count, poison))
    home = duckdb.connect(config={"threads": 1})
    home.register("chunk", chunk)
    home.register("nothing", chunk.slice(0, 0))
    made = contract(items=items)
    parse = statement("load/parse", **made.parse_parameters("chunk", "memory.main.staging"))
    plan = statement("load/parse", **made.parse_parameters("nothing", "memory.main.staging"))
    look = cpu(lambda: [candidates(part) for part in chunk["text"].chunks])
    planning, parsing = cpu(lambda: home.execute(plan)), cpu(lambda: home.execute(parse))
    reasons = cpu(lambda: explain(home, made), 1) if poison else 0.0
    each = " ".join(f"{1e6 * took / count:9.3f}" for took in (look, parsing, reasons))
    return f"{'with' if items else 'without'} items, {poison:5.1%} poison: {each} {1e3 * planning:9.1f}"


def explain(home: duckdb.DuckDBPyConnection, made: Contract) -> None:
    """Give the refused records of the staging table their reasons."""
    marks = [
        mark for mark, _ in home.execute(statement("load/marks", staging="memory.main.staging")).fetchall()
    ]
    home.execute(statement("load/explain", **made.explain_parameters("chunk", "memory.main.staging", marks)))


def main() -> None:
    """Print the lines."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 125_000
    print("µs per record of CPU:                candidates   parse   reasons   planning (ms)")
    for items in (False, True):
        for poison in (0.0, 0.1):
            print(measure(count, items=items, poison=poison))


if __name__ == "__main__":
    main()
