"""The real menu, driven through a pseudo-terminal as a person would, then a look at the disk.

Pictures are indexed with the real default encoder. The review happens in the terminal
(no display is offered) except in the last test, which drives the real window.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import pytest
from checkpoints import tiny
from conftest import PROJECT, detector, resaved, save_picture, tree

from dedup import settings
from dedup.settings import Settings
from dedup.store import Catalogue

UP_TO_DATE = "0 of them now"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal, which Windows has not")


class Terminal:
    """The menu in a pseudo-terminal: ``see`` waits for words, ``type`` sends a line."""

    def __init__(self, home: Path, **env: str) -> None:
        plain = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        settings = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "HF_HUB_OFFLINE": "1", "DEDUP_HOME": str(home)}
        self.child = pexpect.spawn(
            sys.executable,
            [str(PROJECT / "detector.py")],
            env=plain | settings | env,
            encoding="utf-8",
            timeout=60,
            dimensions=(60, 160),
        )

    def see(self, *words: str) -> None:
        for word in words:
            self.child.expect_exact(word)

    def type(self, text: str) -> None:
        self.child.send(text + "\r")

    def control(self, letter: str) -> None:
        self.child.sendcontrol(letter)

    def open(self, folder: Path) -> None:
        self.see("Folder with your pictures")
        self.type(str(folder))
        self.menu()

    def menu(self) -> None:
        self.see("9) Settings")

    def find_up_to_the_confirmation(self) -> None:
        self.type("3")
        self.see("Threshold")
        self.type("")
        self.see("What may be marked")
        self.type("")
        self.see("Duplicate Set 1 of 2")
        self.type("d")
        self.see("Move 2 files")

    def leave(self) -> None:
        self.type("7")
        self.ends()

    def ends(self) -> None:
        self.see("Goodbye.")
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus == 0


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    session = Terminal(home)
    yield session
    session.child.close(force=True)


def windows_that_say(words: str) -> list[str]:
    found = subprocess.run(["xdotool", "search", "--name", words], capture_output=True, text=True, timeout=30)
    return found.stdout.split()


def wait_for_window(words: str, seconds: float) -> str:
    """The id of the window whose title says so, or "" when none does in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := windows_that_say(words):
            return found[0]
        time.sleep(0.1)
    return ""


def press(key: str, before: str, after: str) -> None:
    """Press a key in the window that says ``before`` until it says ``after``: a key may come before its focus."""
    for _ in range(6):
        if window := wait_for_window(before, 0.2):
            subprocess.run(["xdotool", "windowfocus", "--sync", window, "key", key], check=True, timeout=30)
        if wait_for_window(after, 10.0):
            return
    raise AssertionError(f"no window says {after}")


def test_the_menu_lists_its_seven_choices_in_order_and_leaves_cleanly(terminal: Terminal, folder: Path) -> None:
    terminal.see("Folder with your pictures")
    terminal.type(str(folder))
    terminal.see("1) Quick filename cleanup", "2) Generate/update image hashes", "3) Find & remove duplicates")
    terminal.see("4) Full workflow", "5) Clean/verify database", "6) Add another folder path", "7) Exit")
    terminal.leave()


def test_from_the_folder_prompt_to_removed_duplicates_and_back(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    for name in ("image_database.db", "image_database.lock"):
        (indexed / name).unlink()
    terminal.see("Folder with your pictures")
    terminal.type(f"'{indexed}/'")
    terminal.menu()
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("CLIP ViT-Large-14", "CLIP ViT-Base-32", "DINOv3 ViT-Large", "EfficientNet-Lite0")
    terminal.type("")
    terminal.see("Loading PyTorch", "8 pictures indexed, 8 of them now")
    terminal.menu()
    terminal.type("3")
    terminal.see("0.97 - 0.99", "default 0.96", "Threshold [0.96]")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("2 sets of duplicates among 8 pictures", "Contact sheet: ", "Duplicate Set 1 of 2")
    terminal.type("d")
    terminal.see("2 files", f"from {indexed}", ".dedup-trash/", "Move 2 files")
    assert tree(indexed) == before, "nothing moves before the confirmation"
    terminal.type("y")
    terminal.see("Moved 2 files")
    terminal.menu()
    after = tree(indexed)
    assert set(before) - set(after) in (
        {"exact.jpg", "sub/smaller.jpg"},
        {"picture 0.jpg", "sub/smaller.jpg"},
    )
    assert len(list((indexed / ".dedup-trash").rglob("*.jpg"))) == 2
    terminal.type("8")
    terminal.see("Bring back 2 files")
    terminal.type("1")
    terminal.see("Brought back 2 files")
    terminal.menu()
    terminal.leave()
    assert tree(indexed) == before
    assert not (indexed / ".dedup-trash").exists()


def test_a_bad_path_is_explained_and_asked_again(terminal: Terminal, tmp_path: Path, folder: Path) -> None:
    terminal.see("Folder with your pictures")
    terminal.type(str(tmp_path / "no such folder"))
    terminal.see("There is no folder", "Check the spelling", "Folder with your pictures")
    file = save_picture(tmp_path / "one.jpg", 1)
    terminal.type(str(file))
    terminal.see("is a file, not a folder", "Folder with your pictures")
    terminal.type(str(folder))
    terminal.menu()
    terminal.leave()


def test_answering_no_changes_nothing(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    terminal.open(indexed)
    terminal.find_up_to_the_confirmation()
    terminal.type("n")
    terminal.see("Nothing was changed.")
    terminal.menu()
    terminal.leave()
    assert tree(indexed) == before


def test_enter_alone_at_the_confirmation_means_no(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    terminal.open(indexed)
    terminal.find_up_to_the_confirmation()
    terminal.type("")
    terminal.see("Nothing was changed.")
    assert tree(indexed) == before


def test_deleting_for_good_is_a_setting_and_is_typed_in_full(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    terminal.open(indexed)
    terminal.type("9")
    terminal.child.expect(r"(\d+)\) disposal: trash")
    terminal.type(str(terminal.child.match[1]))
    terminal.see("disposal [trash]")
    terminal.type("shredder")
    terminal.see("must be one of trash, system-trash", "disposal [trash]")
    terminal.type("delete")
    terminal.see("disposal: delete")
    terminal.control("c")
    terminal.menu()
    for answer in ("y", "delete", "", "delete 2 file"):
        terminal.type("3")
        terminal.see("Threshold")
        terminal.type("")
        terminal.see("What may be marked")
        terminal.type("")
        terminal.see("Duplicate Set 1 of 2")
        terminal.type("d")
        terminal.see("deleted for good", "Delete 2 files", "for good?", "delete 2 files")
        terminal.type(answer)
        terminal.see("Nothing was changed.")
        terminal.menu()
        assert tree(indexed) == before
    terminal.type("3")
    terminal.see("Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("Duplicate Set 1 of 2")
    terminal.type("d")
    terminal.see("Type  delete 2 files  to go on")
    terminal.type("delete 2 files")
    terminal.see("Deleted 2 files")
    terminal.menu()
    assert len(tree(indexed)) == len(before) - 2
    assert not (indexed / ".dedup-trash").exists()
    terminal.type("8")
    terminal.see("1) History")
    terminal.type("1")
    terminal.see("deleted for good: 2 deleted")
    terminal.menu()
    terminal.leave()


def test_control_c_goes_back_one_level_from_every_prompt(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    terminal.open(indexed)
    for keys in (["2"], ["2", ""], ["3"], ["4"], ["6"], ["9"]):
        for key in keys:
            terminal.type(key)
            time.sleep(0.3)
        terminal.control("c")
        terminal.see("Back to the menu")
        terminal.menu()
    terminal.control("c")
    terminal.see("Folder with your pictures")
    terminal.control("c")
    terminal.ends()
    assert tree(indexed) == before


@pytest.mark.parametrize("keys", [[], ["2"], ["3"], ["6"]], ids=["menu", "list", "line", "folder"])
def test_control_d_leaves_from_any_prompt(terminal: Terminal, indexed: Path, keys: list[str]) -> None:
    terminal.open(indexed)
    for key in keys:
        terminal.type(key)
        time.sleep(0.3)
    terminal.control("d")
    terminal.ends()


def test_a_threshold_out_of_range_is_explained_and_asked_again(terminal: Terminal, indexed: Path) -> None:
    terminal.open(indexed)
    terminal.type("3")
    terminal.see("Threshold")
    terminal.type("1.5")
    terminal.see("does not lie between 0 and 1", "Threshold")
    terminal.type("high")
    terminal.see("is not a number", "Threshold")
    terminal.type("1")
    terminal.see("What may be marked")
    terminal.type("")
    # Below the threshold counts what the pixels prove.
    terminal.see("2 sets of duplicates among 8 pictures (efficientnet-lite0, threshold 1)", "Duplicate Set 1 of 2")


def test_only_new_is_the_default_and_encodes_nothing_again(terminal: Terminal, indexed: Path) -> None:
    terminal.open(indexed)
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("Which model?")
    terminal.type("")
    terminal.see("8 pictures indexed, " + UP_TO_DATE)


def test_all_pictures_again_encodes_all(terminal: Terminal, indexed: Path) -> None:
    terminal.open(indexed)
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("2")
    terminal.see("Which model?")
    terminal.type("")
    terminal.see("8 pictures indexed, 8 of them now")


@pytest.mark.parametrize(("number", "name"), [("1", "clip-vit-l14"), ("3", "dinov3-vitl16")])
def test_a_model_whose_weights_cannot_be_had_says_so_and_offers_what_can(
    terminal: Terminal, indexed: Path, number: str, name: str
) -> None:
    save_picture(indexed / "new one.jpg", 77)
    terminal.open(indexed)
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("Which model?")
    terminal.type(number)
    if name.startswith("clip"):
        terminal.see("Which embedding?", "Final embedding", "Last hidden layer", "Both")
        terminal.type("")
    terminal.see(name)
    if name.startswith("dinov3"):
        terminal.see("Use DINOv2 ViT-Base instead?")
        terminal.type("")
        terminal.see("dinov2-base")
    terminal.see("Use EfficientNet-Lite0 instead?")
    terminal.type("")
    terminal.see("9 pictures indexed, 1 of them now")


def test_the_full_workflow_asks_everything_first(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    save_picture(indexed / "new one.jpg", 5, (480, 360), quality=80)
    terminal.open(indexed)
    terminal.type("4")
    for question in ("Which pictures?", "Which model?", "Threshold", "What may be marked"):
        terminal.see(question)
        terminal.type("")
    terminal.see("9 pictures indexed, 1 of them now", "3 sets of duplicates", "Duplicate Set 1 of 3")
    terminal.type("d")
    terminal.see("Move 3 files")
    terminal.type("y")
    terminal.see("Moved 3 files")
    assert len(set(before) - set(tree(indexed))) == 2


def test_new_files_are_offered_for_hashing_before_a_find(terminal: Terminal, indexed: Path) -> None:
    shutil.copy2(indexed / "picture 3.jpg", indexed / "a new copy.jpg")
    terminal.open(indexed)
    terminal.type("3")
    terminal.see("1 file in", "new or changed", "Update the hashes first?")
    terminal.type("")
    terminal.see("9 pictures indexed, 1 of them now", "Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("3 sets of duplicates among 9 pictures")


def test_filename_cleanup_removes_only_what_the_contents_confirm(terminal: Terminal, folder: Path) -> None:
    save_picture(folder / "image.jpg", 1)
    for name in (
        "image (1).jpg",
        "image-001.jpg",
        "Copy of image.jpg",
        "image copy.jpg",
        "image_1.jpg",
        "image - 2.jpg",
    ):
        shutil.copy2(folder / "image.jpg", folder / name)
    save_picture(folder / "image (2).jpg", 2)
    (folder / "report.pdf").write_bytes(b"a report")
    (folder / "report-2023.pdf").write_bytes(b"a report")
    terminal.open(folder)
    terminal.type("1")
    terminal.see("1 set of duplicates", "Duplicate Set 1 of 1")
    terminal.type("d")
    terminal.see("Move 6 files")
    terminal.type("y")
    terminal.see("Moved 6 files")
    assert set(tree(folder)) == {"image.jpg", "image (2).jpg", "report.pdf", "report-2023.pdf"}


def test_clean_asks_before_ghost_rows_go(terminal: Terminal, indexed: Path) -> None:
    (indexed / "picture 4.jpg").unlink()
    terminal.open(indexed)
    terminal.type("5")
    terminal.see("integrity check      ok", "ghost rows           1", "gone: picture 4.jpg", "Forget 1 rows")
    terminal.type("n")
    terminal.see("Nothing was changed.")
    terminal.menu()
    terminal.type("5")
    terminal.see("Forget 1 rows")
    terminal.type("y")
    terminal.see("8 pictures indexed before, 7 now")


def test_between_two_folders_only_the_chosen_folder_loses_files(
    terminal: Terminal, indexed: Path, real_folder: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy2(real_folder / "picture 2.jpg", second / "same as two.jpg")
    shutil.copy2(real_folder / "picture 2.jpg", second / "same as two again.jpg")
    save_picture(second / "other.jpg", 40)
    before = tree(indexed)
    terminal.open(indexed)
    terminal.type("6")
    terminal.see("Second folder")
    terminal.type(str(second))
    terminal.see("has no hashes yet")
    terminal.type("")
    terminal.see("3 pictures indexed", "1) Quick filename cleanup", "2) Find & remove duplicates", "3) Exit")
    terminal.type("2")
    terminal.see("Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("Keep the largest file", "Keep everything in folder 1", "Keep everything in folder 2")
    terminal.type("2")
    terminal.see("1 set of duplicates", "Duplicate Set 1 of 1")
    terminal.type("d")
    terminal.see("Move 2 files")
    terminal.type("y")
    terminal.see("Moved 2 files")
    assert tree(indexed) == before
    assert set(tree(second)) == {"other.jpg"}
    terminal.see("4) Undo")
    terminal.type("4")
    terminal.see("Bring back 2 files")
    terminal.type("")
    terminal.see("Brought back 2 files")
    assert len(tree(second)) == 3
    terminal.type("3")
    terminal.ends()


def test_the_sample_folder_shows_the_whole_job(terminal: Terminal, home: Path) -> None:
    terminal.see("Enter alone draws a small sample folder")
    terminal.type("")
    terminal.menu()
    terminal.type("4")
    for question in ("Which pictures?", "Which model?", "Threshold", "What may be marked"):
        terminal.see(question)
        terminal.type("")
    terminal.see("4 sets of duplicates among 10 pictures", "Duplicate Set 1 of 4")
    terminal.type("d")
    terminal.see("Move 4 files")
    terminal.type("y")
    terminal.see("Moved 4 files")
    assert len(tree(home / "sample-pictures")) == 6


def test_settings_are_bounded_and_kept(terminal: Terminal, indexed: Path) -> None:
    terminal.open(indexed)
    terminal.type("9")
    terminal.see("threshold of efficientnet-lite0: automatic")
    terminal.type("2")
    terminal.see("threshold of efficientnet-lite0")
    terminal.type("7")
    terminal.see("does not lie between 0 and 1")
    terminal.type("0,9")
    terminal.see("threshold of efficientnet-lite0: 0.9")
    terminal.type("1")
    terminal.see("Which model?")
    terminal.control("c")
    terminal.see("Settings (Ctrl-C: back)", "weights")
    terminal.control("c")
    terminal.menu()
    terminal.type("3")
    terminal.see("Threshold [0.9]")


def test_each_encoder_keeps_its_own_settings(terminal: Terminal, folder: Path) -> None:
    save_picture(folder / "a.png", 3)
    resaved(folder / "a.png", folder / "b.jpg", 0.5, quality=60)
    terminal.see("Folder with your pictures")
    terminal.type(str(folder))
    terminal.see("Hashes: none yet")
    terminal.menu()
    terminal.type("9")
    terminal.see("encoder: efficientnet-lite0")
    terminal.type("1")
    terminal.see("Which model?", "Fingerprints and colours")
    terminal.type("7")
    terminal.see("Which one?", "PDQ (256 bits; ready)")
    terminal.type("3")
    terminal.see("encoder: phash", "parameters of phash: automatic")
    terminal.type("2")
    terminal.see("parameters of phash")
    terminal.type("size=16")
    terminal.see("phash has no parameter size", "hash_size")
    terminal.type("hash_size=16")
    terminal.see("parameters of phash: hash_size=16")
    terminal.control("c")
    terminal.type("3")
    terminal.see("has no hashes yet")
    terminal.type("y")
    terminal.see("2 pictures indexed", "How many of the 256 bits", "Threshold [12]")
    terminal.type("300")
    terminal.see("does not lie between 0 and 256")
    terminal.type("100")
    terminal.see("At most 100 of 256 bits may differ", "What may be marked", "Everything at the threshold")
    terminal.type("4")
    terminal.see("1 set of duplicates", "Duplicate Set 1 of 1", "command:")
    terminal.control("c")
    terminal.see("Hashes of 2 of 2 pictures: Perceptual hash (hash_size=16,highfreq_factor=4)")


def test_find_asks_which_hashes_to_compare_when_there_are_several(terminal: Terminal, indexed: Path) -> None:
    detector("index", indexed, "--encoder", "pdq")
    save_picture(indexed / "one more.jpg", 99)
    detector("index", indexed)
    terminal.open(indexed)
    terminal.type("3")
    terminal.see("Compare with which hashes?", "EfficientNet-Lite0", "PDQ")
    terminal.type("2")
    terminal.see("How many of the 256 bits of PDQ", "Threshold [31]")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("sets of duplicates among 8 pictures (pdq, threshold 31 of 256 bits", "Duplicate Set 1 of", "command:")
    terminal.control("c")
    terminal.see("Hashes of 9 of 9 pictures: EfficientNet-Lite0", "Hashes of 8 of 9 pictures: PDQ")
    terminal.menu()
    terminal.leave()


def test_clip_is_preselected_where_its_weights_are_on_the_machine(home: Path, folder: Path, tmp_path: Path) -> None:
    save_picture(folder / "a.png", 1)
    cached = tmp_path / "hf" / "hub" / "models--openai--clip-vit-large-patch14"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "snapshots" / "abc" / "model.safetensors").write_bytes(b"")
    terminal = Terminal(home, HF_HOME=str(tmp_path / "hf"))
    terminal.open(folder)
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("Which model?", "CLIP ViT-Large-14 (768 numbers; ready)")
    terminal.type("")
    terminal.see("Which embedding?")
    terminal.child.close(force=True)


def test_both_embeddings_of_clip_from_one_pass_and_find_asks_which(terminal: Terminal, folder: Path) -> None:
    for seed in range(3):
        save_picture(folder / f"{seed}.jpg", seed)
    shutil.copy2(folder / "0.jpg", folder / "copy.jpg")
    settings.save(Settings(encoder="clip-vit-l14", weights=str(tiny("clip"))))
    terminal.open(folder)
    terminal.type("4")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("Which model?", "CLIP ViT-Large-14 (768 numbers; ready)")
    terminal.type("1")
    terminal.see("Which embedding?", "Final embedding", "Last hidden layer", "Both, side by side")
    terminal.type("3")
    terminal.see("Compare with which embedding?")
    terminal.type("2")
    terminal.see("Threshold")
    terminal.type("1")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see(
        "4 pictures indexed, 4 of them now",
        "duplicates among 4 pictures (clip-vit-l14",
        "Duplicate Set 1 of",
        "command:",
    )
    terminal.control("c")
    terminal.see("Hashes of 4 of 4 pictures: ", "CLIP ViT-Large-14 (final)")
    terminal.menu()
    terminal.type("3")
    terminal.see("Compare with which hashes?", "CLIP ViT-Large-14 (hidden)")


def test_another_tools_hashes_are_offered_once_and_imported_after_a_yes(
    terminal: Terminal, indexed: Path, home: Path
) -> None:
    with Catalogue(indexed) as store:
        pictures, vectors = store.load(store.sets()[0].provenance)
    (indexed / "image_database.db").unlink()
    with closing(sqlite3.connect(indexed / "image_database.db")) as database, database:
        database.execute("CREATE TABLE images (absolute_path TEXT PRIMARY KEY, hash BLOB, final_embedding_hash BLOB)")
        rows = [
            ((indexed / one.path).as_posix(), row.astype("float32").tobytes(), None)
            for one, row in zip(pictures, vectors.rows, strict=True)
        ]
        database.executemany("INSERT INTO images VALUES (?, ?, ?)", rows)
    terminal.see("Folder with your pictures")
    terminal.type(str(indexed))
    terminal.see("made by another tool", "8 vectors of 1280 numbers", "Import these hashes?")
    terminal.type("n")
    terminal.see("Left alone", "Hashes: none yet", "Import the hashes of another tool")
    terminal.type("b")  # the twelfth choice
    terminal.see("Which model made them?", "EfficientNet-Lite0 (final), from 8 vectors")
    terminal.type("")
    terminal.see("imported 8 vectors", "Hashes of 8 of 8 pictures: EfficientNet-Lite0")
    terminal.menu()
    terminal.leave()
    second = Terminal(home)
    second.open(indexed)
    second.leave()
    assert "Import these hashes?" not in second.child.before


def test_control_c_during_hashing_stops_safely_and_the_next_run_goes_on(terminal: Terminal, folder: Path) -> None:
    for seed in range(900):
        save_picture(folder / f"{seed}.jpg", seed)
    terminal.open(folder)
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("Which model?")
    terminal.type("")
    terminal.see("Pictures:", "/900")
    time.sleep(1.5)
    terminal.control("c")
    terminal.see("Stopping after the work in hand", "Stopped. What was done is kept")
    terminal.menu()
    terminal.type("2")
    terminal.see("Which pictures?")
    terminal.type("")
    terminal.see("Which model?")
    terminal.type("")
    terminal.child.expect(r"900 pictures indexed, (\d+) of them now")
    assert 0 < int(terminal.child.match[1]) < 900


def test_the_first_prompt_is_there_at_once(home: Path) -> None:
    times = []
    for _ in range(3):
        began = time.monotonic()
        session = Terminal(home)
        session.see("Folder with your pictures")
        times.append(time.monotonic() - began)
        session.child.close(force=True)
    # Half a second on a machine at rest; the rest is allowance for one that is not.
    assert min(times) < 1.5, times


def test_without_a_terminal_the_sample_job_runs_up_to_the_plan(home: Path) -> None:
    done = detector()
    assert done.returncode == 0, done.stderr
    assert "4 sets of duplicates among 10 pictures" in done.stdout
    sheet = next(line.removeprefix("Contact sheet: ") for line in done.stdout.splitlines() if "Contact sheet: " in line)
    assert Path(sheet).read_bytes().startswith(b"\x89PNG")
    for command in ("index", "find", "review", "remove", "undo", "purge", "clean", "names", "status", "encoders"):
        assert command in done.stdout
    assert len(tree(home / "sample-pictures")) == 10
    assert not (home / "sample-pictures" / ".dedup-trash").exists()


def test_what_was_typed_before_the_confirmation_does_not_answer_it(terminal: Terminal, indexed: Path) -> None:
    before = tree(indexed)
    terminal.open(indexed)
    terminal.type("3")
    terminal.see("Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("Duplicate Set 1 of 2", "command")
    terminal.child.send("d\ry\r")
    terminal.see("Move 2 files")
    time.sleep(1)
    assert tree(indexed) == before
    terminal.type("")
    terminal.see("Nothing was changed.")


@pytest.mark.skipif(
    not os.environ.get("DISPLAY") or shutil.which("xdotool") is None,
    reason="needs a display and xdotool (run under xvfb-run)",
)
def test_the_window_of_the_menu_is_reviewed_with_real_keys(home: Path, indexed: Path) -> None:
    terminal = Terminal(home, DISPLAY=os.environ["DISPLAY"])
    terminal.open(indexed)
    terminal.type("3")
    terminal.see("Threshold")
    terminal.type("")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("A window opens")
    assert wait_for_window("set 1 of 2, removing 2 files", 60.0)
    # Second set: keep its copy; then close. Only the first set's copy is left in the plan.
    press("Right", "set 1 of 2, removing 2 files", "set 2 of 2, removing 2 files")
    press("2", "set 2 of 2, removing 2 files", "set 2 of 2, removing 1 file")
    subprocess.run(["xdotool", "key", "q"], check=True, timeout=30)
    terminal.see("Move 1 file")
    terminal.type("y")
    terminal.see("Moved 1 file")
    assert (indexed / "sub" / "smaller.jpg").exists()
    assert len(tree(indexed)) == 7
    terminal.menu()
    terminal.leave()
