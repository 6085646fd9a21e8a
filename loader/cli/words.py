"""Results as sentences and tables for people."""

from __future__ import annotations

import base64
import math
from typing import Any

from loader.plural import counted

OUTCOMES = {"caught_up": "caught up", "stopped": "stopped", "limit_reached": "limit reached"}


def sentence(result: dict[str, Any], *, profiled: bool = False) -> str:
    """The result of `load` or `run` in one line, and in another one what each phase took."""
    counts = ", ".join(
        counted(result[name], name)
        for name in ("loaded", "duplicates", "quarantined", "skipped")
        if result[name]
    )
    done = counted(result["consumed"], "records") if result["consumed"] else "nothing new"
    detail = f" ({counts})" if counts else ""
    rate = f", {result['records_per_second']:,}/s" if result["consumed"] else ""
    outcome = OUTCOMES[result["outcome"]]
    batches = f" in {counted(result['batches'], 'batches')}" if result["batches"] else ""
    told = f"{outcome}: {done}{detail}{batches}, {result['seconds']:.1f} s{rate}"
    return f"{told}\n{_phases(result)}" if profiled else told


def _phases(result: dict[str, Any]) -> str:
    amounts = {name: f", {count / 1e6:,.1f} MB" for name, count in result["bytes"].items() if count}
    each = [f"{name} {seconds:.2f} s{amounts.get(name, '')}" for name, seconds in result["phases"].items()]
    return f"phases: {'; '.join(each) or 'no batch'}"


def of_copy(age: float) -> str:
    """That the published copy has answered, and its age (seconds)."""
    return f"from the published copy, {age:.0f} s old"


def rounded(seconds: float | None) -> float | None:
    """Seconds as a result shows them."""
    return None if seconds is None else round(seconds, 1)


def as_json(value: Any) -> Any:
    """A cell as JSON can hold it: exact numbers and times as text, NaN and infinities too."""
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_json(part) for part in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def bytes_as_json(raw: bytes | None, name: str) -> dict[str, Any]:
    """Bytes as text where they are text, and always exactly as base64 (`NAME_base64`)."""
    if raw is None:
        return {name: None, f"{name}_base64": None}
    return {name: raw.decode(errors="backslashreplace"), f"{name}_base64": base64.b64encode(raw).decode()}
