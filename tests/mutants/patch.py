"""A mutant: which text becomes which, and the tests that should notice. Pure, but for reading files."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

MUTANTS = Path(__file__).with_name("mutants.toml")


@dataclass(frozen=True)
class Change:
    """A text that stands exactly once in a file, and what stands there instead."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The text of the file, changed. Raises ValueError unless `old` stands there exactly once."""
        if (found := text.count(self.old)) != 1:
            message = f"{self.file}: the text to change stands there {found} times:\n{self.old}"
            raise ValueError(message)
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """One thing that is spoilt."""

    name: str
    what: str
    tests: tuple[str, ...]
    changes: tuple[Change, ...]

    def applied(self, repository: Path) -> dict[Path, str]:
        """The changed files by their path in the repository; nothing is written. Raises ValueError."""
        texts: dict[Path, str] = {}
        for change in self.changes:
            file = Path(change.file)
            before = texts[file] if file in texts else (repository / file).read_text()
            texts[file] = change.applied(before)
        return texts


def mutants() -> list[Mutant]:
    """All of them."""
    tree = tomllib.loads(MUTANTS.read_text())["mutant"]
    return [
        Mutant(each["name"], each["what"], tuple(each["tests"]), tuple(Change(**c) for c in each["change"]))
        for each in tree
    ]
