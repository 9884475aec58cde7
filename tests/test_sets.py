"""Which embedding sets a folder holds, which of them can be compared, and thresholds in the unit of the metric."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FAKE, FAST, FakeEncoder, Recorder, find, index, names_of, resaved, save_picture
from PIL import Image

from dedup import comparison, workflow
from dedup.comparison import NOTHING, Wanted, as_similarity, common_sets, threshold_for
from dedup.encoders import BOTH, HAMMING, REGISTRY, LoadOptions, spec
from dedup.errors import DedupError
from dedup.match import find_matches
from dedup.provenance import BITS, BITS_TURNED, Provenance
from dedup.settings import Settings
from dedup.store import Catalogue
from dedup.workflow import (
    FindOptions,
    HeldSet,
    comparable_sets,
    held_sets,
    length_of,
    plan_marked,
    ranked_sets,
    wanted_set,
)

HIDDEN = replace(FAKE, layer="hidden")
OTHER = replace(FAKE, encoder="another", checkpoint="elsewhere")
PRINTS = Provenance("dhash", "hash_size=8", "final", 1, 64, BITS_TURNED)


def pictures(folder: Path, *seeds: int) -> Path:
    for seed in seeds:
        save_picture(folder / f"{seed}.png", seed)
    return folder


def index_with(folder: Path, name: str, parameters: str = "") -> Provenance:
    """Index with an encoder of the registry that needs no weights; its set."""
    chosen = replace(FAST, encoder=name, parameters=parameters)
    workflow.index(folder, chosen, Recorder())
    return spec(name).load(workflow.load_options(chosen)).provenances[0]


# -- which set is wanted ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (Wanted(), [FAKE, HIDDEN, OTHER]),
        (Wanted("fake"), [FAKE, HIDDEN]),
        (Wanted(layer="final"), [FAKE, OTHER]),
        (Wanted("fake", "hidden"), [HIDDEN]),
        (Wanted(checkpoint="elsewhere"), [OTHER]),
        (Wanted("fake", checkpoint="elsewhere"), []),
        (Wanted(provenance=OTHER), [OTHER]),
        (Wanted("fake", provenance=OTHER), []),
        (Wanted(provenance=replace(FAKE, preprocessing=2)), []),
    ],
)
def test_a_set_is_admitted_where_every_part_that_was_named_agrees(wanted: Wanted, admitted: list[Provenance]) -> None:
    assert [one for one in (FAKE, HIDDEN, OTHER) if wanted.admits(one)] == admitted


def test_the_set_wanted_is_the_one_that_indexing_with_the_same_settings_fills(folder: Path) -> None:
    pictures(folder, 1, 2)
    for parameters in ("", "hash_size=16"):
        chosen = replace(FAST, encoder="phash", parameters=parameters)
        workflow.index(folder, chosen, Recorder())
        newest = max(held_sets(folder), key=lambda one: one.provenance.dim)
        assert wanted_set(chosen).admits(newest.provenance)
        assert [wanted_set(chosen).admits(one.provenance) for one in held_sets(folder)].count(True) == 1


def test_the_layer_wanted_is_the_first_of_the_kind_unless_it_is_named() -> None:
    row = next(row for row in REGISTRY if len(row.kinds) > 1)
    chosen = Settings(row.name)
    assert wanted_set(chosen).layer == wanted_set(replace(chosen, kind=BOTH)).layer == row.kinds[0]
    assert wanted_set(replace(chosen, kind=row.kinds[1])).layer == row.kinds[1]
    assert wanted_set(replace(chosen, kind=BOTH), row.kinds[1]).layer == row.kinds[1]
    with pytest.raises(DedupError, match="no embedding"):
        wanted_set(replace(chosen, kind="nonsense"))
    with pytest.raises(DedupError, match="no parameter"):
        wanted_set(Settings("phash", parameters="size=8"))


# -- what a folder holds ----------------------------------------------------------------


def test_the_sets_held_are_those_with_vectors_the_largest_first(folder: Path) -> None:
    pictures(folder, 1, 2, 3)
    index(folder, encoder=FakeEncoder(HIDDEN))
    pictures(folder, 4, 5)
    (folder / "broken.png").write_bytes(b"not a picture")
    index(folder, encoder=FakeEncoder(OTHER))
    with Catalogue(folder) as store:
        store.set_id(FAKE)  # an empty set is none
    assert held_sets(folder) == [HeldSet(OTHER, 5, 5), HeldSet(HIDDEN, 3, 5)]


def test_what_is_in_the_trash_does_not_count_as_held(folder: Path) -> None:
    pictures(folder, 1, 2)
    resaved(folder / "1.png", folder / "copy.png", 0.5)
    index(folder)
    assert held_sets(folder) == [HeldSet(FAKE, 3, 3)]
    workflow.remove(plan_marked(find(folder)), Recorder())
    assert held_sets(folder) == [HeldSet(FAKE, 2, 2)]


def test_a_folder_without_a_database_holds_nothing_and_gets_none(folder: Path) -> None:
    pictures(folder, 1)
    assert held_sets(folder) == []
    assert [path.name for path in folder.iterdir()] == ["1.png"]
    with pytest.raises(DedupError, match="nowhere"):
        held_sets(folder / "nowhere")


# -- what can be compared ---------------------------------------------------------------


def test_two_folders_are_compared_by_the_sets_they_have_in_common(tmp_path: Path) -> None:
    one, two = pictures(tmp_path / "one", 1, 2), pictures(tmp_path / "two", 3, 4)
    for provenance in (FAKE, HIDDEN, OTHER):
        index(one, encoder=FakeEncoder(provenance))
    for provenance in (replace(FAKE, preprocessing=2), HIDDEN, OTHER):
        index(two, encoder=FakeEncoder(provenance))
    assert comparable_sets([one, two]) == comparable_sets([two, one]) == [HIDDEN, OTHER], "the oldest of equals first"
    assert comparable_sets([one, two], Wanted("fake")) == [HIDDEN]
    assert comparable_sets([one]) == [FAKE, HIDDEN, OTHER]
    with pytest.raises(DedupError, match="different weights, embeddings or parameters") as problem:
        comparable_sets([one, two], Wanted("fake", "final"))
    assert "index" in problem.value.remedy


def test_the_set_with_most_pictures_of_the_first_folder_comes_first(tmp_path: Path) -> None:
    one, two = pictures(tmp_path / "one", 1, 2), pictures(tmp_path / "two", 3, 4)
    for folder, order in ((one, (FAKE, HIDDEN)), (two, (HIDDEN, FAKE))):
        index(folder, encoder=FakeEncoder(order[0]))
        pictures(folder, 7)
        index(folder, encoder=FakeEncoder(order[1]))
    assert comparable_sets([one, two]) == [HIDDEN, FAKE]
    assert comparable_sets([two, one]) == [FAKE, HIDDEN]


def test_a_folder_without_the_set_that_is_wanted_says_how_to_fill_it(tmp_path: Path) -> None:
    one, two = pictures(tmp_path / "one", 1), pictures(tmp_path / "two", 2)
    index(one, encoder=FakeEncoder(HIDDEN))
    index(two)
    with pytest.raises(DedupError, match="has not been indexed with fake hidden") as problem:
        comparable_sets([one, two], Wanted("fake", "hidden"))
    assert str(two) in problem.value.message
    assert "--encoder fake --kind hidden" in problem.value.remedy


def test_folders_without_a_picture_have_nothing_to_compare(tmp_path: Path) -> None:
    one, empty = pictures(tmp_path / "one", 1), tmp_path / "empty"
    empty.mkdir()
    for folder in (one, empty):
        index(folder)
    assert comparable_sets([empty]) == []
    assert comparable_sets([one, empty]) == [FAKE]
    with Catalogue(empty) as store:
        assert common_sets([store], Wanted("anything")) == []
    (tmp_path / "never").mkdir()
    with pytest.raises(DedupError, match="not been indexed"):
        comparable_sets([tmp_path / "never"])


def test_fingerprints_with_other_parameters_are_another_set(tmp_path: Path) -> None:
    one, two = pictures(tmp_path / "one", 1), pictures(tmp_path / "two", 2)
    small = index_with(one, "dhash")
    large = index_with(two, "dhash", "hash_size=16")
    assert (small.dim, large.dim) == (64, 256)
    with pytest.raises(DedupError, match="different weights, embeddings or parameters"):
        comparable_sets([one, two])
    assert index_with(one, "dhash", "hash_size=16") == large
    assert comparable_sets([one, two]) == [large]


def test_of_an_encoder_asked_for_its_usual_set_comes_first_however_small(tmp_path: Path) -> None:
    one = pictures(tmp_path / "one", 1)
    small = index_with(one, "dhash")
    pictures(one, 2, 3)
    large = index_with(one, "dhash", "hash_size=16")
    assert ranked_sets([one], Wanted("dhash"), Settings("dhash")) == [small, large]
    assert ranked_sets([one], Wanted("dhash"), Settings("dhash", parameters="hash_size=16")) == [large, small]
    assert ranked_sets([one], Wanted(), Settings("dhash")) == [large, small], "without a name the largest"


def test_between_equals_the_encoder_of_the_settings_comes_first(tmp_path: Path) -> None:
    one = pictures(tmp_path / "one", 1, 2)
    first, second = index_with(one, "dhash"), index_with(one, "phash")
    assert ranked_sets([one], Wanted(), Settings("phash")) == [second, first]
    assert ranked_sets([one], Wanted(), Settings("color")) == [first, second]


# -- how long ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "length"),
    [
        (Settings(), 1280),
        (Settings("phash"), 64),
        (Settings("phash", parameters="hash_size=16"), 256),
        (Settings("phash", parameters="highfreq_factor=8"), 64),
        (Settings("whash-db4"), 196),
        (Settings("colorhash", parameters="binbits=5"), 70),
        (Settings("pdq"), 256),
        (Settings("clip-vit-l14", kind="final"), 768),
        (Settings("clip-vit-l14", kind="hidden"), 1024),
    ],
    ids=lambda value: f"{value.encoder} {value.kind}{value.parameters}" if isinstance(value, Settings) else None,
)
def test_the_length_is_that_of_what_the_settings_encode(chosen: Settings, length: int) -> None:
    assert length_of(chosen) == length


# -- thresholds -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [BITS, BITS_TURNED])
@pytest.mark.parametrize("dim", [42, 64, 196])
def test_a_number_of_bits_is_the_similarity_at_which_exactly_so_many_may_differ(dim: int, dtype: str) -> None:
    prints = replace(PRINTS, dim=dim, dtype=dtype)
    similarities = [as_similarity(bits, prints) for bits in range(dim + 1)]
    assert (similarities[0], similarities[-1]) == (1.0, -1.0)
    assert similarities == sorted(similarities, reverse=True)
    for bits, similarity in enumerate(similarities):
        assert (1.0 - similarity) * dim / 2 == pytest.approx(bits)
        assert threshold_for(float(bits), prints) == bits


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.96, 1.0])
def test_the_similarity_of_embeddings_is_the_threshold_itself(threshold: float) -> None:
    assert threshold_for(threshold, FAKE) == as_similarity(threshold, FAKE) == threshold


@pytest.mark.parametrize("threshold", [-1.0, 65.0, 7.5, 0.96, math.nan, math.inf, -math.inf])
def test_bits_that_a_fingerprint_does_not_have_are_refused(threshold: float) -> None:
    with pytest.raises(DedupError, match="number of bits from 0 to 64") as problem:
        threshold_for(threshold, PRINTS)
    assert "dhash" in problem.value.message
    assert problem.value.remedy
    assert "\n" not in problem.value.message


@pytest.mark.parametrize("threshold", [-0.01, 1.01, 8.0, math.nan, math.inf])
def test_a_similarity_outside_0_to_1_is_refused(threshold: float) -> None:
    with pytest.raises(DedupError, match="between 0 and 1") as problem:
        threshold_for(threshold, FAKE)
    assert problem.value.remedy


def test_without_a_threshold_it_is_the_encoders_own_in_its_unit_and_grows_with_the_fingerprint() -> None:
    for row in REGISTRY:
        prints = Provenance(row.name, "", "final", 1, row.dim, BITS if row.metric == HAMMING else "float16")
        assert threshold_for(None, prints) == row.threshold
    pdq = spec("pdq")
    assert pdq.threshold > 0
    assert threshold_for(None, Provenance("pdq", "", "final", 1, 4 * pdq.dim, BITS)) == round(4 * pdq.threshold)
    assert threshold_for(None, NOTHING) == 1.0
    assert threshold_for(0.5, NOTHING) == 0.5


# -- a whole find by bits ---------------------------------------------------------------


def by_bits(folder: Path, threshold: float | None, name: str = "dhash", mark: str = "same") -> workflow.Found:
    return workflow.find([folder], FindOptions(Wanted(name), threshold, mark=mark), Recorder())


def test_fingerprints_are_found_at_the_number_of_bits_they_differ_in(folder: Path) -> None:
    pictures(folder, 1, 2, 3)
    resaved(folder / "1.png", folder / "copy of 1.jpg", 0.5, quality=40)
    resaved(folder / "2.png", folder / "copy of 2.jpg", 0.3, quality=20)
    of = index_with(folder, "dhash", "hash_size=16")
    with Catalogue(folder) as store:
        rows, vectors = store.load(of)
    matches = find_matches(vectors, -1.0)
    differing = {
        frozenset((rows[left].path, rows[right].path)): round((1 - similarity) * of.dim / 2)
        for left, right, similarity in zip(matches.left, matches.right, matches.similarity, strict=True)
    }
    assert len(differing) == 10
    pair = frozenset(("2.png", "copy of 2.jpg"))
    at = differing[pair]
    assert at > 0
    found = by_bits(folder, at)
    assert (found.encoder, found.threshold, found.bits) == ("dhash", at, 256)
    group = next(group for group in found.groups if pair <= {picture.path for picture in group.pictures})
    assert {member.bits for member in group.others} == {256}
    assert all(found.relation(group.keeper, member.picture) is not None for member in group.others)
    below = by_bits(folder, at - 1)
    tiers = {member.tier for group in below.groups for member in group.others}
    assert "look-alike" not in tiers, "below the threshold only what was verified counts"
    assert plan_marked(found).threshold == at


def test_turned_and_mirrored_copies_match_by_fingerprint(folder: Path) -> None:
    save_picture(folder / "1.png", 3, (256, 256))
    save_picture(folder / "2.png", 2, (256, 256))
    with Image.open(folder / "1.png") as image:
        for name, turn in (("turned", Image.Transpose.ROTATE_90), ("mirrored", Image.Transpose.FLIP_LEFT_RIGHT)):
            image.transpose(turn).save(folder / f"{name}.bmp")
    index_with(folder, "phash")
    assert [sorted(names) for names in names_of(by_bits(folder, 4, "phash"))] == [
        ["1.png", "mirrored.bmp", "turned.bmp"]
    ]


def test_look_alikes_of_an_encoder_that_is_often_wrong_are_never_marked_and_copies_are(
    folder: Path,
) -> None:
    row = next(row for row in REGISTRY if not row.marks and row.metric == HAMMING)
    pictures(folder, 2, 3, 5)
    (folder / "3.png").rename(folder / "1.png")
    resaved(folder / "1.png", folder / "copy.bmp")
    (folder / "same.png").write_bytes((folder / "2.png").read_bytes())
    index_with(folder, row.name)
    # Every pair of pictures is at this threshold.
    found = by_bits(folder, 64, row.name, mark="all")
    marked = {member.picture.path: member.marked for group in found.groups for member in group.others}
    tiers = {member.picture.path: member.tier for group in found.groups for member in group.others}
    assert "look-alike" in tiers.values()
    assert marked == {path: tier != "look-alike" for path, tier in tiers.items()}
    assert sum(marked.values()) == 2
    assert [row.name in notice for notice in found.notices] == [True]
    assert not comparison.marks(Provenance(row.name, "", "final", 1, 64, BITS))
    assert comparison.marks(FAKE), "of an encoder this version does not know, as ever"
    index(folder)
    assert find(folder, wanted=Wanted("fake")).notices == []


def test_one_folder_can_be_searched_by_each_of_its_sets(folder: Path) -> None:
    pictures(folder, 2, 3, 5)
    resaved(folder / "3.png", folder / "copy.png", 0.5)
    prints = index_with(folder, "phash")
    index(folder)
    for wanted, bits in ((Wanted("phash"), 64), (Wanted(provenance=prints), 64), (Wanted(provenance=FAKE), 0)):
        found = find(folder, threshold=8 if bits else 0.98, wanted=wanted)
        assert (found.bits, found.pictures) == (bits, 4)
        assert [sorted(names) for names in names_of(found)] == [["3.png", "copy.png"]]
    assert spec("phash").load(LoadOptions()).provenances == (prints,)
