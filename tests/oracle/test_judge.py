"""The judge of a whole run is judged: sound evidence passes, and each check can fail, under its own name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.oracle import Evidence, case, database, judge
from tests.oracle.around import Look, Sample
from tests.oracle.files import Files, database_files, lake_files
from tests.oracle.journal import Sent, digest
from tests.oracle.live import collected, look
from tests.oracle.store import extension_file, lake
from tests.oracle.test_oracle import SOUND, TOPIC

KINDS = {0: ("A", "order"), 1: ("", "malformed"), 2: ("A", "twin"), 4: ("B", "order")}
JOURNAL = [
    *(Sent(r.partition, r.offset, KINDS[r.offset][0], digest(r.value), KINDS[r.offset][1]) for r in TOPIC),
    Sent(1, 6, "GHOST", digest(b"{}"), "aborted"),
]
STATUS = {
    "totals": {"loaded": 2, "duplicates": 1, "quarantined": 1, "skipped": 0},
    "quarantine": {"open": 1},
    "partitions": [{"partition": 0, "committed": 5}, {"partition": 1, "committed": 7}],
}
VERIFY = {
    "ok": True,
    "partitions": [
        {
            "partition": 0,
            "end": 5,
            "consumed": 4,
            "loaded": 2,
            "duplicates": 1,
            "quarantined": 1,
            "skipped": 0,
        },
        {
            "partition": 1,
            "end": 7,
            "consumed": 0,
            "loaded": 0,
            "duplicates": 0,
            "quarantined": 0,
            "skipped": 0,
        },
    ],
}
SAMPLES = [Sample({}, {0: 0, 1: 7}), Sample({0: 2}, {0: 2, 1: 7}), Sample({0: 2}, {0: 5, 1: 7})]
LOOKS = [Look(1, {}, {}), Look(2, {10: 1}, {10: 1}), Look(3, {10: 1, 11: 1}, {10: 1, 11: 1})]

Change = Callable[[Evidence], Evidence]


def status(**changes: Any) -> Change:
    """Other words of `loader status`."""
    return lambda evidence: replace(evidence, status={**STATUS, **changes})


def samples(*more: Sample) -> Change:
    """More samples of the two offsets."""
    return lambda evidence: replace(evidence, samples=[*SAMPLES, *more])


def looks(*more: Look) -> Change:
    """More looks of a reader."""
    return lambda evidence: replace(evidence, looks=[*LOOKS, *more])


def files(*parts: list[str]) -> Change:
    """Files that do not agree with their names."""
    return lambda evidence: replace(evidence, files=Files(*parts, 1))


def journal(*entries: Sent) -> Change:
    """Another journal."""
    return lambda evidence: replace(evidence, journal=entries)


NO_B = [entry for entry in JOURNAL if entry.id != "B"]
CHANGES: Mapping[str, tuple[str, Change]] = {
    "a record that the broker lost": ("journal", journal(*JOURNAL, Sent(0, 3, "C", digest(b"{}"), "order"))),
    "a record that nobody sent": ("journal", journal(*NO_B)),
    "an aborted record that is visible": (
        "journal",
        journal(*NO_B, Sent(0, 4, "B", digest(b"{}"), "aborted")),
    ),
    "other bytes": ("journal", journal(*NO_B, Sent(0, 4, "B", digest(b"{}"), "order"))),
    "an id without a row": ("O1", journal(*NO_B, JOURNAL[3]._replace(id="Z"))),
    "a rival that counts as a duplicate": (
        "O1",
        journal(*JOURNAL[:2], JOURNAL[2]._replace(digest=b""), *JOURNAL[3:]),
    ),
    "a malformed record that became a row": ("O1", journal(*NO_B, JOURNAL[3]._replace(kind="malformed"))),
    "Kafka ahead of the warehouse": ("O6", samples(Sample({0: 6}, {0: 5, 1: 7}))),
    "Kafka that goes back": ("O6", samples(Sample({0: 1}, {0: 5, 1: 7}))),
    "a warehouse that goes back": ("O6", samples(Sample({0: 2}, {0: 4, 1: 7}))),
    "half a batch": ("O7", looks(Look(4, {11: 1}, {11: 2}))),
    "rows without a ledger": ("O7", looks(Look(4, {12: 1}, {}))),
    "an old state": ("O7", looks(Look(2, {10: 1}, {10: 1}))),
    "told and lost": ("O8", samples(Sample({0: 6}, {0: 6, 1: 7}))),
    "a missing file": ("O9", files(["gone.parquet"], [], [])),
    "a damaged file": ("O9", files([], ["half.parquet"], [])),
    "an orphan": ("O9", files([], [], ["orphan.parquet"])),
    "lag": ("O10", lambda evidence: replace(evidence, ends={0: 5, 1: 8})),
    "no status": ("O11", lambda evidence: replace(evidence, status={"error": "it failed"})),
    "no proof": ("O11", lambda evidence: replace(evidence, verify={"error": "it failed"})),
    "other totals": ("O11", status(totals={**STATUS["totals"], "loaded": 3})),  # type: ignore[dict-item]
    "other offsets": ("O11", status(partitions=[{"partition": 0, "committed": 5}])),
    "another quarantine": ("O11", status(quarantine={"open": 2})),
    "a verify that fails": ("O11", lambda evidence: replace(evidence, verify={**VERIFY, "ok": False})),
}


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """What was collected of a sound run."""
    file = tmp_path / "w.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(SOUND)
    with database(file) as store:
        found = case(TOPIC, store)
    return Evidence(found, JOURNAL, SAMPLES, LOOKS, Files([], [], [], 1), {0: 5, 1: 7}, STATUS, VERIFY)


def failed(evidence: Evidence) -> set[str]:
    """The checks that do not hold."""
    return {check.name for check in judge(evidence) if check.ok is False}


def test_sound_evidence_passes(evidence: Evidence) -> None:
    """All of O1 to O11 are named and hold; without a reader O7 says that it was not looked at."""
    assert [check.name for check in judge(evidence)] == [
        "journal",
        *(f"O{number}" for number in range(1, 12)),
    ]
    assert all(check.ok for check in judge(evidence))
    [unseen] = [check for check in judge(replace(evidence, looks=None)) if not check.ok]
    assert (unseen.name, unseen.ok) == ("O7", None)


@pytest.mark.parametrize("change", CHANGES)
def test_each_check_can_fail(evidence: Evidence, change: str) -> None:
    """One thing that is wrong is found under the name of the fact that it breaks."""
    name, broken = CHANGES[change]
    assert name in failed(broken(evidence))


def test_a_rival_may_be_the_one_that_is_loaded(evidence: Evidence) -> None:
    """Which of two records with one id becomes the row is the loader's choice; the other is refused."""
    rivals = [*JOURNAL[:1], Sent(0, 1, "A", digest(TOPIC[1].value), "conflict"), *JOURNAL[2:]]
    assert failed(replace(evidence, journal=rivals)) == set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small lake with two files of rows in its table, named as the loader's are."""
    with duckdb.connect() as connection:
        for name in ("sqlite_scanner", "ducklake"):
            connection.execute(f"LOAD '{extension_file(name)}'")
        options = f"DATA_PATH '{tmp_path}/data/', META_JOURNAL_MODE 'WAL'"
        connection.execute(f"ATTACH 'ducklake:sqlite:{tmp_path}/c.sqlite' AS w ({options})")
        connection.execute("CREATE TABLE w.orders (order_id VARCHAR, _batch BIGINT)")
        connection.execute("CREATE SCHEMA w.loader; CREATE TABLE w.loader.head AS SELECT 2 AS seq")
        connection.execute("CREATE TABLE w.loader.batches (batch BIGINT, seq BIGINT, loaded BIGINT)")
        connection.execute("CREATE TABLE w.loader.offsets AS SELECT 0 AS partition, 7 AS next_offset")
        for batch in (10, 11):
            connection.execute("INSERT INTO w.orders SELECT 'x' || range, ? FROM range(50)", [batch])
            connection.execute("INSERT INTO w.loader.batches VALUES (?, ?, 50)", [batch, batch - 9])
    return tmp_path


def test_files_of_a_lake_are_compared_with_their_names(folder: Path) -> None:
    """A sound lake passes, with seals beside its files; one that is gone, cut or without a name is found."""
    (folder / "data" / "main" / "orders" / "ducklake-1.crc").write_text("00000000")
    sound = lake_files(folder / "c.sqlite", folder / "data")
    assert sound[:3] == ([], [], [])
    assert sound.read >= 2
    first, second = sorted((folder / "data" / "main" / "orders").glob("*.parquet"))
    (first.parent / "stranger.parquet").write_bytes(b"PAR1")
    first.unlink()
    second.write_bytes(second.read_bytes()[:-20])
    broken = lake_files(folder / "c.sqlite", folder / "data")
    assert [len(part) for part in broken[:3]] == [1, 1, 1], broken


def test_files_of_a_database_are_its_tables_and_nothing_beside(folder: Path) -> None:
    """Each table of a DuckDB file is read; a file that lies beside it is found."""
    place = folder / "own"
    place.mkdir()
    with duckdb.connect(str(place / "w.duckdb")) as connection:
        connection.execute(SOUND)
    with database(place / "w.duckdb") as store:
        assert database_files(store, place / "w.duckdb", frozenset()) == Files([], [], [], 5)
        (place / "w.duckdb.new-7").touch()
        assert database_files(store, place / "w.duckdb", frozenset()).strangers == ["w.duckdb.new-7"]


def test_a_look_is_what_it_is_told_as(folder: Path) -> None:
    """A look at a lake sees the newest batches by rows and by ledger, and survives the way through JSON."""
    with lake(folder / "c.sqlite") as store:
        seen, committed = look(store)
    assert seen == Look(2, {10: 50, 11: 50}, {10: 50, 11: 50})
    line = json.dumps({**seen._asdict(), "acknowledged": {"0": 5}, "committed": committed})
    away = json.dumps({**seen._asdict(), "acknowledged": None, "committed": committed})
    found = collected([line, away, json.dumps({"error": "no"})])
    assert found == ([Sample({0: 5}, {0: 7})], [seen, seen], ["no"])
