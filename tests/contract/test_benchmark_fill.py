"""The benchmark fills a table as the loader would have: same columns, a ledger, ids that are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.config import load_config
from loader.model import Totals
from loader.warehouse.store import DuckWarehouse
from tests.benchmarks import fill
from tests.benchmarks.loads import CONTRACT, Warehouse
from tests.contract.test_warehouse import IDENTITY, commit
from tests.making import KINDS, batch, order


@pytest.mark.parametrize("kind", KINDS)
def test_a_filled_table_takes_loads_and_knows_its_ids(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch behind it, the record with an id of the filling is a conflict, and the other is loaded."""
    monkeypatch.setattr(fill, "ROWS_OF_A_BATCH", 70)
    config = load_config(CONTRACT, Warehouse(kind, tmp_path).settings, {})
    first, then = order(1), [order(2), order(3, order_id=f"ORD{fill.FIRST_ID + 99}")]
    warehouse = DuckWarehouse(config)
    warehouse.record(IDENTITY, {0: 0})
    commit(warehouse, batch((0, 0, [first])))
    warehouse.close()
    fill.fill(config, 100)
    again = DuckWarehouse(config)
    assert commit(again, batch((0, 1, then))).totals == Totals(2, loaded=1, quarantined=1)
    rows = again._commits.execute(
        "SELECT count(DISTINCT order_id), count(DISTINCT _batch) FROM lake.main.orders"
    ).fetchone()
    assert rows == (102, 4)
    ledger = again._commits.execute("SELECT seq, loaded FROM lake.loader.batches ORDER BY seq").fetchall()
    seqs, loaded = zip(*ledger, strict=True)
    assert loaded == (1, 70, 30, 1)
    assert seqs == tuple(range(seqs[0], seqs[0] + 4))
    again.close()
