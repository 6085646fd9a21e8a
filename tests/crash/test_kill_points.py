"""Whatever place of a batch the process ends at: nothing is lost, nothing is doubled, nothing invented.

Each test ends the loader at a named place (`loader/failpoints.py`), by SIGKILL or by an exception,
in the middle of a topic with duplicates, conflicts and poison; then `loader load` goes on.
"""

from __future__ import annotations

import signal
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from loader.failpoints import PLACES
from tests.oracle import Record, read_topic
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline, Story, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli, Running

SMALL_BATCHES = ("--set", "batch.records=500")  # 5,096 records come in three batches at least
ONE_IN_MEMORY = ("--set", "batch.records=2600", "--set", "batch.wait=60s")  # one committed, one waiting

BESIDE_A_COMMIT = ("after_consume", "after_parse")
"""Places that the next batch passes while one commits."""

HITS = {"in_assign": 1, "in_revoke": 1, "mid_insert": 5, **dict.fromkeys(BESIDE_A_COMMIT, 3)}
"""Which hit of a place comes when part of the data is committed, where it is not the second one."""

COMMITTED = ("after_commit", "before_acknowledge", "after_acknowledge")
"""Places where the batch is in the warehouse already."""

ON_THE_WAY = [place for place in PLACES if place not in ("in_assign", "in_revoke")]


@dataclass(frozen=True)
class Full:
    """A topic that every test of a session reads, what it holds, and what has to become of it."""

    bootstrap: str
    name: str
    story: Story
    records: list[Record]


@pytest.fixture(scope="module")
def full(kafka: str) -> Full:
    """One topic for all: the tests only read it, each with a pipeline and a group of its own."""
    name, story = f"kill-points-{uuid.uuid4().hex[:8]}", tell(4_900, seed=3)
    topics.create(kafka, name, 3)
    topics.produce(kafka, name, story.messages)
    return Full(kafka, name, story, read_topic(kafka, name))


@pytest.fixture(params=KINDS)
def pipeline(full: Full, cli: Cli, request: pytest.FixtureRequest) -> Pipeline:
    """A pipeline that has loaded nothing yet."""
    name = f"p{uuid.uuid4().hex[:8]}"
    return Pipeline(cli, full.bootstrap, full.name, request.param, name, client=SHORT_SESSION)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a fail point says that it was hit."""
    return tmp_path / "hits"


def fail(place: str, action: str, log: Path, hit: int | None = None) -> dict[str, str]:
    """The environment that ends the loader at a place, after a commit if nothing else is said."""
    number = hit or HITS.get(place, 2)
    return {"LOADER_FAIL": f"{place}:{action}:{number}", "LOADER_FAIL_LOG": str(log)}


@pytest.mark.parametrize("place", ON_THE_WAY)
@pytest.mark.fault(1, 3, 5)
def test_ended_on_the_way(full: Full, pipeline: Pipeline, log: Path, place: str) -> None:
    """SIGKILL after a commit, then an error in the first batch of the recovery: all is exact.

    What was committed before is there, the batch under way is there whole or not at all.
    """
    killed = pipeline("load", *SMALL_BATCHES, env=fail(place, "kill", log))
    assert killed.code == -signal.SIGKILL, killed.err
    before = pipeline.batches()
    assert before in ((1, 2) if place in BESIDE_A_COMMIT else (1 + (place in COMMITTED),))
    pipeline.check(full.records, caught_up=False)

    failed = pipeline("load", *SMALL_BATCHES, env=fail(place, "raise", log, hit=1))
    assert failed.code == 70, failed.err
    assert failed.json["error"]["kind"] == "internal"
    assert place in failed.json["error"]["message"]
    assert "Traceback" in Path(failed.json["error"]["address"]).read_text()
    assert pipeline.batches() == before + (place in COMMITTED)

    assert log.read_text() == f"{place}\n" * 2
    goes_on(full, pipeline)
    pipeline.verify()


@pytest.mark.parametrize(("action", "code"), [("kill", -signal.SIGKILL), ("raise", 70)])
@pytest.mark.fault(1, 5, 40)
def test_ended_while_it_begins(full: Full, pipeline: Pipeline, log: Path, action: str, code: int) -> None:
    """Ended between the first offsets and the first record, at the first start and at a later one."""
    at_first = pipeline("load", env=fail("in_assign", action, log))
    assert at_first.code == code
    assert pipeline.positions() == {0: 0, 1: 0, 2: 0}
    assert pipeline("load", "--max-records", 500).code == 0
    assert pipeline.batches() == 1
    assert pipeline("load", env=fail("in_assign", action, log)).code == code
    assert log.read_text() == "in_assign\n" * 2
    goes_on(full, pipeline)


@pytest.mark.fault(1, 11)
def test_killed_while_partitions_are_taken_away(full: Full, pipeline: Pipeline, log: Path) -> None:
    """SIGKILL in the rebalance callback, with a batch in memory: the next owner begins where we were."""
    running = pipeline.start("run", *ONE_IN_MEMORY, env=fail("in_revoke", "kill", log))
    with joining(full, pipeline, running) as newcomer:
        until(lambda: newcomer.consume(1, 0.1) is not None and running.process.poll() is not None, "killed")
    assert running.wait().code == -signal.SIGKILL
    assert log.read_text() == "in_revoke\n"
    assert pipeline.batches() == 1
    pipeline.check(full.records, caught_up=False)
    goes_on(full, pipeline)
    pipeline.verify()


@pytest.mark.fault(5, 11)
def test_an_exception_while_partitions_are_taken_away(full: Full, pipeline: Pipeline, log: Path) -> None:
    """An error in the rebalance callback is survived: the worker begins again from the warehouse."""
    running = pipeline.start("run", *ONE_IN_MEMORY, env=fail("in_revoke", "raise", log))
    with joining(full, pipeline, running) as newcomer:
        until(lambda: newcomer.consume(1, 0.1) is not None and "beginning again" in running.err, "restarted")
    assert running.terminate().code == 0
    assert log.read_text() == "in_revoke\n"
    goes_on(full, pipeline)


class joining:  # noqa: N801 - reads as a sentence
    """A plain consumer that joins the loader's group as soon as part of the topic is committed."""

    def __init__(self, full: Full, pipeline: Pipeline, running: Running) -> None:
        until(lambda: committed(running) == 1, "a batch is committed and another one waits")
        settings = {
            "bootstrap.servers": full.bootstrap,
            "group.id": pipeline.group,
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
        }
        self._consumer = Consumer(settings)
        self._consumer.subscribe([full.name])

    def __enter__(self) -> Consumer:
        """The consumer: it joins while it is asked for messages."""
        return self._consumer

    def __exit__(self, *_: object) -> None:
        """Leave the group."""
        self._consumer.close()


def goes_on(full: Full, pipeline: Pipeline) -> None:
    """The next `load` ends with every record in its place, by the oracle."""
    result = pipeline("load", *SMALL_BATCHES)
    assert result.code == 0, result.err
    assert result.json["outcome"] == "caught_up"
    assert pipeline.check(full.records) == full.story.expected
