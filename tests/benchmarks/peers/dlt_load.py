"""dlt as its documentation shows it: a resource merged by id into DuckDB. Runs in a venv of its own.

python dlt_load.py BOOTSTRAP TOPIC RECORDS FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"  # before dlt is imported

import dlt
from confluent_kafka import Consumer

CHUNK = 5_000  # records
SILENCE = 30.0  # seconds


def orders(bootstrap: str, topic: str, records: int) -> Iterator[list[dict[str, Any]]]:
    """The values, in chunks. Raises TimeoutError."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": f"dlt-{uuid.uuid4().hex}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    source = Consumer(settings)
    source.subscribe([topic])
    left = records
    while left > 0:
        got = source.consume(min(CHUNK, left), SILENCE)
        if not got:
            raise TimeoutError("no more messages")
        yield [json.loads(message.value() or b"") for message in got]
        left -= len(got)
    source.close()


def main() -> None:
    """Load, and say how many rows there are."""
    bootstrap, topic, records, folder = sys.argv[1:]
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.duckdb(f"{folder}/orders.duckdb"),
        dataset_name="bench",
        pipelines_dir=f"{folder}/dlt",
    )
    source = dlt.resource(
        orders(bootstrap, topic, int(records)),
        name="orders",
        primary_key="order_id",
        write_disposition="merge",
    )
    pipeline.run(source, loader_file_format="parquet")
    with pipeline.sql_client() as client:
        [[rows]] = client.execute_sql("SELECT count(*) FROM orders") or [[0]]
    print(json.dumps({"records": rows}))


if __name__ == "__main__":
    main()
