"""`verify --deep` after a change of the contract: what another contract decided is counted, not judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.config import Config
from loader.model import Identity, Span
from loader.warehouse.attach import connect
from loader.warehouse.deep import Comparison
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.reading import Reader
from loader.warehouse.retry import retry
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.wanted import Place, Wanted
from tests.making import KINDS, ORDER_COLUMNS, batch, begin, make_config, order

IDENTITY = Identity("cluster", "orders", "topic-id", 1)
FOLDED = "INSERT INTO lake.loader.folded VALUES ('orders', 0, 1, 0, 0, 2, 2, 1, 0, 0, {skipped}, 0, NULL)"


class Topic:
    """One partition, loaded under one contract after the other; each is a table's keys."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        self.loaded: list[pa.Table] = []

    def config(self, table: Mapping[str, Any]) -> Config:
        """The configuration with this contract."""
        return make_config(self.folder, self.kind, table=table)

    def load(self, table: Mapping[str, Any], *values: bytes | None) -> None:
        """One batch of these records."""
        if not self.loaded:
            begin(self.config(table), IDENTITY, {0: 0})
        made = batch((0, sum(map(len, self.loaded)), list(values)))
        with closing(DuckWarehouse(self.config(table), accept_quarantine=True)) as warehouse:
            warehouse.commit(warehouse.split(warehouse.stage(made)))
        self.loaded.append(made.records)

    def change(self, *statements: str) -> None:
        """Change the warehouse behind the loader's back."""
        with connect(self.config({}).warehouse) as home:
            for statement in statements:
                home.execute(statement)

    def compared(self, table: Mapping[str, Any]) -> tuple[dict[str, int], list[str]]:
        """The places and the problems that the comparison finds under this contract."""
        found = pa.concat_tables(self.loaded)
        with Reader(self.config(table)) as reader, closing(Comparison(reader)) as comparison:
            comparison.compare(Span(0, 0, len(found)), found, compacted=False)
            return dict(comparison.places), comparison.problems


@pytest.fixture(params=KINDS)
def topic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Topic]:
    """A topic of which nothing is loaded."""
    return Topic(tmp_path, request.param)


SKIPPED, REFUSED = {"tombstones": "skip"}, {"tombstones": "quarantine"}


def test_a_tombstone_that_another_contract_skipped_is_where_it_should_be(topic: Topic) -> None:
    """It left no trace; one that this contract has refused must be in quarantine all the same."""
    topic.load(SKIPPED, order(1), None)
    topic.load(REFUSED, order(1), None)
    found = {"loaded": 1, "skipped": 1, "duplicates": 1, "quarantined": 1}
    assert topic.compared(REFUSED) == (found, [])
    topic.change("DELETE FROM lake.loader.quarantine")
    assert topic.compared(REFUSED)[1] == ["orders[0]@3 is in no place"]


def test_a_row_that_is_lost_is_not_taken_for_a_skipped_tombstone(topic: Topic) -> None:
    """Only a null value can have been skipped."""
    topic.load(SKIPPED, order(1), None)
    topic.change("DELETE FROM lake.main.orders")
    assert topic.compared(REFUSED) == ({"skipped": 1}, ["orders[0]@0 is in no place"])


@pytest.mark.parametrize(("skipped", "problems"), [(1, []), (0, ["orders[0]@1 is in no place"])])
def test_of_folded_spans_the_sum_says_whether_any_was_skipped(
    topic: Topic, skipped: int, problems: list[str]
) -> None:
    """Which contract it was, nobody knows any more."""
    topic.load(SKIPPED, order(1), None)
    topic.change(FOLDED.format(skipped=skipped), "DELETE FROM lake.loader.spans")
    assert topic.compared(REFUSED)[1] == problems


def test_a_tombstone_that_was_edited_and_retried_is_a_row_alone(topic: Topic) -> None:
    """Also when retention has removed its entry, and the contract skips tombstones now."""
    topic.load(REFUSED, order(1), None)
    with closing(Quarantine(topic.config(REFUSED))) as quarantine:
        quarantine.edit(Place(0, 1), order(2))
        retry(quarantine, Wanted(), lambda _: None)
    topic.change("DELETE FROM lake.loader.quarantine")
    assert topic.compared(SKIPPED) == ({"loaded": 2}, [])


def test_an_edited_record_that_became_a_duplicate_has_the_id_of_its_edit(topic: Topic) -> None:
    """Which is not what was sent, also when retention has removed its entry."""
    topic.load({}, order(1), order(2), order(1, amount=5))
    with closing(Quarantine(topic.config({}))) as quarantine:
        quarantine.edit(Place(0, 2), order(2))
        retry(quarantine, Wanted(), lambda _: None)
    topic.change("DELETE FROM lake.loader.quarantine")
    assert topic.compared({}) == ({"loaded": 2, "duplicates": 1}, [])


def numbered(type_: str) -> dict[str, Any]:
    """A contract whose ids are numbers."""
    return {"columns": {**ORDER_COLUMNS, "order_id": {"type": type_}}}


def test_a_duplicate_is_compared_by_the_contract_that_found_it(topic: Topic) -> None:
    """Under a wider type an id has another text, which is no finding; another id under the same one is."""
    narrow, wide = numbered("DECIMAL(10,2)"), numbered("DECIMAL(12,4)")
    topic.load(narrow, *(order(n, order_id=n) for n in (1, 2, 1)))
    topic.load(wide, order(2, order_id=2), order(3, order_id=3))
    assert topic.compared(wide) == ({"loaded": 3, "duplicates": 2}, [])
    topic.change("UPDATE lake.loader.duplicates SET id = '9.0000'")
    assert topic.compared(wide)[1] == ["orders[0]@3 is a duplicate with another id"]
