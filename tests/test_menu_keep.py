"""The settings that say which picture stays, through the real menu in a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import save_picture
from test_menu import Terminal, pytestmark  # noqa: F401  # skips where there is no pseudo-terminal

from dedup import settings
from dedup.encoders import spec
from dedup.keep import CRITERIA
from dedup.menu.keeping import understand_order
from dedup.menu.settings_page import _shown


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    session = Terminal(home)
    yield session
    session.child.close(force=True)


def key_of(name: str) -> str:
    """The key that chooses a setting in its list."""
    number = _shown(spec("efficientnet-lite0")).index(name)
    return "1234567890"[number] if number < 10 else "abcdefghijklmnopqrstuvwxyz"[number - 10]


def test_an_order_of_ones_own_is_typed_checked_and_used(terminal: Terminal, indexed: Path) -> None:
    terminal.open(indexed)
    terminal.type("9")
    terminal.see("keep: largest", "protected: none")
    terminal.type(key_of("keep"))
    terminal.see("Which picture of a set stays?", "Largest file", "Best quality", "Your own order")
    terminal.type("3")
    terminal.see("most-pixels", "no-copy-suffix", "Names or numbers")
    terminal.type("nicest")
    terminal.see("no reason to keep a picture", "Names or numbers")
    terminal.type("13, shortest-path")
    terminal.see("keep: newest, shortest-path")
    assert settings.load().keep == "newest, shortest-path"
    terminal.control("c")
    terminal.menu()
    terminal.type("3")
    terminal.see("Which picture of a set stays: newest, then shortest path", "Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("Duplicate Set 1 of 2", "kept: ")


def test_a_protected_folder_is_added_heeded_and_taken_off_the_list(terminal: Terminal, indexed: Path) -> None:
    terminal.open(indexed)
    terminal.type("9")
    terminal.see("protected: none")
    terminal.type(key_of("protected"))
    terminal.see("Protected folders", "Add a folder")
    terminal.type("1")
    terminal.see("Folder (Ctrl-C: back)")
    terminal.type(str(indexed / "no such folder"))
    terminal.see("There is no folder", "Folder (Ctrl-C: back)")
    terminal.type(f"'{indexed / 'sub'}/'")
    terminal.see("Take off the list: " + str(indexed / "sub"))
    terminal.control("c")
    terminal.see("protected: " + str(indexed / "sub"))
    terminal.control("c")
    terminal.menu()
    terminal.type("3")
    terminal.see("Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("Duplicate Set 1 of 2", "command:")
    terminal.type("")
    terminal.see("Duplicate Set 2 of 2", "the keeper, kept: in the protected folder", "command:")
    terminal.control("c")
    terminal.menu()
    terminal.type("9")
    terminal.see("protected: ")
    terminal.type(key_of("protected"))
    terminal.see("Take off the list")
    terminal.type("2")
    terminal.see("Add a folder")
    terminal.control("c")
    terminal.see("protected: none")
    assert settings.load().protected == ()


def test_between_two_folders_the_order_of_the_settings_is_offered_and_preselected(
    terminal: Terminal, indexed: Path, tmp_path: Path
) -> None:
    settings.save(settings.Settings(keep="oldest"))
    second = tmp_path / "second"
    save_picture(second / "picture 2.jpg", 2, (480, 360))
    terminal.open(indexed)
    terminal.type("6")
    terminal.see("Second folder")
    terminal.type(str(second))
    terminal.see("has no hashes yet")
    terminal.type("")
    terminal.see("3) Exit")
    terminal.type("2")
    terminal.see("Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("Which copies stay?", "Keep by your own order: oldest")
    terminal.type("")
    terminal.see("Duplicate Set 1 of 1", "the keeper, kept: older file")


def test_an_order_may_be_given_by_numbers_and_names() -> None:
    assert understand_order("3, oldest ,11") == f"{CRITERIA[2].name}, oldest, {CRITERIA[10].name}"
