"""What a disk holds after a power cut: only what was synced (fsync), as the strictest file system has it.

The bytes of a file are those of its last fsync; a file that was never synced is empty. A name is
there, or gone, only once its folder was synced. `shim.c` keeps what each fsync made durable, and
its log says in which order.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

SYNCS = ("fsync", "fdatasync")
ENDS_A_NAME = ("unlink", "rename")  # the log tells what the path named before the call


@dataclass(frozen=True)
class Call:
    """One line of the shim's log; `inode` and `links` are those of what the path named before the call."""

    number: int
    name: str
    inode: int
    links: int
    path: str


def calls_in(log: Path) -> list[Call]:
    """The calls in the order in which they were counted; a line cut off by a kill is none."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    found = (line.rstrip("\n").split(" ", 4) for line in lines if line.endswith("\n"))
    calls = [Call(int(n), name, int(inode), int(links), path) for n, name, inode, links, path in found]
    return sorted(calls, key=lambda call: call.number)


@dataclass
class Disk:
    """A folder as it is on the disk. An inode number that is used again is another file."""

    root: int
    _files: dict[int, int] = field(default_factory=dict)  # inode number -> which file it is now
    _bytes: dict[int, Path] = field(default_factory=dict)
    _entries: dict[int, dict[str, int]] = field(default_factory=dict)  # of folders
    _new: count[int] = field(default_factory=count)

    @classmethod
    def of(cls, folder: Path, twin: Path) -> Disk:
        """A folder of which all is durable; `twin` is a copy that stays as it is now."""
        disk = cls(folder.stat().st_ino)
        for path in (folder, *folder.rglob("*")):
            file = disk._file(path.stat().st_ino)
            if path.is_dir():
                names = {child.name: disk._file(child.stat().st_ino) for child in path.iterdir()}
                disk._entries[file] = names
            else:
                disk._bytes[file] = twin / path.relative_to(folder)
        return disk

    def replay(self, calls: Iterable[Call], kept: Path) -> None:
        """What the calls made durable; `kept` is the shim's SHIM_KEEP."""
        for call in calls:
            if call.name in SYNCS:
                self._sync(call, kept / str(call.number), kept / f"{call.number}.entries")
            elif call.name in ENDS_A_NAME and call.links == 1:
                self._files.pop(call.inode, None)  # whoever has this number next is another file

    def write(self, folder: Path) -> None:
        """Make the folder what a power cut leaves of it."""
        shutil.rmtree(folder)
        self._write(self._file(self.root), folder)

    def _sync(self, call: Call, content: Path, entries: Path) -> None:
        """Neither of the two files is there where the process was killed before."""
        file = self._file(call.inode)
        if entries.exists():
            self._entries[file] = dict(map(self._entry, entries.read_text().splitlines()))
        elif content.exists():
            self._bytes[file] = content

    def _entry(self, line: str) -> tuple[str, int]:
        inode, name = line.split(" ", 1)
        file = self._file(int(inode))
        if name.endswith("/"):
            self._entries.setdefault(file, {})
        return name.rstrip("/"), file

    def _write(self, file: int, folder: Path) -> None:
        folder.mkdir()
        for name, child in self._entries[file].items():
            if child in self._entries:
                self._write(child, folder / name)
            elif child in self._bytes:
                shutil.copyfile(self._bytes[child], folder / name)
            else:
                (folder / name).touch()

    def _file(self, inode: int) -> int:
        if inode not in self._files:
            self._files[inode] = next(self._new)
        return self._files[inode]
