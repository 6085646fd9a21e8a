"""A log that is damaged on the broker's disk: a wrong checksum, a tail that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.pipelines import Pipeline, order
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.kafka import KafkaServer

BATCH = 20  # records that the producer sends at once
RECORDS = 100


class Damaged(NamedTuple):
    """A pipeline whose topic's log was damaged, and an offset that is in a damaged or lost batch."""

    pipeline: Pipeline
    offset: int


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Damaged]]:
    """`flipped`: one bit of its log, nothing was loaded yet; `cut`: its log, all was loaded before."""
    folder = tmp_path_factory.mktemp("damaged")
    cli = Cli(folder)
    with KafkaServer(folder / "kafka") as server:
        made = {name: Damaged(filled(cli, server, name), 70) for name in ("flipped", "cut")}
        assert made["cut"].pipeline("load").code == 0
        server.stop()
        flip(log_of(server, "flipped"), order(made["flipped"].offset))
        cut(log_of(server, "cut"), made["cut"].offset)
        server.start()
        yield made
    cli.close()


def filled(cli: Cli, server: KafkaServer, name: str) -> Pipeline:
    """A pipeline from a topic with one partition, in batches of BATCH records."""
    topics.create(server.bootstrap, name, 1)
    for begin in range(0, RECORDS, BATCH):
        sent = [order(number) for number in range(begin, begin + BATCH)]
        topics.produce(server.bootstrap, name, sent, linger_ms=500, batch_num_messages=BATCH)
    return Pipeline(cli, server.bootstrap, name, name=name)


def log_of(server: KafkaServer, topic: str) -> Path:
    """The one file that holds the records of the topic's partition."""
    [file] = (server.folder / "data" / f"{topic}-0").glob("*.log")
    return file


def flip(log: Path, value: bytes) -> None:
    """Change one bit of a record."""
    raw = bytearray(log.read_bytes())
    raw[raw.index(value) + 20] ^= 1
    log.write_bytes(raw)


def cut(log: Path, offset: int) -> None:
    """Cut the log off before the record batch that holds the offset; its indexes are made anew.

    A record batch begins with its first offset (8 bytes) and the length of what follows (4 bytes).
    """
    raw, at = log.read_bytes(), 0
    while (after := at + 12 + int.from_bytes(raw[at + 8 : at + 12], "big")) < len(raw):
        if int.from_bytes(raw[after : after + 8], "big") > offset:
            break
        at = after
    log.write_bytes(raw[:at])
    for index in log.parent.glob("*.*index"):
        index.unlink()


@pytest.mark.fault(38)
def test_a_record_batch_with_a_wrong_checksum_stops(damaged: dict[str, Damaged]) -> None:
    """What stands before it is loaded; then exit 1 names the place, each time."""
    pipeline, offset = damaged["flipped"]
    for _ in range(2):
        stopped = pipeline("load")
        assert (stopped.code, stopped.json["error"]["kind"]) == (1, "action_needed"), stopped.out
        assert "checksum is wrong" in stopped.json["error"]["message"]
        assert stopped.json["error"]["address"].startswith("flipped[0]@")
    reached = pipeline.positions()[0]
    assert offset - BATCH < reached <= offset
    assert pipeline.rows("SELECT count(*) AS n FROM orders") == [{"n": reached}]


@pytest.mark.fault(35)
def test_a_log_that_lost_its_tail_names_the_rewind(damaged: dict[str, Damaged]) -> None:
    """The log is shorter than what was loaded: refused until the hinted command has undone the ghosts."""
    pipeline, offset = damaged["cut"]
    end = topics.ends(pipeline.bootstrap, "cut")[0][1]
    assert offset - BATCH < end <= offset
    refused = pipeline("load")
    assert refused.json["error"]["hint"] == f"loader rewind --to-offset 0:{end} --yes", refused.out
    assert pipeline(*refused.json["error"]["hint"].split()[1:]).code == 0
    topics.produce(pipeline.bootstrap, "cut", [order(500 + n) for n in range(60)])
    assert pipeline("load").json["loaded"] == 60
    assert pipeline.check().loaded == end + 60
