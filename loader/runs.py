"""One run of a verb, as the history in `loader.runs` keeps it."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LONGEST_ERROR = 300  # characters: one line of a log
COUNTS = ("batches", "consumed", "loaded", "duplicates", "quarantined", "skipped", "holes")
"""What the history keeps of a result, where the verb counts it."""
FAILED = ("error", "killed")
"""The outcomes of a run that failed."""


@dataclass(frozen=True, slots=True)
class Run:
    """What ran, when, and how it ended; `exit_code` is negative where a signal ended it."""

    job: str
    by: str
    started: datetime
    ended: datetime
    outcome: str
    exit_code: int
    counts: Mapping[str, Any]
    error: str | None
    reasons: Mapping[str, int] = field(default_factory=dict)
    """What a load refused, by reason; not kept in the history."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.started).total_seconds()


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def ended_run(job: str, by: str, started: datetime, exit_code: int, result: Mapping[str, Any]) -> Run:
    """A run that ends now, from what the verb printed with --json (empty where it printed nothing)."""
    outcome = str(result.get("outcome", _outcome(exit_code)))
    counts = {name: result[name] for name in COUNTS if name in result} | dict(result.get("done", {}))
    error, reasons = _error(exit_code, result), dict(result.get("reasons", {}))
    return Run(job, by, started, now(), outcome, exit_code, counts, error, reasons)


def _outcome(exit_code: int) -> str:
    """What the code alone says; SIGTERM without a word came before the verb had begun."""
    if exit_code == -signal.SIGTERM:
        return "stopped"
    return "killed" if exit_code < 0 else "error" if exit_code else "done"


def _error(exit_code: int, result: Mapping[str, Any]) -> str | None:
    error = result.get("error")
    if not isinstance(error, Mapping):
        return f"ended by signal {-exit_code}" if _outcome(exit_code) == "killed" else None
    address = f"{error['address']}: " if error.get("address") else ""
    return shortened(f"{address}{error.get('message', '')}")


def shortened(text: str) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else f"{line[: LONGEST_ERROR - 1]}…"


def as_parameters(run: Run, pipeline: str, worker: str) -> dict[str, Any]:
    """The run as the parameters of its statement."""
    return {
        "pipeline": pipeline,
        "job": run.job,
        "started_by": run.by,
        "worker": worker,
        "started_at": run.started.isoformat(),
        "ended_at": run.ended.isoformat(),
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "counts": json.dumps(run.counts),
        "error": run.error,
    }
