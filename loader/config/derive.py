"""What is derived from the rows of the table, in the transaction of each batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from loader.config import section, values
from loader.config.section import Section

SHIPPED = ("orders_per_minute", "fraud_alerts")
"""The files under `sql/derived`."""


def _sql(text: str) -> str:
    values.plain_text(text)
    if text not in SHIPPED and not text.endswith(".sql"):
        raise ValueError(f"must be a file that ends in .sql, or one of {', '.join(SHIPPED)}")
    return text


Names = Annotated[tuple[values.Text, ...], BeforeValidator(values.as_tuple), Field(min_length=1)]


class Derive(Section):
    """`[[derive]]`: one table that follows the target."""

    table: Annotated[str, AfterValidator(values.table_name)] = section.key(
        "Name of the derived table.", "text"
    )
    sql: Annotated[str, AfterValidator(_sql)] = section.key(
        "File with its SELECT, or a shipped one: orders_per_minute or fraud_alerts.", "text"
    )
    key: Names = section.key("Column, or list of columns, that a row is known by.", "text or list of texts")
    keep: Literal["latest", "first"] = section.key(
        "Which row of a key stays: the latest, as in a roll-up, or the first, as of alerts.",
        '"latest" or "first"', default="latest",
    )  # fmt: skip
    send_to: Annotated[str, AfterValidator(values.topic_name)] | None = section.key(
        "Kafka topic that new rows are sent to, with their key; for keep = first.",
        "text", default=None, shown="unset: not sent",
    )  # fmt: skip

    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    def model_post_init(self, context: values.Toml, /) -> None:
        """Remember the folder that a relative path belongs to."""
        self._folder = section.folder_of(context)

    @property
    def file(self) -> Path | None:
        """Absolute path of the SQL file; None for a shipped one."""
        if self.sql in SHIPPED:
            return None
        return section.located(self._folder, self.sql)
