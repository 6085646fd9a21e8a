"""The loader owns the settings that keep its promises; everything else may be passed through."""

from __future__ import annotations

import logging

import pytest

from loader.errors import ConfigError
from loader.kafka.settings import (
    OWNED,
    admin_settings,
    consumer_settings,
    make_admin,
    make_consumer,
    max_poll_seconds,
)


def ignore(error: object) -> None:
    """Take an error of the client."""


def of(**given: str) -> dict[str, object]:
    """Settings with what a user passes through, `_` for `.`."""
    return consumer_settings("localhost:1", "g", {k.replace("_", "."): v for k, v in given.items()})


def test_owned_settings_are_there() -> None:
    """Every promise is in the settings that a consumer gets."""
    found = of()
    assert OWNED.items() <= found.items()
    assert (found["bootstrap.servers"], found["group.id"]) == ("localhost:1", "g")


def test_no_offset_is_ever_reset_in_silence() -> None:
    """Out of range is an error that stops the load: any other word would skip records or read them again."""
    assert of()["auto.offset.reset"] == "error"


@pytest.mark.parametrize("name", [*OWNED, "bootstrap.servers", "group.id", "plugin.library.paths"])
@pytest.mark.fault(62)
def test_owned_and_dangerous_settings_are_refused(name: str) -> None:
    """With the key as it stands in the configuration."""
    with pytest.raises(ConfigError, match=f'kafka.client."{name}"'):
        consumer_settings("localhost:1", "g", {name: "x"})


def test_all_mistakes_at_once() -> None:
    """One line for each."""
    with pytest.raises(ConfigError) as refused:
        of(group_id="x", check_crcs="false")
    assert len(refused.value.mistakes) == 2


def test_tuned_settings_can_be_changed() -> None:
    """What is measured, not promised, is the user's to change."""
    assert of(fetch_queue_backoff_ms="5")["fetch.queue.backoff.ms"] == "5"


def test_kip_848_has_no_assignor_and_no_session() -> None:
    """With group.protocol=consumer the broker decides both."""
    assert "partition.assignment.strategy" not in of(group_protocol="consumer")
    with pytest.raises(ConfigError, match="broker decides"):
        of(group_protocol="consumer", session_timeout_ms="6000")
    assert of(session_timeout_ms="6000")["session.timeout.ms"] == "6000"


def test_the_queue_shrinks_with_the_memory() -> None:
    """A small process has a small queue, but never none."""
    kbytes = [
        int(consumer_settings("b", "g", memory=memory)["queued.max.messages.kbytes"])
        for memory in (1 << 30, 256 << 20, 1 << 20)
    ]
    assert kbytes == [8192, 4096, 512]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("no.such.thing", "1", "no such property"),
        ("security.protocol", "nonsense", "Invalid value"),
        ("socket.timeout.ms", "abc", "Invalid value"),
        ("fetch.max.bytes", "10", "must be"),
    ],
)
def test_what_librdkafka_refuses_is_a_config_error(name: str, value: str, words: str) -> None:
    """Its words, with the key in our configuration."""
    with pytest.raises(ConfigError, match=words) as refused:
        make_consumer(consumer_settings("localhost:1", "g", {name: value}), ignore)
    assert refused.value.address == f'kafka.client."{name}"'


def test_an_admin_gets_no_consumer_settings() -> None:
    """It would warn about each of them."""
    given = {"security.protocol": "plaintext", "max.poll.interval.ms": "1000", "group.protocol": "consumer"}
    found = admin_settings("localhost:1", given)
    assert found["security.protocol"] == "plaintext"
    assert not {"max.poll.interval.ms", "group.protocol"} & found.keys()
    make_admin(found, ignore)


def test_the_poll_interval_is_known() -> None:
    """In seconds; librdkafka's default where it is not set."""
    assert max_poll_seconds(of()) == 300
    assert max_poll_seconds(of(max_poll_interval_ms="6000")) == 6


def test_chatter_does_not_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody listens on the port: librdkafka complains into `logging` only."""
    consumer = make_consumer(consumer_settings("127.0.0.1:1", "g"), ignore)
    consumer.consume(1, 0.2)
    consumer.close()
    assert capfd.readouterr().err == ""
    assert logging.getLogger("loader.kafka").handlers
