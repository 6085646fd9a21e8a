"""The real command line of the loader as a subprocess, as a user or a scheduler runs it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.servers.nursery import Child, Nursery

REPOSITORY = Path(__file__).parents[2]
TYPED = Path(__file__).with_name("typed.py")
Process = subprocess.Popen[bytes] | Child
AT_START = ("LC_", "LANG", "LD_", "PYTHON")  # what a process reads when it starts
DROPPED = ("LOADER", "PYTHONDONTWRITEBYTECODE")  # without bytecode every start compiles a second's worth


@dataclass(frozen=True)
class Result:
    """What a finished command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object that --json promises on standard output."""
        lines = self.out.splitlines()
        if len(lines) != 1:
            raise AssertionError(f"--json must print one line, not {len(lines)}:\n{self.out}\n{self.err}")
        return json.loads(lines[0])


@dataclass(frozen=True)
class Running:
    """A command under way. It writes to files, so it never waits for a reader."""

    process: Process
    out_file: Path
    err_file: Path

    @property
    def pid(self) -> int:
        """The process id, for signals."""
        return self.process.pid

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return self.err_file.read_text()

    def terminate(self, timeout: float = 60.0) -> Result:
        """SIGTERM, then wait (seconds)."""
        self.process.terminate()
        return self.wait(timeout)

    def kill(self) -> Result:
        """SIGKILL, then wait."""
        self.process.kill()
        return self.wait()

    def wait(self, timeout: float = 60.0) -> Result:
        """Wait for its end (seconds); raises subprocess.TimeoutExpired."""
        code = self.process.wait(timeout)
        return Result(code, self.out_file.read_text(), self.err_file.read_text())

    def measured(self, timeout: float = 120.0) -> tuple[Result, int]:
        """Wait for its end (seconds); the most memory that it had, in bytes (Linux)."""
        status, most, deadline = Path(f"/proc/{self.pid}/status"), 0, time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())  # none of one that has ended
            most = int(found[1]) << 10 if found else most
            time.sleep(0.02)
        return self.wait(1.0), most


@dataclass
class Cli:
    """Runs `loader` in one folder; `env` is added to every command.

    Each is forked from a process that has the imports behind it (nursery.py), unless `fork` says that it is
    started as users start it.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    fork: bool = True
    _started: list[Running] = field(default_factory=list)

    def __call__(
        self,
        *args: object,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str | None = None,
        timeout: float = 120.0,
    ) -> Result:
        """Run a command to its end (seconds); its exit code is for the test to judge."""
        with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            given.write(stdin or "")
            given.seek(0)
            files = (given.fileno(), out.fileno(), err.fileno())
            process = self._begin(args, env, cwd, files)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            out.seek(0)
            err.seek(0)
            return Result(code, out.read(), err.read())

    def start(self, *args: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> Running:
        """Start a command and go on; whatever still runs when the test ends is killed."""
        name = f"command-{len(self._started)}"
        texts = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with Path(os.devnull).open("rb") as given, texts[0].open("wb") as out, texts[1].open("wb") as err:
            files = (given.fileno(), out.fileno(), err.fileno())
            process = self._begin(args, env, cwd, files)
        self._started.append(Running(process, *texts))
        return self._started[-1]

    def close(self) -> None:
        """Kill what was started and still runs."""
        for running in self._started:
            if running.process.poll() is None:
                running.process.kill()
            running.process.wait()

    def command(self, *args: object) -> list[str]:
        """The words of a command."""
        return [sys.executable, "-m", "loader", *map(str, args)]

    def typed(self) -> Path:
        """A folder for PATH with a `loader` in it that is forked like the others (typed.py)."""
        program = self.folder / "typed" / "loader"
        words = (sys.executable, "-IS", TYPED, nursery_for(self.environment()).address)
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
        program.chmod(0o755)
        return program.parent

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """The user's environment without LOADER variables; the repository can be imported from any folder."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
        return inherited | {"NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY)} | self.env | (extra or {})

    def _begin(
        self,
        args: tuple[object, ...],
        env: dict[str, str] | None,
        cwd: Path | None,
        files: tuple[int, int, int],
    ) -> Process:
        whole, folder = self.environment(env), cwd or self.folder
        if self.fork:
            return nursery_for(whole).start([*map(str, args)], whole, folder, files)
        stdin, stdout, stderr = files
        command = self.command(*args)
        return subprocess.Popen(command, cwd=folder, env=whole, stdin=stdin, stdout=stdout, stderr=stderr)


def nursery_for(env: Mapping[str, str]) -> Nursery:
    """The one of this process that has this environment, as far as it matters when a process starts."""
    return _nursery(tuple((name, env[name]) for name in sorted(env) if name.startswith(AT_START)))


@functools.cache
def _nursery(at_start: tuple[tuple[str, str], ...]) -> Nursery:
    nursery = Nursery(Cli(Path.cwd()).environment(dict(at_start)))
    atexit.register(nursery.close)
    return nursery
