"""The house keeps its shape: who may import whom, who may touch files, what the menu may load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT

PACKAGE = PROJECT / "dedup"
# Top to bottom: a room imports only rooms above it. The README shows the same list.
ORDER = (
    "errors permissions settings cache progress tiers scan companions images xmp metadata knowledge sample provenance "
    "vectors encoders batching store gpu_jpeg decoding apart hasher match verify verifier keep clusters neighbours "
    "filenames comparison searching trash workflow calibration foldersets folders wording ways encoder_table console "
    "review reports jobs menu completion reference commands folder_commands scripted cli __main__ "
).split()
MODULES = sorted(PACKAGE.rglob("*.py"))
MOVING_OS = {"rename", "renames", "replace", "remove", "unlink", "rmdir", "removedirs", "truncate"}
MOVING_SHUTIL = {"move", "rmtree"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module imported anywhere in the tree, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layering"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imported(ast.parse(path.read_text())) if name.startswith("dedup.")}
    return names & set(ORDER)


def test_every_room_stands_in_the_order() -> None:
    assert {room(path) for path in MODULES} - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    if room(path) != "__init__":
        below = {name for name in rooms_imported(path) if ORDER.index(name) > ORDER.index(room(path))}
        assert not below


def test_the_order_is_the_one_the_readme_shows() -> None:
    drawn = re.search(r"<!-- rooms -->\n```\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert drawn is not None
    shown = re.findall(r"^  (\w+)(?:\.py|/)", drawn[1], re.MULTILINE)
    assert shown == ORDER


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_trash_moves_or_deletes_files(path: Path) -> None:
    if room(path) == "trash":
        return
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    for call in (call for call in calls if isinstance(call, ast.Attribute)):
        owner = call.value.id if isinstance(call.value, ast.Name) else ""
        assert not (owner == "os" and call.attr in MOVING_OS), f"os.{call.attr}"
        assert not (owner == "shutil" and call.attr in MOVING_SHUTIL), f"shutil.{call.attr}"
        assert call.attr not in ("unlink", "rmdir", "rename"), f".{call.attr}()"


def test_only_these_modules_give_a_file_a_second_name() -> None:
    """Besides the moves of the trash it is the copying into an output folder, and only where a hard link was asked for.

    A link into a folder of ours takes nothing away from the user, and nothing of theirs is overwritten by it; taking
    a name away again stays with the trash.
    """
    linking = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if re.search(r"\bos\.(link|symlink)\b|\.(hardlink_to|symlink_to)\(", path.read_text())
    }
    assert linking == {"trash/moves.py", "trash/linking.py", "foldersets/copying.py"}


def test_inside_the_trash_only_moves_touches_files() -> None:
    for path in (PACKAGE / "trash").glob("*.py"):
        if path.name != "moves.py":
            text = path.read_text()
            assert not re.search(r"\bos\.(rename|replace|remove|unlink|rmdir)\b|\.unlink\(|\.rename\(|shutil", text), (
                path
            )


def test_only_the_store_speaks_sql() -> None:
    speakers = {room(path) for path in MODULES if "sqlite3" in set(imported(ast.parse(path.read_text())))}
    assert speakers == {"store"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_before_the_console_prints_or_asks(path: Path) -> None:
    if room(path) == "__init__" or ORDER.index(room(path)) >= ORDER.index("console"):
        return
    tree = ast.parse(path.read_text())
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"print", "input", "exit", "quit"}
    assert not set(imported(tree)) & {"questionary", "tqdm", "sys.stdout", "sys.stderr"}
    assert "sys.exit" not in path.read_text()


@pytest.mark.parametrize("module", ["dedup.cli", "dedup.menu"])
def test_the_front_ends_start_without_the_heavy_libraries(module: str) -> None:
    code = f"import {module}, sys; print(sorted({{'torch', 'transformers', 'matplotlib', 'cv2'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
