"""docs/operating.md is what happens: a copy of a lake that is made beside a load, and the way back to it."""

from __future__ import annotations

import re

from tests.acceptance.test_quarantine import Shell
from tests.conftest import MakeTopic
from tests.pipelines import committed, order, until
from tests.servers import topics
from tests.servers.command import REPOSITORY, Cli
from tests.servers.topics import Message

COUNT = "SELECT count(*) AS n FROM orders"
PAGE = REPOSITORY / "docs" / "operating.md"


def test_a_copy_beside_a_load_can_be_gone_back_to(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """The page's commands: after the way back what came since is loaded once more, all of it exactly once."""
    name = topic(partitions=2)
    copy, back = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert cli("init", "--example").code == 0
    file = cli.folder / "loader.toml"
    file.write_text(file.read_text().replace('topic = "orders"', f'topic = "{name}"'))
    topics.produce(kafka, name, [Message(order(number)) for number in range(300)])
    given = {"LOADER__KAFKA__BOOTSTRAP": kafka, "LOADER__KAFKA__GROUP": name}

    def rows() -> int:
        return int(cli("query", COUNT, "--json", env=given).json["rows"][0]["n"])

    running = cli.start("run", "--set", "batch.wait=200ms", env=given)
    until(lambda: committed(running), "it loads")
    shell = Shell(cli, kafka)
    topics.produce(kafka, name, [Message(order(number)) for number in range(350, 400)])
    shell.typed(copy)
    topics.produce(kafka, name, [Message(order(number)) for number in range(300, 350)])
    assert "cp:" not in shell.typed(copy), "made again"
    assert (cli.folder / "backup" / "catalog.sqlite").exists()
    topics.produce(kafka, name, [Message(order(number)) for number in range(400, 500)])
    until(lambda: rows() == 500, "what came after the copy is loaded")
    assert running.terminate().code == 0
    assert "balance proved" in shell.typed(f"export LOADER__KAFKA__GROUP={name}; {back}")
    again = cli("load", "--json", env=given)
    assert again.code == 0, again.err
    assert 100 <= again.json["loaded"] < 500
    assert "the group's offset in Kafka is " in again.err
    assert rows() == 500
    assert cli("verify", "--deep", env=given).code == 0
