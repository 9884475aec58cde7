"""What the tool writes is as open as the folder it is written for, whatever the umask, and never more."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Recorder, find, index, save_picture, tree

from dedup import permissions, settings, workflow
from dedup.cache import Cached
from dedup.calibration import place_for_plot
from dedup.review.choose import contact_sheets
from dedup.sample import sample_folder
from dedup.store import Catalogue, folder_lock, removal_lock
from dedup.trash import save_plan

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions are inherited there")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Files made under this umask."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def made(root: Path, mode_of_root: int) -> Path:
    """A folder of this mode with two copies, one of them in a folder that is private."""
    root.mkdir()
    for place in (root, root / "private"):
        save_picture(place / "a.png", 1)
    (root / "private").chmod(0o700)
    root.chmod(mode_of_root)
    return root


@pytest.mark.parametrize(
    ("folder_mode", "file_mode"), [(0o700, 0o600), (0o755, 0o644), (0o775, 0o664), (0o750, 0o640), (0o777, 0o664)]
)
def test_everything_written_is_as_open_as_the_folder(
    tmp_path: Path, home: Path, umask: int, folder_mode: int, file_mode: int
) -> None:
    root, wanted = made(tmp_path / "pictures", folder_mode), folder_mode & ~0o002
    index(root)
    with Catalogue(root) as store, folder_lock(root):
        store.touch([("a.png", 5)])
        beside = {path.name: mode(path) for path in root.glob("image_database*")}
    assert set(beside) == {f"image_database.{end}" for end in ("db", "db-wal", "db-shm", "lock", "lock.holder")}
    assert set(beside.values()) == {file_mode}
    index(root)
    found = find(root)
    plan = workflow.plan_marked(found)
    save_plan(plan, tmp_path / "plan.json")
    assert mode(tmp_path / "plan.json") == file_mode
    for sheet in contact_sheets(found, tmp_path / "sheets"):
        assert mode(sheet) == file_mode
    assert mode(tmp_path / "sheets") == wanted
    before = tree(root)
    assert workflow.remove(plan, Recorder()).files == 1
    for path in (root / ".dedup-trash").rglob("*"):
        expected = 0o700 if path.name == "private" else wanted
        assert not path.is_dir() or mode(path) == expected, path
    assert mode(root / ".dedup-trash") == wanted
    for place in (root / "private", root):
        if place.is_dir() and not list(place.glob("*.png")):
            place.rmdir()
    workflow.undo(root, None, Recorder())
    assert tree(root) == before
    assert mode(root / "private") == 0o700


def test_a_private_folder_is_private_in_the_trash_and_when_it_comes_back(tmp_path: Path, umask: int) -> None:
    root = made(tmp_path / "pictures", 0o755)
    index(root)
    plan = workflow.plan_marked(find(root))
    (row,) = plan.removals
    workflow.remove(plan, Recorder())
    emptied = Path(row.file.path).parent
    if emptied != root:
        emptied.rmdir()
    workflow.undo(root, None, Recorder())
    assert mode(root / "private") == 0o700


def test_folders_made_in_a_group_folder_pass_the_group_on(tmp_path: Path, umask: int) -> None:
    root = made(tmp_path / "pictures", 0o2775)
    assert mode(root) & stat.S_ISGID
    index(root)
    workflow.remove(workflow.plan_marked(find(root)), Recorder())
    assert mode(root / ".dedup-trash") == 0o2775
    assert (root / ".dedup-trash").stat().st_gid == root.stat().st_gid


def test_what_is_kept_for_the_user_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int, folder: Path
) -> None:
    home = tmp_path / "new" / "home"
    monkeypatch.setenv("DEDUP_HOME", str(home))
    settings.save(settings.load())
    Cached("matches", ".bin", ("a",)).write(b"digests and such")
    sample_folder(home)
    with removal_lock():
        pass
    save_picture(folder / "a.png", 1)
    shutil.copy2(folder / "a.png", folder / "b.png")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, how, **_: not (str(path) == str(folder) and how & os.W_OK))
        index(folder)
    assert not (folder / "image_database.db").exists()
    found = list(home.rglob("*"))
    assert any(path.name == "image_database.db" for path in found)
    assert any(path.name == "settings.json" for path in found)
    assert mode(home) == 0o700
    for path in found:
        if path.is_dir():
            assert mode(path) == 0o700, path
    for path in home.glob("*.json"):
        assert mode(path) == 0o600
    monkeypatch.chdir(folder)
    assert place_for_plot(None, "pdq", folder, home / "other").parent == home / "other"
    assert mode(home / "other") == 0o700


def test_a_plan_that_is_written_again_keeps_its_mode(folder: Path, tmp_path: Path) -> None:
    save_picture(folder / "a.png", 1)
    shutil.copy2(folder / "a.png", folder / "b.png")
    index(folder)
    plan = workflow.plan_marked(find(folder))
    save_plan(plan, tmp_path / "plan.json")
    (tmp_path / "plan.json").chmod(0o640)
    save_plan(plan, tmp_path / "plan.json")
    assert mode(tmp_path / "plan.json") == 0o640


def test_a_plan_of_two_folders_is_for_those_who_may_see_both(tmp_path: Path) -> None:
    roots = [tmp_path / "open", tmp_path / "closed"]
    for root, mode_of_root in zip(roots, (0o755, 0o710), strict=True):
        root.mkdir()
        root.chmod(mode_of_root)
    assert permissions.of_folders(roots) == 0o710
    assert permissions.of_folders([]) == permissions.of_folders([tmp_path / "gone"]) == 0o700


def test_the_lock_never_empties_a_picture_that_lies_in_its_place(folder: Path) -> None:
    kept = save_picture(folder / "a.png", 1)
    content = kept.read_bytes()
    os.link(kept, folder / "image_database.lock")
    with folder_lock(folder):
        pass
    assert kept.read_bytes() == content
    (folder / "image_database.lock").unlink()
    (folder / "image_database.lock").symlink_to(kept)
    with pytest.raises(Exception, match=r"image_database\.lock"), folder_lock(folder):
        pass
    assert kept.read_bytes() == content
