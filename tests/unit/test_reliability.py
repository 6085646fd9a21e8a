"""The page about reliability says what the repository shows, and no marker names an unknown fault."""

from __future__ import annotations

from tests.reliability.evidence import TESTS, marked, proofs, results, sections
from tests.reliability.page import page

NUMBERS = range(1, 64)


def test_the_page_is_made_of_the_facts() -> None:
    """tests/RELIABILITY.md is what `python -m tests.reliability` writes."""
    assert (TESTS / "RELIABILITY.md").read_text() == page(sections(), proofs(), results())


def test_every_fault_is_listed_once() -> None:
    """The numbers have no gap, and no marker names one that there is not."""
    assert [fault.number for _, faults in sections() for fault in faults] == [*NUMBERS]
    assert set(proofs()) <= set(NUMBERS)


def test_markers_are_found_without_running_anything() -> None:
    """One number or several, once or twice, beside other decorators."""
    source = (
        "@pytest.mark.slow\n@pytest.mark.fault(1, 2)\n@pytest.mark.fault(9)\ndef test_a(): ...\n"
        "def test_b(): ...\n"
    )
    assert list(marked(source)) == [("test_a", [1, 2, 9])]
