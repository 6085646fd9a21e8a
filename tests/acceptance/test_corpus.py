"""The corpus through a real broker and the real command line: every record ends as its file says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import MakeTopic
from tests.corpus import FILES, Case, found, read
from tests.oracle import lake
from tests.servers import topics
from tests.servers.command import Cli


def configuration(case: Case, kafka: str, topic: str) -> str:
    """The file of a case: its table as JSON text, which is TOML for texts, numbers, booleans and lists."""
    columns = case.table["columns"]
    checks = case.table.get("checks", {})
    plain = {key: value for key, value in case.table.items() if key not in ("columns", "checks")}
    return "\n".join(
        [
            'pipeline = "corpus"',
            f'[kafka]\nbootstrap = "{kafka}"\ntopic = "{topic}"',
            '[warehouse]\npath = "ducklake:sqlite:catalog.sqlite"',
            f"[table]\n{_lines(plain)}",
            *(f"[table.columns.{name}]\n{_lines(column)}" for name, column in columns.items()),
            f"[table.checks]\n{_lines(checks)}",
        ]
    )


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.fault(41)
def test_every_record_ends_as_the_corpus_says(name: str, kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Sent to Kafka and loaded by `loader load`; a second load finds nothing new, and `verify` is true."""
    case, topic_name = read(name), topic(partitions=1)
    topics.produce(kafka, topic_name, case.messages)
    (cli.folder / "loader.toml").write_text(configuration(case, kafka, topic_name))
    loaded = cli("--json", "load", "--accept-quarantine")
    assert (loaded.code, loaded.json["consumed"]) == (0, len(case.messages)), loaded.err
    assert cli("--json", "load").json["consumed"] == 0
    assert cli("verify").code == 0
    expected = [_of_topic(outcome, topic_name) for outcome in case.outcomes]
    with lake(cli.folder / "catalog.sqlite") as store:
        assert found(store, case) == expected


def _of_topic(outcome: Any, topic_name: str) -> Any:
    """The corpus speaks of a topic named corpus."""
    if isinstance(outcome, tuple):
        return tuple(text.replace("corpus[", f"{topic_name}[") for text in outcome)
    if isinstance(outcome, dict) and "topic" in outcome:
        return {**outcome, "topic": topic_name}
    return outcome
