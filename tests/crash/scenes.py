"""What is disturbed: a warehouse as it stands before one command, the command, and the judgement after.

The command is the real one, in a process of its own. Its topic comes out of a file (`played.py`), so that a
thousand points take minutes, or from Kafka.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from duckdb import DuckDBPyConnection

from loader.config import load_config
from tests.crash.disturbed import Disturbed
from tests.crash.played import told, write_story
from tests.crash.power import Call, Disk, calls_in
from tests.making import age
from tests.oracle import Record, read_topic
from tests.oracle.store import LAKE, home
from tests.pipelines import Pipeline, Story, tell
from tests.servers import topics
from tests.servers.command import Cli, Result

SHIM = Path(__file__).with_name("shim.c")
AT_ONCE = ("--set", "limits.unreachable=0s")
TWO_DAYS = 49 * 3600.0
UPKEEP = ("--set", "maintain.keep_snapshots=0s", "--set", "maintain.keep_runs=0s", "maintain")


@functools.cache
def shim() -> Path:
    """The library, compiled once. Raises FileNotFoundError without gcc, CalledProcessError when it fails."""
    folder = Path(tempfile.mkdtemp(prefix="shim-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / "shim.so"
    command = ["gcc", "-O1", "-fPIC", "-shared", "-Wall", "-Werror", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True)
    return library


@dataclass
class Scene:
    """A warehouse before a command that is disturbed; `pristine` is the copy of it."""

    words: tuple[str, ...]
    pipeline: Pipeline
    story: Story
    records: list[Record]
    disturbed: Disturbed
    home: DuckDBPyConnection = field(default_factory=lambda: home(*LAKE))

    @property
    def notes(self) -> Path:
        """A folder for what is no part of the warehouse."""
        return self.pipeline.cli.folder / f"notes-{self.pipeline.name}"

    @property
    def pristine(self) -> Path:
        """The folder of the pipeline before the command."""
        return self.notes / "pristine"

    def command(self, *words: str, env: dict[str, str] | None = None, **how: Any) -> Result:
        """Run a command to its end; `how` it is disturbed is as `Disturbed` takes it."""
        played = {"PLAYED_STORY": str(self.notes / "story"), "PLAYED_TOLD": str(self.notes / "told")}
        return self.disturbed(("-c", self.pipeline.file, "--json", *words), played | (env or {}), **how)

    def acknowledged(self) -> dict[int, int]:
        """What Kafka's group has on record."""
        return told(self.notes / "told")

    def forget(self) -> None:
        """Let Kafka's group have nothing on record."""
        (self.notes / "told").unlink(missing_ok=True)

    def reset(self) -> None:
        """Put the warehouse back to what it was before the command."""
        shutil.rmtree(self.pipeline.folder)
        shutil.copytree(self.pristine, self.pipeline.folder)
        self.forget()

    def act(self, at: int, how: str) -> tuple[Result, list[Call]]:
        """Run the command with the n-th call disturbed; the result, and the calls that were counted."""
        log, kept = self.notes / "log", self.notes / "kept"
        log.unlink(missing_ok=True)
        kept.mkdir()
        env = {
            "SHIM_FOLDER": str(self.pipeline.folder),
            "SHIM_AT": str(at),
            "SHIM_HOW": "kill" if how == "power" else how,
            "SHIM_LOG": str(log),
        }
        disk = Disk.of(self.pipeline.folder, self.pristine)
        patience = AT_ONCE if how == "full" else ()  # there will be no room, however long it waits
        result = self.command(
            *patience, *self.words, env=env | ({"SHIM_KEEP": str(kept)} if how == "power" else {})
        )
        calls = calls_in(log)
        if how == "power":
            disk.replay(calls, kept)
            disk.write(self.pipeline.folder)
        shutil.rmtree(kept)
        return result, calls

    def judge(self, *, caught_up: bool) -> None:
        """The oracle: what is there is whole; with `caught_up` all of the story is in its place, once."""
        if not caught_up and not self.pipeline.warehouse.exists():
            return
        with self.pipeline.store(self.home) as store:
            if caught_up or (store.has_table("loader.offsets") and store.table("loader.offsets")):
                counts = self.pipeline.check_in(store, self.records, self.acknowledged(), caught_up=caught_up)
        if caught_up:
            assert counts._asdict() == self.story.expected._asdict()

    def heal(self) -> None:
        """The command again, undisturbed."""
        healed = self.command(*self.words)
        assert healed.code == 0, healed.err

    def begin(self) -> None:
        """From here on the warehouse is put back to what it is now."""
        shutil.copytree(self.pipeline.folder, self.pristine)
        self.forget()

    def close(self) -> None:
        """End what it has started."""
        self.home.close()


class KafkaScene(Scene):
    """The same with a real topic."""

    def command(self, *words: str, env: dict[str, str] | None = None, **how: Any) -> Result:
        """Run a command to its end."""
        return self.disturbed(("-c", self.pipeline.file, "--json", *words), env or {}, **how)

    def acknowledged(self) -> dict[int, int]:
        """What Kafka's group has on record."""
        return self.pipeline.acknowledged()

    def forget(self) -> None:
        """Let Kafka's group have nothing on record."""
        admin = AdminClient({"bootstrap.servers": self.pipeline.bootstrap})
        try:
            admin.delete_consumer_groups([self.pipeline.group])[self.pipeline.group].result(20)
        except KafkaException as failure:
            if failure.args[0].name() != "GROUP_ID_NOT_FOUND":
                raise


@contextmanager
def load_scene(cli: Cli, kind: str, *, first: bool = False) -> Iterator[Scene]:
    """`load` of one batch beside another one, or with `first` into a warehouse that is not there yet."""
    scene = _scene(cli, kind, tell(400, seed=5, partitions=2), ("load",))
    try:
        if not first:
            half = scene.command("load", "--max-records", str(len(scene.story.messages) // 2))
            assert half.code == 0, half.err
        scene.begin()
        yield scene
    finally:
        scene.close()


@contextmanager
def kafka_scene(cli: Cli, kind: str, bootstrap: str) -> Iterator[Scene]:
    """`load` of one batch of a real topic beside another one."""
    story, name = tell(400, seed=5, partitions=2), f"syscalls-{uuid.uuid4().hex[:8]}"
    topics.create(bootstrap, name, 2)
    topics.produce(bootstrap, name, story.messages)
    pipeline = Pipeline(cli, bootstrap, name, kind, f"p{uuid.uuid4().hex[:8]}")
    disturbed = Disturbed(cli, shim())
    scene = KafkaScene(("load",), pipeline, story, read_topic(bootstrap, name), disturbed)
    scene.notes.mkdir()
    try:
        half = scene.command("load", "--max-records", str(len(story.messages) // 2))
        assert half.code == 0, half.err
        scene.begin()
        yield scene
    finally:
        scene.close()
    topics.delete(bootstrap, name)


@contextmanager
def upkeep_scene(cli: Cli, kind: str) -> Iterator[Scene]:
    """`maintain` where there is something to do for each of its steps."""
    scene = _scene(cli, kind, tell(800, seed=5, partitions=2), UPKEEP)
    part = str(len(scene.story.messages) // 4)
    try:
        for words in (("load", "--max-records", part), ("load", "--max-records", part), UPKEEP):
            assert scene.command(*words).code == 0
        _grow_old(scene.pipeline)
        for words in (("load", "--max-records", part), ("load",)):
            assert scene.command(*words).code == 0
        scene.begin()
        yield scene
    finally:
        scene.close()


def _scene(cli: Cli, kind: str, story: Story, words: tuple[str, ...]) -> Scene:
    pipeline = Pipeline(cli, "127.0.0.1:1", "orders", kind, f"p{uuid.uuid4().hex[:8]}")
    disturbed = Disturbed(cli, shim())
    scene = Scene(words, pipeline, story, [], disturbed)
    scene.notes.mkdir()
    scene.records = write_story(scene.notes / "story", story.messages)
    return scene


def _grow_old(pipeline: Pipeline) -> None:
    """Two days later, with files that a kill has left."""
    config = load_config(pipeline.file)
    if config.warehouse.kind != "ducklake":
        return
    for number in range(2):
        (config.warehouse.data_path / "main" / "orders" / f"loader-{number}-0.parquet").write_bytes(b"PAR1")
    age(config, TWO_DAYS)
