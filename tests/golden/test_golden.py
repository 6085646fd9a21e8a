"""What people and programs read, word for word: `LOADER_UPDATE_GOLDEN=1` writes the files anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from loader.model import Identity
from loader.warehouse.store import DuckWarehouse
from tests.making import batch, make_config, order
from tests.servers.command import Cli

HERE = Path(__file__).parent
CONFIG = """
pipeline = "orders"
[kafka]
bootstrap = "localhost:1"
topic = "orders"
[warehouse]
path = "ducklake:sqlite:catalog.sqlite"
[table]
name = "orders"
id = "order_id"
event_time = "timestamp"
[table.columns]
order_id = { type = "VARCHAR", check = "length(order_id) <= 64" }
timestamp = { type = "TIMESTAMPTZ", zone = "UTC" }
user_id = { type = "BIGINT", required = false }
amount = { type = "DECIMAL(18,2)", check = "amount >= 0" }
"""
VALUES = [
    order(1),
    order(2, amount=12.345),
    order(3, amount="a lot", timestamp="yesterday"),
    order(4, order_id=None, timestamp=None),
    order(1, amount=9),
    b'{"order_id": "ORD5", "amount": 1e400, ',
    b"\xff\xfe",
    b"\x00\x00\x00\x00\x07framed",
    None,
    b"",
]
COMMANDS = {
    "help": ["--help"],
    "check": ["check"],
    "check-json": ["check", "--json"],
    "analytics": ["query", "--list"],
    "query": ["query", "SELECT order_id, amount, _partition, _offset FROM orders"],
    "query-json": ["query", "SELECT order_id, amount, _partition, _offset FROM orders", "--json"],
    "query-csv": ["query", "SELECT order_id, amount FROM orders", "--format", "csv"],
    "trace": ["trace", "ORD000001"],
    "trace-json": ["trace", "ORD000001", "--json"],
    "trace-missing": ["trace", "ORD999"],
    "quarantine-list": ["quarantine", "list"],
    "quarantine-list-json": ["quarantine", "list", "--json"],
    "quarantine-show": ["quarantine", "show", "orders[0]@2"],
    "quarantine-show-json": ["quarantine", "show", "0:7", "--json"],
    "quarantine-show-missing": ["quarantine", "show", "0:700"],
    "quarantine-list-unknown": ["quarantine", "list", "--column", "amont"],
    "quarantine-retry-unknown": ["quarantine", "retry", "--reason", "amount: typ"],
    "quarantine-export-nothing": ["quarantine", "export", "none.jsonl", "--id", "nobody"],
    "runs-unknown": ["runs", "--job", "lod"],
    "unknown-key": ["--set", "kafka.topik=x", "check"],
    "unknown-key-json": ["--set", "kafka.topik=x", "check", "--json"],
    "contract-refused": ["--set", 'table.columns.amount.type="DECIMAL(10,2)"', "load"],
    "unknown-query": ["query", "revenue_per_our"],
    "bad-query": ["query", "SELECT nothing FROM nowhere"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration and a warehouse that was loaded from ten records, eight of them refused."""
    made = tmp_path_factory.mktemp("golden")
    (made / "loader.toml").write_text(CONFIG)
    warehouse = DuckWarehouse(make_config(made), accept_quarantine=True)
    warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, VALUES)))))
    warehouse.close()
    return made


@pytest.mark.parametrize("name", COMMANDS)
def test_the_output_is_as_agreed(name: str, folder: Path) -> None:
    """Standard output, then standard error and the exit code, but for ids, times and folders."""
    result = Cli(folder)(*COMMANDS[name], env={"COLUMNS": "100"})
    found = _stable(f"{result.out}--- stderr\n{result.err}--- exit code {result.code}\n", folder)
    golden = HERE / f"{name}.txt"
    if os.environ.get("LOADER_UPDATE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()


def _stable(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "FOLDER")
    text = re.sub(r"\b\d{18,19}\b", "BATCH", text)
    text = re.sub(r'(committed(_at": ")? *)[\d-]+T[\d:.]+Z', r"\1TIME", text)
    return re.sub(r'(by |"worker": ")[\w.-]+:\d+', r"\1WORKER", text)
