"""The examples of the document "Image Similarity Search", run as written, with the real encoder; a look at the disk.

``python main.py --action STEP`` is ``python detector.py --action STEP``; the folders are named on the command line, or
in a config file instead of ``config.py``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import contents, detector, resaved, save_picture, tree


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three similar photos of one event, and others; not indexed."""
    folder = tmp_path / "photos"
    save_picture(folder / "vacation1.jpg", 1, (640, 480))
    shutil.copy2(folder / "vacation1.jpg", folder / "vacation1_copy.jpg")
    resaved(folder / "vacation1.jpg", folder / "vacation1_old.jpg", 0.5, quality=80)
    for seed in (11, 12, 13):
        save_picture(folder / f"other{seed}.jpg", seed, (640, 480))
    return folder


def encoded(path: Path) -> str:
    return str(path).lstrip("/").replace("/", "_")


def action(step: str, *words: object) -> str:
    done = detector("--action", step, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_workflow_example_from_find_to_cleanup(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    before = tree(photos)
    three = [photos / f"vacation1{end}.jpg" for end in ("", "_copy", "_old")]

    # Step 1: the program finds these 3 files as similar, and lays them out under their encoded full paths.
    action("find", photos, "--output", output)
    assert sorted(path.name for path in (output / "1").iterdir()) == sorted(map(encoded, three))
    assert not (output / "2").exists()
    assert tree(photos) == before

    # Step 2: manual sorting.
    (output / "1" / encoded(three[1])).unlink()
    (output / "1" / encoded(three[2])).unlink()

    # Step 3: the originals of what was deleted are listed.
    action("check-deleted", output)
    assert sorted((output / "to_delete.txt").read_text().splitlines()) == sorted(map(str, three[1:]))
    assert tree(photos) == before

    # Step 4: only vacation1.jpg remains of the three; the others lie in the trash.
    inside = contents(photos)
    action("cleanup", output, "--yes")
    assert [path.exists() for path in three] == [True, False, False]
    assert len(list(photos.glob("other*.jpg"))) == 3
    assert contents(photos) == inside


def test_the_result_format_numbered_folders_and_the_two_files(photos: Path, tmp_path: Path) -> None:
    """The folder structure and the tracking files, as they are drawn in the document."""
    resaved(photos / "other11.jpg", photos / "work" / "similar.jpg", 0.6, quality=85)
    output = tmp_path / "output"
    action("find", photos, "--output", output)
    assert {path.name for path in output.iterdir() if path.is_dir()} == {"1", "2"}

    info = json.loads((output / "info.txt").read_text())
    assert len(info) == 5
    for original, laid_out in info.items():
        assert Path(laid_out).name == encoded(Path(original))
        assert Path(laid_out).parent.parent == output
        assert Path(laid_out).read_bytes() == Path(original).read_bytes()

    (output / "1" / encoded(photos / "vacation1_copy.jpg")).unlink(missing_ok=True)
    (output / "2" / encoded(photos / "vacation1_copy.jpg")).unlink(missing_ok=True)
    action("check-deleted", output)
    assert (output / "to_delete.txt").read_text() == f"{photos / 'vacation1_copy.jpg'}\n"


def test_the_search_is_recursive_and_takes_no_broken_file(photos: Path, tmp_path: Path) -> None:
    """File search goes into subfolders, and each picture is checked for validity."""
    shutil.copy2(photos / "other12.jpg", (photos / "deep").mkdir() or photos / "deep" / "again.jpg")
    (photos / "broken.jpg").write_bytes(b"no picture")
    output = tmp_path / "output"
    done = detector("--action", "find", photos, "--output", output)
    assert "broken.jpg" in done.stdout
    info = json.loads((output / "info.txt").read_text())
    assert str(photos / "deep" / "again.jpg") in info
    assert not any("broken" in path for path in info)


def test_similarity_does_not_hang_on_colour(tmp_path: Path) -> None:
    """Grayscale removes the influence of colour: a black-and-white copy is in the set, for the person to judge."""
    folder = tmp_path / "photos"
    source = save_picture(folder / "colour.jpg", 5, (640, 480))
    from PIL import Image

    with Image.open(source) as image:
        image.convert("L").save(folder / "grey.jpg", quality=92)
    action("find", folder, "--output", tmp_path / "output")
    assert {Path(path).name for path in json.loads((tmp_path / "output" / "info.txt").read_text())} == {
        "colour.jpg",
        "grey.jpg",
    }


def test_the_settings_may_stand_in_a_config_file(photos: Path, tmp_path: Path) -> None:
    """The document's first step: edit the config; then each action is given alone."""
    output, config = tmp_path / "output", tmp_path / "config.toml"
    config.write_text(f'folders = ["{photos}"]\noutput = "{output}"\nthreshold = 0.97\n')
    action("find", "--config", config)
    next(path for path in (output / "1").iterdir() if "_copy" in path.name).unlink()
    action("check-deleted", "--config", config)
    action("cleanup", "--config", config, "--yes")
    assert not (photos / "vacation1_copy.jpg").exists()
    assert json.loads((output / "manifest.json").read_text())["threshold"] == 0.97


def test_the_new_spelling_does_the_same(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert detector("folders", "find", photos, "--output", output).returncode == 0
    next(path for path in (output / "1").iterdir() if "_old" in path.name).unlink()
    assert detector("folders", "check-deleted", output).returncode == 0
    assert detector("folders", "cleanup", output, "--yes").returncode == 0
    assert not (photos / "vacation1_old.jpg").exists()


def test_the_old_spelling_may_stand_anywhere_among_the_words() -> None:
    from dedup.folder_commands import in_new_spelling

    expected = ["folders", "find", "PATH", "--output", "DIR"]
    assert in_new_spelling(["--action", "find", "PATH", "--output", "DIR"]) == expected
    assert in_new_spelling(["PATH", "--action=find", "--output", "DIR"]) == expected
    assert in_new_spelling(["--debug", *expected[2:], "--action", "find"]) == ["--debug", *expected]
    assert in_new_spelling(["find", "PATH"]) == ["find", "PATH"]
