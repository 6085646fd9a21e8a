"""The rules that a record can break, by name: the words of reasons and filters."""

from __future__ import annotations

RULES = (
    "missing", "type", "coerce", "range", "inexact", "zone", "one_of", "check", "default", "nul", "unknown",
    "conflict", "json", "utf8", "tombstone", "framing", "size", "depth",
)  # fmt: skip
"""Every rule, in the order of docs/contract.md."""
