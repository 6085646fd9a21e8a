"""The configuration: every key once, with its type, its default and one sentence.

Values are frozen. Sizes are bytes (int), durations are seconds (float). What only several keys
together can show to be wrong is found in `checks.py`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr

from loader.config import client as client_rules
from loader.config import values
from loader.config.derive import Derive
from loader.config.jobs import Freshness, Job, Maintain, Retention
from loader.config.outputs import Refresh
from loader.config.section import Section, folder_of, key, located
from loader.config.watching import Metrics
from loader.layout import Layout, parse_layout
from loader.types import SqlType, parse_type

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "***"

Kind = Literal["ducklake", "duckdb"]


class Kafka(Section):
    """`[kafka]`: where the records come from."""

    bootstrap: Annotated[str, AfterValidator(values.servers)] = key(
        "Servers to ask for the cluster, as host:port, several with commas.", "text"
    )
    topic: Annotated[str, AfterValidator(values.topic_name)] = key("Topic to read; it must exist.", "text")
    group: values.Text = key(
        "Consumer group: workers of one group share the partitions.",
        "text", shown="the pipeline's name",
    )  # fmt: skip
    start: values.Start = key(
        "Where the very first start begins: earliest, latest or a timestamp with a zone.",
        '"earliest", "latest" or a timestamp', default="earliest",
    )  # fmt: skip
    assign: Literal["auto", "group", "all"] = key(
        "Who gives out partitions: auto (load takes all, run joins the group), group or all.",
        '"auto", "group" or "all"', default="auto",
    )  # fmt: skip
    client: dict[values.Text, Annotated[SecretStr, BeforeValidator(values.setting_text)]] = key(
        "Settings of librdkafka that are passed on, such as security.protocol.",
        "table of texts", default={},
    )  # fmt: skip

    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    def model_post_init(self, context: values.Toml, /) -> None:
        """Remember the folder that relative paths belong to."""
        self._folder = folder_of(context)

    def client_settings(self) -> dict[str, str]:
        """Give the settings with their secrets in clear and their paths absolute, for the client only."""
        given = {name: value.get_secret_value() for name, value in self.client.items()}
        return {
            name: str(located(self._folder, value)) if client_rules.is_file(name, value) else value
            for name, value in given.items()
        }


def parse_address(text: str) -> tuple[Kind, str]:
    """Split `ducklake:sqlite:FILE` or `FILE.duckdb` into kind and file."""
    lower = text.casefold()
    for kind, file, known in (
        ("ducklake", text[len("ducklake:sqlite:") :], lower.startswith("ducklake:sqlite:")),
        ("duckdb", text, lower.endswith((".duckdb", ".db")) and ":" not in text),
    ):
        if known and file.strip() and not file.startswith(":") and "://" not in file:
            return ("ducklake" if kind == "ducklake" else "duckdb"), file
    later = ("ducklake:postgres", "postgres", "ducklake:mysql", "mysql", "md:", "ducklake:md:")
    if "://" in text or lower.startswith(later):
        raise ValueError("is not supported yet; use ducklake:sqlite:FILE or FILE.duckdb")
    raise ValueError('must be "ducklake:sqlite:FILE" or a file that ends in .duckdb or .db')


def _address(secret: SecretStr) -> SecretStr:
    values.plain_text(secret.get_secret_value())
    parse_address(secret.get_secret_value())
    return secret


def _local(text: str) -> str:
    values.plain_text(text)
    if "://" in text:
        raise ValueError("is not supported yet; use a folder or file of this machine")
    return text


class Warehouse(Section):
    """`[warehouse]`: where the rows go."""

    path: Annotated[SecretStr, AfterValidator(_address)] = key(
        "The warehouse: ducklake:sqlite:FILE for a lake, or FILE.duckdb for a single DuckDB file.", "text"
    )
    data: Annotated[str, AfterValidator(_local)] | None = key(
        "Folder for the Parquet files of a lake; a DuckDB file needs none.",
        "text", default=None, shown="data, beside the file of warehouse.path",
    )  # fmt: skip
    publish: Annotated[str, AfterValidator(_local)] | None = key(
        "A copy of the DuckDB file that others can read while the loader writes.",
        "text", default=None, shown="unset: no copy",
    )  # fmt: skip
    publish_every: values.Duration = key(
        "How often the published copy is renewed.", "duration", default="60s", gt=0
    )

    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    def model_post_init(self, context: values.Toml, /) -> None:
        """Remember the folder that relative paths belong to."""
        self._folder = folder_of(context)

    @property
    def kind(self) -> Kind:
        """`ducklake` or `duckdb`."""
        return parse_address(self.path.get_secret_value())[0]

    @property
    def file(self) -> Path:
        """Absolute path of the catalogue (lake) or of the DuckDB file."""
        return located(self._folder, parse_address(self.path.get_secret_value())[1])

    @property
    def data_path(self) -> Path:
        """Absolute folder of the Parquet files."""
        return located(self._folder, self.data) if self.data else self.file.parent / "data"

    @property
    def publish_path(self) -> Path | None:
        """Absolute path of the published copy, if one is wanted."""
        return located(self._folder, self.publish) if self.publish else None


def _type_text(text: str) -> str:
    parse_type(text)
    return text


class Column(Section):
    """One column of the target table: its type and its rules."""

    type: Annotated[str, AfterValidator(_type_text)] = key("Type of the column, as DuckDB writes it.", "text")
    required: bool = key(
        "Whether a record without this value (missing or null) is refused.", "true or false", default=True
    )
    default: Annotated[Any, AfterValidator(values.iso_text)] = key(
        "Value that stands in for a missing or null one.", "any value", default=None, shown="unset"
    )
    check: values.Expression | None = key(
        "SQL condition that must not be false for the row.", "text", default=None, shown="unset"
    )
    zone: values.Text | None = key(
        "Time zone of a time that is written without one, or require to refuse it.",
        "text", default=None, shown="require for TIMESTAMPTZ",
    )  # fmt: skip
    one_of: Annotated[tuple[str, ...], BeforeValidator(values.as_tuple), Field(min_length=1)] | None = key(
        "The only values that a VARCHAR may have.", "list of texts", default=None, shown="unset"
    )
    from_: values.Text | None = key(
        "Where the value stands: a JSON path, key, headers.NAME, or a word of Kafka such as kafka.offset.",
        "text", default=None, shown="$ and the column's name", alias="from",
    )  # fmt: skip
    coerce: bool | None = key(
        "Whether a number may come as a text, and a number may stand for a text.",
        "true or false", default=None, shown="unset: all but DOUBLE and FLOAT take texts",
    )  # fmt: skip
    dst: Literal["refuse", "earlier", "later"] = key(
        "A local time that a clock change skips or repeats: refuse it, or take the earlier or later instant.",
        '"refuse", "earlier" or "later"', default="refuse",
    )  # fmt: skip
    epoch: Literal["s", "ms", "us"] | None = key(
        "The time is a number since 1970 in UTC: of seconds, milliseconds or microseconds.",
        '"s", "ms" or "us"', default=None, shown="unset: a text in ISO 8601",
    )  # fmt: skip

    @property
    def sql_type(self) -> SqlType:
        """The parsed type."""
        return parse_type(self.type)


def _layout_text(text: str) -> str:
    parse_layout(text)
    return text


class Table(Section):
    """`[table]`: the contract of the target table."""

    name: Annotated[str, AfterValidator(values.table_name)] = key("Name of the target table.", "text")
    id: Annotated[tuple[str, ...], BeforeValidator(values.as_tuple)] = key(
        "Column, or list of columns, that makes a record unique; none is needed with duplicates = off.",
        "text or list of texts",
    )
    event_time: str | None = key(
        "Column that says when the event happened.", "text", default=None, shown="unset"
    )
    partition_by: Annotated[str, AfterValidator(_layout_text)] | None = key(
        "Unit of a time by which a lake's files are parted: year, month, day or hour of a column.",
        "text", default=None, shown="unset",
    )  # fmt: skip
    unknown_fields: Literal["ignore", "keep", "refuse"] = key(
        "What happens to fields that no column takes: ignore (reported), keep (in _extra) or refuse.",
        '"ignore", "keep" or "refuse"', default="ignore",
    )  # fmt: skip
    duplicates: Literal["exact", "off"] = key(
        "Whether a record whose id is in the table already is a duplicate (exact), or a row too (off).",
        '"exact" or "off"', default="exact",
    )  # fmt: skip
    on_conflict: Literal["quarantine", "keep_first"] = key(
        "A known id with other content: quarantine, or keep_first (counted as a duplicate that differs).",
        '"quarantine" or "keep_first"', default="quarantine",
    )  # fmt: skip
    tombstones: Literal["quarantine", "skip"] = key(
        "What happens to records with a null value: quarantine or skip.",
        '"quarantine" or "skip"', default="quarantine",
    )  # fmt: skip
    columns: Annotated[dict[str, Column], Field(min_length=1)] = key(
        "The columns in their order.", "table of columns"
    )
    checks: dict[values.Text, values.Expression] = key(
        "SQL conditions over the whole row, each with a name that stands in the reason.",
        "table of texts", default={},
    )  # fmt: skip

    _topic: str = PrivateAttr(default="")

    @property
    def layout(self) -> Layout | None:
        """`partition_by`, parsed."""
        return parse_layout(self.partition_by) if self.partition_by else None

    @property
    def topic(self) -> str:
        """The topic that the rows come from, for columns from kafka.topic."""
        return self._topic

    def comes_from(self, topic: str) -> None:
        """Note the topic."""
        self._topic = topic


class Batch(Section):
    """`[batch]`: when a batch is due; whichever comes first."""

    records: int = key("Most records in a batch.", "whole number", default=200_000, ge=1)
    bytes: values.Size = key("Most bytes of keys and values in a batch.", "size", default="48 MiB")
    wait: values.Duration = key(
        "A record is in the warehouse so long after it came, unless its batch is full before.",
        "duration",
        default="10s",
        gt=0,
    )


class Limits(Section):
    """`[limits]`: what the loader must not exceed."""

    memory: values.Size = key("Most memory of the whole process.", "size", default="1 GiB")
    quarantine: float = key(
        "Largest share of records that may be refused before the loader stops.",
        "number from 0 to 1", default=0.1, ge=0, le=1,
    )  # fmt: skip
    message_bytes: values.Size = key(
        "A larger message is quarantined whole, unparsed.", "size", default="16 MiB"
    )
    stop: values.Duration = key("Time to commit the last batch when asked to stop.", "duration", default="8s")
    unreachable: values.Duration | None = key(
        "How long the broker or the warehouse may be away before the loader gives up.",
        "duration", default=None, shown="30s for load and replay, 10m for run",
    )  # fmt: skip


class Config(Section):
    """One pipeline: one topic, one contract, one target table, one consumer group."""

    pipeline: Annotated[str, AfterValidator(values.pipeline_name)] = key(
        "Name of the pipeline; the warehouse keeps its books under this name.", "text"
    )
    kafka: Kafka
    warehouse: Warehouse
    table: Table
    batch: Batch = Field(default_factory=Batch)
    limits: Limits = Field(default_factory=Limits)
    freshness: Freshness = Field(default_factory=Freshness)
    maintain: Maintain = Field(default_factory=Maintain)
    metrics: Metrics = Field(default_factory=Metrics)
    refresh: Refresh = Field(default_factory=Refresh)
    derive: Annotated[tuple[Derive, ...], BeforeValidator(values.as_tables)] = ()
    retention: Retention = Field(default_factory=Retention)
    schedule: Annotated[tuple[Job, ...], BeforeValidator(values.as_tables)] = ()

    _file: Path | None = PrivateAttr(default=None)
    _hidden: frozenset[tuple[str, ...]] = PrivateAttr(default=frozenset())

    def model_post_init(self, context: values.Toml, /) -> None:
        """Remember the file and which keys were given as `{ env = … }` or `{ file = … }`."""
        self._file = (context or {}).get("file")
        self._hidden = frozenset((context or {}).get("hidden") or ())
        self.table.comes_from(self.kafka.topic)

    @property
    def file(self) -> Path | None:
        """Absolute path of the configuration file; None if there is none."""
        return self._file

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Let repr() and str() show no more than `describe()` does."""
        return self.describe().items()

    def secrets(self) -> list[str]:
        """Values that must never be told: secret settings of the client, and those given by reference.

        Without the user's name: it is hidden where settings are shown, but may be any word.
        """
        shown, given = self.describe()["kafka"]["client"], self.kafka.client_settings()
        return [given[name] for name in given if shown[name] == HIDDEN and name != "sasl.username"]

    def describe(self) -> dict[str, Any]:
        """Every key with its value, for printing as JSON; secrets are shown as `***`."""
        return {name: self._shown(value, (name,)) for name, value in _items(self)}

    def _shown(self, value: values.Toml, path: tuple[str, ...]) -> values.Toml:
        if path in self._hidden or (path[:2] == ("kafka", "client") and client_rules.is_secret(path[-1])):
            return HIDDEN
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, Section | dict):
            return {name: self._shown(below, (*path, name)) for name, below in _items(value)}
        if isinstance(value, tuple | list):
            return [self._shown(below, (*path, str(index))) for index, below in enumerate(value)]
        return value.isoformat() if isinstance(value, datetime) else value


def _items(section: Section | dict[str, Any]) -> list[tuple[str, Any]]:
    if isinstance(section, dict):
        return list(section.items())
    fields = type(section).model_fields
    return [(field.alias or name, getattr(section, name)) for name, field in fields.items()]
