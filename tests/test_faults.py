"""Eighteen faults of an earlier tool of this kind that lost people's pictures, one test each.

Numbered as in the list they come from. Most use the fake encoder; what matters is the disk.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import (
    PROJECT,
    FakeEncoder,
    Recorder,
    find,
    index,
    names_of,
    picture,
    resaved,
    save_picture,
    tree,
)
from PIL import Image

from dedup import decoding, workflow
from dedup.errors import DedupError
from dedup.keep import KeepRule, Match, make_groups
from dedup.match import find_matches
from dedup.progress import silent
from dedup.provenance import Provenance
from dedup.review.session import ReviewSession
from dedup.settings import Settings
from dedup.store import Catalogue, Picture
from dedup.tiers import SAME_PICTURE


def test_01_every_vector_belongs_to_its_own_file(folder: Path) -> None:
    names = [f"{number:02d}.png" for number in range(30)]
    random.Random(1).shuffle(names)
    for name in names:
        save_picture(folder / name, int(name[:2]))
        index(folder)  # one row at a time, in no order of names
    save_picture(folder / "07.png", 107)
    index(folder)
    (folder / "03.png").rename(folder / "zz.png")
    index(folder)
    encoder = FakeEncoder()
    with Catalogue(folder) as store:
        pictures, vectors = store.load(store.sets()[0].provenance)
    assert len(pictures) == 30
    for shown, vector in zip(pictures, vectors.rows, strict=True):
        with Image.open(shown.full_path) as image:
            pixels = np.stack([encoder.prepare(image.convert("RGB"))])
        expected = (pixels.reshape(1, -1).astype(np.float32) - 126.5)[0]
        assert vector.astype(np.float32) @ (expected / np.linalg.norm(expected)) == pytest.approx(1.0, abs=1e-3)


def test_02_between_two_small_folders_the_true_pairs_are_found_and_no_others(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for seed in range(5):
        save_picture(first / f"a{seed}.png", seed)
        save_picture(second / f"b{seed}.png", seed + 100)
    shutil.copy2(first / "a3.png", second / "shared.png")
    shutil.copy2(first / "a1.png", first / "inside.png")
    index(first)
    index(second)
    assert [sorted(names) for names in names_of(find(first, second))] == [["a3.png", "shared.png"]]


def test_03_nested_and_overlapping_folders_report_no_file_as_its_own_copy(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    for seed in range(4):
        save_picture(outer / "inner" / f"{seed}.png", seed)
    index(outer)
    index(outer / "inner")
    assert find(outer, outer / "inner").groups == []
    assert find(outer, outer / "inner", within=True).groups == []
    assert find(outer, outer).groups == []


def test_04_a_symlink_and_its_target_are_one_picture(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    save_picture(first / "real.png", 1)
    second.mkdir()
    (second / "link.png").symlink_to(first / "real.png")
    (second / "folder").symlink_to(first)
    (first / "beside.png").symlink_to(first / "real.png")
    os.link(first / "real.png", second / "hard.png")
    index(first)
    index(second)
    assert find(first).groups == []
    assert find(first, second).groups == []
    assert find(first, second, within=True).groups == []


def test_05_a_chain_of_seven_loses_only_direct_matches_of_the_keeper(folder: Path) -> None:
    pictures = [Picture(folder, f"{n}.png", 100 - n, 0, 9, 9, "PNG", bytes([n])) for n in range(7)]

    def neighbours(number: int) -> list[Match]:
        return [Match(other, 0.97, SAME_PICTURE) for other in (number - 1, number + 1) if 0 <= other < 7]

    groups = make_groups(pictures, range(7), neighbours, KeepRule())
    for group in groups:
        keeper = pictures.index(group.keeper)
        assert all(abs(pictures.index(member.picture) - keeper) == 1 for member in group.others)
    assert sum(len(group.others) for group in groups) == 3


def test_06_a_file_that_could_not_be_moved_is_not_counted_and_keeps_its_row(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        save_picture(folder / f"{seed}.png", seed)
        shutil.copy2(folder / f"{seed}.png", folder / f"{seed} copy.png")
    index(folder)
    before = tree(folder)
    rename = os.rename

    def failing_rename(source: Path, target: Path) -> None:
        if Path(source).name.startswith("0"):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing_rename)
    outcome = workflow.remove(workflow.plan_marked(find(folder)), silent)
    assert outcome.files == 1
    assert [row.reason for row in outcome.refused] == ["cannot be moved: Input/output error"]
    left = set(tree(folder))
    assert len(left) == 3
    with Catalogue(folder) as store:
        assert set(store.known()) == left
    monkeypatch.setattr(os, "rename", rename)
    workflow.undo(folder, None, silent)
    assert tree(folder) == before


def test_07_at_threshold_one_byte_identical_files_are_found(folder: Path) -> None:
    save_picture(folder / "one.png", 1)
    shutil.copy2(folder / "one.png", folder / "same.png")
    save_picture(folder / "two.png", 2)
    index(folder)
    assert [sorted(names) for names in names_of(find(folder, threshold=1.0))] == [["one.png", "same.png"]]


@pytest.mark.parametrize("kept", ["first", "second"])
def test_08_what_the_reviewer_shows_is_what_the_strategy_plans(tmp_path: Path, kept: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for seed in range(3):
        save_picture(first / f"{seed}.png", seed, (200, 150))
        resaved(first / f"{seed}.png", second / f"small {seed}.png", 0.5)
    index(first)
    index(second)
    session = ReviewSession(find(first, second, rule=KeepRule((tmp_path / kept,))))
    shown = {str(one.pictures[number].full_path) for one in session.sets for number in range(2) if number in one.marked}
    planned = {removal.file.path for removal in session.plan().removals}
    assert len(planned) == 3
    assert shown == planned
    assert not any(Path(path).is_relative_to(tmp_path / kept) for path in planned)


def test_09_only_new_means_only_new(folder: Path) -> None:
    for seed in range(4):
        save_picture(folder / f"{seed}.png", seed)
    index(folder)
    encoder = FakeEncoder()
    assert index(folder, encoder=encoder).encoded == 0
    save_picture(folder / "new.png", 9)
    index(folder, encoder=encoder)
    assert encoder.encoded == 1
    index(folder, again=True, encoder=encoder)
    assert encoder.encoded == 6


def test_10_models_of_equal_dimension_are_never_mixed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for number, place in enumerate((first, second)):
        save_picture(place / "one.png", 1)
        index(place, encoder=FakeEncoder(Provenance("fake", f"checkpoint {number}", "final", 1, 48)))
    with pytest.raises(DedupError, match="different weights"):
        find(first, second)
    save_picture(first / "two.png", 1)
    index(first, encoder=FakeEncoder(Provenance("other", "checkpoint", "final", 1, 48)))
    with Catalogue(first) as store:
        assert {(row.provenance.encoder, row.pictures) for row in store.sets()} == {("fake", 1), ("other", 2)}


def test_11_a_picture_has_the_same_vector_alone_first_and_last_in_a_batch() -> None:
    import torch

    from dedup.encoders import LoadOptions, spec

    encoder = spec("efficientnet-lite0").load(LoadOptions(device="cpu"))
    pixels = [encoder.prepare(picture(seed)) for seed in range(9)]
    alone = encoder.encode(torch.from_numpy(np.stack(pixels[:1])))[0]
    first = encoder.encode(torch.from_numpy(np.stack(pixels)))[0]
    last = encoder.encode(torch.from_numpy(np.stack(pixels[::-1])))[-1]
    assert np.abs(alone - first).max() < 1e-3
    assert np.abs(alone - last).max() < 1e-3


def test_12_matching_never_holds_a_square_of_all_pictures() -> None:
    vectors = np.random.default_rng(1).standard_normal((16_000, 32)).astype(np.float16)
    square = 16_000 * 16_000 * 4
    tracemalloc.start()
    find_matches(vectors, 0.99)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < square / 4


def test_13_a_changed_file_is_hashed_again(folder: Path) -> None:
    save_picture(folder / "one.png", 1)
    shutil.copy2(folder / "one.png", folder / "same.png")
    index(folder)
    assert len(find(folder).groups) == 1
    save_picture(folder / "same.png", 2)
    assert find(folder).groups == [], "a changed file takes no part with its old vector"
    assert index(folder).encoded == 1
    assert find(folder).groups == []


@pytest.mark.parametrize("cores", [1, 2])
def test_14_two_cores_do_not_give_minus_one_workers(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert decoding.default_workers() == cores


def test_15_filename_cleanup_needs_a_picture_and_equal_contents(folder: Path) -> None:
    (folder / "report.pdf").write_bytes(b"%PDF- the same")
    (folder / "report-2023.pdf").write_bytes(b"%PDF- the same")
    save_picture(folder / "2024-05.jpg", 1)
    save_picture(folder / "2024-05-01.jpg", 2)
    save_picture(folder / "image.jpg", 3)
    shutil.copy2(folder / "image.jpg", folder / "image (1).jpg")
    found = workflow.find_by_name([folder], Settings(), Recorder())
    assert names_of(found) == [["image.jpg", "image (1).jpg"]]


def test_16_without_a_display_the_sets_are_reviewed_before_the_confirmation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dedup import console, jobs

    save_picture(folder / "one.png", 1)
    shutil.copy2(folder / "one.png", folder / "same.png")
    index(folder)
    monkeypatch.setenv("MPLBACKEND", "agg")
    asked: list[str] = []

    def answer(message: str, default: str = "") -> str:
        asked.append("review")
        return "d"

    def refuse(message: str, *, default: bool = False) -> bool:
        asked.append("confirmation")
        return False

    monkeypatch.setattr(console, "ask_line", answer)
    monkeypatch.setattr(console, "confirm", refuse)
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    jobs.review_and_remove(find(folder))
    assert asked == ["review", "confirmation"]
    shown = capsys.readouterr().out
    assert "Duplicate Set 1 of 1" in shown
    assert Path(shown.split("Contact sheet: ")[1].splitlines()[0]).exists()
    assert len(tree(folder)) == 2


def test_17_what_was_removed_can_be_brought_back(folder: Path) -> None:
    save_picture(folder / "sub" / "one.png", 1)
    shutil.copy2(folder / "sub" / "one.png", folder / "same.png")
    os.chmod(folder / "same.png", 0o640)
    os.utime(folder / "same.png", ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
    index(folder)
    before = tree(folder)
    workflow.remove(workflow.plan_marked(find(folder)), silent)
    assert len(tree(folder)) == 1
    workflow.undo(folder, None, silent)
    assert tree(folder) == before


def test_18_gated_weights_are_one_sentence_with_a_way_out(home: Path) -> None:
    code = (
        "from dedup.encoders import spec, LoadOptions\n"
        "from dedup.errors import WeightsUnavailable\n"
        "try:\n    spec('dinov3-vitl16').load(LoadOptions())\n"
        "except WeightsUnavailable as problem:\n    print(problem.message, '|', problem.remedy)\n"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=offline, capture_output=True, text=True)
    message, _, remedy = done.stdout.partition("|")
    assert "gated weights of dinov3-vitl16" in message, done.stderr
    assert "dinov2-base" in remedy
    assert "QUICKSTART_DINOV3.md" in remedy
    assert "efficientnet-lite0" in remedy
    assert "Traceback" not in done.stderr
