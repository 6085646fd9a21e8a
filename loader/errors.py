"""Every error a user can meet: who can mend it, how, and which exit code it has.

    LoaderError
    ├── ConfigError            2   command line, configuration or contract; lists every mistake
    ├── ActionNeeded           1   a person must act; running again changes nothing
    │   ├── TopicMissing           the topic does not exist
    │   ├── TopicReplaced          another topic, cluster or log than the warehouse knows
    │   ├── OffsetsLost            records between our offset and the log are gone
    │   ├── QuarantineLimit        too large a share of a batch would be refused
    │   ├── RecordsRefused         the broker refused records that we produced
    │   ├── NothingLoaded          there is no warehouse yet
    │   ├── WarehouseMismatch      the warehouse holds another pipeline, table or version
    │   └── WarehouseDamaged       a file of the warehouse is missing or cannot be read
    ├── ComparisonFailed       3   verify, score or status --check found a difference
    └── Temporary             75   run again later
        ├── BrokerAway             no broker answers, or it refuses for now
        ├── WarehouseAway          the warehouse cannot be reached, or its disk is full
        ├── WarehouseBusy          another process holds it
        └── FenceLost              other workers committed first, several times in a row

    Restart                    -   not for users: memory is no longer trusted, begin again from the warehouse
    └── OffsetsMoved               another worker committed our spans (we are the zombie)
    HeadMoved                  -   not for users: someone committed between our split and our commit

An error is one line: `address: message`, and a hint after `try:`. The address says where
(`orders[2]@1841`, `loader.toml: kafka.topic`), the hint is a command that can be typed as it is
or a sentence that says what to change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from loader.secrets import redacted

T = TypeVar("T")


class LoaderError(Exception):
    """Base of all errors meant for the user; `kind` is the stable name used with --json.

    `usual` is the hint where whoever raises the error knows no better one.
    """

    exit_code: ClassVar[int] = 70
    kind: ClassVar[str] = "internal"
    usual: ClassVar[str] = ""

    def __init__(self, message: str, *, address: str = "", hint: str = "") -> None:
        self.message, self.address = redacted(message), redacted(address)
        self.hint = redacted(hint or self.usual)
        super().__init__(self.message)

    def __str__(self) -> str:
        """One line: address, message and hint, as far as they are known."""
        return f"{without_hint(self)} (try: {self.hint})" if self.hint else without_hint(self)

    def as_json(self) -> dict[str, Any]:
        """The `error` object of a failed --json result."""
        return {"kind": self.kind, "message": self.message, "address": self.address, "hint": self.hint}


def without_hint(error: Exception) -> str:
    """What happened and where, for whoever goes on by itself and tries again."""
    if not isinstance(error, LoaderError):
        return str(error)
    return f"{error.address}: {error.message}" if error.address else error.message


class ConfigError(LoaderError):
    """The command line or the configuration is wrong; `mistakes` holds one line for each mistake."""

    exit_code = 2
    kind = "config"

    def __init__(
        self, message: str, *, address: str = "", hint: str = "", mistakes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, address=address, hint=hint)
        self.mistakes = tuple(map(redacted, mistakes))

    def as_json(self) -> dict[str, Any]:
        """As the base, with all mistakes."""
        return {**super().as_json(), "mistakes": list(self.mistakes)}


def all_of(address: str, *looks: Callable[[], T]) -> list[T]:
    """What each look gives. Raises ConfigError with the mistakes of all that raise one."""
    found, wrong = list[T](), list[ConfigError]()
    for look in looks:
        try:
            found.append(look())
        except ConfigError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        lines = tuple(line for error in wrong for line in error.mistakes or (str(error),))
        raise ConfigError(f"{len(lines)} mistakes", address=address, mistakes=lines)
    return found


class ActionNeeded(LoaderError):
    """A person must act; running again changes nothing."""

    exit_code = 1
    kind = "action_needed"


class TopicMissing(ActionNeeded):
    """The topic does not exist; the loader never creates it."""

    kind = "topic_missing"


class TopicReplaced(ActionNeeded):
    """The topic or the cluster is not the one that the warehouse was loaded from."""

    kind = "topic_replaced"


class OffsetsLost(ActionNeeded):
    """The stored offset is outside the log; the message names the exact range."""

    kind = "offsets_lost"


class QuarantineLimit(ActionNeeded):
    """More than `limits.quarantine` of the records would be refused; nothing was written."""

    kind = "quarantine_limit"


class RecordsRefused(ActionNeeded):
    """The broker refused records that `replay` sent; the message counts them."""

    kind = "records_refused"
    usual = "look at the topic's settings, such as max.message.bytes, and at the rights of this user"


class NothingLoaded(ActionNeeded):
    """There is no warehouse yet: a load makes it."""


class WarehouseMismatch(ActionNeeded):
    """The warehouse knows this pipeline, table or migration otherwise than the configuration does."""

    kind = "warehouse_mismatch"


class WarehouseDamaged(ActionNeeded):
    """A file of the warehouse is missing, truncated or cannot be read."""

    kind = "warehouse_damaged"


class ComparisonFailed(LoaderError):
    """`verify`, `score` or `status --check` found a difference."""

    exit_code = 3
    kind = "comparison_failed"


class Temporary(LoaderError):
    """Nothing is wrong with data or configuration; run again later."""

    exit_code = 75
    kind = "temporary"
    usual = "run again later"


class BrokerAway(Temporary):
    """No broker answers, or it refuses for now."""

    kind = "broker_away"
    usual = "check kafka.bootstrap, or run again when the broker answers"


class WarehouseAway(Temporary):
    """The warehouse cannot be reached or written (folder gone, disk full, I/O error)."""

    kind = "warehouse_away"


class WarehouseBusy(Temporary):
    """Another process holds the warehouse; the message names it where it is known."""

    kind = "warehouse_busy"


class FenceLost(Temporary):
    """Other workers committed first, several times in a row."""

    kind = "fence_lost"


class Restart(Exception):
    """What is in memory is no longer trusted: forget it and begin again from the warehouse."""


class OffsetsMoved(Restart):
    """The warehouse's offsets are not the ones that our spans begin at: another worker committed them."""


class HeadMoved(Exception):
    """Someone committed between our split and our commit: split again and try again."""
