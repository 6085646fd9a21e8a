"""The whole judgement of a run: each fact of the package by name, true or not, with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.oracle.around import (
    Look,
    Sample,
    files_sound,
    kept_what_was_told,
    never_ahead,
    no_lag,
    says_the_same,
    whole_batches,
)
from tests.oracle.checks import Case, chained, complete, equal, kept_whole, no_ghosts, once
from tests.oracle.files import Files
from tests.oracle.journal import Sent, holds_what_was_sent, sorted_out


class Check(NamedTuple):
    """One fact; `ok` is None where nothing was there to judge by."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Evidence:
    """What was collected during a run and after it; `status` and `verify` are the loader's own words."""

    found: Case
    journal: Sequence[Sent]
    samples: Sequence[Sample]
    looks: Sequence[Look] | None  # None where nobody can look while the loader writes
    files: Files
    ends: Mapping[int, int]
    status: Mapping[str, Any]
    verify: Mapping[str, Any]

    @property
    def committed(self) -> dict[int, int]:
        """The warehouse's offsets in the end."""
        return {number: row["next_offset"] for number, row in self.found.held.offsets.items()}


def judge(evidence: Evidence) -> list[Check]:
    """All checks; that of the journal stands first, because the others are worth nothing without it."""
    e, found, held = evidence, evidence.found, evidence.found.held
    journal = f"{len(e.journal):,} records sent, {len(found.topic):,} of them visible"
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts._asdict().items())
    looks = e.looks or ()
    return [
        _checked("journal", journal, lambda: holds_what_was_sent(e.journal, found.topic)),
        _checked("O1", counts, lambda: complete(found), lambda: sorted_out(e.journal, held, found.key)),
        _checked("O2", f"{len(held.rows):,} ids, each once", lambda: once(found)),
        _checked("O3", "no row that was not sent", lambda: no_ghosts(found)),
        _checked("O4", f"{len(held.rows):,} rows and {len(held.quarantine):,} refused records as sent",
                 lambda: kept_whole(found), lambda: equal(found)),
        _checked("O5", f"{len(held.spans):,} spans", lambda: chained(found)),
        _checked("O6", f"{len(e.samples):,} samples of both offsets", lambda: never_ahead(e.samples)),
        Check("O7", None, "a DuckDB file cannot be read while it is written") if e.looks is None else
        _checked("O7", f"{len(looks):,} looks at {len({look.head for look in looks}):,} states",
                 lambda: whole_batches(looks)),
        _checked("O8", "all that Kafka was told; kills only, no power was cut",
                 lambda: kept_what_was_told(e.samples, e.committed)),
        _checked("O9", f"{e.files.read:,} files or tables read", lambda: files_sound(e.files)),
        _checked("O10", f"ends {dict(sorted(e.ends.items()))}", lambda: no_lag(e.ends, e.committed)),
        _checked("O11", "status and verify", lambda: says_the_same(found, e.status, e.verify)),
    ]  # fmt: skip


def _checked(name: str, detail: str, *checks: Callable[[], None]) -> Check:
    try:
        for check in checks:
            check()
    except AssertionError as wrong:
        return Check(name, ok=False, detail=str(wrong))
    return Check(name, ok=True, detail=detail)
