"""Compare the records of the topic, read again, with where each of them ended: `verify --deep`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from loader.model import Batch, Span, new_batch_id
from loader.statements import quote_identifier, statement
from loader.warehouse.attach import translated
from loader.warehouse.reading import Reader, fetched
from loader.warehouse.relations import registered
from loader.warehouse.stage import Stager, names

SHOWN = 3  # findings that are named


@dataclass
class Comparison:
    """What was compared so far. `problems` holds the first findings, `places` counts the records."""

    reader: Reader
    places: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    wrong: int = 0

    def __post_init__(self) -> None:
        """Own cursors: the reader's is inside a transaction that may only read."""
        self._cursor = self.reader.home.cursor()
        self._generation = self.reader.generation()
        self._stager = Stager(self.reader.home.cursor(), self.reader.contract)

    def close(self) -> None:
        """Close the cursors."""
        self._stager.close()
        self._cursor.close()

    def compare(self, span: Span, records: pa.Table, *, compacted: bool) -> None:
        """Every record of the span must be in one place with its content, and nothing else may be there.

        In a compacted topic what was loaded may be gone: that is counted, not a finding.
        """
        batch = Batch(new_batch_id(), (span,), records)
        try:
            self._stager.stage(batch)
            with registered(self._cursor, chunk=records):
                for row in self._rows("read/deep_records", batch):
                    self._note(row)
                for row in self._rows("read/deep_ghosts", batch):
                    if compacted:
                        self.places["compacted away"] += 1
                    else:
                        self._note(row | {"place": "", "records": 1})
            self._cursor.execute(statement("load/drop_staging", name=names(batch)["staging"]))
        except duckdb.Error as error:
            raise translated(error, str(self.reader.config.warehouse.file)) from error

    def _rows(self, name: str, batch: Batch) -> Iterator[dict[str, Any]]:
        (span,) = batch.spans
        contract, config = self.reader.contract, self.reader.config
        ids = [f"s.{quote_identifier(name)}" for name in contract.id]
        sql = statement(
            name,
            chunk="chunk",
            staging=names(batch)["staging"],
            table=config.table.name,
            id_text=f"nullif(concat_ws('|', {', '.join(ids)}), '')" if ids else "NULL",
            contract=contract.digest(),
            columns=self.reader.columns(),
        )
        facts = {
            "pipeline": config.pipeline,
            "generation": self._generation,
            "partition": span.partition,
            "begin": span.begin,
            "end": span.end,
        }
        yield from fetched(self._cursor.execute(sql, facts))

    def _note(self, row: dict[str, Any]) -> None:
        if row["problem"] is None:
            self.places[row["place"]] += row["records"]
            return
        self.wrong += row["records"]
        if len(self.problems) < SHOWN:
            topic = self.reader.config.kafka.topic
            more = f" (and {row['records'] - 1} more)" if row["records"] > 1 else ""
            self.problems.append(f"{topic}[{row['partition']}]@{row['offset']} {row['problem']}{more}")
