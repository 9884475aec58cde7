"""Every example of the document on imagesearch, with the meaning it has there: one test each."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import pytest
from conftest import detector, picture, resaved, save_picture
from PIL import Image

from dedup.cli import main


@pytest.fixture
def haystack(tmp_path: Path) -> Path:
    """``needle.jpg`` beside a folder of ten pictures: 6 is the needle itself, 8 a re-saved copy of it."""
    place = tmp_path / "haystack"
    for number in range(10):
        save_picture(place / f"{number}.jpg", 100 + number)
    save_picture(tmp_path / "needle.jpg", 1)
    shutil.copy2(tmp_path / "needle.jpg", place / "6.jpg")
    resaved(tmp_path / "needle.jpg", place / "8.jpg", 0.4, quality=50)
    return place


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with two sets of equal pictures at any depth, and one picture that has no double."""
    place = tmp_path / "images"
    for seed, (one, two) in enumerate([("file-123.jpg", "deep/subdir/foo.jpeg"), ("a/file-987.jpg", "subdir/bar.png")]):
        save_picture(place / one, seed)
        (place / two).parent.mkdir(parents=True)
        with Image.open(place / one) as image:
            image.save(place / two, **({"quality": 95} if two.endswith("jpeg") else {}))
    save_picture(place / "alone.jpg", 7)
    return place


Done = tuple[int, str, str]
Run = Callable[..., Done]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command in a folder, as the examples are typed: (exit code, standard output, standard error)."""

    def run(folder: Path, *words: object) -> Done:
        monkeypatch.chdir(folder)
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse, after --help or wrong usage
            code = int(end.code or 0)
        return code, *capfd.readouterr()

    return run


def printed(done: Done, code: int = 0) -> list[str]:
    assert done[0] == code, done[2]
    return done[1].splitlines()


def value(done: Done, code: int = 0) -> dict[str, Any]:
    result: dict[str, Any] = json.loads("\n".join(printed(done, code)))
    return result


# -- the examples, in the order of the document -------------------------------------------


def test_get_help(tmp_path: Path, run: Run) -> None:
    text = "\n".join(printed(run(tmp_path, "--help")))
    assert "search" in text
    assert "dupe" in text


def test_dupe_with_algo_params(images: Path, run: Run) -> None:
    result = value(run(images.parent, "dupe", "images/", "--whash", "--algo-params", "hash_size=8,mode=db4"))
    assert result["encoder"] == "whash-db4"
    assert result["parameters"] == "hash_size=8"
    coarse = value(run(images.parent, "dupe", "images/", "--whash", "--algo-params", "hash_size=4"))
    assert (coarse["encoder"], coarse["bits"]) == ("whash-haar", 16)


def test_dupe_help_lists_the_parameters_with_type_and_bounds(tmp_path: Path, run: Run) -> None:
    text = "\n".join(printed(run(tmp_path, "dupe", "--help")))
    assert re.search(r"--dhash +hash_size: whole number from 2 to 32, default 8", text)
    assert re.search(r"--whash +hash_size: a power of two from 4 to 32", text)
    assert re.search(r"--whash +mode: haar or db4", text)
    assert re.search(r"--phash +highfreq_factor: whole number from 1 to 16", text)
    assert re.search(r"--colorhash +binbits: whole number from 1 to 8", text)


def test_the_format_is_text_or_json_and_json_is_the_default(haystack: Path, run: Run) -> None:
    usual = run(haystack.parent, "search", "needle.jpg", "haystack")
    assert value(usual) == value(run(haystack.parent, "search", "needle.jpg", "haystack", "--format", "json"))
    short = printed(run(haystack.parent, "search", "needle.jpg", "haystack", "-f", "text"))
    as_written = printed(run(haystack.parent, "search", "needle.jpg", "haystack", "-format", "text"))
    assert short == as_written
    assert len(short) == len(value(usual)["matches"]) == 10


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
def test_json_encodes_the_eccentricities_of_names(folder: Path, run: Run) -> None:
    odd = [b'a "quote"\n and a line.jpg', b"back\\slash.jpg", b"not \xff unicode.jpg", " ünïcode ☃.jpg".encode()]
    source = save_picture(folder.parent / "needle.jpg", 1)
    for name in odd:
        shutil.copy2(source, os.path.join(os.fsencode(folder), name))
    found = value(run(folder.parent, "search", "needle.jpg", folder, "-t", 0))
    assert sorted(os.fsencode(os.path.basename(one["path"])) for one in found["matches"]) == sorted(odd)


def test_search_compares_a_reference_with_all_images_in_a_path(haystack: Path, run: Run) -> None:
    lines = printed(run(haystack.parent, "search", "needle.jpg", "haystack/", "--format", "text"))
    rows = [line.split(" ", 1) for line in lines]
    assert [path for _, path in rows] == [os.path.join("haystack", f"{number}.jpg") for number in range(10)]
    distances = {os.path.basename(path): int(number) for number, path in rows}
    assert distances["6.jpg"] == 0
    assert distances["8.jpg"] <= 5
    assert all(distances[f"{number}.jpg"] > 10 for number in (0, 1, 2, 3, 4, 5, 7, 9))


def test_search_compares_with_a_single_image(haystack: Path, run: Run) -> None:
    one = printed(run(haystack.parent, "search", "needle.jpg", "haystack/1.jpg", "--format", "text"))
    every = printed(run(haystack.parent, "search", "needle.jpg", "haystack/", "--format", "text"))
    assert one == [every[1]]


def test_search_with_a_threshold_returns_only_what_is_within_it(haystack: Path, run: Run) -> None:
    done = run(haystack.parent, "search", "needle.jpg", "haystack/", "--threshold", 10, "--format", "text")
    lines = printed(done)
    assert [line.split("/")[-1] for line in lines] == ["6.jpg", "8.jpg"]
    assert lines[0] == "0 haystack/6.jpg"


def test_search_stops_on_the_first_match(haystack: Path, run: Run) -> None:
    shutil.copy2(haystack / "6.jpg", haystack / "7.jpg")
    words = ["search", "needle.jpg", "haystack/", "-t", 0, "--stop-on-first-match", "--format", "text"]
    assert printed(run(haystack.parent, *words)) == ["0 haystack/6.jpg"]
    assert printed(run(haystack.parent, "search", "needle.jpg", "haystack", "-t", 0, "-1", "-f", "text")) == [
        "0 haystack/6.jpg"
    ]


def test_search_with_a_different_algorithm(haystack: Path, run: Run) -> None:
    result = value(run(haystack.parent, "search", "needle.jpg", "haystack/", "--colorhash"))
    assert (result["encoder"], result["bits"]) == ("colorhash", 42)
    lines = printed(run(haystack.parent, "search", "needle.jpg", "haystack/", "--colorhash", "--format", "text"))
    assert lines[6] == "0 haystack/6.jpg"


def test_search_help(tmp_path: Path, run: Run) -> None:
    text = "\n".join(printed(run(tmp_path, "search", "--help")))
    for option in ("--threshold", "--stop-on-first-match", "--algo-params", "--format", "--top", "exit codes"):
        assert option in text


def test_dupe_finds_all_visually_similar_images_in_a_path(images: Path, run: Run) -> None:
    lines = printed(run(images.parent, "dupe", "images/", "--format", "text"))
    sets = [part.splitlines() for part in "\n".join(lines).strip().split("\n\n")]
    assert sorted(one[1:] for one in sets) == [
        ["images/a/file-987.jpg", "images/subdir/bar.png"],
        ["images/file-123.jpg", "images/deep/subdir/foo.jpeg"],
    ]
    assert all(re.fullmatch("[0-9a-f]{16}", one[0]) for one in sets)


def test_compare_is_another_name_of_search(haystack: Path, run: Run) -> None:
    words = ["needle.jpg", "haystack/", "--threshold", 10, "--format", "text"]
    assert printed(run(haystack.parent, "compare", *words)) == printed(run(haystack.parent, "search", *words))


@pytest.mark.parametrize("option", ["ahash", "phash", "phash-simple", "dhash", "dhash-vert", "whash", "colorhash"])
def test_each_algorithm_finds_the_needle(haystack: Path, option: str, run: Run) -> None:
    result = value(run(haystack.parent, "search", "needle.jpg", "haystack/", f"--{option}", "--top", 1))
    assert [(one["path"], one["distance"]) for one in result["matches"]] == [("haystack/6.jpg", 0)]


def test_dhash_is_implied(haystack: Path, run: Run) -> None:
    usual = value(run(haystack.parent, "search", "needle.jpg", "haystack/"))
    assert usual == value(run(haystack.parent, "search", "needle.jpg", "haystack/", "--dhash"))
    assert usual["encoder"] == "dhash"


def test_a_larger_hash_tells_colliding_images_apart(folder: Path, run: Run) -> None:
    # A detail of a few pixels: too fine for steps between 9 x 8 samples, not for those between 17 x 16.
    image = picture(16, (64, 64))
    image.save(folder / "one.png")
    image.paste((255, 255, 255), (44, 44, 47, 47))
    image.paste((0, 0, 0), (47, 44, 50, 47))
    image.save(folder / "two.png")
    assert len(value(run(folder, "dupe", ".", "--dhash"))["sets"]) == 1
    assert value(run(folder, "dupe", ".", "--dhash", "--algo-params", "hash_size=16"))["sets"] == []


# -- fingerprints ---------------------------------------------------------------------------

FUNCTIONS = {
    "ahash": imagehash.average_hash,
    "phash": imagehash.phash,
    "phash-simple": imagehash.phash_simple,
    "dhash": imagehash.dhash,
    "dhash-vert": imagehash.dhash_vertical,
    "whash": imagehash.whash,
    "colorhash": imagehash.colorhash,
}


@pytest.mark.parametrize("option", FUNCTIONS)
def test_a_fingerprint_reads_as_that_of_imagehash(folder: Path, option: str, run: Run) -> None:
    """Equal on pictures of 64 x 64, from which every fingerprint is taken; near on larger ones."""
    for seed in range(4):
        save_picture(folder / f"small {seed}.png", seed, (64, 64))
        save_picture(folder / f"large {seed}.png", seed, (640, 480))
    found = value(run(folder, "search", "small 0.png", ".", f"--{option}"))["matches"]
    ours = {os.path.basename(one["path"]): one["fingerprint"] for one in found}
    for seed in range(4):
        with Image.open(folder / f"small {seed}.png") as image:
            assert ours[f"small {seed}.png"] == str(FUNCTIONS[option](image))
        with Image.open(folder / f"large {seed}.png") as image:
            theirs = str(FUNCTIONS[option](image))
        differing = bin(int(theirs, 16) ^ int(ours[f"large {seed}.png"], 16)).count("1")
        assert differing <= 6


def test_the_examples_work_the_same_with_a_database_and_without(haystack: Path, run: Run) -> None:
    before = value(run(haystack.parent, "search", "needle.jpg", "haystack/"))
    assert detector("index", haystack, "--encoder", "dhash").returncode == 0
    assert value(run(haystack.parent, "search", "needle.jpg", "haystack/")) == before
