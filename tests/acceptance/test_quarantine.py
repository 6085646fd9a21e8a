"""Refused records against a real broker: the page in docs is typed, the limit's way on is followed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeKafka, MakeTopic
from tests.oracle import read_topic
from tests.pipelines import KINDS, Pipeline, committed, order, tell, until
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli
from tests.servers.topics import Message

PAGE = REPOSITORY / "docs" / "quarantine.md"
EVENTS = """\
{"order_id": "ORD1", "timestamp": "2026-03-03T10:30:00Z", "action": "purchase", "amount": 12.50}
{"order_id": "ORD2", "timestamp": "2026-03-03T10:31:00Z", "action": "gift", "amount": 3}
{"order_id": "ORD3", "timestamp": "yesterday", "amount": "a lot"}
{"user_id": 101, "action": "purchase", "amount": 250}
{"order_id": "ORD4", "timestamp": "2026-03-03T10:33:00Z", "amo
{"order_id": "ORD1", "timestamp": "2026-03-03T10:30:00Z", "action": "refund", "amount": 12.50}
"""
WRONG = [{"total": 5}] * 3 + [{"amount": "5,00"}] * 2 + [{"amount": 5, "action": "swap"}]
RELEASE = "".join(
    json.dumps({"order_id": f"NEW{number}", "timestamp": "2026-03-03T11:00:00Z"} | WRONG[number % 6]) + "\n"
    for number in range(150)
)
CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```)", re.DOTALL | re.MULTILINE)


def test_the_page_about_quarantine_is_what_happens(own_kafka: MakeKafka, cli: Cli) -> None:
    """Each command of docs/quarantine.md, in order, prints what stands there, but for ids and times."""
    kafka = own_kafka()
    topics.create(kafka.bootstrap, "orders", 1)
    (cli.folder / "events.jsonl").write_text(EVENTS)
    (cli.folder / "release.jsonl").write_text(RELEASE)
    assert cli("init", "--example").code == 0
    shell = Shell(cli, kafka.bootstrap)
    page = PAGE.read_text()
    found = CONSOLE.sub(lambda block: "".join(map(shell.typed, commands(block[0]))), page)
    if os.environ.get("LOADER_UPDATE_GOLDEN"):
        PAGE.write_text(found)
    assert steady(found) == steady(PAGE.read_text())


def commands(block: str) -> list[str]:
    """The lines of a console block that were typed."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def steady(text: str) -> str:
    """The text without what differs from run to run, in the same width."""
    text = re.sub(r"\b\d{18,19}\b", "7" * 19, text)
    text = re.sub(r'"timestamp_ms":\d{13}', '"timestamp_ms":1', text)
    return re.sub(r"20\d\d-\d\d-\d\dT[\d:.]{8,12}Z(?![\\\"])", "TIME", text)


class Shell:
    """Types commands as a user does, `loader` among them."""

    def __init__(self, cli: Cli, bootstrap: str) -> None:
        self._folder = cli.folder
        path = f"{cli.typed()}:{cli.environment()['PATH']}"
        self._env = cli.environment({"LOADER__KAFKA__BOOTSTRAP": bootstrap, "COLUMNS": "100", "PATH": path})

    def typed(self, command: str) -> str:
        """The command and what it printed, errors too."""
        loader = 'loader() { command loader -q "$@"; }; '
        done = subprocess.run(
            ["bash", "-c", loader + command], cwd=self._folder, env=self._env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        return f"$ {command}\n{done.stdout}"


# the limit


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_says_why_and_every_way_on_works(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """Three top reasons with position and value, and each command of the hint runs."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), kind)
    values = [order(number) for number in range(100)]
    values += [order(1_000 + number, amount=-1) for number in range(30)] + [b'{"order_id": '] * 20
    values += [b'{"order_id": "X%d", "timestamp": "soon", "amount": 1}' % number for number in range(10)]
    values += [b"\xff"] * 5
    topics.produce(kafka, pipeline.topic, [Message(value, partition=0) for value in values])
    stopped = pipeline("load")
    assert stopped.code == 1
    error = stopped.json["error"]
    name = pipeline.topic
    assert error["message"].replace(name, "T") == (
        "65 of 165 records would be refused, more than limits.quarantine = 0.1; nothing of this batch was "
        "written. Most often: 30 x amount: check (as T[0]@100: amount: -1 breaks the check amount >= 0); "
        '20 x json (as T[0]@130: the value is not valid JSON: {"order_id": ); '
        "10 x timestamp: type (as T[0]@150: timestamp: soon is not a TIMESTAMPTZ)"
    )
    hinted = re.findall(r"loader (\w.*?)(?=$|;)", error["hint"])
    assert hinted
    for command in hinted:
        result = pipeline(*shlex.split(command))
        assert result.code == 0, (command, result.err)
    assert pipeline.check().loaded == 100

    mended = ("--set", "table.columns.amount.check=amount > -10")
    retried = pipeline(*mended, "quarantine", "retry", "--all")
    assert (retried.code, retried.json["loaded"], retried.json["refused"]) == (0, 30, 35)
    assert pipeline.check() == (130, 0, 35, 0)
    edited = pipeline(*mended, "quarantine", "edit", "0:130", "--value", order(5_000).decode())
    assert edited.json["retry"] == "loaded"
    assert pipeline(*mended, "quarantine", "retry", "0:130").json["loaded"] == 1
    assert pipeline(*mended, "quarantine", "drop", "--reason", "utf8", "--note", "junk").json["dropped"] == 5
    deep = pipeline(*mended, "verify", "--deep")
    assert deep.code == 0, deep.out
    status = pipeline("status").json
    assert status["totals"] == {"loaded": 131, "duplicates": 0, "quarantined": 34, "skipped": 0}
    assert status["quarantine"]["by_state"] == {"dropped": 5, "loaded": 31, "open": 29}
    assert status["last_batch"]["consumed"] == 165


def test_a_retry_beside_a_load_is_exact(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """While `run` commits batch after batch, retries get their turn, and ids on both sides stay single."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2))
    mended = ("--set", "table.columns.amount.check=amount > -10")
    bad = [order(50_000 + number, amount=-1) for number in range(600)]
    topics.produce(kafka, pipeline.topic, [Message(value, partition=0) for value in bad])
    assert pipeline("load", "--accept-quarantine").code == 0
    # the same ids come again while the retry loads them: a twin of the row, whoever is first
    story = tell(16_000, seed=21, partitions=2, duplicates=0, conflicts=0, poison=0)
    again = [Message(value, partition=1) for value in bad]
    topics.produce(kafka, pipeline.topic, [*story.messages[:8_000], *again, *story.messages[8_000:]])
    running = pipeline.start(*mended, "run", "--set", "batch.records=500", "--set", "kafka.assign=all")
    until(lambda: committed(running), "the load is under way")
    done = [
        pipeline(*mended, "quarantine", "retry", "--partition", 0, "--until", "2100-01-01") for _ in range(2)
    ]
    assert [result.code for result in done] == [0, 0], done
    until(lambda: pipeline.behind() == 0, "the load has caught up")
    assert running.terminate().code == 0
    assert done[0].json["loaded"] + done[0].json["duplicates"] == 600
    assert done[1].json["retried"] == 0
    counts = pipeline.check()
    assert counts == (16_600, 600, 0, 0)
    pipeline.verify()


def test_what_is_exported_can_be_sent_again(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path) -> None:
    """JSONL and Parquet give the same records to another topic: key, value and headers as they were."""
    pipeline, copy = Pipeline(cli, kafka, topic(partitions=1)), topic(partitions=1)
    sent = [
        Message(b'{"order_id": 1}', key=b"k", headers=(("a", b"\xff"), ("b", b"text")), partition=0),
        Message(None, key=b"gone", partition=0),
        Message(b"\xff\x00", partition=0),
        Message(b"", partition=0),
        Message(b"line\nbreak", partition=0),
    ]
    topics.produce(kafka, pipeline.topic, sent)
    assert pipeline("load").code == 0
    for name in ("all.jsonl", "all.parquet"):
        file = tmp_path / name
        assert pipeline("quarantine", "export", file).json == {
            "command": "quarantine", "file": str(file), "records": 5
        }  # fmt: skip
        assert pipeline("quarantine", "export", file).code == 1
        assert pipeline("quarantine", "export", file, "--force", "--reason", "utf8").json["records"] == 1
        assert pipeline("quarantine", "export", file, "--force").code == 0
        result = pipeline("replay", file, "--topic", copy)
        assert result.code == 0, result.err
    assert not list(tmp_path.rglob("*.part"))
    records = [(each.key, each.value, each.headers) for each in read_topic(kafka, copy)]
    assert records == [(each.key, each.value, each.headers) for each in sent] * 2
