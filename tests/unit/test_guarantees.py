"""`loader guarantees`: what a configuration promises follows from its warehouse and the disk under it."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.cli.guarantees import Guarantee, file_system, promised
from tests.making import make_config

REPOSITORY = Path(__file__).parents[2]
MOUNTS = """\
overlay / overlay rw 0 0
tmpfs /tmp tmpfs rw 0 0
systemd-1 /data/share\\040d autofs rw 0 0
server:/x /data/share\\040d nfs4 rw 0 0
/dev/sda1 /data ext4 rw 0 0
"""


def found(folder: Path, kind: str, system: str = "ext4", **warehouse: str) -> dict[str, Guarantee]:
    """The promises by name."""
    config = make_config(folder, kind, warehouse=warehouse)
    return {each.name: each for each in promised(config, system)}


def test_a_lake_on_a_disk_promises_everything(tmp_path: Path) -> None:
    """The default warehouse on a local disk holds every guarantee."""
    assert all(each.holds for each in found(tmp_path, "ducklake").values())


def test_a_duckdb_file_blocks_readers_unless_a_copy_is_published(tmp_path: Path) -> None:
    """Its writer locks it, and a second worker cannot join; `warehouse.publish` mends the first."""
    plain = {name for name, each in found(tmp_path, "duckdb").items() if not each.holds}
    assert plain == {"readers never blocked", "several workers"}
    copied = found(tmp_path, "duckdb", publish="copy.duckdb")["readers never blocked"]
    assert copied.holds
    assert "copy.duckdb" in copied.why


def test_duplicates_are_promised_as_the_table_says(tmp_path: Path) -> None:
    """Nothing is promised with duplicates off; keep_first is told."""
    table = make_config(tmp_path).table.model_dump(by_alias=True)
    for keys, holds, words in (
        ({"on_conflict": "keep_first"}, True, "counts as a duplicate that differs"),
        ({"duplicates": "off"}, False, "every event is a row"),
    ):
        config = make_config(tmp_path, table={**table, **keys})
        promise = {each.name: each for each in promised(config, "ext4")}["deduplicated"]
        assert promise.holds == holds
        assert words in promise.why


@pytest.mark.parametrize("system", ["tmpfs", "nfs4"])
def test_a_disk_that_cannot_keep_its_word_is_named(tmp_path: Path, system: str) -> None:
    """Neither memory nor a network share is durable in the way that a commit needs; locks fail on shares."""
    promises = found(tmp_path, "ducklake", system)
    broken = {name for name, each in promises.items() if not each.holds}
    of_a_share = {"fenced", "several workers"} if system == "nfs4" else set()
    assert broken == {"durable after power loss"} | of_a_share
    assert all(system in promises[name].why for name in broken)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/tmp/w/catalog.sqlite", "tmpfs"),
        ("/data/share d/catalog.sqlite", "nfs4"),
        ("/data/warehouse.duckdb", "ext4"),
        ("/database/warehouse.duckdb", "overlay"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, file: str, kind: str) -> None:
    """The longest mount point above the path counts; one that only looks alike does not."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert file_system(Path(file), mounts) == kind


def test_where_the_system_tells_nothing_nothing_is_claimed(tmp_path: Path) -> None:
    """Without /proc the type is unknown, and that is no error."""
    assert file_system(tmp_path, tmp_path / "none") == ""


@pytest.mark.parametrize("kind", ["ducklake", "duckdb"])
def test_what_shows_a_promise_exists(tmp_path: Path, kind: str) -> None:
    """Every test that is named is a file of the suite."""
    named = {test for each in found(tmp_path, kind).values() for test in each.shown_by}
    assert named
    assert not [test for test in named if not (REPOSITORY / test).is_file()]
