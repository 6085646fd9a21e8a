"""How DuckDB reads an Arrow table."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
import os
import duckdb
import pyarrow as pa
from loader.warehouse.relations import registered

def threads():
    return len(os.listdir("/proc/self/task"))

table = pa.table({"a": range(10_000), "b": ["x"] * 10_000})
with duckdb.connect(config={"threads": 1}) as home, registered(home, orders=table):
    before = threads()
    print(home.execute("SELECT count(*), sum(a) FROM orders WHERE b = 'x' AND a < 100").fetchone())
    print(home.execute("SELECT max(a) - (SELECT min(a) FROM orders) FROM orders").fetchone())
    print(threads() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_a_scan_starts_no_thread() -> None:
    """Where no thread can be started, a scan through Arrow's pool would wait for ever."""
    told = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:3] == ["(100, 4950)", "(9999,)", "0"], told
