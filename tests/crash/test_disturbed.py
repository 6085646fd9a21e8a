"""Disk, memory, descriptors, output: what the machine refuses is said, and nothing is half done.

The command is the real one; its topic comes out of a file (`played.py`).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.crash.disturbed import NOBODY
from tests.crash.scenes import AT_ONCE, Scene, load_scene
from tests.pipelines import KINDS
from tests.servers.command import Cli, Result

MB = 1 << 20


@pytest.fixture(scope="module", params=KINDS)
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A warehouse with half of a story, made once."""
    with load_scene(Cli(tmp_path_factory.mktemp("scene")), request.param) as scene:
        yield scene


@pytest.fixture
def scene(prepared: Scene) -> Scene:
    """The same, as it was made."""
    prepared.reset()
    return prepared


def shim(scene: Scene, how: str, at: int = 1) -> dict[str, str]:
    """The environment that disturbs changes of the warehouse's files from the n-th on."""
    return {"SHIM_FOLDER": str(scene.pipeline.folder), "SHIM_AT": str(at), "SHIM_HOW": how}


def told_in_words(result: Result, *codes: int) -> str:
    """The message of a failure: one object, one line, no traceback."""
    assert result.code in codes, result
    assert "Traceback" not in result.err
    message: str = json.loads(result.out)["error"]["message"]
    return message


def goes_on(scene: Scene) -> None:
    """What is there is whole, and the next load completes it."""
    scene.judge(caught_up=False)
    scene.heal()
    scene.judge(caught_up=True)


@pytest.mark.fault(46)
def test_a_full_disk(scene: Scene) -> None:
    """No room for anything: said so, with exit 75, and nothing of the batch is there.

    `limits.unreachable=0s` means what it says: the first failure ends the load.
    """
    result = scene.command(*AT_ONCE, "load", env=shim(scene, "full"))
    assert "disk is full" in told_in_words(result, 75)
    assert "beginning again" not in result.err
    goes_on(scene)


@pytest.mark.fault(48)
def test_a_read_only_folder(scene: Scene) -> None:
    """A person is asked to look at the path; with the right to write the load goes on."""
    result = scene.command(*AT_ONCE, "load", env=shim(scene, "readonly"))
    told_in_words(result, 1, 75)
    goes_on(scene)


@pytest.mark.fault(48)
def test_a_vanished_folder(scene: Scene) -> None:
    """Not where it was: a new one is not begun in silence, and the old one goes on when it is back."""
    away = scene.notes / "away"
    scene.heal()
    scene.pipeline.folder.rename(away)
    scene.pipeline.folder.mkdir()
    (scene.pipeline.folder / "loader.toml").write_text((away / "loader.toml").read_text())
    assert "is the path of the warehouse right?" in told_in_words(scene.command("load"), 1)
    for file in scene.pipeline.folder.iterdir():
        file.rename(scene.notes / f"new-{file.name}")
    scene.pipeline.folder.rmdir()
    away.rename(scene.pipeline.folder)
    goes_on(scene)


@pytest.mark.fault(6)
@pytest.mark.parametrize("room", [1 * MB, 30 * MB, 120 * MB])
def test_no_memory_for_the_process(scene: Scene, room: int) -> None:
    """The system gives no more memory: an end with a code, however early, and nothing half done."""
    result = scene.command(*AT_ONCE, "load", room=room)
    assert result.code in {0, 1, 70, 75, -signal.SIGABRT, -signal.SIGSEGV}, result
    goes_on(scene)


@pytest.mark.fault(7)
@pytest.mark.parametrize("place", ["after_write", "mid_insert", "before_commit", "after_commit"])
def test_a_library_that_aborts(scene: Scene, place: str) -> None:
    """SIGABRT at any place is a kill like any other."""
    assert scene.command("load", env={"LOADER_FAIL": f"{place}:abort"}).code == -signal.SIGABRT
    goes_on(scene)


@pytest.mark.fault(54)
@pytest.mark.parametrize("most", [12, 16, 24])
def test_too_few_file_descriptors(scene: Scene, most: int) -> None:
    """However few there are: an end with a code, and nothing half done."""
    result = scene.command(*AT_ONCE, "load", limits={"RLIMIT_NOFILE": most})
    assert result.code in {0, 1, 70, 75}, result
    goes_on(scene)


@pytest.mark.fault(54)
def test_nobody_reads_the_output(scene: Scene) -> None:
    """Who read result and log has gone (`| head`): exit codes and batches are what they always are."""
    refused = scene.command(*AT_ONCE, "load", env=shim(scene, "full"), out=NOBODY, err=NOBODY)
    assert refused.code == 75, refused
    goes_on(scene)
    scene.reset()
    assert scene.command("load", out=NOBODY, err=NOBODY).code == 0
    scene.judge(caught_up=True)


@pytest.mark.fault(54)
def test_the_disk_of_the_result_is_full(scene: Scene) -> None:
    """The batch is committed all the same, and one line says that its result could not be written."""
    result = scene.command("load", out="/dev/full")
    assert (result.code, "Traceback" in result.err) == (75, False), result
    assert "No space left" in result.err
    scene.judge(caught_up=True)


@pytest.mark.fault(54)
def test_the_disk_of_the_log_is_full(scene: Scene) -> None:
    """Nothing can be said any more: the batch is committed all the same."""
    result = scene.command("load", err="/dev/full")
    assert result.code == 0, result
    scene.judge(caught_up=True)
