"""A small run of `make chaos`: killed at random moments, each warehouse ends exact by every check."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from tests.chaos.__main__ import PARTITIONS, run, wanted
from tests.chaos.campaign import Wanted
from tests.chaos.stream import stream
from tests.conftest import MakeTopic

KILLS = 4


class Shared(NamedTuple):
    """The broker of all tests, which nobody may stop."""

    bootstrap: str

    def start(self, timeout: float) -> None:
        """It runs already."""


@pytest.mark.slow
@pytest.mark.fault(1, 3)
@pytest.mark.parametrize("kind", ["ducklake", "duckdb"])
def test_kills_at_random_moments(kafka: str, topic: MakeTopic, tmp_path: Path, kind: str) -> None:
    """Killed while it starts, recovers and loads: O1 to O11 hold, and `verify --deep` agrees."""
    chosen = Wanted(kind, seed=11, kills=KILLS, mix="kills", start="forked", rate=1_000, share=1_500)
    broker = cast("Any", Shared(kafka))
    verdict = run(chosen, chosen.seed, tmp_path, broker, topic(partitions=PARTITIONS))
    wrong = [check for check in verdict["checks"] if check["ok"] is False]
    assert (wrong, verdict["ok"], verdict["kills"]["hit"]) == ([], True, KILLS)
    assert sum(verdict["records"].values()) > 0


def test_a_seed_gives_the_same_records() -> None:
    """The stream repeats itself by its seed, and holds orders, twins, rivals and malformed records."""
    first, again, other = (stream(seed, 4) for seed in (5, 5, 6))
    items = [next(first) for _ in range(3_000)]
    assert items == [next(again) for _ in range(3_000)]
    assert items != [next(other) for _ in range(3_000)]
    assert {item.kind for item in items} == {"order", "twin", "conflict", "malformed"}


@pytest.mark.parametrize("words", [["--warehouse", "duckdb", "--workers", "2"], ["--warehouses", "2"]])
def test_what_cannot_be_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Two workers on one file, and two warehouses on a broker that is broken for one of them."""
    with pytest.raises(SystemExit) as refused:
        wanted(words)
    assert refused.value.code == 2
    assert "--help" not in capsys.readouterr().err.splitlines()[-1]
