"""Prove the balance: each check is a query that returns nothing when all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loader.errors import LoaderError
from loader.guards import range_text
from loader.model import Span
from loader.plural import counted
from loader.warehouse.files import is_as_written
from loader.warehouse.reading import Reader

SHOWN = 3  # findings that a failed check names
WHOLE, UNSEALED = "whole", "without a checksum"  # how a sound file is


@dataclass(frozen=True, slots=True)
class Check:
    """One check of `verify`: ok, failed or skipped, and what was found."""

    name: str
    status: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """The check as --json prints it."""
        return {"name": self.name, "status": self.status, "detail": self.detail}


def checks(reader: Reader) -> list[Check]:
    """All checks that need no broker, on the reader's snapshot."""
    return [
        guarded(reader, "chain", lambda: _chain(reader)),
        _check(reader, "balance", "read/verify_balance", "every span and every batch adds up"),
        _check(
            reader, "rows", "read/verify_rows", "tables hold what the ledger says, per batch and partition"
        ),
        _check(reader, "positions", "read/verify_positions", "no (partition, offset) stands in two places"),
        guarded(reader, "ids", lambda: _ids(reader)),
        guarded(reader, "files", lambda: _files(reader)),
    ]


def _check(reader: Reader, name: str, query: str, good: str) -> Check:
    return guarded(reader, name, lambda: verdict(name, reader.of_pipeline(query), good))


def _chain(reader: Reader) -> Check:
    good = "spans of each partition meet, from baseline to offset"
    check = verdict("chain", reader.of_pipeline("read/verify_chain"), good)
    gaps = ", ".join(_gap(reader, row) for row in reader.of_pipeline("read/gaps"))
    rewinds = reader.of_pipeline("read/rewinds")
    voided = sum(row["spans"] for row in rewinds)
    (waiting,) = (row["records"] for row in reader.of_pipeline("read/waiting"))
    topics = reader.of_pipeline("read/topics")
    notes = [
        f"{len(topics)} topics, one after the other, the last since {topics[-1]['committed_at']}"
        if topics[1:]
        else "",
        f"accepted gaps: {gaps}" if gaps else "",
        f"{counted(voided, 'spans')} voided by {counted(len(rewinds), 'rewinds')}" if rewinds else "",
        f"duplicates that wait for a first record, which was undone: {waiting}" if waiting else "",
        *_retained(reader),
    ]
    return replace(check, detail="; ".join([check.detail, *filter(None, notes)]))


def _retained(reader: Reader) -> list[str]:
    (row,) = reader.of_pipeline("read/retained")
    removed = f"retention removed {row['quarantined']} quarantine entries and {row['duplicates']} duplicates"
    return [
        f"{row['offsets']} offsets folded by retention" if row["offsets"] else "",
        removed if row["quarantined"] or row["duplicates"] else "",
    ]


def _gap(reader: Reader, row: dict[str, Any]) -> str:
    return range_text(reader.config.kafka.topic, Span(row["partition"], row["begin"], row["end"]))


def guarded(reader: Reader, name: str, check: Callable[[], Check]) -> Check:
    """A check that cannot be carried out has failed: what cannot be read is not proved."""
    try:
        return check()
    except (LoaderError, OSError) as error:
        reader.begin_again()
        return Check(name, "failed", str(error))


def verdict(name: str, findings: list[dict[str, Any]], good: str) -> Check:
    """The check with these findings; without any it is `good`."""
    if not findings:
        return Check(name, "ok", good)
    shown = "; ".join(
        ", ".join(f"{key} {value}" for key, value in finding.items() if value is not None)
        for finding in findings[:SHOWN]
    )
    more = f" and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return Check(name, "failed", f"{counted(len(findings), 'findings')}: {shown}{more}")


def _ids(reader: Reader) -> Check:
    if reader.contract.duplicates == "off":
        return Check("ids", "skipped", 'table.duplicates is "off": an id may stand twice')
    return verdict("ids", reader.of_table("read/verify_ids"), "no id stands twice")


def _files(reader: Reader) -> Check:
    if reader.config.warehouse.kind != "ducklake":
        reader.of_table("read/read_all")
        return Check("files", "ok", "every block of the table can be read")
    named = _named_files(reader)
    states = [_state(name) for name in named]
    if wrong := [{state: name} for state, name in states if state not in (WHOLE, UNSEALED)]:
        return verdict("files", wrong, "")
    if named:
        reader.rows("read/file_rows", files=named)
    reader.of_table("read/read_all")
    (old,) = (row["files"] for row in reader.rows("read/old_files"))
    unknown = len(_unknown_files(reader, set(named))) - old
    notes = [f"{counted(len(named), 'files')} exist{'s' * (len(named) == 1)} and can be read"]
    unsealed = sum(state == UNSEALED for state, _ in states)
    notes += [f"{unsealed} {UNSEALED}"] if unsealed else []
    notes += [f"{old} old ones are kept for snapshots and readers"] if old else []
    notes += [f"{unknown} without a name (a batch under way, or left by a kill)"] if unknown > 0 else []
    return Check("files", "ok", "; ".join(notes))


def _state(name: str) -> tuple[str, str]:
    """How a file that the catalogue names is, and its name; where the seal cannot be read, the seal's."""
    try:
        if not Path(name).is_file():
            return "missing", name
        as_written = is_as_written(Path(name))
    except OSError as error:
        return f"cannot be read ({error.strerror})", str(error.filename or name)
    return {True: WHOLE, None: UNSEALED, False: "changed since it was written"}[as_written], name


def _named_files(reader: Reader) -> list[str]:
    tables = reader.rows("read/lake_tables")
    found = [
        file
        for table in tables
        for row in reader.rows("read/lake_files", table=table["table_name"], schema=table["schema_name"])
        for file in row.values()
        if file
    ]
    return sorted(set(found))


def _unknown_files(reader: Reader, named: set[str]) -> list[Path]:
    folder = reader.config.warehouse.data_path
    return [file for file in folder.rglob("*.parquet") if str(file) not in named]
