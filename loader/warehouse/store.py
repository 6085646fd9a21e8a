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
from loader.errors import HeadMoved, Restart
from loader.model import Batch, Identity, Position, Receipt
from loader.statements import statement
from loader.warehouse.attach import spill_folder, translated
from loader.warehouse.change import Changes, own_errors
from loader.warehouse.commit import LEDGER, commit, take_head
from loader.warehouse.derivation import derivations
from loader.warehouse.deriver import Deriver
from loader.warehouse.files import WriterLock, make_folder, sync
from loader.warehouse.follow import Follower
from loader.warehouse.known import KnownIds
from loader.warehouse.limit import Breaker, recent_share
from loader.warehouse.migrate import open_warehouse
from loader.warehouse.outbox import Outbox
from loader.warehouse.publish import Publisher
from loader.warehouse.rehearse import compile_checks
from loader.warehouse.relations import registered
from loader.warehouse.split import Split, Splitter
from loader.warehouse.stage import Staged, Stager
from loader.warehouse.transaction import CommitFailed, one, transaction
from loader.warehouse.upkeep import Upkeep

if TYPE_CHECKING:
    from loader.config import Config

SETTLE_TRIES = 20
DUCKDB_SHARE = 0.3  # of limits.memory, for DuckDB; the batches in Arrow and the client need the rest
IDS_SHARE = 0.25  # of limits.memory, for the set of known ids; what is above goes to disk


class DuckWarehouse:
    """A DuckLake or a DuckDB file, for one pipeline. One thread uses it, and another may `stage`."""

    def __init__(self, config: Config, *, accept_quarantine: bool = False) -> None:
        """Open, create and migrate.

        Raises WarehouseBusy, WarehouseAway, WarehouseMismatch, and Restart when another worker
        prepares the same warehouse at this moment.
        """
        self._config = config
        self._pipeline = config.pipeline
        self._table = config.table.name
        self._address = str(config.warehouse.file)
        self._contract = Contract.from_config(config.table, config.limits.message_bytes)
        self._accept = accept_quarantine
        self._is_lake = config.warehouse.kind == "ducklake"
        self._lock = WriterLock(Path(f"{self._address}.lock"))
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        try:
            self._open()
        except (HeadMoved, CommitFailed) as race:
            raise Restart(str(race)) from race

    def _open(self) -> None:
        config = self._config
        with self._own_errors():
            compile_checks(self._contract)
            wanted = derivations(config, self._contract)
            make_folder(config.warehouse.file.parent)
            with self._turn():
                self._home = open_warehouse(config.warehouse, int(config.limits.memory * DUCKDB_SHARE))
                self._commits = self._home.cursor()
                facts = (self._pipeline, self._table, self._contract, self._worker)
                self._follower = Follower(self._commits, *facts)
                self._deriver = Deriver(self._commits, self._pipeline, self._table, self._contract, wanted)
                try:
                    self._prepare_target()
                except BaseException:  # a DuckDB file cannot be attached again while a cursor lives
                    self._commits.close()
                    self._home.close()
                    raise
            recent = recent_share(self._commits, self._pipeline)
        self._breaker = Breaker(config.limits.quarantine, recent, accept=self._accept)
        self._stager = Stager(self._home.cursor(), self._contract)
        known_bytes = int(config.limits.memory * IDS_SHARE)
        self._known = KnownIds(known_bytes, spill_folder(), shared=self._is_lake)
        self._splitter = Splitter(
            cursor=self._commits,
            contract=self._contract,
            pipeline=self._pipeline,
            topic=config.kafka.topic,
            table=self._table,
            folder=config.warehouse.data_path if self._is_lake else None,
            breaker=self._breaker,
            follower=self._follower,
            known=self._known,
            deriver=self._deriver,
        )
        data = config.warehouse.data_path if self._is_lake else None
        lock = self._lock if self._is_lake else None
        changes = Changes(self._commits, lock, self._address, data)
        self._upkeep = Upkeep(config, changes)
        self.outbox = Outbox(changes, self._pipeline)
        self._publisher = self._make_publisher()

    def _make_publisher(self) -> Publisher | None:
        address = self._config.warehouse
        if self._is_lake or address.publish_path is None:
            return None
        publisher = Publisher(self._commits, address.file, address.publish_path, address.publish_every)
        publisher.renew()
        return publisher

    def _prepare_target(self) -> None:
        self._follower.refuse_other_pairs()
        with transaction(self._commits):
            head = self._head()
            changed = [self._follower.begin(head + 1), self._begin_derived(head + 1)]
            if self._is_lake:
                changed.append(self._follower.arrange(head + 1))
            if any(changed):
                take_head(self._commits, head)

    def _begin_derived(self, seq: int) -> bool:
        return self._deriver.begin(seq)

    def _turn(self) -> AbstractContextManager[None]:
        return self._lock.held() if self._is_lake else nullcontext()

    def _own_errors(self) -> AbstractContextManager[None]:
        return own_errors(self._address)

    def _head(self) -> int:
        return one(self._commits.execute(statement("load/head")))

    def recorded(self) -> Identity | None:
        """The topic's identity at the first start; None for a new pipeline."""
        with self._own_errors():
            row = self._commits.execute(statement("load/recorded"), [self._pipeline]).fetchone()
        return Identity(*row[:4]) if row else None

    def offsets(self) -> dict[int, Position]:
        """The committed offset of every partition known so far."""
        with self._own_errors():
            rows = self._commits.execute(statement("load/offsets"), [self._pipeline]).fetchall()
        return {partition: Position(offset, epoch) for partition, offset, epoch in rows}

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """Record identity and first offsets in one transaction. Raises HeadMoved, WarehouseMismatch."""
        relation = pa.table({"partition": list(starts), "begin_offset": list(starts.values())})
        with (
            self._own_errors(),
            self._turn(),
            registered(self._commits, starts=relation),
            transaction(self._commits),
        ):
            take_head(self._commits, self._head())
            self._follower.refuse_other_pairs()
            if set(starts) & self.offsets().keys():
                message = "the first offsets are recorded already"
                raise HeadMoved(message)
            self._record_topic(identity)
            self._commits.execute(statement("load/record_offset", pipeline=self._pipeline))
        self._sync_names()

    def _record_topic(self, identity: Identity) -> None:
        if self.recorded():
            self._commits.execute(statement("load/grow_topic"), [identity.partitions, self._pipeline])
            return
        facts = [identity.cluster_id, identity.topic, identity.topic_id, identity.partitions]
        self._commits.execute(statement("load/record_topic"), [self._pipeline, self._table, *facts])

    def stage(self, batch: Batch) -> Staged:
        """Parse and check; may run in another thread than the rest."""
        with self._own_errors():
            return self._stager.stage(batch)

    def split(self, staged: Staged, before: Split | None = None) -> Split:
        """Look up and write. From the second try on no other writer on this machine comes between."""
        if staged.stager is not self._stager:
            message = "the warehouse was opened anew after this batch was staged"
            raise Restart(message)
        if before and self._is_lake:
            self._lock.take()
        with self._own_errors():
            return self._splitter.split(staged, before)

    def commit(self, split: Split) -> Receipt:
        """The one transaction; an unknown outcome is settled here."""
        facts = {"pipeline": self._pipeline, "worker": self._worker, "contract": self._contract.digest()}
        accepted = self._accept and split.batch.kind == "load"
        try:
            with self._own_errors(), self._turn():
                receipt = commit(
                    self._commits, split, follow=self._follower.follow, accepted=accepted, **facts
                )
        except CommitFailed as unknown:
            return self._settle(split, unknown)
        self._sync_names()
        self._follower.committed(receipt.seq)
        self._deriver.committed(receipt.seq)
        self._breaker.passed(split.totals)
        self._known.committed(split.staged.ids, receipt)
        self._keep_up(receipt.seq)
        return receipt

    def _sync_names(self) -> None:
        """DuckDB syncs its write-ahead log, and not the name of it; SQLite does both."""
        if not self._is_lake:
            with self._own_errors():
                sync(self._config.warehouse.file.parent)

    def _keep_up(self, seq: int) -> None:
        """The batch is durable already: what fails here is said, and tried again later."""
        if self._publisher:
            self._publisher.committed()
        self._upkeep.committed(seq)

    def rest(self) -> None:
        """As the port says: a piece of upkeep, when it is due."""
        self._upkeep.idle()

    def _settle(self, split: Split, unknown: CommitFailed) -> Receipt:
        """Learn by a write whether the batch is in. Raises Restart when it is not."""
        return split.receipt(self._settled(split.batch.id, unknown))

    def _settled(self, batch: int, unknown: CommitFailed) -> int:
        self.close()
        self._open()
        self._bump_head()
        row = self._commits.execute(statement("load/find_batch"), [batch]).fetchone()
        if row is None:
            message = f"COMMIT failed, the batch is not in the warehouse: {unknown}"
            raise Restart(message)
        self._sync_names()
        return int(row[0])

    def _bump_head(self) -> None:
        for attempt in range(SETTLE_TRIES):
            try:
                with self._turn(), transaction(self._commits):
                    self._commits.execute(statement("load/bump_head"))
            except (CommitFailed, duckdb.Error) as error:
                if attempt == SETTLE_TRIES - 1:
                    raise translated(duckdb.Error(str(error)), self._address) from error
            else:
                return

    def _note(self, batch: int, seq: int, kind: str, note: str | None, **counts: int) -> None:
        """The ledger's row of a change that is no load, inside its transaction."""
        row = dict.fromkeys(LEDGER.names, 0) | {"max_event_time": None} | counts
        facts = {"pipeline": self._pipeline, "batch": batch, "seq": seq, "kind": kind}
        sql = statement("load/insert_batch", **facts, worker=self._worker, contract=self._contract.digest())
        with registered(self._commits, ledger=pa.Table.from_pylist([row], LEDGER)):
            self._commits.execute(sql, [None, note, 0, None])

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
