"""What a picture has or knows beyond the one kept: it is found, told before the removal, and kept if wanted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import Recorder, detector, find, index, picture, resaved, save_picture, tree
from PIL import Image
from test_metadata import exif_of
from test_trash import TRASH, by_hand, reasons, undo

from dedup import workflow
from dedup.knowledge import Knowing, added, different_moments, film_within, what_is_lost
from dedup.metadata import Metadata, as_packet, read_metadata
from dedup.trash import Plan, load_plan, moves
from dedup.workflow import plan_marked

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(256)) * 20
GOOGLE = b'http://ns.adobe.com/xap/1.0/\0<x GCamera:MotionPhoto="1" GCamera:BurstID="BURST"/>'
ALL = Metadata("2019-07-03T14:22:10", (52.519, 13.401), 4, ("beach", "Anna"), "At the sea")


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


def with_segment(path: Path, content: bytes, after: bytes = b"") -> Path:
    data = path.read_bytes()
    path.write_bytes(data[:2] + app1(content) + data[2:] + after)
    return path


def samsung_trailer(film: bytes) -> bytes:
    block = b"\0\0\x30\x0a" + len(b"MotionPhoto_Data").to_bytes(4, "little") + b"MotionPhoto_Data" + film
    directory = (
        b"SEFH"
        + (106).to_bytes(4, "little")
        + (1).to_bytes(4, "little")
        + b"\0\0\x30\x0a"
        + len(block).to_bytes(4, "little") * 2
    )
    return block + directory + len(directory).to_bytes(4, "little") + b"SEFT"


# -- motion photos --------------------------------------------------------------------------


def test_the_film_inside_a_picture_is_found_as_google_and_samsung_write_it(folder: Path) -> None:
    google = with_segment(save_picture(folder / "google.jpg", 1, (60, 40)), GOOGLE, FILM)
    samsung = save_picture(folder / "samsung.jpg", 1, (60, 40))
    samsung.write_bytes(samsung.read_bytes() + samsung_trailer(FILM))
    plain = save_picture(folder / "plain.jpg", 1, (60, 40))
    flagged = with_segment(save_picture(folder / "film cut off.jpg", 1, (60, 40)), GOOGLE)
    assert film_within(google)
    assert film_within(samsung)
    assert film_within(plain) == film_within(flagged) == film_within(folder / "nowhere.jpg") == b""
    again = with_segment(save_picture(folder / "again.jpg", 2, (60, 40)), GOOGLE, FILM)
    assert film_within(again) == film_within(google), "the same film within another picture"


def test_the_film_inside_a_heic_is_found_and_a_heic_itself_is_no_film(folder: Path) -> None:
    from dedup.images import register_formats

    register_formats()
    picture(1, (64, 64)).save(folder / "a.heic")
    assert film_within(folder / "a.heic") == b""
    with (folder / "a.heic").open("ab") as file:
        file.write((len(FILM) + 8).to_bytes(4, "big") + b"mpvd" + FILM)
    assert film_within(folder / "a.heic")


def test_a_motion_photo_is_not_proposed_for_the_sake_of_a_still_copy(folder: Path) -> None:
    resaved(save_picture(folder / "whole.jpg", 1, (960, 720), quality=99), folder / "motion.jpg", 0.5, quality=60)
    with_segment(folder / "motion.jpg", GOOGLE, FILM)
    index(folder)
    (group,) = find(folder, threshold=0.9).groups
    assert (group.keeper.path, group.others[0].marked) == ("whole.jpg", False)
    assert "film of a motion photo" in group.others[0].remark
    plan = workflow.complete_plan(by_hand(folder, (folder / "motion.jpg", folder / "whole.jpg")), Recorder())
    assert plan.removals[0].lost == ("it holds the film of a motion photo, which the kept picture does not",)


# -- bursts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "different"),
    [
        ("00001IMG_00001_BURST20201010120000123_COVER.jpg", "00002IMG_00002_BURST20201010120000123.jpg", True),
        ("IMG_20200101_120000_BURST1.jpg", "IMG_20200101_120000_BURST001 (1).jpg", False),
        ("IMG_20200101_120000_BURST1.jpg", "IMG_20200101_120000_BURST12.jpg", True),
        ("sunburst1.jpg", "sunburst2.jpg", False),
        ("a.jpg", "b.jpg", False),
    ],
)
def test_moments_of_a_burst_are_told_by_their_names(folder: Path, one: str, two: str, different: bool) -> None:
    assert different_moments(folder / one, folder / two) == different


def test_moments_of_a_burst_are_told_by_what_the_camera_noted(folder: Path) -> None:
    # Apple's maker note: header, big-endian directory with one entry (11, ASCII, 37 bytes at offset 28).
    burst = b"0F7C0AF5-57A5-4A67-A5A6-1B7E7C9C0B11\0"
    entry = b"\0\x0b\0\x02" + (37).to_bytes(4, "big") + (32).to_bytes(4, "big")
    note = b"Apple iOS\0\0\x01MM" + b"\0\x01" + entry + b"\0" * 4 + burst
    for number, name in enumerate(("a.jpg", "b.jpg", "other.jpg"), 1):
        exif = Image.Exif()
        exif[0x8769] = {0x927C: note.replace(b"0F7C", b"AAAA") if name == "other.jpg" else note}
        picture(number, (60, 40)).save(folder / name, exif=exif)
    assert different_moments(folder / "a.jpg", folder / "b.jpg")
    assert not different_moments(folder / "a.jpg", folder / "other.jpg")
    for name in ("c.jpg", "d.jpg"):
        with_segment(save_picture(folder / name, 3, (60, 40)), GOOGLE.replace(b"BURST", b"a1b2c3d4-e5"))
    assert different_moments(folder / "c.jpg", folder / "d.jpg")


def test_a_burst_is_shown_unmarked_unless_the_pixels_are_equal(folder: Path) -> None:
    first = save_picture(folder / "00001IMG_00001_BURST20201010120000123.jpg", 1)
    resaved(first, folder / "00002IMG_00002_BURST20201010120000123.jpg", quality=80)
    (folder / "00003IMG_00003_BURST20201010120000123.jpg").write_bytes(first.read_bytes())
    index(folder)
    (group,) = find(folder, threshold=0.9).groups
    assert [(member.tier, member.marked) for member in group.others] == [
        ("identical file", True),
        ("same picture", False),
    ]
    assert "another moment of the same burst" in group.others[1].remark


# -- what is lost ---------------------------------------------------------------------------


def lost(folder: Path, loser: Metadata, keeper: Metadata) -> list[str]:
    for name, known in (("loser", loser), ("keeper", keeper)):
        save_picture(folder / f"{name}.jpg", 1, (60, 40))
        (folder / f"{name}.jpg.xmp").write_bytes(as_packet(known))
    return what_is_lost(folder / "loser.jpg", folder / "keeper.jpg", [], Knowing())


def test_what_only_the_loser_knows_is_listed(folder: Path) -> None:
    assert lost(folder, ALL, Metadata()) == [
        "capture date 2019-07-03 14:22:10",
        "GPS 52.51900, 13.40100",
        "rating 4",
        "keywords: beach, Anna",
        "title: At the sea",
    ]


def test_what_the_keeper_knows_too_is_not_listed(folder: Path) -> None:
    nearly = Metadata("2019-07-03T14:22:10+02:00", (52.51902, 13.40098), 4, ("Anna", "more", "beach"), "At the sea")
    assert lost(folder, ALL, nearly) == []
    assert lost(folder, Metadata(), ALL) == []


def test_what_the_keeper_says_otherwise_is_listed_with_both(folder: Path) -> None:
    assert lost(folder, ALL, Metadata("2021-01-01T00:00:00", (1.0, 2.0), 2, ("dog",), "Sea")) == [
        "capture date 2019-07-03 14:22:10 (the kept picture says 2021-01-01 00:00:00)",
        "GPS 52.51900, 13.40100 (the kept picture says 1.00000, 2.00000)",
        "rating 4 (the kept picture says 2)",
        "keywords: beach, Anna",
        "title: At the sea (the kept picture says Sea)",
    ]


def test_a_sidecar_never_contradicts_the_keeper(folder: Path) -> None:
    assert added(ALL, Metadata(taken="2021-01-01T00:00:00", keywords=("dog", "Anna"))) == Metadata(
        gps=ALL.gps, rating=4, keywords=("dog", "Anna", "beach"), title=ALL.title
    )
    assert added(ALL, ALL) is None


# -- sidecars -------------------------------------------------------------------------------


def a_knowing_loser(folder: Path) -> Plan:
    """``kept/a.jpg`` says nothing; its smaller copy ``old/a.jpg`` says all that EXIF and a sidecar can."""
    resaved(save_picture(folder / "kept" / "a.jpg", 1), folder / "old" / "a.jpg", quality=60, exif=exif_of())
    (folder / "old" / "a.xmp").write_bytes(as_packet(Metadata(rating=5, title="From the sidecar")))
    index(folder)
    plan = plan_marked(find(folder, threshold=0.9))
    assert [Path(row.file.path).parent.name for row in plan.removals] == ["old"]
    return plan


def test_what_the_loser_knew_is_written_beside_the_keeper_and_undo_takes_it_away(folder: Path) -> None:
    plan = a_knowing_loser(folder)
    assert workflow.has_metadata_to_keep(plan)
    before = tree(folder)
    outcome = workflow.remove(plan, Recorder(), keep_metadata=True)
    assert outcome.sidecars == [folder / "kept" / "a.jpg.xmp"]
    assert tree(folder)["kept/a.jpg"] == before["kept/a.jpg"], "the keeper's own bytes and time are as they were"
    assert read_metadata(folder / "kept" / "a.jpg") == Metadata(
        "2019-07-03T14:22:10+02:00", (52.519, -13.401), 5, ("beach", "Anna"), "From the sidecar"
    )
    assert undo(folder).refused == []
    assert tree(folder) == before


def test_nothing_is_written_unless_wanted(folder: Path) -> None:
    outcome = workflow.remove(a_knowing_loser(folder), Recorder())
    assert (outcome.files, outcome.sidecars) == (2, [])
    assert set(tree(folder)) == {"kept/a.jpg"}


@pytest.mark.parametrize("name", ["a.xmp", "a.jpg.xmp"])
def test_a_sidecar_that_is_there_is_never_altered(folder: Path, name: str) -> None:
    plan = a_knowing_loser(folder)
    (folder / "kept" / name).write_bytes(b"mine")
    outcome = workflow.remove(plan, Recorder(), keep_metadata=True)
    assert outcome.sidecars == []
    assert "has a sidecar already" in outcome.unwritten[0].reason
    assert (folder / "kept" / name).read_bytes() == b"mine"
    undo(folder)
    assert (folder / "kept" / name).read_bytes() == b"mine"


def test_a_sidecar_changed_since_stays_at_undo_and_is_listed(folder: Path) -> None:
    plan = a_knowing_loser(folder)
    before = tree(folder)
    (sidecar,) = workflow.remove(plan, Recorder(), keep_metadata=True).sidecars
    sidecar.write_bytes(sidecar.read_bytes().replace(b"beach", b"coast"))
    assert "changed since" in reasons(undo(folder))["a.jpg.xmp"]
    assert b"coast" in sidecar.read_bytes()
    assert {path: facts for path, facts in tree(folder).items() if path != "kept/a.jpg.xmp"} == before


def test_a_link_in_the_place_of_a_written_sidecar_leads_nowhere_at_undo(folder: Path, tmp_path: Path) -> None:
    (sidecar,) = workflow.remove(a_knowing_loser(folder), Recorder(), keep_metadata=True).sidecars
    moved = sidecar.rename(tmp_path / "mine.xmp")
    sidecar.symlink_to(moved)
    undo(folder)
    assert moved.exists()
    assert sidecar.is_symlink()


def test_a_keeper_in_a_folder_that_cannot_be_written_is_a_note_and_the_removal_stands(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_knowing_loser(folder)
    before = tree(folder)

    def denied(target: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(moves, "write_new", denied)
    outcome = workflow.remove(plan, Recorder(), keep_metadata=True)
    assert (outcome.files, outcome.sidecars) == (2, [])
    assert outcome.unwritten[0].reason == "cannot be written: Permission denied"
    assert undo(folder).refused == []
    assert tree(folder) == before


def test_a_refused_removal_leaves_no_sidecar(folder: Path) -> None:
    plan = a_knowing_loser(folder)
    os.utime(folder / "old" / "a.jpg")
    before = tree(folder)
    outcome = workflow.remove(plan, Recorder(), keep_metadata=True)
    assert (outcome.files, outcome.sidecars) == (0, [])
    assert tree(folder) == before


def test_several_losers_of_one_keeper_and_of_another_folder_make_one_sidecar(tmp_path: Path) -> None:
    kept, old = tmp_path / "kept", tmp_path / "old"
    save_picture(kept / "a.jpg", 1)
    for name, known in (("b", Metadata(rating=3)), ("c", Metadata(rating=4, title="Later"))):
        resaved(kept / "a.jpg", old / f"{name}.jpg", quality=60)
        (old / f"{name}.xmp").write_bytes(as_packet(known))
    for folder in (kept, old):
        index(folder)
    plan = plan_marked(find(kept, old, threshold=0.9))
    before = tree(tmp_path)
    outcome = workflow.remove(plan, Recorder(), keep_metadata=True)
    assert outcome.sidecars == [kept / "a.jpg.xmp"]
    assert read_metadata(kept / "a.jpg") == Metadata(rating=3, title="Later")
    undo(old)
    assert tree(tmp_path) == before


# -- the command line -----------------------------------------------------------------------


def test_scripts_are_told_what_is_lost_and_may_keep_it(indexed: Path, tmp_path: Path) -> None:
    exact = indexed / "picture 0.jpg"
    (indexed / "picture 0.aae").write_text("steps")
    (indexed / "picture 0.xmp").write_bytes(as_packet(Metadata(rating=5, title="Mine")))
    saved = detector("find", indexed, "--save-plan", tmp_path / "plan.json")
    assert saved.returncode == 0, saved.stderr
    rows = json.loads((tmp_path / "plan.json").read_text())["removals"]
    row = next(row for row in rows if row["file"]["path"] == str(exact))
    assert [Path(one["path"]).name for one in row["companions"]] == ["picture 0.aae", "picture 0.xmp"]
    dry = detector("remove", "--plan", tmp_path / "plan.json", "--dry-run")
    assert f"    with {indexed / 'picture 0.xmp'}" in dry.stdout
    assert "    lost: rating 5" in dry.stdout
    before = tree(indexed)
    done = detector("remove", "--plan", tmp_path / "plan.json", "--yes", "--keep-metadata")
    assert done.returncode == 0, done.stderr
    assert f"{exact}: editing steps in picture 0.aae; rating 5; title: Mine" in done.stdout
    assert "2 files of these because they belong to the pictures" in done.stdout
    assert len(load_plan(tmp_path / "plan.json").removals) + 2 == len(tree(indexed / TRASH))
    sidecar = Path(row["keeper"]["path"] + ".xmp")
    assert f"beside pictures that stay, such as {sidecar}" in done.stdout
    assert sidecar.exists()
    assert detector("undo", indexed).returncode == 0
    assert tree(indexed) == before
