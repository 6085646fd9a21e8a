"""Unknown fields, conflicts and duplicates as the warehouse keeps them, and as `status` tells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.cli.status import report
from loader.config import Config, config_from
from loader.contract.drift import FIELDS, SAMPLE
from loader.errors import ConfigError
from loader.kafka.identity import Broker
from loader.model import Identity, Totals
from loader.warehouse.known import PAYS
from loader.warehouse.reading import Reader
from loader.warehouse.rehearse import rehearse
from loader.warehouse.store import DuckWarehouse
from tests.making import KINDS, ORDER_COLUMNS, batch, begin, make_config, order


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` asks a broker that is not there: it need not wait long for the answer."""
    monkeypatch.setitem(Broker.__init__.__kwdefaults__, "answer", 0.1)


def opened(config: Config) -> DuckWarehouse:
    """A warehouse with the first offset of one partition recorded."""
    begin(config, Identity("", "orders", "", 1), {0: 0})
    return DuckWarehouse(config, accept_quarantine=True)


def load(warehouse: DuckWarehouse, first: int, values: list[bytes | None]) -> Totals:
    """One batch, all the way."""
    return warehouse.commit(warehouse.split(warehouse.stage(batch((0, first, values))))).totals


def with_table(folder: Path, kind: str, **keys: Any) -> Config:
    """The orders configuration with more keys in `[table]`."""
    table = {"name": "orders", "id": "order_id", "event_time": "timestamp", "columns": dict(ORDER_COLUMNS)}
    return make_config(folder, kind, table={**table, **keys})


@pytest.mark.parametrize("kind", KINDS)
def test_new_fields_are_reported_with_their_first_place_and_share(kind: str, tmp_path: Path) -> None:
    """`status` names each unknown field; one that has become a column since is not reported any more."""
    config = with_table(tmp_path, kind)
    warehouse = opened(config)
    load(warehouse, 0, [order(n) for n in range(10)])
    load(warehouse, 10, [order(n, note="x") if n % 2 else order(n) for n in range(10, 20)])
    load(warehouse, 20, [order(20, note="x", tax=1), b"not json", None])
    warehouse.close()
    found = report(config)["unknown_fields"]
    assert found["policy"] == "ignore"
    assert [(f["field"], f["first"], f["records"], f["looked_at"], f["share"]) for f in found["fields"]] == [
        ("note", "orders[0]@11", 6, 11, 0.5455),
        ("tax", "orders[0]@20", 1, 1, 1.0),
    ]
    columns = {**ORDER_COLUMNS, "note": {"type": "VARCHAR", "required": False}}
    known = report(with_table(tmp_path, kind, columns=columns))["unknown_fields"]["fields"]
    assert [field["field"] for field in known] == ["tax"]


def test_the_report_is_a_bounded_sample(tmp_path: Path) -> None:
    """However many records and new fields there are, SAMPLE records and FIELDS fields are noted."""
    config = with_table(tmp_path, "duckdb")
    warehouse = opened(config)
    load(warehouse, 0, [order(n, **{f"new{n}": 1}) for n in range(2 * SAMPLE)])
    warehouse.close()
    with Reader(config) as reader:
        sql = "SELECT looked_at, unknown_fields FROM lake.loader.batches"
        [(looked_at, fields)] = reader.home.execute(sql).fetchall()
    assert (looked_at, len(json.loads(fields))) == (SAMPLE, FIELDS)


def test_nested_and_mapped_fields_are_found(tmp_path: Path) -> None:
    """Inside of structs, lists and maps the type says what is known; a JSON column knows everything."""
    columns = {
        "id": {"type": "VARCHAR"},
        "city": {"type": "VARCHAR", "from": "$.customer.city", "required": False},
        "items": {"type": "STRUCT(sku VARCHAR)[]", "required": False},
        "by_name": {"type": "MAP(VARCHAR, STRUCT(x INTEGER))", "required": False},
        "raw": {"type": "JSON", "required": False},
    }
    config = with_table(tmp_path, "duckdb", id="id", event_time=None, columns=columns)
    warehouse = opened(config)
    value = {
        "id": "a", "customer": {"city": "Rome", "name": "Ada"}, "items": [{"sku": "s"}, {"price": 1}, 5],
        "by_name": {"k": {"x": 1, "y": 2}}, "raw": {"anything": {"goes": 1}}, "Id": 5,
    }  # fmt: skip
    load(warehouse, 0, [json.dumps(value).encode()])
    warehouse.close()
    fields = [field["field"] for field in report(config)["unknown_fields"]["fields"]]
    assert fields == ["Id", "by_name.*.y", "customer.name", "items[*].price"]


@pytest.mark.parametrize("kind", KINDS)
def test_kept_fields_survive_the_way_through_files(kind: str, tmp_path: Path) -> None:
    """In batches that become Parquet files `_extra` comes back as it was, and its twins are twins."""
    config = with_table(tmp_path, kind, unknown_fields="keep")
    warehouse = opened(config)
    values = [order(n)[:-1] + f', "tax": {n}.50, "note": "it\'s {n}"}}'.encode() for n in range(200)]
    assert load(warehouse, 0, values).loaded == 200
    assert load(warehouse, 200, values) == Totals(200, 0, 200, 0, 0, 0)
    assert load(warehouse, 400, [values[7].replace(b"7.50", b"8.50")]).quarantined == 1
    warehouse.close()
    with Reader(config) as reader:
        found = reader.home.execute("SELECT _extra FROM lake.main.orders ORDER BY order_id").fetchall()
    assert [text for (text,) in found] == [f'{{"note":"it\'s {n}","tax":{n}.50}}' for n in range(200)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_conflict_may_count_as_a_duplicate_that_differs(kind: str, tmp_path: Path) -> None:
    """With keep_first the first record stays, and the other one's entry says that it differs."""
    config = with_table(tmp_path, kind, on_conflict="keep_first")
    warehouse = opened(config)
    assert load(warehouse, 0, [order(1), order(1), order(1, amount=9)]).duplicates == 2
    assert load(warehouse, 3, [order(1, amount=7), order(1)]) == Totals(2, 0, 2, 0, 0, 0)
    warehouse.close()
    with Reader(config) as reader:
        sql = 'SELECT "offset", first_offset, differs FROM lake.loader.duplicates ORDER BY "offset"'
        assert reader.home.execute(sql).fetchall() == [
            (1, 0, False), (2, 0, True), (3, 0, True), (4, 0, False),
        ]  # fmt: skip
        assert reader.home.execute("SELECT amount FROM lake.main.orders").fetchall() == [(1.25,)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_may_be_a_row(kind: str, tmp_path: Path) -> None:
    """With duplicates off nothing is compared, with or without an id."""
    config = with_table(tmp_path, kind, duplicates="off", id=[])
    warehouse = opened(config)
    assert load(warehouse, 0, [order(1), order(1), order(1, amount=9), b"{}"]) == Totals(4, 3, 0, 1, 0, 0)
    assert load(warehouse, 4, [order(1)]).loaded == 1
    warehouse.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("others", [[], [order(2)]])
def test_an_id_that_is_a_row_twice_gives_one_verdict(kind: str, others: list[bytes], tmp_path: Path) -> None:
    """Exact again after a time without comparing: a twin of any row with the id is one duplicate, no more.

    So is each of a batch of nothing but known ids, which are judged in one join.
    """
    warehouse = opened(with_table(tmp_path, kind, duplicates="off"))
    assert load(warehouse, 0, [order(1), order(1)]).loaded == 2
    assert load(warehouse, 2, [order(1, amount=9)]).loaded == 1
    warehouse.close()
    warehouse = DuckWarehouse(with_table(tmp_path, kind), accept_quarantine=True)
    known, at = [order(1, amount=9), order(1), order(1, amount=7)], 3
    for _ in range(PAYS + 2):  # from some time on by the set of ids
        found = load(warehouse, at, [*known, *others])
        assert (found.duplicates + found.loaded, found.quarantined, found.holes) == (2 + len(others), 1, 0)
        at += 3 + len(others)
    warehouse.close()


def test_a_check_that_does_not_compile_stops_before_anything_is_made(tmp_path: Path) -> None:
    """`load` answers as `check` does: a mistake of the configuration, with its address, and no warehouse."""
    config = with_table(tmp_path, "duckdb", checks={"odd": "amount > (SELECT 1)", "wrong": "amont > 1"})
    with pytest.raises(ConfigError) as caught:
        DuckWarehouse(config)
    assert caught.value.mistakes == (
        "table.checks.odd: a check sees one row: no subquery, window or aggregate",
        "table.checks.wrong: no column amont; did you mean amount?",
    )
    assert list(tmp_path.iterdir()) == []


AMOUNT = ORDER_COLUMNS["amount"]


@pytest.mark.parametrize(
    ("column", "mistake"),
    [
        ({"check": "amount"}, "check: is no condition: amount is neither true nor false"),
        ({"check": "amount, user_id"}, "check: is no condition: amount, user_id is neither true nor false"),
        ({"check": "amount >= 0) OR (true"}, 'check: syntax error at or near ")"'),
        ({"check": "amount >= 0; SELECT 1"}, 'check: syntax error at or near ";"'),
        ({"check": "amount > 10", "default": 5}, "default: breaks the check amount > 10"),
        (
            {"check": "amount > 10", "default": 5, "from": "headers.x"},
            "default: breaks the check amount > 10",
        ),
    ],
)
def test_a_check_that_can_judge_nothing_is_a_mistake(
    column: dict[str, Any], mistake: str, tmp_path: Path
) -> None:
    """No condition, brackets that do not match, a default that its own check refuses: with the column."""
    columns = {**ORDER_COLUMNS, "amount": {**AMOUNT, **column}}
    with pytest.raises(ConfigError) as caught:
        rehearse(with_table(tmp_path, "duckdb", columns=columns))
    assert str(caught.value).startswith(f"table.columns.amount.{mistake}")


@pytest.mark.parametrize(
    "column",
    [
        {"check": "amount > 10", "default": 50},
        {"check": "amount > 10 OR user_id IS NOT NULL", "default": 5},
        {"check": "(amount > 10) -- not (more", "required": False},
        {"check": "amount IN (1, 2) AND length(order_id) < 9"},
    ],
)
def test_sound_checks_and_defaults_pass(column: dict[str, Any], tmp_path: Path) -> None:
    """A default is not judged by a check that names other columns; comments and brackets are SQL's."""
    rehearse(with_table(tmp_path, "duckdb", columns={**ORDER_COLUMNS, "amount": {**AMOUNT, **column}}))


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ({"id": []}, "table.id: must not be empty"),
        ({"duplicates": "off", "on_conflict": "keep_first"}, "table.on_conflict: is not possible with"),
        ({"checks": {"amount": "amount > 0"}}, "table.checks.amount: is the name of a column"),
        ({"unknown_fields": "drop"}, "table.unknown_fields: must be"),
    ],
)
def test_policies_that_cannot_be(keys: dict[str, Any], mistake: str, tmp_path: Path) -> None:
    """What contradicts itself is a mistake of the configuration."""
    with pytest.raises(ConfigError) as caught:
        with_table(tmp_path, "duckdb", **keys)
    assert mistake in str(caught.value)


def test_without_duplicates_the_id_may_be_left_out(tmp_path: Path) -> None:
    """`duplicates = "off"` is the one case in which `table.id` may be missing."""
    tree = {
        "pipeline": "p",
        "kafka": {"bootstrap": "localhost:1", "topic": "t"},
        "warehouse": {"path": "w.duckdb"},
        "table": {"name": "t", "columns": {"a": {"type": "INTEGER"}}},
    }
    with pytest.raises(ConfigError, match=r"table\.id: is missing"):
        config_from(tree, tmp_path)
    tree["table"]["duplicates"] = "off"  # type: ignore[index]
    assert config_from(tree, tmp_path).table.id == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_with_braces_is_kept_where_it_is_taken_in_part(kind: str, tmp_path: Path) -> None:
    """Any characters may stand in it: the whole field is kept, because something in it is unknown."""
    column = {"type": "BIGINT", "required": False, "from": '$."a{0}{}".c'}
    config = with_table(tmp_path, kind, unknown_fields="keep", columns={**ORDER_COLUMNS, "c": column})
    warehouse = opened(config)
    load(warehouse, 0, [order(7, **{"a{0}{}": {"c": 1, "d": 2}}), order(8, **{"a{0}{}": {"c": 3}})])
    warehouse.close()
    with Reader(config) as reader:
        rows = reader.home.execute("SELECT c, _extra FROM lake.orders ORDER BY order_id").fetchall()
    found = [(c, kept and json.loads(kept)) for c, kept in rows]
    assert found == [(1, {"a{0}{}": {"c": 1, "d": 2}}), (3, None)]


KEPT = "SELECT _extra FROM lake.orders WHERE order_id = 'ORD000007'"
REASONS = "SELECT reasons FROM lake.loader.quarantine WHERE id = 'ORD000007'"


@pytest.mark.parametrize("policy", ["keep", "refuse"])
def test_records_of_thousands_of_unknown_fields_are_dealt_with(policy: str, tmp_path: Path) -> None:
    """In bounded memory and time: kept whole, or refused with the first of the fields and their number."""
    config = with_table(tmp_path, "duckdb", unknown_fields=policy)
    warehouse = opened(config)
    fields = {f"field_{number:05}": "x" * 10 for number in range(2_000)}
    wide = [order(number, **fields) for number in range(300)]
    one = order(999, **{f"f{number}": number for number in range(50_000)})
    found = load(warehouse, 0, [*wide, one, order(5_000)])
    assert (found.loaded, found.quarantined) == ((302, 0) if policy == "keep" else (1, 301))
    warehouse.close()
    with Reader(config) as reader:
        if policy == "keep":
            kept = reader.home.execute(
                "SELECT _extra FROM lake.orders WHERE order_id = 'ORD000007'"
            ).fetchone()
            assert kept is not None
            assert json.loads(kept[0]) == fields
            return
        [reasons] = reader.home.execute(
            "SELECT reasons FROM lake.loader.quarantine WHERE id = 'ORD000007'"
        ).fetchall()
    told = [reason["message"] for reason in json.loads(reasons[0])]
    assert told[0] == 'field_00000: "xxxxxxxxxx" is in no column of the contract'
    assert told[-1] == f"{2_000 - (len(told) - 1)} more fields are in no column of the contract"
