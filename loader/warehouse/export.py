"""Write the target table or an analytic into files for others: Parquet, CSV or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from loader.errors import ConfigError
from loader.runs import now
from loader.statements import quote_identifier, statement
from loader.warehouse.attach import translated
from loader.warehouse.question import typed
from loader.warehouse.reading import Reader
from loader.warehouse.refresh import select_of, unfit
from loader.warehouse.replacing import MARK, replaced
from loader.warehouse.transaction import one

if TYPE_CHECKING:
    from loader.config import Config

PATTERNS = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
CALL = re.compile(r"(year|month|day|hour)\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write where; with `partitions` (columns, or day(COLUMN) and the like) into a folder."""

    analytic: str  # empty: the target table
    target: Path
    format: str
    partitions: Sequence[str] = ()
    parameters: Mapping[str, str] | None = None


def export(config: Config, wanted: Wanted) -> int:
    """Write it; how many rows. Raises ConfigError, ActionNeeded and what opening a warehouse raises."""
    with Reader(config) as reader, replaced(wanted.target, folder=bool(wanted.partitions)) as path:
        reader.refuse_without_table()
        reader.home.execute(statement("warehouse/use_lake"))
        select = _select(config, wanted)
        values = {name: typed(text) for name, text in (wanted.parameters or {}).items()}
        try:
            made, partitions = _partitions(reader.home, select, values, wanted.partitions)
            if partitions:
                path.mkdir()
            facts = {"select": select, "path": str(path), "format": wanted.format}
            sql = statement("export/copy", made=made, partitions=partitions, **facts)
            rows = one(reader.home.execute(sql, values))
        except duckdb.Error as error:
            if wanted.analytic:
                raise unfit(error, wanted.analytic) from error
            raise translated(error, str(config.warehouse.file)) from error
        if partitions:
            (path / MARK).write_text(json.dumps(_mark(config, wanted, rows)) + "\n")
    return rows


def _select(config: Config, wanted: Wanted) -> str:
    if wanted.analytic:
        return select_of(config, wanted.analytic)
    return statement("export/table", table=quote_identifier(config.table.name))


def _partitions(
    home: duckdb.DuckDBPyConnection, select: str, values: Mapping[str, Any], wanted: Sequence[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Columns that are made for it (expression, name), and all names. Raises ConfigError, duckdb.Error."""
    if not wanted:
        return [], []
    described = home.execute(statement("export/columns", select=select), values).description
    known = [column[0] for column in described]
    made: list[tuple[str, str]] = []
    names = []
    for text in wanted:
        call = CALL.fullmatch(text)
        part, column = call.groups() if call else ("", text)
        if column not in known or part in known:
            what = f"no column {column}" if column not in known else f"there is a column {part} already"
            raise ConfigError(what, address="--partition-by", hint=f"columns: {', '.join(known)}")
        names.append(part or column)
        if part:
            made.append((statement("export/day", column=column, pattern=PATTERNS[part]), part))
    return made, names


def _mark(config: Config, wanted: Wanted, rows: int) -> dict[str, Any]:
    what = wanted.analytic or config.table.name
    facts = {"what": what, "rows": rows, "format": wanted.format, "written_at": now().isoformat()}
    return {"pipeline": config.pipeline, **facts}
