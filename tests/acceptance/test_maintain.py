"""`loader maintain` as a user meets it: numbers, --dry-run, beside a running load, exit codes."""

from __future__ import annotations

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli

SMALL = ("--set", "batch.records=200")


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_before_and_after(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """--dry-run says what there is to do and does nothing; maintain does it, and prints both sizes."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=2), kind), tell(9_000, seed=1, partitions=2)
    assert pipeline("maintain").code == 1
    topics.produce(kafka, pipeline.topic, story.messages)
    assert pipeline("load", *SMALL).code == 0
    planned = pipeline("maintain", "--dry-run")
    assert (planned.code, planned.json["outcome"]) == (0, "dry_run")
    found = pipeline("maintain")
    assert (found.code, found.json["outcome"]) == (0, "done"), found.err
    assert found.json["before"] == planned.json["before"]
    if kind == "ducklake":
        assert planned.json["to_do"]["small_files"] == planned.json["before"]["files"] >= 4
        assert set(found.json["after"]) == {
            "files", "bytes", "snapshots", "files_on_disk", "catalogue_bytes",
        }  # fmt: skip
        assert found.json["done"]["merged_files"] >= 4
    assert pipeline.check() == story.expected
    pipeline.verify()
    text = cli("-c", pipeline.file, "maintain", "--dry-run").out
    assert "now: " in text
    assert "before" in cli("-c", pipeline.file, "maintain").out
    assert [run["job"] for run in pipeline("runs").json["runs"]] == ["maintain"] * 2


@pytest.mark.fault(51)
def test_loads_go_on_beside_it(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """A stream with small batches and upkeep again and again beside it: all is exact, nobody fails."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), client=SHORT_SESSION)
    story = tell(6_000, seed=2, partitions=2)
    topics.produce(kafka, pipeline.topic, story.messages)
    running = pipeline.start("run", *SMALL, "--set", "batch.wait=200ms")
    until(lambda: committed(running), "a first batch")
    turns = 0
    while pipeline.behind() or turns < 2:
        assert pipeline("maintain", "--set", "maintain.keep_snapshots=0s").code == 0
        turns += 1
        assert running.process.poll() is None, running.err
    assert running.terminate().code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()


@pytest.mark.fault(8)
def test_a_duckdb_file_that_is_held_is_75(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """While a stream holds the file, maintain is temporary failure: the stream does upkeep itself."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), "duckdb", client=SHORT_SESSION)
    topics.produce(kafka, pipeline.topic, tell(100, seed=1, partitions=1).messages)
    running = pipeline.start("run", "--set", "batch.wait=200ms")
    until(lambda: committed(running), "it holds the file")
    assert pipeline("maintain").code == 75
    assert running.terminate().code == 0
    assert pipeline("maintain").code == 0
