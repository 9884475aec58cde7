"""What happens to the volume itself: full, read-only, closed, another one for the trash, gone in the middle.

Root can mount what is needed and gives its rights away to try permissions; anyone else gets the same errors from the
functions of ``os``, so no machine goes without.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .harness import World
from .jobs import JOBS, NAMED
from .pictures import clear
from .snapshot import TRASH
from .steps import Fault

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork, which Windows has not")


def may_mount(place: Path) -> bool:
    """Whether this process may mount something here: root outside of a narrow container."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True)
    if done.returncode == 0:
        subprocess.run(["umount", place], check=True)
    return done.returncode == 0


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """A small volume in memory."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def filled(place: Path, spare: int) -> Iterator[None]:
    """The volume full to the last ``spare`` bytes."""
    filler = place / "filler"
    block = b"\0" * 4096
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            pass  # it is full
        file.truncate(max(0, file.tell() - spare))
    yield
    filler.unlink()


SPARE = [0, 16384, 131072]


def test_on_a_full_disk_no_job_loses_a_picture(worlds: dict[str, World], place: Path) -> None:
    if not may_mount(place / "try"):
        for job in JOBS:
            for step in range(1, len(worlds["same volume"].reference(job).steps) + 1, 20):
                assert worlds["same volume"].fail_at(job, step, errno.ENOSPC, lasting=True) == []
        return
    with mounted(place / "small", "32m") as small:
        world = World(small, worlds["same volume"].runner)
        for job, spare in [(job, spare) for job in JOBS for spare in SPARE]:
            world.reference(job)
            world.start_from(job)
            before = world._contents()
            with filled(small, spare):
                ended = world.run(job)
            assert "Traceback" not in ended.said, ended.said
            assert "unexpected" not in ended.said, ended.said
            assert ended.code in (0, 1, 3), ended.said
            assert world.check(job, before) == [], f"{job.name}, {spare} bytes free: {ended.said}"


def test_with_the_trash_on_another_volume_everything_comes_back(worlds: dict[str, World], place: Path) -> None:
    world = worlds["other volume"]
    world.start_from(NAMED["remove"])
    if not may_mount(place / "try"):
        assert world.run(NAMED["remove"]).code == 0
        assert world._undone() == []
        return
    with mounted(world.folders[0] / TRASH, "4m"), mounted(world.folders[1] / TRASH, "4m"):
        words = world.words(NAMED["remove"])
        ended = world.runner.run(words)
        assert ended.code == 0, ended.said
        assert world._facts() != world.untouched
        assert world.runner.run(world.words(NAMED["undo"])).code == 0
        assert world._facts() == world.untouched
        assert world.unsound() == []
        assert set(world.false_rows()) == {f"left over: {place / TRASH}" for place in world.folders}, "the mounts stay"
    clear(world.tree)


def test_a_full_trash_on_another_volume_leaves_the_pictures_in_place(worlds: dict[str, World], place: Path) -> None:
    world = worlds["other volume"]
    world.start_from(NAMED["remove"])
    if not may_mount(place / "try"):
        copies = [n for n, name in enumerate(world.reference(NAMED["remove"]).steps, 1) if name == "copyfileobj"]
        for step in copies[::4]:
            assert world.fail_at(NAMED["remove"], step, errno.ENOSPC, lasting=True) == []
        return
    with mounted(world.folders[0] / TRASH, "16k"), mounted(world.folders[1] / TRASH, "16k"):
        before = world._contents()
        ended = world.runner.run(world.words(NAMED["remove"]))
        assert "No space left on device" in ended.said
        assert world.lost(NAMED["remove"], before) == []
        assert world.false_rows() == []
        assert world.runner.run(world.words(NAMED["undo"])).code in (0, 1)
        assert world._facts() == world.untouched
    clear(world.tree)


CLOSED: dict[str, Callable[[World], None]] = {
    "the folder read-only": lambda world: world.folders[0].chmod(0o555),
    "a subfolder read-only": lambda world: (world.folders[0] / "copies").chmod(0o555),
    "a subfolder closed": lambda world: (world.folders[0] / "copies").chmod(0),
    "a picture unreadable": lambda world: (world.folders[0] / "copies" / "1 copy.png").chmod(0),
    "the trash read-only": lambda world: _close_trash(world),
}


def _close_trash(world: World) -> None:
    (world.folders[0] / TRASH).mkdir(exist_ok=True)
    (world.folders[0] / TRASH).chmod(0o555)


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("name", ["index", "remove", "undo", "purge"])
def test_where_rights_are_missing_nothing_is_lost(worlds: dict[str, World], closed: str, name: str) -> None:
    world, job = worlds["same volume"], NAMED[name]
    world.start_from(job)
    before = world._contents()
    modes = {path: path.stat().st_mode for path in _folders_and_files(world)}
    CLOSED[closed](world)
    ended = world.runner.run(world.words(job), ordinary=True)
    assert "Traceback" not in ended.said
    assert "unexpected" not in ended.said, ended.said
    assert ended.code in (0, 1, 3), ended.said
    for path, mode in modes.items():
        if path.exists():
            path.chmod(mode & 0o7777)
    assert world.lost(job, before) == []
    assert world.unsound() == []
    for folder in world.folders:
        world.runner.run(["status", str(folder)], ordinary=True)
    assert world.false_rows() == []
    if not job.frees:
        _empty_trash_folder(world)
        assert world._undone() == []


def _folders_and_files(world: World) -> list[Path]:
    place = world.folders[0]
    return (
        [place, place / "copies", place / "copies" / "1 copy.png", place / TRASH]
        if (place / TRASH).exists()
        else [place, place / "copies", place / "copies" / "1 copy.png"]
    )


def _empty_trash_folder(world: World) -> None:
    trash = world.folders[0] / TRASH
    if trash.exists():
        trash.chmod(0o755)
        if not any(trash.iterdir()):
            trash.rmdir()


@pytest.mark.parametrize("name", ["index", "find", "remove", "undo", "purge", "clean"])
def test_a_folder_that_vanishes_in_the_middle_comes_back_whole(worlds: dict[str, World], name: str) -> None:
    world, job = worlds["same volume"], NAMED[name]
    steps = len(world.reference(job).steps)
    for turn in range(2):
        world.start_from(job)
        before = world._contents()
        # The process stops itself at a step; meanwhile the folder goes, as when its drive is pulled.
        running = world.runner.start(world.words(job), Fault(max(1, steps * (turn + 1) // 3), "stop"))
        _wait_until_stopped(running.pid)
        away = world.place / "pulled"
        world.folders[0].rename(away)
        os.kill(running.pid, signal.SIGCONT)
        ended = running.wait()
        assert "Traceback" not in ended.said
        assert "unexpected" not in ended.said, ended.said
        made_meanwhile = world.folders[0]
        if made_meanwhile.exists():
            assert not [path for path in made_meanwhile.rglob("*") if path.is_file()], "nothing is put where it was"
            clear(made_meanwhile)
        away.rename(world.folders[0])
        assert world.check(job, before) == [], ended.said


def _wait_until_stopped(pid: int) -> None:
    limit = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < limit
        time.sleep(0.002)
