"""Reviewing in folders from the real menu: the person sorts files in another program while the menu waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_menu import Terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal, which Windows has not")


def sorted_out(output: Path) -> None:
    """What a person does with the file manager."""
    next(path for path in output.rglob("*exact.jpg")).unlink()


def test_the_menu_lays_the_sets_out_waits_and_removes_what_was_deleted(indexed: Path, home: Path) -> None:
    menu = Terminal(home)
    menu.open(indexed)
    menu.see("Review in folders")
    menu.type("a")  # the shortcut of the eleventh choice
    menu.see("Folder for the sets")
    menu.type("")
    menu.see("Threshold")
    menu.type("")
    menu.see("What may be marked")
    menu.type("")
    menu.see("Laid out", "Later: what is laid out stays")
    output = indexed.parent / "my pictures - sets"
    sorted_out(output)
    menu.type("1")
    menu.see("1 file to delete", "Move 1 file")
    menu.type("y")
    menu.see("Moved 1 file")
    menu.menu()
    assert not (indexed / "exact.jpg").exists()
    assert (indexed / "picture 0.jpg").exists()
    menu.leave()


def test_the_terminal_review_can_go_on_in_folders_and_later_in_another_session(indexed: Path, home: Path) -> None:
    menu = Terminal(home)
    menu.open(indexed)
    menu.type("3")
    menu.see("Threshold")
    menu.type("")
    menu.see("What may be marked")
    menu.type("")
    menu.see("Duplicate Set 1 of 2")
    menu.type("folders")
    menu.see("Folder for the sets")
    menu.type("")
    menu.see("Later: what is laid out stays")
    menu.type("2")
    menu.menu()
    menu.leave()
    sorted_out(indexed.parent / "my pictures - sets")
    menu = Terminal(home)
    menu.open(indexed)
    menu.type("a")
    menu.see("Folder for the sets")
    menu.type("")
    menu.see("Go on with the sets")
    menu.type("y")
    menu.see("Done: show what I deleted")
    menu.type("1")
    menu.see("1 file to delete", "Move 1 file")
    menu.type("")
    menu.see("Nothing was changed")
    assert (indexed / "exact.jpg").exists()
    menu.menu()
    menu.leave()
