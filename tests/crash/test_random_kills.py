"""`kill -9` at random moments of a load ends with exact counts (the big run: `random_kills.py`)."""

from __future__ import annotations

import pytest
from tests.crash.random_kills import random_kills

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, SHORT_SESSION, Pipeline, tell
from tests.servers import topics
from tests.servers.command import Cli

KILLS = 5
RECORDS = 40_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(1, 3)
def test_random_kills_leave_exact_counts(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """Killed five times while it streams, the loader ends with every record in its place, once."""
    story = tell(RECORDS, seed=11, partitions=4)
    name = topic(partitions=4)
    topics.produce(kafka, name, story.messages)
    verdict = random_kills(Pipeline(cli, kafka, name, kind, client=SHORT_SESSION), story, KILLS, seed=11)
    assert verdict.kills_under_way >= KILLS - 2, verdict
    assert verdict.ok, verdict
