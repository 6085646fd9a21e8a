"""What is sent in the simulated time, and what a warehouse must hold of it: counted without the loader."""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from loader.replay.orders import as_texts, draw

PARTITIONS = 3
DAY_MS = 86_400_000
POISON = {
    b"{": (None, "json"),
    b'{"order_id":"X","timestamp":"2026-03-03T10:00:00Z","amount":-1}': ("amount", "check"),
}
ITEM = pa.struct([("sku", pa.string()), ("quantity", pa.int32()), ("price", pa.decimal128(18, 2))])
ROWS = pa.schema(
    [
        ("order_id", pa.string()), ("timestamp", pa.timestamp("us", tz="UTC")), ("user_id", pa.int64()),
        ("action", pa.string()), ("amount", pa.decimal128(18, 2)), ("currency", pa.string()),
        ("items", pa.list_(ITEM)),
        ("_partition", pa.int32()), ("_offset", pa.int64()), ("_kafka_time", pa.timestamp("ms", tz="UTC")),
        ("_batch", pa.int64()),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as the broker has it; `time` in milliseconds."""

    partition: int
    offset: int
    value: bytes
    time: int


@dataclass
class Producer:
    """Orders with twins, poison and late ones, in the order in which they arrive."""

    per_day: int
    begin_ms: int
    chance: random.Random
    ends: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    _coming: list[tuple[int, int, bytes]] = field(default_factory=list)
    _drawn: int = 0

    def until(self, moment_ms: int) -> list[Sent]:
        """What arrives before a moment."""
        while self.begin_ms + self._drawn * DAY_MS < moment_ms:
            self._draw_a_day()
        sent = []
        while self._coming and self._coming[0][0] < moment_ms:
            time, _, value = heapq.heappop(self._coming)
            partition = self.chance.randrange(PARTITIONS)
            sent.append(Sent(partition, self.ends[partition], value, time))
            self.ends[partition] += 1
        return sent

    def _draw_a_day(self) -> None:
        first = self._drawn * self.per_day
        orders = draw(self.per_day, self._drawn, self.begin_ms + self._drawn * DAY_MS, 1, first + 1)
        for time, text in zip(orders.time_ms.tolist(), as_texts(orders), strict=True):
            arrives = time + round(self.chance.expovariate(1 / 2_000))
            if self.chance.random() < 0.02:
                arrives += self.chance.randrange(3 * DAY_MS)
            self._send(arrives, text.encode())
            if self.chance.random() < 0.02:
                self._send(
                    arrives + self.chance.randrange(self.chance.choice((600_000, DAY_MS))), text.encode()
                )
            if self.chance.random() < 0.003:
                self._send(arrives, self.chance.choice(list(POISON)))
        self._drawn += 1

    def _send(self, time: int, value: bytes) -> None:
        heapq.heappush(self._coming, (time, self.chance.getrandbits(60), value))


class Raw:
    """The raw data as tables that the shipped analytics can ask, beside the loader's warehouse."""

    def __init__(self) -> None:
        self.home = duckdb.connect()
        self.home.execute(
            "SET TimeZone = 'UTC'; SET threads = 1; ATTACH ':memory:' AS lake; CREATE SCHEMA lake.loader"
        )
        self.home.execute(
            "CREATE TABLE lake.loader.batches (pipeline VARCHAR, batch BIGINT, kind VARCHAR, "
            "committed_at TIMESTAMPTZ, consumed BIGINT, loaded BIGINT, duplicates BIGINT, "
            "quarantined BIGINT, skipped BIGINT, max_event_time TIMESTAMPTZ)"
        )
        self.home.execute(
            'CREATE TABLE lake.loader.quarantine (pipeline VARCHAR, partition INTEGER, "offset" BIGINT, '
            "kafka_time TIMESTAMPTZ, reasons VARCHAR, state VARCHAR)"
        )
        self.home.register("rows", ROWS.empty_table())
        self.home.execute("CREATE TABLE lake.orders AS FROM rows")
        self._known: set[str] = set()
        self._rows: list[dict[str, Any]] = []
        self._refused: list[tuple[Any, ...]] = []
        self._batches: list[tuple[Any, ...]] = []
        self.counts = {"consumed": 0, "loaded": 0, "duplicates": 0, "quarantined": 0}

    def batch(self, number: int, sent: list[Sent]) -> None:
        """What one load has read: the first record of an id is a row, the others are duplicates."""
        rows, twins, refused = [], 0, 0
        for one in sorted(sent, key=lambda each: (each.partition, each.offset)):
            if one.value in POISON:
                refused += 1
                column, rule = POISON[one.value]
                reasons = json.dumps([{"column": column, "rule": rule}])
                self._refused.append((one.partition, one.offset, _moment(one.time), reasons))
            elif (row := _row(one, number))["order_id"] in self._known:
                twins += 1
            else:
                self._known.add(row["order_id"])
                rows.append(row)
        newest = max((row["timestamp"] for row in rows), default=None)
        counts = {"consumed": len(sent), "loaded": len(rows), "duplicates": twins, "quarantined": refused}
        self.counts = {name: self.counts[name] + count for name, count in counts.items()}
        self._rows += rows
        self._batches.append((number, *counts.values(), newest))

    def settle(self, committed: dict[int, datetime]) -> None:
        """Put what was noted into the tables; `committed` says when the warehouse committed each batch."""
        self.home.register("rows", pa.Table.from_pylist(self._rows, ROWS))
        self.home.execute("INSERT INTO lake.orders BY NAME FROM rows")
        for number, consumed, loaded, twins, refused, newest in self._batches:
            facts = ["orders", number, "load", committed[number], consumed, loaded, twins, refused, 0, newest]
            self.home.execute("INSERT INTO lake.loader.batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", facts)
        for facts in self._refused:
            self.home.execute(
                "INSERT INTO lake.loader.quarantine VALUES ('orders', ?, ?, ?, ?, 'open')", facts
            )
        self._rows, self._batches, self._refused = [], [], []


def _row(sent: Sent, batch: int) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(sent.value, parse_float=Decimal)
    return row | {
        "timestamp": datetime.fromisoformat(row["timestamp"]),
        "_partition": sent.partition, "_offset": sent.offset, "_kafka_time": _moment(sent.time),
        "_batch": batch,
    }  # fmt: skip


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def differences(theirs: Iterator[dict[str, Any]], ours: Iterator[dict[str, Any]]) -> list[str]:
    """Where two answers differ: the first rows that do, in words."""
    left, right = list(theirs), list(ours)
    found = [f"{one} is not {other}" for one, other in zip(left, right, strict=False) if one != other]
    if len(left) != len(right):
        found.append(f"{len(left)} rows, not {len(right)}")
    return found[:3]
