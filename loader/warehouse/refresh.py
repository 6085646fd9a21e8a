"""Materialise analytics as tables: computed on one snapshot, put into the warehouse in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import duckdb

from loader.errors import ActionNeeded
from loader.statements import quote_identifier, statement
from loader.warehouse.change import changes, own_errors
from loader.warehouse.question import in_words
from loader.warehouse.transaction import one, transaction

if TYPE_CHECKING:
    from loader.config import Config
    from loader.warehouse.change import Changes

SHARE = 2  # DuckDB gets this part of limits.memory


def refresh(config: Config, names: Sequence[str]) -> Mapping[str, int]:
    """Make or replace the table of each analytic; the rows of each.

    Loads go on while the answers are computed; the writers' turn and the head are taken only to put them
    in place. Raises ActionNeeded (an analytic does not fit the contract) and our errors.
    """
    with changes(config, config.limits.memory // SHARE) as warehouse:
        rows = _staged(config, warehouse, names)
        schema = config.refresh.schema_name

        def replace() -> None:
            warehouse.cursor.execute(statement("refresh/make_schema", schema=schema))
            for name in names:
                warehouse.cursor.execute(statement("refresh/replace", schema=schema, name=name))

        warehouse.apply(replace)
    return rows


def _staged(config: Config, warehouse: Changes, names: Sequence[str]) -> dict[str, int]:
    """Compute all on one snapshot, in memory."""
    cursor, rows = warehouse.cursor, {}
    cursor.execute(statement("warehouse/use_lake"))
    with own_errors(warehouse.address), transaction(cursor):
        for name in names:
            select = select_of(config, name)
            try:
                cursor.execute(statement("refresh/stage", name=name, select=select))
            except duckdb.Error as error:
                raise unfit(error, name) from error
            rows[name] = one(cursor.execute(statement("refresh/count", name=name)))
    return rows


def select_of(config: Config, name: str) -> str:
    """The SELECT of an analytic for this pipeline."""
    table = quote_identifier(config.table.name)
    return statement(f"analytics/{name}", table=table, pipeline=config.pipeline)


def unfit(error: duckdb.Error, name: str) -> ActionNeeded:
    """Why an analytic has no answer, most likely because the table has no such column."""
    told = in_words(error, f"the analytic {name}")
    return ActionNeeded(told.message, address=name, hint=told.hint)
