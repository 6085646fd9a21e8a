"""What is made of the loaded rows for others."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from loader.analytics import analytics
from loader.config import values
from loader.config.section import Section, key


def _analytic(name: str) -> str:
    known = analytics()
    if name not in known:
        raise ValueError("must be names that `loader query --list` shows")
    if known[name].parameters:
        raise ValueError(f"must be analytics without parameters, and {name} has one")
    return name


class Refresh(Section):
    """`[refresh]`: analytics as tables."""

    analytics: Annotated[
        tuple[Annotated[str, AfterValidator(_analytic)], ...], BeforeValidator(values.as_tuple)
    ] = key(
        "Analytics of which refresh makes tables, as query --list names them.", "list of texts", default=()
    )
    schema_name: Annotated[str, AfterValidator(values.table_name)] = key(
        "Schema of these tables; pipelines that share a warehouse need different ones.",
        "text", default="analytics", alias="schema",
    )  # fmt: skip
