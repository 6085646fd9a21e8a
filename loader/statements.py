"""The SQL of the loader: templates under `sql/`, by name. Python holds no SQL text.

Templates render only identifiers (`| ident`), literals (`| text`) and expressions that the
contract produced and quoted; values go in as parameters.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def shipped(folder: str) -> Traversable:
    """The folder `sql` or `config`, from the wheel or, in a working copy, from the repository."""
    packaged = files("loader") / f"_{folder}"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / folder


def quote_identifier(name: str) -> str:
    """A name as an SQL identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - verbs without SQL start without it

    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - SQL, not HTML
    environment.filters.update(ident=quote_identifier, text=quote_text)
    return environment


@cache
def source(name: str) -> str:
    """The text of `sql/<name>.sql` as it is in the file."""
    return (shipped("sql") / f"{name}.sql").read_text()


def statement(name: str, /, **parameters: object) -> str:
    """The statement `sql/<name>.sql` with its identifiers and expressions filled in."""
    return _template(name).render(parameters)


@cache
def _template(name: str) -> Template:
    return _environment().from_string(source(name))


def names(folder: str) -> list[str]:
    """The names of the statements in `sql/<folder>`, in order."""
    found = (entry.name for entry in (shipped("sql") / folder).iterdir())
    return sorted(name.removesuffix(".sql") for name in found if name.endswith(".sql"))
