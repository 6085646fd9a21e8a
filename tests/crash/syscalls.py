"""End or disturb the loader at the n-th change of a file, for every n of one load; the oracle judges.

    python -m tests.crash.syscalls --warehouse ducklake [--how kill] [--every 1] [--first-batch]

starts a Kafka of its own, prints one JSON object, and exits 0 when every point ended exact, else 1. The
test suite takes a few of the points. `kill` ends the process before the call, `eio` lets the call
fail once, `full` lets it and all later ones that need room fail.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.oracle import Record, read_topic
from tests.pipelines import KINDS, Pipeline, Story, tell
from tests.servers import topics
from tests.servers.command import Cli, Result
from tests.servers.kafka import KafkaServer

SHIM = Path(__file__).with_name("shim.c")
HOWS = ("kill", "eio", "full")
KILLED = -9
GOOD_ENDS = (0, 1, 75)  # what a load may say that could not write: done after all, look at it, run again


def build_shim(folder: Path) -> Path:
    """Compile the library. Raises FileNotFoundError without gcc, CalledProcessError when it fails."""
    library = folder / "shim.so"
    command = ["gcc", "-O1", "-fPIC", "-shared", "-Wall", "-Werror", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True)
    return library


@dataclass(frozen=True)
class Stage:
    """A topic of which a part is loaded, the rest of it, and the library; `load` is one batch."""

    pipeline: Pipeline
    story: Story
    records: list[Record]
    library: Path
    pristine: Path

    def reset(self) -> None:
        """Put the warehouse back to what it was before the load."""
        shutil.rmtree(self.pipeline.folder)
        shutil.copytree(self.pristine, self.pipeline.folder)

    def load(self, at: int, how: str) -> tuple[Result, list[str]]:
        """Load with the n-th call disturbed; the result, and the calls that were counted."""
        log = self.pristine.parent / f"calls-{uuid.uuid4().hex}"
        env = {
            "LD_PRELOAD": str(self.library),
            "SHIM_FOLDER": f"{self.pipeline.folder}/",
            "SHIM_AT": str(at),
            "SHIM_HOW": how,
            "SHIM_LOG": str(log),
        }
        result = self.pipeline("load", env=env)
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return result, calls

    def heal_and_judge(self) -> None:
        """Load again, undisturbed: every record is in its place once, and `verify` agrees."""
        healed = self.pipeline("load")
        assert healed.code == 0, healed.err
        assert self.pipeline.check(self.records)._asdict() == self.story.expected._asdict()
        self.pipeline.verify()


@contextmanager
def stage(cli: Cli, bootstrap: str, kind: str, folder: Path, *, first_batch: bool = False) -> Iterator[Stage]:
    """Half of a story loaded (nothing of it for `first_batch`), the other half to be loaded."""
    story, name = tell(400, seed=5, partitions=2), f"syscalls-{uuid.uuid4().hex[:8]}"
    topics.create(bootstrap, name, 2)
    pipeline = Pipeline(cli, bootstrap, name, kind, f"p{uuid.uuid4().hex[:8]}")
    half = 0 if first_batch else len(story.messages) // 2
    if half:
        topics.produce(bootstrap, name, story.messages[:half])
        assert pipeline("load").code == 0
    topics.produce(bootstrap, name, story.messages[half:])
    pristine = folder / f"pristine-{pipeline.name}"
    shutil.copytree(pipeline.folder, pristine)
    yield Stage(pipeline, story, read_topic(bootstrap, name), build_shim(folder), pristine)
    topics.delete(bootstrap, name)


@dataclass
class Verdict:
    """What was tried and what came of it."""

    warehouse: str
    how: str
    first_batch: bool
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


def count(stage: Stage) -> list[str]:
    """The calls of an undisturbed load."""
    result, calls = stage.load(0, "count")
    assert result.code == 0, result.err
    stage.reset()
    return calls


def try_point(stage: Stage, at: int, how: str) -> tuple[int, str]:
    """One point; the exit code and the call that was disturbed. Raises AssertionError."""
    result, calls = stage.load(at, how)
    hit = calls[at - 1] if len(calls) >= at else ""
    if how == "kill":
        assert result.code == (KILLED if hit else 0), f"{result.code} at {at}: {result.err}"
    else:
        assert result.code in GOOD_ENDS, f"{result.code} at {hit}: {result.err}"
    stage.heal_and_judge()
    stage.reset()
    return result.code, hit


def try_all(stage: Stage, verdict: Verdict, every: int) -> None:
    """All points of one load, or every k-th."""
    begun = time.monotonic()
    verdict.calls = len(count(stage))
    for at in range(1, verdict.calls + 1, every):
        try:
            code, hit = try_point(stage, at, verdict.how)
        except AssertionError as wrong:
            verdict.wrong.append(f"call {at}: {wrong}")
            stage.reset()
        else:
            verdict.ends[str(code)] += 1
            verdict.by_call[hit.split(" ")[1] if hit else "none"] += 1
        verdict.tried += 1
        print(f"{at}/{verdict.calls}", file=sys.stderr)
    verdict.seconds = round(time.monotonic() - begun, 1)


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--warehouse", choices=KINDS, default="ducklake")
    parser.add_argument("--how", choices=HOWS, default="kill")
    parser.add_argument("--every", type=int, default=1, help="try every k-th point only")
    parser.add_argument("--first-batch", action="store_true", help="into a warehouse that is not there yet")
    wanted = parser.parse_args(arguments)
    verdict = Verdict(wanted.warehouse, wanted.how, wanted.first_batch)
    with tempfile.TemporaryDirectory(prefix="syscalls-") as name:
        folder = Path(name)
        cli = Cli(folder)
        with (
            KafkaServer(folder / "kafka") as kafka,
            stage(cli, kafka.bootstrap, wanted.warehouse, folder, first_batch=wanted.first_batch) as prepared,
        ):
            try_all(prepared, verdict, wanted.every)
        cli.close()
    print(json.dumps(verdict.as_json()))
    return 0 if verdict.as_json()["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
