"""The command line: global options anywhere, one line for an error, exit codes."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loader.cli import main as module
from loader.cli.main import hoisted, main
from loader.errors import BrokerAway, ComparisonFailed, ConfigError, LoaderError, OffsetsLost
from loader.observe.logs import set_up


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("load --json", "--json load"),
        ("load -c a.toml --max-records 5", "-c a.toml load --max-records 5"),
        ("load --set a=b -q --set c=d", "--set a=b -q --set c=d load"),
        ("--log-format json run", "--log-format json run"),
        ("query --config=x.toml top", "--config=x.toml query top"),
        ("query -ca.toml top --version", "-ca.toml --version query top"),
        ("query -- --json", "query -- --json"),
    ],
)
def test_global_options_may_stand_after_the_verb(given: str, expected: str) -> None:
    """They are moved to the front, with their values; what follows `--` is left alone."""
    assert hoisted(given.split()) == expected.split()


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What `main` sets up for the process ends with the test."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers[:] = before


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one call in this process."""
    with pytest.raises(SystemExit) as exit_:
        main(words)
    out, err = capsys.readouterr()
    return int(exit_.value.code or 0), out, err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `loader init` raise what the test wants."""

    def fail_with(error: Exception) -> None:
        def init(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(module, "app", init)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OffsetsLost("offsets 5 to 9 are gone", address="orders[0]@5", hint="act"), 1),
        (ConfigError("wrong"), 2),
        (ComparisonFailed("differs"), 3),
        (BrokerAway("no broker"), 75),
        (ValueError("a bug"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    failing: Any, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    """As the table in README and interface says; without -v never a traceback."""
    failing(error)
    found, out, err = run(capsys, "init")
    assert found == code
    assert out == ""
    assert "Traceback" not in err
    if isinstance(error, LoaderError):
        assert err == f"error: {error}\n"


def test_with_v_an_expected_error_tells_its_causes_and_a_bug_its_traceback(
    failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever must act needs no traceback: a line for each cause. Who mends a bug does."""
    error = BrokerAway("no broker", address="localhost:1")
    error.__cause__ = TimeoutError("5 seconds\x1b are over")
    failing(error)
    code, _, err = run(capsys, "init", "-v")
    assert (code, err) == (
        75,
        f"error: {error}\nbecause of TimeoutError: 5 seconds\\x1b are over\n",
    )
    failing(ValueError("a bug"))
    code, _, err = run(capsys, "init", "-v")
    assert code == 70
    assert "Traceback (most recent call last)" in err


def test_the_clients_log_does_not_repeat_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred failed attempts to connect are one line, until something else happens."""
    set_up(1, "text")
    client = logging.getLogger("loader.kafka.client")
    client.addHandler(caplog.handler)
    for took in ("0ms", "3ms"):
        client.error("Connect to host:1 failed (after %s)", took)
    client.error("up")
    client.error("Connect to host:1 failed (after 0ms)")
    client.removeHandler(caplog.handler)
    assert [record.getMessage()[:7] for record in caplog.records] == ["Connect", "up", "Connect"]


def test_an_error_cannot_act_on_the_terminal(failing: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What a record, a name or a broker put into a message is shown as escapes, on one line."""
    failing(OffsetsLost("\x1b[31mred\r\nforged: all is well", address="a\x07"))
    _, _, err = run(capsys, "load")
    assert err == "error: a\\x07: \\x1b[31mred\\r\\nforged: all is well\n"


def test_init_writes_the_file_that_the_other_verbs_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$LOADER_CONFIG is the default of all of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOADER_CONFIG", "ours.toml")
    assert run(capsys, "init", "--example")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ours.toml"]
    assert run(capsys, "check")[0] == 0


def test_an_interruption_inside_duckdb_is_no_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Ctrl-C raises there comes out as another error: 130 all the same, and no file of a traceback."""

    def init(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("Query interrupted") from None

    monkeypatch.setattr(module, "app", init)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run(capsys, "init") == (130, "", "")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupted_verb_tells_programs(failing: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json stdout holds one object even after Ctrl-C; a person knows what was pressed."""
    failing(KeyboardInterrupt())
    code, out, err = run(capsys, "init", "--json")
    told = json.loads(out)
    assert (code, told["exit_code"], told["error"]["kind"], err) == (130, 130, "interrupted", "")


def test_a_failure_with_json_is_one_object(failing: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the error with its kind, address and hint; people get the line on stderr."""
    failing(OffsetsLost("gone", address="orders[0]@5", hint="act"))
    code, out, _ = run(capsys, "load", "--json")
    assert json.loads(out) == {
        "command": "",
        "outcome": "error",
        "exit_code": code,
        "error": {"kind": "offsets_lost", "message": "gone", "address": "orders[0]@5", "hint": "act"},
    }


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake is exit 2 with the way out."""
    code, _, err = run(capsys, "laod")
    assert code == 2
    assert "Did you mean" in err


def test_help_and_version_are_quick_ways_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Both exit 0 and say what they should on stdout."""
    code, out, _ = run(capsys, "--version")
    assert (code, out.split()[0]) == (0, "loader")
    code, out, _ = run(capsys, "load", "--help")
    assert code == 0
    assert "--max-records" in out


def test_a_start_imports_nothing_that_is_not_used() -> None:
    """Not pandas, which is installed here, and which pyarrow and duckdb look for."""
    uses = "import pyarrow, duckdb; pyarrow.array([1]); duckdb.connect().execute('SELECT ?', [1])"
    script = f"import sys; from loader.unused import unused_left_out\nwith unused_left_out():\n    {uses}\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}print('pandas' in sys.modules)\nimport pandas"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
