"""What an error of librdkafka means: wait, look again at the topic, begin again, or call a person.

The words for security errors come from trying each fault against a real broker; delivery and
fetch errors only say "timed out" there, the cause arrives in `error_cb`.
"""

from __future__ import annotations

import enum
import re
import threading
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException

from loader.errors import ActionNeeded, BrokerAway, LoaderError

K = KafkaError


class Meaning(enum.Enum):
    """What to do about an error."""

    WAIT = "the client goes on by itself"
    LOOK = "the topic may be gone or replaced: ask the broker"
    RANGE = "our offset is not in the log: ask for its range"
    RESTART = "begin again from the warehouse"
    PERSON = "a person must act"


_MEANINGS = {
    Meaning.WAIT: (
        K._TRANSPORT, K._ALL_BROKERS_DOWN, K._TIMED_OUT, K._RESOLVE, K._SSL, K._WAIT_COORD,
        K._TIMED_OUT_QUEUE, K._RETRY, K._NODE_UPDATE, K.REQUEST_TIMED_OUT, K.NETWORK_EXCEPTION,
        K.LEADER_NOT_AVAILABLE, K.NOT_LEADER_FOR_PARTITION, K.REPLICA_NOT_AVAILABLE, K.BROKER_NOT_AVAILABLE,
        K.COORDINATOR_LOAD_IN_PROGRESS, K.COORDINATOR_NOT_AVAILABLE, K.NOT_COORDINATOR,
        K.REBALANCE_IN_PROGRESS, K.FENCED_LEADER_EPOCH, K.UNKNOWN_LEADER_EPOCH, K.OFFSET_NOT_AVAILABLE,
        K.KAFKA_STORAGE_ERROR, K.FETCH_SESSION_ID_NOT_FOUND, K.INVALID_FETCH_SESSION_EPOCH,
        K.NOT_CONTROLLER, K.THROTTLING_QUOTA_EXCEEDED,
    ),
    Meaning.LOOK: (
        K.UNKNOWN_TOPIC_OR_PART, K.UNKNOWN_TOPIC_ID, K._UNKNOWN_TOPIC, K._UNKNOWN_PARTITION,
    ),
    Meaning.RANGE: (K._AUTO_OFFSET_RESET, K.OFFSET_OUT_OF_RANGE, K._LOG_TRUNCATION),
    Meaning.RESTART: (
        K._MAX_POLL_EXCEEDED, K.FENCED_INSTANCE_ID, K.UNKNOWN_MEMBER_ID, K.ILLEGAL_GENERATION,
        K.FENCED_MEMBER_EPOCH, K.STALE_MEMBER_EPOCH, K.UNRELEASED_INSTANCE_ID, K._ASSIGNMENT_LOST,
        K._STATE, K._FATAL,
    ),
}  # fmt: skip
MEANING = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}

WORDS = {
    K._AUTHENTICATION: "the broker refuses our user or password (wrong, or changed meanwhile)",
    K.SASL_AUTHENTICATION_FAILED: "the broker refuses our user or password (wrong, or changed meanwhile)",
    K.UNSUPPORTED_SASL_MECHANISM: "the broker does not offer this sasl.mechanism",
    K.TOPIC_AUTHORIZATION_FAILED: "we may not read the topic: the ACLs lack READ and DESCRIBE for our user",
    K.GROUP_AUTHORIZATION_FAILED: "we may not use the consumer group: the ACLs lack READ for our user",
    K.CLUSTER_AUTHORIZATION_FAILED: "the ACLs of the cluster do not allow this for our user",
    K._BAD_MSG: "the record batch is damaged (its checksum is wrong) on the broker or on the way",
    K._BAD_COMPRESSION: "the record batch cannot be decompressed: damaged",
    K.INVALID_MSG: "the record batch is damaged (its checksum is wrong) on the broker",
    K.INCONSISTENT_GROUP_PROTOCOL: "other members of the group use another assignment strategy",
    K.GROUP_MAX_SIZE_REACHED: "the group has as many members as the broker allows",
    K.INVALID_GROUP_ID: "the broker refuses the name of the group",
    K.UNSUPPORTED_VERSION: "the broker is too old for these settings",
    K.UNSUPPORTED_ASSIGNOR: "the broker does not know this assignor",
    K._UNSUPPORTED_FEATURE: "the broker is too old for these settings",
    K._NOT_IMPLEMENTED: "the client cannot do this (a compression it was not built with?)",
}
HINTS = {
    K._AUTHENTICATION: 'look at kafka.client."sasl.username" and "sasl.password"',
    K._SSL: 'look at kafka.client."ssl.ca.location", at the host name and the expiry of the certificate',
}


def meaning(error: KafkaError) -> Meaning:
    """What to do about an error that came out of the client."""
    code = error.code()
    if code in WORDS:
        return Meaning.PERSON
    if code in MEANING and not error.fatal():
        return MEANING[code]
    return Meaning.WAIT if error.retriable() and not error.fatal() else Meaning.RESTART


def action_needed(code: int, text: str, address: str) -> ActionNeeded:
    """An error for a person, in plain words, with what the client said."""
    words = WORDS.get(code, "the client gave up")
    return ActionNeeded(f"{words}: {text}", address=address, hint=HINTS.get(code, ""))


@dataclass(slots=True)
class Health:
    """Why no broker answers: fed by `error_cb`, from several threads; forgotten when one answers."""

    address: str
    _cause: str = ""
    _code: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, error: KafkaError) -> None:
        """Take an error of the client as a whole (the signature of `error_cb`)."""
        with self._lock:
            known = error.code() in (*HINTS, *WORDS)
            if error.code() != K._ALL_BROKERS_DOWN and (known or not self._cause):
                self._code, self._cause = error.code(), str(error.str())

    def answered(self) -> None:
        """A broker has answered."""
        with self._lock:
            self._cause, self._code = "", 0

    def refused(self) -> bool:
        """Whether the broker has refused us for a reason that waiting does not mend."""
        return self._code in WORDS

    def explain(self, text: str) -> LoaderError:
        """The error to raise when no answer came: its cause, in plain words where we know them."""
        with self._lock:
            code, cause = self._code, self._cause
        if code in WORDS:
            return action_needed(code, cause, self.address)
        if code == K._SSL or "tls alert" in cause or "ssl" in cause.lower():
            message = f"TLS with the broker fails: {cause}"
            return BrokerAway(message, address=self.address, hint=HINTS[K._SSL])
        cause = _without_address(cause, self.address)
        if "refused" in cause:
            cause += "; is the broker running there?"
        return BrokerAway(cause or text, address=self.address, hint=_PLAIN_HINT if not cause else "")


_FROM = re.compile(r"(?:[a-z_]+://)?(?P<address>[^\s/]+)/(?:bootstrap|\d+): ")
"""How librdkafka begins what it says about one broker."""


def _without_address(text: str, address: str) -> str:
    """What the client says, without an address that stands before it anyhow."""
    said = _FROM.match(text)
    return text[said.end() :] if said and said["address"] == address else text


_PLAIN_HINT = 'is kafka.bootstrap right, and kafka.client."security.protocol" what that port speaks?'


def code_of(failure: BaseException) -> int:
    """The error code inside a KafkaException; _TIMED_OUT for a TimeoutError."""
    if isinstance(failure, KafkaException) and isinstance(failure.args[0], KafkaError):
        return int(failure.args[0].code())
    return int(K._TIMED_OUT)
