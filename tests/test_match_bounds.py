"""What is ruled out by a bound, or never looked up, is never a match: large searches give the pairs of small ones."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.match import Matches, Nearest, bounds, find_matches, hamming, matching
from dedup.match.on_device import OnDevice
from dedup.vectors import Vectors


def like_embeddings(count: int, dim: int = 160, seed: int = 0) -> np.ndarray:
    """Unit rows of which a few directions hold most, in clusters, with near copies among them."""
    chance = np.random.default_rng(seed)
    spread = 1.0 / (1 + np.arange(dim)) ** 0.7
    centres = chance.normal(size=(40, dim)) * spread
    rows = centres[chance.integers(0, 40, count)] + 0.6 * chance.normal(size=(count, dim)) * spread
    copies = chance.integers(0, count, count // 5)
    rows[copies] = rows[chance.integers(0, count, len(copies))] + 0.02 * chance.normal(size=(len(copies), dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def pairs(found: Matches) -> set[tuple[int, int]]:
    result = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert len(result) == len(found)
    return result


def brute_force(rows: np.ndarray, threshold: float) -> set[tuple[int, int]]:
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return {tuple(pair) for pair in np.argwhere(np.triu(wide @ wide.T >= threshold, 1)).tolist()}


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 0.96])
def test_with_bounds_the_pairs_are_those_of_a_brute_force(threshold: float) -> None:
    rows = like_embeddings(5000)
    assert matching.bounds_for(Vectors.of(rows), 0.9) is not None
    assert pairs(find_matches(rows, threshold)) == brute_force(rows, threshold)


@pytest.mark.parametrize("threshold", [0.6, 0.9])
def test_a_bound_is_never_below_the_similarity(threshold: float) -> None:
    rows = like_embeddings(4500, seed=1)
    found = bounds.bounds_for(Vectors.of(rows), threshold)
    assert found is not None
    block = found.block(np.arange(600))
    wide = rows[:600].astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    assert (block @ block.T + bounds.BOUND_MARGIN >= wide @ wide.T).all()


def test_vectors_without_main_directions_are_compared_in_full() -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 96))
    assert bounds.bounds_for(Vectors.of(rows), 0.3) is None
    rows[4000:4010] = rows[:10]
    assert pairs(find_matches(rows, 0.99)) == {(number, number + 4000) for number in range(10)}


def test_with_bounds_only_pairs_between_folders_come_back() -> None:
    rows = like_embeddings(5000, seed=2)
    folders = np.random.default_rng(0).integers(0, 3, 5000)
    between = {pair for pair in brute_force(rows, 0.9) if folders[pair[0]] != folders[pair[1]]}
    assert pairs(find_matches(rows, 0.9, folders, within=False)) == between


def test_with_bounds_the_nearest_are_those_of_a_full_search() -> None:
    rows = like_embeddings(5000, seed=3)
    nearest = Nearest(0.4, 5)
    above = find_matches(rows, 0.9, nearest=nearest)
    assert pairs(above) == brute_force(rows, 0.9)
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    similarity = wide @ wide.T
    similarity[(similarity >= 0.9) | (similarity < 0.4)] = -1
    np.fill_diagonal(similarity, -1)
    wanted = set()
    for one, row in enumerate(similarity):
        best = np.argsort(-row, kind="stable")[:5]
        wanted |= {(min(one, two), max(one, two)) for two in best.tolist() if row[two] > 0}
    assert pairs(nearest.matches()) == wanted
    assert nearest.cut == int(((similarity > 0).sum(axis=1) > 5).sum())


@pytest.mark.parametrize("threshold", [0.7, 0.9])
def test_the_products_of_a_gpu_leave_out_no_pair(threshold: float) -> None:
    # torch does the same in half precision on a processor as on a GPU, only more slowly.
    rows = like_embeddings(1500)
    order = np.random.default_rng(0).permutation(len(rows))
    on_device = OnDevice(Vectors.of(rows), order, "cpu")
    left, right = on_device.near(slice(0, 1500), slice(0, 1500), threshold)
    near = {(min(pair), max(pair)) for pair in zip(order[left].tolist(), order[right].tolist(), strict=True)}
    assert brute_force(rows, threshold) <= near


def changed(chance: np.random.Generator, count: int, bits: int, views: int) -> np.ndarray:
    packed = chance.integers(0, 256, (count, views, bits // 8), dtype=np.uint8)
    for copy in chance.choice(count, count // 8, replace=False):
        packed[copy] = packed[chance.integers(0, count)]
        for at in chance.integers(0, bits, int(chance.integers(0, 9))).tolist():
            packed[copy, :, at // 8] ^= np.uint8(1 << (at % 8))
    return packed


@pytest.mark.parametrize(("bits", "distance", "views"), [(64, 6, 1), (64, 0, 1), (64, 3, 2), (256, 12, 2)])
def test_looked_up_fingerprints_are_those_of_a_brute_force(bits: int, distance: int, views: int) -> None:
    packed = changed(np.random.default_rng(bits + distance), 4000, bits, views)
    assert hamming.plan_for(len(packed), bits, distance) is not None
    nearest = np.full((len(packed), len(packed)), bits)
    for view in range(views):
        apart = np.bitwise_count(packed[:, None, 0] ^ packed[None, :, view]).sum(axis=2, dtype=np.int64)
        nearest = np.minimum(nearest, np.minimum(apart, apart.T))
    exact = {tuple(pair) for pair in np.argwhere(np.triu(nearest <= distance, 1)).tolist()}
    assert exact
    assert pairs(find_matches(Vectors(packed, bits), 1 - 2 * distance / bits)) == exact


@pytest.mark.parametrize("plan", [hamming.Plan(3, 2), hamming.Plan(8, 0), hamming.Plan(5, 1)])
def test_every_way_to_cut_finds_the_same(plan: hamming.Plan) -> None:
    packed = changed(np.random.default_rng(7), 2000, 48, 1)
    vectors = Vectors(packed, 48)
    distance = plan.pieces * (plan.differing + 1) - 1
    apart = np.bitwise_count(packed[:, None, 0] ^ packed[None, :, 0]).sum(axis=2, dtype=np.int64)
    exact = {tuple(pair) for pair in np.argwhere(np.triu(apart <= distance, 1)).tolist()}
    found = {
        (int(left), int(right))
        for table in hamming.tables(vectors, plan)
        for left, right in zip(*hamming.pairs_of(vectors, table, distance, plan), strict=True)
    }
    assert found == exact


def test_many_equal_fingerprints_are_found_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = np.zeros((300, 1, 8), dtype=np.uint8)
    monkeypatch.setattr(hamming, "AT_ONCE", 1000)
    plan = hamming.Plan(4, 0)
    left, right = hamming.pairs_of(Vectors(packed, 64), hamming.tables(Vectors(packed, 64), plan)[0], 1, plan)
    assert len(left) == 300 * 299 // 2
    assert (left < right).all()
