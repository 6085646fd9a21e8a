"""Fill the table of a warehouse with rows of other orders, quickly; a child of the benchmark.

    python -m tests.benchmarks.fill --ids 10000000 --set warehouse.path=... --set warehouse.data=...

The rows have the shape that the loader writes: in a lake, files of our own that are registered, as after
`loader maintain` has merged them; in a DuckDB file, transactions of a million rows. Each of them is a batch
with its row in the ledger, and takes the head. Their offsets lie behind the end of any topic, and no span
tells of them, so `loader verify` would complain.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import duckdb

from loader.config import Config, load_config
from loader.statements import statement
from loader.warehouse.attach import connect
from loader.warehouse.transaction import transaction
from tests.benchmarks.loads import CONTRACT

ROWS_OF_A_BATCH = 1_000_000
MEMORY = 2 << 30  # bytes, for DuckDB
FIRST_ID = 5_000_000_000  # of the orders: far from those of the topic
BEYOND = 10**12  # the first offset

STRIDE = 7_919  # a prime: the ids come in no order, as from many partitions

ROWS = f"""
SELECT printf('ORD%010d', {FIRST_ID} + i * {STRIDE} % {{ids}}) AS order_id,
    TIMESTAMPTZ '2025-01-01 00:00:00Z' + to_microseconds(i * 250000 + i * 7907 % 99991) AS "timestamp",
    (10000 + hash(i) % 100000)::BIGINT AS user_id,
    CASE WHEN i % 25 = 0 THEN 'refund' ELSE 'purchase' END AS action,
    ((hash(i + 1) % 50000) / 100)::DECIMAL(18,2) AS amount,
    ['EUR', 'USD', 'GBP', 'CHF'][1 + i % 4] AS currency,
    [struct_pack(sku := printf('SKU-%05d', hash(i + 2) % 2000), quantity := (1 + i % 5)::INTEGER,
        price := ((hash(i + 3) % 20000) / 100)::DECIMAL(18,2))] AS items,
    (i % 4)::INTEGER AS _partition, {BEYOND} + i // 4 AS _offset,
    TIMESTAMPTZ '2025-01-02 00:00:00Z' + to_microseconds(i * 250000) AS _kafka_time, {{batch}} AS _batch
FROM range({{begin}}, {{end}}) AS made(i)
"""
LEDGER = """
INSERT INTO lake.loader.batches
SELECT * REPLACE ({batch} AS batch, {seq} AS seq, {count} AS consumed, {count} AS loaded,
    0 AS duplicates, 0 AS quarantined, 0 AS skipped, 0 AS holes,
    NULL AS file, 'filled by the benchmark' AS note, 0 AS looked_at, NULL AS unknown_fields)
FROM lake.loader.batches WHERE kind = 'load' ORDER BY seq LIMIT 1
"""


def fill(config: Config, ids: int) -> None:
    """Add so many rows. The warehouse must have a batch already."""
    with connect(config.warehouse, memory=MEMORY) as home:
        for number, begin in enumerate(range(0, ids, ROWS_OF_A_BATCH), start=1):
            end = min(begin + ROWS_OF_A_BATCH, ids)
            rows = ROWS.format(begin=begin, end=end, batch=number, ids=ids)
            _add(home, config, rows, number, end - begin)


def _add(home: duckdb.DuckDBPyConnection, config: Config, rows: str, number: int, count: int) -> None:
    names = {"schema": "main", "table": config.table.name}
    file = None
    if config.warehouse.kind == "ducklake":
        file = _written(home, Path(config.warehouse.data_path) / f"filled-{number}.parquet", rows)
    with transaction(home):
        (seen,) = home.execute(statement("load/head")).fetchone() or (0,)
        home.execute(statement("load/take_head"), [seen])
        if file:
            home.execute(statement("load/register_file", file=str(file), parted=False, **names))
        else:
            home.execute(statement("load/insert_rows", rows=rows, **names))
        home.execute(LEDGER.format(batch=number, seq=seen + 1, count=count))


def _written(home: duckdb.DuckDBPyConnection, file: Path, rows: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    home.execute(statement("load/write_parquet", rows=rows, file=str(file)))
    return file


def main() -> None:
    """Fill the warehouse that the settings name."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fill")
    parser.add_argument("--ids", type=int, required=True)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    fill(load_config(CONTRACT, given.set), given.ids)
    print(json.dumps({"ids": given.ids}))


if __name__ == "__main__":
    main()
