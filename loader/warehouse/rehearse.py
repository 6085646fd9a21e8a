"""A rehearsal of the load in memory, on an empty batch or on a sample of records.

It finds a mistake in the contract's own SQL (a check that does not compile, a type that does not
exist) before anything is read, and what of a sample the contract refuses.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.errors import ConfigError
from loader.model import CHUNK_SCHEMA, Batch, new_batch_id
from loader.statements import statement
from loader.warehouse.reading import fetched
from loader.warehouse.stage import Stager, names

if TYPE_CHECKING:
    from loader.config import Config


def rehearse(config: Config) -> None:
    """Compile the contract. Raises ConfigError with DuckDB's words."""
    contract = Contract.from_config(config.table, config.limits.message_bytes)
    with duckdb.connect(":memory:") as home:
        home.register("chunk", pa.Table.from_batches([], schema=CHUNK_SCHEMA))
        try:
            home.execute(statement("load/parse", **contract.parse_parameters("chunk", "rehearsal")))
        except duckdb.Error as error:
            words = str(error).split("\n", 1)[0]
            raise ConfigError(f"the contract does not compile: {words}", address="table.columns") from error


def trial(config: Config, records: pa.Table) -> list[dict[str, Any]]:
    """What the contract refuses of a sample (CHUNK_SCHEMA): partition, offset and reasons of each.

    Parsed as a load does it; ids are not compared. Raises ConfigError as `rehearse`.
    """
    rehearse(config)
    contract = Contract.from_config(config.table, config.limits.message_bytes)
    batch = Batch(new_batch_id(), (), records)
    with duckdb.connect(":memory:") as home:
        home.execute(statement("warehouse/settings", threads=1, memory=config.limits.memory, temporary=""))
        Stager(home.cursor(), contract).stage(batch)
        found = fetched(home.execute(statement("read/trial_refused", staging=names(batch)["staging"])))
    return [{**row, "reasons": json.loads(row["reasons"])} for row in found]
