"""The one transaction of a batch: fence, offsets, rows, quarantine, duplicates, ledger."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pyarrow as pa

from loader.errors import HeadMoved, OffsetsMoved, Restart
from loader.failpoints import fail_point
from loader.model import Batch, Receipt, Span
from loader.statements import statement
from loader.warehouse.durable import kept_files
from loader.warehouse.relations import registered
from loader.warehouse.split import Part, Split
from loader.warehouse.stage import names, phase
from loader.warehouse.transaction import one, transaction


def commit(  # noqa: PLR0913 - what the ledger says of it
    cursor: duckdb.DuckDBPyConnection,
    split: Split,
    *,
    follow: Callable[[int], None],
    pipeline: str,
    worker: str,
    contract: str,
    accepted: bool,
) -> Receipt:
    """Everything of a batch in one transaction, durable when it returns.

    `follow` changes the target table where the contract needs it; it gets the number of this change.
    `accepted` batches do not weigh in later for the quarantine limit.
    Raises HeadMoved or OffsetsMoved with nothing changed, CommitFailed when the outcome of COMMIT
    is not known, duckdb.Error when a statement before it failed (nothing changed).
    """
    batch = split.batch
    fail_point("before_begin")
    seconds = split.staged.seconds
    with (
        registered(cursor, ledger=_ledger(split)),
        phase(seconds, "commit"),
        kept_files(split.data) as keep,
        transaction(cursor),
    ):
        take_head(cursor, split.seen)
        if batch.kind == "retry":
            _settle_entries(cursor, pipeline, split)
        else:
            _move_offsets(cursor, pipeline, batch)
        follow(split.seen + 1)
        for part in (*split.parts, *split.derived):
            append(cursor, part)
            fail_point("mid_insert")
        facts = {"pipeline": pipeline, "batch": batch.id, "generation": batch.generation}
        about = {"seq": split.seen + 1, "kind": batch.kind, "worker": worker, "contract": contract}
        sql = statement("load/insert_batch", **facts, **about, accepted=accepted)
        drift = split.staged.drift
        found = [drift.looked_at, drift.as_json()]
        cursor.execute(sql, [str(split.file) if split.file else None, None, *found])
        if batch.kind != "retry":
            cursor.execute(statement("load/insert_spans", **facts))
        keep()
        fail_point("before_commit")
    fail_point("after_commit")
    return split.receipt(split.seen + 1)


def take_head(cursor: duckdb.DuckDBPyConnection, seen: int) -> None:
    """Take the next number of the head. Raises HeadMoved when someone committed since `seen`."""
    if one(cursor.execute(statement("load/take_head"), [seen])) != 1:
        message = f"the head is not {seen} any more"
        raise HeadMoved(message)


def _move_offsets(cursor: duckdb.DuckDBPyConnection, pipeline: str, batch: Batch) -> None:
    spans, facts = batch.spans, {"batch": batch.id, "generation": batch.generation}
    moved = one(cursor.execute(statement("load/move_offsets", pipeline=pipeline, spans=spans, **facts)))
    if moved != len(spans):
        message = f"{len(spans) - moved} of {len(spans)} spans do not begin at the committed offset"
        raise OffsetsMoved(message)


def _settle_entries(cursor: duckdb.DuckDBPyConnection, pipeline: str, split: Split) -> None:
    """Note in each entry what became of it. Raises Restart when entries are not what was read."""
    batch = split.batch
    facts = {"pipeline": pipeline, "generation": batch.generation, "outcomes": names(batch)["outcomes"]}
    changes = one(cursor.execute(statement("load/quarantine_changes", **facts), [batch.seen]))
    settled = one(cursor.execute(statement("load/settle_entries", **facts)))
    if changes or settled != batch.records.num_rows:
        message = "somebody else changed the quarantine meanwhile"
        raise Restart(message)


def append(cursor: duckdb.DuckDBPyConnection, part: Part) -> None:
    """Add the rows of a part, in place of those with their keys where it says so."""
    names = {"schema": part.schema, "table": part.table}
    if part.replaces and part.count:
        cursor.execute(statement("derive/delete_keys", rows=part.rows, key=part.replaces, **names))
    if part.file:
        parted = bool(part.folder)
        cursor.execute(statement("load/register_file", file=str(part.file), parted=parted, **names))
    elif part.count:
        cursor.execute(statement("load/insert_rows", rows=part.rows, **names))


def _ledger(split: Split) -> pa.Table:
    """One row per span (of a retry: per partition): its range, and where its records ended."""
    counts = {row["partition"]: row for row in split.counts.to_pylist()}
    spans = split.batch.spans or [Span(partition, 0, row["consumed"]) for partition, row in counts.items()]
    return pa.Table.from_pylist([_row(span, counts.get(span.partition, {})) for span in spans], LEDGER)


def _row(span: Span, counts: dict[str, object]) -> dict[str, object]:
    consumed = int(str(counts.get("consumed", 0)))
    return {
        **dict.fromkeys(COUNTS, 0),
        **counts,
        "partition": span.partition,
        "begin_offset": span.begin,
        "end_offset": span.end,
        "leader_epoch": span.epoch,
        "holes": span.end - span.begin - consumed,
    }


COUNTS = ("consumed", "loaded", "duplicates", "quarantined", "skipped")
LEDGER = pa.schema(
    [
        ("partition", pa.int32()),
        ("begin_offset", pa.int64()),
        ("end_offset", pa.int64()),
        ("leader_epoch", pa.int32()),
        *((name, pa.int64()) for name in COUNTS),
        ("holes", pa.int64()),
        ("max_event_time", pa.timestamp("us", tz="UTC")),
    ]
)
