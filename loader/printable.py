"""Texts that may hold anything, for a terminal. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with what a terminal would act on written as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
