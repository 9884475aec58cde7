"""Databases that are damaged, foreign, newer or no files at all: one sentence, a remedy, and nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Recorder, contents, save_picture, tree
from fuzz.seeds import database_seeds
from fuzz.targets import database

from dedup import cli, workflow
from dedup.errors import DedupError
from dedup.settings import Settings
from dedup.store import Catalogue
from dedup.workflow import FindOptions

NAME = "image_database.db"
COMMANDS = ["status", "clean", "find", "review", "undo", "purge", "import", "index", "names"]


@pytest.fixture
def removed(folder: Path) -> Path:
    """A folder with pictures, one of which was removed to the trash."""
    for seed in range(4):
        save_picture(folder / f"{seed}.png", seed, (64, 48))
    shutil.copy2(folder / "0.png", folder / "copy of 0.png")
    workflow.index(folder, Settings(encoder="pdq", num_workers=0), Recorder())
    outcome = workflow.remove(workflow.plan_marked(workflow.find([folder], FindOptions(), Recorder())), Recorder())
    assert outcome.files == 1
    return folder


def flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    for place in random.Random(7).sample(range(100, len(data)), 4000):
        changed[place] ^= 0xFF
    return bytes(changed)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "bytes flipped": flipped,
    "the first page zeros": lambda data: b"\0" * 4096 + data[4096:],
    "the second page zeros": lambda data: data[:4096] + b"\0" * 4096 + data[8192:],
    "half of it missing": lambda data: data[: len(data) // 2],
    "the header only": lambda data: data[:100],
    "less than the header": lambda data: data[:37],
    "another file": lambda data: b"#!/bin/sh\necho something else entirely\n" * 200,
    "a page size that is none": lambda data: data[:16] + b"\x00\x03" + data[18:],
    "a negative version": lambda data: data[:60] + b"\xff\xff\xff\xfe" + data[64:],
    "a newer version": lambda data: data[:60] + b"\x00\x00\x03\xe7" + data[64:],
    "another application": lambda data: data[:68] + b"\x0f\x05\x51\x12" + data[72:],
}


@pytest.mark.parametrize("how", DAMAGE)
def test_every_command_says_what_is_wrong_and_leaves_the_file(
    removed: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    path, before = removed / NAME, contents(removed)
    bad = DAMAGE[how](path.read_bytes())
    path.write_bytes(bad)
    for word in COMMANDS:
        given = [word, str(removed), *(["--encoder", "pdq"] if word == "index" else [])]
        code = cli.main(given)
        told = capsys.readouterr().err
        if word not in ("names", "import"):  # which may not come by what is damaged
            assert code == 1, (word, told)
            assert len(told.strip().splitlines()) == 2, told
        assert code in (0, 1)
        assert "unexpected" not in told
        assert "Traceback" not in told
    if how != "the second page zeros":  # which only some commands come by
        assert path.read_bytes() == bad
    assert contents(removed) == before


@pytest.mark.parametrize("leftovers", [True, False])
def test_what_lies_in_the_trash_comes_back_without_the_database(removed: Path, leftovers: bool) -> None:
    whole = contents(removed)
    path = removed / NAME
    path.write_bytes(DAMAGE["bytes flipped"](path.read_bytes()))
    with pytest.raises(DedupError, match="damaged") as told:
        workflow.undo(removed, None, Recorder())
    assert told.value.remedy.startswith("Move it away")
    path.rename(removed.parent / "moved away.db")
    if leftovers:  # of the database that was moved away, and of no use to a new one
        (removed / f"{NAME}-wal").write_bytes(os.urandom(8192))
        (removed / f"{NAME}-shm").write_bytes(os.urandom(32768))
    assert workflow.undo(removed, None, Recorder()).files == 1
    assert contents(removed) == whole
    assert sorted(tree(removed)) == ["0.png", "1.png", "2.png", "3.png", "copy of 0.png"]


@pytest.mark.parametrize("rest", [b"", b"\x37\x7f\x06\x82" + b"\0" * 28, b"nothing of the kind" * 500])
def test_a_log_that_is_none_is_passed_over(removed: Path, rest: bytes) -> None:
    (removed / f"{NAME}-wal").write_bytes(rest)
    assert workflow.status(removed)["pictures"] == 4
    assert workflow.undo(removed, None, Recorder()).files == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files")
@pytest.mark.parametrize("what", ["pipe", "link", "link to nowhere", "folder", "link to itself"])
def test_what_is_no_file_is_not_taken_for_a_database(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    save_picture(folder / "a.png", 1)
    path, elsewhere = folder / NAME, tmp_path / "elsewhere.db"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "link to itself":
        path.symlink_to(path)
    else:
        path.symlink_to(elsewhere)
    if what == "link":
        elsewhere.write_bytes(b"")
    for words in (["index", str(folder), "--encoder", "pdq"], ["status", str(folder)], ["clean", str(folder)]):
        assert cli.main(words) == 1
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 2
    assert elsewhere.exists() == (what == "link")
    assert not elsewhere.exists() or elsewhere.read_bytes() == b""


def test_an_empty_file_is_a_database_that_begins(folder: Path) -> None:
    save_picture(folder / "a.png", 1)
    (folder / NAME).write_bytes(b"")
    workflow.index(folder, Settings(encoder="pdq", num_workers=0), Recorder())
    assert workflow.status(folder)["pictures"] == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE embedding_sets SET dim = NULL",
        "UPDATE embedding_sets SET dim = 4000000000",
        "UPDATE embedding_sets SET encoder = x'ff'",
        "UPDATE pictures SET path = 7 WHERE id = 3",
        "UPDATE pictures SET size = 'large'",
        "UPDATE pictures SET digest = NULL",
        "UPDATE pictures SET format = 5",
        "UPDATE embeddings SET vector = x''",
        "UPDATE runs SET folders = 'no JSON'",
        "UPDATE runs SET folders = '3'",
        "UPDATE journal SET digest = 'text'",
        "UPDATE journal SET size = NULL",
        "UPDATE journal SET path = 3",
        "UPDATE journal SET keeper = NULL",
        "UPDATE verifications SET result = x'00'",
    ],
)
def test_rows_that_make_no_sense_are_damage_in_words(tmp_path: Path, change: str, home: Path) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(database_seeds()[0])
    with closing(sqlite3.connect(path)) as bad:
        table = change.split()[1]
        columns = bad.execute(f"PRAGMA table_info({table})").fetchall()
        # As a bit that flipped could have it: the declarations say otherwise.
        bad.execute("PRAGMA writable_schema = ON")
        (script,) = bad.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        for column in columns:
            script = script.replace(f"{column[1]} {column[2]} NOT NULL", column[1]).replace(" NOT NULL", "")
        for kind in ("TEXT", "INTEGER", "BLOB", "REAL"):
            script = script.replace(f" {kind}", " ") if table not in ("verifications", "runs") else script
        script = script.replace("id  PRIMARY KEY", "id INTEGER PRIMARY KEY")
        bad.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (script, table))
        bad.commit()
    with closing(sqlite3.connect(path)) as bad:
        assert bad.execute(change).rowcount > 0
        bad.commit()
    database(path.read_bytes(), tmp_path)  # whatever is no DedupError is raised here


def test_a_program_without_rights_to_write_the_database_says_so(removed: Path) -> None:
    def refuse(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", refuse)
        with pytest.raises(DedupError, match="cannot be written"):
            Catalogue(removed)
