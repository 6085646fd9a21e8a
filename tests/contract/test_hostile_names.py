"""Names that try to be SQL, paths or nothing at all: they work as names, or are refused in one clear line."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loader.cli.status import attach_line
from loader.config import Config, config_from
from loader.errors import ConfigError
from loader.model import Identity
from loader.warehouse.ask import ask
from loader.warehouse.reading import Reader
from loader.warehouse.rehearse import rehearse
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import KINDS, batch, make_config, order
from tests.oracle.store import LAKE, home

HOSTILE = [
    '"; DROP TABLE orders; --', "'; DELETE FROM x", "a b", "a.b.c", "ünï çödé 😀", "select", "table", "main",
    'quo"te', "back\\slash", "{{ 7 * 7 }}", "$json0", "%s", "../up", "x" * 200, "filename", "batch",
]  # fmt: skip
IDENTITY = Identity("cluster", "orders", "topic-id", 1)
ID, TIME = 'the "id"; --', "the time's.name"


def config_of(folder: Path, kind: str, names: list[str]) -> Config:
    """A configuration whose columns have these names beside an id and a time with hostile names."""
    columns: dict[str, Any] = {ID: {"type": "VARCHAR"}, TIME: {"type": "TIMESTAMPTZ", "zone": "UTC"}}
    columns |= {name: {"type": "BIGINT", "required": False} for name in names}
    return make_config(folder, kind, table={"id": ID, "event_time": TIME, "columns": columns})


def mistake(name: str, folder: Path) -> str:
    """What is wrong with a column of this name; nothing where it is right."""
    try:
        rehearse(config_of(folder, "duckdb", [name]))
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(60)
def test_columns_of_any_name_are_loaded_and_read(kind: str, tmp_path: Path) -> None:
    """Through parse, split, commit, verify, query and trace; content arrives, nothing else happens."""
    names = [name for name in HOSTILE if not mistake(name, tmp_path)]
    assert set(HOSTILE) - set(names) == {"$json0"}
    config = config_of(tmp_path, kind, names)
    rows = [{ID: f"i{n}", TIME: "2026-03-03T10:30:00", **dict.fromkeys(names, n)} for n in range(100)]
    values = [json.dumps(row).encode() for row in [*rows, rows[3], {**rows[4], "a b": 77}]]
    warehouse = DuckWarehouse(config)
    warehouse.record(IDENTITY, {0: 0})
    receipt = warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, values)))))
    warehouse.close()
    totals = receipt.totals
    assert (totals.loaded, totals.duplicates, totals.quarantined) == (100, 1, 1)
    with Reader(config) as reader:
        assert [check.status for check in checks(reader)] == ["ok"] * 6
        [row] = reader.rows_of_id(["i3"])
        assert [row["row"][name] for name in names] == [3] * len(names)
        assert len(reader.of_pipeline("read/trace_duplicates", id="i3")) == 1
    found = ask(config, "SELECT * FROM orders", 60)
    assert found.column_names[: len(names) + 2] == [ID, TIME, *names]
    assert found.num_rows == 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(60)
def test_the_line_of_status_reads_a_warehouse_in_any_folder(kind: str, tmp_path: Path) -> None:
    """`loader status` prints SQL that any DuckDB runs as it is, and that leaves a lake one thread."""
    folder = tmp_path / 'it\'s an "old" folder; --'
    folder.mkdir()
    config = make_config(folder, kind)
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.record(IDENTITY, {0: 0})
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, [order(n) for n in range(100)])))))
    plain = home(*LAKE)
    plain.execute("SET threads = 2")
    plain.execute(attach_line(config))
    assert plain.execute("SELECT count(*) FROM lake.orders").fetchall() == [(100,)]
    expected = 1 if kind == "ducklake" else 2
    assert plain.execute("SELECT current_setting('threads')").fetchall() == [(expected,)]
    plain.close()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00b", "\x1b[31m", "_batch", "_x", "$x", "x" * 201])
@pytest.mark.fault(60)
def test_names_that_cannot_be_columns_are_refused(name: str, tmp_path: Path) -> None:
    """Empty, control characters, the loader's own, too long."""
    said = mistake(name, tmp_path)
    assert "table.columns" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("key", ["pipeline", "kafka.topic", "table.name"])
@pytest.mark.parametrize(
    "name",
    ['"; DROP TABLE x; --', "a b", "a'b", "ünï", "a\nb", "", "x" * 250, "../up", "{{ 7 }}", "\x1b[31m"],
)
@pytest.mark.fault(60)
def test_pipeline_topic_and_table_take_plain_names_only(key: str, name: str, tmp_path: Path) -> None:
    """Each is refused by its key, in one line; dots are for topics and pipelines."""
    with pytest.raises(ConfigError, match=rf"{key}: ") as refused:
        make(key, name, tmp_path)
    assert len(refused.value.mistakes) == 1


@pytest.mark.parametrize(("key", "name"), [("pipeline", "a.b-c_d"), ("kafka.topic", "a.b-c_" + "d" * 243)])
@pytest.mark.fault(60)
def test_dots_and_long_topics_are_names(key: str, name: str, tmp_path: Path) -> None:
    """Kafka allows them."""
    make(key, name, tmp_path)


def make(key: str, value: str, folder: Path) -> Config:
    """A configuration with one key changed."""
    tree: dict[str, Any] = {
        "pipeline": "orders",
        "kafka": {"bootstrap": "localhost:1", "topic": "orders", "group": "orders"},
        "warehouse": {"path": "warehouse.duckdb"},
        "table": {"name": "orders", "id": "id", "columns": {"id": {"type": "VARCHAR"}}},
    }
    *path, last = key.split(".")
    section = tree
    for part in path:
        section = section[part]
    section[last] = value
    return config_from(tree, folder)
