"""The jobs of the configuration as command lines: whether a verb takes the options that a job gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.config import Job

ONCE = ("accept_loss", "new_topic", "new_warehouse")  # what one person accepts for one run


def refuse_wrong_args(jobs: Sequence[Job]) -> None:
    """Raise ConfigError with every job whose verb does not have the options in `args`."""
    wrong = list(_wrong(jobs))
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise ConfigError(
            f"{len(wrong)} jobs with wrong options", address="schedule", mistakes=tuple(map(str, wrong))
        )


def _wrong(jobs: Sequence[Job]) -> Iterator[ConfigError]:
    from typer.main import get_command

    from loader.cli.main import app

    group: Any = get_command(app)
    for number, job in enumerate(jobs):
        address, hint = f"schedule[{number}].args", f"loader {job.job} --help"
        if {"--help", "-h"} & set(job.args):
            yield ConfigError("--help is no option of a job", address=address, hint=hint)
            continue
        try:
            given = group.commands[job.job].make_context(job.job, list(job.args)).params
        except typer.TyperException as error:
            words = error.format_message() if hasattr(error, "format_message") else str(error)
            yield ConfigError(words, address=address, hint=hint)
            continue
        for name in filter(given.get, ONCE):
            words = f"--{name.replace('_', '-')} is for one run that a person starts"
            yield ConfigError(words, address=address, hint=hint)
