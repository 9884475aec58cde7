"""Ways to lose a picture, tried one by one; README.md beside this file says what came of each."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup import images, workflow
from dedup.errors import DedupError
from dedup.progress import silent
from dedup.settings import Settings
from dedup.store import Catalogue
from dedup.trash import FileStamp, Plan, Removal, moves, removal
from dedup.workflow import FindOptions

from .pictures import drawn
from .snapshot import TRASH, contents, digest, snapshot
from .test_volumes import may_mount

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs links and POSIX file names")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures with a copy each, indexed."""
    place = tmp_path / "pictures"
    (place / "sub").mkdir(parents=True)
    for seed in range(3):
        (place / f"{seed}.png").write_bytes(drawn(seed))
        shutil.copy(place / f"{seed}.png", place / "sub" / f"{seed} copy.png")
    workflow.index(place, Settings(encoder="dhash", num_workers=0), silent)
    return place


def plan_of(folder: Path) -> Plan:
    plan = workflow.plan_marked(workflow.find([folder], FindOptions(), silent))
    assert len(plan.removals) == 3
    return plan


def stamp(path: Path, **changes: Any) -> FileStamp:
    status = path.lstat()
    return FileStamp(str(path), status.st_size, status.st_mtime_ns, digest(path))


def removing(folder: Path, *pairs: tuple[Path, Path], tier: str = "identical file") -> Plan:
    """A plan written by hand: (removed, keeper)."""
    rows = tuple(Removal(str(folder), stamp(gone), stamp(kept), 1.0, tier) for gone, kept in pairs)
    return Plan("by hand", 1.0, (str(folder),), rows)


def everywhere(root: Path) -> set[str]:
    return set(contents(root, trash=False)) | set(contents(root, trash=True))


def just_before_the_move(monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None]) -> None:
    """Somebody else acts between the last check and the move."""
    really_move = moves.move_away

    def moving(source: Path, target: Path) -> None:
        act(source)
        really_move(source, target)

    monkeypatch.setattr(moves, "move_away", moving)


# -- the moment of removal ------------------------------------------------------------------


def test_another_version_of_the_same_size_and_time_goes_straight_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(folder)
    saved = Path(plan.removals[0].file.path)

    def save(source: Path) -> None:
        if source == saved:
            status = source.stat()
            data = bytearray(source.read_bytes())
            data[-1] ^= 1
            source.write_bytes(bytes(data))
            os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))

    just_before_the_move(monkeypatch, save)
    outcome = workflow.remove(plan, silent)
    assert outcome.files == 2
    assert [row.reason for row in outcome.refused] == ["it has other bytes than when it was indexed"]
    assert saved.exists()


def test_a_keeper_changed_within_its_size_and_time_saves_the_rest_of_its_copies(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = folder / "0.png"
    copies = [folder / "sub" / "0 copy.png", folder / "another.png"]
    shutil.copy(kept, copies[1])
    plan = removing(folder, *((copy, kept) for copy in copies))
    done: list[Path] = []

    def spoil_the_keeper(source: Path) -> None:
        if done:
            return
        done.append(source)
        status = kept.stat()
        data = bytearray(kept.read_bytes())
        data[-1] ^= 1
        kept.write_bytes(bytes(data))
        os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))

    just_before_the_move(monkeypatch, spoil_the_keeper)
    outcome = workflow.remove(plan, silent)
    assert outcome.files == 1
    assert [row.reason for row in outcome.refused] == ["its keeper has other bytes than when it was indexed"]
    assert copies[1].exists()
    assert workflow.purge(folder, None, silent).files == 0, "its keeper is no longer the picture"


def test_a_version_saved_just_before_the_source_of_a_copy_goes_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a.png", tmp_path / "other" / "a.png"
    source.write_bytes(drawn(1))
    really_rename = os.rename

    def rename(one: Path, other: Path) -> None:
        if Path(one).parent != Path(other).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if Path(one) == source:
            (tmp_path / "new").write_bytes(drawn(2))
            os.replace(tmp_path / "new", source)  # as editors save
        really_rename(one, other)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="changed while it was copied"):
        moves.move_away(source, target)
    assert source.read_bytes() == drawn(2)
    assert not target.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "other"]


@pytest.mark.parametrize("what", ["sub", TRASH])
def test_a_folder_swapped_for_a_link_at_the_last_moment_costs_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    plan = plan_of(folder)
    outside = tmp_path / "outside"
    shutil.copytree(folder / "sub", outside)
    before = everywhere(tmp_path)

    def swap(source: Path) -> None:
        if not (folder / what).is_symlink():
            if (folder / what).exists():
                (folder / what).rename(tmp_path / "moved aside")
            (folder / what).symlink_to(outside)

    just_before_the_move(monkeypatch, swap)
    outcome = workflow.remove(plan, silent)
    assert everywhere(tmp_path) == before
    if what == TRASH:
        assert outcome.files == 0
        assert sorted(path.name for path in (folder / "sub").iterdir()) == [f"{seed} copy.png" for seed in range(3)]
    else:
        (folder / "sub").unlink()
        (tmp_path / "moved aside").rename(folder / "sub")
        while workflow.runs(folder):
            workflow.undo(folder, None, silent)
        assert set(contents(tmp_path, trash=False)) == before


# -- plans edited by hand -------------------------------------------------------------------


def test_a_kind_of_duplicate_that_there_is_not_is_refused(folder: Path) -> None:
    for tier in ("Identical file", "identical file ", "identical", "", "duplicate"):
        outcome = workflow.remove(removing(folder, (folder / "0.png", folder / "1.png"), tier=tier), silent)
        assert outcome.files == 0
        assert "kind of duplicate" in outcome.refused[0].reason


def test_one_folder_in_two_spellings_is_one_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    other = tmp_path / "link"
    one, two = folder / "sub" / "0 copy.png", other / "sub" / "1 copy.png"
    rows = (
        Removal(str(folder), stamp(one), stamp(folder / "0.png"), 1.0, "identical file"),
        Removal(str(other), stamp(two), stamp(folder / "1.png"), 1.0, "identical file"),
    )
    before = snapshot(folder)
    outcome = workflow.remove(Plan("by hand", 1.0, (str(folder), str(other)), rows), silent)
    assert outcome.refused == []
    assert outcome.files == 2
    while workflow.runs(folder):
        workflow.undo(folder, None, silent)
    assert snapshot(folder) == before


Chains = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chains=Chains, linked=st.sets(st.integers(0, 5)), spelled=st.sampled_from(["{}", "{}/.", "{}//"]))
def test_no_plan_by_hand_removes_the_last_of_a_content(
    tmp_path_factory: pytest.TempPathFactory, chains: list[tuple[int, int]], linked: set[int], spelled: str
) -> None:
    # Six files of two contents; any of them planned with any other as keeper: chains, rings, itself, hard links.
    folder = tmp_path_factory.mktemp("chains")
    files = []
    for number in range(6):
        files.append(folder / f"{number}.png")
        if number in linked and number >= 2:
            os.link(files[number - 2], files[number])
        else:
            files[number].write_bytes(drawn(number % 2))
    alive = set(contents(folder, trash=False))
    rows = tuple(
        Removal(spelled.format(folder), stamp(files[gone]), stamp(files[kept]), 1.0, "identical file")
        for gone, kept in chains
    )
    workflow.remove(Plan("by hand", 1.0, tuple({row.folder for row in rows}), rows), silent)
    assert set(contents(folder, trash=False)) == alive
    workflow.purge(folder, None, silent)
    assert set(contents(folder, trash=False)) == alive


# -- the database, old, foreign or forged ---------------------------------------------------


def test_a_database_from_an_old_backup_loses_nothing(folder: Path, tmp_path: Path) -> None:
    before = snapshot(folder)
    backups = [tmp_path / "indexed.db", tmp_path / "removed.db"]
    shutil.copy(folder / "image_database.db", backups[0])
    workflow.remove(plan_of(folder), silent)
    with Catalogue(folder):
        shutil.copy(folder / "image_database.db", backups[1])
    shutil.copy(backups[0], folder / "image_database.db")
    workflow.undo(folder, None, silent)
    assert snapshot(folder) == before, "what lies in the trash is found without its journal"
    shutil.copy(backups[1], folder / "image_database.db")
    workflow.runs(folder)
    workflow.purge(folder, None, silent) if workflow.runs(folder) else None
    assert snapshot(folder) == before, "a journal of what has come back since deletes nothing"


def test_a_database_copied_to_another_folder_loses_nothing_there(folder: Path, tmp_path: Path) -> None:
    workflow.remove(plan_of(folder), silent)
    other = tmp_path / "other"
    other.mkdir()
    for seed in range(5):
        (other / f"{seed}.png").write_bytes(drawn(seed + 40))
    before = snapshot(other)
    shutil.copy(folder / "image_database.db", other)
    workflow.runs(other)
    workflow.purge(other, None, silent)
    workflow.index(other, Settings(encoder="dhash", num_workers=0), silent)
    assert snapshot(other) == before


FORGED = ["1.png", "sub/1 copy.png", "../outside.png", f"{TRASH}/../1.png", f"{TRASH}/x/../../1.png", "/1.png"]


@pytest.mark.parametrize("state", ["planned", "moved", "restoring", "purging"])
@pytest.mark.parametrize("trash_path", FORGED)
@pytest.mark.parametrize("path", ["1.png", "sub/1 copy.png", "new/../../escaped.png"])
def test_forged_rows_of_the_journal_delete_nothing(
    folder: Path, tmp_path: Path, state: str, trash_path: str, path: str
) -> None:
    (tmp_path / "outside.png").write_bytes(drawn(1))
    workflow.remove(removing(folder, (folder / "sub" / "2 copy.png", folder / "2.png")), silent)
    with closing(sqlite3.connect(folder / "image_database.db")) as database:
        database.execute(
            "UPDATE journal SET state = ?, path = ?, trash_path = ?, digest = ?, size = ?",
            (state, path, trash_path, images.digest(folder / "1.png"), (folder / "1.png").stat().st_size),
        )
        database.commit()
    before = everywhere(tmp_path)
    for job in (lambda: workflow.runs(folder), lambda: workflow.purge(folder, None, silent), lambda: undo(folder)):
        try:
            job()
        except DedupError:
            continue
    assert everywhere(tmp_path) == before
    assert (tmp_path / "outside.png").exists()
    assert not (tmp_path / "escaped.png").exists()


def undo(folder: Path) -> None:
    workflow.undo(folder, None, silent)


# -- later ----------------------------------------------------------------------------------


def test_purge_spares_what_was_put_into_the_trash_in_place_of_the_removed_file(folder: Path) -> None:
    outcome = workflow.remove(plan_of(folder), silent)
    trash = folder / TRASH / outcome.run_id / "sub" / "0 copy.png"
    trash.write_bytes(drawn(77))
    assert [run.without_keeper for run in workflow.runs(folder)] == [1]
    purged = workflow.purge(folder, None, silent)
    assert purged.files == 2
    assert trash.exists()


def test_purge_after_the_keeper_was_removed_in_another_run_spares_the_copy(folder: Path) -> None:
    shutil.copy(folder / "0.png", folder / "third.png")
    first = workflow.remove(removing(folder, (folder / "sub" / "0 copy.png", folder / "0.png")), silent)
    workflow.remove(removing(folder, (folder / "0.png", folder / "third.png")), silent)
    (folder / "third.png").unlink()  # by hand
    purged = workflow.purge(folder, None, silent)
    assert purged.files == 0
    assert (folder / TRASH / first.run_id / "sub" / "0 copy.png").exists()


def test_a_clock_that_goes_backwards_leaves_every_run_to_be_undone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(folder)
    plan = plan_of(folder)
    ids = iter(["20300101-000000-000000-aaaa", "20200101-000000-000000-aaaa", "20100101-000000-000000-aaaa"])
    monkeypatch.setattr(removal, "new_run_id", lambda: next(ids))
    for row in plan.removals:
        workflow.remove(Plan("x", 1.0, plan.folders, (row,)), silent)
    for _ in range(3):
        workflow.undo(folder, None, silent)
    assert snapshot(folder) == before


def test_the_same_folder_under_two_mounts_is_no_second_copy(folder: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    is_mounted = may_mount(tmp_path / "try") and not subprocess.run(["mount", "--bind", folder, second]).returncode
    if not is_mounted:
        second.rmdir()
        second.symlink_to(folder)
    try:
        before = snapshot(folder)
        workflow.index(second, Settings(encoder="dhash", num_workers=0), silent)
        found = workflow.find([folder, second], FindOptions(), silent)
        assert found.groups == []
        outcome = workflow.remove(removing(folder, (folder / "0.png", second / "0.png")), silent)
        assert outcome.files == 0
        assert outcome.refused[0].reason in ("it is the same file as its keeper", OWN_NAME)
        assert snapshot(folder) == before
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", second], check=True)


OWN_NAME = "its keeper is the same file as one planned for removal"


def test_a_layered_mount_that_shows_the_same_file_under_another_identity_costs_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seen through such a mount the file has a device and a number of its own, and its going may be seen late.
    merged, work, lower = tmp_path / "merged", tmp_path / "work", tmp_path / "lower"
    for place in (merged, work, lower):
        place.mkdir()
    options = f"lowerdir={lower},upperdir={folder},workdir={work}"
    layered = (
        may_mount(tmp_path / "try")
        and not subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, merged], capture_output=True
        ).returncode
    )
    if not layered:
        shutil.copytree(folder, merged, dirs_exist_ok=True)
        plan = removing(folder, (folder / "0.png", merged / "0.png"))
        just_before_the_move(monkeypatch, lambda _: (merged / "0.png").unlink())
        outcome = workflow.remove(plan, silent)
        assert outcome.files == 0
        assert (folder / "0.png").exists()
        return
    try:
        plan = removing(folder, (folder / "0.png", merged / "0.png"))
        workflow.remove(plan, silent)
    finally:
        subprocess.run(["umount", "-l", merged], check=True)
    assert digest(folder / "1.png") in everywhere(folder)
    workflow.purge(folder, None, silent)
    assert json.dumps(sorted(everywhere(folder))) == json.dumps(
        sorted({digest(folder / f"{n}.png") for n in (1, 2)} | {plan.removals[0].file.digest})
    ), "its keeper is gone with it: purge spares it"
