"""Run a program to its end and say what it has cost.

The kernel hands a parent's own peak memory down to the programs that it starts (`ru_maxrss` of a
child begins at the parent's), so the process that calls this must stay small: it imports no Arrow
and no DuckDB, and leaves even the making of the records to a child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 900.0  # seconds after which a program counts as hung and is killed
IGNORED = ("LOADER_", "PYTHONDONTWRITEBYTECODE")  # variables of the environment
MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


@dataclass(frozen=True, slots=True)
class Done:
    """The JSON object that a program printed, its cost (seconds, bytes, CPU seconds), and its stderr."""

    result: dict[str, Any]
    wall: float
    peak: int
    user: float
    system: float
    said: str

    @property
    def cpu(self) -> float:
        """CPU seconds, user and system."""
        return self.user + self.system


class Child:
    """A program that runs; its output goes to files, so that it never waits for us to read it."""

    def __init__(self, *command: str, patience: float = PATIENCE) -> None:
        self._command = command
        self._out, self._err = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115 - `wait` closes
        self._begun = time.perf_counter()
        env = {name: value for name, value in os.environ.items() if not name.startswith(IGNORED)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err, cwd=REPOSITORY, env=env
        )
        self._alarm = threading.Timer(patience, self._process.kill)
        self._alarm.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def said(self) -> str:
        """Its standard error so far; its own place in the file is not moved."""
        size = os.fstat(self._err.fileno()).st_size
        return os.pread(self._err.fileno(), size, 0).decode(errors="replace")

    def __enter__(self) -> Self:
        """Nothing: it runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """It does not outlive the block."""
        if self._process.returncode is None:
            self.kill()

    def stop(self) -> Done:
        """Ask it to end (SIGTERM) and wait for that."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> Done:
        """Wait for its end. Raises RuntimeError if it fails or prints anything but one JSON object."""
        try:
            _, status, usage = os.wait4(self._process.pid, 0)
        except BaseException:
            self.kill()
            raise
        finally:
            self._alarm.cancel()
        wall = time.perf_counter() - self._begun
        self._process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped: Popen must not look
        self._out.seek(0)
        printed, said = self._out.read(), self.said()
        self._out.close()
        self._err.close()
        if self._process.returncode:
            code = self._process.returncode
            raise RuntimeError(f"{' '.join(self._command)}: exit code {code}\n{printed}{said}")
        return Done(json.loads(printed), wall, usage.ru_maxrss * MAXRSS, usage.ru_utime, usage.ru_stime, said)

    def kill(self) -> None:
        """End it at once."""
        self._alarm.cancel()
        self._process.kill()
        self._process.wait()


def run(*command: str) -> Done:
    """Run a program from the repository, whatever LOADER variables the user has set.

    Python may keep its compiled modules, as wherever nobody forbids it: without, each start compiles
    all packages again: a second of CPU, counted as the loader's. Raises RuntimeError as `Child.wait`.
    """
    return Child(*command).wait()


def run_python(*words: str) -> Done:
    """Run `python -m <words>`."""
    return run(sys.executable, "-m", *words)
