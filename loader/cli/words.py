"""Results as sentences and tables for people."""

from __future__ import annotations

from typing import Any

OUTCOMES = {"caught_up": "caught up", "stopped": "stopped", "limit_reached": "limit reached"}


def sentence(result: dict[str, Any]) -> str:
    """The result of `load` or `run` in one line."""
    counts = ", ".join(
        f"{result[name]:,} {name}"
        for name in ("loaded", "duplicates", "quarantined", "skipped")
        if result[name]
    )
    done = f"{result['consumed']:,} records" if result["consumed"] else "nothing new"
    detail = f" ({counts})" if counts else ""
    rate = f", {result['records_per_second']:,}/s" if result["consumed"] else ""
    outcome = OUTCOMES[result["outcome"]]
    return f"{outcome}: {done}{detail} in {result['batches']} batches, {result['seconds']:.1f} s{rate}"


def printable(text: str) -> str:
    """The text with what a terminal would act on written as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
