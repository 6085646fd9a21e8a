"""Files that DuckLake writes, beside another lake that writes into the same folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from loader.warehouse.durable import kept_files
from loader.warehouse.files import is_as_written
from loader.warehouse.transaction import CommitFailed

Keep = Callable[[], None]


def written(file: Path) -> bytes:
    """Write a whole Parquet file; its bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql("SELECT range FROM range(5000)").write_parquet(str(file))
    return file.read_bytes()


def commit_fails(data: Path, work: Callable[[Keep], None]) -> None:
    """A transaction whose COMMIT fails after this work."""
    with kept_files(data) as keep:
        work(keep)
        raise CommitFailed


def test_two_lakes_keep_the_same_new_files(tmp_path: Path) -> None:
    """Each has a second name of its own: none fails, and none takes away what the other puts back."""
    own, other = tmp_path / "main" / "ducklake-a.parquet", tmp_path / "main" / "ducklake-b.parquet"
    both: dict[Path, bytes] = {}

    def beside_another(keep: Keep) -> None:
        with kept_files(tmp_path) as also_keep:
            both.update({file: written(file) for file in (own, other)})
            keep()
            also_keep()
        own.unlink()  # as DuckLake does when COMMIT fails

    with pytest.raises(CommitFailed):
        commit_fails(tmp_path, beside_another)
    assert {file: file.read_bytes() for file in (own, other)} == both
    assert not list(tmp_path.rglob("*.keep"))


def test_a_file_that_another_lake_is_still_writing_is_left_alone(tmp_path: Path) -> None:
    """A seal of half a file would say for ever that the whole one was changed."""
    file = tmp_path / "main" / "ducklake-b.parquet"
    whole = written(file)
    file.unlink()
    for half in (b"", whole[:4], whole[: len(whole) // 2], whole[:-1]):
        with kept_files(tmp_path) as keep:
            file.write_bytes(half)
            keep()
            file.unlink()
    assert not list(tmp_path.rglob("*.crc"))
    with kept_files(tmp_path) as keep:
        file.write_bytes(whole)
        keep()
    assert is_as_written(file)


def test_a_file_that_is_still_there_needs_not_be_put_back(tmp_path: Path) -> None:
    """Where COMMIT failed and nobody has removed the file, it stays as it is."""
    file = tmp_path / "main" / "ducklake-a.parquet"
    whole: list[bytes] = []

    def write(keep: Keep) -> None:
        whole.append(written(file))
        keep()

    with pytest.raises(CommitFailed):
        commit_fails(tmp_path, write)
    assert whole == [file.read_bytes()]
    assert is_as_written(file)
