"""Load every five minutes and keep up every hour, in simulated time; then compare with the raw data."""

from __future__ import annotations

import math
import random
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loader.analytics import analytics
from loader.batching import Batcher, BatchPolicy
from loader.config import Config, Job, load_config
from loader.engine import load
from loader.model import Batch, Position, Receipt
from loader.runs import Run
from loader.schedule.child import Ended, Turn
from loader.schedule.conduct import conduct
from loader.stopping import Stop
from loader.testing.source import MemorySource, MemoryTopic, Record
from loader.warehouse.change import changes
from loader.warehouse.history import record
from loader.warehouse.maintenance import Maintenance
from loader.warehouse.question import answer
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.month.clock import Clock, SimulatedTimetable
from tests.month.story import PARTITIONS, Producer, Raw, Sent, differences

ORDERS = Path(__file__).parents[2] / "config" / "orders.toml"
JOBS = (Job(job="load", cron="*/5 * * * *"), Job(job="maintain", cron="7 * * * *"))
SETTINGS = (
    "table.partition_by='day(timestamp)'",
    "maintain.keep_snapshots='1d'",
    "maintain.keep_runs='7d'",
    "retention.duplicates='7d'",
    "retention.spans='7d'",
)
SPENT = {
    "load": (2.0, 40.0),
    "maintain": (5.0, 200.0),
}  # simulated seconds that a job takes, at least and at most
QUERIES = [name for name, each in analytics().items() if not each.parameters]
REOPEN = 12  # loads with one opening of the warehouse


@dataclass
class Month:
    """One simulated stretch of time on one warehouse."""

    folder: Path
    days: float
    per_day: int
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Begin so long ago that the end is now: files are written at real times, which must not look old."""
        real = datetime.now(UTC)
        self.begin = (real - timedelta(days=self.days + 1)).replace(hour=0, minute=0, second=0, microsecond=0)
        path = f"warehouse.path='ducklake:sqlite:{self.folder}/catalog.sqlite'"
        data = f"warehouse.data='{self.folder}/data'"
        self.config: Config = load_config(ORDERS, (path, data, *SETTINGS))
        self.chance = random.Random(1)
        self.producer = Producer(self.per_day, round(self.begin.timestamp() * 1000), self.chance)
        self.topic, self.raw = MemoryTopic(PARTITIONS, "orders"), Raw()
        self.intervals: list[tuple[str, datetime, datetime]] = []
        self.runs: list[Run] = []
        self.daily: list[dict[str, Any]] = []
        self._warehouse: DuckWarehouse | None = None
        self._loads = 0

    def run(self) -> dict[str, Any]:
        """Simulate; the facts, with what was wrong."""
        begun, spent = time.monotonic(), _cpu()
        self.clock.set(self.begin - timedelta(minutes=1))
        table = SimulatedTimetable(JOBS, self.clock, self.begin + timedelta(days=self.days))
        conduct(table, Turn(self.folder / "jobs.lock"), self._start, [self])
        self._close()
        wrong = [*self._of_schedule(table), *self._of_warehouse()]
        return {
            "days": self.days,
            "loads": sum(job == "load" for job, *_ in self.intervals),
            "maintains": sum(job == "maintain" for job, *_ in self.intervals),
            "records": self.raw.counts,
            "daily": self.daily,
            "queries_equal": len(QUERIES),
            "wrong": wrong,
            "seconds": round(time.monotonic() - begun, 1),
            "cpu_seconds": round(_cpu() - spent, 1),
        }

    # ---------------------------------------------------------------- the jobs, and what conduct tells

    def _start(self, job: Job, _lock: int) -> Ended:
        begun = self.clock.now()
        result = self._load() if job.job == "load" else self._maintain()
        self.clock.advance(self.chance.uniform(*SPENT[job.job]))
        self.intervals.append((job.job, begun, self.clock.now()))
        return Ended(0, result)

    def waiting(self) -> None:
        """No other scheduler is there."""
        raise AssertionError("the turn was taken by another")

    def ended(self, job: Job, run: Run, retry_in: float | None) -> None:
        """Keep the run for the history, which is written before upkeep."""
        assert (run.exit_code, retry_in) == (0, None), job
        self.runs.append(run)

    def _load(self) -> dict[str, Any]:
        sent = self.producer.until(round(self.clock.now().timestamp() * 1000))
        self.topic.story.clear()
        self.topic.low = dict(enumerate(self._ends))
        self.topic.tell(Record(one.partition, one.value, time=one.time) for one in self._in_order(sent))
        stop = Stop(time.monotonic)
        observer = _Observer(stop)
        if self._warehouse is None or self._loads % REOPEN == 0:
            self._close()
            self._warehouse = DuckWarehouse(self.config)
        self._loads += 1
        source = MemorySource(self.topic, until_end=True, chunk=10_000)
        load(
            source,
            self._warehouse,
            Batcher(BatchPolicy(10**6, 10**9, 60.0), time.monotonic),
            stop,
            observer,
            time.sleep,
        )
        assert len(observer.receipts) == bool(sent)
        for receipt in observer.receipts:
            self.raw.batch(receipt.batch, sent)
        return {"outcome": "caught_up", "batches": len(observer.receipts), "consumed": len(sent)}

    @property
    def _ends(self) -> list[int]:
        return [self.topic.end(partition) for partition in range(PARTITIONS)]

    @staticmethod
    def _in_order(sent: list[Sent]) -> list[Sent]:
        return sorted(sent, key=lambda one: (one.partition, one.offset))

    def _maintain(self) -> dict[str, Any]:
        self._close()
        assert record(self.config, self.runs) is None
        self.runs.clear()
        with changes(self.config) as warehouse:
            work = Maintenance(warehouse, self.config)
            list(work.steps())
            numbers = work.numbers()
        day = (self.clock.now() - self.begin) // timedelta(days=1)
        if len(self.daily) <= day:
            self.daily.append({"day": day})
        most = self.daily[-1]  # of each day the largest numbers that upkeep left
        most |= {name: max(number, most.get(name, 0)) for name, number in numbers.items()}
        return {"outcome": "done", "done": work.done}

    def _close(self) -> None:
        if self._warehouse:
            self._warehouse.close()
        self._warehouse = None

    # ---------------------------------------------------------------- the verdict

    def _of_schedule(self, table: SimulatedTimetable) -> list[str]:
        """No two runs at once; each time that came has its run, before the next time of its job."""
        wrong = [
            f"{two[0]} began at {two[1]}, before {one[0]} ended at {one[2]}"
            for one, two in zip(self.intervals, self.intervals[1:], strict=False)
            if two[1] < one[2]
        ]
        for number, job in enumerate(JOBS):
            times = [moment for place, moment in table.fired if place == number]
            begins = [begun for name, begun, _ in self.intervals if name == job.job]
            if len(times) != len(begins):
                wrong.append(f"{job.job}: {len(begins)} runs for {len(times)} times")
            late = [
                b - t
                for t, b in zip(times, begins, strict=False)
                if not timedelta() <= b - t < timedelta(minutes=5)
            ]
            wrong += [f"{job.job} began {late[0]} after its time"] if late else []
        minutes = self.days * 24 * 60
        expected = [math.ceil(minutes / 5), math.ceil((minutes - 7) / 60)]
        found = [sum(place == number for place, _ in table.fired) for number in range(len(JOBS))]
        return wrong + ([] if found == expected else [f"{found} times came, not {expected}"])

    def _of_warehouse(self) -> list[str]:
        """`verify` is true, counts are those of the raw data, and every shipped query has the same answer."""
        with Reader(self.config) as reader:
            wrong = [f"{check.name}: {check.detail}" for check in checks(reader) if check.status != "ok"]
            totals = reader.of_pipeline("read/totals")[0]
            committed = reader.home.execute("SELECT batch, committed_at FROM lake.loader.batches").fetchall()
            self.raw.settle(dict(committed))
            wrong += [
                f"{name}: {totals[name]}, not {count}"
                for name, count in self.raw.counts.items()
                if totals[name] != count
            ]
            for name in QUERIES:
                theirs, ours = (
                    iter(answer(home, name, "orders", "orders").read_all().to_pylist())
                    for home in (reader.home, self.raw.home)
                )
                wrong += [f"{name}: {found}" for found in differences(theirs, ours)]
        return wrong


@dataclass
class _Observer:
    """Keeps the receipts; an `engine.Observer`."""

    stop: Stop
    receipts: list[Receipt] = field(default_factory=list)

    def began(self, positions: Mapping[int, Position]) -> None:
        """Nothing: the stream is ours."""

    def committed(self, receipt: Receipt) -> None:
        """Keep it."""
        self.stop.succeeded(receipt)
        self.receipts.append(receipt)

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Nobody else writes."""
        raise AssertionError((batch.id, attempt))

    def restarting(self, reason: Exception, pause: float) -> None:
        """Nothing fails."""
        raise AssertionError((reason, pause))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
