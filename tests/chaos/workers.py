"""Processes of the loader under attack: let run to a random moment, signalled, their ends judged."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.servers.command import Running

ENDED_WELL = {
    0,
    75,
}  # caught up or stopped; come again later: the broker is away, or another writer has the file
STOPPED = {0, 143, -signal.SIGTERM}  # as asked; before the loader was there to hear it
LOOK = 0.02  # seconds between two looks at a process
LONG = 300.0  # seconds after which something that should end has not
SHOWN = 2_000  # letters of what a strange process said last


@dataclass
class Worker:
    """One process, and what was sent to it."""

    running: Running
    verb: str
    born: float = field(default_factory=time.monotonic)
    expected: set[int] = field(default_factory=lambda: set(ENDED_WELL))

    @property
    def lives(self) -> bool:
        """Whether it has not ended, by itself or by us."""
        return self.running.process.poll() is None

    @property
    def commits(self) -> int:
        """How many batches it says that it has committed."""
        return self.running.err.count("] committed ")

    def lasts(self, seconds: float) -> bool:
        """Let it run so long; whether it still lives."""
        try:
            self.running.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return True
        return False

    def commits_again(self, times: int, patience: float) -> bool:
        """Let it commit so often, or live so long (seconds); whether it still lives."""
        wanted, deadline = self.commits + times, time.monotonic() + patience
        while self.commits < wanted and time.monotonic() < deadline:
            if not self.lasts(LOOK):
                return False
        return self.lives

    def send(self, number: signal.Signals) -> None:
        """A signal; no effect on one that has ended."""
        self.running.process.send_signal(number)

    def kill(self) -> bool:
        """SIGKILL; whether that is what ended it."""
        if not self.lives:
            return False
        self.expected = {-signal.SIGKILL, *ENDED_WELL}  # it may have been about to end
        return self.running.kill().code == -signal.SIGKILL

    def terminate(self) -> None:
        """SIGTERM, and wait for its end."""
        self.expected = STOPPED | ENDED_WELL
        self.send(signal.SIGTERM)
        self.running.process.wait(LONG)


@dataclass
class Ends:
    """How processes ended; `strange` holds those that nobody asked for, with what they said last."""

    codes: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)

    def note(self, worker: Worker) -> None:
        """Judge a process that has ended."""
        code = worker.running.process.wait()
        self.codes[f"{worker.verb}: {code}"] += 1
        if code not in worker.expected:
            said = f"{worker.running.out_file.read_text()}{worker.running.err}"
            self.strange.append(f"{worker.verb} ended with {code}: {said[-SHOWN:]}")
