"""The scripts that people write by hand, with offsets committed after the rows.

python -m tests.benchmarks.peers.written parquet|duckdb|rows BOOTSTRAP TOPIC RECORDS FOLDER
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, Message

BATCH = 50_000
CHUNK = 5_000  # messages of one call
SILENCE = 30.0  # seconds without a message before it gives up
TABLE = """
CREATE TABLE orders (order_id VARCHAR{key}, "timestamp" TIMESTAMPTZ, user_id BIGINT, action VARCHAR,
    amount DECIMAL(18,2), currency VARCHAR,
    items STRUCT(sku VARCHAR, quantity INTEGER, price DECIMAL(18,2))[])
"""

Write = Callable[[list[Message]], None]


def consumer(bootstrap: str, topic: str) -> Consumer:
    """A member of a new group, from the topic's begin."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": f"script-{uuid.uuid4().hex}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    made = Consumer(settings)
    made.subscribe([topic])
    return made


def batches(source: Consumer, records: int, size: int) -> Iterator[list[Message]]:
    """Messages in batches until so many have come. Raises TimeoutError, RuntimeError."""
    left = records
    while left > 0:
        batch: list[Message] = []
        while len(batch) < min(size, left):
            got = source.consume(min(CHUNK, size - len(batch)), SILENCE)
            if not got:
                raise TimeoutError("no more messages")
            if error := next((message.error() for message in got if message.error()), None):
                raise RuntimeError(str(error))
            batch += got
        yield batch
        left -= len(batch)


def _values(batch: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(message.value() or b"") for message in batch]


def parquet(folder: Path) -> Write:
    """A file for each batch, types as Arrow guesses them."""

    def write(batch: list[Message]) -> None:
        table = pa.Table.from_pylist(_values(batch))
        pq.write_table(table, folder / f"{uuid.uuid4().hex}.parquet", compression="zstd")

    return write


def primary_key(folder: Path) -> Write:
    """An insert for each batch into a table with a PRIMARY KEY, which drops the ids that are there."""
    home = duckdb.connect(folder / "orders.duckdb")
    home.execute(TABLE.format(key=" PRIMARY KEY"))

    def write(batch: list[Message]) -> None:
        home.register("batch", pa.Table.from_pylist(_values(batch)))
        home.execute("INSERT OR IGNORE INTO orders BY NAME SELECT * FROM batch")

    return write


def rows(folder: Path) -> Write:
    """An insert for each message."""
    home = duckdb.connect(folder / "orders.duckdb")
    home.execute(TABLE.format(key=""))

    def write(batch: list[Message]) -> None:
        for value in _values(batch):
            home.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", list(value.values()))

    return write


KINDS = {"parquet": (parquet, BATCH), "duckdb": (primary_key, BATCH), "rows": (rows, 1)}


def main() -> None:
    """Write the records, commit the offsets after each batch, say how many they were."""
    kind, bootstrap, topic, records, folder = sys.argv[1:]
    make, size = KINDS[kind]
    write, source = make(Path(folder)), consumer(bootstrap, topic)
    seen = 0
    try:
        for batch in batches(source, int(records), size):
            write(batch)
            source.commit(asynchronous=False)
            seen += len(batch)
    finally:
        source.close()
    print(json.dumps({"records": seen}))


if __name__ == "__main__":
    main()
