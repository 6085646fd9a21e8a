"""A query reads the warehouse's tables and reaches nothing else, on both kinds of warehouse."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
import pytest

from loader.config import Config
from loader.errors import ActionNeeded
from loader.model import Identity
from loader.statements import statement
from loader.warehouse.ask import Asker, ask
from loader.warehouse.attach import connect
from loader.warehouse.question import TABLE_FUNCTIONS, answer, in_words
from loader.warehouse.store import DuckWarehouse
from tests.making import KINDS, batch, begin, make_config, order
from tests.servers.command import REPOSITORY

Ask = Callable[..., pa.Table]

IDENTITY = Identity("cluster", "orders", "topic-id", 1)
LONG = "SELECT count(*) FROM range(100000000000) AS a(i) WHERE i % 7 = 3"
OUTSIDE = "reaches the warehouse's tables and nothing else"
READS = "only one statement that reads"


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A warehouse of each kind with 100 orders in Parquet and 3 inlined, and secret files beside it.

    One for all, because nothing here may change it.
    """
    folder = tmp_path_factory.mktemp("loaded")
    config = make_config(folder, request.param)
    warehouse = DuckWarehouse(config)
    warehouse.record(IDENTITY, {0: 0})
    for first, count in ((0, 100), (100, 3)):
        values = [order(number) for number in range(first, first + count)]
        warehouse.commit(warehouse.split(warehouse.stage(batch((0, first, values)))))
    warehouse.close()
    (folder / "secret.csv").write_text("a,b\nhunter2,1\n")
    with sqlite3.connect(folder / "other.sqlite") as other:
        other.execute("CREATE TABLE t (a)")
        other.execute("INSERT INTO t VALUES ('hunter2')")
    other.close()
    return config


def test_rows_of_files_and_of_the_catalogue_are_read(loaded: Config) -> None:
    """What is in Parquet and what is inlined, with the values and types that a plain connection gives."""
    sql = "SELECT * FROM orders ORDER BY order_id"
    found = ask(loaded, sql, 60)
    with connect(loaded.warehouse, read_only=True) as home:
        home.execute("USE lake")
        expected = home.execute(sql).to_arrow_table()
    assert found.num_rows == 103
    assert found.schema.equals(expected.schema, check_metadata=True)
    assert found.equals(expected)


@pytest.fixture
def locked(loaded: Config) -> Iterator[Ask]:
    """A connection in this process, locked as the one of a query; asks a question and gives the rows."""
    with connect(loaded.warehouse, read_only=True) as home:
        data = str(loaded.warehouse.data_path) if loaded.warehouse.kind == "ducklake" else ""
        home.execute(statement("warehouse/lock_down", data=data))

        def ask_it(sql: str, **parameters: str) -> pa.Table:
            try:
                return answer(home, sql, "orders", "orders", parameters).read_all()
            except (duckdb.Error, pa.ArrowException) as error:
                raise in_words(error, sql) from error

        yield ask_it


READING = (
        "SELECT 1", "FROM orders LIMIT 1", "VALUES (1)", "DESCRIBE orders", "SHOW TABLES", "SUMMARIZE orders",
        "EXPLAIN SELECT * FROM orders", "EXPLAIN ANALYZE SELECT * FROM orders",
        "WITH a AS (SELECT * FROM orders) SELECT count(*) FROM a JOIN range(3) AS r(i) ON i = 1",
        "SELECT unnest([1, 2])", "SELECT * FROM loader.batches", "SELECT * FROM duckdb_tables()",
)  # fmt: skip


def test_everything_that_only_reads_is_answered(locked: Ask) -> None:
    """SELECT in all its forms, DESCRIBE, SUMMARIZE, EXPLAIN, the control tables, harmless table functions."""
    for sql in READING:
        assert locked(sql).num_rows, sql


REFUSED = (
        ("SELECT * FROM read_csv('{folder}/secret.csv')", OUTSIDE),
        ("SELECT * FROM read_text('{folder}/secret.csv')", OUTSIDE),
        ("SELECT * FROM read_blob('{folder}/secret.csv')", OUTSIDE),
        ("SELECT * FROM '{folder}/secret.csv'", "."),
        ('FROM "{folder}/secret.csv"', "."),
        ("FROM '{folder}/other.sqlite'", "."),
        ("SELECT * FROM glob('{folder}/*')", OUTSIDE),
        ("SELECT * FROM sniff_csv('{folder}/secret.csv')", OUTSIDE),
        ("SELECT * FROM parquet_metadata('{folder}/secret.csv')", OUTSIDE),
        ("SELECT * FROM sqlite_scan('{folder}/other.sqlite', 't')", OUTSIDE),
        ("SELECT * FROM system.main.sqlite_scan('{folder}/other.sqlite', 't')", OUTSIDE),
        ("SELECT * FROM SQLITE_SCAN('{folder}/other.sqlite', 't')", OUTSIDE),
        ("SELECT (SELECT count(*) FROM sqlite_scan('{folder}/other.sqlite', 't'))", OUTSIDE),
        ("DESCRIBE SELECT * FROM sqlite_scan('{folder}/other.sqlite', 't')", OUTSIDE),
        ("EXPLAIN ANALYZE SELECT * FROM sqlite_scan('{folder}/other.sqlite', 't')", OUTSIDE),
        (
            " -- x\nEXPLAIN ANALYZE FROM sqlite_scan('{folder}/other.sqlite', 't') UNION ALL\nSELECT 1",
            READS,
        ),
        ("/* EXPLAIN */ EXPLAIN ANALYZE SELECT * FROM sqlite_scan('{folder}/other.sqlite', 't')", READS),
        ("EXPLAIN -- x\nANALYZE SELECT * FROM sqlite_scan('{folder}/other.sqlite', 't')", READS),
        ("SELECT * FROM sqlite_query('__ducklake_metadata_lake', 'SELECT 1')", OUTSIDE),
        ("SELECT * FROM sqlite_attach('{folder}/other.sqlite')", OUTSIDE),
        ("SELECT * FROM query('SELECT * FROM sqlite_scan(''{folder}/other.sqlite'', ''t'')')", OUTSIDE),
        ("SELECT * FROM query_table('{folder}/secret.csv')", OUTSIDE),
        ("SELECT * FROM json_execute_serialized_sql('{{}}')", OUTSIDE),
        ("SELECT * FROM read_duckdb('{folder}/warehouse.duckdb')", OUTSIDE),
        ("SELECT * FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)", OUTSIDE),
        ("SELECT * FROM read_parquet('https://localhost:1/x.parquet')", OUTSIDE),
        ("SELECT * FROM read_json('http://localhost:1/x')", OUTSIDE),
        ("SELECT * FROM 'https://localhost:1/x.parquet'", "."),
        ("SELECT getenv('HOME')", "getenv does not exist"),
        ("COPY orders TO '{folder}/out.csv'", READS),
        ("COPY (SELECT 1) TO '{data}/out.parquet'", READS),
        ("ATTACH '{folder}/other.sqlite' AS other (TYPE sqlite)", READS),
        ("ATTACH '{folder}/new.duckdb'", READS),
        ("EXPORT DATABASE '{folder}/out'", READS),
        ("INSTALL httpfs", READS),
        ("LOAD httpfs", READS),
        ("SET enable_external_access = true", READS),
        ("PRAGMA enable_profiling", READS),
        ("CALL pragma_version()", READS),
        ("DELETE FROM orders", READS),
        ("EXPLAIN ANALYZE DELETE FROM orders", READS),
        ("CREATE TEMP TABLE x AS SELECT 1", READS),
        ("SELECT 1; SELECT 2", READS),
        ("SELECT * FROM address", "does not exist"),
        ("nonsense", "."),
)  # fmt: skip


@pytest.mark.fault(63)
def test_whatever_reaches_further_is_refused_in_one_line(loaded: Config, locked: Ask) -> None:
    """Files, other databases, network, extensions, environment, settings, writes; nothing is left behind."""
    folder = loaded.warehouse.file.parent
    before = left(folder)
    for sql, said in REFUSED:
        with pytest.raises(ActionNeeded, match=said) as refused:
            locked(sql.format(folder=folder, data=loaded.warehouse.data_path))
        assert "\n" not in str(refused.value)
        assert "hunter2" not in str(refused.value)
    assert left(folder) == before


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM read_csv('/etc/passwd')", "COPY orders TO 'x.csv'", "SELECT 1; SELECT 2", "nonsense"],
)
def test_the_process_hands_on_what_was_refused(loaded: Config, sql: str) -> None:
    """The error comes out of the process as it was raised there: kind, message and address."""
    with pytest.raises(ActionNeeded) as refused:
        ask(loaded, sql, 60)
    assert refused.value.address == "query"


def left(folder: Path) -> dict[Path, int]:
    """Every file and its size, without those that SQLite makes for each reader."""
    return {p: p.stat().st_size for p in folder.rglob("*") if not p.name.endswith(("-wal", "-shm"))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(63)
def test_duckdb_itself_is_locked_too(kind: str, tmp_path: Path) -> None:
    """Behind our own walls: without them DuckDB still refuses files, extensions and changed settings."""
    config = make_config(tmp_path, kind)
    begin(config, IDENTITY, {0: 0})
    with connect(config.warehouse, read_only=True) as home:
        home.execute(statement("warehouse/lock_down", data=str(config.warehouse.data_path)))
        for sql in (
            "SELECT * FROM read_text('/etc/hostname')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/new.duckdb'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SELECT * FROM read_json('http://localhost:1/')",
            "DELETE FROM lake.loader.offsets",
        ):
            with pytest.raises(duckdb.Error, match=r"disabled|locked|read-only"):
                home.execute(sql)


def test_the_list_of_table_functions_is_sound(tmp_path: Path) -> None:
    """The list holds only functions that there are, and none whose name says that it reaches further."""
    config = make_config(tmp_path)
    begin(config, IDENTITY, {0: 0})
    names = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type LIKE 'table%'"
    with connect(config.warehouse, read_only=True) as home:
        known = {row[0] for row in home.execute(names).fetchall()}
    assert known >= TABLE_FUNCTIONS
    words = (
        "read_",
        "sqlite_",
        "_scan",
        "glob",
        "sniff",
        "parquet",
        "attach",
        "query",
        "logs",
        "cleanup",
        "secret",
    )
    assert not [name for name in TABLE_FUNCTIONS if any(word in name for word in words)]


@pytest.mark.fault(63)
def test_a_query_that_takes_too_long_is_ended(loaded: Config) -> None:
    """After --timeout there is one line, and the process is gone."""
    with Asker() as asker, pytest.raises(ActionNeeded, match=r"no answer within --timeout 0\.5s"):
        asker.ask(loaded, LONG, 0.5)
    assert asker._process.returncode is not None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(i) FROM range(1000000000) AS a(i)",
        "SELECT repeat('x', 2000000000) AS a, repeat('y', 2000000000) AS b",
    ],
)
@pytest.mark.fault(63)
def test_a_query_that_needs_too_much_memory_is_ended(tmp_path: Path, sql: str) -> None:
    """Neither DuckDB's own memory nor what it does not count goes beyond limits.memory."""
    config = make_config(tmp_path, limits={"memory": "256 MiB"})
    begin(config, IDENTITY, {0: 0})
    with pytest.raises(ActionNeeded, match=r"limits\.memory"):
        ask(config, sql, 120)


def test_an_answer_that_is_too_large_is_not_taken(tmp_path: Path) -> None:
    """The result is held in memory once, up to limits.memory."""
    config = make_config(tmp_path, limits={"memory": "256 MiB"})
    begin(config, IDENTITY, {0: 0})
    with pytest.raises(ActionNeeded, match=r"the answer is larger than limits\.memory, 256 MiB"):
        ask(config, "SELECT i, i + 1 AS j FROM range(100000000000) AS a(i)", 120)


@pytest.mark.fault(59, 63)
def test_the_process_has_no_secret_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that hold secrets are not handed on; no word of the query stands in the process list."""
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2")
    monkeypatch.setenv("LOADER__KAFKA__CLIENT__SASL_PASSWORD", "hunter2")
    with Asker() as asker:
        process = psutil.Process(asker._process.pid)
        _until(process.cmdline)  # it is a process of its own before it is another program
        assert "hunter2" not in str(process.environ())
        assert process.cmdline()[1:] == ["-m", "loader.warehouse.asked"]


def test_the_process_imports_no_pandas(
    loaded: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB and pyarrow would import it where it is installed, for nothing: half a second of each query."""
    (tmp_path / "pandas.py").write_text("open(__file__ + '.imported', 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{REPOSITORY}")
    with Asker() as asker:
        found = asker.ask(
            loaded, "SELECT count(*) AS n FROM orders WHERE order_id >= $id", 60, {"id": "'ORD'"}
        )
    assert found["n"].to_pylist() == [103]
    assert not list(tmp_path.glob("*.imported"))


ASKING = f"""
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits "ignore"
from loader.warehouse.ask import Asker
from tests.making import make_config
with Asker() as asker:
    print(asker._process.pid, flush=True)
    asker.ask(make_config(Path(sys.argv[1])), "{LONG}", 600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_the_one_that_asked(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, a kill, even SIGKILL: nothing goes on counting in the background, nothing is left on disk."""
    begin(make_config(tmp_path), IDENTITY, {0: 0})
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    asking: Any = subprocess.Popen(
        [sys.executable, "-c", ASKING, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    child = psutil.Process(int(asking.stdout.readline()))
    busy = child.cpu_times().user + 0.5
    _until(lambda: child.cpu_times().user > busy)
    asking.send_signal(number)
    asking.communicate(timeout=30)
    _until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-03-03", "DATE"),
        ("2026-03-03T10:30:00Z", "TIMESTAMP WITH TIME ZONE"),
        ("7", "INTEGER"),
        ("12.50", "DECIMAL(4,2)"),
        ("true", "BOOLEAN"),
        ("EUR", "VARCHAR"),
        ('"7"', "VARCHAR"),
        ("nan", "VARCHAR"),
        ("7'; DROP TABLE orders; --", "VARCHAR"),
        ("", "VARCHAR"),
    ],
)
def test_a_parameter_has_the_type_that_it_looks_like(locked: Ask, text: str, kind: str) -> None:
    """As TOML reads it, exactly; everything else is a text, and never SQL."""
    found = locked("SELECT typeof($a) AS kind, $a::VARCHAR AS a", a=text).to_pylist()[0]
    assert found["kind"] == kind
    if kind == "VARCHAR":
        assert found["a"] == text.strip('"')


def test_parameters_are_bound_in_the_process_too(loaded: Config) -> None:
    """Compared with a column; a missing one and one too many are one line with the way on."""
    sql = "SELECT count(*) AS n FROM orders WHERE timestamp >= $day AND user_id = $user"
    with Asker() as asker:
        found = asker.ask(loaded, sql, 60, {"day": "2026-03-03", "user": "3"})
    assert found["n"].to_pylist() == [15]
    for given in ({"day": "2026-03-03"}, {"day": "2026-03-03", "user": "3", "more": "1"}):
        with Asker() as asker, pytest.raises(ActionNeeded, match="--param name=VALUE"):
            asker.ask(loaded, sql, 60, given)


def test_names_of_columns_may_stand_twice(loaded: Config) -> None:
    """As in a join of two tables; only formats with keys cannot show them."""
    found = ask(loaded, "SELECT 1 AS a, 2 AS a", 60)
    assert isinstance(found, pa.Table)
    assert found.column_names == ["a", "a"]
