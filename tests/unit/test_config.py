"""The configuration: what is read, what wins, what is refused, and what is never shown."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tomllib
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.config import Config, Key, config_from, documented_keys, load_config
from loader.config.client import DENIED
from loader.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = Path(__file__).parents[2] / "config"
SECRET = "hunter2-swordfish"

SMALL = """
pipeline = "orders"
[kafka]
bootstrap = "localhost:9092"
topic = "orders"
[warehouse]
path = "ducklake:sqlite:lake/catalog.sqlite"
[table]
name = "orders"
id = "order_id"
event_time = "timestamp"
[table.columns]
order_id = { type = "VARCHAR" }
timestamp = { type = "TIMESTAMPTZ", zone = "UTC" }
amount = { type = "DECIMAL(18,2)", required = false }
"""


def write(folder: Path, text: str) -> Path:
    """Write a configuration file."""
    file = folder / "loader.toml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, *options: str, text: str = SMALL, **variables: str) -> Config:
    """Load a text as a file of `folder`."""
    return load_config(write(folder, text), options, variables)


def mistakes(folder: Path, *options: str, text: str = SMALL, **variables: str) -> tuple[str, ...]:
    """Load and give the mistakes, with the folder taken out."""
    with pytest.raises(ConfigError) as caught:
        load(folder, *options, text=text, **variables)
    assert caught.value.exit_code == 2
    return tuple(line.replace(f"{folder}/", "") for line in caught.value.mistakes)


def changed(**keys: str) -> str:
    """SMALL with some of its lines replaced: `changed(topic='topic = 5')`."""
    text = SMALL
    for name, line in keys.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", line.replace("\\", r"\\"), text)
        assert count == 1, name
    return text


# ---------------------------------------------------------------- reading


def test_units_become_bytes_and_seconds(tmp_path: Path) -> None:
    """Sizes are whole bytes and durations are seconds, however they are written."""
    more = (
        '[batch]\nrecords = 10\nbytes = "1.5 MiB"\nwait = "250ms"\n[limits]\nstop = 3\nunreachable = "10m"\n'
    )
    config = load(tmp_path, text=f'{SMALL}{more}memory = "1 GB"')
    assert (config.batch.bytes, config.batch.wait) == (1_572_864, 0.25)
    assert (config.limits.stop, config.limits.unreachable, config.limits.memory) == (3.0, 600.0, 10**9)


def test_defaults_are_those_of_the_interface(tmp_path: Path) -> None:
    """A small file gets the documented defaults, and the group is named after the pipeline."""
    config = load(tmp_path)
    assert config.kafka.group == "orders"
    assert (config.batch.records, config.batch.bytes, config.batch.wait) == (200_000, 48 * 2**20, 10.0)
    assert (config.limits.memory, config.limits.quarantine) == (2**30, 0.1)
    assert (config.limits.message_bytes, config.limits.stop) == (16 * 2**20, 8.0)
    assert config.limits.unreachable is None
    assert config.table.columns["order_id"].required


def test_columns_keep_their_order_and_types(tmp_path: Path) -> None:
    """Columns stand in the order of the file and carry parsed types; one id is a tuple of one."""
    config = load(tmp_path)
    assert list(config.table.columns) == ["order_id", "timestamp", "amount"]
    assert config.table.columns["amount"].sql_type.scale == 2
    assert config.table.id == ("order_id",)


def test_relative_paths_belong_to_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory has no influence on where the warehouse is."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load(tmp_path, "warehouse.data=../files")
    assert config.warehouse.kind == "ducklake"
    assert config.warehouse.file == tmp_path / "lake" / "catalog.sqlite"
    assert config.warehouse.data_path == tmp_path.parent / "files"
    assert config.file == tmp_path / "loader.toml"


def test_data_lies_beside_the_catalogue_unless_said_otherwise(tmp_path: Path) -> None:
    """Without `warehouse.data` the Parquet files go to `data` beside the catalogue."""
    assert load(tmp_path).warehouse.data_path == tmp_path / "lake" / "data"


def test_files_of_the_client_lie_beside_the_configuration(tmp_path: Path) -> None:
    """Relative paths belong to its folder, whatever the working directory; other values stay as they are."""
    text = (
        f'{SMALL}[kafka.client]\n"ssl.ca.location" = "certs/ca.pem"\n"ssl.key.location" = "/etc/key.pem"\n'
        '"https.ca.location" = "probe"\n"ssl.endpoint.identification.algorithm" = "none"\n'
    )
    given = load(tmp_path, text=text).kafka.client_settings()
    assert given == {
        "ssl.ca.location": str(tmp_path / "certs" / "ca.pem"),
        "ssl.key.location": "/etc/key.pem",
        "https.ca.location": "probe",
        "ssl.endpoint.identification.algorithm": "none",
    }


def test_the_home_of_nobody_is_a_mistake(tmp_path: Path) -> None:
    """`~name` of a user who is not there, in a path or a reference: one line."""
    with pytest.raises(ConfigError, match="there is no such user"):
        _ = load(tmp_path, "warehouse.path=~nobody-of-this-name/x.duckdb").warehouse.file
    text = SMALL + '[kafka.client]\n"sasl.password" = { file = "~nobody-of-this-name/pw" }\n'
    assert "there is no such user" in mistakes(tmp_path, text=text)[0]


def test_a_duckdb_file_can_be_published(tmp_path: Path) -> None:
    """FILE.duckdb is the other kind of warehouse, and only it has a published copy."""
    config = load(tmp_path, "warehouse.path=x.duckdb", "warehouse.publish=copy.duckdb")
    assert (config.warehouse.kind, config.warehouse.file) == ("duckdb", tmp_path / "x.duckdb")
    assert config.warehouse.publish_path == tmp_path / "copy.duckdb"
    assert "DuckDB file only" in mistakes(tmp_path, "warehouse.publish=copy.duckdb")[0]


def test_start_may_be_a_moment_with_a_zone(tmp_path: Path) -> None:
    """A moment is accepted as text and as a TOML time, and needs a zone."""
    expected = datetime(2026, 3, 3, 10, 30, tzinfo=UTC)
    assert load(tmp_path, "kafka.start=2026-03-03T10:30:00Z").kafka.start == expected
    assert load(tmp_path, 'kafka.start="2026-03-03T10:30:00+00:00"').kafka.start == expected
    assert "with a zone" in mistakes(tmp_path, "kafka.start=2026-03-03T10:30:00")[0]


def test_the_file_is_named_by_argument_then_variable_then_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without -c the file is $LOADER_CONFIG, and without that ./loader.toml."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, SMALL)
    (tmp_path / "other.toml").write_text(SMALL.replace('"orders"', '"other"', 1))
    assert load_config(None, (), {}).pipeline == "orders"
    assert load_config(None, (), {"LOADER_CONFIG": "other.toml"}).pipeline == "other"
    assert load_config(Path("loader.toml"), (), {"LOADER_CONFIG": "other.toml"}).pipeline == "orders"


def test_a_missing_file_gets_a_hint(tmp_path: Path) -> None:
    """Who has no file yet is told how to get one."""
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.toml", (), {})
    assert caught.value.hint == f"loader init --example {tmp_path / 'none.toml'}"
    assert caught.value.address == str(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = 1\nb = = 2\n", "line 2, column 5"),
        (b"a = '\xff'\n", "not UTF-8"),
        (b"a = " + b"9" * 5000, "digits"),
        (b"a = " + b"[" * 100_000, "loader.toml: "),
    ],
)
def test_a_file_that_is_not_toml_names_the_place(tmp_path: Path, content: bytes, told: str) -> None:
    """Whatever bytes the file holds, the answer is one ConfigError with the place."""
    (tmp_path / "loader.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "loader.toml", (), {})
    assert told in str(caught.value)


# ---------------------------------------------------------------- overriding


def test_options_win_over_environment_over_file(tmp_path: Path) -> None:
    """The order is file < environment < --set; among options the last wins."""
    assert load(tmp_path).kafka.topic == "orders"
    assert load(tmp_path, LOADER__KAFKA__TOPIC="env").kafka.topic == "env"
    both = load(tmp_path, "kafka.topic=first", 'kafka.topic = "last"', LOADER__KAFKA__TOPIC="env")
    assert both.kafka.topic == "last"


def test_client_settings_in_variables_write_dots_as_underscores(tmp_path: Path) -> None:
    """Under kafka.client `_` means `.`; options quote the name as TOML does."""
    config = load(tmp_path, 'kafka.client."client.id"=me', LOADER__KAFKA__CLIENT__SASL_USERNAME="u")
    assert config.kafka.client_settings() == {"sasl.username": "u", "client.id": "me"}


@pytest.mark.parametrize("text", ["1e5", "0x10", "007", "true", "2026-01-01", "[]", "a=b", "ünï", ""])
def test_a_text_is_never_read_as_a_number(tmp_path: Path, text: str) -> None:
    """A password that looks like TOML arrives as it was written."""
    config = load(tmp_path, f'kafka.client."sasl.username"={text}', LOADER__KAFKA__CLIENT__SASL_PASSWORD=text)
    assert config.kafka.client_settings() == {"sasl.username": text, "sasl.password": text}


def test_a_variable_is_taken_verbatim(tmp_path: Path) -> None:
    """Quotes in an environment variable belong to its text."""
    config = load(tmp_path, LOADER__KAFKA__CLIENT__SASL_PASSWORD='"a"')
    assert config.kafka.client_settings() == {"sasl.password": '"a"'}


def test_client_settings_may_be_numbers_and_truth_values(tmp_path: Path) -> None:
    """The client takes texts; TOML's own numbers and truth values are written out."""
    text = SMALL + '[kafka.client]\n"fetch.min.bytes" = 5\n"enable.metrics.push" = false\n'
    assert load(tmp_path, text=text).kafka.client_settings() == {
        "fetch.min.bytes": "5",
        "enable.metrics.push": "false",
    }


def test_columns_can_be_overridden(tmp_path: Path) -> None:
    """A column of the file is found whatever the case of the variable."""
    config = load(
        tmp_path, "table.columns.amount.check=amount >= 0", LOADER__TABLE__COLUMNS__AMOUNT__REQUIRED="true"
    )
    assert config.table.columns["amount"].check == "amount >= 0"
    assert config.table.columns["amount"].required


def test_a_mistake_names_the_variable_or_the_option(tmp_path: Path) -> None:
    """What did not come from the file is not blamed on the file."""
    found = mistakes(tmp_path, "batch.recrds=1", "limits.stop=soon", LOADER__BATCH__BYTES="much")
    assert [line.split(": ")[:2] for line in found] == [
        ["LOADER__BATCH__BYTES", "batch.bytes"],
        ["--set", "batch.recrds"],
        ["--set", "limits.stop"],
    ]


@pytest.mark.parametrize("option", ["kafka.topic", "=x", "a..b=1", "a b=1", '"a=1', ""])
def test_an_option_without_key_or_value_is_a_mistake(tmp_path: Path, option: str) -> None:
    """An option that is no assignment is a mistake of its own, and is not repeated: it may hold a secret."""
    assert mistakes(tmp_path, option) == ("--set: must be KEY=VALUE, such as kafka.topic=orders",)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ('job = "load"', "schedule[0].cron: give either cron or every"),
        ('job = "load"\ncron = "* * * * *"\nevery = "5s"', "schedule[0].cron: give either cron or every"),
        ('job = "run"\nevery = "5s"', "must be one of load, maintain, refresh, export"),
        (
            'jobb = "load"\njob = "load"\nevery = "5s"',
            "schedule[0].jobb: unknown key; did you mean schedule[0].job?",
        ),
        (
            'job = "load"\ncron = "61 * * * *"',
            "schedule[0].cron: the minute goes from 0 to 59, and 61 does not",
        ),
        ('job = "load"\ncron = "0 0 30 2 *"', "names no day that exists"),
        ('job = "load"\ncron = "0 0 * *"', "must have five fields"),
        ('job = "load"\ncron = "@daily"\nzone = "Europe/Brelin"', "schedule[0].zone: must be a time zone"),
        ('job = "load"\nevery = "5s"\nzone = "UTC"', "schedule[0].zone: is for cron only"),
        ('job = "load"\nevery = "5s"\njitter = "5s"', "schedule[0].jitter: must be less than every"),
    ],
)
def test_a_job_says_what_runs_and_when(tmp_path: Path, job: str, told: str) -> None:
    """Each mistake in a list of tables names its entry."""
    (line,) = mistakes(tmp_path, text=f"{SMALL}[[schedule]]\n{job}\n")
    assert told in line


def test_a_schedule_is_a_list_of_tables(tmp_path: Path) -> None:
    """One table instead of a list is said plainly; several jobs keep their order."""
    assert "must be a list of tables" in mistakes(tmp_path, text=f"{SMALL}[schedule]\njob = 'load'\n")[0]
    one = "[[schedule]]\njob = 'load'\nevery = '5s'\n"
    other = "[[schedule]]\njob = 'load'\ncron = '@daily'\nargs = ['-q']\n"
    first, second = load(tmp_path, text=SMALL + one + other).schedule
    assert (first.every, second.cron, second.args) == (5.0, "@daily", ("-q",))


def test_the_warning_comes_before_the_failure(tmp_path: Path) -> None:
    """A freshness target whose warning is later than its failure is a mistake."""
    assert load(tmp_path, "freshness.warn=15m", "freshness.fail=1h").freshness.fail == 3600
    assert "freshness.warn" in mistakes(tmp_path, "freshness.warn=2h", "freshness.fail=1h")[0]


def test_lists_of_tables_cannot_be_overridden(tmp_path: Path) -> None:
    """No option reaches into a list of tables."""
    text = SMALL + '[[things]]\njob = "load"\n'
    for option in ("things=1", "things.job=run"):
        assert "--set: things: a list of tables cannot be overridden" in mistakes(tmp_path, option, text=text)
    job = '[{job = "load", every = "30s"}]'
    assert "schedule: a list of tables cannot be overridden" in mistakes(tmp_path, f"schedule={job}")[0]
    assert "a list of tables cannot be overridden" in mistakes(tmp_path, LOADER__SCHEDULE=job)[0]


# ---------------------------------------------------------------- mistakes


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Types, unknown keys, rules between keys, variables and options: one round tells them all."""
    text = """
pipelin = "orders"
topic = "orders"
[kafka]
bootstrap = "localhost:99999"
assign = "grop"
client = { "group.id" = "x" }
[warehouse]
path = "warehouse.parquet"
[table]
name = "a.b"
id = ["order_idd", "f"]
event_time = "amount"
[table.columns]
order_id = { type = "VARCHR", requird = false }
f = { type = "DOUBLE", required = false, zone = "Europe/Brelin" }
F = { type = "INT", default = 5000000000, one_of = ["a"], from = "$..a" }
amount = { type = "DECIMAL(4,2)", default = 1.234 }
_x = { type = "DATE" }
[batch]
records = "many"
[limits]
quarantine = 2
"""
    found = mistakes(tmp_path, "limits.stop=soon", text=text, LOADER__BATCH__WAIT="0s")
    for part in (
        "loader.toml: pipeline: is missing",
        "loader.toml: pipelin: unknown key; did you mean pipeline?",
        "loader.toml: topic: unknown key; did you mean kafka.topic?",
        "loader.toml: kafka.topic: is missing",
        "loader.toml: kafka.bootstrap: must be servers",
        'loader.toml: kafka.assign: must be "auto", "group" or "all", not "grop"; did you mean group?',
        'loader.toml: kafka.client."group.id": is refused: use kafka.group',
        "loader.toml: warehouse.path: must be",
        "loader.toml: table.name: must be a plain name",
        "loader.toml: table.id: no column order_idd; did you mean order_id?",
        "loader.toml: table.event_time: column amount is DECIMAL(4,2), not a time",
        "loader.toml: table.columns.order_id.type: unknown type VARCHR; did you mean VARCHAR?",
        "loader.toml: table.columns.order_id.requird: unknown key; did you mean table.columns.order_id.req",
        "loader.toml: table.columns.f.type: this type cannot identify",
        "loader.toml: table.columns.f.required: must be true",
        "loader.toml: table.columns.f.zone: is for TIMESTAMPTZ",
        "loader.toml: table.columns.f.zone: must be require or a time zone",
        "loader.toml: table.columns.F: is the same column as f",
        "loader.toml: table.columns.F.default: must be a whole number",
        "loader.toml: table.columns.F.one_of: is for VARCHAR only",
        "loader.toml: table.columns.F.from: must be a JSON path",
        "loader.toml: table.columns.amount.default: must be a number that fits DECIMAL(4,2)",
        "loader.toml: table.columns._x: a column must not begin with _",
        'loader.toml: batch.records: must be a whole number, not "many"',
        "loader.toml: limits.quarantine: must be at most 1, not 2",
        "LOADER__BATCH__WAIT: batch.wait: must be more than 0",
        "--set: limits.stop: must be a duration",
    ):
        assert sum(line.startswith(part) for line in found) == 1, part
    assert len(found) == 27


def test_an_empty_file_lists_every_required_key(tmp_path: Path) -> None:
    """Missing sections do not hide the keys that are missing in them."""
    required = {key.path for key in documented_keys() if not key.default and "NAME" not in key.path}
    required -= {"schedule.job", "derive.table", "derive.sql", "derive.key"}  # of each, and there is none
    found = mistakes(tmp_path, text="")
    assert set(found) == {f"loader.toml: {path}: is missing" for path in required | {"table.columns"}}


def test_one_mistake_is_the_message_itself(tmp_path: Path) -> None:
    """A single mistake stands in the error with its address, so that no list is needed."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "kafka.assign=grop")
    assert caught.value.address == "--set: kafka.assign"
    assert caught.value.message.startswith("must be")


@pytest.mark.parametrize("value", ['"5"', "5.5", "true", "[]", "{}", "2026-01-01", "nan"])
def test_no_jargon_of_the_validator_leaks(tmp_path: Path, value: str) -> None:
    """Whatever stands at whatever key, the words are ours."""
    for key in documented_keys():
        path = key.path.replace("NAME", "amount")
        try:
            load(tmp_path, f"{path}={value}")
        except ConfigError as error:
            text = " ".join(error.mistakes)
            assert not re.search(r"[Ii]nput|pydantic|instance|valid |type=|tuple|dict", text), text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("ducklake:postgres:dbname=x", "not supported yet"),
        ("postgres://u:p@h/db", "not supported yet"),
        ("s3://bucket/lake", "not supported yet"),
        ("md:orders", "not supported yet"),
        ("ducklake:sqlite:", "must be"),
        ("ducklake:sqlite::memory:", "must be"),
        ("ducklake:x.ducklake", "must be"),
        (":memory:", "must be"),
        ("warehouse", "must be"),
    ],
)
def test_other_warehouses_are_refused_without_repeating_their_address(
    tmp_path: Path, path: str, told: str
) -> None:
    """An address may hold a password, so a mistake never repeats it."""
    (line,) = mistakes(tmp_path, f"warehouse.path={path}")
    assert told in line
    assert "dbname" not in line
    assert "u:p" not in line


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ('{ type = "VARCHAR", default = 5 }', "must be a text"),
        ('{ type = "VARCHAR", one_of = ["a"], default = "b" }', "must be one of one_of"),
        ('{ type = "BOOLEAN", default = 1 }', "must be true or false"),
        ('{ type = "TIMESTAMPTZ", default = "soon" }', "must be a time"),
        ('{ type = "DATE", default = "2026-13-01" }', "must be a date"),
        ('{ type = "UUID", default = "x" }', "must be a UUID"),
        ('{ type = "DOUBLE", default = nan }', "must be a finite number"),
        ('{ type = "TINYINT", default = 128 }', "from -128 to 127"),
        ('{ type = "VARCHAR", zone = "UTC" }', "TIMESTAMPTZ only"),
        ('{ type = "TIMESTAMP", zone = "Europe/Berlin" }', "TIMESTAMPTZ only"),
        ('{ type = "TIMESTAMPTZ", zone = "require", from = "kafka.timestamp" }', "Kafka gives it typed"),
        ('{ type = "VARCHAR", epoch = "ms" }', "TIMESTAMPTZ and TIMESTAMP only"),
        ('{ type = "TIMESTAMPTZ", epoch = "ns" }', "must be"),
        ('{ type = "TIMESTAMPTZ", epoch = "ms", zone = "UTC" }', "is not possible with epoch"),
        (
            '{ type = "TIMESTAMPTZ", epoch = "ms", default = "2026-03-03T10:30:00Z" }',
            "must be a whole number",
        ),
        ('{ type = "TIMESTAMPTZ", dst = "earlier" }', "needs a zone"),
        ('{ type = "BOOLEAN", coerce = true }', "numbers and VARCHAR only"),
        ('{ type = "INTEGER", coerce = false, from = "key" }', "always a text"),
        ('{ type = "VARCHAR", from = "$.items[0].sku" }', "must be a JSON path"),
        ('{ type = "INTEGER", one_of = ["1"] }', "VARCHAR only"),
        ('{ type = "VARCHAR", one_of = [] }', "must not be empty"),
        ('{ type = "VARCHAR", from = "kafka.timestmp" }', "did you mean kafka.timestamp?"),
        ('{ type = "VARCHAR", from = "headers." }', "must be a JSON path"),
        ('{ type = "VARCHAR", check = " " }', "must be a SQL expression"),
    ],
)
def test_rules_of_a_column_fit_its_type(tmp_path: Path, column: str, told: str) -> None:
    """Each rule of a column is compared with its type."""
    (line,) = mistakes(tmp_path, text=changed(amount=f"amount = {column}"))
    assert told in line


@pytest.mark.parametrize(
    "column",
    [
        '{ type = "DECIMAL(18,2)", default = "0.10" }',
        '{ type = "DECIMAL(18,2)", default = 0.1 }',
        '{ type = "DATE", default = 2026-01-01 }',
        '{ type = "VARCHAR", one_of = ["a", "b"], default = "b" }',
        '{ type = "STRUCT(a INT)", default = { a = 1 } }',
        '{ type = "INTEGER[]", default = [] }',
        '{ type = "TIMESTAMPTZ", from = "kafka.timestamp" }',
        '{ type = "TIMESTAMPTZ", zone = "Europe/Berlin", dst = "later" }',
        '{ type = "STRUCT(t TIMESTAMPTZ)[]", zone = "Europe/Berlin" }',
        '{ type = "TIMESTAMP", epoch = "s", default = 0 }',
        '{ type = "MAP(VARCHAR, DOUBLE)", coerce = true }',
        '{ type = "BIGINT", from = "kafka.offset" }',
        '{ type = "VARCHAR", from = "$.customer.id" }',
        '{ type = "VARCHAR", from = \'$.items."a b"\' }',
        '{ type = "VARCHAR", from = "headers.source" }',
        '{ type = "VARCHAR", from = "key" }',
    ],
)
def test_good_columns_are_accepted(tmp_path: Path, column: str) -> None:
    """The forms that the documentation shows are accepted, and every default is JSON."""
    config = load(tmp_path, text=changed(amount=f"amount = {column}"))
    json.dumps(config.describe())


def test_ids_are_required_columns(tmp_path: Path) -> None:
    """An id may be several columns; each must be there, required and without a default."""
    several = changed(id='id = ["order_id", "timestamp"]')
    assert load(tmp_path, text=several).table.id == ("order_id", "timestamp")
    assert mistakes(tmp_path, "table.id=order") == (
        "--set: table.id: no column order; did you mean order_id?",
    )
    optional = mistakes(tmp_path, text=changed(order_id='order_id = { type = "VARCHAR", required = false }'))
    assert "must be true" in optional[0]
    default = mistakes(tmp_path, text=changed(order_id='order_id = { type = "VARCHAR", default = "x" }'))
    assert "is not possible" in default[0]


def test_limits_fit_each_other(tmp_path: Path) -> None:
    """A batch and a message must fit into the memory, and the memory must suffice to work."""
    assert "half of limits.memory" in mistakes(tmp_path, "batch.bytes=900 MiB")[0]
    assert "half of limits.memory" in mistakes(tmp_path, "limits.message_bytes=900 MiB")[0]
    assert "at least 256 MiB" in mistakes(tmp_path, "limits.memory=100 MiB")[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.datetimes() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
PATHS = st.sampled_from(
    [
        *(tuple(key.path.replace("NAME", "amount").split(".")) for key in documented_keys()),
        ("kafka",), ("warehouse",), ("table",), ("table", "columns"), ("table", "columns", "amount"),
        ("batch",), ("limits",), ("kafka", "client", "x"), ("other",),
    ]
)  # fmt: skip


@given(st.lists(st.tuples(PATHS, VALUES), min_size=1, max_size=4))
def test_whatever_stands_at_a_key_the_answer_is_a_config_or_mistakes(changes: list[tuple[Any, Any]]) -> None:
    """No value at any key leads to another error than ConfigError, and an accepted one can be printed."""
    tree = tomllib.loads(SMALL)
    for (*above, last), value in changes:
        table: Any = tree
        for part in above:
            table = table.setdefault(part, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict):
            table[last] = value
    with contextlib.suppress(ConfigError):
        json.dumps(config_from(tree, CONFIG).describe())


# ---------------------------------------------------------------- the client's settings


@pytest.mark.parametrize("pattern", sorted(DENIED))
@pytest.mark.fault(62)
def test_denied_settings_are_refused_with_the_reason(tmp_path: Path, pattern: str) -> None:
    """Settings that run code or belong to the loader are refused, in any case of letters."""
    name = pattern.replace("*", "x")
    for spelling in (name, name.upper()):
        (line,) = mistakes(tmp_path, f'kafka.client."{spelling}"={SECRET}')
        assert f"is refused: {DENIED[pattern]}" in line
        assert SECRET not in line


@pytest.mark.parametrize(
    "name",
    [
        "session.timeout.ms", "group.instance.id", "max.poll.interval.ms", "client.id", "client.rack",
        "security.protocol", "statistics.interval.ms", "debug",
    ],
)  # fmt: skip
def test_other_settings_are_passed_on(tmp_path: Path, name: str) -> None:
    """What is neither dangerous nor ours goes to the client."""
    assert load(tmp_path, f'kafka.client."{name}"=x').kafka.client_settings() == {name: "x"}


def test_the_group_protocol_is_one_of_two(tmp_path: Path) -> None:
    """group.protocol decides what the loader does on a rebalance, so its values are known."""
    assert load(tmp_path, 'kafka.client."group.protocol"=consumer').kafka.client
    assert "did you mean consumer?" in mistakes(tmp_path, 'kafka.client."group.protocol"=consumr')[0]


def test_a_setting_without_quotes_is_explained(tmp_path: Path) -> None:
    """An unquoted dotted name is a nested table in TOML; the mistake says what to write."""
    (line,) = mistakes(tmp_path, "kafka.client.sasl.username=u")
    assert 'put a name with dots into quotes, as in "sasl.username"' in line


# ---------------------------------------------------------------- secrets


def everything(config: Config) -> str:
    """All the ways in which a configuration may get into a log."""
    sections = (config.kafka, config.warehouse, config.table, *config.table.columns.values())
    return " ".join((repr(config), str(config), json.dumps(config.describe()), *map(repr, sections)))


@pytest.mark.parametrize(
    "name",
    ["sasl.password", "sasl.username", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"],
)
def test_secrets_are_never_shown(tmp_path: Path, name: str) -> None:
    """Also a secret written plainly stays out of repr, str and describe, and reaches the client."""
    config = load(tmp_path, f'kafka.client."{name}"={SECRET}')
    assert SECRET not in everything(config)
    assert SECRET not in config.model_dump_json()
    assert config.describe()["kafka"]["client"] == {name: "***"}
    assert config.kafka.client_settings() == {name: SECRET}


def test_harmless_settings_are_shown(tmp_path: Path) -> None:
    """What is no secret can be read in describe()."""
    config = load(
        tmp_path, 'kafka.client."security.protocol"=SASL_SSL', 'kafka.client."sasl.mechanism"=PLAIN'
    )
    shown = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}
    assert config.describe()["kafka"]["client"] == shown


def test_any_text_can_come_from_a_variable_or_a_file(tmp_path: Path) -> None:
    """`{ env = … }` and `{ file = … }` are resolved on loading, and what they give is not shown."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    text = (
        changed(topic='topic = { env = "TOPIC" }', path='path = { env = "LAKE" }')
        + '[kafka.client]\n"client.id" = { file = "secret" }\n'
    )
    config = load(tmp_path, text=text, TOPIC="from-env", LAKE="ducklake:sqlite:hidden.sqlite")
    assert config.kafka.topic == "from-env"
    assert config.warehouse.file == tmp_path / "hidden.sqlite"
    assert config.kafka.client_settings() == {"client.id": SECRET}
    assert SECRET not in everything(config)
    assert "hidden.sqlite" not in everything(config)
    assert config.describe()["kafka"]["topic"] == "***"


def test_an_override_can_be_a_reference(tmp_path: Path) -> None:
    """A reference is a value like any other, also in an option or a variable."""
    config = load(
        tmp_path,
        'kafka.client."sasl.password"={ env = "PASSWORD" }',
        LOADER__KAFKA__TOPIC='{ env = "TOPIC" }',
        PASSWORD=SECRET,
        TOPIC="t",
    )
    assert config.kafka.client_settings() == {"sasl.password": SECRET}
    assert config.kafka.topic == "t"


def test_a_reference_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """The mistake names the variable or the file, once for each key."""
    text = (
        changed(topic='topic = { env = "NOPE" }') + '[kafka.client]\n"sasl.password" = { file = "none/x" }\n'
    )
    assert mistakes(tmp_path, text=text) == (
        "loader.toml: kafka.topic: the environment variable NOPE is not set",
        'loader.toml: kafka.client."sasl.password": cannot read the file none/x: No such file or directory',
    )


def test_columns_may_be_called_env_and_file(tmp_path: Path) -> None:
    """A column's name or a default is never mistaken for a reference."""
    column = (
        'amount = { type = "STRUCT(env VARCHAR)", default = { env = "prod" } }\nenv = { type = "VARCHAR" }'
    )
    config = load(tmp_path, text=changed(amount=column))
    assert config.table.columns["amount"].default == {"env": "prod"}
    assert "env" in config.table.columns


@pytest.mark.parametrize(
    "path",
    [key.path.replace("NAME", "amount") for key in documented_keys() if "default" not in key.path],
)
def test_no_mistake_shows_a_secret(tmp_path: Path, path: str) -> None:
    """Wherever a secret is put, wrong as it may be there, neither error nor traceback repeats it."""
    for value in (SECRET, f"{SECRET}\x07'("):
        try:
            shown = everything(load(tmp_path, f'{path}={{ env = "SECRET" }}', SECRET=value))
        except ConfigError as error:
            shown = "".join(traceback.format_exception(error)) + json.dumps(error.as_json())
        assert SECRET not in shown


# ---------------------------------------------------------------- shipped files and documentation


def test_the_shipped_orders_configuration_loads() -> None:
    """config/orders.toml is a lake beside the config folder, with the contract of the README."""
    config = load_config(CONFIG / "orders.toml", (), {})
    assert config.warehouse.file == CONFIG.parent / "warehouse" / "catalog.sqlite"
    assert config.warehouse.data_path == CONFIG.parent / "warehouse" / "data"
    assert (config.table.id, config.table.event_time) == (("order_id",), "timestamp")
    assert config.table.columns["items"].sql_type.kind == "LIST"
    assert config.kafka.group == "orders-loader"


def example_lines() -> Mapping[str, tuple[str, str, bool]]:
    """Path of each key in example.toml: the comment above it, its TOML value, and whether it is active."""
    found: dict[str, tuple[str, str, bool]] = {}
    section, comment = "", ""
    for line in (CONFIG / "example.toml").read_text(encoding="utf-8").splitlines():
        if table := re.fullmatch(r"\[\[?([^\]]*)\]\]?", line):
            section = table[1].replace("order_id", "NAME") + "."
            found[table[1]] = (comment, "{}", True)
        elif assignment := re.fullmatch(r"(# )?([a-z_]+) = (.*)", line):
            found[section + assignment[2]] = (comment, assignment[3], not assignment[1])
        comment = line.removeprefix("# ")
    return found


@pytest.mark.parametrize("key", documented_keys(), ids=lambda key: key.path)
def test_the_example_shows_every_key_with_its_default(key: Key) -> None:
    """Each key stands below its sentence; active lines show real defaults, an unset key is a comment."""
    sentence, value, active = example_lines()[key.path]
    if key.default.startswith("("):
        active = active and key.path != "schedule.cron"  # a job needs one of the two
        assert (sentence, active) == (f"{key.sentence} {key.default}", False)
        return
    assert (sentence, active) == (key.sentence, True)
    if key.default:
        assert tomllib.loads(f"v = {value}") == tomllib.loads(f"v = {key.default}")


def test_the_example_loads_as_it_is_and_with_every_line_active(tmp_path: Path) -> None:
    """The example is a configuration, and so is each of its commented lines."""
    text = (CONFIG / "example.toml").read_text(encoding="utf-8")
    shown = load(tmp_path, text=text)
    for line in re.findall(r'(?m)^# ((?:"[a-z.]+"|[a-z_]+) = .*)$', text):
        one = text.replace(f"# {line}", line)
        if line.startswith("publish"):
            one = one.replace("ducklake:sqlite:../warehouse/catalog.sqlite", "w.duckdb")
        if line == 'every = "30s"':
            one = one.replace('cron = "*/5 * * * *"\n', "").replace('\nzone = "UTC"', "")
        if line.startswith("send_to"):
            one = one.replace('keep = "latest"', 'keep = "first"')
        if line.startswith(("event_time", "partition_by", "zone", "one_of", "default", "epoch")):
            continue  # these need a column of another type than the one shown
        assert load(tmp_path, text=one, KAFKA_PASSWORD="x") != shown or line.startswith("group"), line


def test_every_default_in_the_example_is_the_real_one(tmp_path: Path) -> None:
    """Taking out every line that has a default changes nothing."""
    text = (CONFIG / "example.toml").read_text(encoding="utf-8")
    optional = {key.path.rsplit(".", 1)[-1] for key in documented_keys() if key.default} - {"cron"}
    without = "\n".join(line for line in text.splitlines() if line.split(" = ")[0] not in optional)
    assert without.count("\n") < text.count("\n") - 10
    assert load(tmp_path, text=without) == load(tmp_path, text=text)


def test_every_key_has_type_and_sentence() -> None:
    """Every key says in one sentence what it is for."""
    keys = documented_keys()
    assert len({key.path for key in keys}) == len(keys) >= 30
    for key in keys:
        assert key.type, key
        assert re.fullmatch(r"[A-Z].*[^.]\.", key.sentence), key


def test_values_in_memory_are_checked_alike(tmp_path: Path) -> None:
    """`config_from` checks as `load_config` does and leaves the given values alone."""
    tree: dict[str, Any] = tomllib.loads(SMALL)
    config = config_from(tree, tmp_path)
    assert config.warehouse.file == tmp_path / "lake" / "catalog.sqlite"
    assert tree == tomllib.loads(SMALL)
    tree["table"]["id"] = "nope"
    with pytest.raises(ConfigError, match="no column nope"):
        config_from(tree, tmp_path)


def test_importing_the_configuration_imports_no_client_and_no_database() -> None:
    """Start-up stays quick: neither Kafka nor DuckDB nor Arrow is needed to read a configuration."""
    heavy = ("confluent_kafka", "duckdb", "pyarrow")
    code = f"import sys, loader.config; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
