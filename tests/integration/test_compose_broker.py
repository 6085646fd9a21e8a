"""The broker settings of docker-compose.yml start a real Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.oracle import read_topic
from tests.servers import topics
from tests.servers.compose import broker_properties, compose
from tests.servers.kafka import KafkaServer, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker with exactly the settings of the compose file; only ports, host and folder are ours."""
    server = KafkaServer(tmp_path / "kafka")
    inside, outside, controller = free_ports(3)
    ours = {"19092": str(inside), ":9092": f":{outside}", "9093": str(controller), "kafka:": "localhost:"}
    properties = broker_properties(compose()["services"]["kafka"]["environment"])
    for old, new in ours.items():
        properties = {key: value.replace(old, new) for key, value in properties.items()}
    server.properties = properties | {"log.dirs": str(tmp_path / "data")}
    server.bootstrap = f"localhost:{outside}"
    with server:
        yield server


def test_the_settings_of_the_compose_file_run(server: KafkaServer) -> None:
    """A broker with them starts, keeps records, groups transactions, and makes no topic by itself."""
    topics.create(server.bootstrap, "orders", 4)
    topics.produce(server.bootstrap, "orders", [b"one"])
    topics.produce_transaction(server.bootstrap, "orders", [b"two"])
    assert sorted(r.value or b"" for r in read_topic(server.bootstrap, "orders")) == [b"one", b"two"]
