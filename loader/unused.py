"""Keeps out of the process what libraries look for by themselves and nothing here uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec


class _NoPandas:
    """A finder of modules (of `sys.meta_path`) that finds no pandas."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Leave all other names to the next finder. Raises ModuleNotFoundError for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)
        return None


@contextmanager
def unused_left_out() -> Iterator[None]:
    """Work as where there is neither pandas nor a plugin of pydantic.

    pyarrow imports pandas for the first array that it makes and duckdb for the first parameter that it takes,
    to recognise its types: up to half a second of each start. pydantic reads what each installed package says
    of itself to find plugins: 0.1 s.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
