"""The Prometheus metrics of one pipeline, kept by hooks: engine and scheduler do not know them.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from loader.config import Job
from loader.errors import without_hint
from loader.model import Batch, Lag, Position, Receipt
from loader.observe.health import Health
from loader.runs import FAILED, Run

OUTCOMES = {"loaded": "loaded", "duplicates": "duplicate", "quarantined": "quarantined", "skipped": "skipped"}
"""The counts of a receipt or a result, and what the label calls them."""

PHASES = ("read", "parse", "split", "write", "commit")
PHASE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
JOB_SECONDS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

Clock = Callable[[], float]


class Meters:
    """What both kinds of process count, in one registry; every metric has the label `pipeline`."""

    def __init__(self, pipeline: str, versions: Mapping[str, str]) -> None:
        """`versions` become the labels of `loader_build_info`."""
        disable_created_metrics()  # one series more for each that nobody asks for
        self.registry = CollectorRegistry()
        self.labels = {"pipeline": pipeline}
        ProcessCollector(registry=self.registry)
        self.gauge("loader_build_info", "Always 1; the labels say what runs.", *versions).labels(
            **self.labels, **versions
        ).set(1)
        self._records = self.counter("loader_records", "Records by where they ended.", "outcome")
        for outcome in OUTCOMES.values():
            self._records.labels(**self.labels, outcome=outcome)
        about = "Refused records by column and rule; one that breaks two rules counts for both."
        self._refused = self.counter("loader_quarantined_records", about, "reason")
        self.batches = self.counter("loader_batches", "Batches that were committed.").labels(**self.labels)
        about = "When a batch was committed last."
        self.last_commit = self.gauge("loader_last_commit_timestamp_seconds", about)
        about = "The newest event time among the loaded rows."
        self._newest = self.gauge("loader_newest_event_timestamp_seconds", about)
        self._newest_seen = -math.inf

    def counter(self, name: str, about: str, *labels: str) -> Counter:
        """A counter with the label `pipeline` and these."""
        return Counter(name, about, (*self.labels, *labels), registry=self.registry)

    def gauge(self, name: str, about: str, *labels: str) -> Gauge:
        """A gauge with the label `pipeline` and these."""
        return Gauge(name, about, (*self.labels, *labels), registry=self.registry)

    def histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        """A histogram with the label `pipeline` and these."""
        return Histogram(name, about, (*self.labels, *labels), buckets=buckets, registry=self.registry)

    def count(self, counts: Mapping[str, Any], reasons: Mapping[str, int]) -> None:
        """Add records by outcome, and the refused ones by reason."""
        for name, outcome in OUTCOMES.items():
            self._records.labels(**self.labels, outcome=outcome).inc(counts.get(name, 0))
        for reason, records in reasons.items():
            self._refused.labels(**self.labels, reason=reason).inc(records)

    def newest_event(self, seconds: float | None) -> None:
        """An event time of rows that were loaded; the newest one is shown."""
        if seconds is not None and seconds > self._newest_seen:
            self._newest_seen = seconds
            self._newest.labels(**self.labels).set(seconds)


class Waiting(Collector):
    """What the last look at the topic has found. Where the broker did not answer, no lag is shown."""

    def __init__(self, meters: Meters, health: Health) -> None:
        self._labels = list(meters.labels.values())
        self._health = health
        self._lag: Lag | None = None
        meters.registry.register(self)

    def found(self, lag: Lag | None, trouble: str = "") -> None:
        """Take the result of a look; None with what kept the broker from answering."""
        self._lag, self._health.broker = lag, trouble

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, as they are now."""
        lag = self._lag
        up = _family("loader_broker_up", "1 if the broker answered when it was asked last.")
        up.add_metric(self._labels, float(lag is not None))
        yield up
        records = _family("loader_lag_records", "Offsets in the topic that are not loaded yet.", "partition")
        for partition, waiting in (lag.records if lag else {}).items():
            records.add_metric([*self._labels, str(partition)], waiting)
        yield records
        about = "How long the oldest record that is not loaded yet has been in the topic; 0 if none waits."
        seconds = _family("loader_lag_seconds", about)
        if lag and lag.seconds is not None:
            seconds.add_metric(self._labels, lag.seconds)
        yield seconds


def _family(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=["pipeline", *labels])


class LoadMetrics:
    """The metrics of `loader run`. An `engine.Observer`."""

    def __init__(self, meters: Meters, health: Health, clock: Clock = time.time) -> None:
        self.known: dict[int, int] = {}
        """The committed offsets of the partitions that this process has had, since the last restart."""
        self._meters, self._health, self._clock = meters, health, clock
        about = "Seconds that a batch took, by phase."
        self._phases = meters.histogram("loader_batch_phase_seconds", about, PHASE_SECONDS, "phase")
        for name in PHASES:
            self._phases.labels(**meters.labels, phase=name)
        about = "Commits that another writer came before; the batch was split again."
        self._conflicts = meters.counter("loader_commit_conflicts", about).labels(**meters.labels)
        about = "Times that memory was dropped and reading began again from the warehouse."
        self._restarts = meters.counter("loader_restarts", about).labels(**meters.labels)

    def began(self, positions: Mapping[int, Position]) -> None:
        """Note where reading begins."""
        self.known |= {partition: position.offset for partition, position in positions.items()}
        self._health.work = ""

    def committed(self, receipt: Receipt) -> None:
        """Count a batch."""
        self.known |= {span.partition: span.end for span in receipt.spans}
        self._health.work = ""
        meters = self._meters
        meters.count(asdict(receipt.totals), receipt.reasons)
        meters.batches.inc()
        meters.last_commit.labels(**meters.labels).set(self._clock())
        meters.newest_event(receipt.newest_event)
        for name, seconds in receipt.seconds.items():
            self._phases.labels(**meters.labels, phase=name).observe(seconds)

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Count it."""
        del batch, attempt
        self._conflicts.inc()

    def restarting(self, reason: Exception, pause: float) -> None:
        """Count it; until a batch is committed or partitions are begun again, no work is done."""
        del pause
        self._restarts.inc()
        self.known = {}
        self._health.work = without_hint(reason)


class JobMetrics:
    """The metrics of `loader schedule`, from what its jobs print. A `schedule.conduct.Observer`.

    A job has the label `verb`: `job` is Prometheus' own word for what it scrapes.
    """

    def __init__(self, meters: Meters, health: Health, clock: Clock = time.time) -> None:
        self._meters, self._health, self._clock = meters, health, clock
        self._failed: dict[str, str] = {}
        self._runs = meters.counter("loader_job_runs", "Runs of scheduled jobs.", "verb", "outcome")
        about = "Seconds that a run of a job took."
        self._seconds = meters.histogram("loader_job_duration_seconds", about, JOB_SECONDS, "verb")
        about = "When a run of the job ended well last."
        self._success = meters.gauge("loader_job_last_success_timestamp_seconds", about, "verb")

    def waiting(self) -> None:
        """Nothing: it is no trouble."""

    def ended(self, job: Job, run: Run, retry_in: float | None) -> None:
        """Count a run and what it has done."""
        del retry_in
        meters, labels = self._meters, {**self._meters.labels, "verb": job.job}
        self._runs.labels(**labels, outcome=run.outcome).inc()
        self._seconds.labels(**labels).observe(run.seconds)
        meters.count(run.counts, run.reasons)
        if batches := run.counts.get("batches", 0):
            meters.batches.inc(batches)
            meters.last_commit.labels(**meters.labels).set(self._clock())
        if run.outcome in FAILED:
            self._failed[job.job] = f"the last {job.job} failed: {run.error or run.outcome}"
        else:
            self._failed.pop(job.job, None)
            self._success.labels(**labels).set(self._clock())
        self._health.work = "; ".join(self._failed.values())
