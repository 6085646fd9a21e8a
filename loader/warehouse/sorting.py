"""Sort late rows into the folders of their units, where `table.partition_by` parts the files of a lake.

A batch with rows of many units puts most units' few rows into one file (`split.py`). When enough rows of
a unit are together there, they get a file where a query of that unit finds them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loader.failpoints import fail_point
from loader.layout import Layout
from loader.statements import statement
from loader.warehouse.change import Changes, own_errors
from loader.warehouse.files import seal_new_file
from loader.warehouse.reading import fetched
from loader.warehouse.transaction import one

if TYPE_CHECKING:
    from loader.config import Config

ENOUGH = 1_000  # rows of a unit that are worth a file


@dataclass(frozen=True, slots=True)
class Sorting:
    """The late rows of one pipeline's table."""

    changes: Changes
    config: Config

    def steps(self) -> Iterator[int]:
        """Sort file by file, each in a turn of its own; how many files were made of it. Raises our errors."""
        layout, data = self.config.table.layout, self.changes.data
        if layout and data:
            for file in self.late_files():
                if self._is_worth_it(layout, file):
                    yield self.changes.apply(partial(self._sort, layout, data, file))

    def late_files(self) -> list[str]:
        """The files that hold rows of many units."""
        layout = self.config.table.layout
        if layout is None:
            return []
        with own_errors(self.changes.address):
            sql = statement("read/lake_files", table=self.config.table.name, schema="main")
            files = [row["data_file"] for row in fetched(self.changes.cursor.execute(sql))]
        return [file for file in files if f"/{layout.folder(None)}/" in file]

    def _is_worth_it(self, layout: Layout, file: str) -> bool:
        rows = statement("maintain/rows_of_file", table=self.config.table.name, file=file)
        facts = {"rows": rows, "keys": layout.keys, "column": layout.column}
        with own_errors(self.changes.address):
            sql = statement("load/units", **facts, least=ENOUGH, most=1)
            return self.changes.cursor.execute(sql).fetchone() is not None

    def _sort(self, layout: Layout, data: Path, file: str) -> int:
        """Write the rows anew and put the new files in the place of the old one; in one transaction."""
        table, run = self.config.table.name, self.changes.cursor.execute
        folder = data / "main" / table
        name = f"loader-{time.time_ns()}-{{i}}"
        facts = {"table": table, "file": file}
        sql = statement(
            "maintain/sort_rows", **facts, keys=layout.keys, column=layout.column,
            least=ENOUGH, folder=str(folder), name=name,
        )  # fmt: skip
        count, files = run(sql).fetchall()[0]
        for made in map(Path, files):
            seal_new_file(made, data.parent)
        fail_point("mid_sort")
        if one(run(statement("maintain/forget_file", **facts))) != count:
            message = f"{file} holds other rows than were read"
            raise RuntimeError(message)
        for made in files:
            run(statement("load/register_file", file=made, parted=True, schema="main", table=table))
        return len(files)
