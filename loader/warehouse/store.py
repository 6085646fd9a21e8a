"""The warehouse as the engine sees it: one pipeline's target, offsets and ledger."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from loader.contract import Contract
from loader.errors import HeadMoved, Restart
from loader.failpoints import fail_point
from loader.model import Batch, Identity, Position, Receipt, Span, Totals, new_batch_id
from loader.statements import statement
from loader.warehouse.attach import spill_folder, translated
from loader.warehouse.change import Changes, own_errors
from loader.warehouse.commit import LEDGER, commit, take_head
from loader.warehouse.derivation import derivations
from loader.warehouse.deriver import Deriver
from loader.warehouse.files import WriterLock, make_folder, sync
from loader.warehouse.follow import Follower
from loader.warehouse.known import KnownIds
from loader.warehouse.limit import Breaker
from loader.warehouse.migrate import open_warehouse
from loader.warehouse.outbox import Outbox
from loader.warehouse.publish import Publisher
from loader.warehouse.rehearse import compile_checks
from loader.warehouse.relations import registered
from loader.warehouse.split import Split, Splitter
from loader.warehouse.stage import Staged, Stager
from loader.warehouse.topics import Topics
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
        self._generation: int | None = None  # to hold to when the warehouse is opened anew
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
                self._topics = Topics(self._commits, self._pipeline, self._table, self._generation)
                facts = (self._pipeline, self._table, self._contract, self._worker)
                self._follower = Follower(self._commits, *facts)
                self._deriver = Deriver(self._commits, self._pipeline, self._table, self._contract, wanted)
                try:
                    self._prepare_target()
                except BaseException:  # a DuckDB file cannot be attached again while a cursor lives
                    self._commits.close()
                    self._home.close()
                    raise
        self._breaker = Breaker(config.limits.quarantine, accept=self._accept)
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
            topics=self._topics,
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
        """As the port says."""
        with self._own_errors():
            return self._topics.recorded()

    def offsets(self) -> dict[int, Position]:
        """As the port says."""
        with self._own_errors():
            return self._topics.offsets()

    def record(self, identity: Identity, starts: Mapping[int, int]) -> None:
        """As the port says; in one transaction. Raises WarehouseMismatch too."""
        with self._beginning():
            take_head(self._commits, self._head())
            self._follower.refuse_other_pairs()
            self._topics.record(identity, starts)
        self._sync_names()

    def take_over(self, identity: Identity, starts: Mapping[int, int], note: str) -> Receipt:
        """As the port says; in one transaction, with a row in the ledger."""
        batch = new_batch_id()
        with self._beginning():
            seen = self._head()
            take_head(self._commits, seen)
            generation = self._topics.take_over(identity, starts, batch)
            fail_point("mid_change")
            self._note(batch, seen + 1, "topic", note, generation)
            fail_point("before_commit")
        self._sync_names()
        fail_point("after_commit")
        self._topics.generation = generation
        spans = tuple(Span(partition, at, at) for partition, at in sorted(starts.items()))
        return Receipt(batch, seen + 1, spans, Totals(), kind="topic", note=note)

    @contextmanager
    def _beginning(self) -> Iterator[None]:
        """A transaction before the first read. Raises Restart when its outcome is not known."""
        try:
            with self._own_errors(), self._turn(), transaction(self._commits):
                yield
        except CommitFailed as unknown:
            message = f"COMMIT of the first offsets failed: {unknown}"
            raise Restart(message) from unknown

    def stage(self, batch: Batch) -> Staged:
        """Parse and check; may run in another thread than the rest."""
        if batch.kind != "retry":  # which says of which topic its entries are
            batch = replace(batch, generation=self._topics.generation or 0)
        with self._own_errors():
            return self._stager.stage(batch)

    def split(self, staged: Staged, before: Split | None = None) -> Split:
        """Look up and write. From the second try on no other writer on this machine comes between."""
        if staged.stager is not self._stager:
            message = "the warehouse was opened anew after this batch was staged"
            raise Restart(message)
        if before and self._is_lake:
            self._lock.take()
        try:
            with self._own_errors():
                return self._splitter.split(staged, before)
        except CommitFailed as failed:  # of the look-up, which changes nothing
            message = f"the look-up was not ended: {failed}"
            raise Restart(message) from failed

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
        self._topics.committed(receipt.seq)
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
        """As the port says: the published copy, and a piece of upkeep, when they are due."""
        if self._publisher:
            self._publisher.look()
        self._upkeep.idle()

    def _settle(self, split: Split, unknown: CommitFailed) -> Receipt:
        """Learn by a write whether the batch is in. Raises Restart when it is not."""
        return split.receipt(self._settled(split.batch.id, unknown))

    def _settled(self, batch: int, unknown: CommitFailed) -> int:
        self._generation = self._topics.generation
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

    def _note(
        self, batch: int, seq: int, kind: str, note: str | None, generation: int, **counts: int
    ) -> None:
        """The ledger's row of a change that is no load, inside its transaction."""
        row = dict.fromkeys(LEDGER.names, 0) | {"max_event_time": None} | counts
        facts = {"pipeline": self._pipeline, "batch": batch, "generation": generation}
        about = {"seq": seq, "kind": kind, "worker": self._worker, "contract": self._contract.digest()}
        sql = statement("load/insert_batch", **facts, **about)
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
