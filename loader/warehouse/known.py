"""Which ids of a batch may be in the target already: a set of fingerprints in front of the exact look-up.

The set holds every id of the target, as of the head `seq`; before it is asked, it learns what was committed
since. So "absent" proves that an id is new, and the table need not be read; what may be present is looked up
exactly (`load/known_ids`). Until the set pays for itself the table is asked about every id.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loader.model import Receipt
from loader.warehouse.fingerprints import ABSENT, Fingerprints, Hashes
from loader.warehouse.transaction import one

LOG = logging.getLogger("loader.warehouse")
PAYS = 16  # reading every id into the set takes as long as about so many look-ups in the whole table
READ = 200_000  # ids read at once
TAGS = 65_535  # 1 to 65,535; 0 says that the batch is not known
MANY = 500  # batches beyond which naming them does not save much reading

Mask = npt.NDArray[np.bool_]


class Run(Protocol):
    """Runs a statement of `sql/load` on the snapshot of a look-up."""

    def __call__(self, name: str, /, **parameters: object) -> duckdb.DuckDBPyConnection:
        """Its result; `parameters` beside those of the batch."""
        ...


@dataclass(frozen=True, slots=True)
class Doubt:
    """The records of a batch whose ids are to be looked up, and the batches to look in (None: everywhere)."""

    rows: Mask
    present: Mask  # whose ids the set has: found elsewhere than in `batches`, they are looked up everywhere
    batches: list[int] | None = None

    @property
    def only_stored(self) -> bool:
        """Whether each of them should have a stored row in `batches`, and no other record of its id here."""
        return bool(self.batches) and bool(self.rows.any()) and np.array_equal(self.rows, self.present)


class KnownIds:
    """What one worker knows of the ids in its target; used inside the transaction of a look-up."""

    def __init__(self, memory: int, folder: Path, *, shared: bool) -> None:
        """`memory` in bytes for the set, `folder` for what does not fit. `shared`: a lake others write to."""
        self._memory = memory
        self._folder = folder
        self._shared = shared
        self._set: Fingerprints | None = None
        self._asked = 0  # rows of the target that look-ups had to read, since there is no set
        self._at = (0, 0)  # the head and the lake's snapshot of which the set holds every id
        self._rows = 0  # of the target, then
        self._places: dict[int, int] = {}  # of each batch, in the order in which they were met

    def doubt(self, hashes: Hashes, seen: int, run: Run) -> Doubt:
        """The records that must be looked up at the head `seen`: of known ids, or of ids that repeat."""
        with self._while_there_is_room():
            self._catch_up((seen, one(run("snapshot")) if self._shared else 0), run)
        if self._set is None:
            everyone = np.ones(len(hashes), np.bool_)
            return Doubt(everyone, ~everyone)
        tags = self._set.find(hashes)
        present = tags != ABSENT
        return Doubt(present | _repeated(hashes), present, self._named(tags[present]))

    def committed(self, ids: pa.Table, receipt: Receipt) -> None:
        """A batch is durable. One without ids was not looked up: the set may have others to learn first."""
        if self._set is None or self._at[0] != receipt.seq - 1:
            return
        with self._while_there_is_room():
            batches = np.full(ids.num_rows, receipt.batch, np.int64)
            self._learn(ids["hash"].to_numpy(), batches, first_stays=True)  # a twin's row stands elsewhere
        self._at = (receipt.seq, self._at[1] + 1 if self._shared else 0)
        self._rows += receipt.totals.loaded

    def _catch_up(self, now: tuple[int, int], run: Run) -> None:
        """Learn what others have committed; begin the set when it pays, forget it when it cannot be right."""
        if self._set is not None and now == self._at:
            return
        rows = one(run("count_rows"))
        if self._set is None:
            self._asked += rows
            if self._asked < PAYS * rows:
                return
            self._begin(rows, run)
        elif self._rows + self._read(run("ids", since=self._at[0])) != rows:
            LOG.info("rows came or went otherwise than by loads: ids are looked up in the table")
            self._set, self._asked = None, rows
        self._at, self._rows = now, rows

    def _begin(self, rows: int, run: Run) -> None:
        begun = time.monotonic()
        self._set, self._places = Fingerprints(self._memory, self._folder, rows), {}
        if rows:
            LOG.info("reading the ids of %s rows", f"{rows:,}")
            self._read(run("ids", since=None))
            inside, outside = (size / 2**20 for size in self._set.sizes())
            took = time.monotonic() - begun
            LOG.info(
                "ids read in %.1f s; their set takes %.0f MiB, and %.0f MiB on disk", took, inside, outside
            )

    @contextmanager
    def _while_there_is_room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            LOG.warning("no room for the set of known ids, they are looked up in the table: %s", error)
            self._set, self._asked = None, 0

    def _read(self, result: duckdb.DuckDBPyConnection) -> int:
        """Learn every id of a result; how many there were."""
        read = 0
        for found in result.to_arrow_reader(READ):
            batches = found["batch"].fill_null(0).to_numpy()
            self._learn(found["hash"].to_numpy(), batches, first_stays=False)  # all of them are rows
            read += found.num_rows
        return read

    def _learn(self, hashes: Hashes, batches: npt.NDArray[np.int64], *, first_stays: bool) -> None:
        assert self._set is not None  # noqa: S101 - only a set can learn
        known, places = np.unique(batches, return_inverse=True)
        tags = np.array([self._tag(int(batch)) for batch in known], np.uint16)[places]
        self._set.add(hashes, tags, first_stays=first_stays)

    def _tag(self, batch: int) -> int:
        if batch == 0:
            return 0
        place = self._places.setdefault(batch, len(self._places))
        return 1 + place % TAGS

    def _named(self, tags: npt.NDArray[np.int32]) -> list[int] | None:
        """The batches that the tags stand for, None when they are too many or not known."""
        found = np.unique(tags)
        if not len(found):
            return []
        if len(found) > MANY or found[0] == 0:
            return None
        batches = list(self._places)
        return [batch for tag in found for batch in batches[tag - 1 :: TAGS]]


def _repeated(hashes: Hashes) -> Mask:
    """Which hashes stand there more than once: the records of equal ids, and hardly any other."""
    inorder = np.sort(hashes)
    twice = inorder[1:][inorder[1:] == inorder[:-1]]
    return np.isin(hashes, twice) if len(twice) else np.zeros(len(hashes), np.bool_)
