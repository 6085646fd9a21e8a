"""Wherever upkeep is killed: the warehouse is sound, loads go on, and the next upkeep finishes the work."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from loader.config import Config, load_config
from loader.failpoints import UPKEEP
from loader.model import Identity
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import KINDS, batch, order
from tests.pipelines import CONFIG, PATHS
from tests.servers.command import Cli

MAINTAIN = "[maintain]\nkeep_snapshots = '0s'\nkeep_runs = '0s'\n"
ROWS = 100
CHANGES = UPKEEP[:3]


@pytest.fixture(params=KINDS)
def config(request: pytest.FixtureRequest, cli: Cli) -> Config:
    """A pipeline without a broker, and its file `loader.toml`."""
    text = CONFIG.format(name="orders", bootstrap="127.0.0.1:1", topic="orders", path=PATHS[request.param])
    (cli.folder / "loader.toml").write_text(text + MAINTAIN)
    return load_config(cli.folder / "loader.toml")


def load(config: Config, first: int, batches: int) -> None:
    """Commit batches of new orders."""
    warehouse = DuckWarehouse(config)
    if not warehouse.recorded():
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    for number in range(first, first + batches):
        values = [order(number * ROWS + row) for row in range(ROWS)]
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, number * ROWS, values)))))
    warehouse.close()


def sound(config: Config, batches: int) -> None:
    """`verify` is true and every row is there, once."""
    with Reader(config) as reader:
        assert [check for check in checks(reader) if check.status != "ok"] == []
        assert reader.home.execute("SELECT count(*) FROM lake.orders").fetchone() == (batches * ROWS,)


@pytest.mark.fault(52)
def test_killed_at_any_change(config: Config, cli: Cli) -> None:
    """SIGKILL in the first, second, … change, before, within and after it, until upkeep gets to its end."""
    load(config, 0, 6)
    batches, killed = 6, 0
    for hit in range(1, 30):
        place = CHANGES[hit % len(CHANGES)]
        result = cli("maintain", env={"LOADER_FAIL": f"{place}:kill:{hit}"})
        sound(config, batches)
        if result.code == 0:
            break
        assert result.code == -signal.SIGKILL, result.err
        killed += 1
        load(config, batches, 1)
        batches += 1
        sound(config, batches)
    assert killed >= (5 if config.warehouse.kind == "ducklake" else 1)
    done = cli("maintain", "--json")
    assert done.code == 0, done.err
    sound(config, batches)


@pytest.mark.fault(52)
def test_killed_while_orphans_are_deleted(cli: Cli) -> None:
    """Some are gone and some are not; the next upkeep deletes the rest."""
    text = CONFIG.format(name="orders", bootstrap="127.0.0.1:1", topic="orders", path=PATHS["ducklake"])
    (cli.folder / "loader.toml").write_text(text)
    config = load_config(cli.folder / "loader.toml")
    load(config, 0, 2)
    orphans = [config.warehouse.data_path / "main" / "orders" / f"loader-{n}-0.parquet" for n in range(3)]
    two_days_ago = time.time() - 2 * 86_400
    for file in orphans:
        file.write_bytes(b"PAR1")
        os.utime(file, (two_days_ago, two_days_ago))
    assert cli("maintain", env={"LOADER_FAIL": "mid_orphans:kill"}).code == -signal.SIGKILL
    assert sum(file.exists() for file in orphans) == 2
    done = cli("maintain", "--json")
    assert done.json["done"]["orphans"] == 2, done.err
    sound(config, 2)


def test_a_commit_that_fails_leaves_its_files(config: Config, cli: Cli, tmp_path: Path) -> None:
    """An error instead of a kill: exit 70, nothing changed, and the next upkeep does the work."""
    load(config, 0, 4)
    failed = cli("maintain", "--json", env={"LOADER_FAIL": "mid_change:raise", "TMPDIR": str(tmp_path)})
    assert failed.code == 70
    sound(config, 4)
    assert cli("maintain").code == 0
    sound(config, 4)
