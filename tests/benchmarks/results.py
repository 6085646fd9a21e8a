"""Results as JSON files, which are committed; docs/benchmarks.md is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Run

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement: the command that repeats it, the machine by facts, all runs."""

    experiment: str
    command: str
    machine: Mapping[str, str]
    runs: Sequence[Run]

    def save(self, file: Path) -> None:
        """Write it; each run on a line of its own."""
        head = {"experiment": self.experiment, "command": self.command, "machine": dict(self.machine)}
        runs = ",\n".join(f"  {json.dumps(asdict(run), ensure_ascii=False)}" for run in self.runs)
        start = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'{start},\n "runs": [\n{runs}\n ]\n}}\n', encoding="utf-8")


def read(file: Path) -> Result:
    """A result that was saved."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    runs = [Run(**run) for run in found.pop("runs")]
    return Result(runs=runs, **found)


def committed(folder: Path = FOLDER) -> dict[str, Result]:
    """All results of a folder, by the name of the measurement."""
    results = (read(file) for file in sorted(folder.glob("*.json")))
    return {result.experiment: result for result in results}
