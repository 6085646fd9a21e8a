"""Fakes that ship with the loader, so that users can test what they build on it without a broker."""

from loader.testing.source import (
    Assign,
    Crash,
    Crashed,
    Fail,
    Hole,
    Idle,
    MemorySource,
    MemoryTopic,
    Record,
    Revoke,
)

__all__ = [
    "Assign",
    "Crash",
    "Crashed",
    "Fail",
    "Hole",
    "Idle",
    "MemorySource",
    "MemoryTopic",
    "Record",
    "Revoke",
]
