"""The process in which a query runs: `python -m loader.warehouse.asked`, started by `ask.py`.

It gets one line of JSON on stdin, answers on stdout with an Arrow stream (the age of a published copy
stands in the schema's metadata), and on stderr with one line of JSON where it fails. It gives up when
the time is over or when stdin ends, which also happens when its parent is killed.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from loader.errors import ActionNeeded, LoaderError
from loader.statements import statement
from loader.unused import unused_left_out
from loader.warehouse.opening import Place, nothing_there, open_to_read
from loader.warehouse.question import answer, in_words

AGE = b"published_age_s"
SLACK = 512 * 2**20  # bytes of address space for code, stacks and allocators; more than what is ever used
DUCKDB_SHARE = 2  # DuckDB takes one part of so many of limits.memory
FAILED = 1
GRACE = 2.0  # seconds in which DuckDB has to notice that it was interrupted
AGAIN = 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of which warehouse; `memory` in bytes, `timeout` in seconds."""

    kind: str
    file: str
    data: str
    publish: str
    memory: int
    timeout: float
    table: str
    pipeline: str
    sql: str
    parameters: dict[str, str]

    @property
    def place(self) -> Place:
        """The warehouse."""
        data, publish = (Path(text) if text else None for text in (self.data, self.publish))
        return Place(Path(self.file), self.kind, data, publish)


class Watch:
    """Interrupts the query when its time is over or nobody waits for it any more."""

    def __init__(self, home: duckdb.DuckDBPyConnection, timeout: float) -> None:
        self._home = home
        self._timeout = timeout
        self.over = False
        threading.Thread(target=self._wait, daemon=True).start()

    def error(self) -> ActionNeeded:
        """What to say when the time is over."""
        message = f"no answer within --timeout {self._timeout:g}s"
        return ActionNeeded(message, address="query", hint="ask for less, or give it longer: --timeout 1h")

    def _wait(self) -> None:
        ready, _, _ = select.select([sys.stdin], [], [], self._timeout)
        self.over = not ready
        until = time.monotonic() + GRACE
        while time.monotonic() < until:  # again and again: one that comes between two statements is lost
            with suppress(duckdb.Error):  # closed already
                self._home.interrupt()
            time.sleep(AGAIN)
        if self.over:
            tell(self.error())
        os._exit(FAILED)  # DuckDB is somewhere where it does not look


def tell(error: LoaderError) -> None:
    """One line on stderr for the parent."""
    sys.stderr.write(json.dumps({"type": type(error).__name__, **error.as_json()}) + "\n")
    sys.stderr.flush()


def main() -> None:
    """Answer one question and exit: 0, or 1 with an error on stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    line = sys.stdin.buffer.readline()
    if not line:
        return
    question = Question(**json.loads(line))
    try:
        _limit_memory(question.memory)
        with unused_left_out():
            _ask(question)
    except LoaderError as error:
        tell(error)
        sys.exit(FAILED)
    except BrokenPipeError:
        os._exit(FAILED)  # nobody reads any more; there is nothing to say and no one to say it to


def _limit_memory(memory: int) -> None:
    """A hard limit for what DuckDB's own does not count."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory + SLACK
    if hard == resource.RLIM_INFINITY or hard > wanted:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))


def _ask(question: Question) -> None:
    opened = open_to_read(question.place, question.memory // DUCKDB_SHARE)
    if opened is None:
        raise nothing_there(question.place.file)
    home, age = opened
    with closing(home):
        home.execute("BEGIN TRANSACTION READ ONLY")
        home.execute(statement("warehouse/lock_down", data=question.data))
        watch = Watch(home, question.timeout)
        try:
            _send(_answered(home, question), age)
        except BrokenPipeError:
            raise
        except (duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:  # the stream wraps DuckDB's
            raise watch.error() if watch.over else in_words(error, question.sql) from error


def _answered(home: duckdb.DuckDBPyConnection, question: Question) -> pa.RecordBatchReader:
    return answer(home, question.sql, question.table, question.pipeline, question.parameters)


def _send(batches: pa.RecordBatchReader, age: float | None) -> None:
    schema = batches.schema
    if age is not None:
        schema = schema.with_metadata({**(schema.metadata or {}), AGE: str(age)})
    with pa.ipc.new_stream(sys.stdout.buffer, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
