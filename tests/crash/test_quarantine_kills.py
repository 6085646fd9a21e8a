"""Killed in the middle of `quarantine retry`, `drop` or `edit`: the next call completes it exactly.

Nothing here needs a broker: the refused records are in the warehouse.
"""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loader.config import Config
from loader.model import Identity
from loader.warehouse.attach import connect
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import KINDS, batch, copy_folder, make_config, order
from tests.pipelines import CONFIG, PATHS
from tests.servers.command import Cli

MANY = 200  # mendable refusals: more rows than a lake keeps inline, so that a file is written
MENDED = ("--set", "table.columns.amount.check=amount > -100000")
PLACES = ("after_parse", "after_write", "before_begin", "mid_insert", "before_commit", "after_commit")


@pytest.fixture(scope="module", params=KINDS)
def pristine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A configuration file, and a warehouse of 10 rows and MANY + 2 refusals, two of them twins of rows."""
    folder, kind = tmp_path_factory.mktemp("pristine"), request.param
    text = CONFIG.format(name="orders", bootstrap="localhost:1", topic="orders", path=PATHS[kind])
    (folder / "loader.toml").write_text(text)
    config = make_config(folder, kind)
    bad = [order(100 + number, amount=-number - 1) for number in range(MANY)]
    values = [*(order(number) for number in range(10)), *bad, b"{", order(1, amount=0.01)]
    with closing(DuckWarehouse(config, accept_quarantine=True)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, values)))))
    return config


@pytest.fixture
def config(pristine: Config, cli: Cli) -> Config:
    """A copy of it for each test."""
    copy_folder(pristine.warehouse.file.parent, cli.folder)
    return make_config(cli.folder, pristine.warehouse.kind)


def ask(config: Config, sql: str) -> list[tuple[Any, ...]]:
    """The result of a query; the balance is proved before."""
    with Reader(config) as reader:
        assert {check.status for check in checks(reader)} == {"ok"}, checks(reader)
    with connect(config.warehouse, read_only=True) as home:
        return home.execute(sql).fetchall()


STATES = "SELECT state, count(*) FROM lake.loader.quarantine GROUP BY ALL ORDER BY ALL"
BEFORE = [("open", MANY + 2)]


def fail(place: str, log: Path) -> dict[str, str]:
    """The environment that kills the command at a place."""
    return {"LOADER_FAIL": f"{place}:kill", "LOADER_FAIL_LOG": str(log)}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.fault(1)
def test_killed_in_a_retry(config: Config, cli: Cli, place: str) -> None:
    """SIGKILL at any place: all of it happened or nothing; the same command again leaves the same end."""
    log = cli.folder / "hits"
    killed = cli(*MENDED, "quarantine", "retry", "--all", env=fail(place, log))
    assert killed.code == -signal.SIGKILL, killed.err
    assert log.read_text() == f"{place}\n"
    done = place == "after_commit"
    after = [("loaded", MANY), ("open", 2)]
    assert ask(config, STATES) == (after if done else BEFORE)

    again = cli(*MENDED, "--json", "quarantine", "retry", "--all")
    assert again.code == 0, again.err
    assert (again.json["loaded"], again.json["refused"]) == (0 if done else MANY, 2)
    assert ask(config, STATES) == after
    assert ask(config, "SELECT count(*), count(DISTINCT _offset) FROM lake.orders") == [
        (MANY + 10, MANY + 10)
    ]
    third = cli(*MENDED, "--json", "quarantine", "retry", "--reason", "amount: check")
    assert third.json["retried"] == 0


@pytest.mark.parametrize("place", ["before_commit", "after_commit"])
@pytest.mark.fault(1)
def test_killed_in_a_drop_or_edit(config: Config, cli: Cli, place: str) -> None:
    """The same for the other two changes: whole or not at all."""
    log, done = cli.folder / "hits", place == "after_commit"
    killed = cli("quarantine", "edit", "0:10", "--value", "{}", env=fail(place, log))
    assert killed.code == -signal.SIGKILL, killed.err
    edited = ask(config, "SELECT count(*) FROM lake.loader.quarantine WHERE edited IS NOT NULL")
    assert edited == [(int(done),)]
    words = ("quarantine", "drop", "--all", "--note", "a test")
    killed = cli(*words, env=fail(place, log))
    assert killed.code == -signal.SIGKILL, killed.err
    after = [("dropped", MANY + 2)]
    assert ask(config, STATES) == (after if done else BEFORE)
    assert cli("--json", *words).json["dropped"] == (0 if done else MANY + 2)
    assert ask(config, STATES) == after
