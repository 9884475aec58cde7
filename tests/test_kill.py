"""kill -9 in the middle of indexing and of removal: nothing is lost, and the next run goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import PROJECT, committed, contents, detector, save_picture, tree, wait_until
from PIL import Image

from dedup import workflow
from dedup.progress import silent
from dedup.store import Catalogue

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals, which Windows has not")


def started(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "detector.py"), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def integrity(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "image_database.db")) as database:
        return str(database.execute("PRAGMA integrity_check").fetchone()[0])


def test_killed_while_indexing_loses_at_most_the_batch_in_flight(folder: Path) -> None:
    for seed in range(200):
        save_picture(folder / f"{seed}.jpg", seed)
    before = tree(folder)
    process = started("index", folder, "--batch-size", 16)
    wait_until(lambda: committed(folder) >= 48, process)
    kill(process)
    kept = committed(folder)
    assert 48 <= kept < 200
    assert integrity(folder) == "ok"
    again = detector("index", folder)
    assert again.returncode == 0, again.stderr
    assert f"200 pictures indexed, {200 - kept} of them now" in again.stdout
    assert tree(folder) == before


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and only waiting to be noticed by its new parent


def test_decode_workers_do_not_outlive_a_killed_index(folder: Path) -> None:
    for seed in range(150):
        save_picture(folder / f"{seed}.jpg", seed)
    process = started("index", folder, "--batch-size", 8)
    wait_until(lambda: committed(folder) >= 16, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("the children of a process cannot be listed on this platform")
    workers = [int(number) for number in children.read_text().split()]
    assert workers
    kill(process)
    limit = time.monotonic() + 30
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < limit, "decode workers still run"
        time.sleep(0.1)


def planned_folder_of_copies(folder: Path, count: int) -> tuple[dict[str, tuple[str, int, int]], Path]:
    """A folder of pictures with a copy each as it is, and a saved plan that removes the copies."""
    for number in range(count):
        original = folder / f"{number}.png"
        Image.new("RGB", (8, 8), (number % 256, number // 256, 90)).save(original)
        shutil.copy2(original, folder / f"{number} copy.png")
    plan = folder.parent / "plan.json"
    assert detector("names", folder, "--save-plan", plan).returncode == 0
    return tree(folder), plan


def files_in(folder: Path) -> int:
    return sum(name.endswith(".png") for name in os.listdir(folder))


def assert_nothing_lost_and_undone(folder: Path, before: dict[str, tuple[str, int, int]]) -> None:
    assert contents(folder) >= {content for content, _, _ in before.values()}
    if not (folder / "image_database.db").exists():
        assert tree(folder) == before
        return
    assert integrity(folder) == "ok"
    with Catalogue(folder) as store:
        in_trash = [path for (path,) in store.query("SELECT path FROM pictures WHERE state = 'trash'")]
    assert not [path for path in in_trash if (folder / path).exists()], "a row claims what the disk denies"
    while workflow.runs(folder):
        workflow.undo(folder, None, silent)
    assert tree(folder) == before


def test_killed_while_removing_everything_comes_back(folder: Path) -> None:
    before, plan = planned_folder_of_copies(folder, 1200)
    process = started("remove", "--plan", plan, "--yes")
    wait_until(lambda: files_in(folder) < 2000, process)
    kill(process)
    assert 1200 < files_in(folder) < 2000, "killed in the middle"
    assert_nothing_lost_and_undone(folder, before)


def test_killed_at_random_moments_of_removal_and_undo_nothing_is_lost(folder: Path) -> None:
    before, plan = planned_folder_of_copies(folder, 120)
    chance = random.Random(os.urandom(8))
    for _ in range(6):
        for words in (("remove", "--plan", plan, "--yes"), ("undo", folder)):
            process = started(*words)
            time.sleep(chance.uniform(0.15, 0.7))
            kill(process)
        assert_nothing_lost_and_undone(folder, before)


def test_a_removal_killed_halfway_is_completed_by_the_next_run(folder: Path) -> None:
    before, plan = planned_folder_of_copies(folder, 600)
    process = started("remove", "--plan", plan, "--yes")
    wait_until(lambda: files_in(folder) < 1000, process)
    kill(process)
    assert files_in(folder) > 600, "killed in the middle"
    again = detector("remove", "--plan", plan, "--yes")
    assert again.returncode == 3, "what had moved already is named as gone"
    assert files_in(folder) == 600
    while workflow.runs(folder):
        workflow.undo(folder, None, silent)
    assert tree(folder) == before
