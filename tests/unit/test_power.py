"""What a disk keeps when the power goes: what was synced, under the names that were synced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.power import Call, Disk, calls_in


class Folder:
    """A folder that is changed as a process does it, with the notes that the shim would make."""

    def __init__(self, tmp_path: Path) -> None:
        self.root, self.twin, self.kept = (tmp_path / name for name in ("root", "twin", "kept"))
        for folder in (self.root, self.twin, self.kept):
            folder.mkdir()
            if folder != self.kept:
                (folder / "old").write_text("old")
        self.disk = Disk.of(self.root, self.twin)
        self.calls: list[Call] = []

    def note(self, name: str, path: Path) -> int:
        """Note a call before it is made."""
        found = path.stat() if path.exists() else None
        inode, links = (found.st_ino, found.st_nlink) if found else (0, 0)
        self.calls.append(Call(len(self.calls) + 1, name, inode, links, str(path)))
        return len(self.calls)

    def sync(self, path: Path) -> None:
        """Sync a file or a folder."""
        number = self.note("fsync", path)
        if path.is_dir():
            lines = (f"{each.stat().st_ino} {each.name}{'/' * each.is_dir()}\n" for each in path.iterdir())
            (self.kept / f"{number}.entries").write_text("".join(lines))
        else:
            (self.kept / str(number)).write_bytes(path.read_bytes())

    def cut(self) -> dict[str, str]:
        """The files that are left, and what they hold."""
        self.disk.replay(self.calls, self.kept)
        self.disk.write(self.root)
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_text() for path in files}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one durable file, `old`."""
    return Folder(tmp_path)


def test_what_was_not_synced_is_gone(folder: Folder) -> None:
    """New bytes of an old file, a new file, a new name."""
    (folder.root / "old").write_text("changed")
    (folder.root / "new").write_text("new")
    folder.sync(folder.root / "new")
    assert folder.cut() == {"old": "old"}


def test_a_name_without_its_bytes_is_an_empty_file(folder: Folder) -> None:
    """The folder was synced, the file was not."""
    (folder.root / "new").write_text("new")
    folder.sync(folder.root)
    assert folder.cut() == {"old": "old", "new": ""}


def test_file_and_folder_synced_are_there(folder: Folder) -> None:
    """The bytes of the last sync, in a folder inside of a folder too."""
    inner = folder.root / "inner"
    inner.mkdir()
    (inner / "new").write_text("new")
    folder.sync(inner / "new")
    (inner / "new").write_text("newer")
    folder.sync(inner)
    folder.sync(folder.root)
    assert folder.cut() == {"old": "old", "inner/new": "new"}


def test_a_removal_needs_a_sync_too(folder: Folder) -> None:
    """A deleted file comes back with its bytes; another file with its inode is another file."""
    folder.note("unlink", folder.root / "old")
    inode = (folder.root / "old").stat().st_ino
    (folder.root / "old").unlink()
    (folder.root / "new").write_text("new")
    os.utime(folder.root / "new")
    reused = Call(len(folder.calls) + 1, "fsync", inode, 1, str(folder.root / "new"))
    folder.calls.append(reused)
    (folder.kept / str(reused.number)).write_text("new")
    assert folder.cut() == {"old": "old"}


def test_a_rename_is_durable_with_its_folder(folder: Folder) -> None:
    """Before the sync of the folder the old name holds the old file."""
    (folder.root / "temporary").write_text("new")
    folder.sync(folder.root / "temporary")
    folder.note("rename", folder.root / "old")
    (folder.root / "temporary").rename(folder.root / "old")
    before = len(folder.calls)
    folder.sync(folder.root)
    calls, folder.calls = folder.calls, folder.calls[:before]
    assert folder.cut() == {"old": "old"}
    folder.calls = calls[before:]
    assert folder.cut() == {"old": "new"}


def test_the_log_is_read_in_the_order_of_the_calls(tmp_path: Path) -> None:
    """Threads write their lines in any order; a line that a kill has cut off is none."""
    log = tmp_path / "log"
    log.write_text("2 fsync 7 1 /a b\n1 open 0 0 /a b\n3 wri")
    assert calls_in(log) == [Call(1, "open", 0, 0, "/a b"), Call(2, "fsync", 7, 1, "/a b")]
    assert calls_in(tmp_path / "none") == []
