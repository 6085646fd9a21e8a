"""The topics of one pipeline, generation by generation: which one is in force, and where it stands.

A topic that was deleted and created again is another one, whose offsets begin anew: a generation. Only
the newest one is read and written; the rows, spans and offsets of those before stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from loader.errors import HeadMoved, OffsetsMoved
from loader.model import Identity, Position
from loader.statements import statement
from loader.warehouse.relations import registered


@dataclass(slots=True)
class Topics:
    """What is recorded of a pipeline's topics, on one cursor, whose transaction it uses.

    `generation` is the one that this object has seen in force; None before it has looked, or for a new
    pipeline. Once seen it is held to: what was read before another worker took a new topic over is not of it.
    """

    cursor: duckdb.DuckDBPyConnection
    pipeline: str
    target: str
    generation: int | None = None
    _seen: int | None = None  # the head at which it was in force

    def at(self, seen: int) -> None:
        """See to it that the generation is in force at the head `seen`. Raises OffsetsMoved.

        What takes a topic over takes the head, so that a commit at `seen` is one of this topic.
        """
        if seen != self._seen:
            self.recorded()
            self._seen = seen

    def committed(self, seq: int) -> None:
        """Note our own commit: nobody has taken a topic over since we looked."""
        self._seen = seq

    def recorded(self) -> Identity | None:
        """The identity of the topic in force; None for a new pipeline. Raises OffsetsMoved."""
        row = self.cursor.execute(statement("load/recorded"), [self.pipeline]).fetchone()
        if row is None:
            return None
        cluster_id, topic, topic_id, partitions, _, generation = row
        self._hold(generation)
        return Identity(cluster_id, topic, topic_id, partitions, generation)

    def offsets(self) -> dict[int, Position]:
        """The committed offset of every partition of the topic in force. Raises OffsetsMoved."""
        sql = statement("load/offsets")
        rows = self.cursor.execute(sql, {"pipeline": self.pipeline}).fetchall()
        for *_, generation in rows[:1]:
            self._hold(generation)
        return {partition: Position(offset, epoch) for partition, offset, epoch, _ in rows}

    def standing(self) -> dict[int, tuple[int, int]]:
        """Where each partition of the topic in force began, and where it stands now. Raises OffsetsMoved."""
        rows = self.cursor.execute(statement("rewind/standing"), {"pipeline": self.pipeline}).fetchall()
        for *_, generation in rows[:1]:
            self._hold(generation)
        return {partition: (baseline, committed) for partition, baseline, committed, _ in rows}

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Note a new pipeline's topic, or more partitions of the one in force. Raises HeadMoved.

        Inside a transaction that holds the head.
        """
        if set(starts) & self.offsets().keys():
            message = "the first offsets are recorded already"
            raise HeadMoved(message)
        if self.recorded():
            sql = statement("load/grow_topic")
            self.cursor.execute(sql, [identity.partitions, self.pipeline, self.generation])
        else:
            self._begin(0, None, identity)
        self._first_offsets(self.in_force(), starts)

    def take_over(self, identity: Identity, starts: Mapping[int, int], batch: int) -> int:
        """Begin a new generation with this topic, from `starts` on; its number.

        Inside a transaction that holds the head. Raises OffsetsMoved when another worker has done so.
        """
        before = self.generation
        if before is None or self.recorded() is None:
            message = "nothing was recorded that a new topic could follow"
            raise RuntimeError(message)
        self._begin(before + 1, batch, identity)
        self._first_offsets(before + 1, starts)
        return before + 1

    def _begin(self, generation: int, batch: int | None, identity: Identity) -> None:
        facts = [identity.cluster_id, identity.topic, identity.topic_id, identity.partitions]
        row = [self.pipeline, generation, batch, self.target, *facts]
        self.cursor.execute(statement("load/record_topic"), row)

    def _first_offsets(self, generation: int, starts: Mapping[int, int]) -> None:
        relation = pa.table({"partition": list(starts), "begin_offset": list(starts.values())})
        with registered(self.cursor, starts=relation):
            sql = statement("load/record_offset", pipeline=self.pipeline, generation=generation)
            self.cursor.execute(sql)

    def in_force(self) -> int:
        """The generation in force; 0 for a new pipeline. Raises OffsetsMoved."""
        if self.generation is None:
            self.recorded()
        return self.generation or 0

    def _hold(self, generation: int) -> None:
        if self.generation not in {None, generation}:
            message = "another worker has taken over a new topic"
            raise OffsetsMoved(message)
        self.generation = generation
