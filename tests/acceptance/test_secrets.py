"""A canary in every place where a configuration can hold a secret: it is seen nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from loader import secrets
from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, committed, order, until
from tests.servers import topics
from tests.servers.command import Cli

CANARY = 'c4n4ry-"\\-t0ken'
FORMS = (CANARY, json.dumps(CANARY)[1:-1], repr(CANARY)[1:-1])
VERBS = (
    ("check",), ("check", "--connect"), ("load",), ("status",), ("verify",),
    ("trace", "ORD0000003", "--message"), ("trace", "nobody"),
    ("query", "SELECT * FROM duckdb_settings()"), ("query", "SELECT getenv('CANARY')"),
    ("quarantine", "list"), ("quarantine", "show", "0:10"), ("score", "none.jsonl"), ("replay", "none.jsonl"),
    ("--set", "kafka.topik=x", "load"), ("--set", "kafka.bootstrap=localhost:1", "check", "--connect"),
    ("--set", 'kafka.client."no.such.property"=1', "check", "--connect"),
)  # fmt: skip
BROKEN = (  # a secret where librdkafka or the loader repeats what it does not like
    ("security.protocol", '{ env = "CANARY" }'),
    ("sasl.mechanism", '{ file = "canary.txt" }'),
    ("sasl.password.x", '{ env = "CANARY" }'),
    ("group.protocol", '{ env = "CANARY" }'),
    ("socket.timeout.ms", '{ env = "CANARY" }'),
    ("sasl.oauthbearer.config", '"%s"'),
)


def with_secrets(cli: Cli, kafka: str, topic: str, kind: str, more: str = "") -> Pipeline:
    """A pipeline with the canary given by environment, by file, in the clear and by override."""
    pipeline = Pipeline(cli, kafka, topic, kind)
    clear = json.dumps(CANARY)
    with pipeline.file.open("a") as file:
        file.write('"sasl.password" = { env = "CANARY" }\n"ssl.key.password" = { file = "canary.txt" }\n')
        file.write(f'"sasl.username" = {clear}\n{more.replace("%s", clear[1:-1])}')
    (pipeline.folder / "canary.txt").write_text(f"{CANARY}\n")
    cli.env |= {"CANARY": CANARY, "LOADER__KAFKA__CLIENT__SASL_OAUTHBEARER_CLIENT_SECRET": CANARY}
    return pipeline


def assert_unseen(text: str, where: object) -> None:
    """The canary is not in the text, however it is written."""
    assert not any(form in text for form in FORMS), where


def assert_in_no_file(folder: Path) -> None:
    """Neither in a table, a Parquet file, a traceback nor anything else but the two files that we wrote."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in {"loader.toml", "canary.txt"}:
            raw = path.read_bytes()
            assert not any(form.encode() in raw for form in FORMS), path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(59)
def test_no_command_tells_a_secret(kind: str, kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Output, errors, logs in both formats with -v, results, tables and files of every verb."""
    pipeline = with_secrets(cli, kafka, topic(partitions=1), kind)
    topics.produce(kafka, pipeline.topic, [*(order(n) for n in range(10)), b"poison"])
    for number, words in enumerate(VERBS):
        json_too = ("--json", "--log-format", "json") if (number + KINDS.index(kind)) % 2 else ()
        result = cli("-c", pipeline.file, "-v", *json_too, *words)
        assert_unseen(result.out + result.err, words)
    made = cli("init", "--topic", pipeline.topic, "--bootstrap", kafka, "inferred.toml", "-v")
    assert made.code == 0, made.err
    assert_unseen(made.out + made.err, "init")
    assert_in_no_file(cli.folder)
    assert pipeline.rows("SELECT count(*) AS n FROM orders") == [{"n": 10}]


@pytest.mark.parametrize(("name", "value"), BROKEN)
@pytest.mark.fault(59)
def test_a_secret_that_is_wrong_is_not_repeated(
    name: str, value: str, kafka: str, topic: MakeTopic, cli: Cli
) -> None:
    """Nor by the library that refuses it, nor in the causes that -v shows."""
    pipeline = with_secrets(cli, kafka, topic(partitions=1), "duckdb", f'"{name}" = {value}\n')
    for words in (("check", "--connect"), ("load", "--max-seconds", "1")):
        result = cli("-c", pipeline.file, "--json", "-v", *words, "--set", "limits.unreachable=1s")
        assert_unseen(result.out + result.err, (name, words))
    assert_in_no_file(cli.folder)


@pytest.mark.fault(59)
def test_the_process_list_shows_no_secret(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """While a worker runs: its command line, and those of its children."""
    cli.fork = False  # what is forked has the command line of another process
    pipeline = with_secrets(cli, kafka, topic(partitions=1), "duckdb")
    topics.produce(kafka, pipeline.topic, [order(n) for n in range(10)])
    running = pipeline.start("run", "--set", "batch.wait=100ms")
    until(lambda: committed(running), "a batch")
    process = psutil.Process(running.pid)
    for each in (process, *process.children(recursive=True)):
        assert_unseen(" ".join(each.cmdline()), each)
    assert running.terminate().code == 0
    assert_unseen(running.err, "run")


def test_texts_are_looked_through_where_they_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain, in JSON and in Python's writing; longer secrets first; short ones would hit innocent words."""
    monkeypatch.setattr(secrets, "_KNOWN", set())
    secrets.hide(["hunter", "hunter2", 'aa"bb\\cc', "no"])
    assert secrets.redacted("hunter2 hunter no") == "*** *** no"
    assert secrets.redacted(json.dumps('aa"bb\\cc')) == '"***"'
    assert secrets.redacted(repr('aa"bb\\cc')) == "'***'"
