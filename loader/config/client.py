"""Which librdkafka settings a configuration may pass on, and which of them are secrets.

Whether a property exists at all is known to librdkafka alone; it answers when the client is made.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

_CODE = "it makes the client load or run code"
_PRODUCER = "it belongs to producers"
_CALLBACK = "it takes code, not a text"
_WAREHOUSE = "the warehouse holds the offsets"

DENIED = {
    "plugin.library.paths": _CODE,
    "interceptors": _CODE,
    "sasl.kerberos.kinit.cmd": _CODE,
    "ssl.engine.*": _CODE,
    "ssl_engine*": _CODE,
    "ssl.providers": _CODE,
    "bootstrap.servers": "use kafka.bootstrap",
    "metadata.broker.list": "use kafka.bootstrap",
    "group.id": "use kafka.group",
    "auto.offset.reset": "use kafka.start; a lost offset must stop the loader",
    "enable.auto.commit": _WAREHOUSE,
    "auto.commit.*": _WAREHOUSE,
    "enable.auto.offset.store": _WAREHOUSE,
    "offset.store.*": _WAREHOUSE,
    "isolation.level": "the loader reads committed records only",
    "enable.partition.eof": "the loader needs these events to know the end",
    "check.crcs": "the loader always checks",
    "partition.assignment.strategy": 'the loader chooses it; group.protocol = "consumer" is possible',
    "allow.auto.create.topics": "the loader never creates a topic",
    "default.topic.config": "it would hide settings from this check",
    "enable.idempotence": _PRODUCER,
    "transactional.id": _PRODUCER,
    "test.mock.*": "it replaces the cluster by a simulated one",
    "builtin.features": "it can only be read",
    "*_cb": _CALLBACK,
    "on_*": _CALLBACK,
    "*opaque*": _CALLBACK,
    "logger": _CALLBACK,
}
"""Property, with `*` for any text, and why it is refused."""

ALLOWED_VALUES = {"group.protocol": ("classic", "consumer")}
"""Properties whose values change what the loader itself does."""

FILES = (
    "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location",
    "ssl.crl.location", "https.ca.location", "sasl.kerberos.keytab", "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.jwt.template.file",
)  # fmt: skip
"""Properties whose value is a path, by librdkafka's CONFIGURATION.md."""

NO_FILES = frozenset({"probe", ""})
"""What may stand there in place of a path: look where the system keeps its certificates."""

_SECRET = ("*password*", "*secret*", "*token*", "*passphrase*", "sasl.*", "ssl.key.pem", "*private.key*")
_NOT_SECRET = frozenset({"sasl.mechanism", "sasl.mechanisms"})


def refusal(setting: str) -> str:
    """Why the loader refuses this setting; empty if it does not."""
    name = setting.strip().casefold()
    return next((why for pattern, why in DENIED.items() if fnmatchcase(name, pattern)), "")


def is_file(setting: str, value: str) -> bool:
    """Whether the value is a path, which belongs to the folder of the configuration where it is relative."""
    return setting.strip().casefold() in FILES and value not in NO_FILES


def is_secret(setting: str) -> bool:
    """Whether the value must never be shown, even where it is written plainly."""
    name = setting.strip().casefold()
    return name not in _NOT_SECRET and any(fnmatchcase(name, pattern) for pattern in _SECRET)
