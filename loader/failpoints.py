"""Named places where a test can stop the loader: `LOADER_FAIL=before_commit:kill`.

Costs one comparison where the variable is unset. Actions: `kill` (SIGKILL to ourselves), `stop`
(SIGSTOP), `abort` (SIGABRT, as native libraries end), `raise` (RuntimeError), `sleep` (five seconds).
`before_commit:kill:3` acts the third time the place is reached. Each hit is written to
`LOADER_FAIL_LOG`, so that a test can prove that its place was reached.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

PLACES = (
    "after_consume",
    "after_parse",
    "after_write",
    "before_begin",
    "mid_insert",
    "before_commit",
    "after_commit",
    "before_acknowledge",
    "after_acknowledge",
    "in_assign",
    "in_revoke",
)

UPKEEP = (
    "mid_change",
    "before_change_commit",
    "after_change_commit",
    "mid_orphans",
    "mid_retention",
    "mid_sort",
)
"""Places in the changes that are no batch: maintenance, and the run history."""

DELIVERY = ("before_send", "before_mark", "after_mark")
"""Places between the commit of derived rows and the mark that they were sent."""

_armed = os.environ.get("LOADER_FAIL", "")
_hits = 0


def fail_point(place: str) -> None:
    """Do what `LOADER_FAIL` asks for at this place; nothing when it is unset."""
    if _armed and _armed.split(":")[0] == place:
        _reached(place)


def _reached(place: str) -> None:
    global _hits  # noqa: PLW0603 - one counter per process is the purpose
    _hits += 1
    _, action, *count = _armed.split(":")
    if _hits != int(count[0] if count else 1):
        return
    if log := os.environ.get("LOADER_FAIL_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{place}\n")
    _act(action, place)


def _act(action: str, place: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "abort":
        os.abort()
    elif action == "sleep":
        time.sleep(5)
    else:
        message = f"fail point {place}"
        raise RuntimeError(message)
