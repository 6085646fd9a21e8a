"""`loader check` without servers: mistakes of the contract and of the schedule, all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.cli.check import _offline
from loader.errors import ConfigError
from tests.making import ORDER_COLUMNS, make_config

AMOUNT: dict[str, Any] = {"type": "DECIMAL(18,2)", "check": "amount"}
WRONG_JOB = {"job": "load", "every": "30s", "args": ["--max-recs", "5"]}
GOOD_JOB = {"job": "maintain", "cron": "@daily", "args": ["--max-seconds", "60"]}


def test_a_job_with_an_option_that_its_verb_does_not_have(tmp_path: Path) -> None:
    """Told by `check`, not only when the schedule starts at night; with the nearest option and the help."""
    config = make_config(tmp_path, schedule=[GOOD_JOB, WRONG_JOB])
    with pytest.raises(ConfigError) as caught:
        _offline(config)
    assert caught.value.address == "schedule[1].args"
    assert "--max-recs" in caught.value.message
    assert caught.value.hint == "loader load --help"


def test_every_mistake_is_told(tmp_path: Path) -> None:
    """Contract, schedule and derived tables in one round, a line for each."""
    table = {"name": "orders", "id": "order_id", "columns": {**ORDER_COLUMNS, "amount": AMOUNT}}
    jobs = [{"job": "load", "every": "30s", "args": [word]} for word in ("--help", "--no")]
    (tmp_path / "wrong.sql").write_text("SELECT nothing AS n FROM new")
    derive = [{"table": name, "sql": f"{name}.sql", "key": "n"} for name in ("missing", "wrong")]
    with pytest.raises(ConfigError) as caught:
        _offline(make_config(tmp_path, table=table, schedule=jobs, derive=derive))
    addresses = [line.split(": ")[0] for line in caught.value.mistakes]
    assert addresses == [
        "table.columns.amount.check", "schedule[0].args", "schedule[1].args",
        "derive[0].sql", "derive[1].sql",
    ]  # fmt: skip
