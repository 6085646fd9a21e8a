"""After a campaign: heal, catch up, ask the loader, let the oracle judge, and put it into one object."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections import Counter
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

from tests.chaos.campaign import Campaign, Kill, Wanted
from tests.chaos.workers import LONG
from tests.oracle import Check, Evidence, case, judge, read_topic
from tests.oracle.files import Files, database_files, lake_files
from tests.oracle.group import stable_ends
from tests.pipelines import Pipeline
from tests.servers.command import REPOSITORY, Result
from tests.servers.jars import KAFKA_VERSION

TRIES = 3  # loads after the last fault: another writer's lock, or a broker that has just come back
TWO_DAYS = 2 * 86_400.0  # seconds: older than any file that could be under way
BESIDE = frozenset({"loader.toml"})  # what else may lie beside a DuckDB file
COUNTED = ("duckdb", "confluent-kafka", "pyarrow", "aiokafka", "loader-kafka")
GOOD = {True, None}
SUMMED = ("kills", "faults", "exits", "records")


class Healed:
    """The pipeline when everything is over: caught up, kept up, and asked about itself."""

    def __init__(self, campaign: Campaign) -> None:
        pipeline = campaign.pipeline
        campaign.kafka.start(LONG)
        campaign.stop()
        self.journal = campaign.feed.finish()
        self.load = self._caught_up(pipeline)
        self.samples, self.looks, self.errors = campaign.watch.end()
        self.upkeep = self._kept_up(pipeline)
        self.verify, self.status = pipeline("verify", "--deep", timeout=600), pipeline("status", timeout=600)

    @staticmethod
    def _caught_up(pipeline: Pipeline) -> Result:
        for _ in range(TRIES):
            result = pipeline("load", timeout=600)
            if result.code != 75:
                break
        return result

    @staticmethod
    def _kept_up(pipeline: Pipeline) -> Result:
        """Upkeep as it were two days later: what kills have left without a name is old enough to go."""
        before = time.time() - TWO_DAYS
        for file in pipeline.folder.rglob("*"):
            os.utime(file, (before, before))
        return pipeline("maintain", timeout=600)

    def commands(self) -> Check:
        """Whether the loader's own commands ended well."""
        ended = {
            "load": self.load,
            "maintain": self.upkeep,
            "verify --deep": self.verify,
            "status": self.status,
        }
        wrong = [f"{name}: {result.code}: {result.out}" for name, result in ended.items() if result.code]
        return Check("commands", not wrong, "; ".join(wrong) or ", ".join(ended))


def verdict(campaign: Campaign, seconds: float) -> dict[str, Any]:
    """Heal and judge one warehouse; its part of the object that is printed."""
    healed = Healed(campaign)
    checks = [*_checks(campaign, healed), healed.commands(), *_clean(campaign, healed)]
    return {
        "ok": all(check.ok in GOOD for check in checks),
        "seed": campaign.seed,
        "kills": kills(campaign),
        "faults": dict(campaign.faults),
        "exits": dict(sorted(campaign.ends.codes.items())),
        "strange_exits": campaign.ends.strange,
        "records": dict(Counter(entry.kind for entry in healed.journal)),
        "batches": campaign.pipeline.batches(),
        "checks": [check._asdict() for check in checks],
        "verify": healed.verify.json if healed.verify.out else None,
        "seconds": round(seconds, 1),
    }


def unfinished(seed: int, problem: str) -> dict[str, Any]:
    """The part of a warehouse that could not be judged, with what went wrong."""
    nothing: dict[str, Any] = {name: {} for name in SUMMED}
    return {"ok": False, "seed": seed, "problem": problem, **nothing}


def kills(campaign: Campaign) -> dict[str, Any]:
    """How many SIGKILLs hit, and how many of them in which state of things, by the ledger's own times."""
    found = campaign.kills
    return {
        "tried": campaign.tried,
        "hit": len(found),
        "under_way": sum(map(partial(_under_way, _commits(campaign.pipeline)), found)),
        "before_a_commit_of_its_own": sum(not kill.commits for kill in found),
        "by_verb": dict(Counter(kill.verb for kill in found)),
    }


def _commits(pipeline: Pipeline) -> list[dict[str, Any]]:
    return pipeline.rows(
        "SELECT b.committed_at AS at, s.partition, s.end_offset AS reached "
        "FROM loader.spans s JOIN loader.batches b USING (batch)"
    )


def _under_way(commits: list[dict[str, Any]], kill: Kill) -> bool:
    """Whether part of what had been sent was committed, and part of it was not."""
    done: dict[int, int] = {}
    for each in commits:
        if each["at"] <= kill.at:
            done[each["partition"]] = max(each["reached"], done.get(each["partition"], 0))
    return bool(done) and any(done.get(number, 0) < end for number, end in kill.sent.items())


def together(wanted: Wanted, command: str, parts: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """The whole object: what was asked for, the sums, and each warehouse."""
    return {
        "ok": all(part["ok"] for part in parts),
        "repeat": command,
        "warehouse": wanted.warehouse,
        "seed": wanted.seed,
        "wanted": asdict(wanted),
        **{name: _sum([part[name] for part in parts]) for name in SUMMED},
        "parts": parts,
        "seconds": round(seconds, 1),
        "versions": versions(),
        "commit": commit(),
    }


def _sum(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums by name, also of counts within counts."""
    names = sorted({name for count in counts for name in count})
    values = {name: [count[name] for count in counts if name in count] for name in names}
    return {name: _sum(found) if isinstance(found[0], dict) else sum(found) for name, found in values.items()}


def _checks(campaign: Campaign, healed: Healed) -> list[Check]:
    pipeline = campaign.pipeline
    records = read_topic(pipeline.bootstrap, pipeline.topic, timeout=600)
    with pipeline.store() as store:
        found = case(records, store, pipeline=pipeline.name)
    evidence = Evidence(
        found=found,
        journal=healed.journal,
        samples=healed.samples,
        looks=healed.looks,
        files=_files(pipeline),
        ends=stable_ends(pipeline.bootstrap, pipeline.topic, len(found.held.offsets)),
        status=healed.status.json,
        verify=healed.verify.json,
    )
    return judge(evidence)


def _files(pipeline: Pipeline) -> Files:
    if pipeline.kind == "ducklake":
        return lake_files(pipeline.folder / "catalog.sqlite", pipeline.folder / "data")
    with pipeline.store() as store:
        return database_files(store, pipeline.folder / "warehouse.duckdb", BESIDE)


def _clean(campaign: Campaign, healed: Healed) -> list[Check]:
    """Nothing ended, or was seen, as nobody expected."""
    strange = campaign.ends.strange
    return [
        Check("exits", not strange, "; ".join(strange) or f"{sum(campaign.ends.codes.values())} as expected"),
        Check("reader", not healed.errors, "; ".join(healed.errors[:3]) or "never refused"),
    ]


def versions() -> dict[str, str]:
    """What was running."""
    found = {name: version(name) for name in COUNTED}
    return {"python": platform.python_version(), "kafka": KAFKA_VERSION, **found}


def commit() -> str:
    """The commit of the repository, with `+` where files differ from it; empty without git."""
    words = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip()
