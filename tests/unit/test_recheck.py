"""Spans with holes that are read again: what compaction may have done since, and what is a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.kafka import recheck
from loader.model import LogRange, Span
from tests.making import make_config

SPAN = {"partition": 0, "begin_offset": 10, "end_offset": 20, "consumed": 8}


class FakeBroker:
    """Knows whether the topic is compacted; takes part as its own consumer."""

    def __init__(self, *, compacted: bool) -> None:
        self.compacted = compacted
        self.questions = 0

    def is_compacted(self) -> bool:
        """Say so, and count that it was asked."""
        self.questions += 1
        return self.compacted

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("found", "compacted", "findings", "missing"),
    [
        (8, True, [], 0),
        (7, True, [], 1),
        (9, True, ["orders[0]:10-20: the topic has 9 records, consumed were 8"], 0),
        (7, False, ["orders[0]:10-20: the topic has 7 records, consumed were 8"], 0),
    ],
)
def test_only_compaction_explains_fewer_records(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: int,
    findings: list[str],
    missing: int,
    *,
    compacted: bool,
) -> None:
    """And nothing explains more; the policy of the topic is asked for only where records are missing."""
    broker = FakeBroker(compacted=compacted)

    def count(_reading: object, _topic: str, span: Span) -> int:
        assert (span.begin, span.end) == (10, 20)
        return found

    monkeypatch.setattr(recheck, "broker", lambda *_, **__: broker)
    monkeypatch.setattr(recheck, "consumer", lambda *_: broker)
    monkeypatch.setattr(recheck, "_count", count)
    gone = SPAN | {"begin_offset": 0}
    result = recheck.recounted(make_config(tmp_path), [gone, SPAN], {0: LogRange(5, 30)})
    assert result == recheck.Recount(findings, missing, 1)
    assert broker.questions == (found < SPAN["consumed"])
