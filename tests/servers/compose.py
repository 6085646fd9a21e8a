"""What docker-compose.yml says, for tests that need no Docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).parents[2] / "docker-compose.yml"


def compose() -> dict[str, Any]:
    """The whole file."""
    return dict(yaml.safe_load(FILE.read_text()))


def broker_properties(environment: Mapping[str, str]) -> dict[str, str]:
    """The server.properties that the official image makes of its environment.

    `KAFKA_A_B` becomes a.b; two underscores become a dash and three an underscore
    (https://github.com/apache/kafka/blob/trunk/docker/examples/README.md).
    """
    return {
        _property(name.removeprefix("KAFKA_")): value
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


def _property(name: str) -> str:
    letters = {"_": ".", "__": "-", "___": "_"}
    return re.sub("_+", lambda found: letters[found.group()], name.lower())
