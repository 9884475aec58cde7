"""What might be lost where two features meet: copies and undo, companions and each way, unreadable settings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import save_picture

from dedup import settings
from dedup.cli import main
from dedup.trash import load_plan


def run(*words: str | Path) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures in ``a`` and equal ones in ``b``, the first with a RAW beside it in both."""
    root = tmp_path / "P"
    for number in range(2):
        save_picture(root / "a" / f"IMG_{number}.JPG", number, (64, 48))
        (root / "b").mkdir(exist_ok=True)
        shutil.copy2(root / "a" / f"IMG_{number}.JPG", root / "b")
    for place in ("a", "b"):
        (root / place / "IMG_0.CR2").write_bytes(b"the only RAW there is")
    return root


@pytest.fixture
def plan(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    assert run("index", folder, "--encoder", "dhash", "-q") == 0
    assert run("find", folder, "--encoder", "dhash", "-q", "--save-plan", path) == 0
    return path


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("IMG*") if ".dedup-trash" not in path.parts}


def test_undo_keeps_a_copy_whose_original_is_gone(
    folder: Path, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = tmp_path / "copies"
    assert run("organise", plan, "--copy-to", copies, "--whole-sets", "--yes") == 0
    assert left(copies) == left(folder)
    shutil.rmtree(folder / "a")
    shutil.rmtree(folder / "b")
    assert run("undo", folder) == 3
    assert len(left(copies)) == 6
    assert "its original is gone or changed" in capsys.readouterr().out


def test_undo_takes_copies_back_while_their_originals_are_there(folder: Path, plan: Path, tmp_path: Path) -> None:
    run("organise", plan, "--copy-to", tmp_path / "copies", "--yes")
    assert left(tmp_path / "copies")
    assert run("undo", folder) == 0
    assert not left(tmp_path / "copies")


@pytest.mark.parametrize("way", ["trash", "delete"])
def test_a_raw_whose_equal_has_gone_since_stays_with_its_picture(folder: Path, plan: Path, way: str) -> None:
    (row,) = (row for row in load_plan(plan).removals if row.file.path.endswith("IMG_0.JPG"))
    assert len(row.companions) == 1
    Path(row.keeper.path).with_suffix(".CR2").unlink()
    assert run("remove", "--plan", plan, "--to", way, "--yes", "--for-good") == 3
    assert Path(row.file.path).exists()
    assert Path(row.companions[0].path).exists()


def test_a_drive_that_is_not_connected_costs_no_undo(
    folder: Path, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, drive = left(folder), tmp_path / "drive"
    drive.mkdir()
    assert run("remove", "--plan", plan, "--to", f"folder:{drive}", "--yes") == 0
    drive.rename(tmp_path / "unplugged")
    drive.mkdir()  # the place where it is mounted
    assert run("undo", folder) == 3
    assert "is the drive it was taken to connected?" in capsys.readouterr().out
    drive.rmdir()
    (tmp_path / "unplugged").rename(drive)
    assert run("undo", folder) == 0
    assert left(folder) == before


@pytest.mark.parametrize(
    "text", ['{"protected": ["/x"], }', '{"protected": "/x"}', '{"protected": ["/x", 7]}', "[]", "\x00"]
)
def test_settings_that_cannot_be_understood_remove_nothing(
    folder: Path, plan: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = left(folder)
    settings.home().mkdir(parents=True, exist_ok=True)
    (settings.home() / "settings.json").write_text(text)
    for words in (["--yes"], ["--dry-run"]):
        assert run("remove", "--plan", plan, *words) == 1
    assert "may name folders to be protected" in capsys.readouterr().err
    assert left(folder) == before


def test_a_backup_holds_what_belongs_to_the_pictures(folder: Path, plan: Path, tmp_path: Path) -> None:
    assert run("remove", "--plan", plan, "--backup", tmp_path / "backup", "--yes") == 0
    assert sum(path.name == "IMG_0.CR2" for path in (tmp_path / "backup").rglob("*")) >= 1


def test_organise_follows_no_link_out_of_the_folder_chosen(folder: Path, plan: Path, tmp_path: Path) -> None:
    before = left(folder)
    (tmp_path / "chosen").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for name in ("a", "b"):
        (tmp_path / "chosen" / name).symlink_to(tmp_path / "elsewhere")
    assert run("organise", plan, "--move-to", tmp_path / "chosen", "--yes") == 3
    assert left(folder) == before
    assert not left(tmp_path / "elsewhere")


def test_a_film_that_another_picture_needs_stays_when_organising(folder: Path, tmp_path: Path) -> None:
    shutil.copy2(folder / "b" / "IMG_1.JPG", folder / "b" / "IMG_1.jpeg")
    for place in ("a", "b"):
        (folder / place / "IMG_1.MOV").write_bytes(b"film")
    plan = tmp_path / "shared.json"
    run("index", folder, "--encoder", "dhash", "-q")
    run("find", folder, "--encoder", "dhash", "-q", "--save-plan", plan)
    (folder / "b" / "IMG_1.JPG").touch()  # it stays: it is not the file of the plan any more
    run("organise", plan, "--move-to", tmp_path / "moved", "--yes")
    assert {"b/IMG_1.JPG", "b/IMG_1.MOV"} <= left(folder)


def test_undo_of_one_file_brings_what_belongs_to_it(
    folder: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = left(folder)
    run("remove", "--plan", plan, "--yes")
    gone = next(name for name in before - left(folder) if name.endswith("IMG_0.JPG"))
    assert run("undo", folder, "--file", gone) == 0
    assert {gone, gone.replace("JPG", "CR2")} <= left(folder)
    assert "Brought back 2 files" in capsys.readouterr().out


def test_what_only_a_deleted_picture_knows_is_not_promised(
    folder: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = left(folder)
    assert run("remove", "--plan", plan, "--to", "delete", "--for-good", "--yes", "--keep-metadata") == 1
    assert "cannot be kept for sure" in capsys.readouterr().err
    assert left(folder) == before


def test_metadata_that_could_not_be_written_is_listed_and_counts_as_partly_done(
    folder: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = (row for row in load_plan(plan).removals if row.file.path.endswith("IMG_1.JPG"))
    picture, keeper = Path(row.file.path), Path(row.keeper.path)
    picture.with_suffix(".xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>'
    )
    keeper.with_suffix(".xmp").write_text("mine")
    run("find", folder, "--encoder", "dhash", "-q", "--save-plan", plan)
    assert run("remove", "--plan", plan, "--yes", "--keep-metadata") == 3
    assert "has a sidecar already" in capsys.readouterr().out
    assert keeper.with_suffix(".xmp").read_text() == "mine"
