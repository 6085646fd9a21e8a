"""Every type of the contract arrives in both warehouses as it was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loader.errors import ConfigError
from loader.model import Identity
from loader.warehouse.attach import connect
from loader.warehouse.store import DuckWarehouse
from tests.making import KINDS, batch, make_config

EXAMPLES: dict[str, tuple[Any, str]] = {  # type: (JSON value, what DuckDB shows as text)
    "VARCHAR": ("grüß \"Gott\" 'x' ☃", "grüß \"Gott\" 'x' ☃"),
    "BOOLEAN": (True, "true"),
    "TINYINT": (-128, "-128"),
    "SMALLINT": (32767, "32767"),
    "INTEGER": (-2147483648, "-2147483648"),
    "BIGINT": (9223372036854775807, "9223372036854775807"),
    "UTINYINT": (255, "255"),
    "USMALLINT": (65535, "65535"),
    "UINTEGER": (4294967295, "4294967295"),
    "UBIGINT": (18446744073709551615, "18446744073709551615"),
    "DECIMAL(18,2)": (250, "250.00"),
    "DECIMAL(38,10)": ("1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    "DOUBLE": (0.1, "0.1"),
    "FLOAT": (0.5, "0.5"),
    "DATE": ("2026-02-28", "2026-02-28"),
    "TIMESTAMP": ("2026-03-03T10:30:00.123456", "2026-03-03 10:30:00.123456"),
    "TIMESTAMPTZ": ("2026-03-03T10:30:00+02:00", "2026-03-03 08:30:00+00"),
    "UUID": ("123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    "JSON": ({"a": [1, None, "x"]}, '{"a":[1,null,"x"]}'),
    "INTEGER[]": ([1, None, 3], "[1, NULL, 3]"),
    "STRUCT(a INTEGER, b VARCHAR)": ({"a": 1, "b": "x"}, "{'a': 1, 'b': x}"),
    "STRUCT(sku VARCHAR, price DECIMAL(18,2))[]": (
        [{"sku": "x", "price": 1.5}],
        "[{'sku': x, 'price': 1.50}]",
    ),
    "MAP(VARCHAR, INTEGER)": ({"k": 1}, "{k=1}"),
}


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_kept(kind: str, rows: int, tmp_path: Path) -> None:
    """In the catalogue (one row) and in a Parquet file (100 rows) alike; twins are known by content."""
    columns: dict[str, Any] = {"id": {"type": "BIGINT"}}
    columns |= {f"c{n}": {"type": type_, "required": False} for n, type_ in enumerate(EXAMPLES)}
    config = make_config(tmp_path, kind, table={"id": "id", "event_time": None, "columns": columns})
    warehouse = DuckWarehouse(config)
    warehouse.record(Identity("", "orders", "", 1), {0: 0})
    fields = {f"c{n}": value for n, (value, _) in enumerate(EXAMPLES.values())}
    values = [json.dumps({"id": number, **fields}).encode() for number in range(rows)]
    for begin in (0, rows):
        receipt = warehouse.commit(warehouse.split(warehouse.stage(batch((0, begin, values)))))
    assert receipt.totals.duplicates == rows
    warehouse.close()
    with connect(config.warehouse, read_only=True) as home:
        found = home.execute("SELECT columns('^c\\d+$')::VARCHAR FROM lake.main.orders").fetchall()
    assert found == [tuple(shown for _, shown in EXAMPLES.values())] * rows


def test_a_type_that_parquet_would_round_is_refused_for_a_lake(tmp_path: Path) -> None:
    """HUGEINT is fine in a DuckDB file; in a lake the configuration names the way out."""
    columns = {"id": {"type": "VARCHAR"}, "big": {"type": "HUGEINT[]"}}
    table = {"id": "id", "event_time": None, "columns": columns}
    assert make_config(tmp_path, "duckdb", table=table)
    with pytest.raises(ConfigError, match=r"DECIMAL\(38,0\)"):
        make_config(tmp_path, "ducklake", table=table)


@pytest.mark.fault(60)
def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    """Quotes, semicolons and reserved words in the names of table and columns do no harm."""
    hostile = 'it\'s "it"; DROP TABLE x --'
    columns = {"select": {"type": "VARCHAR"}, hostile: {"type": "INTEGER", "required": False}}
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        made = {"name": "order", "id": "select", "event_time": None, "columns": columns}
        config = make_config(folder, kind, table=made)
        warehouse = DuckWarehouse(config)
        warehouse.record(Identity("", "orders", "", 1), {0: 0})
        values = [json.dumps({"select": f"a{n}", hostile: n}).encode() for n in range(100)]
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, [*values, values[0], b"{"])))))
        warehouse.close()
        with connect(config.warehouse, read_only=True) as home:
            assert home.execute('SELECT count(*) FROM lake.main."order"').fetchone() == (100,)
            assert home.execute("SELECT duplicates, quarantined FROM lake.loader.batches").fetchall() == [
                (1, 1)
            ]


def test_the_extensions_come_from_the_wheels(tmp_path: Path) -> None:
    """Nothing is installed at run time: neither in the user's folder nor from the network."""
    config = make_config(tmp_path)
    DuckWarehouse(config).close()
    with connect(config.warehouse, read_only=True) as home:
        paths = home.execute(
            "SELECT install_path FROM duckdb_extensions() "
            "WHERE loaded AND extension_name IN ('ducklake', 'sqlite_scanner')"
        ).fetchall()
        settings = home.execute("SELECT current_setting('autoinstall_known_extensions')").fetchone()
    assert len(paths) == 2
    assert settings == (False,)
    assert duckdb.__version__ == "1.5.5"
