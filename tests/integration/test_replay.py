"""Replaying to a broker: what is counted as acknowledged is there, and what is not is told.

The in-process broker and the real one run the same tests where both can.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from loader.errors import BrokerAway, ConfigError, RecordsRefused, TopicMissing
from loader.kafka.embedded import PARTITIONS, EmbeddedBroker
from loader.kafka.producer import Sender, send
from loader.replay.generate import GenerateOptions, blocks
from loader.replay.pacing import AtRate
from loader.replay.records import Record

if TYPE_CHECKING:
    from tests.conftest import MakeKafka, MakeTopic
    from tests.servers.command import Cli

FAULTS = {"duplicates": 0.02, "malformed": 0.02, "tombstones": 0.01, "missing": 0.01}
Place = tuple[str, str]  # address of a broker, a topic of 4 partitions


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedBroker]:
    """One in-process broker for all tests here."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(params=["in-process", "real"])
def place(request: pytest.FixtureRequest, embedded: EmbeddedBroker) -> Place:
    """A fresh topic on the in-process broker, then on the real one."""
    if request.param == "real":
        return request.getfixturevalue("kafka"), request.getfixturevalue("topic")(partitions=4)
    name = "".join(letter for letter in request.node.name if letter.isalnum())
    assert embedded.make_topic(name) == PARTITIONS
    return embedded.bootstrap, name


def settings(address: str) -> dict[str, Any]:
    """Return what a client needs to reach a broker."""
    return {"bootstrap.servers": address}


def everything(address: str, topic: str, partitions: int = 4) -> list[Any]:
    """Read a topic to its end: all messages, partition by partition."""
    client = {"group.id": "test", "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings(address) | client)
    consumer.assign([TopicPartition(topic, index, 0) for index in range(partitions)])
    messages, open_ones = [], partitions
    while open_ones:
        message = consumer.poll(20)
        assert message is not None, "the broker fell silent"
        if (error := message.error()) is None:
            messages.append(message)
        else:
            assert error.code() == KafkaError._PARTITION_EOF
            open_ones -= 1
    consumer.close()
    return sorted(messages, key=lambda message: (message.partition(), message.offset()))


def by_key(pairs: Iterable[tuple[bytes | None, bytes | None]]) -> dict[bytes, list[bytes | None]]:
    """Group values by key, in order; records without a key may go anywhere."""
    found: dict[bytes, list[bytes | None]] = {}
    for key, value in pairs:
        if key is not None:
            found.setdefault(key, []).append(value)
    return found


def test_every_record_arrives_once_and_in_order(place: Place) -> None:
    """Keys and values are in the topic exactly once; records of one key keep their order in one partition."""
    options = GenerateOptions(6_000, seed=5, faults=FAULTS)
    report = send(blocks(options), settings(place[0]), place[1])
    sent = [record for block in blocks(options) for record in block]
    assert (report.sent, report.acknowledged, report.refused) == (6_000, 6_000, 0)
    assert report.bytes == sum(len(record.key or b"") + len(record.value or b"") for record in sent)
    got = everything(*place)
    assert by_key((m.key(), m.value()) for m in got) == by_key((r.key, r.value) for r in sent)
    assert sorted(m.value() or b"" for m in got) == sorted(r.value or b"" for r in sent)
    assert len({message.partition() for message in got}) == 4


def test_headers_and_recorded_times_travel(place: Place) -> None:
    """Headers arrive; the recorded time only when asked for, else the time of sending."""
    block = [Record(b"k", b"v", 1_772_323_200_000, {"source": b"web", "none": None})]
    for recorded in (False, True):
        send([block], settings(place[0]), place[1], recorded_time=recorded)
    first, second = everything(*place)
    assert first.headers() == [("source", b"web"), ("none", None)]
    assert first.timestamp()[1] > 1_772_323_200_000 + 60_000
    assert second.timestamp()[1] == 1_772_323_200_000


def test_a_full_queue_is_waited_for(place: Place) -> None:
    """A client that can hold 50 records sends 5,000: back-pressure, not an error."""
    small = settings(place[0]) | {"queue.buffering.max.messages": 50, "linger.ms": 1}
    report = send(blocks(GenerateOptions(5_000)), small, place[1])
    assert report.acknowledged == 5_000


def test_a_rate_is_kept_and_progress_is_told(place: Place) -> None:
    """200 records at 400 per second take about half a second; the last progress names them all."""
    told: list[tuple[int, int]] = []
    report = send(
        blocks(GenerateOptions(200)), settings(place[0]), place[1], AtRate(400),
        lambda sent, acknowledged: told.append((sent, acknowledged)),
    )  # fmt: skip
    assert report.seconds >= 0.49
    assert told[-1] == (200, 200)
    assert told == sorted(told)


def test_a_missing_topic_is_refused_and_not_created(place: Place) -> None:
    """Nothing is sent, twice: the first attempt must not have created the topic."""
    for _ in range(2):
        with pytest.raises(TopicMissing) as caught:
            send(blocks(GenerateOptions(1)), settings(place[0]), "no-such-topic")
        assert caught.value.exit_code == 1


def test_refused_records_are_counted_by_error(kafka: str, topic: MakeTopic) -> None:
    """The broker refuses what is too large, takes the rest, and the counts are exact."""
    name = topic(config={"max.message.bytes": "5000"})
    large = b"x" * 20_000
    block = [Record(b"big%d" % number, large) for number in range(3)]
    small = [Record(b"k%d" % number, b"small") for number in range(50)]
    client = settings(kafka) | {"compression.type": "none", "batch.size": "4000"}
    with pytest.raises(
        RecordsRefused, match=r"3 of 53 records refused: 3 MSG_SIZE_TOO_LARGE; 50 ack"
    ) as caught:
        send([small, block], client, name)
    assert caught.value.exit_code == 1
    assert len(everything(kafka, name)) == 50


def test_what_the_client_refuses_is_counted_too(place: Place) -> None:
    """A record larger than the client may send is a refusal like any other."""
    client = settings(place[0]) | {"message.max.bytes": 2_000, "batch.size": 1_000}
    with pytest.raises(RecordsRefused, match="1 of 2 records refused: 1 MSG_SIZE_TOO_LARGE; 1 acknowledged"):
        send([[Record(b"a", b"x" * 3_000), Record(b"b", b"x")]], client, place[1])


def test_a_hopeless_run_stops_early(embedded: EmbeddedBroker) -> None:
    """When the first thousand are refused, the other millions are not tried."""
    embedded.make_topic("hopeless")
    client = settings(embedded.bootstrap) | {"message.max.bytes": 1_000, "batch.size": 1_000}
    endless = ([Record(None, b"x" * 2_000)] * 500 for _ in range(1_000_000))
    with pytest.raises(RecordsRefused, match="1000 of 1000 records"):
        send(endless, client, "hopeless")


def test_a_pause_between_two_blocks_is_no_silence(embedded: EmbeddedBroker) -> None:
    """Patience counts from a record on: what is sent an hour later is not late at once."""
    embedded.make_topic("rested")
    sender = Sender(settings(embedded.bootstrap), "rested")
    sender.put([Record(b"a", b"first")])
    sender.drain()
    sender._clock = lambda: time.monotonic() + 3_600
    sender.put([Record(b"a", b"second")])
    sender.drain()
    assert (sender.acknowledged, sender.refused) == (2, 0)


def test_no_broker_is_exit_75() -> None:
    """Nobody listens at the address: temporary, in the time given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(BrokerAway) as caught:
        send(blocks(GenerateOptions(1)), settings(address), "orders", patience=2)
    assert caught.value.exit_code == 75


def test_replay_waits_as_long_as_it_is_told(cli: Cli) -> None:
    """limits.unreachable holds for `replay` too: one second, not half a minute; the address is told once."""
    assert cli("init", "--example").code == 0
    away = ("--set", "kafka.bootstrap=localhost:1", "--set", "limits.unreachable=1s")
    gone = cli(*away, "replay", "--records", "10", timeout=20)
    assert gone.code == 75
    assert gone.err.count("localhost:1") == 1, gone.err


def test_a_broker_that_dies_on_the_way_is_exit_75(own_kafka: MakeKafka) -> None:
    """Killed between blocks: after the time given without an answer the run ends with what is known."""
    server = own_kafka()
    from tests.servers import topics

    topics.create(server.bootstrap, "orders", 4, {})

    def dying() -> Iterator[list[Record]]:
        for number, block in enumerate(blocks(GenerateOptions(40_000))):
            if number == 2:
                server.kill()
            yield block

    with pytest.raises(BrokerAway, match="of 40000 records"):
        send(dying(), settings(server.bootstrap), "orders", patience=3)


def test_wrong_client_settings_are_a_configuration_error() -> None:
    """Librdkafka's own words, under the key of the configuration."""
    with pytest.raises(ConfigError, match=r"no\.such\.setting"):
        send([], {"bootstrap.servers": "x", "no.such.setting": "1"}, "orders")


def test_the_in_process_broker_drops_past_its_limit() -> None:
    """More than 5 MiB in a partition push the oldest out, and `first_offsets` shows it."""
    with EmbeddedBroker() as broker:
        broker.make_topic("big")
        client = settings(broker.bootstrap) | {"compression.type": "none"}
        send([[Record(b"same", b"x" * 1_000)] * 1_000], client, "big")
        assert set(broker.first_offsets("big").values()) == {0}
        send([[Record(b"same", b"x" * 1_000)] * 7_000], client, "big")
        assert sum(offset > 0 for offset in broker.first_offsets("big").values()) == 1


def test_the_in_process_broker_has_four_partitions() -> None:
    """No other number can be had, and asking says so."""
    with pytest.raises(ConfigError, match="4 partitions"):
        EmbeddedBroker(partitions=3)


CONFIG = """
pipeline = "orders"
[kafka]
bootstrap = "{address}"
topic = "{topic}"
[warehouse]
path = "orders.duckdb"
[table]
name = "orders"
id = "order_id"
event_time = "timestamp"
[table.columns]
order_id = {{ type = "VARCHAR" }}
timestamp = {{ type = "TIMESTAMPTZ", zone = "UTC" }}
amount = {{ type = "DECIMAL(18,2)" }}
"""


@pytest.fixture
def configured(kafka: str, topic: MakeTopic, tmp_path: Path) -> Callable[[], str]:
    """Write ./loader.toml for a fresh topic; return its name."""

    def write() -> str:
        name = topic()
        (tmp_path / "loader.toml").write_text(CONFIG.format(address=kafka, topic=name))
        return name

    return write


def test_the_verbs_generate_and_replay(kafka: str, configured: Callable[[], str], cli: Cli) -> None:
    """`generate` writes a dataset and its answers; `replay` sends it; --limit and --rate are obeyed."""
    name = configured()
    made = cli("generate", "orders.jsonl", "--records", "3000", "--fault", "sample", "--json").json
    assert (made["outcome"], made["records"], made["answers"]) == (
        "done",
        3_000,
        "orders.jsonl.answers.jsonl",
    )
    assert sum(made["expected"].values()) == 3_000
    sent = cli("replay", "orders.jsonl", "--json").json
    assert (sent["command"], sent["outcome"], sent["sent"], sent["acknowledged"]) == (
        "replay", "sent", 3_000, 3_000,
    )  # fmt: skip
    assert cli("replay", "orders.jsonl", "--limit", "7", "--json").json["sent"] == 7
    paced = cli("replay", "--records", "60", "--rate", "100", "--answers", "key.jsonl", "--json").json
    assert paced["seconds"] >= 0.5
    assert len(everything(kafka, name)) == 3_067


def test_the_verb_replay_fails_as_documented(configured: Callable[[], str], cli: Cli, tmp_path: Path) -> None:
    """A missing topic is exit 1, a missing dataset or contradicting options exit 2; stdin is read."""
    configured()
    (tmp_path / "one.jsonl").write_text('{"order_id":"ORD1"}\n')
    missing = cli("replay", "one.jsonl", "--topic", "no-such-topic", "--json")
    assert (missing.code, missing.json["error"]["kind"]) == (1, "topic_missing")
    assert cli("replay", "none.jsonl").code == 2
    assert cli("replay", "one.jsonl", "--records", "5").code == 2
    assert cli("replay", "one.jsonl", "--rate", "5", "--speed", "2").code == 2
    assert cli("replay", "--records", "5", "--limit", "2", "--answers", "key.jsonl").code == 2
    assert cli("replay", "one.jsonl", "--speed", "2", "--json").json["sent"] == 1
