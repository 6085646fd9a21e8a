"""`table.partition_by`: a lake's files by unit of a time, few of them whatever comes; queries read few."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loader.config import Config
from loader.errors import WarehouseMismatch
from loader.model import Identity
from loader.warehouse import sorting
from loader.warehouse.attach import connect
from loader.warehouse.change import changes
from loader.warehouse.maintenance import Maintenance
from loader.warehouse.reading import Reader
from loader.warehouse.split import UNITS_AT_ONCE
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import batch, begin, make_config, order

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
NULLS = "year=__HIVE_DEFAULT_PARTITION__"


def parted(folder: Path, by: str | None = "day(timestamp)", **changes: Any) -> Config:
    """A lake whose table is parted."""
    return make_config(folder, table={"partition_by": by} if by else {}, **changes)


def at(number: int, day: float) -> bytes:
    """An order of a day, counted from BEGIN."""
    return order(number, timestamp=(BEGIN + timedelta(days=day)).isoformat())


class Lake:
    """A pipeline that is fed batch after batch."""

    def __init__(self, config: Config) -> None:
        self.config, self.told = config, 0

    def load(self, days: list[float], config: Config | None = None) -> None:
        """Commit one batch: an order on each of these days."""
        if not self.told:
            begin(self.config, Identity("cluster", "orders", "topic-id", 1), {0: 0})
        with closing(DuckWarehouse(config or self.config)) as warehouse:
            values = [at(self.told + number, day) for number, day in enumerate(days)]
            warehouse.commit(warehouse.split(warehouse.stage(batch((0, self.told, values)))))
            self.told += len(values)

    def files(self) -> list[str]:
        """The files of the table, below its folder."""
        root = self.config.warehouse.data_path / "main" / "orders"
        with Reader(self.config) as reader:
            rows = reader.rows("read/lake_files", table="orders", schema="main")
        return sorted(str(Path(row["data_file"]).relative_to(root)) for row in rows)

    def maintain(self) -> dict[str, int]:
        """All upkeep; what was done. The warehouse is sound, and every row is there."""
        with changes(self.config) as warehouse:
            work = Maintenance(warehouse, self.config)
            list(work.steps())
        self.sound()
        return work.done

    def sound(self) -> None:
        """`verify` is true."""
        with Reader(self.config) as reader:
            assert [check for check in checks(reader) if check.status != "ok"] == []
            assert reader.home.execute("SELECT count(*) FROM lake.orders").fetchone() == (self.told,)

    def read_for(self, day: int) -> tuple[int, int]:
        """How many files a query for one day reads, and how many rows it finds."""
        begin = BEGIN + timedelta(days=day)
        where = f"timestamp >= '{begin}' AND timestamp < '{begin + timedelta(days=1)}'"
        with connect(self.config.warehouse, read_only=True) as home:
            ((_, plan),) = home.execute(
                f"EXPLAIN ANALYZE SELECT sum(amount) FROM lake.orders WHERE {where}"
            ).fetchall()
            (found,) = home.execute(f"SELECT count(*) FROM lake.orders WHERE {where}").fetchone() or (0,)
        return int(*re.findall(r"Total Files Read: (\d+)", plan)), found


def test_a_day_has_its_files_and_a_query_reads_only_them(tmp_path: Path) -> None:
    """Each batch puts the rows of a day into the folder of that day; upkeep merges within days."""
    lake = Lake(parted(tmp_path))
    for _ in range(3):
        lake.load([0.1] * 100 + [1.1] * 100 + [31.1] * 100)
    assert len(lake.files()) == 9
    assert {str(Path(file).parent) for file in lake.files()} == {
        "year=2026/month=3/day=1", "year=2026/month=3/day=2", "year=2026/month=4/day=1"
    }  # fmt: skip
    assert lake.read_for(1) == (3, 300)
    assert lake.maintain()["merged_files"] >= 9
    assert [str(Path(file).parent) for file in lake.files()] == [
        "year=2026/month=3/day=1", "year=2026/month=3/day=2", "year=2026/month=4/day=1"
    ]  # fmt: skip
    assert lake.read_for(0) == (1, 300)
    assert lake.read_for(31) == (1, 300)
    assert lake.maintain().get("merged_files", 0) == 0


def test_a_batch_of_many_days_makes_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its largest days have a file each, all others one together, which upkeep sorts when it is worth it."""
    monkeypatch.setattr(sorting, "ENOUGH", 150)
    lake = Lake(parted(tmp_path))
    spread = [float(day) for day in range(40) for _ in range(80)]
    lake.load(spread)
    assert len(lake.files()) == UNITS_AT_ONCE + 1
    assert sum(NULLS in file for file in lake.files()) == 1
    assert lake.read_for(39) == (1, 80)
    assert lake.maintain().get("sorted_files", 0) == 0
    for _ in range(2):
        lake.load(spread)
    assert len(lake.files()) <= 3 * (UNITS_AT_ONCE + 1)
    lake.maintain()
    assert lake.maintain()["sorted_files"] == 1
    lake.maintain()
    files = lake.files()
    assert not any(NULLS in file for file in files)
    assert len(files) == 40
    assert lake.read_for(39) == (1, 240)


def test_few_late_rows_make_no_file(tmp_path: Path) -> None:
    """They stand in the catalogue until upkeep moves them to their days."""
    lake = Lake(parted(tmp_path))
    lake.load([20.5] * 200 + [float(day) for day in range(10)])
    assert [str(Path(file).parent) for file in lake.files()] == ["year=2026/month=3/day=21"]
    lake.load([20.5] * 200 + [float(day) for day in range(10)])
    lake.maintain()
    assert len(lake.files()) == 11
    assert lake.read_for(3) == (1, 2)


@pytest.mark.parametrize(
    ("unit", "folder"),
    [
        ("year", "year=2026"), ("month", "year=2026/month=3"), ("day", "year=2026/month=3/day=1"),
        ("hour", "year=2026/month=3/day=1/hour=12"),
    ],
)  # fmt: skip
def test_each_unit_has_its_folders(tmp_path: Path, unit: str, folder: str) -> None:
    """Also from one hour's end to the next one's begin, in UTC."""
    lake = Lake(parted(tmp_path, f"{unit}(timestamp)"))
    lake.load([0.5] * 70 + [0.541] * 70)
    assert [str(Path(file).parent) for file in lake.files()] == [folder]
    lake.sound()


def test_times_without_a_unit_are_found(tmp_path: Path) -> None:
    """NULL and infinite times have the folder of the others, and no query misses them."""
    columns = make_config(tmp_path).table.columns
    tree = {name: {"type": column.type, "required": False} for name, column in columns.items()}
    tree["order_id"]["required"] = True
    config = make_config(tmp_path, table={"partition_by": "day(timestamp)", "columns": tree})
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
        values = [order(n, timestamp=None) for n in range(100)] + [at(100 + n, 3) for n in range(100)]
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, values)))))
    with connect(config.warehouse, read_only=True) as home:
        for where, count in (("timestamp IS NULL", 100), ("timestamp IS NOT NULL", 100), ("true", 200)):
            assert home.execute(f"SELECT count(*) FROM lake.orders WHERE {where}").fetchone() == (count,)


def test_another_layout_is_followed(tmp_path: Path) -> None:
    """From nothing to days, to months, to nothing: old files stay, all rows are there after each upkeep."""
    lake = Lake(parted(tmp_path, None))
    for by, folder in (
        (None, "."), ("day(timestamp)", "year=2026/month=3/day=3"), ("month(timestamp)", "year=2026/month=3"),
        (None, "."),
    ):  # fmt: skip
        lake.config = parted(tmp_path, by)
        before = lake.files() if lake.told else []
        for _ in range(2):
            lake.load([2.5] * 100)
        new = {str(Path(file).parent) for file in set(lake.files()) - set(before)}
        assert new == {folder}
        lake.maintain()
    assert len(lake.files()) <= 4


def test_a_worker_with_the_old_layout_stops(tmp_path: Path) -> None:
    """It cannot commit a file in folders that the table no longer has."""
    lake = Lake(parted(tmp_path))
    lake.load([0.5] * 100)
    with closing(DuckWarehouse(lake.config)) as old:
        staged = old.stage(batch((0, 100, [at(100 + n, 1) for n in range(100)])))
        split = old.split(staged)
        lake.load([1.5] * 100, parted(tmp_path, "month(timestamp)"))
        with pytest.raises(WarehouseMismatch, match="the contract was changed"):
            old.split(staged, split)
