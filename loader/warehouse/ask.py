"""Ask the warehouse: run a query in a process of its own and take its answer.

The process (`asked.py`) is started at once, with an environment that holds no secrets, so that it
gets ready while this one reads the configuration.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from loader import errors
from loader.errors import ActionNeeded, LoaderError

if TYPE_CHECKING:
    import pyarrow as pa

    from loader.config import Config

KEPT = (
    "PYTHON",
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_",
    "LD_LIBRARY_PATH",
    "DYLD_",
    "VIRTUAL_ENV",
    "COVERAGE",
)
"""The beginnings of the variables that the process inherits."""

GRACE = 3.0  # seconds for the process to tidy up after itself


class Asker:
    """A process that waits for one question; use it as a context manager."""

    def __init__(self) -> None:
        self.age: float | None = None  # seconds since the copy was published that answered; None: not a copy

    def __enter__(self) -> Self:
        """Start the process."""
        environment = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loader.warehouse.asked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        return self

    def __exit__(self, *error: object) -> None:
        """End the process, also in the middle of its work: the end of its stdin tells it to stop."""
        process = self._process
        with suppress(BrokenPipeError):
            process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            process.stderr.close()  # type: ignore[union-attr]
            if process.returncode < 0:
                self._tidy_up()

    def ask(
        self,
        config: Config,
        name_or_sql: str,
        timeout: float,
        parameters: Mapping[str, str] | None = None,
    ) -> pa.Table:
        """The answer to a shipped query or to SQL, within `timeout` seconds; ask once.

        `parameters` are the texts of what `$name` stands for.

        Raises ActionNeeded (refused, wrong, too long, too large), and what opening a warehouse raises.
        """
        import pyarrow as pa  # noqa: PLC0415 - while it is imported the process gets ready

        self._put(_question(config, name_or_sql, timeout) | {"parameters": dict(parameters or {})})
        try:
            with pa.ipc.open_stream(self._process.stdout) as stream:
                schema, batches = stream.schema, self._taken(stream, config.limits.memory)
        except (pa.ArrowException, OSError):
            raise self._failure() from None
        if self._process.wait():
            raise self._failure()
        metadata = dict(schema.metadata or {})
        age = metadata.pop(b"published_age_s", None)
        self.age = float(age) if age else None
        return pa.Table.from_batches(batches, schema).replace_schema_metadata(metadata or None)

    def _put(self, question: dict[str, Any]) -> None:
        pipe: Any = self._process.stdin
        with suppress(BrokenPipeError):  # it has failed already, and says why
            pipe.write(json.dumps(question).encode() + b"\n")
            pipe.flush()

    def _taken(self, stream: Any, most: int) -> list[Any]:
        """All batches. Raises ActionNeeded where they are more than `most` bytes."""
        batches, size = [], 0
        for batch in stream:
            size += batch.nbytes
            if size > most:
                message = f"the answer is larger than limits.memory, {most / 2**20:,.0f} MiB"
                raise ActionNeeded(message, address="query", hint="ask for fewer rows or columns")
            batches.append(batch)
        return batches

    def _failure(self) -> LoaderError:
        """Why there is no answer, as the process told it, or as its end tells it."""
        said = self._process.stderr.read().decode(errors="replace")  # type: ignore[union-attr]
        code = self._process.wait()
        with suppress(ValueError, IndexError, KeyError):
            told = json.loads(said.splitlines()[-1])
            kind: type[LoaderError] = getattr(errors, told["type"])
            return kind(told["message"], address=told["address"], hint=told["hint"])
        if code < 0 or "MemoryError" in said or "bad_alloc" in said:
            name = signal.Signals(-code).name if code < 0 else "no memory"
            message = (
                f"the process of the query ended with {name}; it may have needed more than limits.memory"
            )
            return ActionNeeded(message, address="query", hint="ask for less, or raise limits.memory")
        raise RuntimeError(f"the process of the query ended with {code}: {said[-500:]}")

    def _tidy_up(self) -> None:
        """Remove what a killed process has spilled to disk."""
        from loader.warehouse.attach import spill_folders  # noqa: PLC0415 - imports duckdb, rarely needed

        for folder in spill_folders(self._process.pid):
            shutil.rmtree(folder, ignore_errors=True)


def ask(config: Config, name_or_sql: str, timeout: float) -> pa.Table:
    """As `Asker.ask`, in one call."""
    with Asker() as asker:
        return asker.ask(config, name_or_sql, timeout)


def _question(config: Config, sql: str, timeout: float) -> dict[str, Any]:
    address = config.warehouse
    return {
        "kind": address.kind,
        "file": str(address.file),
        "data": str(address.data_path) if address.kind == "ducklake" else "",
        "publish": str(address.publish_path or ""),
        "memory": config.limits.memory,
        "timeout": timeout,
        "table": config.table.name,
        "pipeline": config.pipeline,
        "sql": sql,
    }
