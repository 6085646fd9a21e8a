"""Spoil one thing of the loader at a time and see that a test fails.

    python -m tests.mutants [--only WORD] [--save]

Each mutant is a copy of the repository in a temporary folder, in which the tests named for it run; first
all of them pass in a copy without a change. Prints one JSON object; exits 0 when every mutant was caught,
3 when one survived. `--save` keeps the object in tests/mutants/results.json, where the page about
reliability reads it.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutants.patch import Mutant, mutants
from tests.servers.command import REPOSITORY

RESULTS = Path(__file__).with_name("results.json")
COPIED = ("loader", "sql", "config", "tests", "pyproject.toml")
SURVIVED = 3
TESTS_FAILED = 1  # pytest's exit code; others mean that it could not run
LONGEST = 300  # seconds for one test: a mutant may wait for ever


def check_sound(chosen: list[Mutant]) -> None:
    """Raise RuntimeError unless all their tests pass in a copy without any change."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        _copy(Path(name))
        done = _run(sorted({test for mutant in chosen for test in mutant.tests}), Path(name))
    if done.returncode:
        message = f"the tests fail without any change:\n{done.stdout}"
        raise RuntimeError(message)


def tried(mutant: Mutant) -> dict[str, Any]:
    """What became of a mutant. Raises RuntimeError when its tests cannot run."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        _copy(Path(name))
        for file, text in mutant.applied(Path(name)).items():
            (Path(name) / file).write_text(text)
        done = _run(mutant.tests, Path(name))
    if done.returncode not in {0, TESTS_FAILED}:
        message = f"{mutant.name}: its tests cannot run:\n{done.stdout}"
        raise RuntimeError(message)
    failed = re.search(r"^FAILED \S*?(\w+\.py::\w+)", done.stdout, re.MULTILINE)
    seconds = round(time.monotonic() - begun, 1)
    killed_by = failed.group(1) if failed else ""
    return {"name": mutant.name, "what": mutant.what, "killed_by": killed_by, "seconds": seconds}


def _copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in COPIED:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
        else:
            shutil.copy(REPOSITORY / name, folder / name)


def _run(tests: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", f"--timeout={LONGEST}", *tests]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="mutants whose name holds this")
    parser.add_argument("--save", action="store_true", help="keep the result in the repository")
    wanted = parser.parse_args(arguments)
    chosen = [mutant for mutant in mutants() if wanted.only in mutant.name]
    check_sound(chosen)
    found = []
    for mutant in chosen:
        found.append(tried(mutant))
        print(f"{mutant.name}: {found[-1]['killed_by'] or 'SURVIVED'}", file=sys.stderr, flush=True)
    result = {"ok": all(each["killed_by"] for each in found), "mutants": found}
    print(json.dumps(result))
    if wanted.save:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["ok"] else SURVIVED


if __name__ == "__main__":
    sys.exit(main())
