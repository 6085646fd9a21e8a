"""Wherever upkeep is killed: the warehouse is sound, loads go on, and the next upkeep finishes the work."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
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
DAY_NS = 86_400 * 10**9
CHANGES = UPKEEP[:3]


@pytest.fixture(params=KINDS)
def config(request: pytest.FixtureRequest, cli: Cli) -> Config:
    """A pipeline without a broker, and its file `loader.toml`."""
    text = CONFIG.format(name="orders", bootstrap="127.0.0.1:1", topic="orders", path=PATHS[request.param])
    (cli.folder / "loader.toml").write_text(text + MAINTAIN)
    return load_config(cli.folder / "loader.toml")


def load(config: Config, first: int, batches: int, twins: int = 0) -> None:
    """Commit batches of new orders, and some of them twice."""
    warehouse = DuckWarehouse(config)
    if not warehouse.recorded():
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    for number in range(first, first + batches):
        values = [order(number * ROWS + row) for row in (*range(ROWS), *range(twins))]
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, number * len(values), values)))))
    warehouse.close()


def sound(config: Config, batches: int, rows: int | None = None) -> None:
    """`verify` is true and every row is there, once."""
    with Reader(config) as reader:
        assert [check for check in checks(reader) if check.status != "ok"] == []
        assert reader.home.execute("SELECT count(*) FROM lake.orders").fetchone() == (rows or batches * ROWS,)


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
    assert killed >= (5 if config.warehouse.kind == "ducklake" else 1)
    done = cli("maintain", "--json")
    assert done.code == 0, done.err
    sound(config, batches)


@pytest.mark.fault(52)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_old_things_go(cli: Cli, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL at every place of retention: what is counted is gone and what is not is there, never both."""
    keep = "[retention]\nduplicates = '1d'\nspans = '1d'\n"
    text = CONFIG.format(name="orders", bootstrap="127.0.0.1:1", topic="orders", path=PATHS[kind])
    (cli.folder / "loader.toml").write_text(text + keep)
    config, real = load_config(cli.folder / "loader.toml"), time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr("loader.model.time.time_ns", lambda: real() - 3 * DAY_NS)
        load(config, 0, 3, twins=5)
    load(config, 3, 1, twins=5)
    for place in ("mid_retention:kill", "before_change_commit:kill", "mid_retention:kill:2"):
        assert cli("maintain", env={"LOADER_FAIL": place}).code == -signal.SIGKILL
        sound(config, 4)
    assert cli("maintain", env={"LOADER_FAIL": "after_change_commit:kill"}).code == -signal.SIGKILL
    sound(config, 4)
    done = cli("maintain", "--json")
    assert not {"folded_batches", "removed_duplicates"} & done.json["done"].keys(), done.err
    sound(config, 4)
    with Reader(config) as reader:
        (totals,) = reader.of_pipeline("read/totals")
        left = reader.home.execute(
            "SELECT (SELECT count(*) FROM lake.loader.duplicates), (SELECT count(*) FROM lake.loader.spans)"
        ).fetchone()
    assert (totals["consumed"], totals["duplicates"], left) == (4 * (ROWS + 5), 20, (5, 1))


@pytest.mark.fault(52)
def test_killed_while_late_rows_are_sorted(cli: Cli) -> None:
    """The rows stand in the old file or in the new ones; the next upkeep sorts them."""
    text = CONFIG.format(name="orders", bootstrap="127.0.0.1:1", topic="orders", path=PATHS["ducklake"])
    text = text.replace("[table]\n", "[table]\npartition_by = 'day(timestamp)'\n")
    (cli.folder / "loader.toml").write_text(text)
    config = load_config(cli.folder / "loader.toml")
    values: list[bytes | None] = [
        order(number, timestamp=f"2026-03-{1 + number % 18:02d}T10:00:00Z") for number in range(18 * 1_001)
    ]
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, values)))))
    for place in ("mid_sort:kill", "before_change_commit:kill:2"):
        assert cli("maintain", env={"LOADER_FAIL": place}).code == -signal.SIGKILL
        sound(config, 0, len(values))
    done = cli("maintain", "--json")
    assert (done.json["done"]["sorted_files"], done.json["done"]["made_files"]) == (1, 2), done.err
    sound(config, 0, len(values))


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
