"""Every name a file can have goes through every command: the files are safe, and so is the terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

import pytest
from conftest import PROJECT, Recorder, detector, save_picture, tree
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_names import ODD_FOLDER, ODD_NAMES, deceiving
from PIL import Image

from dedup import cli, console, workflow
from dedup.apart import Apart
from dedup.errors import DedupError, UnreadablePicture, command
from dedup.progress import Notice
from dedup.review import captions
from dedup.review.contact_sheet import write_contact_sheets
from dedup.review.session import ReviewSession
from dedup.review.thumbnails import load_or_explain
from dedup.settings import Settings, save
from dedup.wording import printable, printable_lines

PDQ = ("--encoder", "pdq")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with an odd name, full of odd names, each twice, and each unreadable once."""
    root = tmp_path / ODD_FOLDER
    for number, name in enumerate(ODD_NAMES):
        save_picture(root / name, number, (64, 48))
        (root / "copies \x1b[1m").mkdir(exist_ok=True)
        shutil.copy2(root / name, root / "copies \x1b[1m" / name)
        (root / "damaged").mkdir(exist_ok=True)
        (root / "damaged" / name).write_bytes(b"no picture")
    return root


def run(*words: object, code: int) -> str:
    """What a command printed on both streams, which holds nothing that could deceive."""
    done = detector(*words)
    assert done.returncode == code, done.stderr
    assert deceiving(done.stdout) == set(), words
    assert deceiving(done.stderr) == set(), words
    return done.stdout + done.stderr


def test_every_odd_name_goes_all_the_way_and_back_and_none_reaches_the_terminal(odd: Path, tmp_path: Path) -> None:
    before, plan, sheets = tree(odd), tmp_path / "plan \x1b[5m.json", tmp_path / "sheets \x9b"
    told = run("index", odd, *PDQ, code=3)
    assert told.count("not a picture") == len(ODD_NAMES)
    assert f"damaged/{printable(ODD_NAMES[0])}: not a picture" in told
    found = detector("find", odd, *PDQ, "--json")
    assert found.stdout.isascii()
    assert "\x7f" not in found.stdout
    listed = {
        one["path"] for group in json.loads(found.stdout)["groups"] for one in (group["keeper"], *group["others"])
    }
    assert {os.fspath(odd / name) for name in ODD_NAMES} < listed
    told = run("find", odd, *PDQ, "--save-plan", plan, "--contact-sheet", sheets, code=0)
    assert f"{len(ODD_NAMES)} sets" in told
    run("status", odd, code=0)
    run("clean", odd, "--yes", code=0)
    run("review", odd, *PDQ, code=0)
    run("remove", "--plan", plan, "--dry-run", code=0)
    told = run("remove", "--plan", plan, "--yes", code=0)
    assert len(tree(odd)) == len(before) - len(ODD_NAMES)
    assert run_line(told, "bring them back") == odd
    assert tree(odd) == before
    run("remove", "--plan", plan, "--yes", code=0)
    run("purge", odd, "--yes", code=0)
    assert len(tree(odd)) == len(before) - len(ODD_NAMES)
    assert {path for path in before if "copies" not in path} <= set(tree(odd)) | {
        path for path in before if "copies" not in path and f"copies \x1b[1m/{path}" in tree(odd)
    }


def run_line(told: str, which: str) -> Path:
    """Paste the line with the undo command into a shell; the folder it names."""
    line = next(line for line in told.splitlines() if which in line)
    words = line[line.index(" or: ") + 5 :]
    in_shell(words)
    return Path(os.fsdecode(in_shell(f"printf '%s\\0' {words}").split(b"\0")[3]))


def in_shell(line: str) -> bytes:
    """What a line prints that was pasted into a shell."""
    done = subprocess.run(["bash", "-c", line], capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_finds_copies_with_odd_names_and_says_so_safely(tmp_path: Path) -> None:
    root = tmp_path / ODD_FOLDER
    for number, name in enumerate(name for name in ODD_NAMES if len(os.fsencode(name)) < 240):
        save_picture(root / name, number, (64, 48))
        stem, suffix = os.path.splitext(name)
        shutil.copy2(root / name, root / f"{stem} (1){suffix}")
    before = tree(root)
    run("names", root, code=0)
    run("names", root, "--yes", code=0)
    assert len(tree(root)) < len(before)
    run("undo", root, code=0)
    assert tree(root) == before


@pytest.mark.parametrize("name", ["evil \x1b[31m\u202e\n", "-x", "--yes", os.fsdecode(b"\xff"), "~", "a?b#c%41"])
def test_every_command_explains_a_folder_or_file_with_an_odd_name_safely(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    folder = tmp_path / name
    for state in ("missing", "empty", "a file"):
        if state == "empty":
            folder.mkdir()
        elif state == "a file":
            shutil.rmtree(folder)
            folder.write_text("{}")
        for words in every_command(os.fspath(folder)):
            assert cli.main(words) in (0, 1, 3), words
            told = capsys.readouterr()
            assert deceiving(told.out + told.err) == set(), words
            assert "unexpected" not in told.err, words


def every_command(place: str) -> list[list[str]]:
    """Each command with the place as everything it can be."""
    with_folder = ["index", "find", "review", "undo", "purge", "clean", "names", "status", "import", "calibrate"]
    lines = [["--debug", word, place] for word in with_folder] + [[word, place] for word in with_folder]
    lines += [["find", place, "--keep-all-of", place], ["remove", "--plan", place, "--yes"]]
    lines += [["undo", place, "--run", place], ["purge", place, "--run", place]]
    return [*lines, ["index", place, "--weights", place, "--encoder", "sscd"], ["find", place, "--params", place]]


def test_a_name_that_begins_with_a_dash_is_a_name_behind_two_dashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_picture(tmp_path / "--yes" / "-a.png", 1)
    shutil.copy2(tmp_path / "--yes" / "-a.png", tmp_path / "--yes" / "-a copy.png")
    assert cli.main(["names", "--", "--yes"]) == 0
    assert "1 set" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["find", "--\x1b[31m"], ["\x1b[31m\u202e"], ["find", "x", "--mark", "\x9b\n"]])
def test_what_was_typed_wrongly_is_repeated_safely(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert deceiving(capsys.readouterr().err) == set()


def test_an_error_nobody_expected_is_said_safely(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("harm \x1b[31m\u202e\nSet 1: keep nothing")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dedup.commands.status", fail)
        assert cli.main(["status"]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 2
        assert cli.main(["--debug", "status"]) == 1
    assert deceiving(capsys.readouterr().err) == set()


@given(st.text())
def test_whatever_is_printed_holds_nothing_that_deceives(text: str) -> None:
    assert deceiving(printable_lines(text)) == set()
    assert deceiving(printable(text)) == set()
    assert "\n" not in printable(text)
    assert printable_lines(printable_lines(text)) == printable_lines(text)


def test_whatever_a_room_says_the_console_prints_it_safely(capsys: pytest.CaptureFixture[str]) -> None:
    harm = "".join(ODD_NAMES)
    console.say(harm)
    console.note(harm)
    console.explain(DedupError(harm, harm))
    with console.working() as report:
        report(Notice(harm))
    console.say_json({harm: harm})
    told = capsys.readouterr()
    assert deceiving(told.out + told.err) == set()
    assert json.loads(told.out.splitlines()[-1]) == {harm: harm}


def test_questions_are_asked_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    harm, asked = "a \x1b[31m\u202e b", []

    def remember(question: object) -> object:
        asked.append(question)
        return 0

    for kind in ("select", "text", "confirm"):
        monkeypatch.setattr(f"questionary.{kind}", lambda *given, **named: (given, named))
    monkeypatch.setattr(console, "_ask", lambda question: asked.append(question) or "0")
    monkeypatch.setattr(console, "_forget_what_was_typed_ahead", lambda: None)
    console.ask_line(harm, harm)
    console.confirm(harm)
    monkeypatch.setattr(console, "_ask", remember)
    console.choose(harm, [(harm, 1)])
    for given_words, named in asked:
        assert deceiving("".join(given_words)) == set()
        assert all(deceiving(row.title) == set() for row in named.get("choices", []))
    assert len(asked) == 3


def test_the_reviewers_show_every_odd_name(odd: Path, tmp_path: Path) -> None:
    workflow.index(odd, Settings(encoder="pdq", num_workers=0), Recorder())
    found = workflow.find([odd], workflow.FindOptions(), Recorder())
    assert len(found.groups) == len(ODD_NAMES)
    session = ReviewSession(found)
    import matplotlib.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = matplotlib.figure.Figure(figsize=(4, 4))
    canvas = FigureCanvasAgg(figure)
    for one in session.sets:
        for number in range(len(one.pictures)):
            lines = captions.facts(one, number, "1", 300)
            assert deceiving("".join(lines)) == set()
            assert all("\n" not in line for line in lines)
            figure.text(0.1, 0.1 + number / 5, lines[0], parse_math=False)
    with warnings.catch_warnings(action="ignore"):  # letters that the font lacks are drawn as boxes
        canvas.draw()
    for page in write_contact_sheets(found.groups, tmp_path / "sheets", Recorder()):
        with Image.open(page) as sheet:
            sheet.verify()


def test_a_reason_that_could_deceive_is_drawn_safely(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> Image.Image:
        raise UnreadablePicture("harm \x00\x1b \u202e \ud800")

    with Apart() as apart:
        monkeypatch.setattr("dedup.images.open_upright", refuse)
        assert load_or_explain(tmp_path / "a.png", 100, apart).size == (100, 75)


@pytest.mark.skipif(os.name == "nt", reason="the shells of Windows know no such escapes")
@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8))
def test_a_line_to_paste_means_the_very_name_in_a_shell(name: str) -> None:
    words = command("undo", name).partition(" undo ")[2]
    assert in_shell(f"printf %s {words}") == os.fsencode(name)
    if not any(unicodedata.category(one) in ("Mn", "Lo", "So") for one in name):
        assert deceiving(words) == set()


def test_saved_settings_with_an_odd_folder_do_no_harm_in_the_menu(odd: Path, home: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    save(Settings(last_folder=os.fspath(odd)))
    child = pexpect.spawn(
        sys.executable, [str(PROJECT / "detector.py")], encoding="utf-8", timeout=60, dimensions=(40, 200)
    )
    seen = []
    for wanted, answer in (("Folder with your pictures", "\r"), ("Quick filename", "\x04")):
        child.expect(wanted)
        seen += [child.before, child.after]
        child.send(answer)
    child.expect(pexpect.EOF)
    seen.append(child.before)
    told = "".join(seen)
    assert "\\x1b[31m" in told  # the folder was shown, with escapes
    assert "folder \x1b[31m" not in told
    assert "\u202e" not in told
