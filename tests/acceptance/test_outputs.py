"""`loader refresh` and `loader export` as a user and a scheduler run them."""

from __future__ import annotations

import duckdb
import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, tell, until
from tests.servers import topics
from tests.servers.command import Cli

JOBS = """
[refresh]
analytics = ["late_arrivals"]
[[schedule]]
job = "load"
every = "1s"
[[schedule]]
job = "refresh"
every = "1s"
[[schedule]]
job = "export"
every = "1s"
args = ["--to", "out/orders", "--partition-by", "day(timestamp)"]
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_loads_refreshes_and_exports(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """Jobs like any other: they take turns, are in the history, and what they made is what was loaded."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), kind)
    pipeline.file.write_text(pipeline.file.read_text() + JOBS)
    topics.produce(kafka, pipeline.topic, tell(200, seed=1, partitions=2).messages)
    assert pipeline("load").code == 0
    running = pipeline.start("schedule")
    until(lambda: all(f"job={job} " in running.err for job in ("load", "refresh", "export")), "one of each")
    until(lambda: "job=export outcome=done rows=200" in running.err, "the export")
    result = running.terminate()
    assert (result.code, result.json["failed"]) == (0, 0), result.err
    found = duckdb.sql(f"SELECT count(*) FROM '{pipeline.folder}/out/orders/*/*.parquet'").fetchall()
    assert found == [(200,)]
    rows = pipeline.rows("SELECT sum(orders)::INTEGER AS n FROM analytics.late_arrivals")
    assert rows == [{"n": 200}]
    pipeline.verify()


def test_a_typed_refresh_and_export_say_what_they_did(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """One object each, one row each in the history."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1))
    pipeline.file.write_text(pipeline.file.read_text() + '[refresh]\nanalytics = ["late_arrivals"]\n')
    assert "nothing has been loaded yet" in pipeline("refresh").err
    topics.produce(kafka, pipeline.topic, tell(50, seed=1, partitions=1).messages)
    assert pipeline("load").code == 0
    refreshed = pipeline("refresh").json
    assert refreshed["outcome"] == "done"
    assert refreshed["tables"] == [{"name": "analytics.late_arrivals", "rows": 1}]
    exported = pipeline("export", "late_arrivals", "--to", "late.csv").json
    assert exported["to"] == str(pipeline.folder / "late.csv")
    assert (pipeline.folder / "late.csv").read_text().startswith("day,orders")
    runs = pipeline("runs").json["runs"]
    assert [(run["job"], run["started_by"], run["counts"]) for run in runs] == [
        ("export", "command", {"rows": 1}),
        ("refresh", "command", {"tables": 1, "rows": 1}),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["export"], "--to"),
        (["export", "--to", "orders"], "does not say the format"),
        (["export", "--to", "o", "--format", "xml"], "xml is no format"),
        (["export", "--to", "o.json", "--partition-by", "day(timestamp)"], "JSON has no partitions"),
        (["export", "nope", "--to", "o.csv"], "no analytic nope"),
        (["export", "one_day", "--to", "o.csv", "--param", "day"], "is not NAME=VALUE"),
        (["refresh"], "no analytic is configured"),
        (["query", "SELECT 1", "out.png"], "more than one query"),
        (["query", "SELECT 1", "out.gif", "--plot"], "a picture ends in"),
    ],
)
def test_mistakes_are_exit_2(cli: Cli, words: list[str], told: str) -> None:
    """Before anything is opened."""
    pipeline = Pipeline(cli, "127.0.0.1:1", "orders")
    result = pipeline.cli("-c", pipeline.file, *words)
    assert (result.code, told in result.err) == (2, True), result.err
