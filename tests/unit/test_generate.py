"""Sample data: deterministic, with exactly the faults asked for, and an answer key that adds up."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loader.errors import ConfigError
from loader.replay import faults, orders
from loader.replay.datasets import read_dataset
from loader.replay.generate import GenerateOptions, blocks, expected, write, write_answers
from loader.replay.records import Record

MIX = {
    "duplicates": 0.03, "conflicts": 0.01, "late": 0.02, "out_of_order": 0.02,
    "malformed": 0.02, "tombstones": 0.01, "missing": 0.015,
}  # fmt: skip
OPTIONS = GenerateOptions(12_000, seed=7, faults=MIX)


def records_of(options: GenerateOptions) -> list[Record]:
    """Return all generated records."""
    return [record for block in blocks(options) for record in block]


def answer_lines(file: Path) -> list[Any]:
    """Return the lines of an answer key."""
    return [json.loads(line, parse_float=Decimal) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def sent() -> list[Record]:
    """The records of OPTIONS, in order."""
    return records_of(OPTIONS)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    """Dataset and answer key depend on the options alone."""
    first, second = (write(OPTIONS, tmp_path / f"{name}.{ending}") for name in "ab")
    assert first.file.read_bytes() == second.file.read_bytes()
    assert first.answers is not None
    assert second.answers is not None
    assert first.answers.read_bytes() == second.answers.read_bytes()


def test_another_seed_gives_other_orders() -> None:
    """The seed decides the content."""
    one, two = (records_of(GenerateOptions(100, seed=seed)) for seed in (1, 2))
    assert [record.value for record in one] != [record.value for record in two]


def test_jsonl_and_parquet_hold_the_same_records(tmp_path: Path, sent: list[Record]) -> None:
    """Keys and values, faults included, survive both formats byte for byte."""
    for ending in ("jsonl", "parquet"):
        written = write(OPTIONS, tmp_path / f"orders.{ending}", with_answers=False)
        read = [record for block in read_dataset(str(written.file)) for record in block]
        assert [record[:2] for record in read] == [record[:2] for record in sent]


def test_parquet_holds_the_time_of_sending(tmp_path: Path, sent: list[Record]) -> None:
    """The column timestamp comes back as milliseconds, and rises."""
    written = write(OPTIONS, tmp_path / "orders.parquet")
    times = [record.timestamp_ms for block in read_dataset(str(written.file)) for record in block]
    assert times == [record.timestamp_ms for record in sent]
    assert times == sorted(times, key=lambda time: time or 0)


def test_an_order_follows_the_contract() -> None:
    """A clean order is compact JSON of about 230 bytes whose amount is the exact sum of its items."""
    clean = records_of(GenerateOptions(3_000, seed=3))
    for record in clean:
        order = json.loads(record.value or b"", parse_float=Decimal)
        assert list(order) == ["order_id", "timestamp", "user_id", "action", "amount", "currency", "items"]
        assert order["amount"] == sum(item["quantity"] * item["price"] for item in order["items"])
        assert record.key == order["order_id"].encode()
    assert 215 < sum(len(record.value or b"") for record in clean) / len(clean) < 245


def test_every_fault_has_exactly_its_share() -> None:
    """`round(share * records)` positions show each fault, and none shows two."""
    plan = faults.make_plan(OPTIONS.records, MIX, OPTIONS.seed)
    assert plan.counts() == {name: round(share * OPTIONS.records) for name, share in MIX.items()}


def test_the_answer_key_says_where_every_record_ends(tmp_path: Path) -> None:
    """Header counts, line counts and the number of records agree."""
    written = write(OPTIONS, tmp_path / "orders.jsonl")
    assert written.answers == tmp_path / "orders.jsonl.answers.jsonl"
    header, *lines = answer_lines(written.answers)
    outcomes = Counter(line["outcome"] for line in lines)
    assert header["records"] == OPTIONS.records == len(lines)
    assert header["expected"] == written.expected == expected(OPTIONS)
    assert sum(written.expected.values()) == OPTIONS.records
    assert [outcomes[name] for name in ("loaded", "duplicate", "quarantined")] == [
        written.expected[name] for name in ("loaded", "duplicates", "quarantined")
    ]


def test_what_cannot_be_made_leaves_the_old_file(tmp_path: Path) -> None:
    """Too few records for the faults, a negative seed, the key in the dataset's place: nothing is written."""
    file = tmp_path / "orders.jsonl"
    file.write_text("old")
    with pytest.raises(ConfigError):
        write(GenerateOptions(10, faults={"duplicates": 0.99}), file)
    with pytest.raises(ConfigError, match="is the dataset itself"):
        write(GenerateOptions(10), file, tmp_path / "." / "orders.jsonl")
    with pytest.raises(ConfigError, match="-1 is negative"):
        GenerateOptions(10, seed=-1)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_the_answer_key_can_be_written_alone(tmp_path: Path) -> None:
    """An answer key without a dataset is the same file."""
    written = write(OPTIONS, tmp_path / "orders.jsonl")
    write_answers(OPTIONS, tmp_path / "alone.jsonl")
    assert written.answers is not None
    assert (tmp_path / "alone.jsonl").read_bytes() == written.answers.read_bytes()


def test_repeats_follow_the_order_that_they_repeat(tmp_path: Path, sent: list[Record]) -> None:
    """Twins have the same content as an earlier loaded order, conflicts the same id and other content."""
    write_answers(OPTIONS, tmp_path / "key.jsonl")
    loaded: dict[str, Any] = {}
    rewritten = 0
    for record, answer in zip(sent, answer_lines(tmp_path / "key.jsonl")[1:], strict=True):
        if answer["outcome"] == "loaded":
            assert answer["id"] not in loaded
            loaded[answer["id"]] = answer["content"]
        elif answer["outcome"] == "duplicate":
            assert json.loads(record.value or b"", parse_float=Decimal) == loaded[answer["id"]]
            rewritten += b'": ' in (record.value or b"") or not (record.value or b"").startswith(
                b'{"order_id'
            )
        elif answer["fault"] == "conflict":
            content = json.loads(record.value or b"", parse_float=Decimal)
            assert content["order_id"] in loaded
            assert content != loaded[content["order_id"]]
    assert rewritten == 240  # two of three twins are written in other bytes


def test_tombstones_have_the_key_of_an_earlier_order(sent: list[Record]) -> None:
    """A null value carries the key that it would delete."""
    keys: set[bytes | None] = set()
    seen = 0
    for record in sent:
        if record.value is None:
            seen += 1
            assert record.key in keys
        keys.add(record.key)
    assert seen == 120


def test_malformed_records_are_of_all_kinds() -> None:
    """Ten kinds take turns: bytes that are no text, framing, nesting, numbers, times."""
    values = [record.value or b"" for record in records_of(GenerateOptions(100, faults={"malformed": 0.2}))]
    assert sum(value.startswith(b"\0\0\0\0\7{") for value in values) == 2
    assert sum(value.count(b"[") == 2_000 for value in values) == 2
    assert sum(b"\xff\xfe" in value for value in values) == 2
    for text in (
        b'"amount":12.345',
        b'"amount":-5',
        b'"amount":"twelve"',
        b"2026-13-45",
        b"789012345678901234",
    ):
        assert sum(text in value for value in values) == 2


def test_incomplete_records_lack_each_field_in_turn() -> None:
    """order_id, timestamp and amount are missing equally often; without an id there is no key."""
    incomplete = records_of(GenerateOptions(100, faults={"missing": 0.3}))
    for field in ("order_id", "timestamp", "amount"):
        assert sum(f'"{field}"'.encode() not in (record.value or b"") for record in incomplete) == 10
    assert sum(record.key is None for record in incomplete) == 10


def test_late_orders_lie_in_the_past() -> None:
    """A late event is at least an hour older than its sending, a disordered one at most five minutes."""
    drawn = orders.draw(1_000, 1, 1_772_323_200_000, 7)
    plan = faults.make_plan(1_000, {"late": 0.1, "out_of_order": 0.1}, 1)
    shift = drawn.time_ms - faults.shift_times(drawn, plan, 1).time_ms
    assert shift[plan.fault == faults.CODES["late"]].min() >= 3_600_000
    disordered = shift[plan.fault == faults.CODES["out_of_order"]]
    assert disordered.min() > 0
    assert disordered.max() < 300_000
    assert not shift[plan.fault == 0].any()


def test_days_have_a_curve() -> None:
    """Orders fill all the days, and the evening sells many times more than the night."""
    drawn = orders.draw(24_000, 1, 1_772_323_200_000, 2)
    hours = (drawn.time_ms - 1_772_323_200_000) // 3_600_000
    counts = np.bincount(hours, minlength=48)
    assert len(counts) == 48
    assert (counts[[20, 44]] > 8 * counts[[3, 27]]).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"records": 0}, "less than 1"),
        ({"records": 10, "faults": {"duplicate": 0.1}}, "unknown fault"),
        ({"records": 10, "faults": {"late": 0.6, "missing": 0.4}}, "add up to 1"),
        ({"records": 10, "faults": {"late": -0.1}}, "not from 0 to 1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], said: str) -> None:
    """Options that cannot be met are a mistake of the command line."""
    with pytest.raises(ConfigError, match=said):
        GenerateOptions(**options)


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    """The ending of the file decides its format."""
    with pytest.raises(ConfigError, match=r"\.parquet"):
        write(OPTIONS, tmp_path / "orders.xlsx")
