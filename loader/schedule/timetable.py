"""When jobs are due: APScheduler keeps the clock, `loader.cron` says what a crontab line means."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from loader import cron
from loader.config import Job


class JobTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The times of one job; jitter is a delay of the run, not of the time, so that no time is lost."""

    def __init__(self, job: Job, begin: datetime) -> None:
        self._job = job
        self._begin = begin

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The time after the previous one; after `now` for the first."""
        return next(times(self._job, self._begin, previous_fire_time or now, begun=bool(previous_fire_time)))


def times(job: Job, begin: datetime, after: datetime, *, begun: bool = True) -> Iterator[datetime]:
    """The job's times after a moment, in UTC; `every` counts from `begin`, when the schedule started."""
    if job.cron:
        yield from cron.parse(job.cron).after(after, ZoneInfo(job.zone))
        return
    step = timedelta(seconds=job.every or 0)
    number = (after - begin) // step + 1 if begun else 0
    while True:
        yield begin + number * step
        number += 1


class Timetable:
    """Says which jobs are due. A job that is due again while it waits or runs is due once more."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._due: deque[int] = deque()
        self._wake = threading.Condition()
        self._ended = threading.Event()
        self._clock = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max(1, len(jobs)))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin to count; a job with `every` is due at once."""
        begin = datetime.now(UTC)
        for number, job in enumerate(self._jobs):
            self._clock.add_job(self._is_due, JobTrigger(job, begin), args=(number, job), id=str(number))
        self._clock.start()

    def _is_due(self, number: int, job: Job) -> None:
        if not self._ended.wait(random.uniform(0, job.jitter)):  # noqa: S311 - jitter, not a secret
            with self._wake:
                if number not in self._due:
                    self._due.append(number)
                self._wake.notify()

    def wait(self) -> Job | None:
        """The next job to run, in the order in which they became due; None when the schedule has ended."""
        with self._wake:
            while not self._due and not self._ended.is_set():
                self._wake.wait()
            return None if self._ended.is_set() else self._jobs[self._due.popleft()]

    def pause(self, seconds: float) -> bool:
        """Wait; False as soon as the schedule has ended."""
        return not self._ended.wait(seconds)

    def end(self) -> None:
        """No job is due any more. May be called in a signal handler, and twice."""
        threading.Thread(target=self._end, daemon=True).start()  # the handler may hold the locks itself

    def _end(self) -> None:
        self._ended.set()
        with self._wake:
            self._wake.notify_all()

    def close(self) -> None:
        """Stop the clock."""
        self._ended.set()
        if self._clock.running:
            self._clock.shutdown(wait=False)

    def next_times(self) -> dict[str, Any]:
        """When each job is due next, by its place in the list."""
        return {job.id: job.next_run_time for job in self._clock.get_jobs()}
