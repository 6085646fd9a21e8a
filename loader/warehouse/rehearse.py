"""A rehearsal of the load on an empty batch in memory.

It finds a mistake in the contract's own SQL (a check that does not compile, a type that does not
exist) before anything is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.errors import ConfigError
from loader.model import CHUNK_SCHEMA
from loader.statements import statement

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
