"""Folders full of what is no picture file: loops, pipes, sockets, devices, paths too long, things that change."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FAST, FakeEncoder, Recorder, contents, find, index, names_of, save_picture, tree

from dedup import scan, workflow
from dedup.decoding import CHANGED_WHILE_READ
from dedup.settings import Settings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no such files")
LONG = "d" * 200


@pytest.fixture
def at_the_limit(folder: Path) -> Iterator[list[int]]:
    """A folder of 40 nested folders with long names, a picture in each; opened one within the other, as paths end."""
    handle, depths = os.open(folder, os.O_RDONLY), []
    content = save_picture(folder / "a.png", 1).read_bytes()
    for depth in range(40):
        os.mkdir(LONG, dir_fd=handle)
        inner = os.open(LONG, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
        with open(os.open("a.png", os.O_CREAT | os.O_WRONLY, dir_fd=handle), "wb") as file:
            file.write(content)
        depths.append(depth)
    os.close(handle)
    yield depths
    shutil.rmtree(folder)


def test_what_lies_deeper_than_a_path_can_say_is_listed_and_the_rest_is_read(
    folder: Path, at_the_limit: list[int]
) -> None:
    listing = scan.list_pictures(folder)
    assert 15 < len(listing.files) < len(at_the_limit)
    assert {row.reason for row in listing.refused} == {"cannot be read: File name too long"}
    result = index(folder)
    assert result.pictures == len(listing.files)
    assert result.refused == listing.refused
    assert index(folder).gone == 0


def test_a_picture_whose_path_in_the_trash_would_be_too_long_stays(folder: Path, at_the_limit: list[int]) -> None:
    index(folder)
    plan = workflow.plan_marked(find(folder))
    outcome = workflow.remove(plan, Recorder())
    assert outcome.files + len(outcome.refused) == len(plan.removals)
    assert all("File name too long" in row.reason for row in outcome.refused)
    assert outcome.files > 10
    assert workflow.undo(folder, None, Recorder()).files == outcome.files
    assert index(folder).encoded == 0


def test_a_folder_with_everything_that_is_no_picture_file(folder: Path, tmp_path: Path) -> None:
    save_picture(folder / "a.png", 1)
    save_picture(folder / "folder.jpg" / "b.png", 2)
    shutil.copy2(folder / "a.png", folder / "folder.jpg" / "copy.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "folder.jpg" / "up").symlink_to("..")
    (folder / "there.png").symlink_to("back.png")
    (folder / "back.png").symlink_to("there.png")
    os.mkfifo(folder / "pipe.jpg")
    for device in ("zero", "random", "tty"):
        (folder / f"{device}.jpg").symlink_to(f"/dev/{device}")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)
        listening.bind("socket.png")
        os.chdir(here)
        began = time.monotonic()
        result = index(folder)
        assert (result.pictures, result.unreadable, result.refused) == (3, {}, [])
        assert result.links == 6
        found = find(folder)
        assert [sorted(names) for names in names_of(found)] == [["a.png", "copy.png"]]
        assert workflow.remove(workflow.plan_marked(found), Recorder()).files == 1
        assert workflow.undo(folder, None, Recorder()).files == 1
        assert time.monotonic() - began < 60


def test_a_folder_that_goes_while_it_is_read_costs_what_was_in_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        save_picture(folder / name / "x.png", ord(name))
    index(folder)
    really_scan = os.scandir

    def scan_and_lose(path: Path | int) -> object:
        if not isinstance(path, int) and Path(path).name == "b":
            shutil.rmtree(folder / "b")
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", scan_and_lose)
    listing = scan.list_pictures(folder)
    assert [found.path for found in listing.files] == ["a/x.png", "c/x.png"]
    assert [row.reason for row in listing.refused] == ["cannot be read: No such file or directory"]
    assert listing.closed == ["b"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pipe_that_takes_the_place_of_a_picture_hangs_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    for seed in range(5):
        save_picture(folder / f"{seed}.png", seed)
    really_lstat = os.lstat

    def lstat_before_it_changed(path: Path) -> os.stat_result:
        # The moment between looking at the file and opening it.
        found = really_lstat(path)
        if Path(path).name == "2.png" and found.st_size:
            os.unlink(path)
            os.mkfifo(path)
        return found

    monkeypatch.setattr(os, "lstat", lstat_before_it_changed)
    began = time.monotonic()
    result = workflow.index(folder, Settings(num_workers=workers), Recorder(), encoder=FakeEncoder())
    assert result.unreadable == {"2.png": "cannot be read: not a regular file"}
    assert result.pictures == 4
    assert time.monotonic() - began < 40


def test_a_file_that_is_written_to_all_the_time_costs_only_itself(folder: Path) -> None:
    for seed in range(3):
        save_picture(folder / f"{seed}.png", seed)
    done = threading.Event()

    def keep_writing() -> None:
        with (folder / "1.png").open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"more")

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        result = index(folder)
    finally:
        done.set()
        writer.join()
    assert result.unreadable == {"1.png": CHANGED_WHILE_READ}
    assert index(folder).encoded == 1  # it has come to rest: what follows the picture does no harm
    assert find(folder).groups == []


def test_twins_whose_names_differ_in_composition_alone_are_two_files(folder: Path) -> None:
    save_picture(folder / "caf\u00e9.png", 1)
    save_picture(folder / "cafe\u0301.png", 2)
    if len(os.listdir(folder)) == 1:
        pytest.skip("this file system takes the two names for one")
    shutil.copy2(folder / "caf\u00e9.png", folder / "copy.png")
    index(folder)
    (group,) = names_of(find(folder))
    assert "cafe\u0301.png" not in group
    before = tree(folder)
    workflow.remove(workflow.plan_marked(find(folder)), Recorder())
    assert "cafe\u0301.png" in tree(folder)
    workflow.undo(folder, None, Recorder())
    assert tree(folder) == before


@pytest.mark.parametrize("ending", ["/", "//", "/.", "/../pictures", " ", "\n"])
def test_a_folder_is_found_however_its_path_ends(folder: Path, ending: str) -> None:
    from dedup.folders import understand_folder

    save_picture(folder / "a.png", 1)
    assert understand_folder(f"{folder}{ending}") == folder
    if ending.strip():
        assert workflow.index(f"{folder}{ending}", FAST, Recorder(), encoder=FakeEncoder()).pictures == 1
        assert len(contents(folder)) == 1
