"""Write tests/RELIABILITY.md: `python -m tests.reliability`."""

from __future__ import annotations

from tests.reliability.evidence import TESTS, proofs, results, sections
from tests.reliability.page import page

PAGE = TESTS / "RELIABILITY.md"

if __name__ == "__main__":
    PAGE.write_text(page(sections(), proofs(), results()))
