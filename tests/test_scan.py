"""Walking a folder: every picture once, nothing through links, nothing from a trash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import PROJECT, save_picture

from dedup.errors import DedupError
from dedup.scan import FileFacts, Listing, compare, list_pictures, real_folder


def paths(listing: Listing) -> list[str]:
    return [found.path for found in listing.files]


def put(folder: Path, *names: str) -> None:
    """Files of some bytes; a scan looks at names and status only."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode(errors="surrogateescape"))


def known(listing: Listing) -> dict[str, tuple[int, int]]:
    return {found.path: (found.size, found.mtime_ns) for found in listing.files}


# -- what is listed ---------------------------------------------------------------------


def test_pictures_are_found_in_all_subfolders_in_path_order(folder: Path) -> None:
    put(folder, "b.png", "a/z.jpg", "a/deep/er/x.webp", "a.jpg", "notes.txt", "a/deep/readme")
    assert paths(list_pictures(folder)) == ["a.jpg", "a/deep/er/x.webp", "a/z.jpg", "b.png"]


def test_a_picture_is_listed_with_its_size_time_and_identity(folder: Path) -> None:
    path = save_picture(folder / "sub" / "one.jpg", 1)
    status = path.stat()
    expected = FileFacts("sub/one.jpg", status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)
    assert list_pictures(folder).files == [expected]


def test_a_suffix_counts_in_any_case(folder: Path) -> None:
    put(folder, "A.JPG", "b.JpEg", "c.HEIC", "d.Avif", "e.TIFF", "f.jpg.txt", "gjpg", "h.pdf", "i.svg", "j.")
    assert paths(list_pictures(folder)) == ["A.JPG", "b.JpEg", "c.HEIC", "d.Avif", "e.TIFF"]


def test_an_empty_folder_gives_an_empty_listing(folder: Path) -> None:
    listing = list_pictures(folder)
    assert (listing.files, listing.links, listing.hard_links, listing.refused) == ([], 0, 0, [])


def test_a_folder_named_like_a_picture_is_a_folder(folder: Path) -> None:
    put(folder, "album.jpg/inside.png")
    assert paths(list_pictures(folder)) == ["album.jpg/inside.png"]


def test_a_pipe_named_like_a_picture_is_left_alone(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    put(folder, "real.jpg")
    assert paths(list_pictures(folder)) == ["real.jpg"]


def test_a_very_deep_folder_is_walked_to_its_end(folder: Path) -> None:
    deep = "/".join(["d"] * 400)
    put(folder, f"{deep}/bottom.jpg")
    assert paths(list_pictures(folder)) == [f"{deep}/bottom.jpg"]


ODD_NAMES = [
    "-rf.jpg",
    "--all.jpg",
    "emoji 📷 é.jpg",
    "e\u0301.jpg",
    " leading.jpg",
    "it's.jpg",
    "100%s {}.jpg",
    "[a].jpg",
]
if os.name != "nt":
    ODD_NAMES += [
        "two\nlines.jpg",
        'say "cheese".jpg',
        "back\\slash.jpg",
        "*?.jpg",
        "\x1b[31mred.jpg",
        "\u202egpj.exe.jpg",
    ]
if sys.platform == "linux":
    ODD_NAMES += ["caf\udce9.jpg", "\udcff\udcfe.jpg"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_an_odd_name_is_listed_as_it_is(folder: Path, name: str) -> None:
    put(folder, name, f"sub/{name}")
    (folder / f"dir of {name}").mkdir()
    put(folder, f"dir of {name}/in.jpg")
    listing = list_pictures(folder)
    assert sorted(paths(listing)) == sorted([name, f"sub/{name}", f"dir of {name}/in.jpg"])
    assert all((folder / path).is_file() for path in paths(listing))
    assert compare(listing, known(listing)).unchanged == listing.files


# -- links ------------------------------------------------------------------------------


def test_a_symlink_and_its_target_are_one_picture(folder: Path) -> None:
    put(folder, "real.jpg")
    (folder / "another name.jpg").symlink_to(folder / "real.jpg")
    listing = list_pictures(folder)
    assert paths(listing) == ["real.jpg"]
    assert listing.links == 1


def test_a_symlink_is_passed_over_even_where_its_target_lies_elsewhere_or_is_gone(folder: Path, tmp_path: Path) -> None:
    put(tmp_path, "elsewhere.jpg")
    (folder / "out.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (folder / "broken.jpg").symlink_to(folder / "no such file.jpg")
    listing = list_pictures(folder)
    assert listing.files == []
    assert listing.links == 2
    assert listing.refused == []


def test_a_linked_folder_is_not_entered(folder: Path, tmp_path: Path) -> None:
    put(tmp_path, "outside/a.jpg")
    put(folder, "sub/b.jpg")
    (folder / "way out").symlink_to(tmp_path / "outside")
    (folder / "sub again").symlink_to(folder / "sub")
    assert paths(list_pictures(folder)) == ["sub/b.jpg"]


def test_loops_of_links_end(folder: Path) -> None:
    put(folder, "a/b/one.jpg")
    (folder / "a" / "b" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    assert paths(list_pictures(folder)) == ["a/b/one.jpg"]


def test_two_hard_links_are_one_picture(folder: Path) -> None:
    put(folder, "one.jpg", "other.jpg", "sub/keep")
    os.link(folder / "one.jpg", folder / "again.jpg")
    os.link(folder / "one.jpg", folder / "sub" / "third.jpg")
    listing = list_pictures(folder)
    assert paths(listing) == ["again.jpg", "other.jpg"]
    assert listing.hard_links == 2


def test_copies_with_the_same_bytes_are_two_pictures(folder: Path) -> None:
    put(folder, "one.jpg")
    shutil.copy2(folder / "one.jpg", folder / "two.jpg")
    assert paths(list_pictures(folder)) == ["one.jpg", "two.jpg"]


# -- trash ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trash",
    [
        ".dedup-trash/20240101-000000",
        ".Trash/files",
        ".Trash-1000/files",
        ".Trashes/501",
        ".trash",
        ".local/share/Trash/files",
        "$RECYCLE.BIN/S-1-5-21",
        "$Recycle.Bin/S-1-5-21",
        "#recycle",
        "@eaDir/one.jpg",
    ],
)
def test_what_lies_in_a_trash_is_never_a_kept_copy(folder: Path, trash: str) -> None:
    put(folder, "kept.jpg", f"{trash}/gone.jpg", f"sub/{trash}/gone.jpg")
    assert paths(list_pictures(folder)) == ["kept.jpg"]


def test_a_folder_that_only_sounds_like_a_trash_is_read(folder: Path) -> None:
    put(folder, "Trash art/a.jpg", "my recycle/b.jpg", "dedup-trash/c.jpg")
    assert len(list_pictures(folder).files) == 3


# -- what cannot be read ----------------------------------------------------------------

# As root every folder is readable, so the walk is done by a process that gave that up.
WALK = """
import os, sys
from pathlib import Path
from dedup.scan import list_pictures
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
listing = list_pictures(Path(sys.argv[1]))
print([found.path for found in listing.files])
print([(row.path, row.reason) for row in listing.refused])
"""


def test_an_unreadable_subfolder_is_named_and_the_rest_is_read() -> None:
    root = Path(tempfile.mkdtemp())
    try:
        root.chmod(0o755)
        put(root, "a.jpg", "closed/b.jpg", "open/c.jpg")
        (root / "closed").chmod(0)
        done = subprocess.run([sys.executable, "-c", WALK, root], capture_output=True, text=True, cwd=PROJECT)
        listed, refused = done.stdout.splitlines()
        assert listed == "['a.jpg', 'open/c.jpg']"
        assert str(root / "closed") in refused
        assert "Permission denied" in refused
    finally:
        (root / "closed").chmod(0o700)
        shutil.rmtree(root)


# -- comparing with what is known -------------------------------------------------------


def test_compare_tells_new_changed_unchanged_and_gone(folder: Path) -> None:
    put(folder, "same.jpg", "longer.jpg", "touched.jpg", "deleted.jpg", "sub/moved.jpg")
    before = known(list_pictures(folder))
    (folder / "longer.jpg").write_bytes(b"now with other bytes")
    os.utime(folder / "touched.jpg", ns=(0, 1_234_567_891))
    (folder / "deleted.jpg").unlink()
    (folder / "sub" / "moved.jpg").rename(folder / "here now.jpg")
    put(folder, "brand new.jpg")
    changes = compare(list_pictures(folder), before)
    assert [found.path for found in changes.new] == ["brand new.jpg", "here now.jpg"]
    assert [found.path for found in changes.changed] == ["longer.jpg", "touched.jpg"]
    assert [found.path for found in changes.unchanged] == ["same.jpg"]
    assert changes.gone == ["deleted.jpg", "sub/moved.jpg"]


def test_an_edit_that_keeps_size_and_second_is_still_a_change(folder: Path) -> None:
    put(folder, "a.jpg")
    listing = list_pictures(folder)
    time = (folder / "a.jpg").stat().st_mtime_ns
    (folder / "a.jpg").write_bytes(b"A.JPG")
    os.utime(folder / "a.jpg", ns=(time, time + 1))
    assert [found.path for found in compare(list_pictures(folder), known(listing)).changed] == ["a.jpg"]


def test_a_file_that_became_a_link_or_a_folder_is_gone(folder: Path) -> None:
    put(folder, "link.jpg", "folder.jpg", "target.jpg")
    before = known(list_pictures(folder))
    for name in ("link.jpg", "folder.jpg"):
        (folder / name).unlink()
    (folder / "link.jpg").symlink_to(folder / "target.jpg")
    (folder / "folder.jpg").mkdir()
    changes = compare(list_pictures(folder), before)
    assert changes.gone == ["folder.jpg", "link.jpg"]
    assert [found.path for found in changes.unchanged] == ["target.jpg"]


# -- the folder itself ------------------------------------------------------------------


def test_a_linked_folder_given_by_the_user_is_the_folder_it_points_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "shortcut").symlink_to(folder)
    assert real_folder(tmp_path / "shortcut") == folder.resolve()
    assert real_folder(str(folder) + "/.//") == folder.resolve()


@pytest.mark.parametrize("name", ["missing", "a.jpg", "loop", "nul\0byte", "x" * 5_000])
def test_what_is_not_a_folder_is_refused_in_words(folder: Path, name: str) -> None:
    put(folder, "a.jpg")
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(DedupError) as problem:
        real_folder(folder / name)
    assert problem.value.remedy
