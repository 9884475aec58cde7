"""Two processes on one folder: one gets it, the other is told who has it; nothing is lost, whoever dies."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from .harness import World
from .jobs import NAMED
from .pictures import drawn
from .runner import PROJECT
from .snapshot import contents

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals, which Windows has not")

# Holds the folder as a job does, until it is told to go on.
HOLD = """
import sys
from pathlib import Path
from dedup.store import folder_lock
with folder_lock(Path(sys.argv[1]), "indexing"):
    print("held", flush=True)
    sys.stdin.read()
"""
SENTENCE = (
    r"Another run of this tool is working on .*first \(indexing, process (\d+), since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)"
)


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "detector.py"), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def world(worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DEDUP_HOME", str(worlds["same volume"].runner.home))
    return worlds["same volume"]


@pytest.fixture
def hold(world: World) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A process that holds the first folder."""
    held: list[subprocess.Popen[str]] = []

    def holding() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", HOLD, str(world.folders[0])]
        held.append(subprocess.Popen(words, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert held[-1].stdout is not None
        assert held[-1].stdout.readline() == "held\n"
        return held[-1]

    yield holding
    for process in held:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("job", ["index", "remove", "undo", "purge", "clean"])
def test_who_holds_the_folder_is_said_and_nothing_is_touched(
    world: World, hold: Callable[[], subprocess.Popen[str]], job: str
) -> None:
    world.start_from(NAMED[job])
    before = world._facts(), world.rows()
    holder = hold()
    ended = world.run(NAMED[job])
    told = re.search(SENTENCE, ended.said)
    assert told, ended.said
    assert int(told[1]) == holder.pid
    assert "Wait until it has finished" in ended.said
    # The second folder is free: undo and purge go on there.
    if job not in ("undo", "purge"):
        assert ended.code in (1, 3)
        assert (world._facts(), world.rows()) == before


def test_a_dead_holder_is_recognised_and_not_named(world: World, hold: Callable[[], subprocess.Popen[str]]) -> None:
    world.start_from(NAMED["index"])
    holder = hold()
    holder.kill()
    holder.wait()
    note = json.loads((world.folders[0] / "image_database.lock.holder").read_text())
    assert note["pid"] == holder.pid, "a killed process cannot take its note away"
    assert world.run(NAMED["index"]).code in (0, 3)
    assert (world.folders[0] / "image_database.lock.holder").read_text() == ""


def test_a_holder_on_another_computer_is_named_with_it(world: World, hold: Callable[[], subprocess.Popen[str]]) -> None:
    world.start_from(NAMED["index"])
    hold()
    note = {"pid": 4711, "host": "attic", "doing": "removing", "since": 0.0}
    (world.folders[0] / "image_database.lock.holder").write_text(json.dumps(note))
    assert "(removing, process 4711 on attic, since " in world.run(NAMED["index"]).said


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"pid": -1}', '{"pid": 1e99, "host": 1, "doing": 2, "since": 3}', "\0"]
)
def test_a_note_that_makes_no_sense_leaves_the_sentence_without_it(
    world: World, hold: Callable[[], subprocess.Popen[str]], note: str
) -> None:
    world.start_from(NAMED["index"])
    hold()
    (world.folders[0] / "image_database.lock.holder").write_text(note)
    ended = world.run(NAMED["index"])
    assert f"Another run of this tool is working on {world.folders[0]}.\n" in ended.said
    assert ended.code == 1


PAIRS = [("index", "index"), ("index", "remove"), ("remove", "remove"), ("undo", "purge"), ("undo", "undo")]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids="+".join)
@pytest.mark.parametrize("killed", [False, True], ids=["both live", "one is killed"])
def test_two_real_processes_at_once_corrupt_nothing(world: World, one: str, other: str, killed: bool) -> None:
    later = NAMED[other] if len(NAMED[other].before) > len(NAMED[one].before) else NAMED[one]
    world.start_from(later)
    before = world._contents()
    processes = [started(*world.words(NAMED[name])) for name in (one, other)]
    if killed:
        time.sleep(1.0)
        processes[0].send_signal(signal.SIGKILL)
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert not any("Traceback" in text or "unexpected" in text for text in said), said
    codes = [process.returncode for process in processes]
    assert set(codes) <= {0, 1, 3, -signal.SIGKILL}, said
    for code, text in zip(codes, said, strict=True):
        assert code != 1 or "Another run of this tool" in text or "trash" in text.lower(), text
    if "purge" in (one, other):
        assert set(before) - set(contents(world.tree, trash=False)) - set(contents(world.tree, trash=True)) <= {
            row.digest for row in world._journal() if row.state == "purged"
        }
    else:
        assert world.lost(later, before) == []
    assert world.unsound() == []
    for folder in world.folders:
        world.runner.run(["status", str(folder)])
    assert world.false_rows() == []
    assert "purge" in (one, other) or world._undone() == []


def test_two_menus_on_one_folder_both_serve_and_one_waits_its_turn(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(drawn(1, size=96))
    shutil.copy(folder / "a.png", folder / "b.png")
    menus = [
        pexpect.spawn(
            sys.executable,
            [str(PROJECT / "detector.py")],
            cwd=str(tmp_path),
            env={**os.environ, "DEDUP_HOME": str(tmp_path / "home"), "TERM": "xterm"},
            dimensions=(50, 200),
            encoding="utf-8",
            timeout=90,
        )
        for _ in range(2)
    ]
    for menu in menus:
        menu.expect("Folder with your pictures")
        menu.sendline(f"{folder}")
        menu.expect("Clean/verify database")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for menu in menus:
            menu.send("5\r")
            menu.expect("not been indexed|Another run of this tool is working on")
            menu.expect("Clean/verify database")
        holder.kill()
    for menu in menus:
        menu.close(force=True)
    assert sorted(path.name for path in folder.glob("*.png")) == ["a.png", "b.png"]
