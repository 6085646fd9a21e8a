"""Rows of derived tables that wait to be sent, and the mark up to which they have been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from loader.statements import statement
from loader.warehouse.change import Changes, own_errors

AT_ONCE = 5_000  # rows in memory


class Outgoing(NamedTuple):
    """A row as a message."""

    seq: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Outbox:
    """What waits in the outbox of one pipeline. A table may be read and marked by several workers at once."""

    changes: Changes
    pipeline: str

    def unsent(self, table: str) -> Iterator[list[Outgoing]]:
        """What is above the mark, in the order of commits, some thousand rows at a time."""
        with own_errors(self.changes.address):
            cursor = self.changes.cursor.cursor()
            try:
                found = cursor.execute(statement("derive/unsent"), [self.pipeline, table])
                while rows := found.fetchmany(AT_ONCE):
                    yield [Outgoing(seq, id_.encode(), payload.encode()) for seq, id_, payload in rows]
            finally:
                cursor.close()

    def mark(self, table: str, seq: int) -> None:
        """Note that everything up to `seq` has been delivered; a lower mark than there is changes nothing.

        Raises WarehouseBusy when other writers always were first: then it is sent again, with the same keys.
        """
        parameters = [seq, self.pipeline, table, seq]
        sql = statement("derive/mark_sent")
        self.changes.apply(lambda: self.changes.cursor.execute(sql, parameters))
