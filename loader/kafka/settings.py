"""Settings of librdkafka: those the loader owns, its defaults, and what the user passes through.

`OWNED` keeps the promises of the loader (no automatic commit, no silent jump to the end of the log,
no aborted records), so `kafka.client` cannot change it. `TUNED` are measured defaults that it can.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from loader.errors import ConfigError

LOG = logging.getLogger("loader.kafka")
CLIENT_LOG = logging.getLogger(
    "loader.kafka.client"
)  # librdkafka's own words, several a second when it is cut off
LOG.addHandler(logging.NullHandler())  # without any handler Python would print warnings to stderr

OnError = Callable[[KafkaError], None]

OWNED: Mapping[str, str] = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",  # the default, largest, turns lost retention into silent loss
    "isolation.level": "read_committed",
    "check.crcs": "true",
    "enable.partition.eof": "true",
    "allow.auto.create.topics": "false",
    "partition.assignment.strategy": "cooperative-sticky",
}
NAMED = {
    "bootstrap.servers": "kafka.bootstrap",
    "metadata.broker.list": "kafka.bootstrap",
    "group.id": "kafka.group",
}
CODE = (  # these run programs or load libraries named in the configuration file
    "plugin.library.paths",
    "sasl.kerberos.kinit.cmd",
    "ssl.engine.location",
    "ssl.providers",
)
BROKER_DECIDES = ("session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type")

TUNED: Mapping[str, str] = {
    "client.id": "loader",
    "fetch.queue.backoff.ms": "2",  # default 1000: a full queue would stop fetching for a second
    "queued.min.messages": "10000",
    "queued.max.messages.kbytes": "8192",
    "socket.timeout.ms": "10000",  # default 60 s: for so long a hung broker would hold the client
    "topic.metadata.refresh.interval.ms": "10000",  # how soon new partitions are noticed
    "reconnect.backoff.max.ms": "2000",
    "statistics.interval.ms": "0",
}
MAX_POLL_MS = 300_000  # librdkafka's default of max.poll.interval.ms
QUEUE_SHARE = 64  # the client's queue may take this share of limits.memory


def check_client(client: Mapping[str, str]) -> None:
    """Raise ConfigError with every setting of `kafka.client` that is not the user's to set."""
    mistakes = tuple(filter(None, (_mistake(name, client) for name in sorted(client))))
    if mistakes:
        raise ConfigError(mistakes[0], mistakes=mistakes)


def _mistake(name: str, client: Mapping[str, str]) -> str:
    address = f'kafka.client."{name}"'
    if name in NAMED:
        return f"{address}: set {NAMED[name]} instead"
    if name in OWNED:
        return f"{address}: the loader sets this itself"
    if name in CODE:
        return f"{address}: refused, it would run code named in a configuration file"
    if name in BROKER_DECIDES and client.get("group.protocol") == "consumer":
        return f"{address}: with group.protocol=consumer the broker decides this"
    return ""


def consumer_settings(
    bootstrap: str, group: str, client: Mapping[str, str] | None = None, *, memory: int = 1 << 30
) -> dict[str, Any]:
    """All settings of a consumer; `memory` is limits.memory in bytes. Raises ConfigError."""
    given = dict(client or {})
    check_client(given)
    kbytes = max(512, min(int(TUNED["queued.max.messages.kbytes"]), memory // QUEUE_SHARE // 1024))
    settings: dict[str, Any] = {
        **TUNED,
        "queued.max.messages.kbytes": str(kbytes),
        **given,
        **OWNED,
        "bootstrap.servers": bootstrap,
        "group.id": group,
    }
    if settings.get("group.protocol") == "consumer":
        del settings["partition.assignment.strategy"]
    return settings


def admin_settings(bootstrap: str, client: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The settings of an admin client: connection and security only. Raises ConfigError."""
    given = dict(client or {})
    check_client(given)
    shared = ("client.id", "socket.timeout.ms", "reconnect.backoff.max.ms", "statistics.interval.ms")
    tuned = {name: TUNED[name] for name in shared}
    own = {name: value for name, value in given.items() if not name.startswith(CONSUMER_ONLY)}
    return {**tuned, **own, "bootstrap.servers": bootstrap}


CONSUMER_ONLY = ("group.", "session.", "heartbeat.", "max.poll.", "fetch.", "queued.", "consume.")


def make_consumer(settings: Mapping[str, Any], on_error: OnError) -> Consumer:
    """A consumer that reports to `on_error` and logs into `logging`. Raises ConfigError."""
    try:
        return Consumer(_with(on_error, settings), logger=CLIENT_LOG)
    except KafkaException as refused:
        raise refusal(refused) from None


def make_admin(settings: Mapping[str, Any], on_error: OnError) -> AdminClient:
    """An admin client, as `make_consumer`. Raises ConfigError."""
    try:
        return AdminClient(_with(on_error, settings), logger=CLIENT_LOG)
    except KafkaException as refused:
        raise refusal(refused) from None


def _with(on_error: OnError, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "error_cb": on_error}


def refusal(refused: KafkaException) -> ConfigError:
    """What librdkafka said about a setting, as an error that names the key in our configuration."""
    text = str(refused.args[0].str())
    found = re.search(r'propert\w+:? "([^"]+)"', text) or re.search(r"`([a-z.]+)`", text)
    address = f'kafka.client."{found.group(1)}"' if found else "kafka.client"
    if text.startswith("No such configuration property"):
        text = "librdkafka has no such property"
    return ConfigError(text, address=address, mistakes=(f"{address}: {text}",))


def max_poll_seconds(settings: Mapping[str, Any]) -> float:
    """After how many seconds without a poll the group takes a member's partitions away."""
    return float(settings.get("max.poll.interval.ms", MAX_POLL_MS)) / 1000
