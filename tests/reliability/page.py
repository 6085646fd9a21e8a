"""The page as Markdown; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.reliability.evidence import Fault, Proof

HEAD = """\
# What has been tried, and how we know

`python -m tests.reliability` makes this page from the list of faults (tests/reliability/faults.toml), the \
tests that are marked with its numbers, and the committed results of the programs that take too long for the \
suite. A test fails when the page is not what the command makes.

Who judges: an oracle that imports nothing from the loader (tests/oracle). It reads the topic with another \
client and the warehouse with plain DuckDB. Whether the tests can fail is what the mutants at the end show.
"""

NO_TEST = "no test yet"


def page(
    sections: Iterable[tuple[str, list[Fault]]],
    proofs: Mapping[int, list[Proof]],
    results: Mapping[str, dict[str, Any]],
) -> str:
    """All of it."""
    parts = [HEAD]
    for name, faults in sections:
        rows = ([str(f.number), f.fault, f.outcome, _shown(f, proofs.get(f.number, []))] for f in faults)
        parts.append(f"## {name}\n\n{_table(['', 'fault', 'what must come of it', 'shown by'], rows)}")
    parts.append(_points(results))
    parts.append(_kills(results))
    parts.append(_backlogs(results))
    parts.append(_mutants(results))
    return "\n".join(part for part in parts if part)


def _shown(fault: Fault, proofs: Iterable[Proof]) -> str:
    by_file: dict[str, list[str]] = {}
    for proof in proofs:
        by_file.setdefault(proof.file, []).append(proof.test.removeprefix("test_"))
    shown = "; ".join(f"[{file}]({file}): {', '.join(tests)}" for file, tests in by_file.items())
    remark = f" *Simulated*: {fault.simulated}." if fault.simulated else ""
    return (shown or NO_TEST) + remark


def _points(results: Mapping[str, dict[str, Any]]) -> str:
    """The crash points of tests/crash/syscalls.py."""
    rows = [
        [found["of"], found["warehouse"], found["how"], _of(found), ends(found), _verdict(found)]
        for name, found in sorted(results.items())
        if name.startswith("crash/results/syscalls")
    ]
    if not rows:
        return ""
    text = (
        "## Every change of a file\n\nOne command on a small warehouse, ended or disturbed at each of its "
        "calls that change a file (and once at its end), then run again; the oracle judges before and after. "
        "`kill`: SIGKILL before the call; `power`: that, and what was not synced is gone; `eio`: the "
        "call fails once; `eio-kill`: that, and SIGKILL before the next one; `full`: it and all later ones "
        "that need room fail. "
        "`python -m tests.crash.syscalls` does it again.\n\n"
    )
    names = ["command", "warehouse", "how", "points tried", "exit codes", "verdict"]
    return text + _table(names, rows)


def _of(found: Mapping[str, Any]) -> str:
    whole = int(found["calls"]) + 1
    return f"all {whole}" if found["tried"] == whole else f"{found['tried']} of {whole}"


def ends(found: Mapping[str, Any]) -> str:
    """How the disturbed commands ended, as `killed: 120, 0: 1`."""
    words = {"-9": "killed"}
    return ", ".join(f"{words.get(code, code)}: {count}" for code, count in found["ends"].items())


def _kills(results: Mapping[str, dict[str, Any]]) -> str:
    """Random kills, by seed."""
    runs = [(name, found) for name, found in sorted(results.items()) if _is_campaign(name, found)]
    if not runs:
        return ""
    rows = [
        [
            found["warehouse"],
            str(found["seed"]),
            f"{_sum(found['kills']):,}",
            f"{_sum(found.get('records', 0)):,}",
            _verdict(found),
            f"[{name.rpartition('/')[2]}]({name})",
        ]
        for name, found in runs
    ]
    names = ["warehouse", "seed", "SIGKILLs", "records", "verdict", "result"]
    return f"## Random kills\n\n{_bounds([found for _, found in runs])}\n\n{_table(names, rows)}"


def _is_campaign(name: str, found: Mapping[str, Any]) -> bool:
    return {"warehouse", "seed", "kills"} <= found.keys() and not name.startswith("crash/results/syscalls")


def _sum(count: Any) -> int:
    """A count, or the counts of several kinds (of kills: by verb)."""
    if isinstance(count, Mapping):
        return sum(map(int, count.get("by_verb", count).values()))
    return int(count)


def _bounds(runs: Iterable[Mapping[str, Any]]) -> str:
    kills: dict[str, int] = {}
    for run in runs:
        if run["ok"]:
            kills[run["warehouse"]] = kills.get(run["warehouse"], 0) + _sum(run["kills"])
    bounds = (
        f"{warehouse}: {count:,} kills without a lost, doubled or invented row, so at 95 % fewer than "
        f"{3 / count:.2%} of kills do harm (3/N)"
        for warehouse, count in kills.items()
        if count
    )
    return "; ".join(bounds)


def _backlogs(results: Mapping[str, dict[str, Any]]) -> str:
    """The memory of long loads, by tests/backlog."""
    rows = [
        [
            found["warehouse"],
            f"{found['records']:,}",
            f"{found['batches']:,}",
            f"{found['seconds']:.0f}",
            ", ".join(map(str, found["mb_by_tenth"])),
            "flat" if found["ok"] else "**wrong**",
        ]
        for name, found in sorted(results.items())
        if name.startswith("backlog/results/")
    ]
    if not rows:
        return ""
    text = (
        "## A long backlog\n\nOne `load` of everything that waits, and the most memory (MB) in each tenth of "
        "its batches. Flat: the last tenth needs no more than the second one, but for 17 bytes of each id. "
        "`python -m tests.backlog` does it again.\n\n"
    )
    names = ["warehouse", "records", "batches", "seconds", "memory by tenth", "verdict"]
    return text + _table(names, rows)


def _mutants(results: Mapping[str, dict[str, Any]]) -> str:
    found = results.get("mutants/results.json")
    if not found:
        return ""
    rows = ([m["name"], m["what"], m["killed_by"] or "**survived**"] for m in found["mutants"])
    count = sum(bool(mutant["killed_by"]) for mutant in found["mutants"])
    text = (
        f"## Mutants\n\nThe loader with one thing spoilt, and the test that notices: {count} of "
        f"{len(found['mutants'])} are caught. `python -m tests.mutants` does it again.\n\n"
    )
    return text + _table(["mutant", "what it does", "caught by"], rows)


def _verdict(found: Mapping[str, Any]) -> str:
    return "exact" if found["ok"] else "**wrong**"


def _table(names: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(_lines(names, rows)) + "\n"


def _lines(names: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for row in (names, ["---"] * len(names), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
