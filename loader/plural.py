"""Counts in sentences: `1 batch`, `2,000 batches`. Pure."""

from __future__ import annotations


def counted(number: int, things: str) -> str:
    """The number and the things, in the singular where there is one; their last word is the noun."""
    return f"{number:,} {_one(things) if number == 1 else things}"


def _one(things: str) -> str:
    """`batches` without its ending; words that have none, such as `loaded`, stay."""
    if " on " in things:
        noun, _, where = things.partition(" on ")
        return f"{_one(noun)} on {where}"
    for ending, singular in (("ches", "ch"), ("ies", "y"), ("s", "")):
        if things.endswith(ending):
            return things.removesuffix(ending) + singular
    return things
