"""The facts of the page, out of the repository: the list of faults, marked tests, committed results."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
FAULTS = Path(__file__).with_name("faults.toml")
RESULTS = ("backlog", "chaos", "crash")  # folders of programs that are run by hand
MARKER = "fault"


@dataclass(frozen=True)
class Fault:
    """One entry of the list."""

    number: int
    fault: str
    outcome: str
    simulated: str = ""


@dataclass(frozen=True)
class Proof:
    """A test that provokes a fault; `file` is relative to tests/."""

    file: str
    test: str


def sections() -> list[tuple[str, list[Fault]]]:
    """The list of faults."""
    tree = tomllib.loads(FAULTS.read_text())
    return [(section["name"], [Fault(**fault) for fault in section["faults"]]) for section in tree["section"]]


def proofs() -> dict[int, list[Proof]]:
    """The tests that are marked with each number, in the order of files."""
    found: dict[int, list[Proof]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for test, numbers in marked(file.read_text()):
            for number in numbers:
                found.setdefault(number, []).append(Proof(file.relative_to(TESTS).as_posix(), test))
    return found


def marked(source: str) -> Iterator[tuple[str, list[int]]]:
    """The tests of a file with the numbers that they are marked with; nothing is imported."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and (numbers := list(_numbers(node.decorator_list))):
            yield node.name, numbers


def _numbers(decorators: Iterable[ast.expr]) -> Iterator[int]:
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARKER}":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def results() -> dict[str, dict[str, Any]]:
    """The committed results by their path below tests/."""
    files = (file for name in RESULTS for file in sorted((TESTS / name).rglob("result*/*.json")))
    mutants = TESTS / "mutants" / "results.json"
    every = [*files, *([mutants] if mutants.exists() else [])]
    return {file.relative_to(TESTS).as_posix(): json.loads(file.read_text()) for file in every}
