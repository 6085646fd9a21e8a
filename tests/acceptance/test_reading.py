"""docs/reading.md is run, block by block, while a load goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import MakeTopic
from tests.oracle import lake
from tests.pipelines import committed, until
from tests.servers.command import Cli, Running

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()
REFRESH = '[refresh]\nanalytics = ["revenue_per_day", "top_products"]\n'


def blocks() -> list[tuple[str, str]]:
    """Language and text of the blocks that can be run, in their order."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def home(folder: Path) -> Path:
    """A home folder in which DuckDB finds its extensions, from the wheels: `INSTALL` then fetches nothing."""
    platform = duckdb.sql("PRAGMA platform").fetchall()[0][0]
    place = folder / "home" / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform
    place.mkdir(parents=True)
    for name in ("ducklake", "sqlite_scanner"):
        wheel = files(f"duckdb_extension_{name}") / "extensions" / f"v{duckdb.__version__}"
        shutil.copy(str(wheel / f"{name}.duckdb_extension"), place)
    return folder / "home"


def run(cli: Cli, language: str, block: str, env: dict[str, str]) -> str:
    """Run a block as a user would, with this environment's programs; its output."""
    words = ["bash", "-euo", "pipefail", "-c", block] if language == "sh" else [sys.executable, "-c", block]
    where: Any = {"cwd": cli.folder, "env": cli.environment(env)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, check=False, **where)
    assert done.returncode == 0, (block, done.stdout, done.stderr)
    return done.stdout


def loading(cli: Cli, env: dict[str, str]) -> Running:
    """A stream of orders, and `loader run` that loads them; both go on until the test ends."""
    cli.env.update(env)
    assert cli("init", "--example").code == 0
    assert cli("generate", "orders.jsonl", "--records", 20_000).code == 0
    file = cli.folder / "loader.toml"
    file.write_text(file.read_text() + REFRESH)
    cli.start("replay", "orders.jsonl", "--rate", 200)
    running = cli.start("--set", "batch.wait=500ms", "run")
    until(lambda: committed(running) >= 2, "orders are loaded")
    return running


@pytest.mark.slow
@pytest.mark.timeout(900)  # some twenty programs, one after the other
def test_every_block_runs_beside_a_load(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Commands, DuckDB's own, Python, polars, pandas: right answers, and the load goes on."""
    name = topic(partitions=2)
    where = {"KAFKA__BOOTSTRAP": kafka, "KAFKA__TOPIC": name, "KAFKA__GROUP": name}
    running = loading(cli, {f"LOADER__{key}": value for key, value in where.items()})
    path = f"{cli.typed()}:{Path(sys.executable).parent}:{cli.environment()['PATH']}"
    env = {"HOME": str(home(cli.folder)), "PATH": path}
    before = committed(running)
    said = [run(cli, language, block, env) for language, block in blocks()]
    assert committed(running) > before
    assert all("EUR" in text for text in (said[0], said[1], said[2], said[3], said[4]))
    assert "day" in said[-1]
    assert (cli.folder / "revenue.png").read_bytes().startswith(b"\x89PNG")
    with lake(cli.folder / "warehouse" / "catalog.sqlite") as store:
        loaded = store.rows("SELECT count(*) AS n FROM warehouse.orders")[0]["n"]
    exported = duckdb.sql(f"SELECT count(*) FROM '{cli.folder}/exports/orders/*/*.parquet'").fetchall()[0][0]
    assert 0 < exported <= loaded
    assert running.terminate().code == 0
