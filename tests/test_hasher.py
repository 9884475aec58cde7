"""Indexing: only what is new is encoded, whatever happens is resumed, and one picture cannot stop the rest."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FAKE, FAST, FakeEncoder, FakePrepare, Recorder, index, save_picture
from PIL import Image

from dedup import workflow
from dedup.errors import DedupError
from dedup.hasher import HashOptions, HashSummary, hash_pictures
from dedup.progress import Cancelled, Event, Progress
from dedup.provenance import Provenance
from dedup.scan import list_pictures
from dedup.settings import Settings
from dedup.store import Catalogue


def pictures(folder: Path, count: int) -> None:
    for number in range(count):
        save_picture(folder / f"{number:02}.png", number, (60, 40))


def vectors(folder: Path, provenance: Provenance = FAKE) -> dict[str, np.ndarray]:
    """Path -> the vector in the folder's database."""
    with Catalogue(folder) as store:
        found, rows = store.load(provenance)
    return {picture.path: rows.rows[number] for number, picture in enumerate(found)}


def vector_on_disk(path: Path) -> np.ndarray:
    """The vector the file's picture has now."""
    with Image.open(path) as image:
        pixels = FakePrepare()(image.convert("RGB"))
    row: np.ndarray = FakeEncoder().encode(torch.from_numpy(pixels[None]))[0].astype(np.float16)
    return row


def assert_right(folder: Path, count: int) -> None:
    """The database holds this many vectors, each the one of the file at its path."""
    found = vectors(folder)
    assert len(found) == count
    for path, vector in found.items():
        np.testing.assert_array_equal(vector, vector_on_disk(folder / path), err_msg=path)


def hash_all(
    folder: Path, encoder: Any, report: Callable[[Event], None], batch_size: int, workers: int = 0
) -> HashSummary:
    with Catalogue(folder, create=True) as store:
        files = list_pictures(folder).files
        return hash_pictures(store, files, encoder, HashOptions(batch_size, workers), report)


# -- what is encoded again --------------------------------------------------------------


def test_only_new_and_changed_pictures_are_encoded_again(folder: Path) -> None:
    pictures(folder, 6)
    assert index(folder).encoded == 6
    encoder = FakeEncoder()
    assert index(folder, encoder=encoder).encoded == encoder.encoded == 0
    save_picture(folder / "new.png", 70, (60, 40))
    save_picture(folder / "02.png", 71, (60, 40))
    result = index(folder, encoder=encoder)
    assert result.encoded == encoder.encoded == 2
    assert result.pictures == 7
    assert_right(folder, 7)


def test_a_changed_file_is_encoded_again_and_its_old_vector_is_gone(folder: Path) -> None:
    # Fault 13: changed files were never hashed again.
    pictures(folder, 3)
    index(folder)
    before = vectors(folder)["01.png"]
    save_picture(folder / "01.png", 50, (60, 40))
    assert index(folder).encoded == 1
    assert not np.array_equal(vectors(folder)["01.png"], before)
    assert_right(folder, 3)


def test_a_file_with_other_bytes_but_the_same_size_is_encoded_again(folder: Path) -> None:
    for name, colour in (("a.bmp", (200, 10, 10)), ("b.bmp", (10, 200, 10))):
        Image.new("RGB", (60, 40), colour).save(folder / name)
    index(folder)
    size = (folder / "a.bmp").stat().st_size
    Image.new("RGB", (60, 40), (10, 10, 200)).save(folder / "a.bmp")
    assert (folder / "a.bmp").stat().st_size == size
    assert index(folder).encoded == 1
    assert_right(folder, 2)


def test_again_encodes_every_picture(folder: Path) -> None:
    pictures(folder, 4)
    index(folder)
    encoder = FakeEncoder()
    assert index(folder, again=True, encoder=encoder).encoded == encoder.encoded == 4
    assert_right(folder, 4)


def test_a_touched_file_with_the_same_bytes_is_not_encoded_again(folder: Path) -> None:
    pictures(folder, 3)
    index(folder)
    os.utime(folder / "01.png", ns=(0, 1_000_000_007))
    encoder = FakeEncoder()
    assert index(folder, encoder=encoder).encoded == encoder.encoded == 0
    with Catalogue(folder) as store:
        assert store.known()["01.png"][1] == 1_000_000_007
    assert_right(folder, 3)


def test_moved_and_renamed_pictures_are_recognised_by_their_content(folder: Path) -> None:
    pictures(folder, 5)
    index(folder)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "00.png").rename(folder / "deep" / "er" / "00.png")
    (folder / "01.png").rename(folder / "another name.png")
    (folder / "02.png").rename(folder / "swap")
    (folder / "03.png").rename(folder / "02.png")
    (folder / "swap").rename(folder / "03.png")
    encoder = FakeEncoder()
    result = index(folder, encoder=encoder)
    assert result.moved == 2
    assert encoder.encoded == 2  # the two that swapped names count as changed
    assert result.gone == 0
    assert_right(folder, 5)


def test_a_folder_that_moves_as_a_whole_keeps_its_work(folder: Path, tmp_path: Path) -> None:
    pictures(folder, 4)
    index(folder)
    folder.rename(tmp_path / "elsewhere")
    encoder = FakeEncoder()
    assert index(tmp_path / "elsewhere", encoder=encoder).encoded == encoder.encoded == 0
    assert_right(tmp_path / "elsewhere", 4)


def test_copies_that_move_together_are_each_recognised(folder: Path) -> None:
    pictures(folder, 2)
    shutil.copy2(folder / "00.png", folder / "copy.png")
    index(folder)
    (folder / "sub").mkdir()
    for name in ("00.png", "copy.png"):
        (folder / name).rename(folder / "sub" / name)
    result = index(folder)
    assert (result.moved, result.encoded, result.gone) == (2, 0, 0)
    assert_right(folder, 3)


def test_a_copy_beside_its_original_is_a_picture_of_its_own(folder: Path) -> None:
    pictures(folder, 2)
    index(folder)
    shutil.copy2(folder / "00.png", folder / "copy.png")
    result = index(folder)
    assert (result.moved, result.pictures) == (0, 3)
    assert_right(folder, 3)


def test_a_moved_file_that_was_edited_on_the_way_is_encoded(folder: Path) -> None:
    Image.new("RGB", (60, 40), (200, 10, 10)).save(folder / "a.bmp")
    index(folder)
    (folder / "a.bmp").unlink()
    Image.new("RGB", (60, 40), (10, 10, 200)).save(folder / "b.bmp")
    result = index(folder)
    assert (result.moved, result.encoded, result.gone) == (0, 1, 1)
    np.testing.assert_array_equal(vectors(folder)["b.bmp"], vector_on_disk(folder / "b.bmp"))


def test_a_file_that_is_away_for_a_while_is_still_known_when_it_is_back(folder: Path, tmp_path: Path) -> None:
    pictures(folder, 3)
    index(folder)
    (folder / "01.png").rename(tmp_path / "away.png")
    assert index(folder).gone == 1
    (tmp_path / "away.png").rename(folder / "01.png")
    encoder = FakeEncoder()
    result = index(folder, encoder=encoder)
    assert (result.encoded, encoder.encoded, result.gone) == (0, 0, 0)


# -- unreadable -------------------------------------------------------------------------


def test_an_unreadable_file_is_not_tried_again_until_it_changes(folder: Path) -> None:
    pictures(folder, 2)
    (folder / "bad.png").write_bytes(b"not a picture")
    first = index(folder)
    assert (first.encoded, first.newly_unreadable, list(first.unreadable)) == (2, 1, ["bad.png"])
    report = Recorder()
    second = workflow.index(folder, Settings(num_workers=0), report, encoder=FakeEncoder())
    assert (second.encoded, second.newly_unreadable, list(second.unreadable)) == (0, 0, ["bad.png"])
    assert report.skipped == report.progress == []
    save_picture(folder / "bad.png", 60, (60, 40))
    third = index(folder)
    assert (third.encoded, third.unreadable) == (1, {})
    assert_right(folder, 3)


def test_a_picture_that_breaks_loses_its_vector(folder: Path) -> None:
    pictures(folder, 2)
    index(folder)
    (folder / "01.png").write_bytes(b"broken now")
    result = index(folder)
    assert list(result.unreadable) == ["01.png"]
    assert set(vectors(folder)) == {"00.png"}


def test_unreadable_files_are_reported_by_path_and_reason(folder: Path) -> None:
    pictures(folder, 3)
    (folder / "01.png").write_bytes(b"")
    report = Recorder()
    summary = hash_all(folder, FakeEncoder(), report, 2)
    assert (summary.encoded, list(summary.unreadable)) == (2, ["01.png"])
    assert [(row.path, row.reason) for row in report.skipped] == [(str(folder / "01.png"), "the file is empty")]


def test_a_folder_of_nothing_but_unreadable_files_is_indexed(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(b"x" * number)
    encoder = FakeEncoder()
    result = index(folder, encoder=encoder)
    assert (result.pictures, len(result.unreadable), encoder.encoded) == (0, 5, 0)


# -- out of memory ----------------------------------------------------------------------


@dataclass
class Small(FakeEncoder):
    """An encoder on a device with room for ``room`` pictures."""

    room: int = 3
    error: Callable[[], Exception] = torch.OutOfMemoryError
    sizes: list[int] = field(default_factory=list)

    def encode(self, batch: Any) -> np.ndarray:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise self.error()
        return super().encode(batch)


def out_of_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


# Every form the error takes: test_batching.
def test_a_batch_too_large_for_the_device_is_halved_until_it_fits(folder: Path) -> None:
    pictures(folder, 20)
    report = Recorder()
    encoder = Small(error=out_of_memory)
    summary = hash_all(folder, encoder, report, 8)
    assert (summary.encoded, summary.unreadable) == (20, {})
    assert_right(folder, 20)
    # 8 and 4 fail once; from then on no batch is larger than what was seen to fit.
    assert encoder.sizes[:3] == [8, 4, 2]
    assert max(encoder.sizes[2:]) == 2
    assert any("2 pictures at once" in notice for notice in report.notices)


def test_a_single_picture_too_large_for_the_device_is_an_error_with_a_remedy(folder: Path) -> None:
    pictures(folder, 4)
    with pytest.raises(DedupError, match="not enough memory") as problem:
        hash_all(folder, Small(room=0, error=out_of_memory), Recorder(), 4)
    assert problem.value.remedy
    with Catalogue(folder) as store:
        assert store.known() == {}


def test_another_error_of_the_encoder_is_not_taken_for_a_lack_of_memory(folder: Path) -> None:
    pictures(folder, 4)
    encoder = Small(room=0, error=lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        hash_all(folder, encoder, Recorder(), 4)
    assert encoder.sizes == [4]


# -- the size of the batches ------------------------------------------------------------


@dataclass
class Counting(FakeEncoder):
    """Remembers how many pictures came at once."""

    sizes: list[int] = field(default_factory=list)

    def encode(self, batch: Any) -> np.ndarray:
        self.sizes.append(len(batch))
        return super().encode(batch)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(1, [1] * 70), (7, [7] * 10), (32, [32, 32, 6]), (64, [64, 6]), (100, [70]), (1000, [70])],
)
def test_batches_larger_than_those_of_the_decoders_are_filled(
    folder: Path, batch_size: int, sizes: list[int], workers: int
) -> None:
    pictures(folder, 70)
    encoder = Counting()
    hash_all(folder, encoder, Recorder(), batch_size, workers)
    assert encoder.sizes == sizes
    assert_right(folder, 70)


@pytest.mark.parametrize(("batch_size", "sizes"), [(64, [64, 64, 64, 8]), (100, [100, 100])])
def test_no_batch_is_larger_than_the_device_was_said_to_hold(folder: Path, batch_size: int, sizes: list[int]) -> None:
    pictures(folder, 200)
    encoder, report = Counting(), Recorder()
    hash_all(folder, encoder, report, batch_size)
    assert encoder.sizes == sizes
    assert [event.done for event in report.progress] == [0, *np.cumsum(sizes).tolist()]
    assert_right(folder, 200)


def test_unreadable_files_take_no_room_on_the_device(folder: Path) -> None:
    pictures(folder, 70)
    for number in range(0, 70, 5):
        (folder / f"{number:02}.png").write_bytes(b"broken")
    encoder = Counting()
    summary = hash_all(folder, encoder, Recorder(), 64)
    assert (summary.encoded, len(summary.unreadable), sum(encoder.sizes)) == (56, 14, 56)
    assert max(encoder.sizes) <= 64


# -- an encoder with two sets -----------------------------------------------------------

HIDDEN = replace(FAKE, layer="hidden", dim=12)


def hidden_of(batch: torch.Tensor) -> np.ndarray:
    """The colours of the four quarters as unit vectors."""
    pixels = batch.numpy().astype(np.float32).reshape(len(batch), 3, 2, 2, 2, 2)
    rows: np.ndarray = pixels.mean(axis=(3, 5)).reshape(len(batch), 12) - 126.3
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@dataclass
class Both(FakeEncoder):
    """The fake encoder with a second embedding beside the first."""

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        return (FAKE, HIDDEN)

    def encode(self, batch: Any) -> np.ndarray:
        return np.concatenate([super().encode(batch), hidden_of(batch)], axis=1)


def assert_both_right(folder: Path, count: int) -> None:
    """Both sets hold this many vectors, each the one of the file at its path."""
    assert_right(folder, count)
    found = vectors(folder, HIDDEN)
    assert len(found) == count
    for path, vector in found.items():
        with Image.open(folder / path) as image:
            expected = hidden_of(torch.from_numpy(FakePrepare()(image.convert("RGB"))[None]))[0]
        np.testing.assert_array_equal(vector, expected.astype(np.float16), err_msg=path)


def test_an_encoder_with_two_sets_fills_both_in_one_pass(folder: Path) -> None:
    pictures(folder, 9)
    encoder = Both()
    result = index(folder, encoder=encoder)
    assert (result.pictures, result.encoded, encoder.encoded) == (9, 9, 9)
    assert_both_right(folder, 9)
    assert index(folder, encoder=encoder).encoded == 0
    for one in (FAKE, HIDDEN):
        assert index(folder, encoder=FakeEncoder(one)).encoded == 0, "either set alone is complete too"


@pytest.mark.parametrize("batches", [1, 2])
def test_two_sets_stopped_in_between_are_filled_by_the_next_run(folder: Path, batches: int) -> None:
    pictures(folder, 14)
    chosen = replace(FAST, batch_size=4)
    with pytest.raises(Cancelled):
        workflow.index(folder, chosen, StopsAfter(4 * batches), encoder=Both())
    assert_both_right(folder, 4 * batches)
    encoder = Both()
    assert workflow.index(folder, chosen, Recorder(), encoder=encoder).encoded == 14 - 4 * batches
    assert encoder.encoded == 14 - 4 * batches
    assert_both_right(folder, 14)


@pytest.mark.parametrize("lacking", [FAKE, HIDDEN], ids=lambda one: one.layer)
def test_a_file_that_lacks_one_of_the_two_sets_is_encoded_again(folder: Path, lacking: Provenance) -> None:
    pictures(folder, 5)
    index(folder, encoder=Both())
    with Catalogue(folder) as store, store.transaction() as db:
        db.execute(
            "DELETE FROM embeddings WHERE set_id = ? AND picture_id = (SELECT id FROM pictures WHERE path = '03.png')",
            (next(row.id for row in store.sets() if row.provenance == lacking),),
        )
    assert "03.png" not in vectors(folder, lacking)
    encoder = Both()
    assert index(folder, encoder=encoder).encoded == encoder.encoded == 1
    assert_both_right(folder, 5)


def test_a_set_indexed_alone_is_completed_by_the_other(folder: Path) -> None:
    pictures(folder, 4)
    index(folder)
    save_picture(folder / "new.png", 40, (60, 40))
    encoder = Both()
    assert index(folder, encoder=encoder).encoded == encoder.encoded == 5
    assert_both_right(folder, 5)


def test_a_changed_file_loses_its_old_vectors_in_both_sets(folder: Path) -> None:
    pictures(folder, 4)
    index(folder, encoder=Both())
    save_picture(folder / "01.png", 50, (60, 40))
    (folder / "02.png").write_bytes(b"broken now")
    assert index(folder, encoder=Both()).encoded == 1
    assert_both_right(folder, 3)


def test_the_rows_of_two_sets_are_halved_together_where_memory_is_short(folder: Path) -> None:
    @dataclass
    class SmallBoth(Both):
        def encode(self, batch: Any) -> np.ndarray:
            if len(batch) > 3:
                raise out_of_memory()
            return super().encode(batch)

    pictures(folder, 10)
    hash_all(folder, SmallBoth(), Recorder(), 8)
    assert_both_right(folder, 10)


# -- stopping and going on --------------------------------------------------------------


class StopsAfter(Recorder):
    """A report that stops the job once this many pictures are done."""

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.pictures = pictures

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Progress) and event.done >= self.pictures:
            raise Cancelled


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batches", [0, 1, 3])
def test_stopping_keeps_the_batches_done_and_the_next_run_encodes_the_rest(
    folder: Path, batches: int, workers: int
) -> None:
    pictures(folder, 14)
    with pytest.raises(Cancelled):
        hash_all(folder, FakeEncoder(), StopsAfter(4 * batches), 4, workers)
    with Catalogue(folder) as store:
        assert sorted(store.known()) == [f"{number:02}.png" for number in range(4 * batches)]
    encoder = FakeEncoder()
    assert index(folder, encoder=encoder).encoded == encoder.encoded == 14 - 4 * batches
    assert_right(folder, 14)


def test_an_encoder_that_fails_midway_loses_only_the_batch_in_flight(folder: Path) -> None:
    pictures(folder, 10)

    @dataclass
    class Failing(FakeEncoder):
        def encode(self, batch: Any) -> np.ndarray:
            if self.encoded >= 6:
                raise RuntimeError("the cable came loose")
            return super().encode(batch)

    with pytest.raises(RuntimeError, match="cable"):
        hash_all(folder, Failing(), Recorder(), 3)
    assert_right(folder, 6)
    assert index(folder).encoded == 4
    assert_right(folder, 10)


def test_progress_events_add_up(folder: Path) -> None:
    pictures(folder, 11)
    for name in ("03.png", "10.png"):
        (folder / name).write_bytes(b"broken")
    report = Recorder()
    summary = hash_all(folder, FakeEncoder(), report, 4)
    assert [event.done for event in report.progress] == [0, 4, 8, 11]
    assert {event.total for event in report.progress} == {11}
    assert [event.unreadable for event in report.progress] == [0, 1, 1, 2]
    assert len(report.skipped) == len(summary.unreadable) == 2
    assert summary.encoded == 9


def test_nothing_to_do_reports_nothing_and_loads_no_encoder(folder: Path) -> None:
    pictures(folder, 2)
    index(folder)
    report = Recorder()
    result = workflow.index(folder, Settings(num_workers=0), report, encoder=FakeEncoder())
    assert (result.encoded, result.pictures) == (0, 2)
    assert report.events == []


# -- workers that die -------------------------------------------------------------------


@dataclass
class DiesOnMarked(FakePrepare):
    """Kills its worker on the picture of 77 x 55 pixels, leaving a sign."""

    sign: str = ""

    def __call__(self, image: Image.Image) -> np.ndarray:
        if image.size == (77, 55):
            Path(self.sign).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(image)


@dataclass
class Patient(FakeEncoder):
    """Encodes until the sign is there and a moment more, as a slow encoder happens to."""

    sign: str = ""

    def encode(self, batch: Any) -> np.ndarray:
        end = time.monotonic() + 20
        while not os.path.exists(self.sign) and time.monotonic() < end:
            time.sleep(0.01)
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            time.sleep(0.01)
        return super().encode(batch)


def test_a_decoder_that_dies_while_the_encoder_works_costs_that_picture_only(folder: Path, tmp_path: Path) -> None:
    pictures(folder, 6)
    save_picture(folder / "02.png", 2, (77, 55))
    sign = str(tmp_path / "sign")
    encoder = Patient(prepare=DiesOnMarked(sign=sign), sign=sign)
    summary = hash_all(folder, encoder, Recorder(), 1, workers=1)
    assert (summary.encoded, list(summary.unreadable)) == (5, ["02.png"])
    with Catalogue(folder) as store:
        assert list(store.unreadable()) == ["02.png"]
