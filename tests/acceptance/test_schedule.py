"""`loader schedule` and `loader runs` as a user meets them: jobs, history, signals, failures, exit codes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, tell, until
from tests.servers import topics
from tests.servers.command import Cli, Running
from tests.servers.kafka import free_ports

OFTEN = '[[schedule]]\njob = "load"\nevery = "1s"\n'
AT_NIGHT = '[[schedule]]\njob = "load"\ncron = "0 3 29 2 *"\n'


def scheduled(pipeline: Pipeline, jobs: str) -> Pipeline:
    """The pipeline with jobs in its configuration."""
    pipeline.file.write_text(pipeline.file.read_text() + jobs)
    return pipeline


def history(pipeline: Pipeline) -> list[dict[str, object]]:
    """The runs, newest first, by the loader itself."""
    return list(pipeline("runs").json["runs"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_loads_until_it_is_stopped(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """What arrives is loaded by the next run; SIGTERM ends with exit 0; every run is in the history."""
    pipeline = scheduled(Pipeline(cli, kafka, topic(partitions=2), kind), OFTEN)
    first, second = tell(300, seed=1, partitions=2), tell(300, seed=2, partitions=2, first=300)
    topics.produce(kafka, pipeline.topic, first.messages)
    running = pipeline.start("schedule")
    until(lambda: f"loaded={first.expected.loaded}" in running.err, "the first run")
    topics.produce(kafka, pipeline.topic, second.messages)
    until(
        lambda: running.err.count("] job ended") >= 3 and running.err.count("loaded=300") == 4, "the second"
    )
    result = running.terminate()
    assert (result.code, result.json["outcome"], result.json["failed"]) == (0, "stopped", 0), result.err
    assert pipeline.check().loaded == 600
    runs = history(pipeline)
    assert len(runs) == result.json["runs"]
    assert {(run["job"], run["started_by"]) for run in runs} == {("load", "schedule")}
    assert sum(run["counts"].get("loaded", 0) for run in runs) == 600  # type: ignore[attr-defined]
    starts = [str(run["started_at"]) for run in runs]
    assert starts == sorted(starts, reverse=True)
    pipeline.verify()


def test_maintain_that_is_typed_is_in_the_history(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """It leaves one row; a typed load leaves none, because the ledger has its batches."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1))
    topics.produce(kafka, pipeline.topic, tell(50, seed=1, partitions=1).messages)
    assert pipeline("load").code == 0
    assert pipeline("maintain").code == 0
    (row,) = history(pipeline)
    assert (row["job"], row["started_by"], row["exit_code"]) == ("maintain", "command", 0)


@pytest.mark.fault(4)
def test_a_stop_finishes_the_batch(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path) -> None:
    """SIGTERM in the middle of a batch: it is committed, the rest is left for the next run, exit 0."""
    pipeline = scheduled(Pipeline(cli, kafka, topic(partitions=2)), OFTEN)
    topics.produce(kafka, pipeline.topic, tell(5_000, seed=3, partitions=2).messages)
    hits = tmp_path / "hits"
    slow = {"LOADER_FAIL": "before_commit:sleep", "LOADER_FAIL_LOG": str(hits)}
    running = pipeline.start("schedule", "--set", "batch.records=1000", env=slow)
    until(hits.exists, "a batch is about to be committed")
    result = running.terminate()
    assert (result.code, result.json["failed"]) == (0, 0), result.err
    assert pipeline.batches() >= 1
    (run,) = history(pipeline)
    assert (run["outcome"], run["exit_code"]) == ("stopped", 143)
    pipeline.check(caught_up=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.fault(4)
def test_a_schedule_that_waits_stops_at_once(kafka: str, topic: MakeTopic, cli: Cli, number: int) -> None:
    """Between two runs a signal is a stop like any other: exit 0."""
    pipeline = scheduled(Pipeline(cli, kafka, topic(partitions=1)), AT_NIGHT)
    running = pipeline.start("schedule")
    until(lambda: "scheduled" in running.err, "it waits")
    running.process.send_signal(number)
    result = running.wait(timeout=10)
    assert (result.code, result.json["runs"]) == (0, 0), result.err


def test_a_job_that_fails_or_is_killed_does_not_end_the_schedule(cli: Cli) -> None:
    """A broker that is away: exit 75 of the job, one line, another try, and exit 0 of the schedule."""
    pipeline = scheduled(Pipeline(cli, f"127.0.0.1:{free_ports(1)[0]}", "orders"), OFTEN)
    running = pipeline.start("schedule", "--set", "limits.unreachable=1s")
    until(lambda: "job failed" in running.err, "it has failed", timeout=30)
    (line,) = [line for line in running.err.splitlines() if "job failed" in line]
    assert "exit_code=75" in line
    assert "again_in=5.0" in line
    result = running.terminate()
    assert (result.code, result.json["failed"]) == (0, 1), result.err


def killed_child(running: Running) -> None:
    """SIGKILL the job of a scheduler."""
    import psutil

    (child,) = until(lambda: psutil.Process(running.pid).children(), "a job runs")
    child.kill()


def test_a_killed_job_is_in_the_history(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path) -> None:
    """A job that is killed leaves no word of its own: the scheduler writes it down, and runs the next."""
    pipeline = scheduled(Pipeline(cli, kafka, topic(partitions=1)), OFTEN)
    topics.produce(kafka, pipeline.topic, tell(100, seed=1, partitions=1).messages)
    assert pipeline("load", "--max-records", 10).code == 0
    hits = tmp_path / "hits"
    slow = {"LOADER_FAIL": "before_commit:sleep", "LOADER_FAIL_LOG": str(hits)}
    running = pipeline.start("schedule", env=slow)
    until(hits.exists, "a batch is about to be committed")
    killed_child(running)
    until(lambda: "outcome=killed" in running.err, "it was noticed")
    until(lambda: "job ended" in running.err, "the next run", timeout=30)
    assert running.terminate().code == 0
    assert [run["error"] for run in history(pipeline) if run["outcome"] == "killed"] == ["ended by signal 9"]
    assert pipeline.check().loaded == 100


@pytest.mark.fault(8, 58)
def test_two_schedulers_never_run_two_jobs_at_once(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Two schedulers of one DuckDB file: no run of either fails, because they take turns."""
    pipeline = scheduled(Pipeline(cli, kafka, topic(partitions=1), "duckdb"), OFTEN)
    topics.produce(kafka, pipeline.topic, tell(100, seed=1, partitions=1).messages)
    both = [pipeline.start("schedule") for _ in range(2)]
    for running in both:
        until(lambda running=running: running.err.count("job ended") >= 2, "two runs of each")  # type: ignore[misc]
    results = [running.terminate() for running in both]
    assert [(result.code, result.json["failed"]) for result in results] == [(0, 0)] * 2, results
    assert len(history(pipeline)) == min(20, sum(result.json["runs"] for result in results))
    assert pipeline.check().loaded == 100


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ("", "no job is configured"),
        (OFTEN + 'args = ["--max-second", "5"]\n', "--max-second"),
        (OFTEN + 'args = ["--help"]\n', "--help"),
        (OFTEN + 'args = ["--new-topic", "x1cmDHjVQwi6IRnTbfYAOA"]\n', "--new-topic is for one run"),
        (OFTEN + 'args = ["--accept-loss", "orders[0]:1-2"]\n', "--accept-loss is for one run"),
    ],
)
def test_a_schedule_that_cannot_run_is_exit_2(cli: Cli, jobs: str, told: str) -> None:
    """Mistakes are found before the first run."""
    result = scheduled(Pipeline(cli, "127.0.0.1:1", "orders"), jobs)("schedule")
    assert result.code == 2
    assert told in result.json["error"]["message"]
