"""Killed in the middle of a contract change: the table is the old one or the new one, never between."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli

COLUMN = 'currency = { type = "VARCHAR", required = false }'
SMALL_BATCHES = ("--set", "batch.records=200")


def change(pipeline: Pipeline) -> None:
    """A new column, and a wider one."""
    text = pipeline.file.read_text().replace("DECIMAL(18,2)", "DECIMAL(20,2)")
    pipeline.file.write_text(text.replace("[kafka.client]", f"{COLUMN}\n[kafka.client]"))


def shape(pipeline: Pipeline) -> tuple[list[tuple[str, str]], int, int]:
    """The table's columns, how many shapes are on record, and how many contracts have loaded batches."""
    columns = [(row["column_name"], row["column_type"]) for row in pipeline.rows("DESCRIBE orders")]
    (shapes,) = pipeline.rows("SELECT count(*) AS n FROM loader.contracts")
    (digests,) = pipeline.rows("SELECT count(DISTINCT contract) AS n FROM loader.batches")
    return columns, shapes["n"], digests["n"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("place", "is_new"), [("mid_insert", False), ("before_commit", False), ("after_commit", True)]
)
@pytest.mark.fault(1, 45)
def test_a_kill_leaves_the_old_table_or_the_new_one(
    kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path, kind: str, place: str, is_new: bool
) -> None:
    """Columns, the record of the change and the batch that needed it come together; then the load goes on."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=3), kind), tell(1_000, seed=4)
    topics.produce(kafka, pipeline.topic, story.messages)
    assert pipeline("load", "--max-records", 500).code == 0
    old = shape(pipeline)
    change(pipeline)
    log = tmp_path / "hits"
    killed = pipeline(
        "load", *SMALL_BATCHES, env={"LOADER_FAIL": f"{place}:kill:1", "LOADER_FAIL_LOG": str(log)}
    )
    assert killed.code == -signal.SIGKILL, killed.err
    assert log.read_text() == f"{place}\n"
    changed = (
        [*((name, type_.replace("(18,2)", "(20,2)")) for name, type_ in old[0]), ("currency", "VARCHAR")],
        2,
        2,
    )
    assert shape(pipeline) == (changed if is_new else old)
    pipeline.check(caught_up=False)
    assert pipeline("load", *SMALL_BATCHES).code == 0
    assert shape(pipeline) == changed
    assert pipeline.check() == story.expected
    pipeline.verify()


@pytest.mark.fault(45)
def test_a_running_worker_with_the_old_contract_stops_and_says_why(
    kafka: str, topic: MakeTopic, cli: Cli
) -> None:
    """`run` with the old contract, then `load` with a new one: the stream ends with exit 1, all is exact."""
    pipeline = Pipeline(cli, kafka, topic(partitions=3))
    topics.produce(kafka, pipeline.topic, tell(500, seed=5).messages)
    running = pipeline.start("run", "--set", "batch.wait=0.2s")
    until(lambda: committed(running) and pipeline.behind() == 0, "caught up")
    running.process.send_signal(signal.SIGSTOP)  # what follows comes while the stream does not look
    change(pipeline)
    topics.produce(kafka, pipeline.topic, tell(500, seed=6, first=10_000).messages)
    assert pipeline("load").code == 0
    running.process.send_signal(signal.SIGCONT)
    stopped = running.wait()
    assert stopped.code == 1, stopped.err
    assert stopped.json["error"]["kind"] == "warehouse_mismatch"
    assert "this worker still has the old one" in stopped.json["error"]["message"]
    assert pipeline.check().loaded == 1_000
    pipeline.verify()
