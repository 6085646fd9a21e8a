"""Materialised analytics and exports: right, of one moment, complete or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loader.config import Config
from loader.errors import ActionNeeded, ConfigError, NothingLoaded, WarehouseBusy
from loader.model import Identity
from loader.warehouse.export import Wanted, export
from loader.warehouse.question import answer
from loader.warehouse.reading import Reader, score_rows
from loader.warehouse.refresh import refresh
from loader.warehouse.replacing import MARK, replaced
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import KINDS, batch, copied, make_config, order

CHOSEN = ("revenue_per_day", "late_arrivals")
TABLE = {
    "name": "orders",
    "id": "order_id",
    "event_time": "timestamp",
    "columns": {
        "order_id": {"type": "VARCHAR"},
        "timestamp": {"type": "TIMESTAMPTZ", "zone": "UTC"},
        "user_id": {"type": "BIGINT", "required": False},
        "action": {"type": "VARCHAR", "required": False},
        "amount": {"type": "DECIMAL(18,2)"},
        "currency": {"type": "VARCHAR", "required": False},
    },
}


@pytest.fixture(scope="module", params=KINDS)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A warehouse of each kind with 100 orders of four days."""
    folder = tmp_path_factory.mktemp("original")
    config = make_config(folder, request.param, table=TABLE, refresh={"analytics": list(CHOSEN)})
    warehouse = DuckWarehouse(config)
    warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    add(warehouse, 0, 100)
    warehouse.close()
    return config


@pytest.fixture
def loaded(original: Config, tmp_path: Path) -> Config:
    """A copy of it."""
    return copied(original, tmp_path / "w")


def add(warehouse: DuckWarehouse, first: int, count: int) -> None:
    """Load some orders more."""
    values: list[bytes | None] = [
        order(number, timestamp=f"2026-03-0{number % 4 + 1}T10:00:00Z", currency=f"E/{number // 4 % 2}..")
        for number in range(first, first + count)
    ]
    warehouse.commit(warehouse.split(warehouse.stage(batch((0, first, values)))))


def rows(config: Config, sql: str) -> list[dict[str, Any]]:
    """What a query answers."""
    with Reader(config) as reader:
        return answer(reader.home, sql, config.table.name, config.pipeline).read_all().to_pylist()


def test_a_refreshed_table_is_the_answer_of_that_moment(loaded: Config) -> None:
    """All in one change of the head; stale until the next refresh; then replaced; the balance still holds."""
    assert refresh(loaded, CHOSEN) == {"revenue_per_day": 8, "late_arrivals": 4}
    for name in CHOSEN:
        assert rows(loaded, f"SELECT * FROM analytics.{name}") == rows(loaded, name)
    before = rows(loaded, "SELECT seq FROM loader.head")[0]["seq"]
    warehouse = DuckWarehouse(loaded)
    add(warehouse, 100, 8)
    warehouse.close()
    assert rows(loaded, "SELECT * FROM analytics.revenue_per_day") != rows(loaded, "revenue_per_day")
    refresh(loaded, CHOSEN)
    assert rows(loaded, "SELECT * FROM analytics.revenue_per_day") == rows(loaded, "revenue_per_day")
    assert rows(loaded, "SELECT seq FROM loader.head")[0]["seq"] == before + 2
    with Reader(loaded) as reader:
        assert all(check.status != "failed" for check in checks(reader))


def test_a_refresh_that_fails_changes_nothing(loaded: Config) -> None:
    """One analytic that the contract has no columns for: named, and no table is touched."""
    refresh(loaded, CHOSEN)
    before = rows(loaded, "SELECT seq FROM loader.head")
    with pytest.raises(ActionNeeded, match=r"top_products: .*items"):
        refresh(loaded, (*CHOSEN, "top_products"))
    assert rows(loaded, "SELECT seq FROM loader.head") == before
    assert refresh(loaded, CHOSEN)


@pytest.mark.parametrize(
    ("names", "told"),
    [(["no_such"], "query --list"), (["one_day"], "one_day has one"), ("revenue_per_dai", "query --list")],
)
def test_the_configuration_names_what_there_is(tmp_path: Path, names: Any, told: str) -> None:
    """A mistake is found before anything runs."""
    with pytest.raises(ConfigError, match=told):
        make_config(tmp_path, refresh={"analytics": names})


READ = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}


@pytest.mark.parametrize("format_", READ)
def test_an_export_holds_what_the_table_holds(loaded: Config, tmp_path: Path, format_: str) -> None:
    """Every row and column, readable by anybody; a second export replaces the first; nothing else is left."""
    target = tmp_path / "out" / f"orders.{format_}"
    for _ in range(2):
        assert export(loaded, Wanted("", target, format_)) == 100
    sql = "SELECT count(*) n, count(DISTINCT order_id) i, sum(amount)::DECIMAL(18,2) s, count(_offset) o FROM"
    found = duckdb.sql(f"{sql} {READ[format_]}('{target}')").fetchone()
    assert list(found or ()) == list(rows(loaded, f"{sql} orders")[0].values())
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_partitions_are_folders_as_hive_has_them(loaded: Config, tmp_path: Path, format_: str) -> None:
    """By day and by a column whose values would be paths; the whole folder is replaced at once."""
    target = tmp_path / "orders"
    wanted = Wanted("", target, format_, ("day(timestamp)", "currency"))
    export(loaded, wanted)
    (target / "day=2026-03-01" / "left.parquet").write_text("of yesterday")
    assert export(loaded, wanted) == 100
    assert sorted(path.name for path in target.iterdir()) == [
        MARK,
        *(f"day=2026-03-0{n}" for n in range(1, 5)),
    ]
    assert not (target / "day=2026-03-01" / "left.parquet").exists()
    assert json.loads((target / MARK).read_text())["rows"] == 100
    files = f"{READ[format_]}('{target}/*/*/*', hive_partitioning = true)"
    sql = f"SELECT day::VARCHAR, currency, count(*) FROM {files} GROUP BY ALL ORDER BY ALL"
    found = duckdb.sql(sql).fetchall()
    assert found == [(f"2026-03-0{day}", f"E/{n}..", 13 - n) for day in range(1, 5) for n in (0, 1)]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "w") == ["orders"]


def test_an_analytic_is_exported_with_its_parameters(loaded: Config, tmp_path: Path) -> None:
    """As `query` answers it."""
    target = tmp_path / "day.csv"
    assert export(loaded, Wanted("one_day", target, "csv", parameters={"day": "2026-03-02"})) == 2
    assert target.read_text().splitlines()[0].startswith("hour,currency,revenue")
    with pytest.raises(ActionNeeded, match="--param"):
        export(loaded, Wanted("one_day", target, "csv"))
    assert target.exists()


def test_before_its_first_load_a_pipeline_has_nothing(loaded: Config, tmp_path: Path) -> None:
    """Another pipeline made the warehouse: export, score and trace say that this one has loaded nothing."""
    other = loaded.model_copy(deep=True)
    object.__setattr__(other, "pipeline", "other")
    object.__setattr__(other.table, "name", "others")
    with pytest.raises(NothingLoaded):
        export(other, Wanted("", tmp_path / "x.parquet", "parquet"))
    with pytest.raises(NothingLoaded):
        list(score_rows(other))
    assert not (tmp_path / "x.parquet").exists()


def test_a_folder_of_others_is_never_replaced(loaded: Config, tmp_path: Path) -> None:
    """Only what an export has made; a file in the place of a folder is kept, too."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name, partitions in (("mine", ("currency",)), ("mine", ()), ("file", ("currency",))):
        with pytest.raises(ActionNeeded):
            export(loaded, Wanted("", tmp_path / name, "parquet", partitions))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(ConfigError, match="no column nope"):
        export(loaded, Wanted("", tmp_path / "new", "parquet", ("day(nope)",)))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "w") == ["file", "mine"]


def test_what_a_killed_export_left_is_cleared_and_two_do_not_mix(tmp_path: Path) -> None:
    """The next one begins anew; while one writes, another is told to come later."""
    target, room = tmp_path / "a.csv", tmp_path / ".a.csv.new"
    room.mkdir()
    (room / "a.csv").write_text("half a")
    with replaced(target, folder=False) as path:
        assert not path.exists()
        path.write_text("whole")
        with pytest.raises(WarehouseBusy), replaced(target, folder=False):
            pass
    assert target.read_text() == "whole"
    with pytest.raises(FileNotFoundError), replaced(target, folder=False):
        pass  # nothing was written
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]
