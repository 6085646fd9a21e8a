"""`status --watch` in a real terminal: it follows a load, fits, obeys NO_COLOR and ends cleanly."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest
from rich.console import Console

from loader.cli.live import Page, Rate
from tests.conftest import MakeTopic
from tests.pipelines import Pipeline, tell, until
from tests.servers import topics
from tests.servers.command import Cli

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SHOW_CURSOR = "\x1b[?25h"


@dataclass
class Terminal:
    """A command in a terminal of its own, and everything that it has written."""

    process: subprocess.Popen[bytes]
    handle: int
    text: str = ""

    def says(self, word: str) -> bool:
        """Read what is there; whether the word has come."""
        with suppress(BlockingIOError, OSError):
            self.text += os.read(self.handle, 65536).decode()
        return word in self.text


@contextmanager
def terminal(pipeline: Pipeline, *words: str, width: int, env: dict[str, str]) -> Iterator[Terminal]:
    """Run a verb in a terminal of this width; it is killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    os.set_blocking(ours, False)
    environment = pipeline.cli.environment({"TERM": "xterm-256color", **env})
    for name in ("COLUMNS", "LINES") + (() if "NO_COLOR" in env else ("NO_COLOR",)):
        environment.pop(name, None)
    process = subprocess.Popen(
        pipeline.cli.command("-c", pipeline.file, *words),
        cwd=pipeline.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize(
    ("number", "env"), [(signal.SIGINT, {}), (signal.SIGTERM, {"NO_COLOR": "1"})], ids=["colour", "no-colour"]
)
def test_the_page_follows_a_load(
    kafka: str, topic: MakeTopic, cli: Cli, number: signal.Signals, env: dict[str, str]
) -> None:
    """From new to idle, with a rate; Ctrl-C and SIGTERM end with 0, the cursor is back, no error is left."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2))
    topics.produce(kafka, pipeline.topic, tell(300, seed=1, partitions=2).messages)
    with terminal(pipeline, "status", "--watch", width=40, env=env) as seen:
        until(lambda: seen.says("pipeline orders: new"), "the first page")
        assert pipeline("load").code == 0
        until(lambda: seen.says("pipeline orders: idle") and seen.says("records/s"), "the load is seen")
        seen.process.send_signal(number)
        until(lambda: seen.process.poll() is not None, "it has ended", timeout=20)
        seen.says("")
        assert seen.process.returncode == 0, seen.text
    assert SHOW_CURSOR in seen.text
    assert "Traceback" not in seen.text
    assert "error:" not in seen.text
    assert bool(re.search(r"\x1b\[[0-9;]*3\dm", seen.text)) == (not env)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.text)
    assert max(len(line) for line in re.split(r"[\r\n]+", plain)) <= 40


RESULT = {
    "pipeline": "orders", "state": "behind", "problem": "", "published_age_s": None,
    "partitions": [
        {"partition": p, "committed": 1_000_000, "low": 0, "end": 1_000_000 + p, "lag": p} for p in range(100)
    ],
    "totals": {"loaded": 99, "duplicates": 1, "quarantined": 0, "skipped": 0},
    "last_batch": {"committed_at": "2026-03-03T10:30:00Z", "worker": "host:4711", "consumed": 100},
    "lag": 4950, "event_time_lag_s": 14.2, "freshness": None,
    "quarantine": {"open": 3, "by_reason": {"amount: a[red]bout": 3}, "by_state": {}},
    "gaps": [], "topics": [], "schedule": [], "last_run": None, "derived": [],
    "unknown_fields": {"policy": "ignore", "fields": []},
}  # fmt: skip


def test_many_partitions_fit_into_a_small_terminal() -> None:
    """Those with the largest lag are shown; what a record brought in is no markup."""
    console = Console(width=40, height=20, force_terminal=True, no_color=True, record=True)
    console.print(Page(RESULT, 12.5, "10:30:00", "the broker is away").shown(console))
    lines = console.export_text().splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 40
    text = " ".join(" ".join(lines).split())
    for word in (
        "1,000,099", "by host:4711", "newest event is 14 s old", "and 96 more partitions", "12 records/s",
        "the broker is away", "a[red]bout",
    ):  # fmt: skip
        assert word in text, text


def test_the_rate_is_of_the_time_between_two_looks() -> None:
    """Nothing at the first look; a rewind is no negative rate."""
    times = iter([0.0, 2.0, 4.0])
    rate = Rate(lambda: next(times))
    assert [rate.seen({"loaded": n, "skipped": 1}) for n in (0, 100, 50)] == [None, 50.0, 0]


def test_it_is_for_terminals(cli: Cli) -> None:
    """In a pipe it is a mistake of the command line, not an endless file."""
    pipeline = Pipeline(cli, "127.0.0.1:1", "orders")
    for result in (pipeline("status", "--watch"), cli("-c", pipeline.file, "status", "--watch")):
        assert (result.code, "--watch: is for a terminal" in result.err) == (2, True)


def test_watching_gives_no_verdict(cli: Cli) -> None:
    """--check beside --watch is refused in one line instead of being passed over."""
    refused = cli("-c", Pipeline(cli, "127.0.0.1:1", "orders").file, "status", "--watch", "--check")
    assert (refused.code, refused.out) == (2, "")
    [line] = refused.err.splitlines()
    assert line.startswith("error: --watch --check: ends with Ctrl-C, not with a verdict")
