"""Run one verb as a process of its own, alone on its warehouse.

A process isolates memory and crashes, and leaves the verb exactly as it is when typed. It inherits
the lock, so that the turn lasts as long as it lives, also when the scheduler is killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK = 0.05  # seconds between two looks at a lock that another scheduler holds
BREATH = 0.2  # seconds that a lock stays free after a job, so that another scheduler gets it
BY_SCHEDULE = "LOADER_SCHEDULED"  # set for the child: the scheduler writes the run history


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: exit code (negative: the signal), and its result, empty where it gave none."""

    exit_code: int
    result: Mapping[str, Any]


class Turn:
    """The lock that jobs of all schedulers of one warehouse take in turn; safety is the warehouse's own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._given = -BREATH

    def take(self, pause: Callable[[float], bool], waiting: Callable[[], None]) -> int | None:
        """Wait for the lock and give its descriptor; None when `pause` says that the schedule has ended.

        `waiting` is called once if another process holds it.
        """
        if time.monotonic() - self._given < BREATH and not pause(BREATH):
            return None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        told = False
        while not _locked(handle):
            if not told:
                waiting()
                told = True
            if not pause(LOOK):
                os.close(handle)
                return None
        self._handle = handle
        return handle

    def give(self) -> None:
        """Let it go; no effect when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle, self._given = None, time.monotonic()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Child:
    """At most one process at a time; signals go to it through `send`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._pending: list[int] = []

    def run(self, command: Sequence[str], lock: int) -> Ended:
        """Run to the end, in its own session: Ctrl-C reaches only the scheduler, which sends a signal."""
        environment = {**os.environ, BY_SCHEDULE: "1"}
        with subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            pass_fds=(lock,),
            start_new_session=True,
        ) as process:
            self._process = process
            for number in self._pending:  # it came between the look at the clock and the start
                self._deliver(process, number)
            output, _ = process.communicate()
        self._process = None
        return Ended(process.returncode, _result(output))

    def send(self, number: int) -> None:
        """Pass a signal on to the process, or to the next one. May be called in a signal handler."""
        if self._process is None:
            self._pending.append(number)
        else:
            self._deliver(self._process, number)

    @staticmethod
    def _deliver(process: subprocess.Popen[str], number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.Signals(number))


def _result(output: str) -> Mapping[str, Any]:
    try:
        found = json.loads(output.strip().rsplit("\n", 1)[-1])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
