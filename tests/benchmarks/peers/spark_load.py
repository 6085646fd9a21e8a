"""Spark's Structured Streaming with dropDuplicates and a sink of Parquet files. Runs in a venv of its own.

python spark_load.py fetch
python spark_load.py BOOTSTRAP TOPIC RECORDS FOLDER

`fetch` gets the jars of the Kafka connector, once for the environment. It always reads the whole topic.
Spark needs a whole Java, 17 or 21, on the path: the runtime that the tests bring has too few modules.
"""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import jgo
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql

CONNECTOR = f"org.apache.spark:spark-sql-kafka-0-10_2.13:{version('pyspark')}"
JARS = Path(sys.prefix) / "connector"
SCHEMA = """
    order_id STRING, timestamp TIMESTAMP, user_id BIGINT, action STRING, amount DECIMAL(18,2),
    currency STRING, items ARRAY<STRUCT<sku: STRING, quantity: INT, price: DECIMAL(18,2)>>
"""


def fetch() -> None:
    """Copy the jars that Spark lacks into the environment."""
    JARS.mkdir()
    for artifact in jgo.resolve(CONNECTOR):
        shutil.copy(artifact.resolve(), JARS)


def load(bootstrap: str, topic: str, folder: str) -> int:
    """Load what the topic holds; the number of rows."""
    home = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", ",".join(map(str, JARS.glob("*.jar"))))
        .config("spark.driver.memory", "2g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    kafka = {"kafka.bootstrap.servers": bootstrap, "subscribe": topic, "startingOffsets": "earliest"}
    texts = home.readStream.format("kafka").options(**kafka).load().select(sql.col("value").cast("string"))
    rows = texts.select(sql.from_json("value", SCHEMA).alias("row")).select("row.*")
    target = {"path": f"{folder}/orders", "checkpointLocation": f"{folder}/checkpoint"}
    query = rows.dropDuplicates(["order_id"]).writeStream.format("parquet").options(**target)
    query.trigger(availableNow=True).start().awaitTermination()
    return home.read.parquet(target["path"]).count()


def main() -> None:
    """Fetch, or load and say how many rows there are."""
    if sys.argv[1:] == ["fetch"]:
        fetch()
        return
    bootstrap, topic, _, folder = sys.argv[1:]
    print(json.dumps({"records": load(bootstrap, topic, folder)}))


if __name__ == "__main__":
    main()
