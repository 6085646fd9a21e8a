"""An endless stream of orders with faults, the same for each seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from tests.pipelines import POISON, order

TWINS, RIVALS, REFUSED = 0.02, 0.01, 0.01  # shares of the stream
YOUNGEST = 50  # the first orders have no twins yet
PHANTOMS = 5_000_000  # numbers of orders that are sent in transactions that are aborted


class Item(NamedTuple):
    """A record to send, and what it is: see `tests.oracle.journal.KINDS`."""

    value: bytes | None
    id: str
    kind: str
    partition: int


def stream(seed: int, partitions: int) -> Iterator[Item]:
    """Orders with rising numbers; among them twins and rivals of older ones, and what cannot be loaded."""
    chance, number = random.Random(f"stream {seed}"), 0
    while True:
        partition, draw = chance.randrange(partitions), chance.random()
        older = chance.randrange(number) if number > YOUNGEST else None
        if draw < REFUSED:
            yield Item(chance.choice(POISON), "", "malformed", partition)
        elif older is not None and draw < REFUSED + RIVALS:
            yield Item(order(older, amount=0.01), name(older), "conflict", partition)
        elif older is not None and draw < REFUSED + RIVALS + TWINS:
            yield Item(order(older), name(older), "twin", partition)
        else:
            yield Item(order(number), name(number), "order", partition)
            number += 1


def phantoms(seed: int, partitions: int) -> Iterator[Item]:
    """Orders that nobody may ever see."""
    chance, number = random.Random(f"phantoms {seed}"), PHANTOMS
    while True:
        yield Item(order(number), name(number), "aborted", chance.randrange(partitions))
        number += 1


def name(number: int) -> str:
    """The id of an order."""
    return f"ORD{number:07d}"
