"""Consumer groups as every Kafka user knows them: shared work, take-over, zombies, and independence."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from tests.conftest import MakeTopic
from tests.pipelines import SHORT_SESSION, Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli, Running
from tests.servers.kafka import KafkaServer

QUICK = ("--set", "batch.wait=200ms", "--set", "batch.records=500")
PART = 2_000  # unique orders that are produced at once

PROTOCOLS: Mapping[str, Mapping[str, str]] = {
    "cooperative": SHORT_SESSION,
    "consumer": {"group.protocol": "consumer"},  # KIP-848: the broker decides about sessions
}


@pytest.fixture(scope="module")
def quick_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that throws silent members of both kinds of groups out after 1.5 s."""
    settings = {"group.consumer.session.timeout.ms": "1500", "group.consumer.heartbeat.interval.ms": "300"}
    with KafkaServer(tmp_path_factory.mktemp("kafka"), settings=settings) as server:
        yield server


@dataclass
class Team:
    """Workers of one group on one lake; the topic has four partitions."""

    pipeline: Pipeline
    workers: list[Running] = field(default_factory=list)
    parts: int = 0

    def joined_by(self, fail: str = "", log: Path | None = None) -> Running:
        """Start a worker and wait until the group shares the partitions with it."""
        env = {"LOADER_FAIL": fail, "LOADER_FAIL_LOG": str(log)} if fail else {}
        self.workers.append(self.pipeline.start("run", *QUICK, env=env))
        until(lambda: self.shares() == _fair(len(self.workers)), "each worker has its share")
        return self.workers[-1]

    def shares(self) -> list[int]:
        """How many partitions each member of the group has, by Kafka; empty while it does not know."""
        admin = AdminClient({"bootstrap.servers": self.pipeline.bootstrap})
        group = self.pipeline.group
        try:
            members = admin.describe_consumer_groups([group])[group].result(20).members
        except KafkaException:  # the first group of a young broker has no coordinator for a moment
            return []
        return sorted(len(member.assignment.topic_partitions) for member in members)

    def sends(self) -> None:
        """Produce new orders with faults; twins of one id stand in different partitions."""
        story = tell(PART, seed=1, partitions=4, duplicates=0.2, conflicts=0.02, first=self.parts * PART)
        topics.produce(self.pipeline.bootstrap, self.pipeline.topic, story.messages)
        self.parts += 1

    def loads_all(self) -> None:
        """Wait until the lake has everything."""
        until(lambda: self.pipeline.behind() == 0, "all is loaded")

    def disturbed(self, before: Mapping[int, int]) -> bool:
        """Whether a stranger who joined the group for a moment has made a worker commit something."""
        settings = {"bootstrap.servers": self.pipeline.bootstrap, "group.id": self.pipeline.group}
        settings |= SHORT_SESSION | {"partition.assignment.strategy": "cooperative-sticky"}
        with closing(Consumer(settings)) as stranger:  # it acknowledges nothing
            stranger.subscribe([self.pipeline.topic])
            until(lambda: stranger.poll(0.05) or stranger.assignment(), "the stranger has a share")
        return self.pipeline.positions() != before

    def stops(self, *workers: Running) -> None:
        """End workers in good order, and judge what they have made."""
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            result = worker.wait()
            assert result.code == 0, result.err
        expected = (self.parts * PART, self.parts * PART // 5, self.parts * PART * 3 // 100, 0)
        assert self.pipeline.check() == expected
        self.pipeline.verify()


def _fair(workers: int) -> list[int]:
    """How four partitions are shared, as `Team.shares` gives it."""
    return sorted(len(range(number, 4, workers)) for number in range(workers))


@pytest.fixture(params=PROTOCOLS)
def team(request: pytest.FixtureRequest, quick_kafka: KafkaServer, cli: Cli) -> Team:
    """A group without workers yet, classic cooperative or KIP-848."""
    topic = f"team-{uuid.uuid4().hex[:8]}"
    topics.create(quick_kafka.bootstrap, topic, 4)
    return Team(Pipeline(cli, quick_kafka.bootstrap, topic, client=dict(PROTOCOLS[request.param])))


@pytest.mark.fault(8, 11, 13, 20, 44)
def test_three_workers_share_a_lake(team: Team) -> None:
    """Three `loader run` of one group share the partitions, all commit, and no twin is loaded twice.

    Two join while the first is in the middle of a load; the first and one of them leave again.
    """
    first = team.joined_by()
    team.sends()
    until(lambda: committed(first), "the first is at work")
    second, third = team.joined_by(), team.joined_by()
    team.sends()
    until(lambda: committed(second) and committed(third), "the others are at work")
    team.loads_all()
    workers = {row["worker"] for row in team.pipeline.rows("SELECT DISTINCT worker FROM loader.batches")}
    processes = {str(worker.pid) for worker in (first, second, third)}
    assert {worker.rpartition(":")[2] for worker in workers} == processes
    for leaving in (first, second):
        assert leaving.terminate().code == 0
    team.sends()
    team.loads_all()
    team.stops(third)


@pytest.mark.fault(12)
@pytest.mark.parametrize("team", ["cooperative"], indirect=True)
def test_rebalances_that_come_faster_than_batches_make_progress(team: Team) -> None:
    """Where nothing but a rebalance makes a batch due, each of them commits what was read until then."""
    worker = team.pipeline.start("run", "--set", "batch.wait=1h", "--set", "batch.records=1_000_000")
    until(lambda: team.shares() == [4], "the worker is a member")
    for _ in range(3):
        before = team.pipeline.positions()
        team.sends()
        until(lambda before=before: team.disturbed(before), "a rebalance has let go of a batch")
    team.stops(worker)


@pytest.mark.fault(17)
@pytest.mark.parametrize("team", ["cooperative"], indirect=True)
def test_a_static_member_that_was_killed_goes_on_at_once(team: Team) -> None:
    """With `group.instance.id` a restart gets the same partitions, long before the old session ends."""
    static = ('kafka.client."group.instance.id"=one', 'kafka.client."session.timeout.ms"=60000')
    words = ("run", *QUICK, *(word for each in static for word in ("--set", each)))
    killed = team.pipeline.start(*words)
    team.sends()
    until(lambda: committed(killed), "it is at work")
    killed.kill()
    team.sends()
    again = team.pipeline.start(*words)
    until(lambda: team.pipeline.behind() == 0, "all is loaded", timeout=45.0)
    team.stops(again)


@pytest.mark.fault(1, 20)
def test_a_killed_workers_partitions_are_taken_over(team: Team) -> None:
    """After `kill -9` of one worker in the middle of a load the other one finishes it."""
    victim, heir = team.joined_by(), team.joined_by()
    team.sends()
    until(lambda: committed(victim), "the victim is at work")
    victim.kill()
    team.sends()
    team.loads_all()
    team.stops(heir)


@pytest.mark.parametrize(
    ("team", "place"),
    [
        ("cooperative", "after_write"),
        ("cooperative", "before_commit"),  # with the writers' lock
        ("consumer", "after_write"),
        ("consumer", "before_acknowledge"),
    ],
    indirect=["team"],
)
@pytest.mark.fault(14, 15, 18)
def test_a_zombie_changes_nothing(team: Team, tmp_path: Path, place: str) -> None:
    """A worker frozen past its session, before, in or after a transaction, wakes up to a moved world.

    Its partitions were taken over and loaded meanwhile; what it still wants to commit is refused, and it
    begins again as a member like any other. What it still acknowledges does not set the group back.
    """
    zombie, heir = team.joined_by(f"{place}:stop:2", tmp_path / "hits"), team.joined_by()
    team.sends()
    frozen = (tmp_path / "hits").exists
    until(lambda: committed(zombie) or frozen(), "it is at work")  # one batch may take all of its share
    team.sends()
    until(frozen, "the worker is frozen")
    until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_STOPPED, "the worker is frozen")
    until(lambda: team.shares() == [4], "the other one has all partitions")
    team.sends()
    team.loads_all()
    done = team.pipeline.positions()
    zombie.process.send_signal(signal.SIGCONT)
    until(lambda: team.shares() == [2, 2], "the zombie has joined again")
    assert team.pipeline.positions() == done
    until(lambda: team.pipeline.acknowledged() == done, "the group stands where the warehouse does")
    team.sends()
    team.loads_all()
    team.stops(zombie, heir)


def test_different_groups_each_get_every_event(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Two pipelines with warehouses of their own, on one topic at the same time: each has it all."""
    story, name = tell(1_000, seed=4), topic(partitions=3)
    pipelines = [
        Pipeline(cli, kafka, name, kind, pipeline, client=SHORT_SESSION)
        for kind, pipeline in (("ducklake", "finance"), ("duckdb", "fraud"))
    ]
    running = [pipeline.start("run", *QUICK) for pipeline in pipelines]
    topics.produce(kafka, name, story.messages)
    ends = {partition: end for partition, (_, end) in topics.ends(kafka, name).items()}
    for pipeline, process in zip(pipelines, running, strict=True):
        until(lambda pipeline=pipeline: pipeline.acknowledged() == ends, "all is loaded and acknowledged")
        assert process.terminate().code == 0
        assert pipeline.check() == story.expected
