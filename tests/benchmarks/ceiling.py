"""Ceiling A: how fast this machine consumes a topic into Arrow arrays with the public client API.

Every ratio that `make bench` prints refers to it, measured in the same run by the first of these; the
second compares the loader's source alone with it:

    python -m tests.benchmarks.ceiling BOOTSTRAP TOPIC --records N
    python -m tests.benchmarks.ceiling BOOTSTRAP TOPIC [ROUNDS]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Collection, Mapping

import pyarrow as pa
from confluent_kafka import Consumer, Message, TopicPartition

from loader.kafka.settings import consumer_settings
from loader.kafka.source import KafkaSource
from loader.model import Position

CHUNK = 2_000  # messages per call
SILENCE = 10.0  # seconds without a message before we give up


def ceiling(bootstrap: str, topic: str, records: int) -> float:
    """Records per second, from the first answer on, while `records` of the topic are consumed.

    The last chunk is left out: what is missing to a full one would be waited for in vain, which made
    the ceiling of a topic of 300,000 records 10 to 25 % too low.
    """
    consumer = Consumer(consumer_settings(bootstrap, f"ceiling-{uuid.uuid4().hex}"))
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    try:
        first = _arrays(consumer)
        began = time.perf_counter()
        seen = 0
        while seen < records - first - CHUNK:
            seen += _arrays(consumer)
        return seen / (time.perf_counter() - began)
    finally:
        consumer.close()


def _arrays(consumer: Consumer) -> int:
    """One chunk into arrays; returns its size. Raises TimeoutError."""
    until = time.monotonic() + SILENCE
    while time.monotonic() < until:
        messages = [m for m in consumer.consume(CHUNK, 0.5) if m.error() is None]
        if messages:
            return len(_columns(messages))
    raise TimeoutError("the topic has fewer records than were asked for")


def _columns(messages: list[Message]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "value": pa.array([m.value() for m in messages], pa.binary()),
            "key": pa.array([m.key() for m in messages], pa.binary()),
            "partition": pa.array([m.partition() for m in messages], pa.int32()),
            "offset": pa.array([m.offset() for m in messages], pa.int64()),
            "time": pa.array([m.timestamp()[1] for m in messages], pa.int64()),
        }
    )


def source_alone(bootstrap: str, topic: str, *, join_group: bool = False) -> tuple[int, float]:
    """Records, and records per second from the first chunk on, of the loader's source to the end."""
    source = KafkaSource(
        bootstrap, topic, f"source-{uuid.uuid4().hex}", until_end=True, join_group=join_group
    )
    seen, first, began = 0, 0, 0.0
    try:
        while not source.finished:
            chunk = source.read(1.0, _from_the_beginning)
            if chunk and not began:
                began, first = time.perf_counter(), chunk.records.num_rows
            seen += chunk.records.num_rows if chunk else 0
        return seen, (seen - first) / (time.perf_counter() - began)
    finally:
        source.close()


def _from_the_beginning(partitions: Collection[int]) -> Mapping[int, Position]:
    return {partition: Position(0) for partition in partitions}


def main() -> None:
    """Print the ceiling alone as JSON, or each round of the comparison and the median of its ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ceiling")
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--records", type=int, help="how many records the topic has: the ceiling alone, once")
    given = parser.parse_args()
    if given.records:
        print(json.dumps({"records_per_second": ceiling(given.bootstrap, given.topic, given.records)}))
    else:
        _compare(given.bootstrap, given.topic, given.rounds)


def _compare(bootstrap: str, topic: str, rounds: int) -> None:
    ratios = []
    for _ in range(rounds):
        records, ours = source_alone(bootstrap, topic)
        best = ceiling(bootstrap, topic, records)
        ratios.append(ours / best)
        print(f"ceiling {best:,.0f}/s, source alone {ours:,.0f}/s, ratio {ours / best:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
