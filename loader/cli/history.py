"""A verb that was typed writes its run into the history; a scheduler writes for the jobs that it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loader.errors import LoaderError
from loader.runs import ended_run, now
from loader.secrets import redacted

if TYPE_CHECKING:
    from loader.config import Config

BUG, INTERRUPTED = 70, 130
IN_DUCKDB = "Query interrupted"  # the RuntimeError that a KeyboardInterrupt becomes there


@dataclass
class Note:
    """How the run has ended, as far as it is known."""

    result: Mapping[str, Any]
    exit_code: int = 0


@contextmanager
def noted(config: Config, job: str) -> Iterator[Note]:
    """Write the run into the history at the end of the block; a failure to do so is a line of the log."""
    note, started = Note({}), now()
    try:
        yield note
    except (Exception, KeyboardInterrupt) as error:
        words, note.exit_code = _ended(error)
        note.result = {"outcome": "error", "error": words}
        raise
    finally:
        _write(config, ended_run(job, "command", started, note.exit_code, note.result))


def _ended(error: BaseException) -> tuple[dict[str, Any], int]:
    """What the history says of an error, and the exit code."""
    if isinstance(error, LoaderError):
        return error.as_json(), error.exit_code
    if isinstance(error, KeyboardInterrupt) or str(error) == IN_DUCKDB:
        return {"message": "interrupted"}, INTERRUPTED
    return {"message": redacted(f"unexpected {type(error).__name__}: {error}")}, BUG


def _write(config: Config, run: Any) -> None:
    from loader.observe.logs import logger
    from loader.schedule.child import BY_SCHEDULE
    from loader.warehouse.history import record

    if BY_SCHEDULE in os.environ:
        return
    if problem := record(config, [run]):
        logger().debug("the run history was not written", reason=str(problem))
