"""The examples of docs/ hold what they promise, as far as that can be said without their programs."""

from __future__ import annotations

import configparser
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command

from loader.cli.main import app, hoisted
from loader.config import config_from
from loader.cron import parse
from loader.errors import ActionNeeded, ComparisonFailed, ConfigError, Temporary

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"
FOR_A_PERSON = [ActionNeeded.exit_code, ConfigError.exit_code, ComparisonFailed.exit_code]


def accepted(words: Sequence[str]) -> str:
    """The verb of a command, if the loader has it and its options; else an error of typer."""
    command: Any = get_command(app)
    context = command.make_context("loader", hoisted(words), resilient_parsing=True)
    verb, *options = [*context._protected_args, *context.args]
    command.commands[verb].make_context(verb, options)
    return str(verb)


def test_the_check_of_commands_can_fail() -> None:
    """An option or a verb that does not exist is an error."""
    assert accepted(["-c", "x.toml", "load", "--max-seconds", "5"]) == "load"
    for words in (["load", "--max-second", "5"], ["lod"]):
        with pytest.raises((typer.TyperException, KeyError)):
            accepted(words)


def unit() -> configparser.ConfigParser:
    """The systemd unit."""
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLES / "loader.service")
    return parser


def test_the_unit_starts_again_what_may_help_and_stops_in_good_order() -> None:
    """1, 2 and 3 stay down; SIGTERM reaches the scheduler alone; there is time for the last batch."""
    service = unit()["Service"]
    assert service["Restart"] == "on-failure"
    assert [int(code) for code in service["RestartPreventExitStatus"].split()] == FOR_A_PERSON
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > 8 + 5
    assert accepted(shlex.split(service["ExecStart"])[1:]) == "schedule"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not everywhere")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, once the program exists."""
    text = (EXAMPLES / "loader.service").read_text()
    file = tmp_path / "loader.service"
    file.write_text(text.replace("/opt/loader/.venv/bin/loader", sys.executable).replace("User=loader\n", ""))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "loader.service" in line]
    assert said == []


def test_the_crontab_lines_run_verbs() -> None:
    """Five fields that crontab takes, then a command that the loader has."""
    lines = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if not line.startswith("#")]
    found = [line.split(maxsplit=5) for line in lines]
    verbs = [accepted(shlex.split(words[5].split(" > ")[0])[1:]) for words in found]
    assert verbs == ["load", "maintain", "status"]
    assert all(parse(" ".join(words[:5])).minutes for words in found)


def test_the_cron_job_never_overlaps_and_knows_the_exit_codes() -> None:
    """Forbid; fail on 1, 2 and 3; count 75, and so try again. Files stay few: upkeep has a job too."""
    jobs = list(yaml.safe_load_all((EXAMPLES / "cronjob.yaml").read_text()))
    assert [cron_job(job) for job in jobs] == ["load", "maintain"]


def cron_job(job: dict[str, Any]) -> str:
    """The verb of a job that is as it should be."""
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert parse(job["spec"]["schedule"])
    spec = job["spec"]["jobTemplate"]["spec"]
    rules = {rule["action"]: rule for rule in spec["podFailurePolicy"]["rules"]}
    assert rules["FailJob"]["onExitCodes"]["values"] == FOR_A_PERSON
    assert rules["Count"]["onExitCodes"]["values"] == [Temporary.exit_code]
    assert spec["backoffLimit"] > 0
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # podFailurePolicy asks for it
    (container,) = pod["containers"]
    assert {rule["onExitCodes"]["containerName"] for rule in rules.values() if "onExitCodes" in rule} == {
        container["name"]
    }
    assert pod["terminationGracePeriodSeconds"] > 8
    assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert container["image"] in (DOCS.parent / "docker-compose.yml").read_text()
    user = re.findall(r"^USER (\d+):(\d+)$", (DOCS.parent / "Dockerfile").read_text(), re.MULTILINE)
    wanted = pod["securityContext"]
    assert user == [(str(wanted["runAsUser"]), str(wanted["fsGroup"]))]
    return accepted(container["args"])


class AirflowException(Exception):
    """Airflow's: tried again."""


class AirflowFailException(AirflowException):
    """Airflow's: not tried again."""


@pytest.mark.parametrize(
    ("code", "raised"),
    [(0, None), (1, AirflowFailException), (2, AirflowFailException), (3, AirflowFailException),
     (75, AirflowException), (-9, AirflowException)],
)  # fmt: skip
def test_airflow_tries_again_only_what_may_help(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int,
    raised: type[Exception] | None,
) -> None:
    """The log has what the loader says; verbs exist; 1, 2 and 3 raise what Airflow does not try again."""
    ran: list[list[str]] = []
    dags: list[dict[str, Any]] = []
    errors: list[type[Exception]] = []

    def task(function: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                function()
            except AirflowException as error:
                errors.append(type(error))

        return run

    def dag(**facts: Any) -> Callable[[Any], Any]:
        dags.append(facts)
        return lambda function: function

    modules = {
        "airflow": {},
        "airflow.decorators": {"dag": dag, "task": task},
        "airflow.exceptions": {
            "AirflowException": AirflowException, "AirflowFailException": AirflowFailException,
        },
    }  # fmt: skip
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)

    def popen(words: list[str], **_: object) -> Any:
        ran.append(words)
        return nullcontext(SimpleNamespace(returncode=code, stdout=["error: orders: why\n"]))

    monkeypatch.setattr(subprocess, "Popen", popen)
    runpy.run_path(str(EXAMPLES / "airflow_dag.py"))
    assert [accepted(words[1:]) for words in ran] == ["load", "maintain"]
    assert errors == ([raised] * 2 if raised else [])
    assert capsys.readouterr().out == "error: orders: why\n" * 2
    for facts in dags:
        assert (facts["max_active_runs"], facts["catchup"]) == (1, False)
        assert parse(facts["schedule"])
        assert facts["default_args"]["retries"] > 0
        assert facts["start_date"].tzinfo == UTC


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("scheduling", {"schedule", "runs", "maintain", "status"}),
        ("watching", {"status", "load"}),
        ("reading", set()),
    ],
)
def test_a_page_shows_what_there_is(tmp_path: Path, name: str, verbs: set[str]) -> None:
    """The TOML of a page is a configuration, its commands exist, and its links lead somewhere."""
    import tomllib

    page = (DOCS / f"{name}.md").read_text()
    base = tomllib.loads((DOCS.parent / "config" / "orders.toml").read_text())
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in map(tomllib.loads, blocks):
        sections = {
            key: {**base.get(key, {}), **value} if isinstance(value, dict) else value
            for key, value in block.items()
        }
        config_from({**base, **sections}, tmp_path)
    commands = re.findall(r"^\$ loader (.*)$", page, re.MULTILINE)
    assert {accepted(shlex.split(words)) for words in commands} >= verbs
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page):
        assert (DOCS / target).exists(), target
