"""Metrics and health as a monitoring system meets them: a real broker, a real load, a real Prometheus."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

from tests.conftest import MakeTopic
from tests.pipelines import Pipeline, tell, until
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.kafka import free_ports
from tests.servers.prometheus import prometheus

RULES = Path(__file__).parents[2] / "docs" / "examples" / "alerts.yml"
OFTEN = '[[schedule]]\njob = "load"\nevery = "1s"\n'


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of the page; 0 where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def test_prometheus_sees_a_run(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path) -> None:
    """What Prometheus has scraped is what the topic holds: counts by outcome, no lag, no alert."""
    pipeline = Pipeline(cli, kafka, topic(partitions=3))
    story = tell(2_000, seed=5)
    topics.produce(kafka, pipeline.topic, story.messages)
    (port,) = free_ports(1)
    running = pipeline.start("run", "--set", f"metrics.port={port}", "--set", "batch.wait=200ms")
    with prometheus(tmp_path, f"127.0.0.1:{port}", RULES) as server:
        total = f'sum(loader_records_total{{pipeline="{pipeline.name}"}})'
        until(lambda: server.value(total) == len(story.messages), "all is loaded and scraped")
        expected = story.expected
        for outcome, records in (
            ("loaded", expected.loaded),
            ("duplicate", expected.duplicates),
            ("quarantined", expected.quarantined),
        ):
            assert server.value(f'loader_records_total{{outcome="{outcome}"}}') == records
        until(lambda: server.value("loader_broker_up") == 1, "the broker was asked")
        assert server.value('loader_quarantined_records_total{reason="order_id: conflict"}') == 20
        batches = server.value("loader_batches_total")
        assert batches
        assert server.value("min(loader_batch_phase_seconds_count)") == batches
        until(lambda: server.value("sum(loader_lag_records)") == 0, "nothing waits any more")
        assert server.value('up{job="loader"}') == 1
        age = server.value("time() - loader_last_commit_timestamp_seconds")
        assert age is not None
        assert age < 60
        assert server.value("loader_newest_event_timestamp_seconds") == newest(pipeline)
        until(lambda: server.alerts() == {}, "the rules have seen it: no alert, not even pending")
        assert get(port, "/readyz") == (200, "ok\n")
        assert running.terminate().code == 0, running.err
        until(lambda: server.value('up{job="loader"}') == 0, "the process is gone")
        until(lambda: server.alerts() == {"LoaderDown": "pending"}, "the alert is on its way")
    assert get(port, "/healthz") == (0, "")


def newest(pipeline: Pipeline) -> float:
    """The newest event time of the table, by plain DuckDB."""
    return float(pipeline.rows("SELECT epoch(max(timestamp)) AS newest FROM orders")[0]["newest"])


def test_a_schedule_shows_lag_and_jobs(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """A DuckDB file, loaded by a child each second: what it printed and what the warehouse says is shown."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), "duckdb")
    story = tell(300, seed=6, partitions=2)
    topics.produce(kafka, pipeline.topic, story.messages)
    pipeline.file.write_text(pipeline.file.read_text() + OFTEN)
    (port,) = free_ports(1)
    running = pipeline.start("schedule", "--set", f"metrics.port={port}")
    wanted = f'loader_records_total{{outcome="loaded",pipeline="orders"}} {story.expected.loaded:.1f}'
    until(lambda: wanted in get(port, "/metrics")[1], "the load is counted")
    wanted = f'loader_quarantine_open_records{{pipeline="orders"}} {story.expected.quarantined:.1f}'
    until(lambda: wanted in get(port, "/metrics")[1], "the warehouse was looked at")
    text = get(port, "/metrics")[1]
    assert 'loader_job_runs_total{outcome="caught_up",pipeline="orders",verb="load"}' in text
    until(lambda: get(port, "/readyz") == (200, "ok\n"), "ready")
    result = running.terminate()
    assert (result.code, result.json["failed"]) == (0, 0), result.err


def test_without_a_broker_the_page_says_why(cli: Cli) -> None:
    """`/readyz` names the broker, `/healthz` is fine: the process goes on trying."""
    (away, port) = free_ports(2)
    pipeline = Pipeline(cli, f"127.0.0.1:{away}", "orders")
    running = pipeline.start("run", "--set", f"metrics.port={port}")
    until(lambda: str(away) in get(port, "/readyz")[1], "the reason is told")
    assert get(port, "/readyz")[0] == 503
    assert get(port, "/healthz") == (200, "ok\n")
    assert 'loader_broker_up{pipeline="orders"} 0.0' in get(port, "/metrics")[1]
    running.kill()


def test_a_port_that_is_taken_is_exit_1(cli: Cli) -> None:
    """One line, before anything else happens."""
    pipeline = Pipeline(cli, "127.0.0.1:1", "orders")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = pipeline("run", "--set", f"metrics.port={taken.getsockname()[1]}")
    assert result.code == 1
    assert "metrics.port" in result.json["error"]["hint"]
