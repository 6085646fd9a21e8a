"""The checks of `verify` about derived tables: as configured, queued to be sent, equal to a rebuild."""

from __future__ import annotations

from contextlib import closing

import duckdb

from loader.model import new_batch_id
from loader.statements import statement
from loader.warehouse.attach import translated
from loader.warehouse.derivation import Derivation, derivations
from loader.warehouse.reading import Reader, Row
from loader.warehouse.rederive import Rederiver
from loader.warehouse.transaction import transaction
from loader.warehouse.verify import Check, guarded, verdict


def derived_checks(reader: Reader, *, anew: bool) -> list[Check]:
    """Nothing where nothing is derived; with `anew` each table is compared with itself made anew."""
    known = reader.of_pipeline("read/derived")
    if not known and not reader.config.derive:
        return []
    wanted = derivations(reader.config, reader.contract)
    found = [guarded(reader, "derived", lambda: _as_configured(reader, wanted, known))]
    if anew and found[0].status == "ok":
        found.append(guarded(reader, "derived anew", lambda: _anew(reader, wanted)))
    return found


def _as_configured(reader: Reader, wanted: tuple[Derivation, ...], known: list[Row]) -> Check:
    made = {row["name"]: row["digest"] for row in known}
    findings = [{"table": d.table, "problem": "not made"} for d in wanted if d.table not in made]
    findings += [
        {"table": d.table, "problem": "made with another SELECT, key or types"}
        for d in wanted
        if made.get(d.table, d.digest) != d.digest
    ]
    findings += [
        {"table": name, "problem": "no [[derive]]"} for name in set(made) - {d.table for d in wanted}
    ]
    for derivation in wanted:
        if derivation.send_to and derivation.table in made:
            findings += _unqueued(reader, derivation)
    findings += [{"twice in the outbox": row["id"]} for row in reader.of_pipeline("read/outbox_twice")]
    waiting = sum(row["waiting"] for row in known)
    good = f"{len(wanted)} derived tables are as configured"
    return verdict("derived", findings, f"{good}; {waiting} rows wait to be sent" if waiting else good)


def _unqueued(reader: Reader, derivation: Derivation) -> list[Row]:
    parameters = {"pipeline": reader.config.pipeline, "name": derivation.table}
    names = {"table": derivation.table, "id": derivation.id}
    rows = reader.rows("read/unqueued", parameters, **names)
    return [{"table": derivation.table, "not in the outbox": row["id"]} for row in rows]


def _anew(reader: Reader, wanted: tuple[Derivation, ...]) -> Check:
    config = reader.config
    with closing(reader.home.cursor()) as cursor:  # the reader's own is in a transaction that may only read
        maker = Rederiver(cursor, config.pipeline, config.table.name, reader.contract)
        try:
            findings = [row for derivation in wanted if (row := _compared(cursor, maker, derivation))]
        except duckdb.Error as error:
            raise translated(error, str(config.warehouse.file)) from error
    return verdict("derived anew", findings, f"{len(wanted)} derived tables equal what a rebuild makes")


def _compared(cursor: duckdb.DuckDBPyConnection, maker: Rederiver, derivation: Derivation) -> Row | None:
    """How a table differs from itself made anew, both on one snapshot; None where it does not."""
    name = f"anew_{new_batch_id()}"
    with transaction(cursor):
        maker.anew(derivation, name, 0)
        too_many, missing = maker.differences(derivation, name)
    cursor.execute(statement("load/drop_staging", name=name))
    if not too_many and not missing:
        return None
    return {"table": derivation.table, "rows too many": too_many, "missing": missing}
