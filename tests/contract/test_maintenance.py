"""Upkeep: few files, bounded catalogue, nothing that anybody needs is removed, and `verify` stays true."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loader.config import Config, Maintain
from loader.model import Identity
from loader.runs import ended_run, now
from loader.warehouse.attach import connect
from loader.warehouse.change import changes
from loader.warehouse.durable import SECOND
from loader.warehouse.files import is_as_written, lonely_seals
from loader.warehouse.history import record
from loader.warehouse.maintenance import Maintenance
from loader.warehouse.owners import claim, other_owners
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.upkeep import Upkeep
from loader.warehouse.verify import checks
from tests.making import KINDS, age, batch, make_config, order, prepared

AT_ONCE = {"keep_snapshots": "0s"}
BATCHES, ROWS = 12, 100


def load(config: Config, first: int = 0, batches: int = BATCHES, rows: int = ROWS) -> None:
    """Commit batches of new orders, with a twin and a refused record in each."""
    warehouse = DuckWarehouse(config)
    if not warehouse.recorded():
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    for number in range(first, first + batches):
        values = [*(order(number * rows + row) for row in range(rows)), order(0), b"{"]
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, number * len(values), values)))))
    warehouse.close()


def maintain(config: Config) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """All upkeep; the numbers before and after, and what was done."""
    with changes(config) as warehouse:
        work = Maintenance(warehouse, config)
        before = work.numbers()
        list(work.steps())
        return before, work.numbers(), work.done


def sound(config: Config, batches: int = BATCHES) -> None:
    """`verify` is true and every row is there."""
    with Reader(config) as reader:
        assert [check for check in checks(reader) if check.status != "ok"] == []
        assert reader.of_pipeline("read/totals")[0]["loaded"] == batches * ROWS
        assert reader.home.execute("SELECT count(*) FROM lake.orders").fetchone() == (batches * ROWS,)


def test_small_files_become_few(tmp_path: Path) -> None:
    """A file per batch becomes one; rows, ledger and proof are as before; then there is nothing to do."""
    config = make_config(tmp_path)
    prepared(config, load)
    before, after, done = maintain(config)
    assert before["files"] == BATCHES
    assert (done["merged_files"], done["made_files"]) == (BATCHES, 1)
    assert after["files"] < BATCHES
    sound(config)
    assert maintain(config)[2].get("merged_files", 0) == 0
    sound(config)
    with Reader(config) as reader:
        (files,) = (check.detail for check in checks(reader) if check.name == "files")
    assert "old ones are kept for snapshots and readers" in files
    assert "without a name" not in files
    assert "without a checksum" not in files


def test_old_files_go_only_after_their_time(tmp_path: Path) -> None:
    """What was merged away stays on disk for readers until `delete_after`; the named files never go."""
    config = make_config(tmp_path, maintain=AT_ONCE)
    prepared(config, load)
    _, after, done = maintain(config)
    assert done["expired_snapshots"] >= BATCHES
    assert (after["snapshots"], done.get("deleted_files", 0)) == (1, 0)
    assert after["files_on_disk"] > after["files"]
    for _ in range(4):  # a file of the same date, or of the day before, is not older than a day
        age(config, 5 * 3600 + 3540)
        assert maintain(config)[2].get("deleted_files", 0) == 0
    age(config, 49 * 3600)
    _, after, done = maintain(config)
    assert done["deleted_files"] >= BATCHES
    assert done["orphans"] == 0
    assert lonely_seals(config.warehouse.data_path) == []
    sound(config)


def test_a_deleted_file_takes_its_seal_with_it(tmp_path: Path) -> None:
    """Seals do not pile up until they count as left by a kill: a load every five minutes makes 288 a day."""
    config = make_config(tmp_path, maintain=AT_ONCE | {"orphans_after": "30d"})
    prepared(config, load)
    maintain(config)
    age(config, 49 * 3600)
    assert maintain(config)[2]["deleted_files"] >= BATCHES
    assert lonely_seals(config.warehouse.data_path) == []
    sound(config)


def test_a_file_of_which_a_kill_left_only_the_second_name_comes_back(tmp_path: Path) -> None:
    """The catalogue names it: COMMIT had failed for DuckLake, which removed it, and had taken effect."""
    config = make_config(tmp_path)
    prepared(config, load)
    maintain(config)
    (merged,) = (config.warehouse.data_path / "main" / "orders").glob("ducklake-*.parquet")
    load(config, BATCHES, 3)  # small files that a merge would read together with it
    left = merged.with_suffix(".0a1b2c3d.keep")
    merged.rename(left)
    age(config, 49 * 3600)
    maintain(config)
    assert is_as_written(merged)
    sound(config, BATCHES + 3)
    assert not left.exists()


def test_a_seal_that_another_worker_sweeps_first_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers may find the same old seals; the slower one goes on."""
    config = make_config(tmp_path)
    prepared(config, load)
    gone = config.warehouse.data_path / "main" / "orders" / "loader-1-1.crc"
    monkeypatch.setattr("loader.warehouse.maintenance.lonely_seals", lambda _: [gone])
    assert maintain(config)[2]["orphans"] == 0
    sound(config)


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "broken"), duckdb.IOException("broken")])
def test_upkeep_that_fails_ends_no_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    """The batch is durable: whatever fails in upkeep is a warning, and tried again later."""

    def fail(_: Path) -> list[Path]:
        raise failure

    config = make_config(tmp_path)
    monkeypatch.setattr("loader.warehouse.maintenance.lonely_seals", fail)
    monkeypatch.setattr(Upkeep, "_is_due", lambda _: True)
    load(config, batches=24)
    assert "upkeep of the warehouse was not finished, later again" in caplog.text
    sound(config, 24)


def test_a_mark_without_its_lake_is_written_again(tmp_path: Path) -> None:
    """After a full disk or a power cut it may be empty: still another's, and its own writes it again."""
    ours, others = tmp_path / "ours.sqlite", tmp_path / "others.sqlite"
    data = tmp_path / "data"
    others.touch()
    claim(data, others)
    (mark,) = data.iterdir()
    mark.write_text("")
    assert other_owners(data, ours) == [str(mark)]
    assert other_owners(data, others) == []
    claim(data, others)
    assert other_owners(data, ours) == [str(others)]


def test_what_a_kill_left_goes_after_its_time(tmp_path: Path) -> None:
    """A file without a name is deleted when it is old, not before; what is not a lake's file stays."""
    config = make_config(tmp_path)
    prepared(config, load)
    folder = config.warehouse.data_path / "main" / "orders"
    (whole,) = list(folder.glob("*.parquet"))[:1]
    orphans = [folder / "loader-1-2.parquet", folder / "ducklake-3.parquet", folder / "ducklake-4.keep"]
    for file in (*orphans, folder / "mine.parquet"):
        file.write_bytes(whole.read_bytes())
    assert maintain(config)[2]["orphans"] == 0
    age(config, 25 * 3600)
    assert maintain(config)[2]["orphans"] == len(orphans)
    assert not any(file.exists() for file in orphans)
    assert (folder / "mine.parquet").exists()
    sound(config)


def test_a_second_name_that_a_kill_left_goes_without_the_seal_of_its_file(tmp_path: Path) -> None:
    """A kill behind COMMIT leaves it beside a file that the catalogue names, which keeps its checksum."""
    config = make_config(tmp_path)
    prepared(config, load)
    maintain(config)
    made = list((config.warehouse.data_path / "main").rglob("ducklake-*.parquet"))
    second = [file.with_suffix(SECOND) for file in made]
    for file, name in zip(made, second, strict=True):
        name.hardlink_to(file)
    age(config, 25 * 3600)
    assert maintain(config)[2]["orphans"] == len(made) > 0
    assert not any(name.exists() for name in second)
    assert [is_as_written(file) for file in made] == [True] * len(made)
    sound(config)


def test_two_lakes_in_one_folder_keep_their_files(tmp_path: Path) -> None:
    """The files of another lake are no orphans, however old they are."""
    config = make_config(tmp_path)
    other = make_config(tmp_path, warehouse={"path": "ducklake:sqlite:other.sqlite"})
    prepared(config, load)
    load(other)
    age(config, 25 * 3600)
    age(other, 25 * 3600)
    assert "orphans" not in maintain(config)[2]
    sound(config)
    sound(other)


@pytest.mark.fault(50, 51)
def test_a_reader_keeps_its_snapshot(tmp_path: Path) -> None:
    """A reader that began before sees the same rows after merging, expiry and another load."""
    config = make_config(tmp_path, maintain=AT_ONCE)
    prepared(config, load)
    with Reader(config) as reader:
        sql = "SELECT count(*), sum(amount), count(DISTINCT _batch) FROM lake.orders"
        before = reader.home.execute(sql).fetchone()
        maintain(config)
        load(config, first=BATCHES, batches=2)
        assert reader.home.execute(sql).fetchone() == before
    sound(config, BATCHES + 2)


MORE = pytest.mark.xfail(strict=True, reason="DuckDB 1.5.5 reads SQLite on a connection for each thread")


@pytest.mark.parametrize("threads", [1, pytest.param(4, marks=MORE)])
def test_an_open_transaction_keeps_rows_that_move_out_of_the_catalogue(tmp_path: Path, threads: int) -> None:
    """What a reader saw in a transaction it sees until its end, though upkeep moved it (docs/reading.md)."""
    config = make_config(tmp_path)
    prepared(config, load)
    count = "SELECT count(*) FROM lake.loader.batches"
    with connect(config.warehouse, read_only=True, threads=threads) as home:
        home.execute("BEGIN TRANSACTION")
        before = home.execute(count).fetchall()
        maintain(config)
        assert home.execute(count).fetchall() == before


@pytest.mark.fault(58)
def test_the_catalogue_stays_bounded(tmp_path: Path) -> None:
    """Many small loads with upkeep in between: files, snapshots and catalogue do not grow with them."""
    config = make_config(tmp_path, maintain=AT_ONCE)
    sizes = []
    for day in range(4):
        load(config, first=day * 4, batches=4)
        maintain(config)
        age(config, 72 * 3600)
        sizes.append(maintain(config)[1])
    for name in ("files", "files_on_disk", "snapshots"):
        assert sizes[-1][name] == sizes[1][name], (name, sizes)
    assert sizes[-1]["catalogue_bytes"] < 1.5 * sizes[1]["catalogue_bytes"]
    sound(config, 16)


@pytest.mark.parametrize("kind", KINDS)
def test_old_runs_are_forgotten(tmp_path: Path, kind: str) -> None:
    """The history goes back as far as `keep_runs` says."""
    config = make_config(tmp_path, kind, maintain={"keep_runs": "30d"})
    prepared(config, load)
    run = ended_run("load", "command", now(), 0, {"outcome": "caught_up"})
    assert record(config, [run, run]) is None
    with connect(config.warehouse) as home:
        home.execute("UPDATE lake.loader.runs SET ended_at = ended_at - INTERVAL 31 DAY")
    assert record(config, [run]) is None
    assert maintain(config)[2]["forgotten_runs"] == 2
    with Reader(config) as reader:
        assert len(reader.of_pipeline("read/runs", job=None, most=10)) == 1
    sound(config)


def test_a_duckdb_file_is_checkpointed(tmp_path: Path) -> None:
    """All of the write-ahead log moves into the file."""
    config = make_config(tmp_path, "duckdb")
    prepared(config, load)
    _, after, _ = maintain(config)
    assert after["bytes"] == config.warehouse.file.stat().st_size
    sound(config)


@pytest.mark.parametrize("kind", KINDS)
def test_a_writer_does_upkeep_between_its_batches(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is due, each commit is followed by one piece of it, and the end of all is in the history."""
    monkeypatch.setattr(Upkeep, "_is_due", lambda _: True)
    config = make_config(tmp_path, kind)
    load(config, batches=24, rows=ROWS)
    with Reader(config) as reader:
        runs = reader.of_pipeline("read/runs", job="maintain", most=50)
        assert {(run["outcome"], run["started_by"]) for run in runs} == {("done", "run")}
    if kind == "ducklake":
        assert len(list((config.warehouse.data_path / "main").rglob("ducklake-*.parquet"))) >= 1
    sound(config, 24)


@pytest.mark.parametrize("kind", KINDS)
def test_a_writer_does_upkeep_while_nothing_comes(tmp_path: Path, kind: str) -> None:
    """Piece by piece, once it is due, and then no more until it is due again."""
    config = make_config(tmp_path, kind, maintain={"every": "1h"})
    prepared(config, load, 0, 2)
    with closing(DuckWarehouse(config)) as warehouse:
        upkeep: Any = warehouse._upkeep
        warehouse.rest()
        assert upkeep._steps is None
        upkeep._since -= 3601
        rests = 0
        while warehouse.rest() or upkeep._steps is not None:
            rests += 1
        assert rests >= (3 if kind == "ducklake" else 1)
        warehouse.rest()
        assert upkeep._steps is None
    with Reader(config) as reader:
        runs = reader.of_pipeline("read/runs", job="maintain", most=9)
        assert [(run["outcome"], run["started_by"]) for run in runs] == [("done", "run")]
    sound(config, 2)


def test_upkeep_is_due_once_for_all_writers(tmp_path: Path) -> None:
    """A writer does not repeat what another process has done within `maintain.every`."""
    config = make_config(tmp_path, maintain={"every": "1h"})
    prepared(config, load)
    with changes(config) as warehouse:
        upkeep: Any = Upkeep(config, warehouse)
        assert not upkeep._is_due()
        upkeep._since -= 3601
        assert upkeep._is_due()
        run = ended_run("maintain", "command", now(), 0, {"outcome": "done"})
        assert record(config, [run]) is None
        upkeep._since -= 3601
        assert not upkeep._is_due()
    never = Maintain.model_validate({"every": "0s"})
    assert never.every == 0


@pytest.mark.parametrize("first", [0, 1])
def test_inlined_rows_are_flushed_though_the_history_takes_numbers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Loads of one batch have only even or only odd numbers: the flush comes all the same."""
    monkeypatch.setattr(Upkeep.__init__, "__defaults__", (4,))
    config = make_config(tmp_path)
    run = ended_run("load", "command", now(), 0, {"outcome": "caught_up"})
    for _ in range(first):
        load(config, batches=0)
        assert record(config, [run]) is None
    for number in range(3):
        load(config, first=number, batches=1, rows=10)
        assert record(config, [run]) is None
    assert list((config.warehouse.data_path / "loader").rglob("ducklake-*.parquet"))
