"""Questions about a group while its broker is young: answered or refused, never an end of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import MakeKafka
from tests.servers import topics
from tests.servers.command import REPOSITORY

ASK = """\
import sys
from confluent_kafka import TopicPartition
from loader.errors import LoaderError
from loader.kafka.identity import Broker

refused, answered, client = 0, 0, {"reconnect.backoff.ms": "20", "reconnect.backoff.max.ms": "50"}
broker = Broker(sys.argv[1], "orders", "g", client, answer=1)
print("asking", flush=True)
while answered < 20:
    try:
        broker._asked(lambda: broker._committed([TopicPartition("orders", 0)]))
        answered += 1
    except LoaderError:
        refused += 1
print(refused, flush=True)
"""


@pytest.mark.fault(23)
def test_the_groups_offsets_are_asked_while_the_broker_starts(own_kafka: MakeKafka) -> None:
    """Asked all the time while a broker comes back: refused at first, then answered.

    The admin client's own call for it ended the process here, by SIGSEGV or SIGABRT, nearly each time.
    """
    kafka = own_kafka()
    topics.create(kafka.bootstrap, "orders", 1)
    command = [sys.executable, "-c", ASK, kafka.bootstrap]
    subprocess.run(command, cwd=REPOSITORY, check=True)  # the first group that it is asked for
    kafka.kill()
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "asking\n"
        kafka.start()
        out, _ = asking.communicate(timeout=60)
    assert asking.returncode == 0
    assert int(out) > 0
