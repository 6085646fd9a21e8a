"""The README is run: its commands, its output, its configuration, its SQL."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from loader.cli.main import VERBS
from loader.config import config_from
from tests.conftest import MakeKafka
from tests.oracle import lake
from tests.servers import topics
from tests.servers.command import Cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Every `loader …` line of the shell blocks, as words."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("loader ")]


def test_the_commands_of_the_readme_run_in_their_order(own_kafka: MakeKafka, cli: Cli) -> None:
    """A new user types the block from top to bottom against a real broker; `plan` says what is shown."""
    kafka = own_kafka()
    topics.create(kafka.bootstrap, "orders")
    for words in commands():
        result = cli(*words, env={"LOADER__KAFKA__BOOTSTRAP": kafka.bootstrap})
        assert result.code == 0, (words, result.out, result.err)
        if words == ["plan"]:
            shown = next(block for block in blocks("text") if block.startswith("plan for"))
            assert set(_masked(shown)) <= set(_masked(result.out)), result.out
    with lake(cli.folder / "warehouse" / "catalog.sqlite") as store:
        _threads, _attach, *queries, _end = blocks("sql")[0].split(";")
        for sql in queries:
            assert store.rows(sql.replace("lake.", "warehouse."))


def test_the_demo_prints_what_the_readme_shows(cli: Cli) -> None:
    """The numbered lines of the README are those of `loader demo`, but for folder and speed."""
    shown = next(block for block in blocks("text") if block.startswith("1. generated"))
    result = cli("demo")
    assert result.code == 0, result.err
    lines = [line for line in result.err.splitlines() if re.match(r"\d\. ", line)]
    assert [_stable(line) for line in lines] == [_stable(line) for line in shown.splitlines()]


def _masked(text: str) -> list[str]:
    """The lines without numbers: records without a key go to partitions by chance."""
    return re.sub(r"\d[\d,]*", "N", text).splitlines()


def _stable(line: str) -> str:
    return re.sub(r"/\S+/", "/FOLDER/", re.sub(r", [\d,]+ records/s", "", line))


def test_the_configurations_of_the_readme_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The TOML blocks load; the first is the contract of config/orders.toml."""
    monkeypatch.setenv("KAFKA_PASSWORD", "hidden")
    first, secured = (tomllib.loads(block) for block in blocks("toml"))
    orders = config_from(tomllib.loads((ROOT / "config" / "orders.toml").read_text()), tmp_path)
    assert config_from(first, tmp_path).table == orders.table
    merged = {**first, "kafka": first["kafka"] | secured["kafka"]}
    assert config_from(merged, tmp_path).kafka.client_settings()["sasl.password"] == "hidden"


@pytest.mark.parametrize("verb", [*VERBS, "quarantine"])
def test_every_verb_is_in_the_readme(verb: str) -> None:
    """No command without a word about it."""
    assert re.search(rf"\bloader {verb}\b|`{verb}`|make {verb}", README)


def test_links_and_make_targets_exist() -> None:
    """What the README points at is there."""
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)|`make (\w+)`", README, re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target
