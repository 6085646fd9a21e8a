"""The wheel is the whole program: installed alone, elsewhere, it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the repository, without network: the build backend is a test dependency."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY)
    [built] = folder.glob("*.whl")
    return built


def test_statements_and_configs_travel_inside_the_wheel(wheel: Path) -> None:
    """Every file of `sql/` and `config/` is in the package, and no test is."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("sql", "config"):
        files = {
            f"loader/_{folder}/{path.relative_to(REPOSITORY / folder).as_posix()}"
            for path in (REPOSITORY / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files
        assert files <= inside
    assert not [name for name in inside if name.startswith("tests/")]


@pytest.mark.slow
def test_the_installed_wheel_runs_the_demo_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """An empty environment with the wheel and its constraints runs `loader demo` from any folder."""
    venv.create(tmp_path / "venv")
    program = tmp_path / "venv" / "bin"
    into = (sys.executable, "-m", "pip", "--python", program / "python", "install", "-q", "--no-compile")
    _run(*into, "-c", REPOSITORY / "constraints.txt", wheel)
    (tmp_path / "elsewhere").mkdir()
    done = _run(program / "loader", "demo", "--json", cwd=tmp_path / "elsewhere")
    assert json.loads(done.stdout)


def _run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a clean environment; what it said is in the failure."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADER", "PYTHON"))}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done
