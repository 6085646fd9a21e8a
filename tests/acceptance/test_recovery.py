"""Accepted losses and rewinds with the real command line on a real broker."""

from __future__ import annotations

import os
import re
import shlex

import pytest

from tests.acceptance.test_quarantine import CONSOLE, Shell, commands, steady
from tests.conftest import MakeKafka, MakeTopic
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline, committed, order, tell, until
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli
from tests.servers.topics import Message

PAGE = REPOSITORY / "docs" / "recovery.md"
PIECES = re.compile(
    r"<!-- (?P<more>sent) -->|<!-- the log loses (?P<lost>[\d:]+) -->|^```console\n(?P<block>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
KEPT = {"retention.ms": "-1"}  # the records are old


def test_the_page_about_recovery_is_what_happens(own_kafka: MakeKafka, cli: Cli) -> None:
    """Each command of docs/recovery.md, in order, prints what stands there, but for ids and times."""
    kafka = own_kafka()
    topics.create(kafka.bootstrap, "orders", 2, KEPT)
    base = 1_772_000_000_000
    values = [Message(order(n), partition=n % 2, timestamp=base + 60_000 * n) for n in range(200)]
    topics.produce(kafka.bootstrap, "orders", values[:100])
    assert cli("init", "--example").code == 0
    shell = Shell(cli, kafka.bootstrap)

    def done(piece: re.Match[str]) -> str:
        if piece["more"]:
            topics.produce(kafka.bootstrap, "orders", values[100:])
            return piece[0]
        if piece["lost"]:
            partition, before = map(int, piece["lost"].split(":"))
            topics.delete_records(kafka.bootstrap, "orders", {partition: before})
            return piece[0]
        printed = "".join(map(shell.typed, commands(piece["block"])))
        return f"```console\n{printed}```"

    page = PAGE.read_text()
    found = PIECES.sub(done, page)
    if os.environ.get("LOADER_UPDATE_GOLDEN"):
        PAGE.write_text(found)
    assert without_speed(found) == without_speed(PAGE.read_text())
    assert CONSOLE.search(page)


def without_speed(text: str) -> str:
    """The page without ids, times and speeds."""
    text = re.sub(r"^\d\d:\d\d:\d\d (?=\[)", "", text, flags=re.MULTILINE)
    return re.sub(r"in (\d+ batch\w*), [\d.]+ s, [\d,]+/s", r"in \1", steady(text))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(31)
def test_a_loss_is_accepted_as_the_hint_says(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """The hinted command goes on behind the gap; other ranges are refused; `verify` and `status` show it."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), kind)
    values = [Message(order(number), partition=number % 2) for number in range(400)]
    topics.produce(kafka, pipeline.topic, values[:100])
    assert pipeline("load").code == 0
    topics.produce(kafka, pipeline.topic, values[100:])
    topics.delete_records(kafka, pipeline.topic, {0: 120, 1: 90})
    hint = ""
    for verb in ("load", "run", "plan", "status", "verify"):
        result = pipeline(verb)
        assert "offsets 50 to 120 are gone" in result.out, (verb, result.out)
        hint = result.json["error"]["hint"] if verb == "load" else hint
    name = pipeline.topic
    assert hint == f"loader load --accept-loss '{name}[0]:50-120' --accept-loss '{name}[1]:50-90'"
    for wrong in (f"{name}[0]:50-119", f"{name}[0]:49-120", f"{name}[0]:0-50"):
        refused = pipeline("load", "--accept-loss", wrong, "--accept-loss", f"{name}[1]:50-90")
        assert (refused.code, refused.json["error"]["kind"]) == (1, "offsets_lost"), refused.out
    for malformed in ("0:50-120", f"{name}[0]:120-50", "other[0]:50-120"):
        assert pipeline("load", "--accept-loss", malformed).code == 2
    assert pipeline.positions() == {0: 50, 1: 50}
    loaded = pipeline(*shlex.split(hint)[1:])
    assert (loaded.code, loaded.json["loaded"], loaded.json["holes"]) == (0, 190, 110), loaded.err
    gaps = [(gap["partition"], gap["begin"], gap["end"]) for gap in pipeline("status").json["gaps"]]
    assert gaps == [(0, 50, 120), (1, 50, 90)]
    verdict = pipeline("verify", "--deep")
    assert verdict.code == 0, verdict.out
    chain, *_, broker, _ = verdict.json["checks"]
    assert f"accepted gaps: {name}[0]:50-120, {name}[1]:50-90" in chain["detail"]
    assert "0 spans with holes read again" in broker["detail"]
    assert pipeline("load").json["batches"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_rewound_and_loaded_again_is_as_before(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """Refused without --yes, foreseen by --dry-run, proved in between; the same rows after the next load."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=3), kind), tell(1_500, seed=31)
    topics.produce(kafka, pipeline.topic, story.messages)
    assert pipeline("load", "--set", "batch.records=300").code == 0
    ends = pipeline.positions()
    rows = "SELECT order_id, amount FROM orders ORDER BY ALL"
    before = pipeline.rows(rows)
    words = ("rewind", "--to-offset", "0:123", "--to-offset", "2:400")
    refused = pipeline(*words)
    assert (refused.code, refused.json["error"]["kind"]) == (1, "action_needed")
    foreseen = pipeline(*words, "--dry-run")
    assert pipeline.positions() == ends
    done = pipeline(*words, "--yes")
    assert (done.code, done.json["group"]) == (0, "set back too"), done.err
    assert done.json["partitions"] == foreseen.json["partitions"]
    assert pipeline.positions() == {0: 123, 1: ends[1], 2: 400}
    pipeline.check(caught_up=False)
    pipeline.verify()
    assert pipeline(*words, "--yes").json["partitions"] == {}
    loaded = pipeline("load")
    assert loaded.json["consumed"] == ends[0] - 123 + ends[2] - 400
    assert pipeline.check() == story.expected
    assert pipeline.rows(rows) == before
    verdict = pipeline("verify", "--deep")
    assert verdict.code == 0, verdict.out
    assert pipeline("rewind", "--to-earliest", "--yes").code == 0
    assert pipeline.rows("SELECT count(*) AS n FROM orders") == [{"n": 0}]
    pipeline.check(caught_up=False)
    assert pipeline("load").code == 0
    assert pipeline.check() == story.expected


def test_places_that_cannot_be_gone_back_to_are_refused(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """One line each: below the log's start, ahead of us, no such partition; nothing changes."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1, config=KEPT), "duckdb")
    base = 1_772_000_000_000
    messages = [Message(order(n), partition=0, timestamp=base + 1_000 * n) for n in range(100)]
    topics.produce(kafka, pipeline.topic, messages)
    assert pipeline("load").code == 0
    topics.delete_records(kafka, pipeline.topic, {0: 30})
    for place, code, message in (
        ("0:29", 1, "the log begins at 30"),
        ("0:101", 1, "the next offset to load is 100"),
        ("4:0", 1, "nothing was loaded from this partition"),
        ("0", 2, "is not partition:offset"),
    ):
        refused = pipeline("rewind", "--to-offset", place, "--yes")
        assert (refused.code, message in refused.json["error"]["message"]) == (code, True), refused.out
    assert pipeline("rewind", "--yes").code == 2
    assert pipeline("rewind", "--to-earliest", "--to-offset", "0:40", "--yes").code == 2
    assert pipeline.positions() == {0: 100}
    when = pipeline("rewind", "--to-datetime", "2026-02-25T06:14:10", "--dry-run").json["partitions"]
    assert when["0"]["place"] == 50
    earliest = pipeline("rewind", "--to-earliest", "--yes").json["partitions"]["0"]
    assert (earliest["place"], earliest["rows"]) == (30, 70)
    assert pipeline("load").json["loaded"] == 70
    pipeline.verify()


@pytest.mark.parametrize("assign", ["all", "group"])
def test_a_running_worker_follows_a_rewind(kafka: str, topic: MakeTopic, cli: Cli, assign: str) -> None:
    """Beside a rewind the worker is the zombie: it drops what it has and reads again, busy or idle."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), client=SHORT_SESSION)
    story = tell(4_000, seed=32, partitions=2)
    topics.produce(kafka, pipeline.topic, story.messages)
    small = ("--set", "batch.records=200", "--set", "batch.wait=100ms", "--set", f"kafka.assign={assign}")
    running = pipeline.start("run", *small)
    until(lambda: committed(running) >= 2, "the load is under way")
    busy = pipeline("rewind", "--to-offset", "0:50", "--to-offset", "1:50", "--yes")
    assert busy.code == 0, busy.err
    until(lambda: pipeline.behind() == 0, "the worker has caught up again")
    idle = pipeline("rewind", "--to-offset", "1:1000", "--yes")
    assert idle.code == 0, idle.err
    until(lambda: "was rewound to 1000" in running.err, "the idle worker notices")
    until(lambda: pipeline.behind() == 0, "and reads again")
    assert running.terminate().code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()
