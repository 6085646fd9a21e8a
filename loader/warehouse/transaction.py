"""One transaction: COMMIT is reached only by falling off the end.

After a failed statement COMMIT may still succeed with what came before it, or with nothing; so any
exception rolls back, and is raised again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


class CommitFailed(Exception):
    """COMMIT itself raised; whether it took effect is not known."""


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """BEGIN, the body, COMMIT. Raises CommitFailed when COMMIT fails, else what the body raised."""
    cursor.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        roll_back(cursor)
        raise
    try:
        cursor.execute("COMMIT")
    except BaseException as error:
        roll_back(cursor)
        raise CommitFailed(str(error)) from error


def roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """End the transaction, if there still is one."""
    with suppress(duckdb.Error):
        cursor.execute("ROLLBACK")


def one(result: duckdb.DuckDBPyConnection) -> int:
    """The one number that a statement gives; for an UPDATE or INSERT, how many rows it changed."""
    row = result.fetchone()
    return int(row[0]) if row else 0


def is_conflict(error: BaseException) -> bool:
    """Whether another writer was first; the answer is to split again and try again."""
    text = str(error).lower()
    if re.search(r"no space left|disk is full|disk i/o", text):
        return False
    return bool(
        re.search(r"transaction conflict|write-write conflict|conflict on|database is locked", text)
        or "failed to commit ducklake" in text
    )
