"""Datasets: every record comes back as it was, and a mistake is named with file and line."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.errors import ActionNeeded, ConfigError
from loader.replay.datasets import event_time_ms, read_dataset, with_event_times
from loader.replay.records import Record, from_line, key_reader, to_line

ORDER = b'{"order_id":"ORD1","amount":1.50}'
KEY_OF = key_reader()


def read(file: Path, *columns: str) -> list[Record]:
    """Return all records of a dataset."""
    return [record for block in read_dataset(str(file), columns or ("order_id",)) for record in block]


def text_file(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file and return it."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary() | st.just(ORDER) | st.just(ORDER + b"\r") | st.just(b'{"$record":1}'),
    time=st.none() | st.integers(0, 2**53),
    headers=st.none() | st.dictionaries(st.text(), st.none() | st.binary(), min_size=1),
)
def test_any_record_survives_a_line(
    key: bytes | None, value: bytes | None, time: int | None, headers: dict[str, bytes | None] | None
) -> None:
    """Writing a record as a line and reading it gives the same record, and a line never breaks."""
    record = Record(key, value, time, headers)
    line = to_line(record, KEY_OF)
    assert b"\n" not in line
    assert from_line(line, KEY_OF) == record


def test_a_plain_value_is_its_own_line() -> None:
    """What can stand as a line is not wrapped."""
    assert to_line(Record(b"ORD1", ORDER), KEY_OF) == ORDER


@pytest.mark.parametrize(
    ("value", "columns", "key"),
    [
        (ORDER, ("order_id",), b"ORD1"),
        (b'{ "amount": 2, "order_id": "ORD2" }', ("order_id",), b"ORD2"),
        (b'{"order_id":"ORD3","amount', ("order_id",), b"ORD3"),
        (b'{"order_id":17}', ("order_id",), b"17"),
        (b'{"order_id":"\\u00e9"}', ("order_id",), "é".encode()),
        (b'{"a":"x","b":7}', ("a", "b"), b"x|7"),
        (b'{"a":"x"}', ("a", "b"), None),
        (b'{"order_id":null}', ("order_id",), None),
        (b"[" * 5_000, ("order_id",), None),
        (b"\xff", ("order_id",), None),
    ],
)
def test_the_key_is_the_id(value: bytes, columns: tuple[str, ...], key: bytes | None) -> None:
    """The key is the text of the id, its columns joined by a bar; without an id there is none."""
    assert key_reader(columns)(value) == key


def test_jsonl_lines_become_records(tmp_path: Path) -> None:
    """Plain lines, wrapped records, empty lines, Windows line ends and a last line without an end."""
    lines = ORDER + b'\r\n\n{"$record":{"key":"ORD1","value":null,"timestamp_ms":5}}\nnot json'
    assert read(text_file(tmp_path, "a.jsonl", lines)) == [
        Record(b"ORD1", ORDER), Record(b"ORD1", None, 5), Record(None, b"not json"),
    ]  # fmt: skip


def test_lines_longer_than_a_block_stay_whole(tmp_path: Path) -> None:
    """A value larger than what is read at a time comes back in one piece."""
    long = b'{"order_id":"ORD1","note":"' + b"x" * 700_000 + b'"}'
    assert [r.value for r in read(text_file(tmp_path, "a.jsonl", long + b"\n" + ORDER + b"\n"))] == [
        long,
        ORDER,
    ]


@pytest.mark.parametrize(
    "line",
    ['{"$record":{"key":"x"}}', '{"$record":{"value":1}}', '{"$record":{"value":"x","keys":1}}',
     '{"$record":', '{"$record":{"value_base64":"?"}}', '{"$record":{"value":"","timestamp_ms":"1"}}',
     '{"$record":{"value":"","headers":[]}}', '{"$record":{"value":"","headers":{"a":1}}}'],
)  # fmt: skip
def test_a_wrong_wrapped_record_is_named(tmp_path: Path, line: str) -> None:
    """A mistake in a wrapped record stops the reading with file and line."""
    file = text_file(tmp_path, "a.jsonl", f"{{}}\n\n{line}\n")
    with pytest.raises(ActionNeeded) as caught:
        read(file)
    assert caught.value.address == f"{file}:3"


def test_gzip_is_unpacked_and_a_torn_one_is_an_error(tmp_path: Path) -> None:
    """A .gz holds the same records; a truncated one stops with a message, not a traceback."""
    packed = gzip.compress(ORDER + b"\n")
    assert read(text_file(tmp_path, "a.jsonl.gz", packed)) == [Record(b"ORD1", ORDER)]
    with pytest.raises(ActionNeeded, match="to its end"):
        read(text_file(tmp_path, "b.jsonl.gz", packed[:-9]))


def test_stdin_is_jsonl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads lines from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ORDER)))
    assert [record for block in read_dataset("-") for record in block] == [Record(b"ORD1", ORDER)]


def test_csv_rows_become_objects_of_texts(tmp_path: Path) -> None:
    """Cells stay text, empty ones are left out, quoted ones may hold line breaks."""
    file = text_file(tmp_path, "a.csv", '\ufefforder_id,amount,note\nORD1,1.50,\nORD2,2,"a\nb"\n')
    first, second = read(file)
    assert first == Record(b"ORD1", b'{"order_id":"ORD1","amount":"1.50"}')
    assert json.loads(second.value or b"") == {"order_id": "ORD2", "amount": "2", "note": "a\nb"}


@pytest.mark.parametrize("rows", [b"a,b\n1,2\n1,2,3\n", b"a,b\n1,2\n1,\xff\n", b'a,b\n1,2\n1,"x\n'])
def test_a_wrong_csv_row_is_named(tmp_path: Path, rows: bytes) -> None:
    """Too many cells, bytes that are no text and an open quote stop with the file's name."""
    file = text_file(tmp_path, "a.csv", rows)
    with pytest.raises(ActionNeeded) as caught:
        read(file)
    assert caught.value.address.startswith(f"{file}:")


def test_an_empty_csv_has_no_records(tmp_path: Path) -> None:
    """An empty file is an empty dataset."""
    assert read(text_file(tmp_path, "a.csv", "")) == []


def test_parquet_columns_become_records(tmp_path: Path) -> None:
    """Texts become bytes, times milliseconds, headers a dictionary; nulls stay nulls."""
    headers = pa.array([[("source", b"web")], None], pa.map_(pa.string(), pa.binary()))
    times = pa.array([1_500_000, None], pa.timestamp("us"))
    table = pa.table({"value": ["v", None], "key": ["k", None], "timestamp": times, "headers": headers})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [Record(b"k", b"v", 1_500, {"source": b"web"}), Record(None, None)]


def test_parquet_without_keys_is_keyed_by_id(tmp_path: Path) -> None:
    """Only the column value is needed."""
    pq.write_table(pa.table({"value": [ORDER]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [Record(b"ORD1", ORDER)]


def test_parquet_that_is_no_dataset_is_named(tmp_path: Path) -> None:
    """Without a column value, or without being Parquet, a file is refused by name."""
    pq.write_table(pa.table({"order_id": ["x"]}), tmp_path / "a.parquet")
    for file in (tmp_path / "a.parquet", text_file(tmp_path, "b.parquet", "nothing")):
        with pytest.raises(ActionNeeded, match=str(file)):
            read(file)


@pytest.mark.parametrize("name", ["none.jsonl", "a.xlsx", "a.parquet.gz", "noending"])
def test_unreadable_names_are_refused_at_once(tmp_path: Path, name: str) -> None:
    """A missing file or an unknown ending is a mistake of the command line."""
    if not name.startswith("none"):
        text_file(tmp_path, name, "{}")
    with pytest.raises(ConfigError):
        read_dataset(str(tmp_path / name))


def test_event_times_pace_records_without_a_time() -> None:
    """A time with a zone, without one (UTC) and none at all; a recorded time is kept."""
    value = b'{"at":"1970-01-01T01:00:01+01:00"}'
    assert event_time_ms(Record(None, value), "at") == 1_000
    assert event_time_ms(Record(None, b'{"at":"1970-01-01T00:00:02"}'), "at") == 2_000
    assert event_time_ms(Record(None, b'{"at":3}'), "at") is None
    assert next(with_event_times([[Record(None, value, 7)]], "at"))[0].timestamp_ms == 7
