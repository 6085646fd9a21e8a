"""Every check of `verify` can fail: each kind of damage is found by the check that is meant for it."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from loader.cli.status import report
from loader.config import Config
from loader.errors import ActionNeeded, LoaderError, NothingLoaded, WarehouseMismatch
from loader.model import Identity
from loader.statements import names
from loader.warehouse.ask import ask
from loader.warehouse.attach import connect
from loader.warehouse.change import changes
from loader.warehouse.foresight import Foresight
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import Check, checks
from tests.making import KINDS, batch, begin, copied, make_config, order
from tests.oracle import database, lake

TABLES = (
    "orders",
    *(f"loader.{name}" for name in ("batches", "spans", "offsets", "quarantine", "duplicates")),
)
Damage = Callable[[duckdb.DuckDBPyConnection], object]


@pytest.fixture(scope="module", params=KINDS)
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A warehouse with two batches: 100 rows in a file of their own, and every other outcome once."""
    config = make_config(tmp_path_factory.mktemp("sound"), request.param)
    warehouse = DuckWarehouse(config)
    warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    first = [order(n) for n in range(100)]
    second = [order(1), order(2, amount=1.5), b"{", order(200)]
    for made in (batch((0, 0, first)), batch((0, 100, second), holes=2)):
        warehouse.commit(warehouse.split(warehouse.stage(made)))
    warehouse.close()
    return config


@pytest.fixture
def loaded(sound: Config, tmp_path: Path) -> Config:
    """A copy of it."""
    return copied(sound, tmp_path)


def verdicts(config: Config) -> dict[str, Check]:
    """All checks by name."""
    with Reader(config) as reader:
        return {check.name: check for check in checks(reader)}


def test_a_sound_warehouse_passes_every_check(loaded: Config) -> None:
    """The balance of a warehouse that the loader wrote is proved, and counts every place."""
    found = verdicts(loaded)
    assert {check.status for check in found.values()} == {"ok"}
    with Reader(loaded) as reader:
        (partition,) = reader.of_pipeline("read/partitions")
    assert partition == {
        "partition": 0, "begin": 0, "end": 106, "consumed": 104, "loaded": 101,
        "duplicates": 1, "quarantined": 2, "skipped": 0, "holes": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("check", "statement"),
    [
        ("chain", "DELETE FROM lake.loader.spans WHERE begin_offset = 0"),
        (
            "chain",
            "UPDATE lake.loader.spans SET begin_offset = 101, consumed = 3 WHERE begin_offset = 100",
        ),
        ("chain", "UPDATE lake.loader.offsets SET next_offset = next_offset + 1"),
        ("chain", "UPDATE lake.loader.offsets SET baseline = 1"),
        ("balance", "UPDATE lake.loader.spans SET skipped = 1 WHERE begin_offset = 0"),
        ("balance", "UPDATE lake.loader.batches SET loaded = loaded + 1, consumed = consumed + 1"),
        ("balance", "DELETE FROM lake.loader.batches WHERE loaded = 100"),
        ("rows", "DELETE FROM lake.main.orders WHERE order_id = 'ORD000007'"),
        ("rows", "DELETE FROM lake.loader.quarantine"),
        ("rows", "INSERT INTO lake.loader.duplicates SELECT * FROM lake.loader.duplicates"),
        ("rows", "UPDATE lake.main.orders SET _batch = 5 WHERE order_id = 'ORD000007'"),
        ("positions", "UPDATE lake.main.orders SET _offset = 3 WHERE _offset = 4"),
        ("positions", "UPDATE lake.main.orders SET _offset = 1000 WHERE _offset = 4"),
        ("ids", "UPDATE lake.main.orders SET order_id = 'ORD000003' WHERE order_id = 'ORD000004'"),
    ],
)
def test_damage_is_found(loaded: Config, check: str, statement: str) -> None:
    """A change behind the loader's back fails the check that is meant for it."""
    with connect(loaded.warehouse) as home:
        home.execute(statement)
    assert verdicts(loaded)[check].status == "failed"


@pytest.mark.fault(49)
def test_a_lost_or_broken_file_is_found(tmp_path: Path) -> None:
    """A Parquet file that is missing, or cut short as after a power loss, fails `files`."""
    config = make_config(tmp_path, "ducklake")
    begin(config, Identity("cluster", "orders", "topic-id", 1), {0: 0})
    warehouse = DuckWarehouse(config)
    warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, [order(n) for n in range(100)])))))
    warehouse.close()
    (file,) = (config.warehouse.data_path / "main").rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    assert verdicts(config)["files"].status == "failed"
    file.unlink()
    assert verdicts(config)["files"].detail == f"1 finding: missing {file}"
    file.write_bytes(whole)
    (file.parent / "left-by-a-kill.parquet").write_bytes(whole)
    file.with_suffix(".crc").unlink()  # as a warehouse of an older version has it
    assert verdicts(config)["files"].status == "ok"
    assert "1 without a checksum" in verdicts(config)["files"].detail
    assert "1 without a name" in verdicts(config)["files"].detail


@pytest.mark.parametrize(
    ("failing", "failure"),
    [
        ("is_as_written", OSError(errno.EIO, "Input/output error")),
        ("is_as_written", PermissionError(errno.EACCES, "Permission denied", "{file}")),
        ("_unknown_files", OSError(errno.EIO, "Input/output error", "{file}")),
    ],
)
def test_a_file_that_cannot_be_read_fails_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, failure: OSError
) -> None:
    """An error of the disk or of rights is a failed check that names the file; the others are carried out."""
    config = make_config(tmp_path, "ducklake")
    begin(config, Identity("cluster", "orders", "topic-id", 1), {0: 0})
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, [order(n) for n in range(100)])))))
    (file,) = (config.warehouse.data_path / "main").rglob("*.parquet")

    def fail(*_: object) -> None:
        raise type(failure)(failure.errno, failure.strerror, failure.filename and str(file))

    monkeypatch.setattr(f"loader.warehouse.verify.{failing}", fail)
    found = verdicts(config)
    assert {name for name, check in found.items() if check.status == "failed"} == {"files"}
    assert str(file) in found["files"].detail
    assert str(failure.strerror) in found["files"].detail


FLIPS = 8  # of each file: the first and the last byte, and some between
SEALED = 4  # of a file that has a checksum, where every byte is as good as another


@pytest.mark.fault(49)
def test_a_flipped_bit_is_never_silent(loaded: Config) -> None:
    """Wherever a bit of the warehouse flips: `verify` names the damage, or every value still is what it was.

    In the file of the table itself it is found wherever it is, also where it only makes another value.
    """
    values, chance = all_values(loaded), random.Random(49)
    for file in sorted(path for path in loaded.warehouse.file.parent.rglob("*") if holds_data(path)):
        whole = file.read_bytes()
        flips = SEALED if file.with_suffix(".crc").exists() else FLIPS
        for at in (0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(flips - 2))):
            file.write_bytes(flipped(whole, at, chance.randrange(8)))
            found = damage(loaded)
            assert found or (all_values(loaded) == values and file.suffix != ".parquet"), f"{file} at {at}"
        file.write_bytes(whole)
    assert not damage(loaded)


def holds_data(path: Path) -> bool:
    """Whether it is a file of a warehouse, and no lock or mark."""
    return path.suffix in {".sqlite", ".duckdb", ".parquet"}


def flipped(whole: bytes, at: int, bit: int) -> bytes:
    """The bytes with one bit changed."""
    return whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]


def damage(config: Config) -> list[str]:
    """What `verify` has against a warehouse."""
    try:
        return [check.detail for check in verdicts(config).values() if check.status == "failed"]
    except LoaderError as error:
        return [str(error)]


def all_values(config: Config) -> list[list[str]]:
    """Everything that stands in the tables, by plain DuckDB."""
    opened = lake if config.warehouse.kind == "ducklake" else database
    with opened(config.warehouse.file) as store:
        return [sorted(map(repr, store.table(name))) for name in TABLES]


def test_a_writer_keeps_readers_of_a_duckdb_file_out_unless_a_copy_is_published(tmp_path: Path) -> None:
    """In another process a read verb answers from the copy and says its age; without one it is refused."""
    config = make_config(tmp_path, "duckdb", warehouse={"publish": "copy.duckdb"})
    warehouse = DuckWarehouse(config)
    warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, [order(1)])))))
    try:
        with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy:
            made = copy.execute("SELECT count(*) FROM loader.migrations").fetchone()
            assert made == (len(names("migrations")),)
    finally:
        warehouse.close()
    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy:
        assert copy.execute("SELECT order_id FROM orders").fetchall() == [("ORD000001",)]


def test_what_came_last_is_published_while_nothing_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch within `publish_every` of the last copy is in the next one, which waits for no other batch."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("loader.warehouse.publish.time", SimpleNamespace(monotonic=lambda: clock.now))
    config = make_config(tmp_path, "duckdb", warehouse={"publish": "copy.duckdb"})
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, [order(1)])))))
        for clock.now, published in ((59.0, False), (61.0, True)):
            warehouse.rest()
            with database(tmp_path / "copy.duckdb") as copy:
                assert bool(copy.table("orders")) is published


def test_copies_that_killed_publishers_left_are_removed(tmp_path: Path) -> None:
    """Whoever holds the file is the only one to publish it; other files beside the copy stay."""
    config = make_config(tmp_path, "duckdb", warehouse={"publish": "copy[1].duckdb"})
    left, others = "copy[1].duckdb.4194305.new", ["copy[1].duckdb.mine.new", "copy1.duckdb.7.new"]
    for name in (left, *others):
        (tmp_path / name).touch()
    DuckWarehouse(config).close()
    assert {path.name for path in tmp_path.glob("copy*")} == {"copy[1].duckdb", *others}


def test_a_warehouse_of_another_version_is_refused_at_once(loaded: Config) -> None:
    """Its control tables are not ours: one line, exit code 1, and nothing is changed."""
    with connect(loaded.warehouse) as home:
        home.execute("UPDATE lake.loader.migrations SET name = '0001_control-00000000'")
    with pytest.raises(
        WarehouseMismatch, match="another version of the loader made the warehouse"
    ) as refused:
        DuckWarehouse(loaded)
    assert refused.value.exit_code == 1
    assert "--new-warehouse" in refused.value.hint


def test_a_reader_says_how_an_older_warehouse_is_brought_up_to_date(loaded: Config) -> None:
    """Status, query and plan name the migration that is missing and the command; after it they answer."""
    config = loaded
    newest = names("migrations")[-1]
    with connect(config.warehouse) as home:
        home.execute(f"DELETE FROM lake.loader.migrations WHERE name LIKE '{newest}%'")
        for table in ("removed", "folded"):
            home.execute(f"DROP TABLE lake.loader.{table}")
    for read in (lambda: report(config), lambda: ask(config, "SELECT 1", 60.0), Foresight(config).__enter__):
        with pytest.raises(WarehouseMismatch, match=f"without {newest}") as refused:
            read()
        assert (refused.value.exit_code, refused.value.hint[:15]) == (1, "loader maintain")
    with changes(config):
        pass
    assert ask(config, "SELECT 1", 60.0).num_rows == 1


def test_nothing_loaded_yet_is_said_in_one_line(tmp_path: Path) -> None:
    """A reader of a warehouse that is not there names the file and the way out."""
    with pytest.raises(ActionNeeded, match="nothing has been loaded yet") as refused:
        Reader(make_config(tmp_path))
    assert refused.value.hint == "loader load"


def test_a_reader_that_comes_while_a_lake_is_made_is_told_so(tmp_path: Path) -> None:
    """The catalogue is there and has no tables yet: the first load makes them just now, or was killed.

    A DuckDB file is never in that state: it gets its name when it is whole.
    """
    config = make_config(tmp_path)
    config.warehouse.file.touch()
    with pytest.raises(NothingLoaded, match="nothing has been loaded yet") as refused:
        Reader(config)
    assert (refused.value.hint, refused.value.exit_code) == ("loader load", 1)
    DuckWarehouse(config).close()
    with Reader(config) as reader:
        assert reader.recorded() is None


def test_the_shipped_analytics_run(loaded: Config) -> None:
    """Those that need only the columns of this table give rows."""
    assert ask(loaded, "duplicates_per_day", 60).num_rows == 1
    assert ask(loaded, "load_delay", 60)["records"].to_pylist() == [101]
