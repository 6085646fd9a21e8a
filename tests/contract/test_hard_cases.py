"""Cases that once went wrong, each as the fact that holds now."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.cli.quarantine.entry import as_json, found
from loader.errors import ActionNeeded, Restart, WarehouseMismatch
from loader.model import CHUNK_SCHEMA, Batch, Identity, Span, Totals, new_batch_id
from loader.warehouse import attach, upkeep
from loader.warehouse.attach import connect
from loader.warehouse.files import WriterLock, make_folder
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.transaction import CommitFailed, is_conflict
from loader.warehouse.verify import checks
from loader.warehouse.wanted import Place
from tests.making import KINDS, batch, begin, make_config, order

HOSTILE = [
    "it's",
    "'q'",
    "'",
    "C:\\dir\\",
    "\\",
    "\\'",
    "{}",
    "}",
    '"',
    "NULL",
    "null",
    "",
    " ",
    "[1, 2]",
    "a,b",
]


def opened(folder: Path, kind: str, **changes: Any) -> DuckWarehouse:
    """A warehouse with the first offset of one partition recorded."""
    config = make_config(folder, kind, **changes)
    begin(config, Identity("", "orders", "", 1), {0: 0})
    return DuckWarehouse(config, accept_quarantine=True)


def commit(warehouse: DuckWarehouse, made: Batch) -> Totals:
    """Take a batch all the way; its totals."""
    staged = warehouse.stage(made)
    try:
        return warehouse.commit(warehouse.split(staged)).totals
    finally:
        warehouse.discard(staged)


@pytest.mark.parametrize(
    "type_", ["STRUCT(a VARCHAR)", "STRUCT(a VARCHAR)[]", "VARCHAR[]", "JSON", "MAP(VARCHAR, VARCHAR)"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_nested_texts_of_small_batches_are_kept(kind: str, type_: str, tmp_path: Path) -> None:
    """Quotes, backslashes and braces inside nested values survive, and the same record is a twin."""
    shapes = {
        "STRUCT(a VARCHAR)": lambda t: {"a": t},
        "STRUCT(a VARCHAR)[]": lambda t: [{"a": t}],
        "VARCHAR[]": lambda t: [t],
        "JSON": lambda t: {"a": [t]},
        "MAP(VARCHAR, VARCHAR)": lambda t: {"a": t},
    }
    columns = {"id": {"type": "INTEGER"}, "nested": {"type": type_}}
    warehouse = opened(tmp_path, kind, table={"id": "id", "event_time": None, "columns": columns})
    sent = {number: shapes[type_](text) for number, text in enumerate(HOSTILE)}
    values = [json.dumps({"id": number, "nested": value}).encode() for number, value in sent.items()]
    assert commit(warehouse, batch((0, 0, values))).loaded == len(HOSTILE)
    assert commit(warehouse, batch((0, len(values), values))).duplicates == len(HOSTILE)
    warehouse.close()
    with connect(make_config(tmp_path, kind).warehouse, read_only=True) as home:
        rows = home.execute("SELECT id, to_json(nested) FROM lake.main.orders").fetchall()
    assert {number: json.loads(text) for number, text in rows} == sent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(43)
def test_hostile_headers_of_refused_records_are_kept(kind: str, tmp_path: Path) -> None:
    """Header keys are the producer's to choose; values are bytes; duplicates and null stay."""
    headers = [{"key": key, "value": b"\x00\xff" + key.encode()} for key in HOSTILE]
    headers += [{"key": "same", "value": None}, {"key": "same", "value": b""}]
    row = {
        "partition": 0,
        "offset": 0,
        "kafka_time": 1,
        "key": b"\x00k",
        "value": b"{",
        "text": "{",
        "headers": headers,
    }
    made = Batch(new_batch_id(), (Span(0, 0, 1),), pa.Table.from_pylist([row], schema=CHUNK_SCHEMA))
    warehouse = opened(tmp_path, kind)
    assert commit(warehouse, made).quarantined == 1
    warehouse.close()
    entry = as_json(*found(make_config(tmp_path, kind), Place(0, 0), "orders[0]@0"))
    assert [header["key"] for header in entry["headers"]] == [header["key"] for header in headers]
    assert entry["headers"][-2]["value_base64"] is None
    assert entry["headers"][-1]["value_base64"] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_columns_may_have_the_names_of_ours(kind: str, tmp_path: Path) -> None:
    """An id called verdict, first_offset, partition or batch is only a name."""
    ids = ["verdict", "first_offset", "partition", "batch"]
    columns: dict[str, Any] = {name: {"type": "VARCHAR"} for name in ids}
    warehouse = opened(
        tmp_path, kind, table={"id": ids, "event_time": None, "columns": columns | {"n": {"type": "INTEGER"}}}
    )
    one = dict.fromkeys(ids, "x")
    values = [json.dumps({**one, "n": n}).encode() for n in (1, 1, 2)]
    assert commit(warehouse, batch((0, 0, values))) == Totals(3, 1, 1, 1)
    warehouse.close()


def test_rows_that_someone_else_inserted_are_known(tmp_path: Path) -> None:
    """A backfill without our columns counts: the same id is not loaded again."""
    warehouse = opened(tmp_path, "duckdb")
    warehouse.close()
    with connect(make_config(tmp_path, "duckdb").warehouse) as home:
        home.execute("INSERT INTO lake.main.orders (order_id, timestamp, user_id, amount) VALUES "
                     "('ORD000001', '2026-03-03T10:30:00Z', 1, 1.25)")  # fmt: skip
    warehouse = DuckWarehouse(make_config(tmp_path, "duckdb"))
    assert commit(warehouse, batch((0, 0, [order(1), order(2)]))) == Totals(2, 1, 1)
    warehouse.close()


def test_records_given_twice_by_the_client_are_never_committed(tmp_path: Path) -> None:
    """More records than offsets in a span: drop what is in memory and read again."""
    made = batch((0, 0, [order(1), order(2)]))
    warehouse = opened(tmp_path, "duckdb")
    with pytest.raises(Restart, match="twice"):
        commit(warehouse, Batch(made.id, (Span(0, 0, 1),), made.records))
    warehouse.close()


def test_the_catalogue_is_flushed_and_stays_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many commits inlined rows go to files, whichever process makes them; verify stays true."""
    monkeypatch.setattr(upkeep.Upkeep.__init__, "__defaults__", (5,))
    config = make_config(tmp_path)
    opened(tmp_path, "ducklake").close()
    for number in range(12):
        warehouse = DuckWarehouse(config)
        commit(warehouse, batch((0, number, [order(number)])))
        warehouse.close()
    assert list((config.warehouse.data_path / "loader").rglob("*.parquet"))
    assert not list(config.warehouse.data_path.rglob("*.keep"))
    with Reader(config) as reader:
        assert {check.status for check in checks(reader)} == {"ok"}


@pytest.mark.parametrize(
    ("text", "race"),
    [
        ("TransactionContext Error: Transaction conflict - attempting to delete", True),
        ("Failed to commit DuckLake transaction: database is locked", True),
        ("Failed to commit DuckLake transaction: No space left on device", False),
        ("Failed to commit: database or disk is full", False),
        ("disk I/O error", False),
    ],
)
def test_a_full_disk_is_no_race(text: str, *, race: bool) -> None:
    """What another try cannot mend is told as it is."""
    assert is_conflict(CommitFailed(text)) is race


def test_a_file_in_place_of_the_folder_is_said_plainly(tmp_path: Path) -> None:
    """No traceback: the warehouse's path is below a file."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(ActionNeeded, match="File exists"):
        DuckWarehouse(make_config(tmp_path, warehouse={"path": "ducklake:sqlite:taken/catalog.sqlite"}))


def test_what_killed_processes_have_spilled_goes_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what is young, nor what belongs to a process that lives."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, alive = (attach.spill_folder() / name for name in ("999999999-aa", "999999998-bb", "1-cc"))
    for folder in (old, young, alive):
        folder.mkdir()
    for folder in (old, alive):
        os.utime(folder, (0, 0))
    attach._sweep.__wrapped__()
    assert [folder.exists() for folder in (old, young, alive)] == [False, True, True]


def test_two_connections_never_spill_into_one_folder(tmp_path: Path) -> None:
    """DuckDB's spill files have fixed names: in a shared folder, one process reads the other's rows."""
    config = make_config(tmp_path)
    DuckWarehouse(config).close()
    with connect(config.warehouse, read_only=True) as one, connect(config.warehouse, read_only=True) as other:
        folders = {
            home.execute("SELECT current_setting('temp_directory')").fetchone() for home in (one, other)
        }
    assert len(folders) == 2


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    """Also where some are there already, below a root or not."""
    (tmp_path / "a").mkdir()
    make_folder(tmp_path / "a" / "b" / "c", tmp_path)
    make_folder(tmp_path / "x" / "y")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert (tmp_path / "x" / "y").is_dir()


def test_the_writers_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    """The second waits until the first lets go."""
    first, second = WriterLock(tmp_path / "lock"), WriterLock(tmp_path / "lock")
    order_: list[str] = []
    first.take()
    waiting = threading.Thread(target=lambda: (second.take(), order_.append("second"), second.give()))
    waiting.start()
    order_.append("first")
    first.give()
    waiting.join(10)
    assert order_ == ["first", "second"]


@pytest.mark.fault(55)
def test_a_pipeline_keeps_its_table(tmp_path: Path) -> None:
    """Under another table name it would go on at the old offsets, without the rows before them."""
    warehouse = opened(tmp_path, "ducklake")
    commit(warehouse, batch((0, 0, [order(1)])))
    warehouse.close()
    with pytest.raises(WarehouseMismatch, match="loads into the table orders"):
        DuckWarehouse(make_config(tmp_path, table={"name": "orders2"}))
