"""A set of hashes in little memory: never a false "absent", hardly ever a false "present". Pure numpy.

Open addressing with linear probing (Knuth, The Art of Computer Programming, volume 3, section 6.4). A slot
is 4 bytes of the hash and 2 of a tag, and at most MOST_FULL of the slots are taken: 9 to 17 bytes an id.
Slot and fingerprint come from different halves of the hash, so of two different ids one is taken for the
other about once in 10**9 look-ups: that costs an exact question, never a wrong answer.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Tags = npt.NDArray[np.int32]

MOST_FULL = 0.7
SLOT = 6  # bytes
FIRST_ROOM = 1_000_000  # ids of the first table; each further one has room for as many as all before it
ABSENT = -1
ANYWHERE = 0  # the tag of what was added with different ones
_HALF = np.uint64(32)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: makes any hash's high bits good


class Fingerprints:
    """Tables that are never copied: when one is full the next is begun, with room for as many again.

    Tables beyond `memory` bytes live in files of `folder` without a name, which go with the process.
    """

    def __init__(self, memory: int, folder: Path, expected: int = 0) -> None:
        """`expected`: how many ids will come at once. Raises OSError when the disk has no room for them."""
        self._memory = memory
        self._folder = folder
        self._tables: list[_Table] = []
        self._grow(max(FIRST_ROOM, expected + expected // 4))

    def __len__(self) -> int:
        """About how many ids were added, rather too many: two that wanted one slot are counted twice."""
        return sum(table.count for table in self._tables)

    def sizes(self) -> tuple[int, int]:
        """Bytes in memory, and bytes in files."""
        inside = sum(table.bytes for table in self._tables if not table.in_file)
        return inside, sum(table.bytes for table in self._tables) - inside

    def find(self, hashes: Hashes) -> Tags:
        """The tag of each hash that was added before; ABSENT is certain."""
        tags = np.full(len(hashes), ABSENT, np.int32)
        for table in self._tables:
            left = np.flatnonzero(tags == ABSENT)
            tags[left] = table.find(hashes[left])
        return tags

    def add(self, hashes: Hashes, tags: npt.NDArray[np.uint16], *, first_stays: bool = True) -> None:
        """Add hashes with their tags. One that is there keeps its tag, or is ANYWHERE if the new one differs.

        Raises OSError (disk full).
        """
        for table in self._tables[:-1]:
            new = ~table.meet(hashes, tags, first_stays=first_stays)
            hashes, tags = hashes[new], tags[new]
        while len(hashes):
            room = self._tables[-1].room
            if room <= 0:
                self._grow(sum(table.most for table in self._tables))
                continue
            self._tables[-1].add(hashes[:room], tags[:room], first_stays=first_stays)
            hashes, tags = hashes[room:], tags[room:]

    def _grow(self, ids: int) -> None:
        slots = int(ids / MOST_FULL) + 1
        in_file = self.sizes()[0] + slots * SLOT > self._memory
        self._tables.append(_Table(slots, self._folder if in_file else None))


class _Table:
    """One table of a fixed size, in a file of the folder if there is one."""

    def __init__(self, slots: int, folder: Path | None) -> None:
        self.in_file = folder is not None
        self.bytes = slots * SLOT
        self.most = int(slots * MOST_FULL)
        self.count = 0
        memory = (
            np.frombuffer(_room_in(folder, self.bytes), np.uint8)
            if folder
            else np.zeros(self.bytes, np.uint8)
        )
        self._slots = np.uint64(slots)
        self._prints = memory[: slots * 4].view(np.uint32)
        self._tags = memory[slots * 4 :].view(np.uint16)

    @property
    def room(self) -> int:
        """How many more may be added."""
        return self.most - self.count

    def find(self, hashes: Hashes) -> Tags:
        found = np.full(len(hashes), ABSENT, np.int32)
        slots = self._seek(hashes)
        there = np.flatnonzero(slots != ABSENT)
        found[there] = self._tags[slots[there]]
        return found

    def meet(
        self, hashes: Hashes, tags: npt.NDArray[np.uint16], *, first_stays: bool
    ) -> npt.NDArray[np.bool_]:
        """Which of the hashes are here; what becomes of their tags as in `Fingerprints.add`."""
        slots = self._seek(hashes)
        here: npt.NDArray[np.bool_] = slots != ABSENT
        if not first_stays:
            self._disagree(slots[here], tags[here])
        return here

    def _disagree(self, slots: npt.NDArray[np.int64], tags: npt.NDArray[np.uint16]) -> None:
        self._tags[slots[self._tags[slots] != tags]] = ANYWHERE

    def _seek(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        """The slot of each hash, ABSENT where it has none."""
        found = np.full(len(hashes), ABSENT, np.int64)
        slots, prints = self._places(hashes)
        asked = np.arange(len(hashes))
        while len(asked):
            there = self._prints[slots]
            same = np.flatnonzero(there == prints)
            found[asked[same]] = slots[same]
            on = np.flatnonzero((there != 0) & (there != prints))
            asked, prints, slots = asked[on], prints[on], self._next(slots[on])
        return found

    def add(self, hashes: Hashes, tags: npt.NDArray[np.uint16], *, first_stays: bool) -> None:
        slots, prints = self._places(hashes)
        while len(slots):
            free = np.flatnonzero(self._prints[slots] == 0)
            self._prints[slots[free]] = prints[free]  # of several for one slot the last one gets it
            self._tags[slots[free]] = tags[free]
            self.count += len(free)  # a little too many, where several wanted one slot
            here = self._prints[slots] == prints
            if not first_stays:
                self._disagree(slots[here], tags[here])
            on = np.flatnonzero(~here)
            prints, tags, slots = prints[on], tags[on], self._next(slots[on])

    def _places(self, hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
        """The first slot of each hash, from its high half, and its fingerprint, never 0: that is free."""
        spread = hashes * _SPREAD
        slots = ((spread >> _HALF) * self._slots) >> _HALF
        prints = spread.astype(np.uint32)
        prints[prints == 0] = 1
        return slots.astype(np.int64), prints

    def _next(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        slots = slots + 1
        slots[slots == len(self._prints)] = 0
        return slots


def _room_in(folder: Path, size: int) -> mmap.mmap:
    """Zeros in a file without a name. The room is taken at once: a full disk is an error here, not later."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)
