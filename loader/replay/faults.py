"""What goes wrong in real topics, by name, and how sample data shows it.

The plan says which position gets which fault: shares are met exactly, positions are drawn by the seed.
A twin or a conflict repeats the id of an order that stands before it; so the first one sent is the one
to be loaded. Every other fault has an id (or the lack of one) of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loader.errors import ConfigError
from loader.replay.orders import Ints, Orders

FAULTS = {
    "duplicates": "the same order again, later; key order and white space may differ",
    "conflicts": "the id of an earlier order with other content",
    "late": "the event time lies hours to days in the past",
    "out_of_order": "the event time lies up to five minutes in the past",
    "malformed": "no valid order, in ten ways",
    "tombstones": "a null value with the key of an earlier order",
    "missing": "without order_id, timestamp or amount",
}
CODES = {name: code for code, name in enumerate(FAULTS, start=1)}  # 0 is a clean order
LOADED = (0, CODES["late"], CODES["out_of_order"])
REPEATS = (CODES["duplicates"], CODES["conflicts"], CODES["tombstones"])
SAMPLE = {
    "duplicates": 0.02, "conflicts": 0.001, "late": 0.01, "out_of_order": 0.02,
    "malformed": 0.002, "tombstones": 0.0005, "missing": 0.001,
}  # fmt: skip

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
_NESTING = 2_000  # brackets
_MISSING = ("order_id", "timestamp", "amount")


@dataclass(frozen=True, slots=True)
class Plan:
    """For each position its fault (a code of CODES, or 0) and the position of the order that it shows."""

    fault: NDArray[np.int8]
    source: Ints

    def counts(self) -> dict[str, int]:
        """Return how many records have each fault."""
        return {name: int((self.fault == code).sum()) for name, code in CODES.items()}


def check_shares(shares: Mapping[str, float]) -> None:
    """Raise ConfigError unless all names are known and the shares add up to less than 1."""
    wrong = [f"unknown fault {name!r}" for name in shares if name not in FAULTS]
    wrong += [f"{name}={share} is not from 0 to 1" for name, share in shares.items() if not 0 <= share < 1]
    if not wrong and sum(shares.values()) >= 1:
        wrong = ["the shares of the faults add up to 1 or more; clean orders are needed too"]
    if wrong:
        hint = "use " + ", ".join(FAULTS)
        raise ConfigError("; ".join(wrong), address="--fault", hint=hint, mistakes=tuple(wrong))


def make_plan(count: int, shares: Mapping[str, float], seed: int) -> Plan:
    """Give exactly `round(share * count)` positions to each fault; the first position stays clean."""
    chance = np.random.default_rng([seed, 1])
    fault = np.zeros(count, dtype=np.int8)
    places, taken = 1 + chance.permutation(max(count - 1, 0)), 0
    for name, code in CODES.items():
        wanted = round(shares.get(name, 0.0) * count)
        fault[places[taken : taken + wanted]] = code
        taken += wanted
    if taken > len(places):
        raise ConfigError(f"{count} records are too few for {taken} faults", address="--records")
    return Plan(fault, _sources(fault, chance))


def _sources(fault: NDArray[np.int8], chance: np.random.Generator) -> Ints:
    """Point each repeat to an order that is loaded before it: often a near one, sometimes any."""
    source = np.arange(len(fault))
    loaded, repeats = np.flatnonzero(np.isin(fault, LOADED)), np.flatnonzero(np.isin(fault, REPEATS))
    before = np.searchsorted(loaded, repeats)
    near = np.minimum(chance.geometric(0.01, len(repeats)), before)
    anywhere = 1 + (chance.random(len(repeats)) * before).astype(np.int64)
    back = np.where(chance.random(len(repeats)) < 0.8, near, anywhere)  # noqa: PLR2004
    source[repeats] = loaded[before - back]
    return source


def shift_times(orders: Orders, plan: Plan, seed: int) -> Orders:
    """Return the orders with the event times of the late and the disordered ones moved back."""
    chance = np.random.default_rng([seed, 2])
    late, disordered = plan.fault == CODES["late"], plan.fault == CODES["out_of_order"]
    times = orders.time_ms.copy()
    times[late] -= chance.integers(_HOUR_MS, 3 * _DAY_MS, int(late.sum()))
    times[disordered] -= chance.integers(1, 5 * _MINUTE_MS, int(disordered.sum()))
    return orders.replace(time_ms=times)


def as_sent(orders: Orders, plan: Plan) -> Orders:
    """Return what each position shows: repeats show their source, conflicts with one more bought."""
    shown = orders.take(plan.source)
    conflicts = plan.fault == CODES["conflicts"]
    return shown.replace(quantity=shown.quantity + conflicts)


def spoil(name: str, text: str, turn: int) -> bytes | None:
    """Turn the text of an order into the value with that fault; `turn` picks among its kinds."""
    if name == "tombstones":
        return None
    if name == "malformed":
        return MALFORMED[malformed_kind(turn)](text)
    if name == "missing":
        return _without(text, missing_field(turn))
    return _rewritten(text, turn) if name == "duplicates" else text.encode()


def malformed_kind(turn: int) -> str:
    """Name the way in which the `turn`-th malformed record is wrong: each in turn."""
    return tuple(MALFORMED)[turn % len(MALFORMED)]


def missing_field(turn: int) -> str:
    """Name the field that the `turn`-th incomplete record lacks: each in turn."""
    return _MISSING[turn % len(_MISSING)]


def _rewritten(text: str, turn: int) -> bytes:
    """Write the same content in the same bytes, with other key order, or with white space."""
    fields = json.loads(text)
    if turn % 3 == 1:
        return json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode()
    return (json.dumps(fields) if turn % 3 else text).encode()


def _without(text: str, field: str) -> bytes:
    fields = json.loads(text)
    del fields[field]
    return json.dumps(fields, separators=(",", ":")).encode()


def _replaced(field: str, written: str) -> Callable[[str], bytes]:
    """Return a function that writes something else as the value of a field."""

    def replace(text: str) -> bytes:
        parts: dict[str, Any] = {name: json.dumps(value) for name, value in json.loads(text).items()}
        parts[field] = written
        return ("{" + ",".join(f'"{name}":{part}' for name, part in parts.items()) + "}").encode()

    return replace


MALFORMED: dict[str, Callable[[str], bytes]] = {
    "truncated": lambda text: text[: len(text) * 2 // 3].encode(),
    "invalid_utf8": lambda text: text.encode().replace(b'"action":"', b'"action":"\xff\xfe', 1),
    "not_an_object": lambda text: f"[{text}]".encode(),
    "overflow": _replaced("amount", "123456789012345678901234.56"),
    "text_amount": _replaced("amount", '"twelve"'),
    "too_many_decimals": _replaced("amount", "12.345"),
    "negative_amount": _replaced("amount", "-5.00"),
    "invalid_timestamp": _replaced("timestamp", '"2026-13-45T99:00:00Z"'),
    "schema_registry": lambda text: b"\x00\x00\x00\x00\x07" + text.encode(),
    "deep_nesting": lambda _: b"[" * _NESTING + b"]" * _NESTING,
}
