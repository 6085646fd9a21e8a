"""`loader schedule`: run the jobs of the configuration on their schedules."""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from loader.errors import ConfigError
from loader.plural import counted

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config, Job
    from loader.runs import Run
    from loader.schedule.child import Child, Ended
    from loader.schedule.timetable import Timetable

UNWRITTEN = 1_000  # runs that are kept for the history while the warehouse cannot be written
PATIENCE = 5.0  # seconds over limits.stop after which a job that does not end is killed


def schedule(ctx: typer.Context) -> None:
    """Run the jobs of the configuration by cron or interval, one at a time, until SIGTERM or SIGINT."""
    from loader.cli.watching import job_metrics
    from loader.schedule.child import Child, Turn
    from loader.schedule.conduct import conduct
    from loader.schedule.timetable import Timetable

    context: Context = ctx.obj
    config = context.config()
    _check(config.schedule)
    timetable, child, log = Timetable(config.schedule), Child(), Log(config)
    turn = Turn(Path(f"{config.warehouse.file}.jobs.lock"))

    def start(job: Job, lock: int) -> Ended:
        return child.run(_command(context, job), lock)

    with (
        job_metrics(config) as metrics,
        _signals(timetable, child, config.limits.stop + PATIENCE) as received,
    ):
        timetable.start()
        log.begun(timetable)
        try:
            conduct(timetable, turn, start, (log, *metrics))
        finally:
            timetable.close()
    result = {"pipeline": config.pipeline, "outcome": "stopped", "runs": log.runs, "failed": log.failed}
    context.emit(result, f"stopped: {counted(log.runs, 'runs')}, {log.failed:,} failed")
    if len(received) > 1:
        raise typer.Exit(128 + received[-1])


def _check(jobs: Sequence[Job]) -> None:
    """Refuse a schedule without jobs, and options that the verb does not have, before the first run."""
    from loader.cli.jobs import refuse_wrong_args

    if not jobs:
        raise ConfigError(
            "no job is configured", address="schedule", hint="add [[schedule]] to the configuration"
        )
    refuse_wrong_args(jobs)


def _command(context: Context, job: Job) -> list[str]:
    """The words of the job, with the global options of the scheduler."""
    words = [sys.executable, "-m", "loader", "--json", "--log-format", context.log_format]
    words += ["-c", str(context.config().file)]
    for override in context.overrides:
        words += ["--set", override]
    words += ["-v"] if context.verbosity > 0 else ["-q"] if context.verbosity < 0 else []
    return [*words, job.job, *job.args]


@contextmanager
def _signals(timetable: Timetable, child: Child, patience: float) -> Iterator[list[int]]:
    """The first signal ends the schedule and is passed on to the job under way, as the second is."""
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        received.append(number)
        timetable.end()
        child.send(signal.SIGTERM)
        killer = threading.Timer(patience, child.send, (signal.SIGKILL,))
        killer.daemon = True
        killer.start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Log:
    """Says each run as a log line and writes it into the run history."""

    config: Config
    runs: int = 0
    failed: int = 0
    _unwritten: deque[Run] = field(default_factory=lambda: deque(maxlen=UNWRITTEN))

    def begun(self, timetable: Timetable) -> None:
        """Say what will run, and when."""
        from loader.observe.logs import logger

        next_times = timetable.next_times()
        for number, job in enumerate(self.config.schedule):
            at = next_times[str(number)].strftime("%Y-%m-%dT%H:%M:%SZ")
            logger().info("scheduled", job=" ".join((job.job, *job.args)), when=job.when, next=at)

    def waiting(self) -> None:
        """Another scheduler's job is running on this warehouse."""
        from loader.observe.logs import logger

        logger().info("waiting for another scheduler's job on this warehouse")

    def ended(self, job: Job, run: Run, retry_in: float | None) -> None:
        """One line, and one row; a row that cannot be written now comes with the next one."""
        from loader.observe.logs import logger
        from loader.runs import FAILED
        from loader.warehouse.history import record

        self.runs += 1
        facts: dict[str, Any] = {"job": job.job, "outcome": run.outcome, "exit_code": run.exit_code}
        facts |= {"seconds": round(run.seconds, 2)}
        facts |= {name: count for name, count in run.counts.items() if count}
        if run.outcome in FAILED:
            self.failed += 1
            facts |= {"error": run.error} if run.error else {}
            facts |= {"again_in": retry_in} if retry_in is not None else {}
            logger().warning("job failed", **facts)
        else:
            logger().info("job ended", **facts)
        self._unwritten.append(run)
        if problem := record(self.config, list(self._unwritten)):
            logger().warning("the run history was not written, later again", reason=str(problem))
        else:
            self._unwritten.clear()
