"""End or disturb the loader at the n-th change of a file, for every n of one command; the oracle judges.

    python -m tests.crash.syscalls --warehouse ducklake --how kill --of load [--save] [--seconds 600]

prints one JSON object, and exits 0 when every point ended exact, else 1; `--save` keeps the object in
tests/crash/results, where the page about reliability reads it, and goes on where an earlier run ended.
The topic comes out of a file, all else is the real command; the test suite takes a few of the points
with a real Kafka. The disturbances:

    kill      SIGKILL before the call
    power     the same, and whatever was not synced is gone
    eio       the call fails once
    eio-kill  the same, and SIGKILL before the next call: what was said to have failed may be there after all
    full      it and all later calls that need room fail

One point more than there are calls is tried: the end, where `power` shows that what was said to be done is.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.power import Call
from tests.crash.scenes import Scene, load_scene, upkeep_scene
from tests.pipelines import KINDS
from tests.servers.command import Cli

RESULTS = Path(__file__).with_name("results")
COMMANDS = ("load", "first-load", "maintain")
HOWS = ("kill", "power", "eio", "eio-kill", "full")
ENDED = ("kill", "power")
KILLED = -9
GOOD_ENDS = (0, 1, 75)  # what a command may say that could not write: done after all, look at it, run again


@dataclass
class Verdict:
    """What was tried and what came of it."""

    warehouse: str
    of: str
    how: str
    calls: int = 0
    tried: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    by_call: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """One object; `ok` when nothing was wrong and something was tried."""
        facts = {**vars(self), "ends": dict(self.ends), "by_call": dict(self.by_call)}
        return {"ok": not self.wrong and self.tried > 0, **facts}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Verdict:
        """What an earlier run has found."""
        counters = {name: Counter(facts[name]) for name in ("ends", "by_call")}
        return cls(**{name: facts[name] for name in vars(cls("", "", ""))} | counters)


def scene(of: str, cli: Cli, kind: str) -> AbstractContextManager[Scene]:
    """The warehouse and the command that are tried."""
    return upkeep_scene(cli, kind) if of == "maintain" else load_scene(cli, kind, first=of == "first-load")


def count(scene: Scene) -> list[Call]:
    """The calls of an undisturbed command."""
    result, calls = scene.act(0, "count")
    assert result.code == 0, result.err
    scene.reset()
    return calls


def try_point(scene: Scene, at: int, how: str) -> tuple[int, str]:
    """One point; the exit code and the name of the call that was disturbed. Raises AssertionError."""
    result, calls = scene.act(at, how)
    hit = calls[at - 1].name if len(calls) >= at else "the end"
    where = f"{calls[at - 1]}" if len(calls) >= at else hit
    if how in ENDED:
        assert result.code == (0 if hit == "the end" else KILLED), f"{result.code} at {where}: {result.err}"
    else:
        good = (*GOOD_ENDS, KILLED) if how == "eio-kill" else GOOD_ENDS
        assert result.code in good, f"{result.code} at {where}: {result.err}"
    try:
        scene.judge(caught_up=False)
        scene.heal()
        scene.judge(caught_up=True)
    except AssertionError as wrong:
        raise AssertionError(f"after {result.code} at {where}: {wrong}\n{result.err}") from wrong
    scene.reset()
    return result.code, hit


def try_all(scene: Scene, verdict: Verdict, seconds: float) -> None:
    """All points of one command that were not tried yet, as far as the time allows."""
    begun, before = time.monotonic(), verdict.seconds
    verdict.calls = verdict.calls or len(count(scene))
    for at in range(verdict.tried + 1, verdict.calls + 2):
        if time.monotonic() - begun > seconds:
            break
        try:
            code, hit = try_point(scene, at, verdict.how)
        except Exception as wrong:  # noqa: BLE001 - a point that went wrong does not hide the others
            verdict.wrong.append(f"call {at}: {type(wrong).__name__}: {wrong}")
            scene.reset()
        else:
            verdict.ends[str(code)] += 1
            verdict.by_call[hit] += 1
        verdict.tried += 1
        print(f"{at}/{verdict.calls}", file=sys.stderr)
        verdict.seconds = round(before + time.monotonic() - begun, 1)


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--warehouse", choices=KINDS, default="ducklake")
    parser.add_argument("--how", choices=HOWS, default="kill")
    parser.add_argument("--of", choices=COMMANDS, default="load", help="first-load: into no warehouse yet")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--save", action="store_true", help="keep the result in tests/crash/results")
    wanted = parser.parse_args(arguments)
    file = RESULTS / f"syscalls-{wanted.of}-{wanted.warehouse}-{wanted.how}.json"
    verdict = Verdict(wanted.warehouse, wanted.of, wanted.how)
    if wanted.save and file.exists():
        verdict = Verdict.from_json(json.loads(file.read_text()))
    with tempfile.TemporaryDirectory(prefix="syscalls-") as folder:
        cli = Cli(Path(folder))
        with scene(wanted.of, cli, wanted.warehouse) as prepared:
            try_all(prepared, verdict, wanted.seconds)
    result = verdict.as_json()
    print(json.dumps(result))
    if wanted.save:
        RESULTS.mkdir(exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
