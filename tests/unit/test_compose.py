"""docker-compose.yml is valid and hangs together, as far as that can be said without Docker."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.servers.compose import FILE, broker_properties, compose
from tests.servers.jars import KAFKA_VERSION


def test_the_file_follows_the_compose_schema() -> None:
    """The schema of the Compose specification, as shipped with check-jsonschema, accepts the file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_the_kafka_that_the_tests_run() -> None:
    """Users and tests have the same version of Kafka."""
    images = {service["image"] for service in compose()["services"].values()}
    assert f"apache/kafka:{KAFKA_VERSION}" in images


def test_the_loader_reaches_the_broker_from_inside() -> None:
    """Loader and replay use the address that the broker advertises to the other containers."""
    services = compose()["services"]
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for name in ("loader", "replay"):
        where = services[name]["environment"]["LOADER__KAFKA__BOOTSTRAP"]
        assert f"INSIDE://{where}" in advertised.split(",")


def test_every_volume_is_named_and_used() -> None:
    """Data lives in named volumes: none is declared in vain, none is anonymous."""
    file = compose()
    used = {
        volume.split(":")[0] for service in file["services"].values() for volume in service.get("volumes", [])
    }
    assert used == set(file["volumes"])


def test_what_stays_up_is_watched() -> None:
    """Broker and loader have health checks; the loader's is `status --check`."""
    services = compose()["services"]
    assert services["kafka"]["healthcheck"]["test"][0] == "CMD"
    assert services["loader"]["healthcheck"]["test"] == ["CMD", "loader", "status", "--check"]


def test_the_commands_of_the_containers_exist() -> None:
    """Each verb and option that a container runs is one that the loader has."""
    services = compose()["services"]
    commands = re.findall(r"loader (\w+)([^|&]*)", services["replay"]["command"][0])
    assert [verb for verb, _ in commands] == ["generate", "replay"]
    for verb, words in [*commands, (services["loader"]["command"][0], ""), ("status", "--check")]:
        options, told = [word for word in words.split() if word.startswith("--")], _help(verb)
        assert [option for option in options if option not in told] == []


def _help(verb: str) -> str:
    command = [sys.executable, "-m", "loader", verb, "--help"]
    plain = os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=plain, cwd=FILE.parent
    ).stdout


def test_names_in_the_environment_become_property_names() -> None:
    """The rule of the official image, on which the broker test of this file stands."""
    assert broker_properties({"KAFKA_A_B": "1", "KAFKA_C__D___E": "2", "PATH": "3"}) == {
        "a.b": "1",
        "c-d_e": "2",
    }
