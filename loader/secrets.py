"""Secrets that this process knows: no error, log line or traceback holds them.

Libraries repeat settings in their errors ("Invalid value …"), so each error is looked through when it
is made, and each log line when it is written. Results are not: they are the user's data, and hold
no settings but those that `Config.describe` shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

HIDDEN = "***"
SHORTEST = 6  # characters; a shorter one would be found in innocent words
_KNOWN: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """Remember values that must not be told."""
    _KNOWN.update(secret for secret in secrets if len(secret) >= SHORTEST)


def redacted(text: str) -> str:
    """The text without the secrets, as they are and as JSON or Python would write them."""
    for secret in sorted(_KNOWN, key=len, reverse=True):
        for written in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
            text = text.replace(written, HIDDEN)
    return text
