"""docs/contract.md tells the truth: its examples are run, and no key and no rule is left out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.config import config_from, documented_keys
from loader.contract import Contract
from loader.errors import ConfigError
from loader.rules import RULES
from loader.warehouse.rehearse import rehearse
from tests.contract.test_parse import Parser

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")


def examples() -> Iterator[tuple[str, str]]:
    """Each TOML block, with the text block of records that follows it."""
    blocks = re.findall(r"^```(toml|text)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    table = ""
    for language, block in blocks:
        if language == "toml":
            table = block
        elif block.startswith("{"):
            yield table, block


def contract(block: str, folder: Path) -> Contract:
    """The contract of a TOML block; what it leaves out is filled in."""
    table = tomllib.loads(block)["table"]
    whole = {"name": "t", "id": next(iter(table["columns"])), **table}
    tree = {
        "pipeline": "p",
        "kafka": {"bootstrap": "localhost:1", "topic": "t"},
        "warehouse": {"path": "w.duckdb"},
        "table": whole,
    }
    return Contract.from_config(config_from(tree, folder).table)


def records(block: str) -> list[tuple[str, list[str]]]:
    """Each record with the lines under it."""
    parts = re.split(r"^(?=\{)", block, flags=re.MULTILINE)[1:]
    return [(lines[0], [line.strip() for line in lines[1:]]) for lines in map(str.splitlines, parts)]


@pytest.mark.parametrize(("table", "block"), list(examples()))
def test_the_examples_are_true(
    table: str, block: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every record is loaded with the values, or refused with all the messages, that stand under it."""
    parser = Parser(quick=True)
    request.addfinalizer(parser.home.close)
    told = records(block)
    found = parser.run(contract(table, tmp_path), [text.encode() for text, _ in told])
    texts = parser.home.execute(
        "SET TimeZone = 'UTC'; SELECT COLUMNS(*)::VARCHAR FROM staging ORDER BY _offset::INTEGER"
    )
    names = [column[0] for column in texts.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in texts.fetchall()]
    for (text, lines), row, shown in zip(told, found, rows, strict=True):
        if row["_reasons"] is not None:
            assert [reason["message"] for reason in row["_reasons"]] == lines, text
            continue
        for line in lines:
            name, value = line.split(" = ", 1)
            assert ("NULL" if shown[name] is None else shown[name]) == value, (text, name)


def test_there_are_examples() -> None:
    """The test above is not about nothing."""
    assert len(list(examples())) >= 5


def test_every_key_is_explained() -> None:
    """Each key of the table and of its columns stands in the page."""
    keys = [key.path.rsplit(".", 1)[-1] for key in documented_keys() if key.path.startswith("table.")]
    assert [key for key in keys if not re.search(rf"`{key}\b", PAGE)] == []


def test_every_rule_is_explained() -> None:
    """Each rule that the code can give stands in the table of rules, and no other."""
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Rules")[1], re.MULTILINE))
    assert sorted(RULES) == sorted(listed)
    folder = Path(__file__).parents[2]
    sources = [
        *(folder / "loader" / "contract").glob("*.py"),
        *(folder / "sql" / "load" / name for name in ("parse.sql", "refused.sql")),
    ]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    assert [rule for rule in sorted(listed) if not re.search(rf"""['"]{rule}['"]""", text)] == []
    given = set(re.findall(r"THEN '([a-z]\w+)'|\"'([a-z]\w+)'\"|'rule': '(\w+)'", text))
    rules = {name for names in given for name in names if name} - {"twin", "huge", "tiny"}
    assert rules <= listed


def test_the_compile_error_is_as_shown(tmp_path: Path) -> None:
    """The line of the page is what `check` says."""
    tree = {
        "pipeline": "p",
        "kafka": {"bootstrap": "localhost:1", "topic": "t"},
        "warehouse": {"path": "w.duckdb"},
        "table": {
            "name": "t",
            "id": "id",
            "columns": {"id": {"type": "INTEGER"}, "amount": {"type": "INTEGER", "check": "amont >= 0"}},
        },
    }
    with pytest.raises(ConfigError) as caught:
        rehearse(config_from(tree, tmp_path))
    assert f"\n{caught.value}\n" in PAGE
