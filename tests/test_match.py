"""Matching is exact: the pairs of a brute force in float64, in tiles, with little memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from conftest import Recorder
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import DedupError
from dedup.match import Matches, find_matches, matching
from dedup.progress import Cancelled, Event
from dedup.vectors import Vectors, cosine

# So little that every example takes many tiles of the smallest side.
TINY = 2_000
Pairs = dict[tuple[int, int], float]


def unit(rows: np.ndarray) -> np.ndarray:
    result: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return result


def cosines(vectors: np.ndarray) -> np.ndarray:
    wide = unit(vectors.astype(np.float64))
    return wide @ wide.T


def brute_force(vectors: np.ndarray, threshold: float, folders: np.ndarray | None = None) -> Pairs:
    """Every pair at or above the threshold, in float64; only between folders where they are given."""
    similarity = cosines(vectors)
    first, second = np.nonzero(np.triu(similarity >= threshold, k=1))
    pairs = {(int(i), int(j)): float(similarity[i, j]) for i, j in zip(first, second, strict=True)}
    return {pair: s for pair, s in pairs.items() if folders is None or folders[pair[0]] != folders[pair[1]]}


def as_pairs(found: Matches) -> Pairs:
    """The pairs found; each comes once."""
    rows = list(zip(found.left.tolist(), found.right.tolist(), found.similarity.tolist(), strict=True))
    pairs = {(left, right): similarity for left, right, similarity in rows}
    assert len(pairs) == len(rows) == len(found)
    assert all(left < right for left, right in pairs)
    return pairs


def is_clear(vectors: np.ndarray, threshold: float) -> bool:
    """Whether no pair lies so near the threshold that float64 itself could be of two minds."""
    return bool(np.abs(cosines(vectors) - threshold).min() > 1e-8)


@st.composite
def rows(draw: st.DrawFn, dtype: Any = None) -> np.ndarray:
    """Unit vectors of few dimensions, with equal and nearly equal ones among them."""
    count = draw(st.integers(0, 90))
    dim = draw(st.sampled_from([2, 3, 8, 33]))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = unit(chance.normal(size=(count, dim))) if count else np.empty((0, dim))
    for _ in range(draw(st.integers(0, count))):
        one, other = chance.integers(count, size=2)
        near = chance.choice([0.0, 1e-6, 1e-3, 0.05, 0.3])
        made[one] = made[other] + near * chance.normal(size=dim)
    wanted = draw(st.sampled_from([np.float16, np.float32, np.float64])) if dtype is None else dtype
    result: np.ndarray = made.astype(wanted)
    return result


THRESHOLDS = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.999, 0.999999])


# -- exactness --------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(rows(), THRESHOLDS)
def test_the_pairs_are_those_of_a_brute_force_in_float64(vectors: np.ndarray, threshold: float) -> None:
    if len(vectors) and not is_clear(vectors, threshold):
        threshold -= 3e-8
    found = as_pairs(find_matches(vectors, threshold, tile_bytes=TINY))
    expected = brute_force(vectors, threshold)
    assert found.keys() == expected.keys()
    for pair, similarity in expected.items():
        assert found[pair] == pytest.approx(similarity, abs=1e-12)


@settings(max_examples=120, deadline=None)
@given(rows(), THRESHOLDS, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_between_folders_the_pairs_are_those_of_a_brute_force_too(
    vectors: np.ndarray, threshold: float, count: int, seed: int
) -> None:
    if len(vectors) and not is_clear(vectors, threshold):
        threshold -= 3e-8
    folders = np.random.default_rng(seed).integers(-1, count, size=len(vectors))
    between = find_matches(vectors, threshold, folders, within=False, tile_bytes=TINY)
    assert as_pairs(between).keys() == brute_force(vectors, threshold, folders).keys()
    everywhere = find_matches(vectors, threshold, folders, within=True, tile_bytes=TINY)
    assert as_pairs(everywhere).keys() == brute_force(vectors, threshold).keys()


@settings(max_examples=40, deadline=None)
@given(rows(np.float32), THRESHOLDS, st.sampled_from([1, 20_000, 1 << 20]))
def test_the_size_of_the_tiles_changes_nothing(vectors: np.ndarray, threshold: float, tile_bytes: int) -> None:
    tiled, whole = (
        find_matches(vectors, threshold, tile_bytes=size) for size in (tile_bytes, matching.DEFAULT_TILE_BYTES)
    )
    np.testing.assert_array_equal(tiled.left, whole.left)
    np.testing.assert_array_equal(tiled.right, whole.right)
    np.testing.assert_array_equal(tiled.similarity, whole.similarity)


@settings(max_examples=40, deadline=None)
@given(rows(), st.sampled_from([0.5, 0.95]))
def test_the_best_pair_comes_first(vectors: np.ndarray, threshold: float) -> None:
    found = find_matches(vectors, threshold, tile_bytes=TINY)
    order = list(zip((-found.similarity).tolist(), found.left.tolist(), found.right.tolist(), strict=True))
    assert order == sorted(order)
    assert ((found.similarity >= threshold - 1e-8) & (found.similarity <= 1.0)).all()


def test_pairs_a_hair_above_and_below_the_threshold_fall_on_their_side() -> None:
    # Nearer to the threshold than a product in half or single precision can tell.
    threshold = 0.95
    offsets = [-1e-3, -1e-5, -1e-7, 1e-7, 1e-5, 1e-3]
    for dim in (2, 64, 1280):
        vectors = np.zeros((len(offsets) + 1, dim))
        vectors[:, 0] = [1.0, *(threshold + offset for offset in offsets)]
        for number, offset in enumerate(offsets, 1):
            vectors[number, 1] = (1.0 - (threshold + offset) ** 2) ** 0.5
        rotation = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]
        found = as_pairs(find_matches(vectors @ rotation, threshold, tile_bytes=TINY))
        assert {right for left, right in found if left == 0} == {4, 5, 6}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_threshold_one_finds_equal_vectors(dtype: type) -> None:
    # Fault 7: at threshold 1.0 half precision missed byte-identical files.
    chance = np.random.default_rng(7)
    vectors = unit(chance.normal(size=(300, 1280))).astype(dtype)
    vectors[150:300] = vectors[:150]
    found = as_pairs(find_matches(vectors, 1.0, tile_bytes=1 << 18))
    assert found.keys() == {(number, number + 150) for number in range(150)}


def test_threshold_one_does_not_find_what_is_merely_close() -> None:
    vectors = unit(np.random.default_rng(8).normal(size=(50, 64)))
    vectors[25:] = unit(vectors[:25] + 1e-3 * np.random.default_rng(9).normal(size=(25, 64)))
    assert len(find_matches(vectors, 1.0)) == 0
    assert len(find_matches(vectors, 0.9999)) == 25


def test_the_length_of_a_row_does_not_matter() -> None:
    vectors = unit(np.random.default_rng(3).normal(size=(40, 16)))
    scaled = vectors * np.linspace(0.01, 50, 40)[:, None]
    assert as_pairs(find_matches(scaled, 0.3)).keys() == as_pairs(find_matches(vectors, 0.3)).keys()


def test_cosine_compares_row_by_row() -> None:
    first, second = np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 2.0], [4.0, 3.0]], dtype=np.float16)
    np.testing.assert_allclose(cosine(first, second), [0.0, 0.96])


# -- fingerprints -----------------------------------------------------------------------


@st.composite
def fingerprints(draw: st.DrawFn) -> np.ndarray:
    """(n, views, bits) zeros and ones, with equal and nearly equal ones, some of them the views of others."""
    count, views = draw(st.integers(0, 40)), draw(st.sampled_from([1, 8]))
    bits = draw(st.sampled_from([1, 7, 8, 9, 16, 42]))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = chance.integers(0, 2, size=(count, views, bits), dtype=np.uint8)
    for _ in range(draw(st.integers(0, count))):
        one, other = chance.integers(count, size=2)
        near = (chance.random(made[other].shape) < chance.choice([0.0, 0.05, 0.2])).astype(np.uint8)
        made[one] = np.roll(made[other], int(chance.integers(views)), axis=0) ^ near
    return made


def packed(prints: np.ndarray) -> Vectors:
    return Vectors(np.packbits(prints, axis=2), prints.shape[2])


def distances(prints: np.ndarray) -> np.ndarray:
    """(n, n) differing bits in the best view: the one as it is against every view of the other, either way."""
    first = (prints[:, None, :1] != prints[None, :, :]).sum(axis=3).min(axis=2)
    result: np.ndarray = np.minimum(first, first.T)
    return result


@settings(max_examples=60, deadline=None)
@given(fingerprints())
def test_at_every_number_of_bits_the_pairs_of_fingerprints_are_those_of_a_brute_force(prints: np.ndarray) -> None:
    bits, expected = prints.shape[2], distances(prints)
    upper = np.triu(np.ones_like(expected, dtype=bool), k=1)
    for most in range(bits + 1):
        found = as_pairs(find_matches(packed(prints), 1.0 - 2.0 * most / bits, tile_bytes=TINY))
        # A pair that differs in exactly this many bits is in, one bit more is out.
        assert found.keys() == set(zip(*map(np.ndarray.tolist, np.nonzero(upper & (expected <= most))), strict=True))
        for (left, right), similarity in found.items():
            assert similarity == 1.0 - 2.0 * expected[left, right] / bits


@settings(max_examples=60, deadline=None)
@given(fingerprints(), st.integers(0, 42), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_between_folders_the_pairs_of_fingerprints_are_those_of_a_brute_force_too(
    prints: np.ndarray, most: int, count: int, seed: int
) -> None:
    bits, expected = prints.shape[2], distances(prints)
    most = min(most, bits)
    folders = np.random.default_rng(seed).integers(count, size=len(prints))
    found = find_matches(packed(prints), 1.0 - 2.0 * most / bits, folders, within=False, tile_bytes=TINY)
    wanted = np.triu((expected <= most) & (folders[:, None] != folders[None, :]), k=1)
    assert as_pairs(found).keys() == set(zip(*map(np.ndarray.tolist, np.nonzero(wanted)), strict=True))


@pytest.mark.parametrize("bits", [64, 196, 1024])
def test_of_two_fingerprints_one_bit_apart_only_the_nearer_is_within_the_threshold(bits: int) -> None:
    most = bits // 8
    prints = np.zeros((3, 1, bits), dtype=np.uint8)
    prints[1, 0, :most] = 1
    prints[2, 0, -most - 1 :] = 1
    assert as_pairs(find_matches(packed(prints), 1.0 - 2.0 * most / bits)).keys() == {(0, 1)}


def test_a_turned_copy_is_found_whichever_of_the_two_comes_first() -> None:
    chance = np.random.default_rng(11)
    prints = chance.integers(0, 2, size=(6, 8, 64), dtype=np.uint8)
    prints[4, 0] = prints[1, 5]  # 4 is picture 1 turned, 5 is turned to what 2 is
    prints[5, 3] = prints[2, 0]
    assert as_pairs(find_matches(packed(prints), 1.0)) == {(1, 4): 1.0, (2, 5): 1.0}
    assert len(find_matches(packed(prints[:, :1]), 1.0)) == 0


# -- between folders --------------------------------------------------------------------


def test_two_folders_report_every_pair_that_straddles_tiles_and_none_within() -> None:
    # Fault 2: nothing was found below 70,000 pictures; above, the straddling chunk lost pairs.
    chance = np.random.default_rng(5)
    side = 500
    first = unit(chance.normal(size=(side, 32)))
    second = first[chance.permutation(side)]
    vectors = np.concatenate([first, second, first[:100], second[:100]]).astype(np.float16)
    folders = np.array([0] * side + [1] * side + [0] * 100 + [1] * 100)
    found = as_pairs(find_matches(vectors, 0.999, folders, within=False, tile_bytes=4_000))
    assert found.keys() == brute_force(vectors, 0.999, folders).keys()
    assert len(found) > side
    assert all(folders[left] != folders[right] for left, right in found)


def test_two_small_folders_that_share_one_picture_report_that_pair() -> None:
    chance = np.random.default_rng(6)
    vectors = unit(chance.normal(size=(10, 64)))
    vectors[8] = vectors[2]
    found = find_matches(vectors, 0.96, np.array([0] * 5 + [1] * 5), within=False)
    assert as_pairs(found).keys() == {(2, 8)}


def test_one_folder_alone_has_no_pairs_between_folders() -> None:
    vectors = np.ones((50, 4))
    assert len(find_matches(vectors, 0.5, np.zeros(50, dtype=np.int64), within=False, tile_bytes=TINY)) == 0


def test_every_picture_in_a_folder_of_its_own_matches_as_within_one() -> None:
    vectors = unit(np.random.default_rng(2).normal(size=(120, 3)))
    alone = find_matches(vectors, 0.8, np.arange(120)[::-1], within=False, tile_bytes=TINY)
    assert as_pairs(alone).keys() == brute_force(vectors, 0.8).keys()


# -- nothing, little, too much ----------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1])
def test_no_picture_and_one_picture_make_no_pair(count: int) -> None:
    for within in (True, False):
        found = find_matches(np.ones((count, 8), dtype=np.float16), 0.0, within=within)
        assert as_pairs(found) == {}


def test_memory_stays_far_below_one_number_per_pair() -> None:
    # Fault 12: 70,000 x 70,000 tiles need 25 GB.
    vectors = np.random.default_rng(1).normal(size=(20_000, 64)).astype(np.float16)
    vectors[10_000:10_050] = vectors[:50]
    import torch  # noqa: F401  # its own memory is not the search's

    tracemalloc.start()
    try:
        found = find_matches(vectors, 0.97, tile_bytes=8 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert as_pairs(found).keys() >= {(number, number + 10_000) for number in range(50)}
    assert peak < 40 << 20  # a byte per pair would be 400 MB


def test_too_many_pairs_are_an_error_with_a_remedy_and_not_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.ones((60, 4))
    monkeypatch.setattr(matching, "MAX_PAIRS", 60 * 59 // 2 - 1)
    with pytest.raises(DedupError, match=r"pairs are at or above the threshold 0\.9") as problem:
        find_matches(vectors, 0.9, tile_bytes=TINY)
    assert "higher threshold" in problem.value.remedy
    monkeypatch.setattr(matching, "MAX_PAIRS", 60 * 59 // 2)
    assert len(find_matches(vectors, 0.9, tile_bytes=TINY)) == 60 * 59 // 2


def test_progress_counts_every_tile_and_may_stop_the_search() -> None:
    vectors = unit(np.random.default_rng(4).normal(size=(200, 8)))
    report = Recorder()
    find_matches(vectors, 0.9, tile_bytes=TINY, report=report)
    total = report.progress[0].total
    assert total > 1
    assert [event.done for event in report.progress] == list(range(total + 1))
    assert {event.total for event in report.progress} == {total}

    def stop(event: Event) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        find_matches(vectors, 0.9, tile_bytes=TINY, report=stop)
