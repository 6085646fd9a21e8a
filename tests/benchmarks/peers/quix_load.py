"""Quix Streams with a sink of batches into DuckDB. Runs in a venv of its own.

python quix_load.py BOOTSTRAP TOPIC RECORDS FOLDER
"""

from __future__ import annotations

import json
import sys
import uuid

import duckdb
import pyarrow as pa
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

BATCH = 50_000  # records between two commits


class Orders(BatchingSink):
    """Inserts each batch into a table whose types the first one gives."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._home = duckdb.connect(file)
        self._made = False

    def write(self, batch: SinkBatch) -> None:
        """Insert the values of a batch."""
        self._home.register("batch", pa.Table.from_pylist([item.value for item in batch]))
        if not self._made:
            self._home.execute("CREATE TABLE IF NOT EXISTS orders AS FROM batch LIMIT 0")
            self._made = True
        self._home.execute("INSERT INTO orders BY NAME FROM batch")

    def rows(self) -> int:
        """How many there are."""
        [[rows]] = self._home.execute("SELECT count(*) FROM orders").fetchall()
        return int(rows)


def main() -> None:
    """Load, and say how many rows there are."""
    bootstrap, topic, records, folder = sys.argv[1:]
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"quix-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        commit_every=BATCH,
        loglevel="ERROR",
        state_dir=f"{folder}/state",
    )
    frame = app.dataframe(app.topic(topic, value_deserializer="json"))
    orders = Orders(f"{folder}/orders.duckdb")
    frame.sink(orders)
    app.run(count=int(records), timeout=30)
    print(json.dumps({"records": orders.rows()}))


if __name__ == "__main__":
    main()
