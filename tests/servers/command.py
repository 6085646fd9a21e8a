"""The real command line of the loader as a subprocess, as a user or a scheduler runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
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

    process: subprocess.Popen[bytes]
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


@dataclass
class Cli:
    """Runs `loader` in one folder; `env` is added to every command."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
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
        done = subprocess.run(
            self.command(*args),
            input=stdin or "",
            cwd=cwd or self.folder,
            env=self.environment(env),
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *args: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> Running:
        """Start a command and go on; whatever still runs when the test ends is killed."""
        name = f"command-{len(self._started)}"
        files = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with files[0].open("wb") as out, files[1].open("wb") as err:
            process = subprocess.Popen(
                self.command(*args),
                cwd=cwd or self.folder,
                env=self.environment(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._started.append(Running(process, *files))
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

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """The user's environment without LOADER variables; the repository can be imported from any folder."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
        return inherited | {"NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY)} | self.env | (extra or {})
