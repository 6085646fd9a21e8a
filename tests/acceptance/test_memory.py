"""Memory is bounded, however much waits in the topic."""

from __future__ import annotations

import uuid

import pytest

from tests.pipelines import Pipeline
from tests.servers import topics
from tests.servers.command import Cli

MB = 1 << 20
MANY = 300_000  # orders of 230 bytes: 69 MB
SMALL_BATCHES = ("--set", "batch.records=5000")
BYTES_OF_AN_ID = 17  # at most, in the set of known ids
SLACK = 32 * MB


@pytest.fixture(scope="module")
def backlog(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A topic with so many orders that wait."""
    name = f"backlog-{uuid.uuid4().hex[:8]}"
    topics.create(kafka, name, 2)
    filled = Pipeline(Cli(tmp_path_factory.mktemp("backlog")), kafka, name)("replay", "--records", MANY)
    assert filled.code == 0, filled.err
    return name


@pytest.mark.fault(57)
def test_a_long_backlog_takes_no_more_memory_than_a_short_one(kafka: str, backlog: str, cli: Cli) -> None:
    """Sixty batches need what six need, but for the ids."""
    short, long = (Pipeline(cli, kafka, backlog, name=each) for each in ("short", "long"))
    _, before = short.start("load", *SMALL_BATCHES, "--max-records", MANY // 10).measured()
    loaded, after = long.start("load", *SMALL_BATCHES).measured()
    assert (loaded.code, loaded.json["loaded"]) == (0, MANY)
    assert after - before < SLACK + BYTES_OF_AN_ID * MANY, f"{before / MB:.0f} MB, then {after / MB:.0f} MB"


@pytest.mark.fault(6)
def test_a_batch_that_needs_more_than_duckdb_may_have(kafka: str, backlog: str, cli: Cli) -> None:
    """DuckDB has 77 MB for a batch of 69: it comes through by way of the disk, or it is said what to raise.

    Nothing is half done, and with more memory the next load completes it.
    """
    pipeline = Pipeline(cli, kafka, backlog, name="narrow")
    large = ("batch.records=1_000_000", "batch.bytes=128 MiB", "limits.memory=256 MiB")
    words = (word for each in (*large, "limits.unreachable=0s") for word in ("--set", each))
    narrow = pipeline("load", *words)
    if narrow.code != 0:
        assert (narrow.code, narrow.json["error"]["hint"]) == (75, "raise limits.memory"), narrow.out
        assert pipeline.batches() == 0
    assert pipeline("load").code == 0
    assert pipeline.rows("SELECT count(*) AS n, count(DISTINCT order_id) AS ids FROM orders") == [
        {"n": MANY, "ids": MANY}
    ]
