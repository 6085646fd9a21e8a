"""Runs the command line again and again, each time in a process of its own that has its imports behind it.

A command spends most of its second on imports. So one process imports everything, touches nothing else, and
forks a child for each command; `LD_PRELOAD` holds for all of them, and the shim's settings come with
each command.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers.command import Cli, Result

IMPORTED = (
    "loader.cli.main",
    "loader.cli.wiring",
    "loader.cli.maintain",
    "loader.warehouse.maintenance",
    "tests.crash.played",
)


LONGEST = 120  # seconds that a command may take: one that hangs fails its own test and no other


class Nursery:
    """Takes the words and the environment of a command, gives its result, as `Cli` does."""

    def __init__(self, cli: Cli, library: Path) -> None:
        self._folder = cli.folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            env=cli.environment({"LD_PRELOAD": str(library)}),
            cwd=cli.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, words: tuple[object, ...], env: dict[str, str], **disturbed: object) -> Result:
        """Run one command to its end.

        `limits` bounds the process (by the names of `resource`), `room` is what RLIMIT_AS leaves it beyond
        what it has, in bytes; `out` and `err` are other files for its output, such as /dev/full.
        A command that hangs ends with -SIGALRM.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError(self._process)
        files = {name: str(disturbed.get(name, self._folder / f"nursery.{name}")) for name in ("out", "err")}
        order = {"words": [*map(str, words)], "env": env, "limits": {}} | disturbed | files
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        told = (Path(file).read_text() if Path(file).is_file() else "" for file in files.values())
        return Result(code, *told)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _run(order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(order: dict[str, Any]) -> None:
    """Be the command, in the child; its connections are closed when `main` ends."""
    from loader import failpoints
    from loader.cli.main import main
    from tests.crash.played import play

    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(order["env"])
    failpoints._armed = os.environ.get("LOADER_FAIL", "")
    if "PLAYED_STORY" in os.environ:
        play()
    for name, most in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    if room := order.get("room"):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room,) * 2)
    sys.argv = ["loader", *order["words"]]
    signal.alarm(LONGEST)
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))  # the threads of Arrow, made before the fork, cannot be ended in order


if __name__ == "__main__":
    for name in IMPORTED:
        __import__(name)
    _serve()
