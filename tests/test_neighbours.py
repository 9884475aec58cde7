"""Direct matches: by bytes at any threshold, by embedding at or above it, never what a person dismissed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import find, index, names_of, resaved, save_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dedup import workflow
from dedup.keep import Match
from dedup.neighbours import Dismissed, Neighbours, nothing_dismissed
from dedup.store import Picture
from dedup.tiers import IDENTICAL, LOOK_ALIKE
from dedup.vectors import Vectors

ROOT = Path("/pictures")


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def picture(name: str, content: str = "", contrast: float = 60.0) -> Picture:
    return Picture(ROOT, name, 1000, 1, 640, 480, "JPEG", digest_of(content or name), contrast)


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane: the similarity of two is the cosine of the angle between them."""
    turns = np.radians(np.array(degrees))
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


def neighbours(
    pictures: Sequence[Picture],
    vectors: Vectors | np.ndarray,
    folders: Sequence[int] | None = None,
    *,
    threshold: float = 0.96,
    within: bool = True,
    dismissed: Dismissed = nothing_dismissed,
) -> Neighbours:
    numbers = [0] * len(pictures) if folders is None else folders
    return Neighbours(pictures, vectors, numbers, threshold, within=within, dismissed=dismissed)


def matches(one: Neighbours, number: int) -> dict[int, tuple[float, str]]:
    """Other picture -> (similarity to six digits, tier); each other comes once."""
    found = list(one.matches_of(number))
    assert len({match.other for match in found}) == len(found)
    return {match.other: (round(match.similarity, 6), match.tier) for match in found}


# -- bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_files_with_the_same_bytes_match_at_any_threshold(threshold: float) -> None:
    pictures = [picture("a", "same"), picture("b"), picture("c", "same")]
    # The vectors of equal bytes may differ a little: another batch, another device.
    one = neighbours(pictures, at(0, 90, 0.5), threshold=threshold)
    assert matches(one, 0)[2] == matches(one, 2)[0] == (1.0, IDENTICAL)
    assert {0, 2} <= set(one.candidates())
    assert one.relation(0, 2) == Match(2, 1.0, IDENTICAL, remark="the same bytes")


def test_a_thousand_copies_of_one_file_all_match_each_other() -> None:
    pictures = [picture(f"{number}", "same") for number in range(1000)]
    one = neighbours(pictures, np.repeat(at(30), 1000, axis=0))
    assert set(matches(one, 500)) == set(range(1000)) - {500}
    assert one.candidates() == list(range(1000))


def test_each_copy_of_a_file_matches_what_is_similar_to_it() -> None:
    pictures = [picture("a", "one"), picture("b", "one"), picture("c", "two"), picture("d", "two"), picture("e")]
    one = neighbours(pictures, at(0, 0, 8, 8, 90))
    near = (round(float(np.cos(np.radians(8))), 6), LOOK_ALIKE)
    assert matches(one, 0) == {1: (1.0, IDENTICAL), 2: near, 3: near}
    assert matches(one, 3) == {0: near, 1: near, 2: (1.0, IDENTICAL)}
    assert matches(one, 4) == {}
    assert one.candidates() == [0, 1, 2, 3]


# -- embeddings -------------------------------------------------------------------------


def test_a_match_is_symmetric_and_at_or_above_the_threshold() -> None:
    degrees = [0, 10, 20, 30, 100]
    one = neighbours([picture(str(d)) for d in degrees], at(*degrees), threshold=0.95)
    assert {number: set(matches(one, number)) for number in range(5)} == {
        0: {1},
        1: {0, 2},
        2: {1, 3},
        3: {2},
        4: set(),
    }


@pytest.mark.parametrize("dim", [3, 64, 1280])
def test_at_threshold_one_what_matches_is_also_related(dim: int) -> None:
    # A reviewer removes only what is related to a picture that stays: a match that is not would be dropped in silence.
    rows = np.random.default_rng(dim).normal(size=(200, dim))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    vectors = np.repeat(rows, 2, axis=0)
    one = neighbours([picture(str(number)) for number in range(400)], vectors, threshold=1.0)
    for number in range(0, 400, 2):
        assert set(matches(one, number)) == {number + 1}
        assert one.relation(number, number + 1) is not None


# Thresholds that are no cosine of a whole number of degrees, so that rounding decides nothing.
@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.booleans()), min_size=8, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), max_size=25),
    st.sampled_from([0.51, 0.9, 0.96, 0.9999]),
    st.booleans(),
)
def test_matches_are_those_of_comparing_every_pair(
    contents: list[tuple[int, bool]], files: list[tuple[int, int]], threshold: float, within: bool
) -> None:
    pictures = [
        picture(f"{n}", f"{content}", 1.0 if contents[content][1] else 60.0) for n, (content, _) in enumerate(files)
    ]
    vectors, folders = at(*(contents[content][0] for content, _ in files)), [folder for _, folder in files]
    one = neighbours(pictures, vectors, folders, threshold=threshold, within=within)
    candidates = set(one.candidates())
    for i, (mine, _) in enumerate(files):
        expected = {}
        for j, (theirs, _) in enumerate(files):
            if i == j or (not within and folders[i] == folders[j]):
                continue
            similarity = float(np.cos(np.radians(contents[mine][0] - contents[theirs][0])))
            if mine == theirs:
                expected[j] = (1.0, IDENTICAL)
            elif similarity >= threshold and not (contents[mine][1] or contents[theirs][1]):
                expected[j] = (round(similarity, 6), LOOK_ALIKE)
            assert (one.relation(i, j) is not None) == (j in expected)
        assert matches(one, i) == expected
        assert i in candidates or not expected


def test_relation_says_how_two_pictures_match_or_that_they_do_not() -> None:
    one = neighbours([picture("a"), picture("b"), picture("c")], at(0, 10, 90), [0, 0, 1], within=False)
    related = one.relation(0, 1)
    assert related is not None
    assert (related.other, related.tier) == (1, LOOK_ALIKE)
    assert related.similarity == pytest.approx(np.cos(np.radians(10)))
    assert one.relation(0, 2) is None


# -- fingerprints -----------------------------------------------------------------------


def prints(*rows: str, bits: int = 10) -> Vectors:
    """Fingerprints of one view, from zeros and ones."""
    return Vectors(np.packbits([[list(map(int, row))] for row in rows], axis=2), bits)


def test_a_match_of_fingerprints_says_of_how_many_bits() -> None:
    vectors = prints("0000000000", "0000000011", "0000000111", "1111111111")
    one = neighbours([picture(name) for name in "abcd"], vectors, threshold=1.0 - 2.0 * 2 / 10)
    assert list(one.matches_of(0)) == [Match(1, 1.0 - 2.0 * 2 / 10, LOOK_ALIKE, 10)]
    assert list(one.matches_of(2)) == [Match(1, 1.0 - 2.0 / 10, LOOK_ALIKE, 10)]
    assert one.relation(0, 1) == Match(1, 1.0 - 2.0 * 2 / 10, LOOK_ALIKE, 10)
    assert one.relation(0, 2) is None, "three bits differ, and two may"
    assert one.relation(0, 3) is None
    assert [match.bits for match in neighbours([picture("a"), picture("b")], at(0, 1)).matches_of(0)] == [0]


def test_files_with_the_same_bytes_are_said_the_same_way_in_a_match_and_in_a_relation() -> None:
    same = [picture("a", "x"), picture("b", "x")]
    one = neighbours(same, prints("0000000000", "0000000000"), threshold=1.0)
    assert list(one.matches_of(0)) == [one.relation(0, 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 8]), st.sampled_from([9, 42, 64]), st.integers(0, 30))
def test_fingerprints_are_related_both_ways_exactly_where_they_match(
    seed: int, views: int, bits: int, most: int
) -> None:
    chance = np.random.default_rng(seed)
    rows = chance.integers(0, 2, size=(12, views, bits), dtype=np.uint8)
    for row in range(6):
        # Turned copies: what one shows as it is, the other shows in one of its views, a few bits off.
        rows[row + 6, chance.integers(views)] = rows[row, 0] ^ (chance.random(bits) < 0.1)
    vectors = Vectors(np.packbits(rows, axis=2), bits)
    threshold = 1.0 - 2.0 * min(most, bits) / bits
    one = neighbours([picture(str(number)) for number in range(12)], vectors, threshold=threshold)
    for first in range(12):
        found = {match.other: match for match in one.matches_of(first)}
        assert first not in found
        for second in set(range(12)) - {first}:
            there, back = one.relation(first, second), one.relation(second, first)
            assert there == found.get(second)
            assert (there is None) == (back is None)
            if there is not None and back is not None:
                assert (there.similarity, there.tier, there.bits) == (back.similarity, back.tier, back.bits)
                assert (there.tier, there.bits, there.other, back.other) == (LOOK_ALIKE, bits, second, first)
                assert there.similarity >= threshold


def test_what_the_encoder_is_not_sure_of_is_said_of_every_match_and_relation() -> None:
    pictures = [picture("a"), picture("b")]
    for sure in (True, False):
        one = Neighbours(pictures, at(0, 1), [0, 0], 0.9, sure=sure)
        related = one.relation(0, 1)
        assert related is not None
        assert [match.sure for match in (*one.matches_of(0), related)] == [sure, sure]


# -- pictures that show nothing ---------------------------------------------------------


def test_flat_pictures_match_by_their_bytes_only() -> None:
    pictures = [picture("a", "x", 0.0), picture("b", "x", 0.0), picture("c", contrast=2.0), picture("d", contrast=40.0)]
    one = neighbours(pictures, at(0, 0, 0, 0))
    assert set(matches(one, 0)) == {1}
    assert matches(one, 0)[1] == (1.0, IDENTICAL)
    assert set(matches(one, 2)) == set()
    assert one.relation(0, 1) is not None
    assert one.relation(0, 2) is None


@pytest.mark.parametrize(
    "colours",
    [
        [(255, 255, 255), (252, 252, 252), (255, 254, 255)],
        [(0, 0, 0), (2, 2, 2), (0, 1, 0)],
        [(200, 20, 20), (202, 20, 20), (200, 22, 22)],
        [(20, 60, 220), (22, 60, 220), (20, 62, 218)],
    ],
    ids="white black red blue".split(),
)
def test_empty_sheets_of_about_one_colour_are_not_copies_of_each_other(
    folder: Path, colours: list[tuple[int, int, int]]
) -> None:
    for number, colour in enumerate(colours):
        Image.new("RGB", (120, 90), colour).save(folder / f"{number}.png")
    shutil.copy2(folder / "0.png", folder / "0 copy.png")
    index(folder)
    assert [sorted(group) for group in names_of(find(folder))] == [["0 copy.png", "0.png"]]


# -- folders ----------------------------------------------------------------------------


def test_between_folders_nothing_matches_within_one() -> None:
    pictures = [picture("a", "x"), picture("b", "x"), picture("c", "x"), picture("d"), picture("e")]
    one = neighbours(pictures, at(0, 0, 0, 5, 5), [0, 0, 1, 0, 1], within=False)
    assert set(matches(one, 0)) == {2, 4}
    assert set(matches(one, 2)) == {0, 1, 3}
    assert set(matches(one, 3)) == {2, 4}


def test_two_folders_that_share_one_picture_report_exactly_that_pair(tmp_path: Path) -> None:
    for number in range(5):
        save_picture(tmp_path / "one" / f"{number}.png", number)
        save_picture(tmp_path / "two" / f"{number + 10}.png", number + 10)
    shutil.copy2(tmp_path / "one" / "3.png", tmp_path / "two" / "again.png")
    shutil.copy2(tmp_path / "one" / "4.png", tmp_path / "one" / "4 copy.png")
    for name in ("one", "two"):
        index(tmp_path / name)
    found = find(tmp_path / "one", tmp_path / "two", threshold=1.0)
    assert [sorted(group) for group in names_of(found)] == [["3.png", "again.png"]]


# -- verdicts ---------------------------------------------------------------------------


def test_what_was_dismissed_is_no_match_but_still_related() -> None:
    a, b, c = picture("a"), picture("b"), picture("c")

    def dismissed(first: bytes, second: bytes) -> bool:
        return {first, second} == {a.digest, b.digest}

    one = neighbours([a, b, c], at(0, 2, 4), dismissed=dismissed)
    assert set(matches(one, 0)) == {2}
    assert set(matches(one, 1)) == {2}
    assert set(matches(one, 2)) == {0, 1}
    assert one.relation(0, 1) is not None


def test_copies_that_were_dismissed_are_no_match_to_each_other() -> None:
    same = digest_of("x")
    pictures = [picture("a", "x"), picture("b", "x"), picture("c")]
    one = neighbours(pictures, at(0, 0, 3), dismissed=lambda first, second: first == second == same)
    assert set(matches(one, 0)) == {2}
    assert set(matches(one, 2)) == {0, 1}


def test_a_set_called_not_duplicates_is_never_proposed_again(folder: Path) -> None:
    save_picture(folder / "a.png", 1)
    resaved(folder / "a.png", folder / "a again.png", 0.7)
    save_picture(folder / "b.png", 2)
    shutil.copy2(folder / "b.png", folder / "b copy.png")
    index(folder)
    found = find(folder)
    assert len(found.groups) == 2
    similar = next(group for group in found.groups if "a.png" in {p.path for p in group.pictures})
    workflow.remember_not_duplicates([similar.pictures])
    assert [sorted(group) for group in names_of(find(folder))] == [["b copy.png", "b.png"]]
    (folder / "a again.png").rename(folder / "moved.png")
    index(folder, again=True)
    assert len(find(folder).groups) == 1
