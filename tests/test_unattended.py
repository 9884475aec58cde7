"""The README's script that cleans a folder without anybody there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

from dedup.sample import sample_folder


def contents(folder: Path) -> dict[str, bytes]:
    """Relative path -> bytes of every picture in place."""
    found = (path for path in folder.rglob("*.*") if path.suffix in (".jpg", ".png"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if ".dedup-trash" not in path.parts}


@pytest.fixture
def clean(tmp_path: Path) -> list[str]:
    """The words that start the script, with the Python of the tests."""
    script = re.search(r"<!-- unattended -->\n```sh\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert script is not None
    assert len(script[1].splitlines()) <= 10, "the README calls it a script of ten lines"
    (tmp_path / "clean-pictures.sh").write_text(script[1])
    (tmp_path / "bin").mkdir()
    # A link to the Python of an environment would not find its packages.
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    return ["sh", str(tmp_path / "clean-pictures.sh")]


def run(words: list[str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_it_removes_copies_only_and_undo_brings_them_back(clean: list[str], tmp_path: Path) -> None:
    folder = sample_folder(tmp_path)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff rubbish")
    before = contents(folder)
    done = run([*clean, str(folder)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "broken.jpg" in done.stdout + done.stderr
    after = contents(folder)
    gone = before.keys() - after.keys()
    assert gone
    assert all(before[path] == data for path, data in after.items())
    again = run([*clean, str(folder)], tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert contents(folder) == after
    undone = run([sys.executable, "detector.py", "undo", str(folder)], tmp_path)
    assert undone.returncode == 0, undone.stderr
    assert contents(folder) == before


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_it_stops_where_there_is_no_folder(clean: list[str], tmp_path: Path) -> None:
    done = run([*clean, str(tmp_path / "nowhere")], tmp_path)
    assert done.returncode == 1
    assert "There is no folder" in done.stderr
