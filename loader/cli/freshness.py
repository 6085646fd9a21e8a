"""Whether what is loaded is as fresh as `[freshness]` wants it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from loader.errors import BrokerAway

if TYPE_CHECKING:
    from loader.config import Config, Freshness


def freshness(config: Config, partitions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How long the oldest record that is not loaded has waited, and what the target says to that.

    `partitions` as in the status: committed offset and lag (None where the broker cannot tell).
    None where no target is set.
    """
    target = config.freshness
    if target.warn is None and target.fail is None:
        return None
    age = _age(config, partitions)
    known = {"warn_s": target.warn, "fail_s": target.fail}
    return {"state": _state(target, age, begun=bool(partitions)), "age_s": age, **known}


def _age(config: Config, partitions: list[dict[str, Any]]) -> float | None:
    from loader.kafka.waiting import oldest_waiting

    if not partitions or any(row["lag"] is None for row in partitions):
        return None
    behind = {row["partition"]: row["committed"] for row in partitions if row["lag"]}
    try:
        oldest = oldest_waiting(config, behind) if behind else None
    except BrokerAway:
        return None
    return round(max(0.0, time.time() - oldest), 1) if oldest is not None else 0.0


def _state(target: Freshness, age: float | None, *, begun: bool) -> str:
    if not begun:
        return "fail" if target.fail is not None else "warn"
    if age is None:
        return "unknown"
    if target.fail is not None and age >= target.fail:
        return "fail"
    return "warn" if target.warn is not None and age >= target.warn else "fresh"


def sentence(found: dict[str, Any]) -> str:
    """The freshness as a line of the status."""
    targets = ", ".join(
        f"{name} at {found[f'{name}_s']:g} s" for name in ("warn", "fail") if found[f"{name}_s"]
    )
    if found["state"] == "unknown":
        return f"freshness: unknown, the broker does not say ({targets})"
    if found["age_s"] is None:
        return f"freshness: {found['state']}, nothing has been loaded yet ({targets})"
    waiting = f"the oldest record has waited {found['age_s']:.0f} s" if found["age_s"] else "no record waits"
    return f"freshness: {found['state']}, {waiting} ({targets})"
