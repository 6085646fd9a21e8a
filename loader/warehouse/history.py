"""The run history: rows of `loader.runs`."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loader.errors import LoaderError
from loader.runs import Run, as_parameters
from loader.statements import statement
from loader.warehouse.change import Changes, changes, own_errors, settled

if TYPE_CHECKING:
    from loader.config import Config


def record(config: Config, runs: Sequence[Run]) -> LoaderError | None:
    """Add the runs in one transaction. The error, instead of an exception, where that cannot be done.

    A warehouse that does not exist is not made for this.
    """

    def write() -> None:
        with own_errors(str(config.warehouse.file)):
            is_there = config.warehouse.file.exists()
        if is_there:
            with changes(config) as warehouse:
                insert(warehouse, config.pipeline, runs)

    return settled(write)


def insert(warehouse: Changes, pipeline: str, runs: Sequence[Run]) -> None:
    """Add the runs in one transaction of an open warehouse. Raises our errors."""
    worker = f"{socket.gethostname()}:{os.getpid()}"

    def rows() -> None:
        for run in runs:
            parameters = as_parameters(run, pipeline, worker)
            warehouse.cursor.execute(statement("load/insert_run"), parameters)

    warehouse.apply(rows)
