"""What the hooks count, and what the page says of it; no Kafka, no Prometheus."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from loader.errors import ActionNeeded, BrokerAway
from loader.model import Lag, Position, Receipt, Span, Totals
from loader.observe.health import Health
from loader.observe.looking import Looking
from loader.observe.metrics import JobMetrics, LoadMetrics, Meters, Waiting
from loader.observe.page import Page
from loader.runs import ended_run
from loader.secrets import hide
from tests.making import batch, make_config
from tests.pipelines import until
from tests.servers.kafka import free_ports

DOCS = Path(__file__).parents[2] / "docs"
VERSIONS = {"version": "1.2.3"}
NOW = 1_772_000_000.0


@pytest.fixture
def meters() -> Meters:
    """The metrics of a pipeline."""
    return Meters("orders", VERSIONS)


def shown(meters: Meters) -> dict[str, float]:
    """Every series of ours with its value; the label `pipeline`, which all have, is left out."""
    lines = generate_latest(meters.registry).decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("loader_"):
            name, value = line.rsplit(" ", 1)
            assert 'pipeline="orders"' in name
            short = re.sub(r'pipeline="orders",?', "", name).replace(",}", "}").replace("{}", "")
            found[short] = float(value)
    return found


def receipt(**facts: object) -> Receipt:
    """A batch of ten records, two of them refused for three reasons."""
    spans = (Span(0, 100, 106), Span(1, 7, 11))
    counts = Totals(consumed=10, loaded=7, duplicates=1, quarantined=2)
    given = {"seconds": {"parse": 0.2, "commit": 0.004}, "reasons": {"amount: check": 2, "id: missing": 1}}
    return Receipt(1, 5, spans, counts, **{**given, "newest_event": NOW - 60, **facts})  # type: ignore[arg-type]


def test_a_batch_is_counted_once_by_all(meters: Meters) -> None:
    """Records by outcome and by reason, the batch, its phases, the times; nothing is there by half."""
    health = Health(work="beginning again")
    hook = LoadMetrics(meters, health, clock=lambda: NOW)
    hook.began({0: Position(100), 1: Position(7), 2: Position(3)})
    hook.committed(receipt())
    hook.committed(receipt(newest_event=NOW - 600))
    found = shown(meters)
    assert found['loader_records_total{outcome="loaded"}'] == 14
    assert found['loader_records_total{outcome="duplicate"}'] == 2
    assert found['loader_records_total{outcome="quarantined"}'] == 4
    assert found['loader_records_total{outcome="skipped"}'] == 0
    assert found['loader_quarantined_records_total{reason="amount: check"}'] == 4
    assert found['loader_quarantined_records_total{reason="id: missing"}'] == 2
    assert found["loader_batches_total"] == 2
    assert found["loader_last_commit_timestamp_seconds"] == NOW
    assert found["loader_newest_event_timestamp_seconds"] == NOW - 60
    assert found['loader_batch_phase_seconds_bucket{le="0.1",phase="parse"}'] == 0
    assert found['loader_batch_phase_seconds_bucket{le="0.25",phase="parse"}'] == 2
    assert found['loader_batch_phase_seconds_sum{phase="commit"}'] == pytest.approx(0.008)
    assert found['loader_batch_phase_seconds_count{phase="write"}'] == 0
    assert found['loader_build_info{version="1.2.3"}'] == 1
    assert hook.known == {0: 106, 1: 11, 2: 3}
    assert health.work == ""


def test_before_the_first_batch_counters_are_there_and_times_are_not(meters: Meters) -> None:
    """`increase()` needs the zero; a commit in 1970 would be a lie."""
    LoadMetrics(meters, Health())
    found = shown(meters)
    assert found['loader_records_total{outcome="loaded"}'] == 0
    assert found["loader_restarts_total"] == found["loader_commit_conflicts_total"] == 0
    assert not [name for name in found if "timestamp" in name]


def test_a_restart_makes_the_process_unready_until_it_has_begun_again(meters: Meters) -> None:
    """Counted; what was known of the offsets is dropped; the reason is told without secrets."""
    health = Health(broker="")
    hook = LoadMetrics(meters, health)
    hook.committed(receipt())
    hook.conflicted(batch((0, 0, [b"{}"])), 0)
    hide(["hunter2-is-secret"])
    hook.restarting(BrokerAway("no answer to hunter2-is-secret\nat all"), 0.2)
    found = shown(meters)
    assert (found["loader_restarts_total"], found["loader_commit_conflicts_total"]) == (1, 1)
    assert hook.known == {}
    assert health.trouble == "no answer to *** at all"
    hook.began({0: Position(5)})
    assert health.trouble == ""


def test_lag_is_shown_as_it_was_found_and_not_when_it_is_unknown(meters: Meters) -> None:
    """A broker that is away: the flag says so, and no old number looks like a new one."""
    health = Health()
    waiting = Waiting(meters, health)
    assert health.trouble == "the broker has not been asked yet"
    assert shown(meters)["loader_broker_up"] == 0
    waiting.found(Lag({0: 5, 1: 0}, 12.5))
    found = shown(meters)
    assert (found["loader_broker_up"], found["loader_lag_seconds"]) == (1, 12.5)
    assert [found[f'loader_lag_records{{partition="{p}"}}'] for p in (0, 1)] == [5, 0]
    assert health.trouble == ""
    waiting.found(None, "no broker at localhost:1")
    found = shown(meters)
    assert found["loader_broker_up"] == 0
    assert not [name for name in found if "lag" in name]
    assert health.trouble == "no broker at localhost:1"


def test_jobs_are_counted_from_what_they_print(meters: Meters, tmp_path: Path) -> None:
    """Runs by verb and outcome, seconds, records; a failure makes unready until the verb ends well."""
    config = make_config(
        tmp_path, schedule=[{"job": "load", "every": "5s"}, {"job": "maintain", "every": "1h"}]
    )
    load, maintain = config.schedule
    health = Health(broker="")
    hook = JobMetrics(meters, health, clock=lambda: NOW)
    started = datetime.now(UTC)
    result = {
        "outcome": "caught_up",
        "batches": 2,
        "loaded": 7,
        "quarantined": 1,
        "reasons": {"id: missing": 1},
    }
    hook.ended(load, ended_run("load", "schedule", started, 0, result), None)
    hook.ended(maintain, ended_run("maintain", "schedule", started, -9, {}), None)
    found = shown(meters)
    assert found['loader_job_runs_total{outcome="caught_up",verb="load"}'] == 1
    assert found['loader_job_runs_total{outcome="killed",verb="maintain"}'] == 1
    assert found['loader_job_duration_seconds_count{verb="load"}'] == 1
    assert found['loader_job_last_success_timestamp_seconds{verb="load"}'] == NOW
    assert 'loader_job_last_success_timestamp_seconds{verb="maintain"}' not in found
    assert found['loader_records_total{outcome="loaded"}'] == 7
    assert found['loader_quarantined_records_total{reason="id: missing"}'] == 1
    assert (found["loader_batches_total"], found["loader_last_commit_timestamp_seconds"]) == (2, NOW)
    assert health.trouble == "the last maintain failed: ended by signal 9"
    hook.ended(maintain, ended_run("maintain", "schedule", started, 0, {"outcome": "done"}), None)
    assert health.trouble == ""


@pytest.fixture
def page(meters: Meters) -> Iterator[tuple[str, Health]]:
    """The page on a free port, and the health that it tells."""
    health = Health()
    with Page("127.0.0.1", free_ports(1)[0], meters.registry, health) as served:
        yield served.address, health


def get(address: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_the_page_answers(page: tuple[str, Health]) -> None:
    """Metrics, alive, ready; everything else is 404."""
    address, health = page
    assert get(f"{address}/healthz") == (200, "ok\n")
    assert get(f"{address}/readyz") == (503, "the broker has not been asked yet\n")
    health.broker = ""
    assert get(f"{address}/readyz") == (200, "ok\n")
    health.broken = "a thread has ended"
    assert get(f"{address}/healthz") == get(f"{address}/readyz") == (503, "a thread has ended\n")
    status, text = get(f"{address}/metrics")
    assert (status, 'loader_build_info{pipeline="orders",version="1.2.3"} 1.0' in text) == (200, True)
    assert "_created" not in text
    assert get(f"{address}/")[0] == 404


def test_two_processes_need_two_ports(page: tuple[str, Health], meters: Meters) -> None:
    """A port that is taken is one line with the way on."""
    port = int(page[0].rsplit(":", 1)[1])
    with pytest.raises(ActionNeeded, match=r"Address already in use .*--set metrics\.port="):
        Page("127.0.0.1", port, meters.registry, Health())


def test_the_topic_is_looked_at_until_the_end(meters: Meters) -> None:
    """Each look gets the offsets of its moment; a broker that is away is asked again; a bug is told."""
    health, known = Health(), {0: 5}
    asked: list[dict[int, int]] = []

    def look(committed: object) -> Lag:
        asked.append(dict(committed))  # type: ignore[call-overload]
        if len(asked) == 1:
            raise BrokerAway("away")
        if len(asked) == 3:
            raise ZeroDivisionError
        known[0] += 1
        return Lag({0: 1}, 2.0)

    with Looking(look, lambda: known, Waiting(meters, health), health, every=0.01):
        until(lambda: health.broken, "the bug is told")
    assert asked == [{0: 5}, {0: 5}, {0: 6}]
    assert "ZeroDivisionError" in health.trouble


def test_every_metric_is_explained_and_no_other(meters: Meters) -> None:
    """The table of docs/watching.md, the alert rules and the code name the same metrics."""
    LoadMetrics(meters, Health())
    JobMetrics(meters, Health())
    Waiting(meters, Health())
    families = [family for family in meters.registry.collect() if family.name.startswith("loader_")]
    code = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    code.add("loader_quarantine_open_records")  # only a schedule has it, from the warehouse
    page = set(re.findall(r"^\| `(loader_\w+)`", (DOCS / "watching.md").read_text(), re.MULTILINE))
    assert page == code
    rules = set(re.findall(r"\bloader_\w+", (DOCS / "examples" / "alerts.yml").read_text()))
    assert rules <= code
