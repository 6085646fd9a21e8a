"""The shipped alert rules, by Prometheus' own tool: they are rules, and speak when they should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.servers.prometheus import programs

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "docs" / "examples" / "alerts.yml"


def promtool(*words: str) -> str:
    """Run it in this folder; what it says. It must have nothing against it."""
    done = subprocess.run(
        [programs().promtool, *words], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_rules() -> None:
    """`promtool check rules` finds each of them."""
    names = [
        rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]
    assert f"{len(names)} rules found" in promtool("check", "rules", str(RULES))
    tried = (HERE / "alerts.test.yml").read_text()
    assert [name for name in names if f"alertname: {name}\n        exp_alerts" not in tried] == []


def test_the_rules_speak_when_they_should_and_only_then() -> None:
    """`promtool test rules` over made-up situations: each alert fires in one, and none when all is well."""
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")
