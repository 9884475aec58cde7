"""Calibration: what thresholds find of copies made of the user's pictures, and what they confuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST, FakeEncoder, Recorder, detector, index, picture, save_picture, tree
from PIL import Image

from dedup import settings, workflow
from dedup.calibration import (
    CalibrateOptions,
    Calibration,
    as_json,
    calibrate,
    lines,
    measuring,
    place_for_plot,
    plotting,
    write_plot,
)
from dedup.calibration.calibrating import Differ
from dedup.calibration.edits import EDITS, GROUPS, write_copies
from dedup.cli import main
from dedup.encoders import preprocess
from dedup.encoders.interface import Uint8Array
from dedup.encoders.preprocess import SeesPixels
from dedup.errors import DedupError
from dedup.progress import Cancelled, Event, Progress, Report, silent
from dedup.provenance import BITS_TURNED, Provenance
from dedup.vectors import Vectors

FLOATS = Provenance("one", "none", "final", 1, 8)
TURNED = Provenance("two", "none", "final", 1, 64, BITS_TURNED)


def always(first: Path, second: Path) -> bool:
    return True


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Eighteen small pictures in two folders."""
    for seed in range(18):
        save_picture(folder / ("sub" if seed % 3 else ".") / f"picture {seed}.jpg", seed, (160, 120))
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place for temporary files, empty."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def measured(
    folder: Path, sample: int = 12, most: float = 1.0, differ: Differ = always, report: Report | None = None
) -> Calibration:
    options = CalibrateOptions(sample, 1, most)
    return calibrate(folder, FAST, options, report or Recorder(), encoder=FakeEncoder(), differ=differ)


# -- the copies -------------------------------------------------------------------------


def test_every_kind_of_edit_makes_a_copy_that_is_another_picture_file(tmp_path: Path) -> None:
    image = picture(1)
    paths = write_copies(image, tmp_path, "seed")
    assert len(paths) == len(EDITS) == 16
    copies = {edit.name: Image.open(path) for edit, path in zip(EDITS, paths, strict=True)}
    assert {copy.format for copy in copies.values()} == {"JPEG"}
    assert copies["half size"].size == (120, 90)
    assert copies["quarter size"].size == (60, 45)
    assert copies["quarter turn"].size == (180, 240)
    assert copies["crop of 5 %"].size == (216, 162)
    assert copies["screenshot"].height > copies["screenshot"].width
    assert 0.45 < copies["half the area"].width * copies["half the area"].height / (240 * 180) < 0.55
    assert len({path.read_bytes() for path in paths}) == 16


def test_the_same_seed_makes_the_same_copies_and_another_seed_others(tmp_path: Path) -> None:
    def copies(name: str, seed: str) -> list[bytes]:
        (tmp_path / name).mkdir()
        return [path.read_bytes() for path in write_copies(picture(1), tmp_path / name, seed)]

    first = copies("first", "1:a")
    assert copies("second", "1:a") == first
    assert copies("third", "2:a") != first


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (400, 2)])
def test_a_picture_of_any_shape_can_be_edited(tmp_path: Path, size: tuple[int, int]) -> None:
    paths = write_copies(Image.new("RGB", size, (200, 30, 90)), tmp_path, "seed")
    assert len(paths) == len(EDITS)
    for path in paths:
        with Image.open(path) as image:
            assert min(image.convert("RGB").size) >= 1


# -- measuring --------------------------------------------------------------------------


def test_the_ladder_is_bits_or_steps_of_cosine_from_strict_to_loose() -> None:
    cosine = measuring.ladder_for(FLOATS, 0.96)
    assert cosine.thresholds[[0, 1, cosine.shown - 1]].tolist() == [0.995, 0.99, 0.8]
    assert measuring.ladder_for(FLOATS, 0.75).thresholds[: measuring.ladder_for(FLOATS, 0.75).shown].min() == 0.6
    bits = measuring.ladder_for(TURNED, 3)
    assert bits.thresholds[: bits.shown].tolist() == list(range(20))
    assert bits.similarities[2] == 1 - 4 / 64


def vectors_of(made_by: Provenance, count: int) -> Vectors:
    chance = np.random.default_rng(5)
    if not made_by.is_bits:
        return Vectors(chance.normal(1.0, 0.6, (count, made_by.dim)).astype(np.float16), made_by.dim)
    rows = chance.integers(0, 256, (count, made_by.views, made_by.dim // 8), dtype=np.uint8)
    rows[count // 2 :] = rows[: count // 2][:, ::-1]  # each has a turned copy
    return Vectors(rows, made_by.dim)


@pytest.mark.parametrize("made_by", [FLOATS, TURNED])
def test_pairs_are_counted_as_one_by_one(made_by: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "TILE", 32)
    vectors = vectors_of(made_by, 100)
    ladder = measuring.ladder_for(made_by, 0.9 if made_by is FLOATS else 2)
    pairs = measuring.count_pairs(vectors, ladder, 1, silent)
    left, right = np.triu_indices(100, 1)
    similarity = vectors.similarity(left, right)
    # To the rounding of float32, which decides nothing here.
    for count, lowest in zip(np.cumsum(pairs.counts), ladder.similarities, strict=True):
        assert (similarity >= lowest + 1e-5).sum() <= count <= (similarity >= lowest - 1e-5).sum()
    assert pairs.total == 4950
    for level in range(ladder.shown):
        some = list(pairs.some_of(level))
        assert len(set(some)) == len(some) == min(measuring.LOOKED_AT, pairs.counts[level])
        for one, other in some:
            assert one != other
            found = vectors.similarity([one], [other])[0]
            assert found >= ladder.similarities[level] - 1e-5
            assert level == 0 or found < ladder.similarities[level - 1] + 1e-5


def test_the_pairs_looked_at_are_a_fair_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "TILE", 32)
    vectors = Vectors(np.ones((128, 8), dtype=np.float16), 8)  # all alike: 8,128 pairs at one level
    ladder = measuring.ladder_for(FLOATS, 0.96)
    seen = [
        number
        for seed in range(60)
        for pair in measuring.count_pairs(vectors, ladder, seed, silent).some_of(0)
        for number in pair
    ]
    assert 60 < np.mean(seen) < 67
    assert len(set(seen)) == 128


def test_recall_is_the_share_at_or_above_each_threshold() -> None:
    ladder = measuring.ladder_for(FLOATS, 0.96)
    shares = measuring.recall(np.array([[1.0, 0.9, 0.5, -1.0]]), ladder)
    at = {round(float(one), 3): share for one, share in zip(ladder.thresholds, shares[0], strict=True)}
    assert (at[0.995], at[0.905], at[0.9], at[0.5], at[0.0]) == (0.25, 0.25, 0.5, 0.75, 0.75)


def pairs_of(counts: list[int], total: int) -> measuring.Pairs:
    """Pairs in which a pair of level l has the row numbers (l, n)."""
    few = [(level, number) for level, count in enumerate(counts) for number in range(min(count, measuring.LOOKED_AT))]
    level, number = (np.array(column, dtype=np.int64) for column in zip(*few, strict=True))
    return measuring.Pairs(total, np.array(counts, dtype=np.int64), level, level, number)


def test_the_share_of_different_pictures_among_those_looked_at_stands_for_all() -> None:
    pairs = pairs_of([240, 0, 10], 10**9)
    looked_at: list[measuring.Pair] = []

    def different(some: Sequence[measuring.Pair]) -> list[bool]:
        looked_at.extend(some)
        return [level == 2 or number % 4 == 0 for level, number in some]

    false, met = measuring.count_false(pairs, different, 3, silent)
    assert false.tolist() == [60, 60, 70]
    assert len(looked_at) == measuring.LOOKED_AT + 10
    assert len(met) == measuring.LOOKED_AT // 4 + 10


def test_once_there_are_plenty_of_false_pairs_no_more_are_looked_at() -> None:
    pairs = pairs_of([100, 100, 100], 4950)
    looked_at: list[measuring.Pair] = []

    def different(some: Sequence[measuring.Pair]) -> list[bool]:
        looked_at.extend(some)
        return [True for _ in some]

    false, _ = measuring.count_false(pairs, different, 3, silent)
    assert false.tolist() == [100, 200, 300]
    assert {level for level, _ in looked_at} == {0}


def test_counts_are_scaled_to_the_pairs_of_ten_thousand_pictures() -> None:
    ladder = measuring.ladder_for(FLOATS, 0.96)
    false = np.full(len(ladder.thresholds), 500.0)
    expected, estimated = measuring.expected_false(false, 1000 * 999 // 2, ladder)
    assert expected[0] == pytest.approx(500 * 9999 * 10_000 / (1000 * 999))
    assert not estimated.any()


def test_what_is_too_rare_to_count_is_estimated_from_how_pairs_thin_out() -> None:
    # Pairs whose number within a distance r of 1 grows as r ** 5, as among points of ten dimensions.
    ladder = measuring.ladder_for(FLOATS, 0.96)
    pairs = 50_000
    distances = np.random.default_rng(3).random(pairs) ** (1 / 5)
    false = np.array([(distances <= one).sum() for one in ladder.distances], dtype=np.float64)
    expected, estimated = measuring.expected_false(false, pairs, ladder)
    truth = ladder.distances**5 * measuring.PAIRS_IN_COLLECTION
    level = int(np.argmax(ladder.thresholds <= 0.95))
    assert false[level] == 0
    assert estimated[level]
    assert truth[level] / 5 < expected[level] < truth[level] * 5
    assert (np.diff(expected) >= 0).all()


def test_without_any_false_pair_none_is_expected() -> None:
    ladder = measuring.ladder_for(FLOATS, 0.96)
    expected, _ = measuring.expected_false(np.zeros(len(ladder.thresholds)), 4950, ladder)
    assert not expected.any()


def test_the_proposal_is_the_loosest_within_the_bound() -> None:
    expected = np.array([0.0, 0.2, 1.0, 1.1, 5.0])
    assert measuring.proposed_level(expected, 5, 1.0) == 2
    assert measuring.proposed_level(expected, 2, 1.0) == 1
    assert measuring.proposed_level(expected, 5, 9.0) == 4
    assert measuring.proposed_level(expected + 2, 5, 1.0) is None


# -- the whole job ----------------------------------------------------------------------


def test_a_resaved_copy_is_found_at_a_loose_threshold_and_more_is_found_the_looser_it_is(pictures: Path) -> None:
    result = measured(pictures)
    assert result.sample == 12
    loosest = result.levels[-1]
    assert loosest.recall["JPEG 75"] == loosest.recall_of("re-saved") == 1.0
    for edit in EDITS:
        shares = [level.recall[edit.name] for level in result.levels]
        assert shares == sorted(shares)
    # Mean colours in their places: a copy in other colours of the same layout is nearer than a mirrored one.
    assert loosest.recall["half size"] > loosest.recall["mirrored"]


def test_false_matches_grow_as_the_threshold_loosens_and_the_proposal_obeys_the_bound(pictures: Path) -> None:
    for most in (1.0, 1e6):
        result = measured(pictures, 12, most)
        false = [level.false for level in result.levels]
        assert false == sorted(false)
        assert false[-1] > 0
        within = [level for level in result.levels if level.false <= most]
        assert result.proposed == (within[-1] if within else None)
    assert result.proposed is not None


def test_the_same_seed_gives_the_same_result(pictures: Path) -> None:
    assert measured(pictures) == measured(pictures)


def test_a_nearly_blank_copy_is_never_found(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contrast = SeesPixels.contrast

    def black_when_turned(image: Image.Image) -> Uint8Array:
        return preprocess.seen(image) * np.uint8(image.height <= image.width)

    def none_when_black(self: SeesPixels, seen: Uint8Array, prepared: Uint8Array) -> float:
        return contrast(self, seen, prepared) if seen.any() else 1.0

    monkeypatch.setattr("dedup.calibration.copies.seen", black_when_turned)
    monkeypatch.setattr(SeesPixels, "contrast", none_when_black)
    result = measured(pictures)
    assert result.levels[-1].recall["quarter turn"] == 0.0
    assert result.levels[-1].recall["JPEG 75"] == 1.0


def test_nothing_of_the_users_is_changed_and_no_copy_remains(pictures: Path, temporary: Path) -> None:
    before = tree(pictures)
    measured(pictures)
    assert tree(pictures) == before
    assert not list(pictures.glob("image_database*"))
    index(pictures)
    database = (pictures / "image_database.db").read_bytes()
    result = measured(pictures)
    assert result.indexed
    assert (pictures / "image_database.db").read_bytes() == database
    assert tree(pictures) == before
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("stopped_by", [Cancelled, KeyboardInterrupt])
def test_stopping_leaves_no_copy_behind(pictures: Path, temporary: Path, stopped_by: type[BaseException]) -> None:
    there: list[Path] = []

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.what == "pictures edited" and event.done:
            there.extend(temporary.iterdir())
            raise stopped_by

    with pytest.raises(stopped_by):
        measured(pictures, report=report)
    assert there
    assert not list(temporary.iterdir())


def test_no_copy_is_ever_made_within_the_users_folder(
    pictures: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = pictures / "scratch"
    inside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    used: list[Path] = []

    def report(event: Event) -> None:
        assert not list(inside.iterdir())
        used.extend(home.glob("dedup-calibration-*"))

    measured(pictures, report=report)
    assert used
    assert not list(home.glob("dedup-calibration-*"))
    monkeypatch.setenv("DEDUP_HOME", str(pictures))
    with pytest.raises(DedupError, match="no place for temporary files outside"):
        measured(pictures)


def test_a_place_without_room_is_said(pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file" / "beyond"))
    with pytest.raises(DedupError, match="cannot be written to") as raised:
        measured(pictures)
    assert "TMPDIR" in raised.value.remedy


def test_all_indexed_pictures_are_compared_and_files_of_the_same_bytes_once(pictures: Path) -> None:
    for number in range(5):
        shutil.copy2(pictures / "picture 0.jpg", pictures / f"again {number}.jpg")
    Image.new("RGB", (80, 60), (9, 9, 9)).save(pictures / "blank.png")
    (pictures / "torn.jpg").write_bytes(b"\xff\xd8 torn")
    index(pictures)
    result = measured(pictures, 10)
    assert (result.sample, result.pictures, result.pairs, result.indexed) == (10, 18, 153, True)


def test_with_fewer_indexed_than_sampled_the_sample_is_compared(pictures: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.mkdir()
    for seed in range(8):
        save_picture(later / f"{seed}.jpg", seed)
    index(later)
    shutil.copytree(pictures, later / "more")
    result = measured(later, 12)
    assert (result.pictures, result.indexed) == (12, False)


def test_copies_the_user_has_are_no_false_matches(folder: Path) -> None:
    for seed in range(12):
        # The same pixels in another format, as any verification must see.
        Image.open(save_picture(folder / f"{seed}.png", seed)).save(folder / f"{seed}.bmp")
    index(folder)
    by_pixels = calibrate(folder, FAST, CalibrateOptions(10), Recorder(), encoder=FakeEncoder())
    by_similarity = measured(folder, 10)
    assert by_similarity.levels[0].false >= 12 * measuring.PAIRS_IN_COLLECTION / (24 * 23 / 2)
    assert by_pixels.levels[0].false < by_similarity.levels[0].false / 10
    assert all(one.first.stem == one.second.stem for one in by_similarity.most_alike)
    assert all(one.first.stem != one.second.stem for one in by_pixels.most_alike)


# -- what goes wrong --------------------------------------------------------------------


def test_too_few_pictures_are_said_before_anything_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(9):
        save_picture(folder / f"{seed}.jpg", seed)
    monkeypatch.setattr(workflow.indexing, "load_encoder", None)
    with pytest.raises(DedupError, match="holds 9 different pictures") as raised:
        calibrate(folder, FAST, CalibrateOptions(), silent)
    assert raised.value.remedy


def test_blank_unreadable_and_equal_files_do_not_make_up_the_number(folder: Path) -> None:
    for seed in range(8):
        save_picture(folder / f"{seed}.jpg", seed)
    shutil.copy2(folder / "0.jpg", folder / "copy.jpg")
    Image.new("RGB", (80, 60), (9, 9, 9)).save(folder / "blank.png")
    (folder / "torn.jpg").write_bytes(b"\xff\xd8 torn")
    with pytest.raises(DedupError, match="holds 8 different pictures"):
        measured(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CalibrateOptions(sample=9), "A sample of 9"),
        (CalibrateOptions(sample=-1), "A sample of -1"),
        (CalibrateOptions(most_false=0), "cannot be had"),
        (CalibrateOptions(most_false=float("nan")), "cannot be had"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(pictures: Path, options: CalibrateOptions, message: str) -> None:
    with pytest.raises(DedupError, match=message) as raised:
        calibrate(pictures, FAST, options, silent, encoder=FakeEncoder())
    assert raised.value.remedy


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DedupError, match="There is no folder"):
        measured(tmp_path / "nowhere")


# -- what is shown ----------------------------------------------------------------------


def test_the_table_names_every_group_and_marks_the_proposal(pictures: Path) -> None:
    result = measured(pictures, 12, 1e9)
    assert result.proposed is not None
    text = lines(result)
    header = next(line for line in text if line.lstrip().startswith("threshold "))
    assert header.split() == ["threshold", *GROUPS, "all", "false"]
    assert sum("<- proposed" in line for line in text) == 1
    assert sum("<- the encoder's own" in line for line in text) == 1
    assert any(f"--threshold {result.proposed.threshold:g}" in line and "9 Settings" in line for line in text)
    assert any("Verification looks at the pixels" in line for line in text)
    assert as_json(result)["proposed"] == result.proposed.threshold
    json.dumps(as_json(result))


def test_where_no_threshold_is_strict_enough_that_is_said(pictures: Path) -> None:
    result = measured(pictures, 12, 1e-12)
    assert result.proposed is None
    text = "\n".join(lines(result))
    assert "No threshold is proposed" in text
    assert "--most-false" in text
    assert "<- proposed" not in text


@pytest.mark.parametrize("most", [1e-12, 1e4])
def test_the_plot_is_a_png_of_a_sensible_size_and_overwrites_nothing(
    pictures: Path, tmp_path: Path, most: float
) -> None:
    result = measured(pictures, 12, most)
    wanted = tmp_path / "plot.png"
    written = [write_plot(result, wanted) for _ in range(2)]
    assert [path.name for path in written] == ["plot.png", "plot-2.png"]
    image = Image.open(written[0])
    assert image.format == "PNG"
    assert 1000 < image.width < 2500
    assert 600 < image.height < 1500
    colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    proposed = (np.abs(colours.astype(int) - int(plotting.PROPOSED[1:3], 16)) <= 2).all(axis=1).sum()
    assert (proposed > 800) == (result.proposed is not None)  # the line of the proposal


def test_the_plot_goes_to_the_current_directory_but_not_among_the_pictures(
    pictures: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert place_for_plot(None, "pdq", pictures, home) == tmp_path / "calibration-pdq.png"
    (tmp_path / "calibration-pdq.png").touch()
    assert place_for_plot(None, "pdq", pictures, home) == tmp_path / "calibration-pdq-2.png"
    monkeypatch.chdir(pictures / "sub")
    assert place_for_plot(None, "pdq", pictures, home) == home / "calibration-pdq.png"


def test_a_plot_that_cannot_be_written_is_said_before_the_work(tmp_path: Path, home: Path) -> None:
    for wanted in (tmp_path / "nowhere" / "plot.png", tmp_path / "plot.jpg", tmp_path / "plot"):
        with pytest.raises(DedupError) as raised:
            place_for_plot(wanted, "pdq", tmp_path / "pictures", home)
        assert raised.value.remedy
    with pytest.raises(DedupError, match="cannot be written"):
        place_for_plot(Path("/dev/null/plot.png"), "pdq", tmp_path / "pictures", home)


# -- the command ------------------------------------------------------------------------


def test_the_command_measures_a_fingerprint_and_writes_a_table_and_a_plot(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(pictures)
    plot = tmp_path / "plot.png"
    done = detector("calibrate", pictures, "--encoder", "dhash", "--sample", 10, "--plot", plot)
    assert done.returncode == 0, done.stderr
    assert "dhash on " in done.stdout
    assert "bits of 64 that may differ" in done.stdout
    assert f"Plot: {plot}" in done.stdout
    assert plot.exists()
    settings.save(FAST)
    words = f"calibrate FOLDER --encoder dhash --sample 10 --plot {plot} --json --most-false 1e9".split()
    words[1] = str(pictures)
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["plot"] == str(tmp_path / "plot-2.png")
    assert found["bits"] == 64
    assert found["levels"][0]["threshold"] == 0
    assert found["levels"][-1]["recall"]["JPEG 75"] == 1.0
    assert found["proposed"] == found["levels"][-1]["threshold"]
    assert tree(pictures) == before
    assert not list(pictures.glob("image_database*"))


def test_the_command_explains_what_is_wrong(pictures: Path, tmp_path: Path) -> None:
    done = detector("calibrate", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "There is no folder" in done.stderr
    done = detector("calibrate", pictures, "--plot", tmp_path / "nowhere" / "plot.png")
    assert done.returncode == 1
    assert "The plot cannot be written" in done.stderr
    assert "Loading" not in done.stderr
    assert "Traceback" not in done.stderr


def test_asking_for_the_command_loads_neither_torch_nor_matplotlib() -> None:
    code = "import dedup.calibration, sys; print(sorted({'torch', 'matplotlib', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
