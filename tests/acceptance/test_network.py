"""A bad network between the loader and the broker: cut, half open, slow, and answers that are lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import MakeKafka
from tests.pipelines import SHORT_SESSION, Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.kafka import free_ports
from tests.servers.proxy import OFFSET_COMMIT, Proxy

PROTOCOLS = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT"
SMALL = ("--set", "batch.records=500", "--set", "batch.wait=100ms")
IMPATIENT = SHORT_SESSION | {"socket.timeout.ms": "3000"}  # 10 s by default


@dataclass
class Line:
    """A broker that the tests reach directly and the loader through a network of ours."""

    bootstrap: str
    network: Proxy

    def pipeline(self, cli: Cli) -> Pipeline:
        """A pipeline from a fresh topic; the loader knows only the network's address."""
        topic = f"line-{uuid.uuid4().hex[:8]}"
        topics.create(self.bootstrap, topic, 2)
        made = Pipeline(cli, self.bootstrap, topic, client=IMPATIENT)
        text = made.file.read_text().replace(self.bootstrap, f"127.0.0.1:{self.network.port}")
        made.file.write_text(text)
        return made


@pytest.fixture
def line(own_kafka: MakeKafka) -> Iterator[Line]:
    """One broker with two listeners; the second one says that it is where the network listens."""
    client, controller, behind = free_ports(3)
    here = "://127.0.0.1:"
    with Proxy(behind) as network:
        plain = f"PLAINTEXT{here}{client}"
        own_kafka(
            {
                "listeners": f"{plain},CONTROLLER{here}{controller},PROXIED{here}{behind}",
                "advertised.listeners": f"{plain},PROXIED{here}{network.port}",
                "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                "listener.security.protocol.map": PROTOCOLS,
            }
        )
        yield Line(f"127.0.0.1:{client}", network)


@pytest.mark.fault(24, 25)
def test_a_bad_network_loses_and_doubles_nothing(line: Line, cli: Cli) -> None:
    """Cut in mid-stream, silent with open connections, slow, acknowledgements unanswered: exact in the end.

    A load on a silent network ends with 75 before long.
    """
    pipeline, network = line.pipeline(cli), line.network
    story = tell(6_000, seed=81, partitions=2)
    sent = iter(story.messages[at : at + 1_200] for at in range(0, len(story.messages), 1_200))
    running = pipeline.start("run", *SMALL)

    def goes_on() -> None:
        before = committed(running)
        topics.produce(line.bootstrap, pipeline.topic, next(sent))
        until(lambda: committed(running) > before, "it goes on")

    goes_on()
    network.cut()
    goes_on()
    network.hangs = True
    topics.produce(line.bootstrap, pipeline.topic, next(sent))
    waiting = pipeline("load", "--set", "limits.unreachable=0s", timeout=30)
    assert (waiting.code, waiting.json["error"]["kind"]) == (75, "broker_away"), waiting.out
    network.hangs = False
    until(lambda: pipeline.behind() == 0, "it goes on after the silence")
    network.delay = 0.3
    goes_on()
    network.delay = 0.0
    network.loses = frozenset({OFFSET_COMMIT})
    goes_on()
    until(lambda: network.lost, "an acknowledgement was applied and not answered")
    network.loses = frozenset()
    for rest in sent:
        topics.produce(line.bootstrap, pipeline.topic, rest)
    until(lambda: pipeline.behind() == 0, "all is loaded")
    until(lambda: pipeline.acknowledged() == pipeline.positions(), "and acknowledged")
    assert running.terminate().code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()
