"""What `loader status` says besides what it reads: the schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from loader.cli.overview import _schedule
from loader.cli.status import _job
from tests.making import make_config

NOW = datetime(2026, 3, 3, 10, 0, 30, tzinfo=UTC)


def test_the_next_run_of_a_job_is_told(tmp_path: Path) -> None:
    """By cron in UTC; of an interval only a scheduler knows when it began."""
    jobs = [
        {"job": "load", "cron": "*/5 * * * *", "args": ["--max-seconds", "240"]},
        {"job": "maintain", "cron": "30 3 * * *", "zone": "Europe/Berlin"},
        {"job": "load", "every": "30s"},
    ]
    config = make_config(tmp_path, schedule=jobs)
    told = [_job(job, NOW) for job in config.schedule]
    assert [job["next"] for job in told] == ["2026-03-03T10:05:00Z", "2026-03-04T02:30:00Z", None]
    run = {"job": "load", "started_at": "2026-03-03T10:00:00Z", "outcome": "caught_up", "exit_code": 0}
    assert list(_schedule(told, run)) == [
        "schedule (while `loader schedule` runs):",
        "  load --max-seconds 240: cron */5 * * * * (UTC), next 2026-03-03T10:05:00Z",
        "  maintain: cron 30 3 * * * (Europe/Berlin), next 2026-03-04T02:30:00Z",
        "  load: every 30 s",
        "last run: load at 2026-03-03T10:00:00Z, caught up, exit code 0: loader runs",
    ]


def test_without_a_schedule_nothing_is_said() -> None:
    """Who loads by hand reads nothing about jobs."""
    assert list(_schedule([], None)) == []
