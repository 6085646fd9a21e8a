"""Airflow 2.4 or newer: a load every five minutes, upkeep once an hour.

75 means that something is away: the task is tried again. 1, 2 and 3 are for a person: the task fails
at once, whatever its `retries`.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

from airflow.decorators import dag, task
from airflow.exceptions import AirflowException, AirflowFailException

COMMAND = ["/opt/loader/.venv/bin/loader", "-c", "/etc/loader/loader.toml"]
FOR_A_PERSON = (1, 2, 3)


def run_loader(*words: str) -> None:
    """Run a verb; its log lines become those of the task."""
    command = [*COMMAND, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)  # what a child writes by itself is not in the log of the task
    code = process.returncode
    if code in FOR_A_PERSON:
        raise AirflowFailException(f"loader {words[0]}: exit code {code}, running again changes nothing")
    if code:
        raise AirflowException(f"loader {words[0]}: exit code {code}")


DEFAULTS = {"retries": 3, "retry_delay": timedelta(minutes=1)}
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - Airflow's older Pythons


@dag(schedule="*/5 * * * *", start_date=BEGIN, catchup=False, max_active_runs=1, default_args=DEFAULTS)
def loader_load() -> None:
    """Catch up with the topic."""

    @task
    def load() -> None:
        run_loader("load", "--max-seconds", "240")

    load()


@dag(schedule="17 * * * *", start_date=BEGIN, catchup=False, max_active_runs=1, default_args=DEFAULTS)
def loader_maintain() -> None:
    """Keep files few."""

    @task
    def maintain() -> None:
        run_loader("maintain")

    maintain()


loader_load()
loader_maintain()
