"""Upkeep of a warehouse in short pieces of work, each in a turn of its own: loads go on in between.

Compaction and clean-up are apart: a file that is not needed any more is only put on a list, and deleted
when no reader and no batch under way can need it (`[maintain]`, ages of at least an hour).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.errors import HeadMoved, WarehouseBusy
from loader.failpoints import fail_point
from loader.plural import counted
from loader.runs import now
from loader.statements import statement
from loader.warehouse.change import Changes, own_errors
from loader.warehouse.durable import SECOND, first_name
from loader.warehouse.files import lonely_seals, remove_file
from loader.warehouse.owners import other_owners
from loader.warehouse.reading import fetched
from loader.warehouse.retention import Retire
from loader.warehouse.sorting import Sorting
from loader.warehouse.transaction import CommitFailed, one

if TYPE_CHECKING:
    from loader.config import Config, Maintain, Warehouse

LOG = logging.getLogger("loader.warehouse")
EXPIRED_AT_ONCE = 500  # snapshots; so many take a fraction of a second
OURS = ("loader-", "ducklake-")  # how files of a lake are named


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The upkeep of one warehouse; `done` counts what it did."""

    changes: Changes
    config: Config
    done: dict[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> Maintain:
        """`[maintain]`."""
        return self.config.maintain

    @property
    def warehouse(self) -> Warehouse:
        """`[warehouse]`."""
        return self.config.warehouse

    @property
    def retention(self) -> Retire:
        """What goes because it is old."""
        return Retire(self.changes, self.config.retention, self.config.pipeline)

    def steps(self) -> Iterator[str]:
        """Do the upkeep, piece by piece; each `next` does one and says what it was.

        Raises our errors; WarehouseBusy where another writer was first.
        """
        address = self.changes.address
        try:
            with own_errors(address):
                yield from self._steps()
        except (HeadMoved, CommitFailed) as race:
            raise WarehouseBusy(str(race), address=address) from race

    def _steps(self) -> Iterator[str]:
        yield from self._bring_back()  # before anything reads the files
        yield from self._forget_runs()
        yield from self._retire()
        if self.changes.data is None:
            yield from self._checkpoint()
            return
        yield from self._flush()
        yield from self._set_target()
        yield from self._sort()
        yield from self._compact()
        yield from self._expire()
        yield from self._clean_up()
        yield from self._orphans(self.changes.data)

    def plan(self) -> dict[str, int]:
        """What there is to do, without doing it."""
        plan = {"old_runs": self._count("maintain/old_runs", before=self._before(self.settings.keep_runs))}
        plan |= self.retention.plan()
        if self.changes.data is None:
            return plan
        snapshots = self._rows("maintain/old_snapshots", before=self._expiry(), most=None)
        return plan | {
            "small_files": self._count("maintain/small_files", bytes=self.settings.target_file),
            "old_snapshots": len(snapshots),
            "deletable_files": len(self._deletable(dry_run=True)),
            "orphans": len(self._found_orphans(self.changes.data)),
        }

    def numbers(self) -> dict[str, int]:
        """How large the warehouse is: files and bytes that it names, files on disk, snapshots, catalogue."""
        file = self.warehouse.file
        own = sum(
            path.stat().st_size for path in (file, Path(f"{file}-wal"), Path(f"{file}.wal")) if path.exists()
        )
        if self.changes.data is None:
            return {"bytes": own}
        (found,) = self._rows("maintain/lake_size")
        on_disk = sum(1 for _ in self.changes.data.rglob("*.parquet"))
        return {**found, "files_on_disk": on_disk, "catalogue_bytes": own}

    def _forget_runs(self) -> Iterator[str]:
        before = self._before(self.settings.keep_runs)
        if self._count("maintain/old_runs", before=before):
            sql = statement("maintain/forget_runs")
            count = self.changes.apply(lambda: one(self.changes.cursor.execute(sql, {"before": before})))
            self._add("forgotten_runs", count)
            yield "old runs forgotten"

    def _retire(self) -> Iterator[str]:
        for name, count in self.retention.steps():
            self._add(name, count)
            yield f"{count:,} {name.replace('_', ' ')}"

    def _checkpoint(self) -> Iterator[str]:
        fail_point("mid_change")
        with own_errors(self.changes.address):
            self.changes.cursor.execute(statement("warehouse/checkpoint"))
        yield "checkpoint"

    def _flush(self) -> Iterator[str]:
        rows = self.changes.apply(lambda: self._call("warehouse/flush_inlined"))
        self._add("flushed_rows", sum(row["rows_flushed"] for row in rows))
        yield "inlined rows moved into files"

    def _set_target(self) -> Iterator[str]:
        wanted = str(self.settings.target_file)
        if [row["value"] for row in self._rows("maintain/get_target")] != [wanted]:
            self.changes.apply(lambda: self._call("maintain/set_target", bytes=wanted), fenced=False)
            yield "target size set"

    def _sort(self) -> Iterator[str]:
        for made in Sorting(self.changes, self.config).steps():
            self._add("sorted_files", 1)
            self._add("made_files", made)
            yield f"late rows of a file sorted into {made}"

    def _compact(self) -> Iterator[str]:
        for table in self._rows("maintain/with_deletes"):
            if read := self._bite("maintain/rewrite", table)[0]:
                self._add("rewritten_files", read)
                yield f"{counted(read, 'files')} of {table['schema_name']}.{table['table_name']} rewritten"
        for table in self._rows("maintain/mergeable", bytes=self.settings.target_file):
            for _ in range(table["bites"]):  # loads go on: what they add is for the next time
                merged, made = self._bite("maintain/merge", table)
                if not merged:
                    break
                self._add("merged_files", merged)
                self._add("made_files", made)
                name = f"{table['schema_name']}.{table['table_name']}"
                yield f"{counted(merged, 'files')} of {name} merged into {made}"

    def _bite(self, name: str, table: dict[str, Any]) -> tuple[int, int]:
        """One piece of compaction in one table: how many files were read, and how many made."""
        names = {"table": table["table_name"], "schema": table["schema_name"]}
        rows = self.changes.apply(partial(self._call, name, **names), fenced=False)
        return sum(row["files_processed"] for row in rows), sum(row["files_created"] for row in rows)

    def _expire(self) -> Iterator[str]:
        while rows := self._rows("maintain/old_snapshots", before=self._expiry(), most=EXPIRED_AT_ONCE):
            versions = [row["snapshot_id"] for row in rows]
            self.changes.apply(partial(self._call, "maintain/expire", versions=versions), fenced=False)
            self._add("expired_snapshots", len(versions))
            yield f"{len(versions)} snapshots expired"

    def _clean_up(self) -> Iterator[str]:
        if self._deletable(dry_run=True):
            files = self.changes.apply(lambda: self._deletable(dry_run=False), fenced=False)
            for row in files:
                remove_file(Path(row["path"]))  # DuckLake leaves the seal
            self._add("deleted_files", len(files))
            yield f"{counted(len(files), 'old files')} deleted"

    def _deletable(self, *, dry_run: bool) -> list[dict[str, Any]]:
        """The files on the list of files to delete whose time has come, up to two days later than it could.

        DuckLake compares the two times as texts of different forms, so a file of the cutoff's own date
        counts as older, though it may be put on the list a minute ago: the whole day before is asked for.
        """
        cutoff = now() - timedelta(seconds=self.settings.delete_after)
        before = (cutoff - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00+00:00")
        return self._call("maintain/cleanup", before=before, dry_run=str(dry_run).lower())

    def _orphans(self, data: Path) -> Iterator[str]:
        self._sweep_seals(data)
        if others := other_owners(data, self.warehouse.file):
            LOG.warning(
                "%s: files left by kills stay: %s writes into this folder too", data, ", ".join(others)
            )
            return
        with own_errors(self.changes.address), self.changes.turn():
            found = self._found_orphans(data)
            for file in found:
                remove_file(file)
                fail_point("mid_orphans")
        self._add("orphans", len(found))
        if found:
            yield f"{counted(len(found), 'files')} left by a kill deleted"

    def _bring_back(self) -> Iterator[str]:
        """Link a file that the catalogue names to its name again, where only a second name is left of it.

        DuckLake has removed it because COMMIT failed, the commit took effect, and a kill came before we knew.
        """
        names = self.changes.data.rglob(f"*{SECOND}") if self.changes.data else ()
        left = [name for name in names if not first_name(name).exists()]
        named = self._all_named() if left else set()
        for name in left:
            if os.path.realpath(file := first_name(name)) in named:
                with suppress(FileExistsError):  # another worker brings it back too
                    os.link(name, file)
                yield f"{file} is there again: a kill had left it under another name only"

    def _sweep_seals(self, data: Path) -> None:
        """Delete the seals of files that are gone; a young one may belong to a file that comes back."""
        before = (now() - timedelta(seconds=self.settings.orphans_after)).timestamp()
        for seal in lonely_seals(data):
            with suppress(FileNotFoundError):  # another worker sweeps too
                if seal.name.startswith(OURS) and seal.stat().st_mtime < before:
                    seal.unlink()

    def _found_orphans(self, data: Path) -> list[Path]:
        """Old files without a name; none if one of them is named after all, by whatever path."""
        before = now() - timedelta(seconds=self.settings.orphans_after)
        rows = self._call("maintain/orphans", before=before.isoformat())
        found = [Path(value) for row in rows for value in row.values()]
        kept = [path for path in data.rglob(f"*{SECOND}") if path.stat().st_mtime < before.timestamp()]
        named = self._all_named()
        if wrong := [path for path in found if os.path.realpath(path) in named]:
            LOG.warning("%s: the catalogue names this file by another path; no orphan is deleted", wrong[0])
            return []
        return [path for path in (*found, *kept) if path.name.startswith(OURS)]

    def _all_named(self) -> set[str]:
        """The real paths of all files that the catalogue names."""
        tables = self._rows("read/lake_tables")
        return {os.path.realpath(name) for table in tables for name in self._named(table)}

    def _named(self, table: dict[str, Any]) -> Iterator[str]:
        names = {"table": table["table_name"], "schema": table["schema_name"]}
        for row in self._call("read/lake_files", **names):
            yield from (name for name in row.values() if name)

    def _expiry(self) -> str:
        return self._before(self.settings.keep_snapshots)

    @staticmethod
    def _before(age: float) -> str:
        return (now() - timedelta(seconds=age)).isoformat()

    def _add(self, name: str, count: int) -> None:
        self.done[name] = self.done.get(name, 0) + count

    def _call(self, name: str, **names: object) -> list[dict[str, Any]]:
        return fetched(self.changes.cursor.execute(statement(name, **names)))

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        with own_errors(self.changes.address):
            return fetched(self.changes.cursor.execute(statement(name), parameters))

    def _count(self, name: str, **parameters: object) -> int:
        with own_errors(self.changes.address):
            return one(self.changes.cursor.execute(statement(name), parameters))
