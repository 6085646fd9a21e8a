"""Which lakes write into a data folder: a mark of each, so that none takes the other's files for orphans."""

from __future__ import annotations

import hashlib
from pathlib import Path

from loader.warehouse.files import make_folder, sync_new_file

MARK = ".lake-"


def claim(data: Path, catalogue: Path) -> None:
    """Leave the mark of this lake in its data folder. Raises OSError."""
    mark = _mark(data, catalogue)
    if mark.exists() and mark.read_text().strip():  # nothing stands in it after a full disk, or a power cut
        return
    make_folder(data)
    mark.write_text(f"{catalogue.resolve()}\n")
    sync_new_file(mark)


def other_owners(data: Path, catalogue: Path) -> list[str]:
    """The catalogues of other lakes that write into this folder and still exist; an empty mark's own name."""
    marks = (mark for mark in sorted(data.glob(f"{MARK}*")) if mark != _mark(data, catalogue))
    found = [(mark, mark.read_text().strip()) for mark in marks]
    return [name or str(mark) for mark, name in found if not name or Path(name).exists()]


def _mark(data: Path, catalogue: Path) -> Path:
    return data / f"{MARK}{hashlib.sha256(str(catalogue.resolve()).encode()).hexdigest()[:12]}"
