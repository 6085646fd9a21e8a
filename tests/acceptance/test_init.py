"""`loader init --topic`: a configuration from real messages passes `check` and loads its own sample."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from typing import Any

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import until
from tests.servers import topics
from tests.servers.command import Cli, Result
from tests.servers.topics import Message

TUTORIAL = [
    {"user_id": 101, "action": "purchase", "amount": 250},
    {"order_id": "ORD1001", "timestamp": "2026-03-03T10:30:00", "amount": 500},
]
MIXED = [
    {"id": f"{n}", "x": x, "when": when}
    for n, (x, when) in enumerate(
        [(1, "2026-03-03"), ("one", "2026-03-03T10:30:00Z"), (True, None), ([1, "a"], "yesterday")]
    )
]
NESTED = [
    {
        "event": {"id": n, "tags": ["a", "b"][: n % 3], "at": "2026-03-03T10:30:00+01:00"},
        "uuid": f"0b8b9b1e-4c8e-4f6e-9a0e-3f2d1c0b{n:04x}",
        "lines": [{"sku": f"S{i}", "price": i + 0.25, "gift": i == 1} for i in range(n % 4)],
        "_source": {"host": "h", "more": {}},
    }
    for n in range(40)
]


def sent(kafka: str, topic: str, values: Iterable[Any]) -> None:
    """Send objects as JSON, and bytes and nulls as they are."""
    messages = [
        Message(value if isinstance(value, bytes | None) else json.dumps(value).encode()) for value in values
    ]
    topics.produce(kafka, topic, messages)


def init(cli: Cli, kafka: str, topic: str, *words: str) -> Result:
    """Run the verb on a topic."""
    return cli("init", "--topic", topic, "--bootstrap", kafka, "--json", *words)


def loads_its_sample(cli: Cli, records: int, quarantined: Container[int] = (0,)) -> dict[str, Any]:
    """`check` passes, `load` loads everything but what could not be used; the result of the load."""
    checked = cli("check", "--connect", "--json")
    assert checked.code == 0, checked.err
    loaded = cli("load", "--json", "--accept-quarantine")
    assert loaded.code == 0, loaded.err
    refused = cli("quarantine", "list", "--json").json["entries"]
    assert loaded.json["consumed"] == records
    assert loaded.json["quarantined"] in quarantined, refused
    assert cli("verify").code == 0
    result: dict[str, Any] = loaded.json
    return result


def test_orders_with_faults(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """The generated orders: types, id and event time as a person would choose; poison is said and left."""
    name = topic(partitions=3)
    assert cli("generate", "orders.jsonl", "--records", "3000", "--fault", "duplicates=0.05").code == 0
    cli("init", "--example", "send.toml")
    to = ("--set", f"kafka.bootstrap={kafka}")
    replayed = cli("-c", "send.toml", *to, "replay", "orders.jsonl", "--topic", name)
    assert replayed.code == 0, replayed.err
    sent(kafka, name, [b"not json", None, b"\x00\x00\x00\x00\x07framed"])
    made = init(cli, kafka, name, "--sample", "5000")
    assert made.code == 0, made.err
    assert (made.json["id"], made.json["event_time"]) == (["order_id"], "timestamp")
    assert sum(made.json["not_used"].values()) == 3
    types = {column["name"]: column["type"] for column in made.json["columns"]}
    assert types["order_id"] == "VARCHAR"
    assert types["timestamp"] == "TIMESTAMPTZ"
    assert types["items"].startswith('STRUCT("sku" VARCHAR')
    loads_its_sample(cli, 3003, (3,))


def test_the_tutorials_two_messages(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Two messages that share only an amount, which is no id: each is a row; the others are optional."""
    name = topic(partitions=1)
    sent(kafka, name, TUTORIAL)
    made = init(cli, kafka, name)
    assert made.code == 0, made.err
    assert (made.json["id"], made.json["id_candidates"]) == ([], [["order_id"], ["user_id"]])
    required = {column["name"]: column["required"] for column in made.json["columns"]}
    assert required == {
        "user_id": False,
        "action": False,
        "amount": True,
        "order_id": False,
        "timestamp": False,
    }
    assert (
        'timestamp = { type = "TIMESTAMPTZ", zone = "UTC", required = false }'
        in (cli.folder / "loader.toml").read_text()
    )
    assert loads_its_sample(cli, 2)["loaded"] == 2
    traced = cli("trace", "ORD1001")
    assert (traced.code, "the table has no id" in traced.err) == (2, True)


def test_a_messy_topic_gives_a_sound_contract(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Orders with faults of every kind give the contract of the sound ones; only the faulty are refused."""
    name = topic(partitions=3)
    assert cli("generate", "orders.jsonl", "--records", "2000", "--fault", "sample").code == 0
    cli("init", "--example", "send.toml")
    to = ("--set", f"kafka.bootstrap={kafka}")
    replayed = cli("-c", "send.toml", *to, "replay", "orders.jsonl", "--topic", name)
    assert replayed.code == 0, replayed.err
    made = init(cli, kafka, name, "--sample", "5000")
    assert made.code == 0, made.err
    assert made.json["id"] == ["order_id"]
    types = {column["name"]: column["type"] for column in made.json["columns"]}
    assert types["amount"].startswith("DECIMAL(")
    refused = 2000 - made.json["used"]
    assert 0 < refused == sum(made.json["not_used"].values())
    loads_its_sample(cli, 2000, range(1, refused + 1))


@pytest.mark.parametrize("values", [MIXED, NESTED], ids=["mixed", "nested"])
def test_mixed_and_nested_values(values: list[Any], kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """JSON where types do not fit together, STRUCTs and lists where they do."""
    name = topic(partitions=2)
    sent(kafka, name, values)
    made = init(cli, kafka, name)
    assert made.code == 0, made.err
    assert made.json["would_be_refused"] == {}
    assert loads_its_sample(cli, len(values))["loaded"] == len(values)


def test_topics_that_give_nothing(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Empty, missing, only poison, a name that no topic has, no broker: one clear line, and no file."""
    empty, poison = topic(partitions=1), topic(partitions=1)
    sent(kafka, poison, [b"not json", b"[1]", None])
    for result, code, said in (
        (init(cli, kafka, empty), 1, "the topic holds no record yet"),
        (init(cli, kafka, "no-such-topic"), 1, "the topic does not exist"),
        (init(cli, kafka, poison), 1, "no JSON object among 3 records"),
        (init(cli, kafka, 'a"b; c'), 2, "--topic: must be 1 to 249 letters"),
        (init(cli, "localhost:1", empty), 75, "localhost:1"),
        (init(cli, "nonsense here", empty), 2, "--bootstrap: must be servers"),
        (cli("init", "--json"), 2, "say what to write"),
    ):
        assert result.code == code, result.err
        assert said in result.err
        assert result.json["outcome"] == "error"
    assert not (cli.folder / "loader.toml").exists()


def test_it_never_overwrites_and_leaves_no_trace(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """A file that is there stays without --force; Kafka knows no group and no offset afterwards."""
    name = topic(partitions=1)
    sent(kafka, name, [{"id": n} for n in range(50)])
    target = cli.folder / "mine.toml"
    target.write_text("precious")
    refused = cli("-c", target, "init", "--topic", name, "--bootstrap", kafka)
    assert (refused.code, target.read_text()) == (1, "precious")
    assert f"--topic {name} --force {target}" in refused.err
    forced = cli("-c", target, "init", "--topic", name, "--bootstrap", kafka, "--force", "--sample", "10")
    assert forced.code == 0, forced.err
    assert "10 records" in forced.out
    assert "up to 50 in the topic" in target.read_text()
    admin = topics.AdminClient({"bootstrap.servers": kafka})
    groups = {group.group_id for group in admin.list_consumer_groups().result(20).valid}
    assert not groups & {"init", name, "loader-init"}
    until(lambda: sorted(p.name for p in cli.folder.iterdir()) == ["mine.toml"], "nothing else is left")
