"""The simulated wall clock of this process, and the timetable that moves it."""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loader.config import Job
from loader.schedule.timetable import JobTrigger

SOURCE = Path(__file__).with_name("clock.c")
FILE = "SIMULATED_CLOCK"


def run_simulated(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python under a simulated clock. Raises FileNotFoundError without gcc."""
    library, file = folder / "clock.so", folder / "clock"
    command = ["gcc", "-O1", "-fPIC", "-shared", "-Wall", "-Werror", "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True)
    file.write_bytes(bytes(8))
    env = {**os.environ, "LD_PRELOAD": str(library), FILE: str(file)}
    return subprocess.run(
        [sys.executable, "-m", *words], env=env, check=False, stdout=subprocess.PIPE, text=True
    )


class Clock:
    """Sets the clock of this process, which was started by `run_simulated`."""

    def __init__(self) -> None:
        with Path(os.environ[FILE]).open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)
        self._real = time.time

    def set(self, moment: datetime) -> None:
        """Let it be this moment now; it goes on from there."""
        ahead = moment.timestamp() - time.time() + struct.unpack("q", self._offset[:])[0] / 1e9
        self._offset[:] = struct.pack("q", round(ahead * 1e9))

    def now(self) -> datetime:
        """The simulated moment."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.set(self.now() + timedelta(seconds=seconds))


class SimulatedTimetable:
    """`loader.schedule.timetable.Timetable` without threads: waiting for a job is a jump of the clock."""

    def __init__(self, jobs: Sequence[Job], clock: Clock, end: datetime) -> None:
        self._jobs, self._clock, self._end = jobs, clock, end
        begin = clock.now()
        self._triggers = [JobTrigger(job, begin) for job in jobs]
        self._next = [trigger.get_next_fire_time(None, begin) for trigger in self._triggers]
        self._due: deque[int] = deque()
        self.fired: list[tuple[int, datetime]] = []

    def wait(self) -> Job | None:
        """The next job that is due; None at the end of the simulated time."""
        self._note()
        if not self._due:
            following = min(moment for moment in self._next if moment)
            if following >= self._end:
                return None
            self._clock.set(following)
            self._note()
        return self._jobs[self._due.popleft()]

    def pause(self, seconds: float) -> bool:
        """Let time pass."""
        self._clock.advance(seconds)
        return True

    def _note(self) -> None:
        """Note what has become due since the last look, in the order of the times."""
        while True:
            number = min(range(len(self._jobs)), key=lambda n: self._next[n] or self._end)
            moment = self._next[number]
            if moment is None or moment > self._clock.now() or moment >= self._end:
                return
            self.fired.append((number, moment))
            if number not in self._due:
                self._due.append(number)
            self._next[number] = self._triggers[number].get_next_fire_time(moment, self._clock.now())
