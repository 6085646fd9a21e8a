"""Run jobs as they become due, one at a time, until the schedule ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from loader.config import Job
from loader.runs import Run, ended_run, now
from loader.schedule.child import Ended

TEMPORARY = 75  # the exit code that says: run again later
PAUSES = (5.0, 15.0, 45.0)  # seconds before a job that ended so is run again; then its next time comes


class Clock(Protocol):
    """The timetable, as far as it is needed here."""

    def wait(self) -> Job | None:
        """The next job that is due; None when the schedule has ended."""
        ...

    def pause(self, seconds: float) -> bool:
        """Wait; False when the schedule has ended."""
        ...


class Place(Protocol):
    """The turn of this warehouse's schedulers."""

    def take(self, pause: Callable[[float], bool], waiting: Callable[[], None]) -> int | None:
        """Wait for the turn; None when the schedule has ended."""
        ...

    def give(self) -> None:
        """End the turn."""
        ...


class Observer(Protocol):
    """Hears what happens; decides nothing."""

    def waiting(self) -> None:
        """Another scheduler has the turn."""
        ...

    def ended(self, job: Job, run: Run, retry_in: float | None) -> None:
        """A run has ended; it is tried again after so many seconds, or not (None). The turn is still ours."""
        ...


def conduct(
    clock: Clock,
    turn: Place,
    start: Callable[[Job, int], Ended],
    observers: Sequence[Observer],
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Run what is due until the schedule ends. A job that fails ends nothing but itself."""

    def waiting() -> None:
        for observer in observers:
            observer.waiting()

    def take() -> int | None:
        return turn.take(clock.pause, waiting)

    while job := clock.wait():
        for retry_in in (*pauses, None):
            try:
                run = _once(job, take, start)
                if run is None:
                    return
                again = retry_in if run.exit_code == TEMPORARY else None
                for observer in observers:
                    observer.ended(job, run, again)
            finally:
                turn.give()
            if again is None or not clock.pause(again):
                break


def _once(job: Job, take: Callable[[], int | None], start: Callable[[Job, int], Ended]) -> Run | None:
    """One run of a job in its turn; None when the schedule has ended."""
    begun = now()
    try:
        lock = take()
        if lock is None:
            return None
        begun = now()
        ended = start(job, lock)
    except OSError as error:  # the warehouse's folder is out of reach, or no process can be started
        ended = Ended(TEMPORARY, {"outcome": "error", "error": {"message": str(error)}})
    return ended_run(job.job, "schedule", begun, ended.exit_code, ended.result)
