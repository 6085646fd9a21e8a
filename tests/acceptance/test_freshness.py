"""The freshness target: what `status` says, and when `status --check` is exit 3."""

from __future__ import annotations

import time

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, order
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.topics import Message

TARGET = ("--set", "freshness.warn=15m", "--set", "freshness.fail=1h", "--set", "batch.wait=1h")


def sent(pipeline: Pipeline, number: int, age: float = 0) -> None:
    """One order that was sent so many seconds ago."""
    stamp = int((time.time() - age) * 1000)
    topics.produce(
        pipeline.bootstrap, pipeline.topic, [Message(order(number), partition=number, timestamp=stamp)]
    )


@pytest.mark.fault(26)
@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_waits_too_long_fails_the_check(
    kafka: str, topic: MakeTopic, cli: Cli, kind: str
) -> None:
    """Fresh while nothing waits, warn and fail by the age of the oldest record that is not loaded."""
    pipeline = Pipeline(cli, kafka, topic(partitions=3), kind)
    before = pipeline("status", "--check", *TARGET)
    assert (before.code, before.json["freshness"]["state"]) == (3, "fail")
    assert "nothing has been loaded yet" in before.err
    assert pipeline("load").code == 0
    for number, (age, state, code) in enumerate(((0, "fresh", 0), (1_000, "warn", 0), (4_000, "fail", 3))):
        sent(pipeline, number, age)
        checked = pipeline("status", "--check", *TARGET)
        found = checked.json["freshness"]
        assert (checked.code, found["state"]) == (code, state)
        assert age <= found["age_s"] < age + 60
    text = cli("-c", pipeline.file, "status", "--check", *TARGET)
    assert "freshness: fail, the oldest record has waited 4" in text.out
    assert text.err.count("freshness: fail") == 1
    assert pipeline("load").code == 0
    found = pipeline("status", "--check", *TARGET)
    assert (found.code, found.json["freshness"]["state"], found.json["freshness"]["age_s"]) == (0, "fresh", 0)


def test_without_a_target_nothing_is_said(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """No target: no freshness, and however old a record is, the check is about stalling only."""
    pipeline = Pipeline(cli, kafka, topic(partitions=3))
    assert pipeline("load").code == 0
    sent(pipeline, 1, age=90_000)
    found = pipeline("status", "--check", "--set", "batch.wait=1h")
    assert (found.code, found.json["freshness"]) == (0, None)
