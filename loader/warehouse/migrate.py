"""Create a warehouse and bring its control tables up to date, by migration."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from loader.errors import WarehouseMismatch
from loader.statements import names, source, statement
from loader.warehouse.attach import connect
from loader.warehouse.files import make_folder, sync, sync_new_file
from loader.warehouse.owners import claim
from loader.warehouse.transaction import transaction

if TYPE_CHECKING:
    from loader.config import Warehouse as Address

STORAGE = "v1.4.0"  # format of a new DuckDB file: older ones are written a third more slowly


def create_file(address: Address) -> None:
    """Create a DuckDB file under a temporary name and link it into place.

    So a kill in between leaves nothing that cannot be opened. A DuckLake catalogue is created by
    its first attach, in one transaction.
    """
    make_folder(address.file.parent)
    if address.kind != "duckdb" or address.file.exists():
        return
    temporary = Path(f"{address.file}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    duckdb.connect(str(temporary), config={"storage_compatibility_version": STORAGE}).close()
    sync(temporary)
    try:
        os.link(temporary, address.file)
    except FileExistsError:
        pass  # another process was first; its file is as good
    finally:
        temporary.unlink()
    sync_new_file(address.file)


def open_warehouse(address: Address, memory: int | None) -> duckdb.DuckDBPyConnection:
    """Create what is missing and attach for writing; all migrations are applied."""
    create_file(address)
    if address.kind == "ducklake":
        claim(address.data_path, address.file)
    home = connect(address, memory=memory)
    try:
        migrate(home)
    except BaseException:
        home.close()
        raise
    return home


def migrate(home: duckdb.DuckDBPyConnection) -> None:
    """Apply the migrations that the attached database has not had. Raises WarehouseMismatch."""
    is_new = not has_control(home)
    missing = names("migrations") if is_new else lacking(home)
    if not missing:
        return
    with transaction(home):
        if is_new:
            home.execute(statement("warehouse/bootstrap"))
        for name in missing:
            home.execute(statement(f"migrations/{name}"))
            home.execute(statement("warehouse/record_migration"), [marked(name)])


def lacking(home: duckdb.DuckDBPyConnection) -> list[str]:
    """The migrations that a database with control tables has not had yet, in order.

    Raises WarehouseMismatch where it has had one that is not known here.
    """
    applied = {row[0] for row in home.execute(statement("warehouse/migrations")).fetchall()}
    shipped = {marked(name): name for name in names("migrations")}
    if unknown := sorted(applied - set(shipped)):
        message = (
            f"another version of the loader made the warehouse: its {', '.join(unknown)} is not known here"
        )
        hint = "use that version; or begin anew in another warehouse.path, with --new-warehouse"
        raise WarehouseMismatch(message, hint=hint)
    return [name for mark, name in shipped.items() if mark not in applied]


def marked(name: str) -> str:
    """A migration's name with a digest of its text: until 1.0 the text may change under the same name."""
    return f"{name}-{hashlib.sha256(source(f'migrations/{name}').encode()).hexdigest()[:8]}"


def has_control(home: duckdb.DuckDBPyConnection) -> bool:
    """Whether the attached database has the loader's control tables."""
    row = home.execute(statement("warehouse/has_control")).fetchone()
    return bool(row and row[0])
