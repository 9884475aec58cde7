"""What is ruled out by a bound, or never looked up, is never a match: large searches give the pairs of small ones."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.match import Matches, Nearest, bounds, find_matches, hamming, matching, products
from dedup.match.on_device import OnDevice
from dedup.match.pairs import best_first
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


@pytest.fixture(params=[False, True], ids=["float32", "bfloat16"])
def bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether this machine is taken for one that multiplies bfloat16 faster; both must find the same."""
    monkeypatch.setattr(products, "WORTH_TORCH", 0)
    monkeypatch.setattr(products, "_multiplies_bfloat16_faster", lambda: request.param)
    return bool(request.param)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 0.96])
def test_with_bounds_the_pairs_are_those_of_a_brute_force(threshold: float, bfloat16: bool) -> None:
    rows = like_embeddings(5000)
    assert matching.bounds_for(Vectors.of(rows), 0.9)[0] is not None
    assert pairs(find_matches(rows, threshold)) == brute_force(rows, threshold)


@pytest.mark.parametrize("threshold", [0.6, 0.9])
def test_a_bound_is_never_below_the_similarity(
    threshold: float, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "_cheapest", lambda *_: (32, 64))
    rows = like_embeddings(4500, seed=1)
    found, _ = bounds.bounds_for(Vectors.of(rows), threshold)
    assert found is not None
    assert found.closer is not None
    wide = rows[:600].astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    numbers = np.arange(600)
    everywhere = np.divmod(np.arange(600 * 600), 600)
    for bound in (found.rows, found.closer):
        assert bound.margin == (products.MARGIN_BFLOAT16 if bfloat16 else products.MARGIN_FLOAT16)
        highest = bound.of_pairs(numbers, numbers, *everywhere).reshape(600, 600)
        assert (highest + bound.margin >= wide @ wide.T).all()
        places = bound.at_least(numbers, numbers, threshold - bound.margin)[:2]
        reached = np.zeros((600, 600), dtype=bool)
        reached[places] = True
        assert reached[wide @ wide.T >= threshold].all()


def test_the_product_of_unit_rows_in_bfloat16_is_within_its_margin() -> None:
    chance = np.random.default_rng(0)
    one, two = (chance.normal(size=(700, 1280)).astype(np.float32) ** 3 for _ in range(2))
    two[:50] = one[:50]
    one, two = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (one, two))
    for threshold in (0.1, 0.05, 0.0, -0.05):
        exact = one.astype(np.float64) @ two.T.astype(np.float64)
        reached = np.zeros(exact.shape, dtype=bool)
        for rows, columns, left, right in products.near(one, two, threshold - products.MARGIN_BFLOAT16):
            reached[rows, columns][left, right] = True
        assert reached[exact >= threshold].all()
        assert not reached[exact < threshold - 3 * products.MARGIN_BFLOAT16].any()


@pytest.mark.parametrize("wanted", [0, 1, 200, 5000, 60_000])
def test_products_of_pairs_are_those_of_the_whole_product(wanted: int) -> None:
    chance = np.random.default_rng(1)
    one, two = chance.normal(size=(300, 40)).astype(np.float32), chance.normal(size=(500, 40)).astype(np.float32)
    left, right = np.divmod(np.sort(chance.choice(150_000, wanted, replace=False)), 500)
    found = products.of_pairs(one, two, left, right)
    np.testing.assert_allclose(found, (one @ two.T)[left, right], atol=1e-4)


@pytest.mark.parametrize("odd", [0.0, np.nan])
def test_a_row_without_a_direction_costs_only_its_own_pairs(odd: float, bfloat16: bool) -> None:
    rows = like_embeddings(5000, seed=5)
    wanted = {pair for pair in brute_force(rows, 0.9) if 7 not in pair}
    rows[7] = odd
    with np.errstate(all="ignore"):
        assert pairs(find_matches(rows, 0.9)) == wanted


def test_pairs_come_best_first_and_equal_ones_by_their_numbers() -> None:
    chance = np.random.default_rng(2)
    left, right = (chance.integers(0, most, 20_000).astype(np.int32) for most in (3000, 2_000_000))
    for similarity in (chance.random(20_000), chance.integers(0, 3, 20_000) / 2, 1 - chance.random(20_000) * 1e-12):
        found = best_first([(left, right, similarity)])
        order = np.lexsort((right, left, -similarity))
        np.testing.assert_array_equal(found.left, left[order])
        np.testing.assert_array_equal(found.right, right[order])
        np.testing.assert_array_equal(found.similarity, similarity[order])


def test_of_very_many_pairs_the_similarity_is_nearly_exact_and_never_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.match.pairs.MANY", 100)
    chance = np.random.default_rng(2)
    left, right = np.divmod(chance.choice(3000 * 3000, 20_000, replace=False).astype(np.int32), 3000)
    similarity = 0.7 + 0.3 * chance.random(20_000)
    found = best_first([(left, right, similarity)])
    exact = dict(zip(zip(left.tolist(), right.tolist(), strict=True), similarity.tolist(), strict=True))
    wanted = [exact[pair] for pair in zip(found.left.tolist(), found.right.tolist(), strict=True)]
    assert len(found) == len(exact)
    assert (np.diff(found.similarity) <= 0).all()
    assert (found.similarity >= np.array(wanted) - 1e-12).all()
    np.testing.assert_allclose(found.similarity, wanted, rtol=0, atol=1e-7)


def test_where_many_pairs_are_found_all_are_and_their_similarity_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = like_embeddings(5000, seed=4)
    exact = find_matches(rows, 0.8)
    monkeypatch.setattr(bounds, "MANY", 10)
    found = find_matches(rows, 0.8)
    assert pairs(found) == pairs(exact) == brute_force(rows, 0.8)
    by_pair = {tuple(one): s for *one, s in zip(exact.left, exact.right, exact.similarity, strict=True)}
    assert all(
        abs(by_pair[tuple(one)] - s) < 1e-5 for *one, s in zip(found.left, found.right, found.similarity, strict=True)
    )


def test_vectors_without_main_directions_are_compared_in_full() -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 96))
    assert bounds.bounds_for(Vectors.of(rows), 0.3)[0] is None
    rows[4000:4010] = rows[:10]
    assert pairs(find_matches(rows, 0.99)) == {(number, number + 4000) for number in range(10)}


def test_with_bounds_only_pairs_between_folders_come_back(bfloat16: bool) -> None:
    rows = like_embeddings(5000, seed=2)
    folders = np.random.default_rng(0).integers(0, 3, 5000)
    between = {pair for pair in brute_force(rows, 0.9) if folders[pair[0]] != folders[pair[1]]}
    assert pairs(find_matches(rows, 0.9, folders, within=False)) == between


def test_with_bounds_the_nearest_are_those_of_a_full_search(bfloat16: bool) -> None:
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
    assert nearest.is_cut(len(rows)).sum() == int(((similarity > 0).sum(axis=1) > 5).sum())


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
