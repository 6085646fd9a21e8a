"""What each error of the client means, and its cause in plain words."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from loader.errors import ActionNeeded, BrokerAway
from loader.kafka.faults import Health, Meaning, action_needed, meaning

K = KafkaError


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (K._TRANSPORT, Meaning.WAIT),
        (K._ALL_BROKERS_DOWN, Meaning.WAIT),
        (K.NOT_LEADER_FOR_PARTITION, Meaning.WAIT),
        (K.COORDINATOR_NOT_AVAILABLE, Meaning.WAIT),
        (K.REQUEST_TIMED_OUT, Meaning.WAIT),
        (K.UNKNOWN_TOPIC_OR_PART, Meaning.LOOK),
        (K.UNKNOWN_TOPIC_ID, Meaning.LOOK),
        (K._AUTO_OFFSET_RESET, Meaning.RANGE),
        (K.OFFSET_OUT_OF_RANGE, Meaning.RANGE),
        (K._LOG_TRUNCATION, Meaning.RANGE),
        (K._MAX_POLL_EXCEEDED, Meaning.RESTART),
        (K.FENCED_INSTANCE_ID, Meaning.RESTART),
        (K.UNKNOWN_MEMBER_ID, Meaning.RESTART),
        (K.TOPIC_AUTHORIZATION_FAILED, Meaning.PERSON),
        (K.GROUP_AUTHORIZATION_FAILED, Meaning.PERSON),
        (K._AUTHENTICATION, Meaning.PERSON),
        (K._BAD_MSG, Meaning.PERSON),
        (K._BAD_COMPRESSION, Meaning.PERSON),
        (K.UNKNOWN, Meaning.RESTART),  # whatever we do not know stops what was read
    ],
)
def test_meanings(code: int, expected: Meaning) -> None:
    """Waiting is for what is known to pass; the unknown begins again."""
    assert meaning(KafkaError(code)) is expected


def test_a_fatal_error_is_never_waited_out() -> None:
    """The client is dead then, whatever the code."""
    assert meaning(KafkaError(K._TRANSPORT, "x", True)) is Meaning.RESTART


def health(*errors: tuple[int, str]) -> Health:
    """A client that has seen these errors."""
    found = Health("host:1")
    for code, text in errors:
        found.failed(KafkaError(code, text))
    return found


def test_a_wrong_password_needs_a_person() -> None:
    """It outweighs the broken connections around it."""
    found = health((K._TRANSPORT, "down"), (K._AUTHENTICATION, "invalid credentials"), (K._TRANSPORT, "x"))
    assert found.refused()
    error = found.explain("timed out")
    assert isinstance(error, ActionNeeded)
    assert "user or password" in str(error)
    assert "invalid credentials" in str(error)


def test_tls_is_named() -> None:
    """A certificate that cannot be verified, or one that the broker wants from us."""
    for code, text in ((K._SSL, "certificate verify failed"), (K._TRANSPORT, "tls alert bad certificate")):
        error = health((code, text)).explain("timed out")
        assert isinstance(error, BrokerAway)
        assert "TLS" in str(error)
        assert "ssl.ca.location" in str(error)


def test_no_cause_at_all_hints_at_the_port() -> None:
    """A plaintext client on a TLS port only hears that all brokers are down."""
    error = health((K._ALL_BROKERS_DOWN, "1/1 brokers are down")).explain("timed out")
    assert "security.protocol" in str(error)


def test_an_address_is_told_once() -> None:
    """The client begins with the address that stands before it anyhow; another broker's stays."""
    said = "Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"
    error = health((K._TRANSPORT, f"host:1/bootstrap: {said}")).explain("timed out")
    assert (error.address, error.message) == ("host:1", f"{said}; is the broker running there?")
    other = health((K._TRANSPORT, "sasl_plaintext://other:9/2: down")).explain("timed out")
    assert (other.address, other.message) == ("host:1", "sasl_plaintext://other:9/2: down")


def test_an_answer_clears_the_past() -> None:
    """What failed before a broker answered is over."""
    found = health((K._TRANSPORT, "refused"), (K._ALL_BROKERS_DOWN, "1/1"))
    found.answered()
    assert not found.refused()
    assert str(found.explain("timed out")).startswith("host:1: timed out")


def test_action_needed_has_an_address() -> None:
    """Where, and what to look at."""
    error = action_needed(K._BAD_MSG, "bad CRC", "orders[2]@1841")
    assert str(error).startswith("orders[2]@1841: the record batch is damaged")
