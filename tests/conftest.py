"""Fixtures for all tests: one shared Kafka, fresh topics, a Kafka to kill, and the command line.

Nothing is started unless a test asks for it, and what cannot be started is an error, not a skip.
"""

from __future__ import annotations

import os
import uuid
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import settings

from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.shared import SharedKafka, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.servers.kafka import KafkaServer

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

LONG = Path(__file__).with_name("long.txt")
SHARED = pytest.StashKey[SharedKafka]()


class MakeTopic(Protocol):
    """Makes a topic that no other test uses and returns its name."""

    def __call__(self, partitions: int = 4, config: Mapping[str, str] | None = None) -> str:
        """Make it; `config` holds settings of the topic."""
        ...


class MakeKafka(Protocol):
    """Starts a broker that belongs to this test alone; `settings` go over the usual ones."""

    def __call__(self, settings: Mapping[str, str] | None = None) -> KafkaServer:
        """Start it and wait until it takes requests."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Let the process that the user started own the shared broker; workers only ask for it."""
    if not hasattr(config, "workerinput"):
        config.stash[SHARED] = SharedKafka()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that tests/long.txt names. Raises UsageError where a line names none of all tests."""
    lines = [line for line in LONG.read_text().splitlines() if line and not line.startswith("#")]
    found = {line: [item for item in items if fnmatchcase(item.nodeid, f"tests/{line}")] for line in lines}
    for item in (item for named in found.values() for item in named):
        item.add_marker(pytest.mark.long)
    is_all = config.args_source is config.ArgsSource.TESTPATHS and not config.option.keyword
    if is_all and (idle := [line for line, named in found.items() if not named]):
        raise pytest.UsageError(f"{LONG.name}: no such tests: {', '.join(idle)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the shared broker when all workers are done."""
    if shared := config.stash.get(SHARED, None):
        shared.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a new xdist worker where to ask."""
    node.workerinput["shared_kafka"] = node.config.stash[SHARED].address


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """Address (host:port) of the one real Kafka broker that all tests of the session share."""
    if hasattr(request.config, "workerinput"):
        return ask(request.config.workerinput["shared_kafka"])
    return request.config.stash[SHARED].bootstrap()


@pytest.fixture
def topic(kafka: str, request: pytest.FixtureRequest) -> MakeTopic:
    """A factory of fresh topics on the shared broker: `topic(partitions=4, config={}) -> name`."""

    def make_topic(partitions: int = 4, config: Mapping[str, str] | None = None) -> str:
        words = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
        name = f"{words[:80].strip('-')}-{uuid.uuid4().hex[:8]}"
        topics.create(kafka, name, partitions, config)
        return name

    return make_topic


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[MakeKafka]:
    """A factory of brokers that the test may stop, kill, pause and start again: `own_kafka(settings={})`."""
    from tests.servers.kafka import QUICK_RESTART, KafkaServer

    servers: list[KafkaServer] = []

    def make_kafka(settings: Mapping[str, str] | None = None) -> KafkaServer:
        folder = tmp_path / f"kafka-{len(servers)}"
        server = KafkaServer(folder, settings=QUICK_RESTART | dict(settings or {}))
        servers.append(server)
        server.start()
        return server

    yield make_kafka
    for server in servers:
        server.kill()


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The real command line in the test's folder: `cli("load", "--json")` gives .code, .out, .err, .json."""
    runner = Cli(tmp_path)
    yield runner
    runner.close()
