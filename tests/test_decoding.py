"""Decoding in worker processes: order is kept, and a picture that harms its decoder costs only itself."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch.utils.data
from conftest import FakePrepare, save_picture
from PIL import Image

from dedup import decoding, images
from dedup.decoding import Prepared, read_and_prepare
from dedup.scan import FileFacts, list_pictures

# A picture of this size is the one that harms its decoder.
MARKED = (77, 55)


@dataclass
class Harmful(FakePrepare):
    """Does to its own process what a decoder's bug would, when it meets the marked picture."""

    how: str = "kill"

    def __call__(self, image: Image.Image) -> np.ndarray:
        if image.size == MARKED:
            if self.how == "exit":
                os._exit(1)
            elif self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.how == "hang":
                time.sleep(600)
            raise ValueError("no such colour")
        return super().__call__(image)


def pictures(folder: Path, count: int, marked: int = -1) -> list[FileFacts]:
    for number in range(count):
        save_picture(folder / f"{number:03}.png", number, MARKED if number == marked else (60, 40))
    return list_pictures(folder).files


def batches(
    folder: Path,
    files: list[FileFacts],
    prepare: FakePrepare | None = None,
    *,
    batch_size: int = 4,
    num_workers: int = 2,
    seconds: int = 60,
) -> Iterator[list[Prepared]]:
    return decoding.batches(
        folder,
        files,
        prepare or FakePrepare(),
        batch_size=batch_size,
        num_workers=num_workers,
        max_megapixels=100,
        seconds=seconds,
    )


def flat(found: Iterator[list[Prepared]]) -> list[Prepared]:
    return [one for batch in found for one in batch]


def only(folder: Path, prepare: FakePrepare | None = None) -> Prepared:
    """What reading the folder's one listed file gives, in this process."""
    (facts,) = list_pictures(folder).files
    return read_and_prepare(folder, facts, prepare or FakePrepare(), 100)


# -- order ------------------------------------------------------------------------------


@pytest.mark.parametrize(("num_workers", "batch_size"), [(0, 5), (1, 5), (2, 1), (2, 4), (2, 50)])
def test_batches_keep_the_order_of_the_files(folder: Path, num_workers: int, batch_size: int) -> None:
    files = pictures(folder, 13)
    # The first file takes longest: without order, later ones would overtake it.
    save_picture(folder / "000.png", 0, (1500, 1500))
    files = list_pictures(folder).files
    found = list(batches(folder, files, batch_size=batch_size, num_workers=num_workers))
    assert [one.item.path for batch in found for one in batch] == [facts.path for facts in files]
    assert all(len(batch) == batch_size for batch in found[:-1])
    assert sum(len(batch) for batch in found) == 13


def test_each_picture_comes_with_its_own_pixels_digest_and_size(folder: Path) -> None:
    files = pictures(folder, 9)
    save_picture(folder / "wide.jpg", 20, (200, 100))
    for one in flat(batches(folder, list_pictures(folder).files)):
        path = folder / one.item.path
        with Image.open(path) as image:
            assert (one.item.width, one.item.height) == image.size
            assert one.item.format == image.format
        assert one.item.digest == hashlib.sha256(path.read_bytes()).digest()
        assert (one.item.size, one.item.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
        assert one.item.reason == ""
        assert one.pixels is not None
        np.testing.assert_array_equal(one.pixels, FakePrepare()(images.open_upright(path, 4).image))
    assert len(files) == 9


def test_no_files_give_no_batches(folder: Path) -> None:
    assert list(batches(folder, [])) == []


def test_the_inputs_of_readable_pictures_stack_into_one_array(folder: Path) -> None:
    pictures(folder, 3)
    (folder / "001.png").write_bytes(b"not a picture")
    (batch,) = batches(folder, list_pictures(folder).files, num_workers=0)
    stacked = decoding.stacked(batch)
    assert stacked.shape == (2, 3, 4, 4)
    np.testing.assert_array_equal(stacked[1], batch[2].pixels)


# -- reasons ----------------------------------------------------------------------------


def test_an_unreadable_picture_comes_back_in_its_place_with_the_reason(folder: Path) -> None:
    pictures(folder, 6)
    (folder / "001.png").write_bytes(b"")
    whole = (folder / "003.png").read_bytes()
    (folder / "003.png").write_bytes(whole[: len(whole) // 2])
    files = list_pictures(folder).files
    (folder / "005.png").unlink()
    found = flat(batches(folder, files, batch_size=2))
    assert [bool(one.item.reason) for one in found] == [False, True, False, True, False, True]
    assert [one.pixels is None for one in found] == [False, True, False, True, False, True]
    assert "empty" in found[1].item.reason
    assert "damaged" in found[3].item.reason
    assert "No such file" in found[5].item.reason
    assert found[3].item.digest == hashlib.sha256((folder / "003.png").read_bytes()).digest()


def test_a_picture_that_cannot_be_prepared_costs_that_picture_only(folder: Path) -> None:
    files = pictures(folder, 5, marked=2)
    found = flat(batches(folder, files, Harmful(how="raise")))
    assert [one.item.reason for one in found] == ["", "", "cannot be prepared: no such colour", "", ""]


def test_a_file_that_was_written_to_after_it_was_listed_is_not_used(folder: Path) -> None:
    save_picture(folder / "a.png", 1)
    files = list_pictures(folder).files
    save_picture(folder / "a.png", 2)
    (one,) = flat(batches(folder, files, num_workers=0))
    assert one.item.reason == decoding.CHANGED_WHILE_READ
    assert one.pixels is None


@pytest.mark.parametrize("grows", [True, False])
def test_a_file_that_changes_while_it_is_read_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, grows: bool
) -> None:
    path = save_picture(folder / "a.png", 1)
    really_read = images.read

    def read_slowly(wanted: Path) -> tuple[bytes, bytes]:
        got = really_read(wanted)
        other = b"x" * len(got[0])
        path.write_bytes(got[0] + b"more" if grows else other)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))
        return got

    monkeypatch.setattr(images, "read", read_slowly)
    one = only(folder)
    assert one.item.reason == decoding.CHANGED_WHILE_READ
    assert one.pixels is None


def test_a_file_that_vanishes_while_it_is_read_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_picture(folder / "a.png", 1)
    really_read = images.read

    def read_and_lose(wanted: Path) -> tuple[bytes, bytes]:
        got = really_read(wanted)
        path.unlink()
        return got

    monkeypatch.setattr(images, "read", read_and_lose)
    one = only(folder)
    assert "No such file" in one.item.reason
    assert one.pixels is None


def test_a_pipe_or_link_that_took_the_place_of_a_listed_file_is_not_opened(folder: Path) -> None:
    files = pictures(folder, 3)
    for facts in files[:2]:
        (folder / facts.path).unlink()
    pipe = folder / files[0].path
    os.mkfifo(pipe)
    # Whoever opens the pipe gets an end instead of waiting for ever.
    threading.Thread(target=lambda: os.close(os.open(pipe, os.O_WRONLY)), daemon=True).start()
    (folder / files[1].path).symlink_to(folder / files[2].path)
    found = flat(batches(folder, files, num_workers=0))
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    assert [one.item.reason for one in found] == ["not a regular file", "not a regular file", ""]


def test_contrast_tells_a_picture_from_an_empty_sheet(folder: Path) -> None:
    save_picture(folder / "drawn.png", 1)
    Image.new("RGB", (60, 40), (200, 200, 200)).save(folder / "sheet.png")
    drawn, sheet = flat(batches(folder, list_pictures(folder).files, num_workers=0))
    assert sheet.item.contrast < 1 < drawn.item.contrast


# -- workers ----------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 2), (4, 4), (128, 32)])
def test_there_is_a_worker_for_each_core_and_never_none(
    monkeypatch: pytest.MonkeyPatch, cores: int, expected: int
) -> None:
    # Fault 14: two cores gave -1 workers.
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert decoding.default_workers() == expected


@pytest.mark.parametrize("cores", [None, 1, 2])
def test_there_is_a_worker_where_the_system_does_not_tell_the_cores_apart(
    monkeypatch: pytest.MonkeyPatch, cores: int | None
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert decoding.default_workers() == (cores or 1)


@pytest.mark.parametrize("place", [0, 4, 10])
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_decoder_that_kills_its_worker_costs_that_picture_only(folder: Path, how: str, place: int) -> None:
    files = pictures(folder, 11, marked=place)
    found = flat(batches(folder, files, Harmful(how=how), batch_size=3))
    assert [one.item.path for one in found] == [facts.path for facts in files]
    assert [one.item.path for one in found if one.item.reason] == [files[place].path]
    assert "crashed" in found[place].item.reason
    assert all(one.pixels is not None for one in found if not one.item.reason)


def test_several_deadly_pictures_cost_only_themselves(folder: Path) -> None:
    files = pictures(folder, 12)
    for number in (1, 2, 9):
        save_picture(folder / files[number].path, number, MARKED)
    files = list_pictures(folder).files
    found = flat(batches(folder, files, Harmful(how="kill"), batch_size=2))
    assert [one.item.path for one in found] == [facts.path for facts in files]
    assert [number for number, one in enumerate(found) if one.item.reason] == [1, 2, 9]


def test_a_decoder_that_hangs_costs_that_picture_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # How long torch waits for a worker to leave by itself before it ends it.
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.5)
    files = pictures(folder, 4, marked=1)
    found = flat(batches(folder, files, Harmful(how="hang"), batch_size=1, num_workers=1, seconds=1))
    assert [one.item.path for one in found] == [facts.path for facts in files]
    assert [one.item.path for one in found if one.item.reason] == ["001.png"]
    assert "crashed or hung" in found[1].item.reason


def test_a_caller_that_stops_early_leaves_no_worker_behind(folder: Path) -> None:
    before = children()
    files = pictures(folder, 20)
    running = batches(folder, files, batch_size=2)
    next(running)
    assert len(children()) > len(before)
    running.close()  # type: ignore[attr-defined]
    assert children() == before


def children() -> set[int]:
    """The process ids of this process's living children."""
    import multiprocessing

    return {child.pid or 0 for child in multiprocessing.active_children()}
