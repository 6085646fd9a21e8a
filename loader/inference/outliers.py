"""The few records that are unlike all others: a contract is made for the rest, and they are told. Pure.

One amount that is a text must not make the column JSON, and one record without its id must not make
another column the id. A field that is sometimes missing is no fault: it is optional.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loader.inference.seen import Number, Sample, Seen, shape

TELLING_ID = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|number|no|nr|code)$|(Id|ID|Uuid|Key|Number)$", re.IGNORECASE
)
_KINDS = {str: "text", Number: "number", bool: "boolean", dict: "object", list: "array"}
_WORDS = {"date": "date", "local": "time", "zoned": "time", "uuid": "UUID"}


@dataclass(frozen=True)
class _Fault:
    """Some records, by number, and what they are unlike the others in."""

    what: str
    records: frozenset[int]


def without_outliers(found: Sample, topic: str, share: float) -> Sample:
    """The sample without at most this share of its records; what was taken away is among the unusable."""
    most = int(share * len(found.records))
    gone: set[int] = set()
    told: Counter[str] = Counter()
    for fault in sorted(_faults(found, most), key=lambda fault: len(fault.records)):
        if len(gone | fault.records) <= most:
            told[fault.what] += len(fault.records - gone)
            gone |= fault.records
    kept = [number for number in range(len(found.records)) if number not in gone]
    rest = _only(found, kept, told)
    no_id = _without_id(rest, topic, most - len(gone))
    return rest if no_id is None else _less(rest, no_id)


def _less(found: Sample, fault: _Fault) -> Sample:
    """The sample without these records."""
    kept = [number for number in range(len(found.records)) if number not in fault.records]
    return _only(found, kept, Counter({fault.what: len(fault.records)}))


def _only(found: Sample, kept: Sequence[int], told: Counter[str]) -> Sample:
    records, keys, rows = ([all_[n] for n in kept] for all_ in (found.records, found.keys, found.rows))
    return Sample(records, keys, rows, found.unusable + told)  # type: ignore[arg-type]


def _faults(found: Sample, most: int) -> Iterator[_Fault]:
    """Values of another kind, or texts of another shape, than nearly all of a field."""
    kinds: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for number, record in enumerate(found.records):
        for name, value in record.items():
            if value is not None:
                kinds[name][_kind(value)].add(number)
    for name, by_kind in kinds.items():
        usual = max(by_kind, key=lambda kind: len(by_kind[kind]))
        for kind, records in by_kind.items():
            if kind != usual and len(records) <= most and not (usual == "text" and kind in _WORDS.values()):
                yield _Fault(f"{name} is a {kind}, not a {usual}", frozenset(records))


def _kind(value: Any) -> str:
    kind = _KINDS[type(value)]
    return _WORDS.get(shape(value), "text") if kind == "text" else kind


def _without_id(found: Sample, topic: str, most: int) -> _Fault | None:
    """The few records without the id, or with one that another has: the likeliest field that has only few."""
    distinct = found.distinct
    for name in sorted(_id_names(found), key=lambda name: not own(name, topic)):
        values: dict[str, list[int]] = defaultdict(list)
        for number in distinct:
            values[str(found.records[number].get(name))].append(number)
        missing = frozenset(n for n, record in enumerate(found.records) if record.get(name) is None)
        again = frozenset(n for numbers in values.values() for n in numbers[1:]) - missing
        if not missing and not again:
            return None
        if 0 < len(missing | again) <= most:
            what = f"{name} is missing" if not again else f"{name} is missing, or repeated with other content"
            return _Fault(what, missing | again)
    return None


def _id_names(found: Sample) -> list[str]:
    """Fields whose name tells an id and whose values may be one."""
    seen: dict[str, Seen] = defaultdict(Seen)
    for record in found.records:
        for name, value in record.items():
            if TELLING_ID.search(name):
                seen[name].add(value)
    return [
        name for name, each in seen.items() if each.kind == "text" or (each.kind == "number" and each.whole)
    ]


def own(name: str, topic: str) -> bool:
    """Whether a name tells the id of the topic's own records: `id`, or `order_id` in `orders`."""
    stem = re.sub(r"[_\W]?(id|uuid|key)$", "", name.casefold())
    return not stem or topic.casefold().startswith(stem)
