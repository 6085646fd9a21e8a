"""The command `loader`: global options before or after the verb, errors as one line, exit codes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from loader.cli import (
    check,
    demo,
    export,
    generate,
    guarantees,
    init,
    load,
    maintain,
    plan,
    quarantine,
    query,
    rebuild,
    refresh,
    replay,
    rewind,
    run,
    runs,
    schedule,
    score,
    status,
    trace,
    verify,
)
from loader.cli.context import Context, print_json
from loader.cli.history import BUG, INTERRUPTED
from loader.cli.unheard import Heard
from loader.errors import ConfigError, LoaderError, WarehouseAway
from loader.printable import printable
from loader.secrets import redacted
from loader.unused import unused_left_out

USAGE = 2
WITH_VALUE = ("-c", "--config", "--set", "--log-format")
FLAGS = ("--json", "-q", "--quiet", "-v", "--verbose", "--profile", "--version")
ATTACHED = ("-c", *(f"{option}=" for option in WITH_VALUE if option.startswith("--")))  # "=" or not

app = typer.Typer(
    help="Kafka to warehouse, exactly once: typed, checked, de-duplicated, and provable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The options above may stand before or after the command. Exit codes: 0 done, 1 a person must "
    "act, 2 command line or configuration, 3 a comparison failed, 70 a bug, 75 run again later.",
)

VERBS: dict[str, Callable[..., Any]] = {
    "demo": demo.demo,
    "init": init.init,
    "check": check.check,
    "plan": plan.plan,
    "load": load.load,
    "run": run.run,
    "schedule": schedule.schedule,
    "runs": runs.runs,
    "maintain": maintain.maintain,
    "refresh": refresh.refresh,
    "export": export.export,
    "replay": replay.replay,
    "generate": generate.generate,
    "score": score.score,
    "status": status.status,
    "verify": verify.verify,
    "query": query.query,
    "rewind": rewind.rewind,
    "rebuild": rebuild.rebuild,
    "guarantees": guarantees.guarantees,
    "trace": trace.trace,
}
for _name, _function in VERBS.items():
    app.command(_name)(_function)
app.add_typer(quarantine.app, name="quarantine")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"loader {version('loader-kafka')}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="Configuration file; default $LOADER_CONFIG or ./loader.toml."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override one key, as kafka.topic=orders2; repeatable."
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Answer with one JSON object on stdout, failures too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only warnings and errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="More messages; causes of errors; tracebacks of bugs.")
    ] = False,
    log_format: Annotated[str, typer.Option("--log-format", help="Logs as text or json.")] = "text",
    profile: Annotated[
        bool, typer.Option("--profile", help="load, run: also say what each phase of the batches took.")
    ] = False,
    version_: Annotated[  # noqa: ARG001 - the callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the global options; they may stand before or after the verb."""
    from loader.observe.logs import set_up

    if log_format not in ("text", "json"):
        raise ConfigError(f"--log-format is text or json, not {log_format}", address="--log-format")
    context = ctx.obj
    context.config_file, context.overrides, context.json = config, tuple(overrides or ()), json
    context.verbosity, context.log_format = int(verbose) - int(quiet), log_format
    context.profile = profile
    context.verb = ctx.invoked_subcommand or ""
    set_up(context.verbosity, log_format)


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options moved to the front, wherever they stand before `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front: list[str] = []
    rest: list[str] = []
    todo = list(arguments[:end])
    while todo:
        word = todo.pop(0)
        if word in WITH_VALUE:
            front += [word, *todo[:1]]
            todo = todo[1:]
        elif word in FLAGS or word.startswith(ATTACHED):
            front.append(word)
        else:
            rest.append(word)
    return front + rest + list(arguments[end:])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit with its code (see the table in interface and documentation)."""
    for name in ("stdout", "stderr"):  # None: closed by who started us
        setattr(sys, name, Heard(getattr(sys, name) or open(os.devnull, "w")))  # noqa: SIM115, PTH123
    words = hoisted(sys.argv[1:] if arguments is None else arguments)
    context = Context(json="--json" in words, verbosity=int("-v" in words or "--verbose" in words))
    with _interrupts() as interrupts:
        try:
            with unused_left_out():
                code = app(words, prog_name="loader", standalone_mode=False, obj=context)
        except typer.Exit as exit_:
            code = exit_.exit_code
        except typer.TyperException as error:
            code = _usage(context, error)
        except (typer.Abort, KeyboardInterrupt):
            code = _interrupted(context)
        except Exception as error:  # noqa: BLE001 - the last line of defence: one line and a file, exit 70
            code = _interrupted(context) if interrupts else _ended(context, error)
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """The Ctrl-C that came: what is raised then is another error where it comes out of DuckDB."""
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it is ignored, or another's
    if usual:
        signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        if usual:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _ended(context: Context, error: Exception) -> int:
    if isinstance(error, LoaderError):
        return _failed(context, error)
    if isinstance(error, OSError):
        away = WarehouseAway(error.strerror or str(error), address=error.filename or "output")
        away.__cause__ = error
        return _failed(context, away)
    return _internal(context, error)


def _failed(context: Context, error: LoaderError) -> int:
    _tell(context, error.exit_code, error.as_json(), _lines(error))
    if context.verbosity > 0:
        for cause in _causes(error):
            sys.stderr.write(redacted(f"because of {printable(cause)}\n"))
    return error.exit_code


def _causes(error: BaseException) -> Iterator[str]:
    """What led to an error that was expected, a line each: where in the code does not matter to anybody."""
    while cause := error.__cause__:
        yield f"{type(cause).__name__}: {str(cause).strip()}"
        error = cause


def _lines(error: LoaderError) -> str:
    mistakes = error.mistakes if isinstance(error, ConfigError) else ()
    if not mistakes:
        return printable(str(error))
    hint = f"\n(try: {error.hint})" if error.hint else ""
    return "\n".join(map(printable, mistakes)) + hint


def _usage(context: Context, error: typer.TyperException) -> int:
    where = getattr(error, "ctx", None)
    command = where.command_path if where else "loader"
    words = error.format_message() if hasattr(error, "format_message") else str(error)
    words = words or "a command is missing"
    body = {"kind": "usage", "message": words, "address": "", "hint": f"{command} --help"}
    _tell(context, USAGE, body, f"{words} (try: {command} --help)")
    return USAGE


def _interrupted(context: Context) -> int:
    """Ctrl-C in a verb that has nothing to finish: a program is told, a person knows."""
    body = {"kind": "interrupted", "message": "interrupted", "address": "", "hint": "run it again"}
    _tell_program(context, INTERRUPTED, body)
    return INTERRUPTED


def _internal(context: Context, error: Exception) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="loader-error-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(_traceback(error))
    if context.verbosity > 0:
        sys.stderr.write(_traceback(error))
    first = str(error).splitlines()[0] if str(error) else ""
    message = redacted(f"unexpected {type(error).__name__}: {first}")
    hint = "report it with that file"
    body = {"kind": "internal", "message": message, "address": file.name, "hint": hint}
    _tell(context, BUG, body, f"{message} (traceback in {file.name}; {hint})")
    return BUG


def _traceback(error: Exception) -> str:
    return redacted("".join(traceback.format_exception(error)))


def _tell(context: Context, code: int, error: dict[str, Any], line: str) -> None:
    _tell_program(context, code, error)
    with suppress(OSError):
        sys.stderr.write(redacted(f"error: {line}\n"))


def _tell_program(context: Context, code: int, error: dict[str, Any]) -> None:
    with suppress(OSError):  # what cannot be said does not change the exit code
        if context.json and not context.told:  # what fails after the result is its exit code and a line
            print_json({"command": context.verb, "outcome": "error", "exit_code": code, "error": error})
