"""Vectors in memory and as they are stored: floats as float16, fingerprints as packed bits in one or eight views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import vectors
from dedup.provenance import BITS, BITS_TURNED, FLOATS, ORIENTATIONS, Provenance
from dedup.vectors import Vectors, cosine, from_blob, to_blob

ODD_BITS = [1, 7, 8, 9, 42, 64, 196, 256]


def provenance(dim: int, dtype: str) -> Provenance:
    return Provenance("made up", "nothing", "final", 1, dim, dtype)


def signs(seed: int, count: int, views: int, bits: int) -> np.ndarray:
    """(count, views, bits) of -1 and 1."""
    chance = np.random.default_rng(seed)
    result: np.ndarray = chance.choice(np.array([-1.0, 1.0], dtype=np.float32), size=(count, views, bits))
    return result


def stored(rows: np.ndarray, of: Provenance) -> Vectors:
    """The rows of an encoder after they went to the store and came back."""
    result = Vectors.empty(of, len(rows))
    for number, row in enumerate(rows):
        result.rows[number] = from_blob(to_blob(row, of), result.rows[number])
    return result


def fingerprints(rows: np.ndarray) -> Vectors:
    """(n, views, bits) of -1 and 1 as vectors."""
    count, views, bits = rows.shape
    return stored(rows.reshape(count, views * bits), provenance(bits, BITS if views == 1 else BITS_TURNED))


# -- provenance -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "is_bits", "views"), [(FLOATS, False, 1), (BITS, True, 1), (BITS_TURNED, True, ORIENTATIONS)]
)
def test_a_provenance_says_how_wide_a_row_is(dtype: str, is_bits: bool, views: int) -> None:
    one = provenance(42, dtype)
    assert (one.is_bits, one.views, one.width) == (is_bits, views, 42 * views)


# -- to the store and back --------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 3, 48, 1280])
def test_floats_come_back_rounded_to_float16(dim: int) -> None:
    rows = np.random.default_rng(dim).normal(size=(9, dim)).astype(np.float32)
    back = stored(rows, provenance(dim, FLOATS))
    np.testing.assert_array_equal(back.rows, rows.astype(np.float16))
    assert back.rows.dtype == np.float16
    assert (back.dim, back.views, back.is_bits, len(back)) == (dim, 1, False, 9)
    assert len(to_blob(rows[0], provenance(dim, FLOATS))) == 2 * dim


@pytest.mark.parametrize("bits", ODD_BITS)
@pytest.mark.parametrize("dtype", [BITS, BITS_TURNED])
def test_every_bit_of_every_view_comes_back(bits: int, dtype: str) -> None:
    of = provenance(bits, dtype)
    rows = signs(bits, 12, of.views, bits)
    back = stored(rows.reshape(12, of.width), of)
    assert (back.dim, back.views, back.is_bits, len(back)) == (bits, of.views, True, 12)
    for view in range(of.views):
        np.testing.assert_array_equal(np.sign(back.unit(view)), rows[:, view])
    # Each view starts at a byte of its own.
    assert len(to_blob(rows[0].ravel(), of)) == of.views * ((bits + 7) // 8)


# -- rows of length 1 -------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(ODD_BITS), st.sampled_from([1, 8]))
def test_the_product_of_two_fingerprints_of_length_one_counts_the_bits_that_differ(
    seed: int, bits: int, views: int
) -> None:
    rows = signs(seed, 10, views, bits)
    one = fingerprints(rows)
    for view in range(views):
        unit = one.unit(view)
        assert (unit.shape, unit.dtype) == ((10, bits), np.float32)
        np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, rtol=1e-5)
        differing = (rows[:, None, 0] != rows[None, :, view]).sum(axis=2)
        np.testing.assert_allclose(one.unit() @ unit.T, 1 - 2 * differing / bits, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_any_length_become_rows_of_length_one_and_stay_as_they_are(dtype: type) -> None:
    rows = (np.random.default_rng(1).normal(size=(30, 16)) * np.linspace(0.01, 40, 30)[:, None]).astype(dtype)
    one = Vectors.of(rows)
    before = rows.copy()
    unit = one.unit()
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(cosine(unit, rows), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(rows, before)
    assert one.rows is rows


# -- similarity -------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(ODD_BITS), st.sampled_from([1, 8]), st.integers(1, 15))
def test_the_similarity_of_fingerprints_is_that_of_a_brute_force_over_all_views_and_symmetric(
    seed: int, bits: int, views: int, count: int
) -> None:
    rows = signs(seed, count, views, bits)
    chance = np.random.default_rng(seed)
    one = fingerprints(rows)
    left, right = chance.integers(count, size=(2, 40))
    found = one.similarity(left, right)
    assert found.dtype == np.float64
    for number, (i, j) in enumerate(zip(left, right, strict=True)):
        # Either picture may be called the turned one.
        fewest = min(
            min(int((rows[i, 0] != rows[j, view]).sum()), int((rows[j, 0] != rows[i, view]).sum()))
            for view in range(views)
        )
        assert found[number] == 1.0 - 2.0 * fewest / bits
    np.testing.assert_array_equal(found, one.similarity(right, left))
    np.testing.assert_array_equal(one.similarity(left, left), 1.0)


@pytest.mark.parametrize("view", range(8))
def test_a_copy_in_any_of_the_eight_views_has_similarity_one(view: int) -> None:
    rows = signs(3, 2, 8, 196)
    assert fingerprints(rows).similarity([0], [1])[0] < 0.9
    rows[1, view] = rows[0, 0]
    one = fingerprints(rows)
    assert one.similarity([0], [1])[0] == one.similarity([1], [0])[0] == 1.0


def test_the_similarity_of_floats_is_the_cosine_in_float64() -> None:
    rows = np.random.default_rng(5).normal(size=(20, 33)).astype(np.float16)
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    left, right = np.random.default_rng(6).integers(20, size=(2, 50))
    one = Vectors.of(rows)
    np.testing.assert_allclose(one.similarity(left, right), (wide[left] * wide[right]).sum(axis=1), atol=1e-14)
    np.testing.assert_array_equal(one.similarity(left, right), one.similarity(right, left))
    np.testing.assert_allclose(one.similarity(left, left), 1.0, atol=1e-15)


@pytest.mark.parametrize("kind", ["floats", "bits"])
def test_pairs_are_compared_a_part_at_a_time_with_the_same_result(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Vectors.of(signs(1, 30, 1, 20)[:, 0] + 0.25) if kind == "floats" else fingerprints(signs(1, 30, 8, 20))
    left, right = np.random.default_rng(2).integers(30, size=(2, 101))
    whole = one.similarity(left, right)
    monkeypatch.setattr(vectors, "PAIRS_AT_ONCE", 10)
    np.testing.assert_array_equal(one.similarity(left, right), whole)
    assert one.similarity([], []).shape == (0,)


# -- parts, some, none ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [FLOATS, BITS, BITS_TURNED])
def test_what_is_taken_keeps_its_order_and_its_shape(dtype: str) -> None:
    of = provenance(42, dtype)
    one = stored(signs(4, 9, of.views, 42).reshape(9, of.width), of)
    for numbers in ([5, 0, 5, 8], np.array([5, 0, 5, 8])):
        taken = one.take(numbers)
        np.testing.assert_array_equal(taken.rows, one.rows[[5, 0, 5, 8]])
        assert (taken.dim, taken.views, taken.is_bits) == (one.dim, one.views, one.is_bits)
    nothing = one.take([])
    assert nothing.rows.shape == (0, *one.rows.shape[1:])
    assert (len(nothing), nothing.is_bits) == (0, one.is_bits)


@pytest.mark.parametrize("dtype", [FLOATS, BITS, BITS_TURNED])
def test_parts_come_one_after_the_other_and_empty_ones_add_nothing(dtype: str) -> None:
    of = provenance(42, dtype)
    one = stored(signs(4, 9, of.views, 42).reshape(9, of.width), of)
    joined = Vectors.concatenated([Vectors.empty(of), one.take([3, 1]), Vectors.empty(of), one.take([2])])
    np.testing.assert_array_equal(joined.rows, one.rows[[3, 1, 2]])
    assert joined.rows.dtype == one.rows.dtype
    assert (joined.dim, joined.views, joined.is_bits) == (one.dim, one.views, one.is_bits)


@pytest.mark.parametrize("dtype", [FLOATS, BITS, BITS_TURNED])
def test_no_vectors_are_still_vectors_of_their_set(dtype: str) -> None:
    of = provenance(42, dtype)
    nothing = Vectors.empty(of)
    assert (len(nothing), nothing.dim, nothing.views, nothing.is_bits) == (0, 42, of.views, of.is_bits)
    assert nothing.unit(of.views - 1).shape == (0, 42)
    assert nothing.similarity([], []).shape == (0,)
