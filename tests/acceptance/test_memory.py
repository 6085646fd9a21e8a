"""Memory is bounded, whatever the topic holds: much of it, or very large messages."""

from __future__ import annotations

import uuid

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import Pipeline, tell
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.topics import Message

MB = 1 << 20
MANY = 300_000  # orders of 230 bytes: 69 MB
SMALL_BATCHES = ("--set", "batch.records=5000")
BYTES_OF_AN_ID = 17  # at most, in the set of known ids
SLACK = 32 * MB
HUGE = 100_000_000  # bytes: six times as much as limits.message_bytes


@pytest.fixture(scope="module")
def backlog(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A topic with so many orders that wait."""
    name = f"backlog-{uuid.uuid4().hex[:8]}"
    topics.create(kafka, name, 2)
    filled = Pipeline(Cli(tmp_path_factory.mktemp("backlog")), kafka, name)("replay", "--records", MANY)
    assert filled.code == 0, filled.err
    return name


@pytest.mark.fault(57)
def test_a_long_backlog_takes_no_more_memory_than_a_short_one(kafka: str, backlog: str, cli: Cli) -> None:
    """Sixty batches need what six need, but for the ids (ten million records: `python -m tests.backlog`)."""
    short, long = (Pipeline(cli, kafka, backlog, name=each) for each in ("short", "long"))
    _, before = short.start("load", *SMALL_BATCHES, "--max-records", MANY // 10).measured()
    loaded, after = long.start("load", *SMALL_BATCHES).measured()
    assert (loaded.code, loaded.json["loaded"]) == (0, MANY)
    assert after - before < SLACK + BYTES_OF_AN_ID * MANY, f"{before / MB:.0f} MB, then {after / MB:.0f} MB"


def test_a_hundred_partitions_need_no_more_memory_than_they_may(
    kafka: str, topic: MakeTopic, cli: Cli
) -> None:
    """Each has buffers of its own in the client; all of them, and DuckDB, stay below half of the default."""
    name = topic(partitions=100)
    pipeline = Pipeline(cli, kafka, name)
    assert pipeline("replay", "--records", MANY).code == 0
    loaded, peak = pipeline.start("load", "--set", "limits.memory=512 MiB").measured()
    assert (loaded.code, loaded.json["loaded"]) == (0, MANY), loaded.out
    assert peak < 512 * MB, f"{peak / MB:.0f} MB"


@pytest.mark.fault(6)
def test_a_batch_that_needs_more_than_duckdb_may_have(kafka: str, backlog: str, cli: Cli) -> None:
    """DuckDB has 77 MB for a batch of 69: it comes through by way of the disk, or it is said what to raise.

    Nothing is half done, and with more memory the next load completes it.
    """
    pipeline = Pipeline(cli, kafka, backlog, name="narrow")
    large = ("batch.records=1_000_000", "batch.bytes=128 MiB", "limits.memory=256 MiB")
    words = (word for each in (*large, "limits.unreachable=0s") for word in ("--set", each))
    narrow = pipeline("load", *words)
    if narrow.code != 0:
        assert (narrow.code, narrow.json["error"]["hint"]) == (75, "raise limits.memory"), narrow.out
        assert pipeline.batches() == 0
    assert pipeline("load").code == 0
    assert pipeline.rows("SELECT count(*) AS n, count(DISTINCT order_id) AS ids FROM orders") == [
        {"n": MANY, "ids": MANY}
    ]


@pytest.mark.fault(42)
def test_messages_of_100_mb_need_no_more_memory_than_they_may(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """One MB on the wire that is 100 MB of brackets: where that is too much for `limits.memory`, it is said.

    Where it is not, the message is quarantined whole, unparsed, and what stands around it is loaded.
    """
    name = topic(partitions=1, config={"max.message.bytes": "10485760"})
    story = tell(500, seed=42, partitions=1)
    bomb = Message(b"[" * HUGE, partition=0)
    messages = [*story.messages[:250], bomb, *story.messages[250:]]
    topics.produce(kafka, name, messages, compression_type="gzip", message_max_bytes=2 * HUGE)
    pipeline = Pipeline(cli, kafka, name)
    refused, peak = pipeline.start("load", "--set", "limits.unreachable=0s").measured()
    assert peak < 1024 * MB, f"{peak / MB:.0f} MB"
    if refused.code != 0:
        assert (refused.code, refused.json["error"]["hint"]) == (75, "raise limits.memory"), refused.out
        assert pipeline("load", "--set", "limits.memory=3 GiB").code == 0
    assert pipeline.check() == story.expected._replace(quarantined=story.expected.quarantined + 1)
    kept = pipeline.rows("SELECT max(octet_length(value)) AS n FROM loader.quarantine")
    assert kept == [{"n": HUGE}]
    assert len(pipeline("quarantine", "list").out) < MB
