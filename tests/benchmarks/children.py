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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 900.0  # seconds after which a program counts as hung and is killed
IGNORED = ("LOADER_", "PYTHONDONTWRITEBYTECODE")  # variables of the environment
MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


@dataclass(frozen=True, slots=True)
class Done:
    """The JSON object that a program printed, and its cost: seconds, bytes, CPU seconds."""

    result: dict[str, Any]
    wall: float
    peak: int
    user: float
    system: float


def run_python(*words: str) -> Done:
    """Run `python -m <words>` from the repository, whatever LOADER variables the user has set.

    Python may keep its compiled modules, as wherever nobody forbids it: without, each start compiles
    all packages again: a second of CPU, counted as the loader's.

    Raises RuntimeError with its standard error if it fails or prints anything but one JSON object.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code, done = _measured([sys.executable, "-m", *words], out, err)
        text, trouble = _all(out), _all(err)
    if code:
        raise RuntimeError(f"{' '.join(words)}: exit code {code}\n{text}{trouble}")
    return Done(json.loads(text), *done)


def _measured(
    command: Sequence[str], out: IO[str], err: IO[str]
) -> tuple[int, tuple[float, int, float, float]]:
    """Exit code, and wall seconds, peak bytes, user and system seconds."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(IGNORED)}
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=REPOSITORY, env=env
    )
    alarm = threading.Timer(PATIENCE, process.kill)
    alarm.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped: Popen must not look for it again
    wall = time.perf_counter() - begun
    return process.returncode, (wall, usage.ru_maxrss * MAXRSS, usage.ru_utime, usage.ru_stime)


def _all(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
