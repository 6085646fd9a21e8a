"""Latency: 100 records a second into `loader run`; when each batch is visible, and what that costs."""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime

import psutil

from tests.benchmarks.bench import Bench
from tests.benchmarks.children import Child, run_python
from tests.benchmarks.figures import Run
from tests.benchmarks.loads import Warehouse, fresh, words
from tests.benchmarks.sets import BASE

RATE = 100  # records a second
WAIT = 1.0  # batch.wait, seconds
SECONDS = 60.0
WARM = 2.0  # seconds of records before the clock runs
OTHERS = 5_000_000_000  # the first id of these
READY = 60.0  # seconds until their first batch must be there
OLDEST = "SELECT _batch, epoch_ms(min(_kafka_time)) AS oldest FROM orders GROUP BY _batch"


def latency(bench: Bench, *, everything: bool) -> Iterator[Run]:  # noqa: ARG001 - as all measurements
    """Each kind of warehouse in turn, for so many seconds."""
    for number in range(1, bench.rounds + 1):
        for kind in bench.kinds:
            with bench.empty_topic(BASE.partitions) as topic, fresh(kind) as warehouse:
                yield Run(number, f"{RATE} records/s", kind, _trickle(bench, topic, warehouse))


def _trickle(bench: Bench, topic: str, warehouse: Warehouse) -> dict[str, float]:
    orders, wait = _orders(bench, bench.seconds or SECONDS, 1), f"batch.wait={WAIT:g}s"
    run = words(bench.bootstrap, topic, *warehouse.settings, wait, logs=True)
    with Child(sys.executable, "-m", *run, "run") as worker:
        _send(bench, topic, _orders(bench, WARM, OTHERS))
        _until_committed(worker)
        process, begun = psutil.Process(worker.pid), time.time()
        before = process.cpu_times()
        _send(bench, topic, orders)
        after, took = process.cpu_times(), time.time() - begun
        done = worker.stop()
    spent = after.user + after.system - before.user - before.system
    late = lateness(done.said, _oldest(bench, topic, warehouse), begun)
    return {
        "late": statistics.median(late),
        "latest": percentile(late, 0.99),
        "share": spent / took,
        "peak": done.peak,
    }


def _orders(bench: Bench, seconds: float, first: int) -> str:
    """A file of orders for so many seconds, with ids from `first` on."""
    file, count = bench.folder / f"trickle-{first}.jsonl", round(RATE * seconds)
    given = ["--records", str(count), "--first-id", str(first), "--no-answers"]
    run_python("loader", "--json", "generate", str(file), *given)
    return str(file)


def _send(bench: Bench, topic: str, orders: str) -> None:
    run_python(*words(bench.bootstrap, topic), "replay", orders, "--rate", str(RATE))


def _until_committed(worker: Child) -> None:
    """Wait for the first batch. Raises TimeoutError."""
    until = time.monotonic() + READY
    while '"committed"' not in worker.said():
        if time.monotonic() > until:
            raise TimeoutError(f"no batch within {READY:g} s: {worker.said()}")
        time.sleep(0.05)


def _oldest(bench: Bench, topic: str, warehouse: Warehouse) -> dict[int, float]:
    """When the oldest record of each batch was sent, in seconds since 1970."""
    asked = run_python(*words(bench.bootstrap, topic, *warehouse.settings), "query", OLDEST)
    return {row["_batch"]: row["oldest"] / 1000 for row in asked.result["rows"]}


def lateness(said: str, oldest: Mapping[int, float], since: float) -> list[float]:
    """Seconds beyond `batch.wait` from the sending of a batch's oldest record until it was durable.

    Of the batches all of whose records were sent after `since`, by the log lines of the loader.
    """
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    moments = {line["batch"]: line["timestamp"] for line in lines if line["event"] == "committed"}
    return [
        datetime.fromisoformat(moments[batch]).timestamp() - sent - WAIT
        for batch, sent in oldest.items()
        if batch in moments and sent >= since
    ]


def percentile(values: list[float], share: float) -> float:
    """The least value that so large a share of the values does not pass."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
