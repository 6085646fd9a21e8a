"""What tests are made of: configurations, records as Arrow, batches, warehouses."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa

from loader.config import Config, config_from
from loader.model import CHUNK_SCHEMA, Batch, Identity, Span, new_batch_id
from loader.warehouse.owners import MARK
from loader.warehouse.store import DuckWarehouse

ORDER_COLUMNS: Mapping[str, Any] = {
    "order_id": {"type": "VARCHAR", "check": "length(order_id) <= 64"},
    "timestamp": {"type": "TIMESTAMPTZ", "zone": "UTC"},
    "user_id": {"type": "BIGINT", "required": False},
    "amount": {"type": "DECIMAL(18,2)", "check": "amount >= 0"},
}
KINDS = ("ducklake", "duckdb")


def warehouse_path(kind: str) -> str:
    """The address of a warehouse of this kind in the folder of the configuration."""
    return {"ducklake": "ducklake:sqlite:catalog.sqlite", "duckdb": "warehouse.duckdb"}[kind]


def make_config(folder: Path, kind: str = "ducklake", **changes: Any) -> Config:
    """A configuration of orders; `changes` are whole sections that are merged over it."""
    tree: dict[str, Any] = {
        "pipeline": "orders",
        "kafka": {"bootstrap": "localhost:1", "topic": "orders"},
        "warehouse": {"path": warehouse_path(kind)},
        "table": {
            "name": "orders",
            "id": "order_id",
            "event_time": "timestamp",
            "columns": {name: dict(column) for name, column in ORDER_COLUMNS.items()},
        },
    }
    for section, keys in changes.items():
        tree[section] = {**tree.get(section, {}), **keys} if isinstance(keys, Mapping) else keys
    return config_from(tree, folder)


def order(number: int, **changes: Any) -> bytes:
    """The bytes of an order; None as a change leaves the field out."""
    fields = {
        "order_id": f"ORD{number:06d}",
        "timestamp": "2026-03-03T10:30:00Z",
        "user_id": number % 7,
        "amount": number + 0.25,
    }
    return json.dumps(
        {name: value for name, value in (fields | changes).items() if value is not None}
    ).encode()


def records(partition: int, first: int, values: Iterable[bytes | None]) -> pa.RecordBatch:
    """Consecutive records of one partition, beginning at offset `first`."""
    rows = [
        {
            "partition": partition,
            "offset": first + number,
            "kafka_time": 1_772_000_000_000 + number,
            "key": None,
            "value": value,
            "text": _text(value),
            "headers": None,
        }
        for number, value in enumerate(values)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CHUNK_SCHEMA)


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def batch(*parts: tuple[int, int, list[bytes | None]], holes: int = 0) -> Batch:
    """A batch of (partition, begin, values); each span ends `holes` after its last record."""
    spans = tuple(Span(p, begin, begin + len(values) + holes, 0) for p, begin, values in parts)
    chunks = [records(*part) for part in parts]
    return Batch(new_batch_id(), spans, pa.Table.from_batches(chunks, schema=CHUNK_SCHEMA))


def copied(config: Config, folder: Path) -> Config:
    """The same pipeline in an empty folder, with a copy of its warehouse, which nobody may have open.

    To make a warehouse costs a hundred times as much, so tests with one scene make it once and copy it.
    """
    source, made = config.warehouse.file.parent, _elsewhere(config, folder)
    assert not made.warehouse.file.exists()
    copy_folder(source, folder)
    return made


def copy_folder(source: Path, folder: Path) -> None:
    """Copy the folder of a pipeline whose warehouse nobody has open; a lake in it learns where it is now."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    for catalogue in folder.glob("*.sqlite"):
        _moved(catalogue, f"{source}/", f"{folder}/")
    for mark in folder.rglob(f"{MARK}*"):
        mark.unlink()  # says that the other lake writes here; the next to open leaves its own


def _elsewhere(config: Config, folder: Path) -> Config:
    made = config.model_copy(deep=True)
    for section in (made.warehouse, *made.derive):
        section._folder = folder
    assert folder in made.warehouse.data_path.parents, "only relative paths can be followed"
    assert made.warehouse.file.parent == folder
    return made


_PREPARED: dict[str, Config] = {}


def prepared(config: Config, fill: Callable[..., object], *arguments: object) -> None:
    """What `fill(config, *arguments)` makes of a warehouse that is not there yet.

    It is made once in a process for each kind, table and list of derived tables, and copied. What else stands
    in the configuration must not matter to it.
    """
    assert all(derived.file is None for derived in config.derive), "files of one name may differ"
    what = (fill.__module__, fill.__qualname__, arguments, config.pipeline, config.kafka.topic)
    where = (config.warehouse.path.get_secret_value(), config.warehouse.data)
    key = repr((what, where, *(each.model_dump_json() for each in (config.table, *config.derive))))
    if key not in _PREPARED:
        made = _elsewhere(config, Path(mkdtemp(dir=_shelf())))
        fill(made, *arguments)
        _PREPARED[key] = made
    copied(_PREPARED[key], config.warehouse.file.parent)


def begin(config: Config, identity: Identity, starts: Mapping[int, int]) -> None:
    """A warehouse whose pipeline has recorded its topic and where to begin, and nothing else."""
    prepared(config, _begun, identity, starts)


def _begun(config: Config, identity: Identity, starts: Mapping[int, int]) -> None:
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.record(identity, starts)


@cache
def _shelf() -> Path:
    """A folder that goes when the process ends."""
    folder = Path(mkdtemp(prefix="loader-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _moved(catalogue: Path, source: str, folder: str) -> None:
    """Let every path in a catalogue begin with another folder."""
    with closing(sqlite3.connect(catalogue)) as home, home:
        home.execute("PRAGMA synchronous = OFF")
        columns = (
            "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c "
            "WHERE t.type = 'table'"
        )
        for table, column in home.execute(columns).fetchall():
            home.execute(
                f'UPDATE "{table}" SET "{column}" = replace("{column}", ?1, ?2) '
                f'WHERE typeof("{column}") = \'text\' AND instr("{column}", ?1)',
                (source, folder),
            )


def age(config: Config, seconds: float) -> None:
    """Let everything in the lake be so much older: files, snapshots, and the list of files to delete."""
    for file in config.warehouse.data_path.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - seconds,) * 2)
    with closing(sqlite3.connect(config.warehouse.file)) as catalogue, catalogue:
        for table, column in (
            ("ducklake_snapshot", "snapshot_time"),
            ("ducklake_files_scheduled_for_deletion", "schedule_start"),
        ):
            catalogue.execute(
                f"UPDATE {table} SET {column} = strftime('%Y-%m-%d %H:%M:%f', substr({column}, 1, 23), "
                f"'-{seconds} seconds') || '+00'"
            )


Maker = Callable[[], Any]
