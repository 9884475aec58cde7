"""Fingerprints: what imagehash and PDQ's own library compute, in eight orientations; their parameters."""

from __future__ import annotations

from collections.abc import Sequence

import imagehash
import numpy as np
import pytest
import torch
from checkpoints import loaded
from conftest import picture
from PIL import Image

from dedup.encoders import HAMMING, REGISTRY, Encoder, LoadOptions, spec, understand_parameters
from dedup.encoders.fingerprints import ALGORITHMS, LOWEST_QUALITY, SIDE, brightness, quality
from dedup.encoders.parameters import complete, written
from dedup.encoders.pdq import hash_bits
from dedup.encoders.preprocess import Squash, seen
from dedup.encoders.views import orientations
from dedup.errors import DedupError
from dedup.neighbours import FLAT_CONTRAST
from dedup.provenance import BITS, BITS_TURNED
from dedup.sample import drawn_pictures
from dedup.vectors import Vectors, from_blob, to_blob

TURN = Image.Transpose
# How to turn a picture to see it as each stored view shows it: quarter turns to the left, then each mirrored.
VIEWS: list[list[Image.Transpose]] = [
    [],
    [TURN.ROTATE_90],
    [TURN.ROTATE_180],
    [TURN.ROTATE_270],
    [TURN.FLIP_LEFT_RIGHT],
    [TURN.ROTATE_90, TURN.FLIP_LEFT_RIGHT],
    [TURN.ROTATE_180, TURN.FLIP_LEFT_RIGHT],
    [TURN.ROTATE_270, TURN.FLIP_LEFT_RIGHT],
]
NAMES = [row.name for row in REGISTRY if row.metric == HAMMING]
TURNING = [name for name in NAMES if name == "pdq" or ALGORITHMS[name].turns]


def viewed(image: Image.Image, turns: Sequence[Image.Transpose]) -> Image.Image:
    for turn in turns:
        image = image.transpose(turn)
    return image


def vectors(encoder: Encoder, pictures: Sequence[Image.Image]) -> Vectors:
    """What the store holds of these pictures."""
    made_by = encoder.provenances[0]
    rows = encoder.encode(torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures])))
    found = Vectors.empty(made_by, len(rows))
    for number, row in enumerate(rows):
        found.rows[number] = from_blob(to_blob(row, made_by), found.rows[number])
    return found


def distances(encoder: Encoder, ones: Sequence[Image.Image], others: Sequence[Image.Image]) -> np.ndarray:
    """The differing bits of each pair, in the best view."""
    both = Vectors.concatenated([vectors(encoder, ones), vectors(encoder, others)])
    numbers = np.arange(len(ones))
    return (1 - both.similarity(numbers, numbers + len(ones))) * both.dim / 2


# -- rows -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_fingerprint_has_as_many_bits_as_its_row_declares(name: str) -> None:
    encoder = loaded(name, real=True)
    made_by = encoder.provenances[0]
    views = 8 if name in TURNING else 1
    assert (made_by.dim, made_by.views) == (spec(name).dim, views)
    assert made_by.dtype == (BITS_TURNED if views == 8 else BITS)
    assert encoder.encode(torch.from_numpy(encoder.prepare(picture(1))[None])).shape == (1, views * spec(name).dim)
    assert encoder.device == "cpu"


def test_only_the_colour_hash_is_blind_to_turning() -> None:
    assert set(NAMES) - set(TURNING) == {"colorhash"}
    assert len(TURNING) == 8


LIBRARY = {
    "ahash": imagehash.average_hash,
    "phash": imagehash.phash,
    "phash-simple": imagehash.phash_simple,
    "dhash": imagehash.dhash,
    "dhash-vert": imagehash.dhash_vertical,
    "whash-haar": lambda image: imagehash.whash(image, mode="haar"),
    "whash-db4": lambda image: imagehash.whash(image, mode="db4"),
    "colorhash": imagehash.colorhash,
}


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_the_first_view_is_the_librarys_hash_of_the_same_small_picture(name: str) -> None:
    for image in (picture(1), picture(2, (90, 200)), drawn_pictures()[0]):
        reduced = Image.fromarray(np.ascontiguousarray(Squash(SIDE)(image).transpose(1, 2, 0)))
        expected = LIBRARY[name](reduced).hash.ravel()
        assert 0 < expected.sum() < expected.size
        np.testing.assert_array_equal(loaded(name, real=True).prepare(image)[0], expected)


# -- orientations -----------------------------------------------------------------------


@pytest.mark.parametrize("name", TURNING)
def test_each_view_is_the_hash_of_the_picture_so_turned(name: str) -> None:
    prepare = loaded(name, real=True).prepare
    image = picture(4, (prepare.size, prepare.size))  # nothing is resized
    views = prepare(image)
    assert len(np.unique(views, axis=0)) == 8
    for number, turns in enumerate(VIEWS):
        np.testing.assert_array_equal(prepare(viewed(image, turns))[0], views[number])


def test_the_orientations_of_a_square_are_eight_and_it_comes_first() -> None:
    square = np.arange(9).reshape(3, 3)
    found = orientations(square)
    np.testing.assert_array_equal(found[0], square)
    assert len({one.tobytes() for one in map(np.ascontiguousarray, found)}) == 8


@pytest.mark.parametrize("turn", list(TURN))
@pytest.mark.parametrize("name", TURNING)
def test_a_turned_or_mirrored_copy_has_nearly_the_same_bits(name: str, turn: Image.Transpose) -> None:
    encoder = loaded(name, real=True)
    scenes = drawn_pictures()
    # Where much is even, wavelets split hairs: numbers next to their median fall on either side.
    most = 8 if name == "whash-db4" else 2
    assert distances(encoder, scenes, [one.transpose(turn) for one in scenes]).max() <= most
    # And another picture is no copy, whichever way it is turned.
    assert distances(encoder, scenes, [*scenes[1:], scenes[0]]).min() > 2


# -- parameters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message", "remedy"),
    [
        ("phash", "size=8", "phash has no parameter size", "hash_size (bits along each side, default 8)"),
        ("phash", "hash_size=8,binbits=3", "phash has no parameter binbits", "highfreq_factor"),
        ("phash", "hash_size=many", "hash_size=many is not a whole number", "It knows: hash_size"),
        ("phash", "hash_size=8.5", "hash_size=8.5 is not a whole number", "It knows"),
        ("phash", "hash_size", "hash_size= is not a whole number", "It knows"),
        ("phash", "hash_size=1", "hash_size of phash cannot be 1", "a whole number from 2 to 32"),
        ("phash", "hash_size=33", "hash_size of phash cannot be 33", "from 2 to 32"),
        ("phash", "hash_size=-8", "cannot be -8", "from 2 to 32"),
        ("whash-haar", "hash_size=12", "hash_size of whash-haar cannot be 12", "a power of two from 4 to 32"),
        ("colorhash", "binbits=9", "binbits of colorhash cannot be 9", "from 1 to 8"),
        ("pdq", "hash_size=8", "pdq has no parameter hash_size", "Leave the parameters of pdq empty"),
        ("efficientnet-lite0", "x=1", "efficientnet-lite0 has no parameter x", "Leave the parameters"),
    ],
)
def test_parameters_that_cannot_be_are_explained(name: str, text: str, message: str, remedy: str) -> None:
    with pytest.raises(DedupError) as problem:
        understand_parameters(text, spec(name).parameters, name)
    assert message in problem.value.message
    assert remedy in problem.value.remedy


def test_parameters_are_read_as_they_are_written() -> None:
    known = spec("phash").parameters
    assert understand_parameters("", known, "phash") == {}
    assert understand_parameters(" highfreq_factor = 2 , hash_size=16,", known, "phash") == {
        "hash_size": 16,
        "highfreq_factor": 2,
    }
    whole = complete({"hash_size": 16}, known)
    assert written(whole) == "hash_size=16,highfreq_factor=4"
    assert understand_parameters(written(whole), known, "phash") == whole


def test_another_size_makes_another_set() -> None:
    options = LoadOptions(parameters={"hash_size": 16})
    usual, large = loaded("phash", real=True), spec("phash").load(options)
    first, second = usual.provenances[0], large.provenances[0]
    assert (first.dim, second.dim) == (64, 256)
    assert first.checkpoint == spec("phash").checkpoint(LoadOptions()) == "hash_size=8,highfreq_factor=4"
    assert second.checkpoint == spec("phash").checkpoint(options) == "hash_size=16,highfreq_factor=4"
    assert large.prepare(picture(1)).shape == (8, 256)
    # What is written out is what is meant without saying so.
    assert spec("phash").load(LoadOptions(parameters={"hash_size": 8})).provenances == usual.provenances


EXTREMES = [
    (name, {one.name: value})
    for name in ALGORITHMS
    for one in ALGORITHMS[name].parameters
    for value in (one.low, one.high)
]


@pytest.mark.parametrize(("name", "parameters"), EXTREMES, ids=str)
def test_every_value_within_the_bounds_works(name: str, parameters: dict[str, int]) -> None:
    encoder = spec(name).load(LoadOptions(parameters=parameters))
    made_by = encoder.provenances[0]
    bits = encoder.prepare(picture(2))
    assert bits.shape == (made_by.views, made_by.dim)
    assert set(np.unique(bits)) == {0, 1}
    assert spec(name).checkpoint(LoadOptions(parameters=parameters)) == made_by.checkpoint


def test_the_largest_hashes_are_taken_of_a_picture_large_enough() -> None:
    prepare = spec("phash").load(LoadOptions(parameters={"hash_size": 32, "highfreq_factor": 16})).prepare
    assert prepare.size == 512


# -- PDQ --------------------------------------------------------------------------------

# The library pdqhash 0.2.8 on the same 64 x 64 pictures: bits with the least index first, and the quality.
PDQ = [
    (1, "52b66c0f93f05e1764e99a92f55529a8fe0f51f42d0ad2b4744949bee27d1f00", 87),
    (2, "98982a8ccaf5f46b318a999086637baaf91ba64d0ba09ff0365f793f95ca8462", 100),
    (3, "369a2a616b5579a5d4aa915a835db6e596ac953a4e8d68a5debd206b4a5a6b42", 100),
]
PDQ_VIEWS = (
    "293227710572c02a e3cc1bfc33c1080e 7c6785df50276880 b689b1566694a2a4 "
    "d6cd2771fa8dc02a 839885dfafd86880 1c231bfccc3e080e 4966b156996ba2a4"
)


def small(seed: int) -> Image.Image:
    return picture(seed, (64, 64))


@pytest.mark.parametrize(("seed", "expected", "reference"), PDQ)
def test_pdq_is_bit_for_bit_that_of_its_own_library(seed: int, expected: str, reference: int) -> None:
    plane = brightness(np.asarray(small(seed)).transpose(2, 0, 1))
    assert np.packbits(hash_bits(plane)).tobytes().hex() == expected
    assert quality(plane) == reference
    prepared = loaded("pdq", real=True).prepare(small(seed))
    assert np.packbits(prepared[0, :256]).tobytes().hex() == expected


def test_the_views_of_pdq_are_the_dihedral_hashes_of_its_own_library() -> None:
    ours = {np.packbits(view).tobytes().hex()[:16] for view in loaded("pdq", real=True).prepare(small(4))[:, :256]}
    assert ours == set(PDQ_VIEWS.split())


def test_a_picture_without_gradients_has_no_pdq_to_speak_of() -> None:
    prepare = loaded("pdq", real=True).prepare
    slope = Image.linear_gradient("L").convert("RGB")
    assert prepare(slope)[0, -1] < LOWEST_QUALITY
    assert Squash(64)(slope).std() > FLAT_CONTRAST  # to others it shows enough
    assert prepare.contrast(seen(slope), prepare(slope)) == 0.0
    scene = drawn_pictures()[1]
    assert prepare.contrast(seen(scene), prepare(scene)) > FLAT_CONTRAST
