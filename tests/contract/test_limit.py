"""The quarantine limit over the ledger, on both warehouses: what weighs beside a batch."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.config import Config
from loader.errors import QuarantineLimit
from loader.model import Identity, Totals
from loader.warehouse.attach import connect
from loader.warehouse.limit import recent_share
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.retry import drop, retry
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.wanted import Place, Wanted
from tests.making import KINDS, ORDER_COLUMNS, batch, begin, make_config, order

MENDED = {**ORDER_COLUMNS, "amount": {"type": "DECIMAL(18,2)"}}


@dataclass
class Trickle:
    """A pipeline whose records come a few at a time; `at` is the next offset."""

    config: Config
    at: int = 0

    def __call__(self, *, bad: int, good: int = 0, accept: bool = False) -> Totals:
        """Load so many records in a process of their own."""
        with closing(DuckWarehouse(self.config, accept_quarantine=accept)) as warehouse:
            return self.into(warehouse, bad=bad, good=good)

    def into(self, warehouse: DuckWarehouse, *, bad: int, good: int = 0) -> Totals:
        """Load so many records by a process that is running."""
        numbers = range(self.at, self.at + bad + good)
        values = [order(number, amount=-1 if number < self.at + bad else 1) for number in numbers]
        staged = warehouse.stage(batch((0, self.at, list(values))))
        try:
            totals = warehouse.commit(warehouse.split(staged)).totals
        finally:
            warehouse.discard(staged)
        self.at += bad + good
        return totals

    def mend(self, wanted: Wanted) -> None:
        """Retry by a contract that takes the amounts."""
        table = self.config.table.model_copy(update={"columns": MENDED_COLUMNS})
        with closing(Quarantine(self.config.model_copy(update={"table": table}))) as quarantine:
            assert retry(quarantine, wanted, never).totals.quarantined == 0

    def weighs(self) -> list[tuple[int, int]]:
        """What weighs beside the next batch."""
        with connect(self.config.warehouse, read_only=True) as home:
            return recent_share(home, self.config.pipeline)


MENDED_COLUMNS = make_config(Path(), table={"columns": MENDED}).table.columns


def never(seconds: float) -> None:
    """Nobody else writes here: there is nothing to wait for."""
    raise AssertionError(f"waits for {seconds} s")


@pytest.fixture(params=KINDS)
def trickle(request: pytest.FixtureRequest, tmp_path: Path) -> Trickle:
    """A pipeline of which nothing is loaded yet."""
    made = Trickle(make_config(tmp_path, request.param))
    begin(made.config, Identity("cluster", "orders", "topic-id", 1), {0: 0})
    return made


def test_what_was_accepted_does_not_stop_the_next_load(trickle: Trickle) -> None:
    """After a bad day that somebody accepted, a healthy trickle loads; a new bad batch stops all the same."""
    trickle(bad=2, good=100)
    with pytest.raises(QuarantineLimit):
        trickle(bad=150)
    assert trickle(bad=150, accept=True).quarantined == 150
    assert trickle(bad=1, good=20).quarantined == 1
    assert trickle.weighs() == [(21, 1), (102, 2)]
    with pytest.raises(QuarantineLimit, match=r"30 of 30 records \(33 of 153 with those before\)"):
        trickle(bad=30)


def test_what_was_mended_or_dropped_does_not_weigh(trickle: Trickle) -> None:
    """Loaded entries count as good records, dropped ones not at all; open ones weigh on."""
    trickle(bad=90)
    with pytest.raises(QuarantineLimit):
        trickle(bad=1, good=20)
    trickle.mend(Wanted(places=tuple(Place(0, offset) for offset in range(60))))
    assert trickle.weighs() == [(90, 30)]
    with closing(Quarantine(trickle.config)) as quarantine:
        assert drop(quarantine, Wanted(places=tuple(Place(0, n) for n in range(60, 85))), "junk", never) == 25
    assert trickle.weighs() == [(65, 5)]
    assert trickle(bad=1, good=50).quarantined == 1


def test_a_running_worker_hears_of_it(tmp_path: Path) -> None:
    """Entries that were mended beside a running worker do not stop it."""
    trickle = Trickle(make_config(tmp_path))
    begin(trickle.config, Identity("cluster", "orders", "topic-id", 1), {0: 0})
    with closing(DuckWarehouse(trickle.config)) as warehouse:
        trickle.into(warehouse, bad=90)
        with pytest.raises(QuarantineLimit):
            trickle.into(warehouse, bad=1, good=20)
        trickle.mend(Wanted())
        assert trickle.into(warehouse, bad=1, good=20).quarantined == 1
