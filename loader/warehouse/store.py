"""The warehouse as the engine sees it: one pipeline's target, offsets and ledger."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.errors import HeadMoved, Restart, WarehouseMismatch
from loader.model import Batch, Identity, Position, Receipt
from loader.statements import statement
from loader.warehouse.attach import translated
from loader.warehouse.commit import commit, take_head
from loader.warehouse.files import WriterLock
from loader.warehouse.limit import Breaker
from loader.warehouse.migrate import ensure_target, open_warehouse
from loader.warehouse.split import Split, Splitter
from loader.warehouse.stage import Staged, Stager
from loader.warehouse.transaction import CommitFailed, is_conflict, one, transaction
from loader.warehouse.upkeep import Flusher, Publisher

if TYPE_CHECKING:
    from loader.config import Config

SETTLE_TRIES = 20


class DuckWarehouse:
    """A DuckLake or a DuckDB file, for one pipeline. One thread uses it, and another may `stage`."""

    def __init__(self, config: Config, *, accept_quarantine: bool = False) -> None:
        """Open, create and migrate. Raises WarehouseBusy, WarehouseAway, WarehouseMismatch."""
        self._config = config
        self._contract = Contract.from_config(config.table, config.limits.message_bytes)
        self._accept = accept_quarantine
        self._is_lake = config.warehouse.kind == "ducklake"
        config.warehouse.file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(Path(f"{config.warehouse.file}.lock"))
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._open()

    def _open(self) -> None:
        with self._turn():
            self._home = open_warehouse(self._config.warehouse, self._config.limits.memory // 2)
            self._commits = self._home.cursor()
            self._prepare_target()
        recent = self._commits.execute(statement("load/recent_share"), [self._pipeline]).fetchall()
        config = self._config
        self._breaker = Breaker(config.limits.quarantine, recent, accept=self._accept)
        self._stager = Stager(self._home.cursor(), self._contract)
        self._splitter = Splitter(
            cursor=self._commits,
            contract=self._contract,
            pipeline=self._pipeline,
            topic=config.kafka.topic,
            table=config.table.name,
            folder=config.warehouse.data_path if self._is_lake else None,
            breaker=self._breaker,
        )
        self._flusher, self._publisher = self._make_upkeep()

    def _make_upkeep(self) -> tuple[Flusher | None, Publisher | None]:
        address, cursor = self._config.warehouse, self._commits
        if self._is_lake:
            return Flusher(cursor, address.data_path), None
        if address.publish_path is None:
            return None, None
        publisher = Publisher(cursor, address.file, address.publish_path, address.publish_every)
        publisher.renew()
        return None, publisher

    def _prepare_target(self) -> None:
        cursor, table = self._commits, self._config.table.name
        other = cursor.execute(statement("load/other_owner"), [table, self._pipeline]).fetchone()
        if other:
            message = f"the pipeline {other[0]} loads into this table already"
            raise WarehouseMismatch(message, address=table, hint="give table.name a new name")
        with transaction(cursor):
            if ensure_target(cursor, table, self._contract.ddl()):
                take_head(cursor, self._head())

    @property
    def _pipeline(self) -> str:
        return self._config.pipeline

    def _turn(self) -> AbstractContextManager[None]:
        return self._lock.held() if self._is_lake else nullcontext()

    def _head(self) -> int:
        return one(self._commits.execute(statement("load/head")))

    def recorded(self) -> Identity | None:
        """The topic's identity at the first start; None for a new pipeline."""
        row = self._commits.execute(statement("load/recorded"), [self._pipeline]).fetchone()
        return Identity(*row[:4]) if row else None

    def offsets(self) -> dict[int, Position]:
        """The committed offset of every partition known so far."""
        rows = self._commits.execute(statement("load/offsets"), [self._pipeline]).fetchall()
        return {partition: Position(offset, epoch) for partition, offset, epoch in rows}

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Record identity and first offsets in one transaction. Raises HeadMoved."""
        cursor = self._commits
        relation = pa.table({"partition": list(starts), "begin_offset": list(starts.values())})
        cursor.register("starts", relation)
        with self._turn(), self._as_conflict(), transaction(cursor):
            take_head(cursor, self._head())
            if set(starts) & self.offsets().keys():
                message = "the first offsets are recorded already"
                raise HeadMoved(message)
            if self.recorded():
                cursor.execute(statement("load/grow_topic"), [identity.partitions, self._pipeline])
            else:
                facts = [identity.cluster_id, identity.topic, identity.topic_id, identity.partitions]
                cursor.execute(
                    statement("load/record_topic"), [self._pipeline, self._config.table.name, *facts]
                )
            cursor.execute(statement("load/record_offset", pipeline=self._pipeline))
        cursor.unregister("starts")

    def stage(self, batch: Batch) -> Staged:
        """Parse and check; may run in another thread than the rest."""
        return self._stager.stage(batch)

    def split(self, staged: Staged, before: Split | None = None) -> Split:
        """Look up and write. From the second try on no other writer on this machine comes between."""
        if staged.stager is not self._stager:
            message = "the warehouse was opened anew after this batch was staged"
            raise Restart(message)
        if before and self._is_lake:
            self._lock.take()
        return self._splitter.split(staged, before)

    def commit(self, split: Split) -> Receipt:
        """The one transaction; an unknown outcome is settled here."""
        facts = {"pipeline": self._pipeline, "worker": self._worker, "contract": self._contract.digest()}
        try:
            with self._turn(), self._as_conflict():
                receipt = commit(self._commits, split, **facts)
        except CommitFailed as unknown:
            receipt = self._settle(split, unknown)
        self._breaker.passed(split.totals)
        self._keep_up()
        return receipt

    def _keep_up(self) -> None:
        """The batch is durable already: what fails here is tried again later."""
        if self._publisher:
            self._publisher.committed()
        if self._flusher:
            with suppress(HeadMoved, CommitFailed), self._turn(), self._as_conflict():
                self._flusher.committed(lambda: take_head(self._commits, self._head()))

    def _as_conflict(self) -> AbstractContextManager[None]:
        return _Conflicts(str(self._config.warehouse.file))

    def _settle(self, split: Split, unknown: CommitFailed) -> Receipt:
        """Learn by a write whether the batch is in. Raises Restart when it is not."""
        batch = split.batch
        self.close()
        self._open()
        self._bump_head()
        row = self._commits.execute(statement("load/find_batch"), [batch.id]).fetchone()
        if row is None:
            message = f"COMMIT failed, the batch is not in the warehouse: {unknown}"
            raise Restart(message)
        return Receipt(batch.id, int(row[0]), batch.spans, split.totals, split.staged.seconds)

    def _bump_head(self) -> None:
        for attempt in range(SETTLE_TRIES):
            try:
                with self._turn(), transaction(self._commits):
                    self._commits.execute(statement("load/bump_head"))
            except (CommitFailed, duckdb.Error) as error:
                if attempt == SETTLE_TRIES - 1:
                    raise translated(duckdb.Error(str(error)), str(self._config.warehouse.file)) from error
            else:
                return

    def discard(self, staged: Staged) -> None:
        """Drop the staging tables of the batch and let the writers' lock go."""
        self._lock.give()
        with suppress(duckdb.Error):
            self._splitter.discard(staged.batch)

    def close(self) -> None:
        """Close every connection: a DuckDB file can only be attached again when none lives."""
        self._lock.give()
        if self._publisher:
            self._publisher.renew()
            self._publisher = None
        self._stager.close()
        self._commits.close()
        self._home.close()


class _Conflicts:
    """Turns what DuckDB raises for a lost race into HeadMoved, and the rest into our errors."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CommitFailed | duckdb.Error) and is_conflict(error):
            raise HeadMoved(str(error)) from error
        if isinstance(error, duckdb.Error):
            raise translated(error, self._address) from error
