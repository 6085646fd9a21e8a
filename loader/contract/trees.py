"""The structures for `json_transform`: as few as hold all places of a contract's columns. Pure."""

from __future__ import annotations

from typing import Any

from loader.statements import quote_identifier as name_
from loader.statements import quote_text as text_


class Trees:
    """The structures for `json_transform`: as few as hold all places (one, unless places overlap)."""

    def __init__(self) -> None:
        self.trees: list[dict[str, Any]] = [{}]

    def add(self, path: tuple[str, ...], leaf: object) -> str:
        """The expression that takes the leaf at `path` out of the parsed JSON."""
        index = next((i for i, tree in enumerate(self.trees) if self._put(tree, path, leaf)), None)
        if index is None:
            self.trees.append({})
            index = len(self.trees) - 1
            self._put(self.trees[index], path, leaf)
        found = name_(f"$json{index}")
        for step in path:
            found = f"struct_extract({found}, {text_(step)})"
        return found

    def _put(self, tree: dict[str, Any], path: tuple[str, ...], leaf: object) -> bool:
        *parents, last = path
        for step in parents:
            if _differs_in_case(tree, step):
                return False
            tree = tree.setdefault(step, _Inner())
            if not isinstance(tree, _Inner):
                return False
        if _differs_in_case(tree, last):
            return False
        present = tree.setdefault(last, leaf)
        return present == leaf and not isinstance(present, _Inner)


def _differs_in_case(tree: dict[str, Any], step: str) -> bool:
    """DuckDB's structs do not tell upper from lower case, JSON does."""
    return any(key.casefold() == step.casefold() and key != step for key in tree)


class _Inner(dict[str, Any]):
    """An object on the way to leaves (a STRUCT column's structure is a plain dict)."""
