"""`load` and `run` as a user or a scheduler runs them: outcomes, signals, limits, outages, exit codes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.conftest import MakeKafka, MakeTopic
from tests.oracle import read_topic
from tests.pipelines import (
    KINDS,
    SHORT_SESSION,
    Pipeline,
    Story,
    committed,
    files_of,
    order,
    tell,
    until,
)
from tests.servers import topics
from tests.servers.command import Cli, Running
from tests.servers.kafka import free_ports
from tests.servers.topics import Message

SMALL_BATCHES = ("--set", "batch.records=1000")
MANY = 20_000  # with small batches enough for seconds


@pytest.fixture
def pipeline(kafka: str, topic: MakeTopic, cli: Cli) -> Pipeline:
    """A pipeline from an empty topic into a lake."""
    return Pipeline(cli, kafka, topic(partitions=3), client=SHORT_SESSION)


def send(pipeline: Pipeline, story: Story) -> None:
    """Produce a story to the pipeline's topic."""
    topics.produce(pipeline.bootstrap, pipeline.topic, story.messages)


# what it does


@pytest.mark.parametrize("kind", KINDS)
def test_load_catches_up_and_then_finds_nothing_new(
    kafka: str, topic: MakeTopic, cli: Cli, kind: str
) -> None:
    """Everything is loaded once, the next load commits nothing, and a later one only what is new."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=3), kind), tell(1_000, seed=1)
    send(pipeline, story)
    first = pipeline("load")
    assert first.code == 0, first.err
    assert first.json["outcome"] == "caught_up"
    names = ("loaded", "duplicates", "quarantined", "skipped")
    assert tuple(first.json[name] for name in names) == pipeline.check() == story.expected
    assert first.json["consumed"] == len(story.messages)
    spans = {int(partition): span["end"] for partition, span in first.json["partitions"].items()}
    assert spans == pipeline.positions()
    took, amounts = first.json["phases"], first.json["bytes"]
    assert set(took) == {"read", "parse", "split", "write", "commit"}
    assert 0 < sum(took.values()) < 3 * first.json["seconds"]
    assert (
        amounts["read"] > amounts["parse"] > sum(len(message.value or b"") for message in story.messages) / 2
    )
    again = pipeline("load")
    assert (again.code, again.json["outcome"], again.json["batches"]) == (0, "caught_up", 0)
    assert again.json["consumed"] == 0
    send(pipeline, tell(100, seed=2, first=50_000, duplicates=0, conflicts=0, poison=0))
    assert pipeline("load").json["loaded"] == 100
    assert pipeline.check().loaded == 1_100
    pipeline.verify()


def test_an_empty_topic_is_caught_up(pipeline: Pipeline) -> None:
    """Nothing to load is success, and the first offsets are on record."""
    result = pipeline("load")
    assert (result.code, result.json["outcome"], result.json["batches"]) == (0, "caught_up", 0)
    assert pipeline.positions() == {0: 0, 1: 0, 2: 0}


def test_load_ends_at_the_ends_of_its_start(pipeline: Pipeline) -> None:
    """A topic that keeps growing does not hold a load: it ends at what was there when it began."""
    send(pipeline, tell(MANY, seed=1))
    running = pipeline.start("load", *SMALL_BATCHES)
    until(lambda: committed(running), "a first batch")
    send(pipeline, tell(500, seed=2, first=MANY))
    result = running.wait()
    assert (result.code, result.json["outcome"]) == (0, "caught_up")
    assert pipeline.behind() == len(tell(500, seed=2).messages)


def test_max_records_ends_exactly_there(pipeline: Pipeline) -> None:
    """--max-records consumes so many and no more; what follows comes with the next load."""
    story = tell(3_000, seed=3)
    send(pipeline, story)
    first = pipeline("load", "--max-records", 1234)
    assert (first.code, first.json["outcome"], first.json["consumed"]) == (0, "limit_reached", 1234)
    pipeline.check(caught_up=False)
    assert pipeline("load").json["consumed"] == len(story.messages) - 1234
    assert pipeline.check() == story.expected


def test_max_seconds_ends_the_load(pipeline: Pipeline) -> None:
    """--max-seconds ends a load with what it has; the next one goes on."""
    story = tell(1_000, seed=4)
    send(pipeline, story)
    result = pipeline("load", "--max-seconds", 0)
    assert (result.code, result.json["outcome"]) == (0, "limit_reached")
    pipeline("load")
    assert pipeline.check() == story.expected


# signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.fault(4)
def test_a_signal_ends_a_load_between_batches(pipeline: Pipeline, number: int, code: int) -> None:
    """Interrupted before the work is complete: 143 or 130, one JSON line, and everything is exact."""
    story = tell(MANY, seed=5)
    send(pipeline, story)
    records = read_topic(pipeline.bootstrap, pipeline.topic)
    running = pipeline.start("load", *SMALL_BATCHES)
    until(lambda: committed(running) >= 2, "some batches")
    running.process.send_signal(number)
    result = running.wait()
    assert (result.code, result.json["outcome"]) == (code, "stopped")
    assert 0 < result.json["consumed"] < len(story.messages)
    pipeline.check(records, caught_up=False)
    assert pipeline.behind() == len(story.messages) - result.json["consumed"]
    assert pipeline("load").code == 0
    assert pipeline.check(records) == story.expected


@pytest.mark.parametrize("stop", ["500ms", "0s"])
@pytest.mark.fault(4)
def test_a_batch_that_takes_too_long_is_discarded(pipeline: Pipeline, tmp_path: Path, stop: str) -> None:
    """After limits.stop the process ends without the batch; the warehouse is as it was before it."""
    send(pipeline, tell(1_000, seed=6))
    running = asleep_before_commit(pipeline, tmp_path, "--set", f"limits.stop={stop}")
    running.process.terminate()
    assert running.wait(timeout=4).code == 143
    assert pipeline.batches() == 0
    pipeline("load")
    assert pipeline.check().loaded == 1_000


@pytest.mark.fault(4)
def test_a_second_signal_ends_at_once(pipeline: Pipeline, tmp_path: Path) -> None:
    """Who asks twice does not wait for the batch."""
    send(pipeline, tell(1_000, seed=7))
    running = asleep_before_commit(pipeline, tmp_path)
    running.process.terminate()
    running.process.send_signal(signal.SIGINT)
    assert running.wait(timeout=4).code in (130, 143)
    assert pipeline.batches() == 0


def asleep_before_commit(pipeline: Pipeline, folder: Path, *words: str) -> Running:
    """A load that sleeps for 5 s within its transaction."""
    hits = folder / "hits"
    running = pipeline.start(
        "load", *words, env={"LOADER_FAIL": "before_commit:sleep", "LOADER_FAIL_LOG": str(hits)}
    )
    until(hits.exists, "it sleeps")
    return running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.fault(4)
def test_a_signal_ends_a_run_in_good_order(pipeline: Pipeline, number: int) -> None:
    """A stream that is asked to stop commits what it has read, prints its result and exits 0."""
    story = tell(2_000, seed=8)
    send(pipeline, story)
    running = pipeline.start("run", "--set", "batch.records=1500", "--set", "batch.wait=60s")
    until(lambda: committed(running), "a first batch; the rest waits in memory for more")
    running.process.send_signal(number)
    result = running.wait()
    assert (result.code, result.json["outcome"]) == (0, "stopped")
    assert result.json["consumed"] == sum(pipeline.positions().values())
    pipeline.check(caught_up=False)


def test_a_run_goes_on_where_a_load_ended(pipeline: Pipeline) -> None:
    """`load` and `run` of one pipeline hand over to each other; Kafka's group is told."""
    send(pipeline, tell(1_000, seed=9))
    assert pipeline("load").code == 0
    assert pipeline.acknowledged() == pipeline.positions()
    running = pipeline.start("run", "--set", "batch.wait=200ms")
    send(pipeline, tell(1_000, seed=10, first=1_000))
    until(lambda: pipeline.behind() == 0, "the stream has caught up")
    assert running.terminate().code == 0
    assert pipeline.check().loaded == 2_000
    assert pipeline.acknowledged() == pipeline.positions()


# outages


def test_a_missing_topic_is_for_a_person_and_stays_missing(kafka: str, cli: Cli) -> None:
    """A topic that does not exist is exit 1, and is not created by looking for it."""
    for verb in ("load", "run"):
        pipeline = Pipeline(cli, kafka, f"nobody-made-this-{verb}", name=verb)
        result = pipeline(verb)
        assert (result.code, result.json["error"]["kind"]) == (1, "topic_missing")
        assert pipeline.topic in result.json["error"]["address"]
        assert pipeline.topic not in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics


def test_a_broker_that_is_away_is_temporary(cli: Cli) -> None:
    """Nobody listens there: exit 75 within limits.unreachable and a few seconds, for load and run."""
    pipeline = Pipeline(cli, f"127.0.0.1:{free_ports(1)[0]}", "orders")
    for verb in ("load", "run"):
        result = pipeline(verb, "--set", "limits.unreachable=1s", timeout=20)
        assert (result.code, result.json["error"]["kind"]) == (75, "broker_away"), result.err
        assert pipeline.bootstrap in result.json["error"]["address"]


@pytest.mark.fault(4)
def test_a_run_without_a_broker_can_be_stopped(cli: Cli) -> None:
    """SIGTERM while the broker is away is a stop like any other: exit 0 and a result."""
    pipeline = Pipeline(cli, f"127.0.0.1:{free_ports(1)[0]}", "orders")
    running = pipeline.start("run")
    until(lambda: "beginning again" in running.err, "it has noticed")
    result = running.terminate(timeout=15)
    assert (result.code, result.json["outcome"]) == (0, "stopped"), result.err


@pytest.mark.fault(22)
def test_a_broker_that_comes_back_is_no_failure(own_kafka: MakeKafka, cli: Cli) -> None:
    """A stream survives the death of its broker and goes on when it is back."""
    broker = own_kafka()
    topics.create(broker.bootstrap, "orders", 2)
    pipeline = Pipeline(cli, broker.bootstrap, "orders", client=SHORT_SESSION)
    send(pipeline, tell(1_000, seed=11, partitions=2))
    running = pipeline.start("run", "--set", "batch.wait=200ms")
    until(lambda: committed(running) and pipeline.behind() == 0, "the first half")
    broker.kill()
    broker.start()
    send(pipeline, tell(1_000, seed=12, partitions=2, first=1_000))
    until(lambda: pipeline.behind() == 0, "the second half")
    assert running.terminate().code == 0
    assert pipeline.check().loaded == 2_000


# what a person must decide


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_refused_stop_the_load_with_nothing_written(
    kafka: str, topic: MakeTopic, cli: Cli, kind: str
) -> None:
    """Over limits.quarantine: exit 1, no row, no offset; --accept-quarantine lets one run pass."""
    pipeline, story = (
        Pipeline(cli, kafka, topic(partitions=2), kind),
        tell(200, seed=13, partitions=2, poison=0.3),
    )
    send(pipeline, story)
    stopped = pipeline("load")
    assert (stopped.code, stopped.json["error"]["kind"]) == (1, "quarantine_limit")
    assert "--accept-quarantine" in stopped.json["error"]["hint"]
    assert pipeline.positions() == {0: 0, 1: 0}
    tables = ("orders", "loader.quarantine", "loader.duplicates", "loader.batches", "loader.spans")
    assert pipeline.rows(" UNION ALL ".join(f"SELECT '{table}' FROM {table}" for table in tables)) == []
    assert pipeline("load", "--accept-quarantine").code == 0
    assert pipeline.check() == story.expected


@pytest.mark.fault(33)
def test_a_topic_that_was_made_again_is_refused(pipeline: Pipeline) -> None:
    """Deleted and created again, with as many records: exit 1 says why, and nothing of it is loaded."""
    story = tell(500, seed=14)
    send(pipeline, story)
    assert pipeline("load").code == 0
    before = pipeline.positions()
    new_id = topics.recreate(pipeline.bootstrap, pipeline.topic, partitions=3)
    send(pipeline, story)
    for verb in ("load", "run"):
        result = pipeline(verb)
        assert (result.code, result.json["error"]["kind"]) == (1, "topic_replaced")
        assert new_id in result.json["error"]["message"]
    assert pipeline.positions() == before
    assert pipeline.batches() == 1


@pytest.mark.fault(34)
def test_a_topic_made_again_under_a_running_stream_is_refused(pipeline: Pipeline) -> None:
    """The same while a stream reads it: nothing of the new topic is committed."""
    send(pipeline, tell(500, seed=15))
    running = pipeline.start("run", "--set", "batch.wait=200ms")
    until(lambda: committed(running) and pipeline.behind() == 0, "the old topic is loaded")
    before = pipeline.positions()
    topics.recreate(pipeline.bootstrap, pipeline.topic, partitions=3)
    send(pipeline, tell(3_000, seed=16, first=90_000))
    result = running.wait()
    assert result.code == 1, result.err
    assert result.json["error"]["kind"] in ("topic_replaced", "topic_missing")
    assert pipeline.positions() == before


@pytest.mark.fault(31)
def test_lost_records_are_named(pipeline: Pipeline) -> None:
    """Retention has passed our offset: exit 1 with the exact range, and nothing is skipped."""
    send(pipeline, tell(600, seed=17))
    assert pipeline("load", "--max-records", 100).code == 0
    positions, ends = pipeline.positions(), topics.ends(pipeline.bootstrap, pipeline.topic)
    low = ends[1][1] - 5
    topics.delete_records(pipeline.bootstrap, pipeline.topic, {1: low})
    for verb in ("load", "run"):
        result = pipeline(verb)
        assert (result.code, result.json["error"]["kind"]) == (1, "offsets_lost")
        assert f"offsets {positions[1]} to {low}" in result.json["error"]["message"]
        assert f"{pipeline.topic}[1]@{positions[1]}" == result.json["error"]["address"]
    assert pipeline.positions() == positions


@pytest.mark.fault(56)
def test_a_new_warehouse_for_an_old_group_is_asked_for(pipeline: Pipeline) -> None:
    """A wrong path must not load everything again: exit 1, unless --new-warehouse says that it is meant.

    `plan` and `check --connect` know it before, and what is refused makes no warehouse.
    """
    send(pipeline, tell(300, seed=18))
    assert pipeline("load").code == 0
    elsewhere = ("--set", "warehouse.path=ducklake:sqlite:elsewhere/catalog.sqlite")
    checked = pipeline("check", "--connect", *elsewhere)
    assert checked.code == 1
    assert "the group has acknowledged offsets" in checked.json["checks"]["warehouse"]
    for verb in ("plan", "load"):
        refused = pipeline(verb, *elsewhere)
        assert (refused.code, refused.json["error"]["kind"]) == (1, "action_needed")
        assert "--new-warehouse" in refused.json["error"]["hint"]
    assert not (pipeline.folder / "elsewhere").exists()
    assert pipeline("plan", "--new-warehouse", *elsewhere).json["records"]["loaded"] == 300
    assert pipeline("load", "--new-warehouse", *elsewhere).json["loaded"] == 300


@pytest.mark.fault(1)
def test_a_catalogue_without_tables_is_no_warehouse_yet(pipeline: Pipeline) -> None:
    """A first load that died in its first moment leaves one: verbs say so, and the next load goes on."""
    story = tell(200, seed=23)
    send(pipeline, story)
    (pipeline.folder / "catalog.sqlite").touch()
    for verb in ("verify", "query"):
        refused = pipeline(verb, *(["SELECT 1"] if verb == "query" else []))
        assert (refused.code, refused.json["error"]["hint"]) == (1, "loader load"), refused.err
        assert "nothing has been loaded yet" in refused.err
    checked = pipeline("check", "--connect").json["checks"]
    assert checked["warehouse"].startswith("ok, new: it will be created as ")
    assert checked["table"] == "ok, new"
    assert pipeline("status").json["state"] == "new"
    assert pipeline("plan").json["records"]["loaded"] == story.expected.loaded
    assert pipeline("load").json["loaded"] == story.expected.loaded
    assert pipeline.check() == story.expected


def test_a_refused_first_load_makes_no_warehouse(kafka: str, cli: Cli) -> None:
    """A topic that is not there, a check that is none: exit 1 and 2, and the folder stays as it was."""
    pipeline = Pipeline(cli, kafka, "no-such-topic")
    assert pipeline("load").json["error"]["kind"] == "topic_missing"
    assert pipeline("load", "--set", "table.columns.amount.check=amount").code == 2
    assert [path.name for path in pipeline.folder.iterdir()] == ["loader.toml"]


# command line and configuration


def test_mistakes_are_exit_2_and_name_the_nearest(pipeline: Pipeline) -> None:
    """An unknown key, verb or option is refused before anything is touched, with the right name."""
    before = files_of(pipeline.folder)
    for words, nearest in (
        (("load", "--set", "batch.record=5"), "batch.records"),
        (("load", "--set", "kafka.tpic=x"), "kafka.topic"),
        (("load", "--max-record", "5"), "--max-records"),
        (("lod",), "load"),
    ):
        result = pipeline(*words)
        assert result.code == 2
        assert nearest in result.json["error"]["message"] + str(result.json["error"].get("mistakes", ""))
    assert files_of(pipeline.folder) == before


def test_json_is_one_line_whatever_happens(pipeline: Pipeline) -> None:
    """--json prints exactly one object on success and on failure; without it stdout is for people."""
    send(pipeline, tell(100, seed=19))
    success = pipeline("load").json
    assert set(success) >= {
        "command", "pipeline", "outcome", "batches", "consumed", "loaded", "duplicates", "quarantined",
        "skipped", "holes", "seconds", "records_per_second", "partitions",
    }  # fmt: skip
    failure = pipeline("load", "--set", "kafka.topic=other").json
    assert set(failure) == {"command", "outcome", "exit_code", "error"}
    assert (failure["outcome"], failure["command"], failure["exit_code"]) == ("error", "load", 1)
    assert set(failure["error"]) >= {"kind", "message", "address", "hint"}
    text = pipeline.cli("-c", pipeline.file, "load")
    assert text.code == 0
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text.out)


def test_options_win_over_environment_over_file(pipeline: Pipeline, topic: MakeTopic) -> None:
    """The file's topic yields to LOADER__KAFKA__TOPIC, and that to --set."""
    other, third = topic(partitions=1), topic(partitions=1)
    send(pipeline, tell(10, seed=20, duplicates=0, conflicts=0, poison=0))
    topics.produce(pipeline.bootstrap, other, [order(n) for n in range(20)])
    topics.produce(pipeline.bootstrap, third, [order(n) for n in range(30)])
    environment = {"LOADER__KAFKA__TOPIC": other, "LOADER__WAREHOUSE__PATH": "ducklake:sqlite:second.sqlite"}
    assert pipeline("load", env=environment).json["loaded"] == 20
    words = ("--set", f"kafka.topic={third}", "--set", "warehouse.path=third.duckdb", "--new-warehouse")
    assert pipeline("load", *words, env=environment).json["loaded"] == 30
    assert files_of(pipeline.folder) >= {"second.sqlite", "third.duckdb"}
    assert "catalog.sqlite" not in files_of(pipeline.folder)


def test_relative_paths_belong_to_the_configuration(pipeline: Pipeline, tmp_path: Path) -> None:
    """Whatever folder a scheduler works in, the warehouse is where the configuration is."""
    send(pipeline, tell(10, seed=21, poison=0))
    (tmp_path / "scheduler").mkdir()
    result = pipeline.cli("-c", pipeline.file, "load", cwd=tmp_path / "scheduler")
    assert result.code == 0
    assert files_of(tmp_path / "scheduler") == set()
    assert pipeline.check().loaded == 10


# a DuckDB file has one writer


@pytest.mark.fault(21)
def test_partitions_that_were_added_wait(pipeline: Pipeline) -> None:
    """`status` counts what stands in them before a load has seen them."""
    send(pipeline, tell(100, seed=24))
    assert pipeline("load").code == 0
    topics.add_partitions(pipeline.bootstrap, pipeline.topic, 4)
    new = [Message(order(9_000 + number), partition=3) for number in range(7)]
    topics.produce(pipeline.bootstrap, pipeline.topic, new)
    status = pipeline("status").json
    assert status["lag"] == 7
    assert [row["committed"] for row in status["partitions"] if row["partition"] == 3] == [0]
    assert pipeline("load").json["loaded"] == 7
    assert pipeline("status").json["lag"] == 0


@pytest.mark.fault(8, 50)
def test_a_file_in_use_is_busy_and_its_copy_answers(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """A second writer exits 75 and names the first; readers get the published copy and its age."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), "duckdb", client=SHORT_SESSION)
    publish = ("--set", "warehouse.publish=published.duckdb", "--set", "warehouse.publish_every=200ms")
    send(pipeline, tell(500, seed=22, partitions=2))
    running = pipeline.start("run", "--set", "batch.wait=200ms", *publish)
    until(lambda: committed(running), "the file is in use")
    until((pipeline.folder / "published.duckdb").exists, "a copy is published")
    for verb in ("load", "verify", "status"):
        busy = pipeline(verb)
        assert (busy.code, busy.json["error"]["kind"]) == (75, "warehouse_busy"), busy.out
        assert str(running.pid) in busy.json["error"]["message"]
    until(lambda: copied(pipeline, publish) == 500, "the copy has everything")
    status = pipeline("status", *publish).json
    assert status["published_age_s"] >= 0
    assert status["totals"]["loaded"] == 500
    verified = pipeline("verify", *publish)
    assert (verified.json["ok"], "from the published copy, " in verified.err) == (True, True)
    assert "from the published copy, " in pipeline("quarantine", "list", *publish).err
    assert running.terminate().code == 0
    assert pipeline.check().loaded == 500
    assert pipeline("status", *publish).json["published_age_s"] is None


def copied(pipeline: Pipeline, publish: tuple[str, ...]) -> int:
    """How many rows a query finds while the writer runs."""
    found = pipeline("query", "SELECT count(*) AS n FROM orders", *publish)
    return int(found.json["rows"][0]["n"]) if found.code == 0 else 0
