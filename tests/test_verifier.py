"""The verifier: every pair once, results kept by content, deeper than the threshold, originals before edits."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import find, index, names_of, resaved, save_picture
from PIL import Image, ImageDraw, ImageFilter
from test_verify import crop, photo, saved, with_words

from dedup import verifier, workflow
from dedup.clusters import Clusters
from dedup.keep import MARKS, KeepRule, rule_for
from dedup.match import Nearest, find_matches
from dedup.store import Catalogue
from dedup.verify.files import File
from dedup.verify.verification import VERSION


def tiers(found: workflow.Found) -> dict[str, str]:
    return {member.picture.path: member.tier for group in found.groups for member in group.others}


def marked(found: workflow.Found) -> set[str]:
    return {member.picture.path for group in found.groups for member in group.others if member.marked}


def kept_results(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "image_database.db")) as db:
        return int(db.execute("SELECT count(*) FROM verifications").fetchone()[0])


@pytest.fixture
def family(folder: Path) -> Path:
    """A photo, copies and edits of it, and another photo."""
    original = photo(1)
    original.save(folder / "original.jpg", quality=95)
    decoded = Image.open(folder / "original.jpg").convert("RGB")
    decoded.save(folder / "pixels.png", compress_level=9)
    (folder / "bytes.jpg").write_bytes((folder / "original.jpg").read_bytes())
    decoded.resize((320, 240), Image.Resampling.LANCZOS).save(folder / "half.jpg", quality=85)
    crop(decoded, 0.1).save(folder / "crop.jpg", quality=85)
    with_words(decoded).save(folder / "words.bmp")
    photo(2).save(folder / "another.jpg", quality=90)
    index(folder)
    return folder


def test_each_member_has_the_tier_that_looking_gives_it(family: Path) -> None:
    found = find(family, threshold=0.9999)
    (group,) = found.groups
    everyone = {picture.path for picture in group.pictures}
    assert everyone == {"original.jpg", "bytes.jpg", "pixels.png", "half.jpg", "crop.jpg", "words.bmp"}
    by_name = tiers(found)
    assert by_name["half.jpg"] == "same picture"
    assert by_name["crop.jpg"] == by_name["words.bmp"] == "edited"
    exact = {"original.jpg", "bytes.jpg", "pixels.png"} - {group.keeper.path}
    assert {by_name[name] for name in exact} <= {"identical file", "same pixels"}


def test_the_keeper_is_not_the_edit_though_it_is_the_largest_file(family: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in family.iterdir() if path.suffix != ".db"}
    assert max(sizes, key=lambda name: sizes[name]) == "words.bmp"
    for strategy in ("largest", "best"):
        (group,) = find(family, rule=rule_for(strategy, [family])).groups
        assert group.keeper.path in ("original.jpg", "bytes.jpg", "pixels.png")


def sharp(image: Image.Image) -> Image.Image:
    """The picture with texture down to single pixels, as a lens and a sensor give it."""
    texture = np.random.default_rng(5).normal(0, 6, (image.height, image.width, 1))
    return Image.fromarray((np.asarray(image) + texture).clip(0, 255).astype(np.uint8))


def test_an_enlargement_is_told_and_does_not_become_the_keeper(folder: Path) -> None:
    small, large = sharp(photo(1)), sharp(photo(2, (1280, 960)))
    small.save(folder / "original.jpg", quality=92)
    small.resize((1280, 960), Image.Resampling.LANCZOS).save(folder / "enlarged.jpg", quality=95)
    large.save(folder / "large original.jpg", quality=92)
    large.resize((640, 480), Image.Resampling.LANCZOS).save(folder / "small.jpg", quality=92)
    index(folder)
    keepers = {group.keeper.path: group.others[0] for group in find(folder).groups}
    assert set(keepers) == {"original.jpg", "large original.jpg"}
    assert keepers["original.jpg"].remark == "the same picture, 200 % size, enlarged without more detail"
    assert keepers["large original.jpg"].remark == "the same picture, 50 % size"


def test_only_what_is_surely_the_same_picture_is_marked_by_default(family: Path) -> None:
    assert marked(find(family)) == marked(find(family, mark="same")) >= {"half.jpg"}
    assert not {"crop.jpg", "words.bmp"} & marked(find(family))
    assert "half.jpg" not in marked(find(family, mark="exact"))
    assert marked(find(family, mark="edited")) >= {"half.jpg", "crop.jpg", "words.bmp"}
    assert set(MARKS) == {"exact", "same", "edited", "all"}


def test_sets_and_members_come_surest_first(family: Path) -> None:
    save_picture(family / "drawn.png", 2)
    resaved(family / "drawn.png", family / "drawn again.png")
    index(family)
    found = find(family)
    assert names_of(found)[0][0].startswith("drawn")
    order = ["identical file", "same pixels", "same picture", "edited"]
    places = [order.index(member.tier) for member in found.groups[1].others]
    assert places == sorted(places)


def test_no_pair_is_looked_at_twice(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = find(family)
    count = kept_results(family)
    assert count > 0

    def never(*_: object) -> None:
        raise AssertionError("looked at again")

    monkeypatch.setattr(verifier, "_look", never)
    monkeypatch.setattr(verifier, "_verify", never)
    again = find(family)
    assert tiers(again) == tiers(first)
    assert kept_results(family) == count


def test_results_follow_a_picture_that_is_renamed(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find(family)
    (family / "crop.jpg").rename(family / "renamed.jpg")
    index(family)
    monkeypatch.setattr(verifier, "_look", None)
    assert tiers(find(family))["renamed.jpg"] == "edited"


def test_results_of_another_version_are_not_taken(family: Path) -> None:
    find(family)
    with closing(sqlite3.connect(family / "image_database.db")) as db, db:
        assert {row[0] for row in db.execute("SELECT version FROM verifications")} == {VERSION}
        db.execute("UPDATE verifications SET version = version + 1, result = 'nonsense'")
    assert tiers(find(family))["crop.jpg"] == "edited"


def test_a_file_that_can_no_longer_be_read_stays_unverified(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = verifier._look

    def all_but_one(file: File) -> object:
        return None if file.path.endswith("half.jpg") else look(file)

    monkeypatch.setattr(verifier, "_look", all_but_one)
    assert "half.jpg" not in tiers(find(family))
    assert tiers(find(family, look_alikes=True, threshold=0.9))["half.jpg"] == "look-alike"
    monkeypatch.setattr(verifier, "_look", look)
    assert tiers(find(family))["half.jpg"] == "same picture"


def test_pairs_below_the_threshold_count_only_when_verified(folder: Path) -> None:
    photo(1).save(folder / "photo.png")
    saved(photo(1), 50).save(folder / "smaller file.jpg", quality=50)
    Image.blend(photo(1), photo(2), 0.6).save(folder / "another.png")
    index(folder)
    assert tiers(find(folder, threshold=1.0, candidates=0.0)) == {"smaller file.jpg": "same picture"}
    every_pair = find(folder, threshold=0.0, look_alikes=True)
    assert "look-alike" in tiers(every_pair).values()
    assert marked(find(folder, threshold=0.0, mark="all")) != set()


def test_a_blurred_thumbnail_is_found_by_its_whole_frame(folder: Path) -> None:
    photo(1).save(folder / "photo.png")
    photo(1).resize((64, 48)).filter(ImageFilter.GaussianBlur(1)).save(folder / "tiny.png")
    for seed in range(2, 6):
        photo(seed).save(folder / f"{seed}.png")
    index(folder)
    # No pair is near enough for the encoder.
    assert tiers(find(folder, threshold=1.0, candidates=1.0)) == {"tiny.png": "edited"}


def test_nearly_blank_pictures_match_by_their_pixels_only(folder: Path) -> None:
    sky = Image.fromarray(np.tile(np.linspace(200, 210, 320), (240, 1)).astype(np.uint8)).convert("RGB")
    sky.save(folder / "sky.png")
    sky.save(folder / "sky.bmp")
    Image.eval(sky, lambda level: level - 1).save(folder / "another sky.png")
    index(folder)
    assert tiers(find(folder, threshold=0.5, look_alikes=True)) == {"sky.png": "same pixels"}


def test_a_protected_edit_does_not_take_the_original_along(tmp_path: Path) -> None:
    originals, edits = tmp_path / "originals", tmp_path / "edits"
    for one in (originals, edits):
        one.mkdir()
    photo(1).save(originals / "photo.png")
    saved(crop(photo(1), 0.1)).save(edits / "crop.png")
    for one in (originals, edits):
        index(one)
    found = find(originals, edits, rule=KeepRule((edits,)), mark="edited")
    assert tiers(found) == {"photo.png": "edited"}
    assert marked(found) == set()


def test_an_index_without_frames_is_completed(family: Path) -> None:
    with closing(sqlite3.connect(family / "image_database.db")) as db, db:
        db.execute("UPDATE pictures SET frame = NULL WHERE path = 'half.jpg'")
    with Catalogue(family) as store:
        assert store.lacking([]) == {"half.jpg"}
    assert index(family).encoded == 1
    with Catalogue(family) as store:
        assert store.lacking([]) == set()


# -- the nearest of each picture --------------------------------------------------------


def test_the_nearest_are_kept_and_the_rest_is_counted() -> None:
    vectors = np.random.default_rng(3).normal(size=(60, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    nearest = Nearest(0.2, 3)
    above = find_matches(vectors, 0.9, nearest=nearest, tile_bytes=4096)
    pairs = nearest.matches()
    wanted = set()
    for one in range(60):
        others = [two for two in range(60) if two != one and 0.2 <= similarity[one, two] < 0.9]
        wanted |= {(min(one, two), max(one, two)) for two in sorted(others, key=lambda two: -similarity[one, two])[:3]}
    assert set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == wanted
    near = (similarity >= 0.2) & (similarity < 0.9) & ~np.eye(60, dtype=bool)
    assert nearest.is_cut(60).sum() == (near.sum(axis=1) > 3).sum()
    assert (above.similarity >= 0.9 - 1e-9).all()


def test_what_is_cut_off_is_said(folder: Path) -> None:
    for seed in range(2, 9):
        save_picture(folder / f"{seed}.png", seed)
    index(folder)
    (notice,) = find(folder, threshold=1.0, candidates=0.0, neighbours=1).notices
    assert "have more than 1 candidates below the threshold" in notice
    assert find(folder, threshold=1.0, candidates=0.0, neighbours=100).notices == []


def test_clusters_join_and_list_their_members() -> None:
    clusters = Clusters(6)
    for pair in ((0, 1), (2, 3), (1, 2), (3, 0)):
        clusters.join(*pair)
    assert sorted(clusters.of(3)) == [0, 1, 2, 3]
    assert clusters.members() == [[0, 1, 2, 3]]
    assert clusters.of(5) == [5]
    hoped = clusters.copy()
    hoped.join(4, 5)
    assert clusters.root(4) != clusters.root(5)


def test_searches_follow_each_other_in_one_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Worker processes forked after OpenCV was used here once waited for ever on a lock of its threads.
    monkeypatch.setattr(verifier, "WORTH_PROCESSES", 2)
    for seed in range(4):
        photo(seed).save(folder / f"{seed}.png")
        saved(photo(seed), 60).save(folder / f"{seed}.jpg", quality=60)
    index(folder)
    for turn in range(3):
        found = find(folder)
        assert len(found.groups) == 4
        first, second = (group.keeper for group in found.groups[:2])
        assert found.relation(first, second) is None
        with closing(sqlite3.connect(folder / "image_database.db")) as db, db:
            db.execute("DELETE FROM verifications")
        monkeypatch.setattr(verifier, "WORTH_PROCESSES", 2 if turn else 1000)


def test_an_edit_that_nobody_can_tell_does_not_come_between_a_picture_and_its_copies(folder: Path) -> None:
    image = photo(31)
    image.save(folder / "original.jpg", quality=90)
    image.save(folder / "resaved.jpg", quality=70)
    Image.merge("RGB", image.split()[::-1]).save(folder / "recoloured.bmp")
    index(folder)
    (group,) = find(folder).groups
    assert group.keeper.path == "original.jpg"
    assert {(one.picture.path, one.tier, one.marked) for one in group.others} == {
        ("resaved.jpg", "same picture", True),
        ("recoloured.bmp", "edited", False),
    }


def test_an_original_takes_its_edit_and_the_copies_of_it(folder: Path) -> None:
    image = photo(32)
    image.save(folder / "original.jpg", quality=80)
    cropped = image.crop((24, 18, image.width - 24, image.height - 18))
    cropped.save(folder / "cropped.bmp")
    cropped.save(folder / "cropped.jpg", quality=90)
    index(folder)
    (group,) = find(folder, mark="edited").groups
    assert group.keeper.path == "original.jpg"
    assert {one.picture.path for one in group.others} == {"cropped.bmp", "cropped.jpg"}


def page(total: str, size: tuple[int, int] = (1240, 1754)) -> Image.Image:
    """An invoice: lines of small words, and a total."""
    image = Image.new("RGB", size, (252, 252, 250))
    draw = ImageDraw.Draw(image)
    for row in range(34):
        draw.text(
            (120, 120 + 42 * row),
            f"Item {row * 37 % 91}   delivered as ordered    {row * 13}.00",
            (20, 20, 20),
            font_size=22,
        )
    draw.text((700, 1600), f"Total {total}", (10, 10, 10), font_size=26)
    return image


def test_pages_that_differ_in_one_digit_are_not_marked(folder: Path) -> None:
    page("4813.20").save(folder / "one.jpg", quality=88)
    page("9813.20").save(folder / "two.jpg", quality=85)
    page("4813.20").resize((930, 1316), Image.Resampling.LANCZOS).save(folder / "one smaller.jpg", quality=80)
    index(folder)
    marked = {
        frozenset((group.keeper.path, one.picture.path))
        for group in find(folder).groups
        for one in group.others
        if one.marked
    }
    assert marked == {frozenset(("one.jpg", "one smaller.jpg"))}


def test_looks_of_one_size_in_two_formats_need_not_have_one_shape(folder: Path) -> None:
    image = page("1.00", (1654, 2339))
    image.save(folder / "page.png")
    image.save(folder / "page.jpg", quality=92)
    index(folder)
    (group,) = find(folder).groups
    assert group.others[0].tier == "same picture"


def test_a_file_that_holds_other_bytes_than_were_indexed_is_not_looked_at(folder: Path) -> None:
    photo(40).save(folder / "one.bmp")
    photo(41).save(folder / "two.bmp")
    index(folder)
    stamp = (folder / "two.bmp").stat()
    kept = (folder / "two.bmp").read_bytes()
    (folder / "two.bmp").write_bytes((folder / "one.bmp").read_bytes())
    os.utime(folder / "two.bmp", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert find(folder, threshold=0.0, candidates=0.0, look_alikes=True).groups is not None
    (folder / "two.bmp").write_bytes(kept)
    os.utime(folder / "two.bmp", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    groups = find(folder, threshold=0.0, candidates=0.0).groups
    assert not any(one.marked for group in groups for one in group.others)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"tier": "edited"}',
        '{"tier": "unheard of", "covers": [1, 1], "findings": []}',
        '{"tier": "edited", "scale": 0, "covers": [1, 1], "findings": []}',
        '{"tier": "edited", "covers": null, "findings": []}',
        '{"tier": "edited", "covers": [1, 1], "findings": [], "x": 1}',
        '{"tier": "same picture", "covers": [1, 1], "findings": [], "edit": "two"}',
    ],
)
def test_a_kept_result_that_makes_no_sense_is_looked_at_again(folder: Path, text: str) -> None:
    image = photo(42)
    image.save(folder / "one.jpg", quality=90)
    image.save(folder / "two.jpg", quality=70)
    index(folder)
    expected = [group.others[0].tier for group in find(folder).groups]
    with closing(sqlite3.connect(folder / "image_database.db")) as db, db:
        db.execute("UPDATE verifications SET result = ?", (text,))
    assert [group.others[0].tier for group in find(folder).groups] == expected == ["same picture"]
