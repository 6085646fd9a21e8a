"""`--new-topic` with the real command line on a real broker: topics created anew, and another cluster."""

from __future__ import annotations

import shlex
import signal

import pytest

from tests.conftest import MakeKafka, MakeTopic
from tests.oracle import Record, of_generation, read_topic
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline, Story, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli, Result

ADDRESS = ("listeners", "advertised.listeners", "controller.quorum.voters")
PLACES = ("mid_change", "before_commit", "after_commit")


def made_again(pipeline: Pipeline, story: Story, partitions: int) -> list[Record]:
    """Replace the topic by another one with this story; the records of the old one."""
    old = read_topic(pipeline.bootstrap, pipeline.topic)
    topics.recreate(pipeline.bootstrap, pipeline.topic, partitions)
    topics.produce(pipeline.bootstrap, pipeline.topic, story.messages)
    return old


def hinted(refused: Result) -> list[str]:
    """The command that a refusal of another topic hints at."""
    error = refused.json["error"]
    assert (refused.code, error["kind"]) == (1, "topic_replaced"), refused.out
    program, *words = shlex.split(error["hint"])
    assert (program, words[0], words[1]) == ("loader", "load", "--new-topic")
    return words


def proved(pipeline: Pipeline, old: list[Record], first: Story, second: Story) -> None:
    """Both topics are in the warehouse exactly, by the judge and by `verify --deep`."""
    new = of_generation(read_topic(pipeline.bootstrap, pipeline.topic), 1)
    counts = pipeline.check([*old, *new])
    assert counts == tuple(a + b for a, b in zip(first.expected, second.expected, strict=True))
    verdict = pipeline("verify", "--deep")
    assert verdict.code == 0, verdict.out
    checks = {check["name"]: check["detail"] for check in verdict.json["checks"]}
    assert "2 topics, one after the other" in checks["chain"]
    assert f"{len(old):,} records of 1 former topics cannot be read again" in checks["deep"]


@pytest.mark.fault(33)
@pytest.mark.parametrize("kind", KINDS)
def test_made_again_with_fewer_records(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """Refused by every verb; the hinted command takes it over: earlier rows stay, the new log is read."""
    pipeline = Pipeline(cli, kafka, topic(partitions=3), kind)
    first, second = tell(600, seed=71), tell(200, seed=72, partitions=2, first=5_000)
    topics.produce(kafka, pipeline.topic, first.messages)
    assert pipeline("load").code == 0
    before = pipeline.positions()
    old = made_again(pipeline, second, partitions=2)
    hinted(pipeline("plan"))
    refused = pipeline("run")
    words = hinted(refused)
    assert f"loaded up to [0]@{before[0]}" in refused.json["error"]["message"]
    assert pipeline("load", "--new-topic", "other").json["error"]["hint"] == shlex.join(["loader", *words])
    loaded = pipeline(*words)
    assert (loaded.code, loaded.json["consumed"]) == (0, len(second.messages)), loaded.err
    assert f"[0]@{before[0]}" in loaded.err, "what was left unread is said"
    proved(pipeline, old, first, second)
    status = pipeline("status").json
    assert [entry["generation"] for entry in status["topics"]] == [0, 1]
    assert (status["state"], len(status["partitions"])) == ("idle", 2)
    traced = pipeline("trace", "ORD0000001", "--message").json["rows"][0]
    assert (traced["generation"], traced["message"]) == (0, None)
    assert "its topic was deleted" in traced["message_missing"]
    found = pipeline("quarantine", "list", "--json").json["entries"]
    assert {entry["generation"] for entry in found} == {0, 1}


@pytest.mark.fault(34)
def test_made_again_with_more_records_while_it_runs(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """The stream stops with the command to type; `run` with that flag goes on, and ends well."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2), client=SHORT_SESSION)
    first, second = tell(400, seed=73, partitions=2), tell(2_000, seed=74, partitions=2, first=7_000)
    topics.produce(kafka, pipeline.topic, first.messages)
    running = pipeline.start("run", "--set", "batch.wait=200ms")
    until(lambda: committed(running) and pipeline.behind() == 0, "the old topic is loaded")
    old = made_again(pipeline, second, partitions=2)
    stopped = running.wait()
    assert (stopped.code, stopped.json["error"]["kind"] in {"topic_replaced", "topic_missing"}) == (1, True)
    _, *flag = hinted(pipeline("load"))
    running = pipeline.start("run", *flag, "--set", "batch.wait=200ms")
    until(lambda: committed(running) and pipeline.behind() == 0, "the new topic is loaded")
    until(lambda: pipeline.acknowledged() == pipeline.positions(), "Kafka knows")
    assert running.terminate().code == 0
    proved(pipeline, old, first, second)


@pytest.mark.fault(36)
def test_another_cluster_behind_the_same_address(own_kafka: MakeKafka, cli: Cli) -> None:
    """Refused by the cluster's id, though the records are the same; taken over by the topic's new id."""
    before = own_kafka()
    story = tell(300, seed=75, partitions=1, duplicates=0, conflicts=0)
    topics.create(before.bootstrap, "orders", 1)
    topics.produce(before.bootstrap, "orders", story.messages)
    pipeline = Pipeline(cli, before.bootstrap, "orders")
    assert pipeline("load").code == 0
    old = read_topic(before.bootstrap, "orders")
    before.kill()
    own_kafka({key: before.properties[key] for key in ADDRESS})
    topics.create(before.bootstrap, "orders", 1)
    topics.produce(before.bootstrap, "orders", story.messages)
    refused = pipeline("load")
    assert "its cluster id is" in refused.json["error"]["message"]
    loaded = pipeline(*hinted(refused))
    assert (loaded.code, loaded.json["duplicates"]) == (0, 300), loaded.err
    new = of_generation(read_topic(before.bootstrap, "orders"), 1)
    assert pipeline.check([*old, *new])[:2] == (300, 300)
    pipeline.verify()


@pytest.mark.fault(1)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_it_takes_the_topic_over(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """SIGKILL at each place of that transaction: all of it or nothing, and the same command goes on."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), kind)
    first, second = tell(100, seed=76, partitions=1), tell(100, seed=77, partitions=1, first=2_000)
    topics.produce(kafka, pipeline.topic, first.messages)
    assert pipeline("load").code == 0
    old = made_again(pipeline, second, partitions=1)
    words = hinted(pipeline("load"))
    for place in PLACES:
        killed = pipeline(*words, env={"LOADER_FAIL": f"{place}:kill"})
        assert killed.code == -signal.SIGKILL, killed.err
        known = len(pipeline.rows("SELECT * FROM loader.topics"))
        assert known == (2 if place == "after_commit" else 1)
    assert pipeline(*words).code == 0
    proved(pipeline, old, first, second)
