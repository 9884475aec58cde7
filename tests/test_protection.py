"""A protected folder never loses a file: not by a plan made before, edited by hand, or by names."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Recorder, detector, find, index, save_picture, tree

from dedup import settings, workflow
from dedup.settings import Settings
from dedup.trash import Plan, load_plan, save_plan
from dedup.trash.protection import Protected
from dedup.workflow import plan_marked


@pytest.fixture
def copies(folder: Path) -> Path:
    """A picture and a copy in each of two subfolders."""
    save_picture(folder / "a.png", 1)
    for name in ("safe", "other"):
        (folder / name).mkdir()
        shutil.copy(folder / "a.png", folder / name / "a copy.png")
    index(folder)
    return folder


def removed(plan: Plan, folder: Path) -> set[str]:
    before = set(tree(folder))
    workflow.remove(plan, Recorder())
    return before - set(tree(folder))


def test_a_folder_protected_after_the_plan_was_made_loses_nothing(copies: Path) -> None:
    plan = plan_marked(find(copies))
    assert len(plan.removals) == 2
    settings.save(Settings(protected=(str(copies / "safe"),)))
    outcome = workflow.dry_run(plan, Recorder())
    assert [(Path(row.path).parent.name, row.reason) for row in outcome.refused] == [
        ("safe", "it lies in a protected folder")
    ]
    assert removed(plan, copies) == {"other/a copy.png"}


def test_a_plan_edited_by_hand_takes_nothing_from_the_folder_it_says_is_protected(copies: Path, tmp_path: Path) -> None:
    plan = replace(plan_marked(find(copies)), protected=(str(copies / "safe"),))
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan
    assert removed(load_plan(tmp_path / "plan.json"), copies) == {"other/a copy.png"}


def test_another_way_to_a_protected_folder_is_protected_too(copies: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(copies / "safe")
    plan = replace(plan_marked(find(copies)), protected=(str(tmp_path / "link"), str(tmp_path / "no such"), "\0"))
    assert removed(plan, copies) == {"other/a copy.png"}


def test_a_folder_above_protects_all_below(copies: Path) -> None:
    assert removed(replace(plan_marked(find(copies)), protected=(str(copies.parent),)), copies) == set()


def test_a_plan_of_an_earlier_version_protects_nothing_and_nonsense_is_no_plan(copies: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    save_plan(plan_marked(find(copies)), file)
    value = json.loads(file.read_text())
    del value["protected"]
    file.write_text(json.dumps(value))
    assert load_plan(file).protected == ()
    file.write_text(json.dumps({**value, "protected": "everything"}))
    with pytest.raises(Exception, match="is not a plan"):
        load_plan(file)


def test_the_plan_of_a_find_names_what_was_protected(copies: Path, tmp_path: Path) -> None:
    found = find(copies, rule=workflow.rule_of(Settings(protected=(str(copies / "safe"),)), [copies]))
    assert [group.keeper.path for group in found.groups] == ["safe/a copy.png"]
    assert found.groups[0].reason == "in the protected folder"
    assert plan_marked(found).protected == (str(copies / "safe"),)


def test_the_cleanup_by_names_leaves_protected_copies(folder: Path) -> None:
    (folder / "safe").mkdir()
    for place in (folder, folder / "safe"):
        save_picture(place / "image.png", 1)
        shutil.copy(place / "image.png", place / "image (1).png")
    chosen = Settings(protected=(str(folder / "safe"),))
    found = workflow.find_by_name([folder], chosen, Recorder())
    assert [[one.path for one in group.pictures] for group in found.groups] == [["image.png", "image (1).png"]]


def test_policies_are_given_on_the_command_line_any_number_of_times(real_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(real_folder, folder)

    def found(*words: object) -> dict[str, list[str]]:
        done = detector("find", folder, "--json", *words)
        assert done.returncode == 0, done.stderr
        groups = json.loads(done.stdout)["groups"]
        return {Path(one["keeper"]["path"]).name: [one["kept_because"]] for one in groups}

    assert found("--protect", folder / "sub")["smaller.jpg"] == ["in the protected folder"]
    assert found("--prefer", folder / "sub")["smaller.jpg"] == ["in the preferred folder"]
    assert set(found("--protect", folder / "sub", "--keep-all-of", folder)) == set()
    assert "picture 1.jpg" not in found("--across", folder, "--across", folder / "sub")
    assert found("--keep", "no-copy-suffix,newest")
    done = detector("find", folder, "--protect", folder / "nowhere")
    assert done.returncode == 1
    assert "There is no folder" in done.stderr
    done = detector("find", folder, "--keep", "prettiest")
    assert done.returncode == 2
    assert "no reason to keep" in done.stderr
    assert "most-pixels" in done.stderr


def test_a_subfolder_reached_another_way_is_protected_too(tmp_path: Path) -> None:
    (tmp_path / "p" / "sub" / "deep").mkdir(parents=True)
    status = os.stat(tmp_path / "p" / "sub" / "deep")
    assert (status.st_dev, status.st_ino) in Protected.of([str(tmp_path / "p")]).identities
