"""A real Prometheus on this machine, and promtool: Debian's package, unpacked into the tests' cache folder.

Nothing is installed: `apt-get download` and `dpkg-deb` need no rights. What is on the PATH is used first.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.pipelines import until
from tests.servers.jars import cache_folder, lock
from tests.servers.kafka import free_ports

PROGRAMS = ("prometheus", "promtool")
CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: loader
    static_configs: [{{targets: ["{target}"]}}]
"""


class Programs(NamedTuple):
    """Where the two programs are."""

    prometheus: str
    promtool: str


def programs() -> Programs:
    """Prometheus and promtool. Raises RuntimeError where they cannot be had: an error, not a skip."""
    found = [shutil.which(name) for name in PROGRAMS]
    if all(found):
        return Programs(*map(str, found))
    folder = cache_folder() / "prometheus"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock(folder.with_suffix(".lock")):
        if not folder.exists():
            _fetch(folder)
    return Programs(*(str(folder / "usr" / "bin" / name) for name in PROGRAMS))


def _fetch(folder: Path) -> None:
    """Download and unpack the package; the folder appears complete or not at all."""
    temporary = folder.with_suffix(".new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        if not _downloaded(temporary):  # a fresh container knows no package yet
            _run("apt-get", "update", cwd=temporary)
            if not _downloaded(temporary):
                _run("apt-get", "download", "prometheus", cwd=temporary)
        (package,) = temporary.glob("*.deb")
        _run("dpkg-deb", "--extract", str(package), str(temporary), cwd=temporary)
        package.unlink()
    except (OSError, RuntimeError) as error:
        raise RuntimeError(f"install Prometheus (or apt, which brings it): {error}") from error
    temporary.rename(folder)


def _downloaded(folder: Path) -> bool:
    words = ["apt-get", "download", "prometheus"]
    return subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0


def _run(*words: str, cwd: Path) -> None:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")


class Prometheus:
    """A server that scrapes one page every second."""

    def __init__(self, address: str) -> None:
        self.address = address

    def value(self, query: str) -> float | None:
        """The value of a query with one answer; None while it has none."""
        result = self.ask("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def alerts(self) -> dict[str, str]:
        """The alerts that are pending or firing."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self.ask("alerts")["alerts"]}

    def ask(self, what: str, **parameters: str) -> Any:
        """The data of one call of the HTTP API."""
        words = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{what}?{words}", timeout=10) as answer:
            return json.load(answer)["data"]


@contextmanager
def prometheus(folder: Path, target: str, rules: Path) -> Iterator[Prometheus]:
    """Start a server in a folder, with a page to scrape and rules; it is killed at the end."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    file = folder / "prometheus.yml"
    file.write_text(CONFIG.format(target=target, rules=rules))
    words = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    words += [f"--web.listen-address={address}", "--log.level=warn"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([programs().prometheus, *words], stdout=log, stderr=log)
    server = Prometheus(address)
    try:
        until(lambda: _answers(server, process), "Prometheus is ready")
        yield server
    finally:
        process.kill()
        process.wait()


def _answers(server: Prometheus, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "Prometheus has ended, see prometheus.log"
    try:
        return bool(server.ask("status/runtimeinfo"))
    except OSError:
        return False
