"""Which lakes write into a data folder: a mark of each, so that none takes the other's files for orphans."""

from __future__ import annotations

import hashlib
from pathlib import Path

from loader.warehouse.files import make_folder, sync_new_file

MARK = ".lake-"


def claim(data: Path, catalogue: Path) -> None:
    """Leave the mark of this lake in its data folder. Raises OSError."""
    mark = data / f"{MARK}{hashlib.sha256(str(catalogue.resolve()).encode()).hexdigest()[:12]}"
    if mark.exists() and mark.read_text().strip():  # nothing stands in it after a full disk, or a power cut
        return
    make_folder(data)
    mark.write_text(f"{catalogue.resolve()}\n")
    sync_new_file(mark)


def other_owners(data: Path, catalogue: Path) -> list[str]:
    """The catalogues of other lakes that write into this folder and still exist."""
    found = [mark.read_text().strip() for mark in sorted(data.glob(f"{MARK}*"))]
    return [other for other in found if other not in ("", str(catalogue.resolve())) and Path(other).exists()]
