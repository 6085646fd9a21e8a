"""Who reads while the loader writes sees whole batches, always (O7): rows and ledger agree at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli

READER = """\
import json
import sys
from pathlib import Path
import duckdb
from tests.oracle import database, lake

address = Path(sys.argv[1])
rows = "SELECT _batch AS batch, count(*)::BIGINT AS n FROM orders GROUP BY ALL ORDER BY ALL"
ledger = "SELECT batch, loaded AS n FROM loader.batches WHERE loaded > 0 ORDER BY ALL"
stop = Path(sys.argv[2])
while not stop.exists():
    try:
        with (lake if address.suffix == ".sqlite" else database)(address) as store:
            store.rows("BEGIN TRANSACTION")
            seen = {name: store.rows(sql) for name, sql in (("rows", rows), ("ledger", ledger))}
    except duckdb.Error as error:
        seen = {"error": str(error)}
    print(json.dumps(seen), flush=True)
"""


@contextmanager
def reading(address: Path, folder: Path) -> Iterator[list[dict[str, Any]]]:
    """A process that looks again and again; what it saw is in the list after the block."""
    stop, seen, found = folder / "stop-reading", folder / "seen", []
    with seen.open("w") as out:
        command = [sys.executable, "-c", READER, str(address), str(stop)]
        process = subprocess.Popen(command, stdout=out, cwd=REPOSITORY)
        try:
            until(lambda: seen.stat().st_size, "the reader has looked")
            yield found
            stop.touch()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    found += [json.loads(line) for line in seen.read_text().splitlines()]


def judge(looks: list[dict[str, Any]], total: int) -> None:
    """No look has failed or seen part of a batch, the count never went back, and something was in between."""
    errors = [look["error"] for look in looks if "error" in look]
    assert not errors, errors[:3]
    for look in looks:
        assert look["rows"] == look["ledger"]
    counts = [sum(row["n"] for row in look["rows"]) for look in looks]
    assert all(before <= after for before, after in pairwise(counts)), counts
    assert counts[-1] == total
    assert len({count for count in counts if 0 < count < total}) >= 3, counts


@pytest.mark.fault(50)
def test_a_lake_is_read_during_a_load(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path) -> None:
    """Plain DuckDB in another process queries the lake all the time, and sees unions of whole batches."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=3)), tell(30_000, seed=1)
    assert pipeline("load").code == 0  # there is a lake to look at
    topics.produce(kafka, pipeline.topic, story.messages)
    with reading(pipeline.folder / "catalog.sqlite", tmp_path) as looks:
        result = pipeline("load", "--set", "batch.records=1000")
        assert result.code == 0, result.err
        assert result.json["batches"] >= 10
        until(lambda: seen_all(tmp_path / "seen", story.expected.loaded), "the reader has seen the end")
    judge(looks, story.expected.loaded)
    assert pipeline.check() == story.expected


@pytest.mark.parametrize("every", ["100ms"])
@pytest.mark.fault(50)
def test_the_published_copy_is_read_during_a_run(
    kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path, every: str
) -> None:
    """Plain DuckDB reads the copy of a DuckDB file while it is replaced, and sees whole batches too."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=3), "duckdb"), tell(24_000, seed=2)
    publish = ("--set", "warehouse.publish=copy.duckdb", "--set", f"warehouse.publish_every={every}")
    assert pipeline("load", *publish).code == 0
    topics.produce(kafka, pipeline.topic, story.messages)
    running = pipeline.start("load", *publish, "--set", "batch.records=1000")
    until(lambda: committed(running) and (pipeline.folder / "copy.duckdb").exists(), "a copy")
    with reading(pipeline.folder / "copy.duckdb", tmp_path) as looks:
        assert running.wait().code == 0
        until(lambda: seen_all(tmp_path / "seen", story.expected.loaded), "the reader has seen the end")
    judge(looks, story.expected.loaded)
    assert pipeline.check() == story.expected


def seen_all(seen: Path, total: int) -> bool:
    """Whether the reader's last look found everything."""
    lines = seen.read_text().splitlines()[:-1]  # the last one may be half written
    return bool(lines) and sum(row["n"] for row in json.loads(lines[-1]).get("rows", [])) == total
