"""A process for what may crash or hang: it costs only itself, wherever pictures are decoded."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST, Recorder, find, index, names_of, save_picture
from PIL import Image
from test_decoding import Harmful, batches, flat, only, pictures

from dedup import decoding, images, verifier, workflow
from dedup.apart import Apart
from dedup.errors import UnreadablePicture
from dedup.review.contact_sheet import write_contact_sheets
from dedup.review.thumbnails import load_or_explain
from dedup.verify.look import look_at


def exit_at_once(*_: object) -> None:
    os._exit(3)


def kill_itself(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(*_: object) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    time.sleep(600)


def refuse(reason: str) -> None:
    raise UnreadablePicture(reason, may_pass=True)


def process_id() -> int:
    return os.getpid()


@pytest.mark.parametrize("harm", [exit_at_once, kill_itself, hang])
def test_what_dies_or_hangs_costs_only_itself(harm: object) -> None:
    with Apart(seconds=1) as apart:
        first = apart(process_id)
        assert first != os.getpid()
        with pytest.raises(UnreadablePicture, match="crashed or hung"):
            apart(harm)
        assert apart(process_id) not in (first, os.getpid())


def test_what_is_raised_apart_is_raised_here_and_the_process_lives_on() -> None:
    with Apart() as apart:
        first = apart(process_id)
        with pytest.raises(UnreadablePicture, match="no such colour") as told:
            apart(refuse, "no such colour")
        assert told.value.may_pass
        assert apart(process_id) == first


def test_the_process_ends_with_the_block() -> None:
    with Apart() as apart:
        running = apart(process_id)
    with pytest.raises(ProcessLookupError):
        os.kill(running, 0)


@pytest.mark.parametrize("harm", [kill_itself, hang])
def test_quick_filename_cleanup_survives_a_deadly_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch, harm: object
) -> None:
    for seed in range(3):
        save_picture(folder / f"{seed}.png", seed)
        shutil.copy2(folder / f"{seed}.png", folder / f"{seed} (1).png")
    save_picture(folder / "1.png", 1, (77, 55))
    really_decode = images.decode

    def decode(data: bytes, *given: int) -> images.Decoded:
        found = really_decode(data, *given)
        if found.image.size == (77, 55):
            harm()  # type: ignore[operator]
        return found

    monkeypatch.setattr(images, "decode", decode)
    monkeypatch.setattr("dedup.filenames.Apart", lambda: Apart(seconds=1))
    found = workflow.find_by_name([folder], FAST, Recorder())
    assert names_of(found) == [["0.png", "0 (1).png"], ["2.png", "2 (1).png"]]


@pytest.mark.parametrize("harm", [kill_itself, hang])
def test_a_pair_that_kills_or_hangs_the_verifier_stays_unverified_and_the_others_do_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, harm: object
) -> None:
    for seed in range(6):
        save_picture(folder / f"{seed}.png", seed, (77, 55) if seed == 3 else (240, 180))
        with Image.open(folder / f"{seed}.png") as image:
            image.save(folder / f"{seed}.bmp")
    index(folder)

    def deadly(image: Image.Image, width: int, height: int) -> object:
        if (width, height) == (77, 55):
            harm()  # type: ignore[operator]
        return look_at(image, width, height)

    monkeypatch.setattr("dedup.verify.look.look_at", deadly)
    monkeypatch.setattr(verifier, "default_workers", lambda: 2)
    monkeypatch.setattr(verifier.Verifier.__init__, "__defaults__", (0.5,))
    found = find(folder)
    assert sorted(sorted(names) for names in names_of(found)) == [
        [f"{seed}.bmp", f"{seed}.png"] for seed in range(6) if seed != 3
    ]


@pytest.mark.parametrize("how", ["SystemExit", "KeyboardInterrupt", "RecursionError", "MemoryError", "GeneratorExit"])
def test_whatever_a_decoder_raises_costs_that_picture_only(folder: Path, how: str) -> None:
    files = pictures(folder, 7, marked=3)
    found = flat(batches(folder, files, Raising(how=how), batch_size=2))
    assert [one.item.path for one in found if one.item.reason] == [files[3].path]
    assert len(found) == 7


class Raising(Harmful):
    """Raises what it is named after."""

    def __call__(self, image: Image.Image) -> np.ndarray:
        if image.size == (77, 55):
            raise {kind.__name__: kind for kind in KINDS}[self.how]
        return super().__call__(image)


KINDS = (SystemExit, KeyboardInterrupt, RecursionError, MemoryError, GeneratorExit)


class Greedy(Harmful):
    """Asks for memory without end when it meets the marked picture."""

    def __call__(self, image: Image.Image) -> np.ndarray:
        if image.size == (77, 55):
            kept = []
            while True:
                kept.append(np.empty(1 << 28, np.uint8))
        return super().__call__(image)


@pytest.mark.skipif(sys.platform != "linux", reason="no limit elsewhere counts what a process has of its own")
def test_a_decoder_that_asks_for_memory_without_end_costs_that_picture_only(folder: Path) -> None:
    files = pictures(folder, 7, marked=3)
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    found = flat(batches(folder, files, Greedy(), batch_size=2))
    assert [one.item.path for one in found if one.item.reason] == [files[3].path]
    assert "Unable to allocate" in found[3].item.reason or "memory" in found[3].item.reason
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits  # the program itself has no limit


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_where_memory_runs_out_the_worker_goes_and_not_the_program() -> None:
    with Apart() as apart:
        assert apart(oom_score) == "1000"
    assert oom_score() != "1000"


def oom_score() -> str:
    return Path("/proc/self/oom_score_adj").read_text().strip()


def shout(*_: object) -> None:
    os.write(2, b"libpng warning: iCCP: known incorrect sRGB profile\n")


def test_what_c_libraries_say_in_a_worker_does_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with Apart() as apart:
        apart(shout)
    shout()
    assert capfd.readouterr().err.count("libpng") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files")
def test_a_pipe_in_the_place_of_a_picture_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "a.png")
    began = time.monotonic()
    with pytest.raises(UnreadablePicture, match="not a regular file"):
        images.read(folder / "a.png")
    with pytest.raises(OSError, match="not a regular file"):
        images.digest(folder / "a.png")
    with pytest.raises(UnreadablePicture, match="not a regular file"):
        images.thumbnail(folder / "a.png", 100)
    assert not images.shown_as_stored(folder / "a.png")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/tty"])
def test_a_device_in_the_place_of_a_picture_is_not_read(device: str) -> None:
    if os.path.exists(device):
        with pytest.raises(UnreadablePicture):
            images.read(device)


def test_a_file_that_never_stops_growing_is_not_read_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_picture(folder / "a.png", 1)
    size = path.stat().st_size
    real_fstat = os.fstat

    def fstat_and_grow(handle: int) -> os.stat_result:
        found = real_fstat(handle)
        with open(path, "ab") as file:
            file.write(b"more" * 100_000)
        return found

    monkeypatch.setattr(os, "fstat", fstat_and_grow)
    data, _ = images.read(path)
    assert len(data) <= size + 400_000 + 1
    one = only(folder)
    assert one.item.reason == decoding.CHANGED_WHILE_READ


def test_a_sparse_file_of_a_terabyte_is_refused_and_a_smaller_one_is_no_picture(folder: Path) -> None:
    for name, size in (("huge.jpg", 1 << 40), ("large.jpg", 64 << 20)):
        with (folder / name).open("wb") as file:
            file.truncate(size)
    result = index(folder)
    assert result.unreadable == {
        "huge.jpg": "the file is larger than 2 GiB",
        "large.jpg": "the file holds nothing but zero bytes",
    }


@pytest.mark.parametrize("harm", [kill_itself, hang])
def test_contact_sheets_survive_a_deadly_picture(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: object
) -> None:
    for name in ("a.png", "deadly.png"):
        save_picture(folder / name, 1)
    index(folder)
    found = find(folder)
    really_open = images.open_upright

    def open_upright(path: Path, *given: int) -> images.Decoded:
        return harm() if path.name == "deadly.png" else really_open(path, *given)  # type: ignore[operator]

    monkeypatch.setattr(images, "open_upright", open_upright)
    monkeypatch.setattr("dedup.review.contact_sheet.Apart", lambda: Apart(seconds=1))
    with Apart(seconds=1) as apart:
        assert load_or_explain(folder / "deadly.png", 100, apart).getpixel((0, 0)) == (90, 90, 90)
        assert load_or_explain(folder / "a.png", 100, apart).getpixel((0, 0)) != (90, 90, 90)
    assert len(write_contact_sheets(found.groups, tmp_path / "sheets", Recorder())) == 1
