"""The schedule: what is due when, one job at a time, failures that end nothing, and a stop in good order."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from loader.config import Job
from loader.runs import Run, ended_run, now
from loader.schedule.child import Child, Ended, Turn
from loader.schedule.conduct import conduct
from loader.schedule.timetable import JobTrigger, Timetable, times
from tests.pipelines import until

BEGIN = datetime(2026, 3, 3, 10, 0, 0, tzinfo=UTC)


def job(**keys: Any) -> Job:
    """A load; every five seconds unless said otherwise."""
    return Job.model_validate({"job": "load", **(keys or {"every": "5s"})})


# when


def test_every_begins_at_once_and_keeps_its_rhythm() -> None:
    """The first time is the start of the schedule; a late look does not shift the ones that follow."""
    trigger = JobTrigger(job(every="30s"), BEGIN)
    assert trigger.get_next_fire_time(None, BEGIN + timedelta(seconds=3)) == BEGIN
    late = BEGIN + timedelta(seconds=95)
    assert trigger.get_next_fire_time(BEGIN, late) == BEGIN + timedelta(seconds=30)
    assert next(times(job(every="30s"), BEGIN, late)) == BEGIN + timedelta(seconds=120)


@pytest.mark.fault(53)
def test_cron_is_read_in_its_zone() -> None:
    """Eight in the morning in Berlin is seven o'clock UTC in winter and six in summer."""
    found = islice(times(job(cron="0 8 28-29 3 *", zone="Europe/Berlin"), BEGIN, BEGIN), 2)
    assert [moment.hour for moment in found] == [7, 6]


@pytest.mark.fault(58)
def test_what_is_due_twice_while_it_waits_runs_once() -> None:
    """Jobs come in the order in which they became due, each once, however often it became due."""
    jobs = (job(), job(cron="@daily"))
    table = Timetable(jobs)
    for number in (1, 0, 0, 1):
        table._is_due(number, jobs[number])
    assert (table.wait(), table.wait()) == (jobs[1], jobs[0])
    table._is_due(0, jobs[0])
    assert table.wait() is jobs[0]
    table.end()
    assert table.wait() is None
    assert table.pause(60) is False


@pytest.mark.fault(58)
def test_apscheduler_skips_and_doubles_nothing() -> None:
    """Misfires are run however late, several missed times are one run, and no run overlaps itself."""
    table = Timetable([job(every="1h")])
    table.start()
    try:
        (known,) = table._clock.get_jobs()
        assert (known.misfire_grace_time, known.coalesce, known.max_instances) == (None, True, 1)
        assert table.wait() == job(every="1h")
    finally:
        table.close()


# one at a time


@dataclass
class Script:
    """A timetable that gives a list of jobs and then ends; notes what happens."""

    jobs: list[Job]
    codes: list[int]
    told: list[Any] = field(default_factory=list)
    goes_on: bool = True

    def wait(self) -> Job | None:
        """The next job of the list."""
        return self.jobs.pop(0) if self.jobs else None

    def pause(self, seconds: float) -> bool:
        """Do not wait."""
        self.told.append(seconds)
        return self.goes_on

    def take(self, *_: object) -> int | None:
        """The turn is free."""
        self.told.append("take")
        return 7

    def give(self) -> None:
        """The turn ends."""
        self.told.append("give")

    def start(self, _: Job, lock: int) -> Ended:
        """End with the next code of the list."""
        assert lock == 7
        return Ended(self.codes.pop(0), {})

    def waiting(self) -> None:
        """Not called here."""

    def ended(self, _: Job, run: Run, retry_in: float | None) -> None:
        """Note the code."""
        self.told.append((run.exit_code, retry_in))


def test_a_failure_ends_nothing_and_75_is_tried_again() -> None:
    """Exit 1 waits for its next time; 75 is run again after pauses, each in a turn of its own."""
    script = Script([job()] * 3, [1, 75, 0, 75, 75, 75])
    conduct(script, script, script.start, (script,), pauses=(5.0, 15.0))
    assert [told for told in script.told if not isinstance(told, str)] == [
        (1, None), (75, 5.0), 5.0, (0, None), (75, 5.0), 5.0, (75, 15.0), 15.0, (75, None),
    ]  # fmt: skip
    assert [told for told in script.told if isinstance(told, str)] == ["take", "give"] * 6


def test_a_folder_out_of_reach_ends_no_schedule() -> None:
    """As if the job had ended with 75: told, tried again after the pauses, then at the next time."""

    class Away(Script):
        def take(self, *_: object) -> int | None:
            raise OSError(errno.EROFS, "Read-only file system", "/srv/lake")

    script = Away([job()] * 2, [])
    conduct(script, script, script.start, (script,), pauses=(5.0,))
    assert [told for told in script.told if not isinstance(told, str)] == [(75, 5.0), 5.0, (75, None)] * 2


def test_a_process_that_cannot_be_started_ends_no_schedule() -> None:
    """No memory, too many processes: tried again later, and the turn is given back."""

    def start(_: Job, lock: int) -> Ended:
        raise BlockingIOError(errno.EAGAIN, f"no more processes beside {lock}")

    script = Script([job()], [])
    conduct(script, script, start, (script,), pauses=(5.0,))
    assert script.told == ["take", (75, 5.0), "give", 5.0, "take", (75, None), "give"]


def test_a_stop_ends_the_pause_before_another_try() -> None:
    """A schedule that ends while it waits for another try does not try again."""
    script = Script([job()], [75], goes_on=False)
    conduct(script, script, script.start, (script,))
    assert script.told == ["take", (75, 5.0), "give", 5.0]


def test_two_schedulers_of_one_warehouse_take_turns(tmp_path: Path) -> None:
    """The second waits, says so once, and goes on when the first is done or its own schedule ends."""
    first, second, told = Turn(tmp_path / "lock"), Turn(tmp_path / "lock"), []
    assert first.take(lambda _: True, lambda: None) is not None
    pauses = iter([True, True, False])
    assert second.take(lambda _: next(pauses), lambda: told.append("waiting")) is None
    assert told == ["waiting"]
    first.give()
    assert second.take(lambda _: False, lambda: None) is not None
    second.give()


def test_a_turn_lasts_as_long_as_its_job(tmp_path: Path) -> None:
    """A job whose scheduler is gone still has the turn: it inherited the lock."""
    turn, other, child, held = Turn(tmp_path / "lock"), Turn(tmp_path / "lock"), Child(), []
    lock = turn.take(lambda _: True, lambda: None)
    assert lock is not None

    def in_the_middle() -> None:
        until(lambda: child._process is not None, "the job runs")
        turn.give()  # as the end of the scheduler's process would
        held.append(other.take(lambda _: False, lambda: None))
        child.send(signal.SIGTERM)

    beside = threading.Thread(target=in_the_middle)
    beside.start()
    ended = child.run([sys.executable, "-c", "import time; time.sleep(60)"], lock)
    beside.join()
    assert (ended.exit_code, held) == (-signal.SIGTERM, [None])
    assert other.take(lambda _: False, lambda: None) is not None


# what came of it


@pytest.mark.parametrize(
    ("code", "result", "outcome", "error"),
    [
        (0, {"outcome": "caught_up", "loaded": 5, "seconds": 1}, "caught_up", None),
        (1, {"outcome": "error", "error": {"address": "a", "message": "b\nc"}}, "error", "a: b c"),
        (-9, {}, "killed", "ended by signal 9"),
        (143, {"outcome": "stopped"}, "stopped", None),
        (-15, {}, "stopped", None),
        (7, {}, "error", None),
        (1, {"outcome": "error", "error": {"message": "x" * 999}}, "error", "x" * 299 + "…"),
    ],
)
def test_a_run_says_how_it_ended(code: int, result: dict[str, Any], outcome: str, error: str | None) -> None:
    """From the exit code and the object that the verb printed; an error is one bounded line."""
    run = ended_run("load", "schedule", now(), code, result)
    assert (run.outcome, run.exit_code, run.error) == (outcome, code, error)
    assert run.counts == {name: result[name] for name in ("loaded",) if name in result}


def test_the_result_of_a_child_is_its_last_line() -> None:
    """What a verb prints with --json comes back; a process that prints nothing gives an empty result."""
    reading, writing = os.pipe()
    try:
        for script, result in (('print(\'{"outcome": "done"}\')', {"outcome": "done"}), ("pass", {})):
            assert Child().run([sys.executable, "-c", script], reading) == Ended(0, result)
    finally:
        os.close(reading)
        os.close(writing)
