"""Starts of `loader` without its imports: `python -m tests.chaos.nursery` has done them, and forks.

A child runs the same `main` with the same words as `python -m loader`, in a process of its own. What is
left out is the second in which Python imports modules and a kill could meet nothing. Requests come as
lines of JSON on standard input (`words`, `out`, `err`), answers go to standard output: `{"pid": 7}` at
once, `{"pid": 7, "code": -9}` when that child has ended. It ends with its standard input.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from tests.servers.command import Cli, Running

LEFT_OUT = ("loader.__main__", "loader.warehouse.asked")  # programs of their own


class Child:
    """A forked `loader`, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid
        self._handle = os.pidfd_open(pid)  # the number may be another's soon after its end, the handle never
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it lives."""
        if self.returncode is None:
            self._nursery.listen(0)
            self._look()
        return self.returncode

    def _look(self) -> None:
        self.returncode = self._nursery.codes.get(self.pid)
        if self.returncode is not None:
            os.close(self._handle)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end (seconds); raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("loader", timeout or 0)
            self._nursery.listen(min(left, 1.0))
        return code

    def send_signal(self, number: int) -> None:
        """A signal; no effect on one that has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended a moment ago
                signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Nursery(Cli):
    """A Cli whose `start` forks. Commands that run to their end are started as users start them."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        super().__init__(folder, env)
        self.codes: dict[int, int] = {}
        self._born = 0
        command = [sys.executable, "-m", "tests.chaos.nursery"]
        self._home = subprocess.Popen(
            command, cwd=folder, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, *args: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> Running:
        """Fork a child that runs these words; it has the environment and the folder of the nursery."""
        if env or cwd:
            raise ValueError("all children have one environment and one folder")
        files = [self.folder / f"command-{len(self._started)}.{name}" for name in ("out", "err")]
        for file in files:
            file.touch()  # the child may be slow to open them
        request = {"words": list(map(str, args)), "out": str(files[0]), "err": str(files[1])}
        cast("Any", self._home.stdin).write(json.dumps(request).encode() + b"\n")
        cast("Any", self._home.stdin).flush()
        self._born = 0
        while not self._born:
            self.listen(60)
        self._started.append(Running(cast("Any", Child(self, self._born)), *files))
        return self._started[-1]

    def listen(self, timeout: float) -> None:
        """Take one answer, if there is one within so many seconds."""
        answers = cast("Any", self._home.stdout)
        if not select.select([answers], [], [], timeout)[0]:
            return
        line = answers.raw.readline()
        if not line:
            raise EOFError("the nursery has ended")
        answer = json.loads(line)
        if "code" in answer:
            self.codes[answer["pid"]] = answer["code"]
        else:
            self._born = answer["pid"]
            self.codes.pop(self._born, None)  # of another that had this number before

    def close(self) -> None:
        """Kill what still runs, then end the nursery."""
        super().close()
        self._home.communicate()


def imported() -> None:
    """Import all of `loader`, and with it what it needs."""
    import loader

    for module in pkgutil.walk_packages(loader.__path__, "loader."):
        if module.name not in LEFT_OUT:
            importlib.import_module(module.name)


def serve() -> list[str]:
    """Fork for each request; returns in a child only, with its words, and ends with standard input."""
    children: dict[int, int] = {}  # process id by its descriptor
    lines = os.fdopen(0, "rb", buffering=0)
    while True:
        ready, _, _ = select.select([lines, *children], [], [])
        for number in ready:
            if number is not lines:
                pid = children.pop(number)
                os.close(number)
                _answer(pid=pid, code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if lines in ready:
            line = lines.readline()
            if not line:
                os._exit(0)
            request = json.loads(line)
            if (pid := os.fork()) == 0:
                for number in children:
                    os.close(number)
                return _settled(request)
            children[os.pidfd_open(pid)] = pid
            _answer(pid=pid)


def _answer(**facts: int) -> None:
    os.write(1, json.dumps(facts).encode() + b"\n")


def _settled(request: dict[str, Any]) -> list[str]:
    """In the child: nothing to read, output into files, words as a command line has them."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, name, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["out"], flags),
        (2, request["err"], flags),
    ):
        opened = os.open(name, how)
        os.dup2(opened, number)
        os.close(opened)
    return [*request["words"]]


if __name__ == "__main__":
    from loader.cli.main import main

    imported()
    try:
        main(serve())
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))  # what Arrow began before the fork cannot be ended in order
