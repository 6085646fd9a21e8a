"""A rehearsal of the load in memory, on an empty batch or on a sample of records.

It finds a mistake in the contract's own SQL (a check that does not compile, a type that does not
exist) before anything is read, and what of a sample the contract refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.errors import ConfigError, WarehouseAway
from loader.model import CHUNK_SCHEMA, Batch, new_batch_id
from loader.statements import statement
from loader.warehouse.reading import fetched
from loader.warehouse.relations import registered
from loader.warehouse.stage import Stager, names

if TYPE_CHECKING:
    from loader.config import Config

EMPTY = pa.Table.from_pylist([{"partition": 0, "offset": 0, "value": b"{}", "text": "{}"}], CHUNK_SCHEMA)
ONE_ROW = "a check sees one row: no subquery, window or aggregate"


def rehearse(config: Config) -> None:
    """Compile the contract. Raises ConfigError with DuckDB's words and every check that is wrong."""
    contract = Contract.from_config(config.table, config.limits.message_bytes)
    compile_checks(contract)
    nothing = pa.Table.from_batches([], schema=CHUNK_SCHEMA)
    with duckdb.connect(":memory:") as home, registered(home, chunk=nothing):
        try:
            home.execute(statement("load/parse", **contract.parse_parameters("chunk", "rehearsal")))
        except duckdb.OutOfMemoryException as error:
            raise _no_memory(error) from error
        except duckdb.Error as error:
            message = f"the contract does not compile: {words(error)}"
            raise ConfigError(message, address="table.columns") from error


def trial(config: Config, records: pa.Table) -> list[dict[str, Any]]:
    """What the contract refuses of a sample (CHUNK_SCHEMA): partition, offset and reasons of each.

    Parsed as a load does it; ids are not compared. Raises ConfigError as `rehearse`.
    """
    rehearse(config)
    contract = Contract.from_config(config.table, config.limits.message_bytes)
    with duckdb.connect(":memory:") as home:
        home.execute(statement("warehouse/settings", threads=1, memory=config.limits.memory, temporary=""))
        found = _refused(home, contract, records)
    return [{**row, "reasons": json.loads(row["reasons"])} for row in found]


def compile_checks(contract: Contract) -> None:
    """Compile each check alone, and try each default. Raises ConfigError that names the columns or checks."""
    if not contract.conditions:
        return
    with duckdb.connect(":memory:") as home:
        wrong = list(_wrong(home, contract)) or list(_wrong_defaults(home, contract))
    if wrong:
        lines = tuple(f"{address}: {what}" for address, what in wrong)
        if len(wrong) == 1:
            raise ConfigError(wrong[0][1], address=wrong[0][0], mistakes=lines)
        raise ConfigError(f"{len(wrong)} mistakes in checks", address="table", mistakes=lines)


def _wrong(home: duckdb.DuckDBPyConnection, contract: Contract) -> Iterator[tuple[str, str]]:
    columns = contract.ddl()
    for address, expression, condition in contract.conditions:
        if what := _misread(home, expression) or _no_condition(home, expression, condition, columns):
            yield address, what


def _misread(home: duckdb.DuckDBPyConnection, expression: str) -> str:
    """What is wrong with the syntax of an expression, or nothing.

    It is read bare, where brackets that do not match show, and as the load puts it, in brackets.
    """
    row = None
    for text in (expression, f"({expression}\n)"):
        row = home.execute(statement("load/check_syntax"), [f"SELECT {text}"]).fetchone()
        tree = json.loads(row[0] if row else "{}")
        if tree.get("error"):
            return str(tree.get("error_message", "is no SQL expression"))
    return ONE_ROW if re.search(r'"class":"(SUBQUERY|WINDOW)"', str(row)) else ""


def _no_condition(
    home: duckdb.DuckDBPyConnection, expression: str, condition: str, columns: list[tuple[str, str]]
) -> str:
    """Why an expression cannot be a condition over these columns, or nothing."""
    given = {"condition": condition, "expression": expression, "columns": columns}
    try:
        found = home.execute(statement("load/try_check", **given)).to_arrow_table().schema.field("given").type
    except duckdb.OutOfMemoryException as error:
        raise _no_memory(error) from error
    except duckdb.Error as error:
        return ONE_ROW if "aggregate" in str(error) else words(error)
    if pa.types.is_boolean(found):
        return ""
    return f"is no condition: {' '.join(expression.split())} is neither true nor false"


def _no_memory(error: duckdb.Error) -> WarehouseAway:
    """The machine's fault, not the contract's."""
    return WarehouseAway(words(error), hint="run again when more memory is free")


def _wrong_defaults(home: duckdb.DuckDBPyConnection, contract: Contract) -> Iterator[tuple[str, str]]:
    """The defaults that break the check of their own column: every record without the value would be refused.

    A check that names other columns is left alone: what they hold decides.
    """
    for column in contract.columns:
        others = {other.name.casefold() for other in contract.columns if other is not column}
        words = {word.casefold() for word in re.findall(r"\w+", column.check or "")}
        if column.default is None or not column.check or words & others:
            continue
        bare = (replace(each, required=False, default=None, check=None) for each in contract.columns)
        columns = tuple(column if each.name == column.name else each for each in bare)
        alone = replace(contract, columns=columns, checks=())
        for row in _refused(home, alone, EMPTY):
            reasons = [reason["message"] for reason in json.loads(row["reasons"])]
            what = "; ".join(reason.removeprefix(f"{column.name}: ") for reason in reasons)
            yield f"table.columns.{column.name}.default", what


def _refused(home: duckdb.DuckDBPyConnection, contract: Contract, records: pa.Table) -> list[dict[str, Any]]:
    """What the contract refuses of the records: partition, offset, reasons (JSON)."""
    batch = Batch(new_batch_id(), (), records)
    Stager(home.cursor(), contract).stage(batch)
    return fetched(home.execute(statement("read/trial_refused", staging=names(batch)["staging"])))


def words(error: duckdb.Error) -> str:
    """DuckDB's first line without its kind of error; of a name that is no column, the nearest one."""
    first = re.sub(r"^\w+ Error: ", "", str(error).split("\n", 1)[0])
    unknown = re.match(r'Referenced column "(.+)" not found', first)
    if not unknown:
        return first
    near = re.search(r'Candidate bindings: "([^"$]+)"', str(error))
    return f"no column {unknown[1]}" + (f"; did you mean {near[1]}?" if near else "")
