"""What a load would do with some records: the warehouse is read-only, or an empty one in memory.

Nothing is created, written or locked. The records go the way of a load (stage, split), and stop there.
"""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow.parquet as pq

from loader.contract import Contract
from loader.model import Batch, size
from loader.statements import statement
from loader.warehouse.attach import attach_empty, spill_folder, tidy, translated
from loader.warehouse.follow import Follower
from loader.warehouse.known import KnownIds
from loader.warehouse.limit import Breaker, recent_share
from loader.warehouse.migrate import migrate
from loader.warehouse.opening import open_to_read
from loader.warehouse.reading import Row, fetched
from loader.warehouse.split import Part, Split, Splitter
from loader.warehouse.stage import Stager, names
from loader.warehouse.topics import Topics

if TYPE_CHECKING:
    from loader.config import Config


class Foresight:
    """One look ahead for one pipeline; use it as a context manager."""

    def __init__(self, config: Config) -> None:
        """Opens nothing yet."""
        self._config = config
        self._contract = Contract.from_config(config.table, config.limits.message_bytes)
        self.age: float | None = None  # seconds, of a published copy

    def __enter__(self) -> Self:
        """Open and look. Raises WarehouseBusy, WarehouseMismatch, WarehouseAway."""
        with ExitStack() as opened:
            opened.callback(self._tidy, has_log=self._log.exists())
            found = open_to_read(self._config.warehouse, self._config.limits.memory)
            home, self.age = found or (_nothing(self._config), None)
            opened.callback(self._close)
            self._use(home)
            self._look()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """Close every connection."""
        self._opened.close()

    @property
    def _log(self) -> Path:
        file = self._config.warehouse.file
        return file.with_name(f"{file.name}-wal")

    def _tidy(self, *, has_log: bool) -> None:
        """Leave no file beside a catalogue that nobody had open before."""
        address = self._config.warehouse
        if address.kind == "ducklake" and not has_log and self._log.exists():
            tidy(address.file)

    def _look(self) -> None:
        self._follower.refuse_other_pairs()
        topics = Topics(self._cursor, self._config.pipeline, self._config.table.name)
        self.recorded = topics.recorded()
        self.offsets = topics.offsets()  # committed ones, by partition
        self._recent = recent_share(self._cursor, self._config.pipeline)
        self._change = self._follower.foresee()
        if self._change is None:  # no table yet: then there is nothing to look up
            self._close()
            self._use(_nothing(self._config))
            self._follower.begin(1)

    def _use(self, home: duckdb.DuckDBPyConnection) -> None:
        self._home, self._cursor = home, home.cursor()
        config = self._config
        self._follower = Follower(self._cursor, config.pipeline, config.table.name, self._contract)

    def _close(self) -> None:
        self._cursor.close()
        self._home.close()

    def table(self) -> dict[str, Any]:
        """The table that would be created, or what the next batch would change in it.

        `state` is new, same, changed or refused; `changes` and `refused` are sentences.
        """
        change = self._change
        if change is None:
            state = "new"
        else:
            state = "refused" if change.refused else "changed" if change.steps else "same"
        return {
            "name": self._config.table.name,
            "state": state,
            "columns": [
                {"name": column.name, "type": str(column.type), "required": column.required}
                for column in self._contract.all_columns
            ],
            "changes": list(change.steps) if change else [],
            "refused": list(change.refused) if change else [],
            "partition_by": self._config.table.partition_by,
        }

    def outcome(self, batch: Batch, ahead: int) -> dict[str, Any]:
        """Where each record of the sample would end, why, and what `ahead` records would come to.

        Raises WarehouseMismatch where the table cannot follow the contract.
        """
        try:
            splitter = self._splitter()
            split = splitter.split(Stager(self._cursor, self._contract).stage(batch))
            return self._told(splitter, split, ahead)
        except duckdb.Error as error:
            raise translated(error, str(self._config.warehouse.file)) from error

    def _told(self, splitter: Splitter, split: Split, ahead: int) -> dict[str, Any]:
        parts = names(split.batch)
        duplicates = self._rows("plan/duplicate", verdicts=parts["verdicts"])
        skipped = self._rows("plan/skipped", staging=parts["staging"])
        counts = asdict(split.totals)
        del counts["holes"]
        return {
            "records": counts,
            "reasons": self._rows("plan/reasons", refused=parts["refused"]) if counts["quarantined"] else [],
            "duplicate": duplicates[0] if duplicates else None,
            "skipped": skipped[0] if skipped else None,
            "stops": Breaker(self._config.limits.quarantine, self._recent).trips(split.totals),
            "estimate": self._estimate(splitter, split, ahead),
        }

    def _splitter(self) -> Splitter:
        config = self._config
        return Splitter(
            cursor=self._cursor,
            contract=self._contract,
            pipeline=config.pipeline,
            topic=config.kafka.topic,
            table=config.table.name,
            folder=None,
            breaker=Breaker(config.limits.quarantine, (), accept=True),
            follower=self._follower,
            known=KnownIds(0, spill_folder(), shared=False),
        )

    def _rows(self, name: str, **parameters: object) -> list[Row]:
        return fetched(self._cursor.execute(statement(name, **parameters)))

    def _estimate(self, splitter: Splitter, split: Split, ahead: int) -> dict[str, Any]:
        """Rows, batches, files, their folders and bytes of `ahead` records, if all are like the sample."""
        limits, totals = self._config.batch, split.totals
        if not totals.consumed:
            return {"rows": 0, "batches": 0, "files": 0, "folders": [], "bytes": 0}
        message = max(1, size(split.batch.records) // totals.consumed)
        batches = -(-ahead // max(1, min(limits.records, limits.bytes // message)))
        rows = round(ahead * totals.loaded / totals.consumed)
        (part,) = (part for part in split.parts if part.schema == "main")
        folders = self._folders(splitter, part, rows / batches)
        return {
            "rows": rows,
            "batches": batches,
            "files": batches * len(folders),
            "folders": [folder for folder in folders if folder],
            "bytes": round(rows * self._bytes(part) / max(1, totals.loaded)),
        }

    def _folders(self, splitter: Splitter, part: Part, rows: float) -> list[str]:
        """The folders, below the table's, of the files that a batch of so many rows like these makes."""
        if self._config.warehouse.kind != "ducklake" or rows <= splitter.inlined:
            return []
        if (layout := self._contract.layout) is None:
            return [""]
        too_few = splitter.inlined * part.count / rows  # of the sample
        found = splitter.units(part.rows, too_few)
        folders = [layout.folder(unit) for *unit, _ in found]
        if part.count - sum(row[-1] for row in found) > too_few:
            folders.append(layout.folder(None))
        return folders

    def _bytes(self, part: Part) -> int:
        """What rows take as Parquet."""
        file = io.BytesIO()
        pq.write_table(self._cursor.execute(part.rows).to_arrow_table(), file, compression="zstd")
        return file.tell()


def _nothing(config: Config) -> duckdb.DuckDBPyConnection:
    """An empty warehouse in memory."""
    home = attach_empty(config.limits.memory)
    migrate(home)
    return home
