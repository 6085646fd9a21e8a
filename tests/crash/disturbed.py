"""Runs the command line again and again, each time disturbed in its own way.

`LD_PRELOAD` holds for all commands of one nursery, and the shim's settings come with each command.
"""

from __future__ import annotations

import os
import resource
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from tests.servers.command import Cli, Result, nursery_for

NOBODY = "|"  # in place of a file: a pipe that nobody reads
LONGEST = 120  # seconds that a command may take: one that hangs fails its own test and no other


class Disturbed:
    """Takes the words and the environment of a command, gives its result, as `Cli` does."""

    def __init__(self, cli: Cli, library: Path) -> None:
        self._cli = cli
        self._nursery = nursery_for(cli.environment({"LD_PRELOAD": str(library)}))

    def __call__(
        self,
        words: tuple[object, ...],
        env: dict[str, str],
        *,
        out: str = "",
        err: str = "",
        limits: dict[str, int] | None = None,
        room: int = 0,
    ) -> Result:
        """Run one command to its end, which is -SIGALRM if it hangs.

        `limits` bounds the process (by the names of `resource`), `room` is what RLIMIT_AS leaves it beyond
        what it has, in bytes; `out` and `err` are other files for its output, such as /dev/full, or NOBODY.
        """
        texts = [
            Path(out or self._cli.folder / "disturbed.out"),
            Path(err or self._cli.folder / "disturbed.err"),
        ]
        with ExitStack() as opened:
            files = [opened.enter_context(Path(os.devnull).open("rb"))]
            files += [opened.enter_context(_opened(text)) for text in texts]
            child = self._nursery.start(
                [*map(str, words)],
                self._cli.environment(env),
                self._cli.folder,
                [file.fileno() for file in files],
                ("tests.crash.disturbed:disturb", {"limits": limits or {}, "room": room}),
            )
            code = child.wait()
        return Result(code, *(text.read_text() if text.is_file() else "" for text in texts))


def _opened(file: Path) -> IO[bytes]:
    if str(file) != NOBODY:
        return file.open("wb")
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb")


def disturb(limits: dict[str, int], room: int) -> None:
    """In the child, before the command: its topic out of a file if there is one, and its limits."""
    from tests.crash.played import play

    if "PLAYED_STORY" in os.environ:
        play()
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))
    if room:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room,) * 2)
    signal.alarm(LONGEST)
