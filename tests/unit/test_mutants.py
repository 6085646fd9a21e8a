"""The mutants of tests/mutants fit the source as it is."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.patch import Change, Mutant, mutants
from tests.servers.command import REPOSITORY


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_its_tests_exist(mutant: Mutant) -> None:
    """Each text to change stands exactly once, what comes of it is Python, and the named tests are there."""
    for file, text in mutant.applied(REPOSITORY).items():
        if file.suffix == ".py":
            ast.parse(text)
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"\ndef {name}(" in (REPOSITORY / file).read_text()


def test_a_text_that_has_moved_is_noticed() -> None:
    """Not there, or there twice: ValueError."""
    change = Change("a.py", "x = 1", "x = 2")
    assert change.applied("x = 1\n") == "x = 2\n"
    for text in ("x = 3\n", "x = 1\nx = 1\n"):
        with pytest.raises(ValueError, match="times"):
            change.applied(text)
