"""A folder is understood in every form a person types, pastes or drags it in; a wrong one is explained."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import save_picture
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dedup.errors import DedupError
from dedup.folders import understand_folder

NAMES = [
    "pictures",
    "my pictures (2024)",
    "Bob's pictures",
    'the "best" ones',
    "back\\slash",
    " spaces around ",
    "100% & more; $HOME #1 ?",
    "日本語 été",
    "'quoted'",
    '"quoted"',
    "-dash",
    "file:",
    "tab\there",
]


def shell_escaped(path: Path) -> str:
    """As a file manager drops a path on a terminal: a backslash before everything special."""
    return "".join("\\" + letter if letter in " '\"\\()&;$#?\t" else letter for letter in str(path))


FORMS = {
    "as it is": str,
    "with a slash at the end": lambda path: f"{path}/",
    "with spaces around, as pasted": lambda path: f"  {path}\n",
    "in double quotes": lambda path: f'"{path}"',
    "in single quotes": lambda path: f"'{path}'",
    "in quotes with a slash inside": lambda path: f'"{path}/"',
    "in quotes with a space after, as dropped": lambda path: f"'{path}' ",
    "escaped, as dropped": shell_escaped,
    "escaped with a space after, as dropped": lambda path: shell_escaped(path) + " ",
    "as a shell would quote it": lambda path: shlex.quote(str(path)),
    "as a file address": lambda path: "file://" + quote(str(path)),
    "as a file address with a host": lambda path: "file://localhost" + quote(str(path)),
    "as a file address in quotes": lambda path: f'"file://{quote(str(path))}"',
    "as PowerShell drops it": lambda path: "& '" + str(path).replace("'", "''") + "'",
    "as PowerShell drops it in double quotes": lambda path: f'& "{path}"',
}


@pytest.mark.parametrize(
    ("name", "form"),
    # A space at the end cannot be told from one that was pasted along.
    [(name, form) for name in NAMES for form in FORMS if "pasted" not in form or name == name.strip()],
)
def test_a_folder_is_understood_in_every_pasted_form(tmp_path: Path, form: str, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert understand_folder(FORMS[form](folder)) == folder


@pytest.mark.parametrize("text", ["~", "~/", "~/pictures of mine", "~/pictures of mine/", "'~/pictures of mine'"])
def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "pictures of mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    expected = tmp_path / "pictures of mine" if "pictures" in text else tmp_path
    assert understand_folder(text) == expected


def test_a_tilde_with_escaped_spaces_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures of mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert understand_folder("~/pictures\\ of\\ mine/ ") == tmp_path / "pictures of mine"


def test_the_text_as_it_stands_comes_before_every_other_reading(tmp_path: Path) -> None:
    plain, quoted = tmp_path / "pictures", tmp_path / "'pictures'"
    spaced, escaped = tmp_path / "a b", tmp_path / "a\\ b"
    for folder in (plain, quoted, spaced, escaped):
        folder.mkdir()
    assert understand_folder(str(quoted)) == quoted
    assert understand_folder(str(escaped)) == escaped
    assert understand_folder(str(spaced)) == spaced


def test_a_relative_folder_and_the_working_folder_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert understand_folder("here") == tmp_path / "here"
    assert understand_folder(".") == tmp_path
    assert understand_folder("here/..") == tmp_path


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert understand_folder(f"'{tmp_path / 'link'}'") == tmp_path / "real"


def test_a_folder_whose_name_is_not_valid_unicode_is_understood(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 pictures")
    folder.mkdir()
    assert understand_folder(f"'{folder}'") == folder


@pytest.mark.parametrize("text", ["", " ", "\t\n", '""', "''", '"', "'", '"" ', "& ''", "file://"])
def test_an_empty_answer_is_explained(text: str) -> None:
    with pytest.raises(DedupError) as caught:
        understand_folder(text)
    assert caught.value.remedy


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_folder_is_explained_by_its_name(tmp_path: Path, form: str) -> None:
    with pytest.raises(DedupError, match="no such pictures") as caught:
        understand_folder(FORMS[form](tmp_path / "no such pictures").replace("\\ ", " ").replace("%20", " "))
    assert "no folder" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("form", ["as it is", "in double quotes", "in single quotes"])
def test_a_file_instead_of_a_folder_is_explained(tmp_path: Path, form: str) -> None:
    picture = save_picture(tmp_path / "holiday picture.jpg", 1)
    with pytest.raises(DedupError, match="is a file") as caught:
        understand_folder(FORMS[form](picture))
    assert "folder" in caught.value.remedy


def test_a_folder_that_may_not_be_read_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o000)
    if os.name == "nt" or os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda *_, **__: False)  # the administrator may read everything
    with pytest.raises(DedupError, match="cannot be read") as caught:
        understand_folder(str(folder))
    assert caught.value.remedy
    folder.chmod(0o755)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("ab/~'\"\\& .:%file$#\0\n", max_size=14) | st.text(max_size=8))
@example(text="\0")
@example(text="file://[")
@example(text="~nobody-of-this-name/x")
@example(text="a" * 5000)
@example(text="\ud800")
def test_whatever_is_typed_gives_an_existing_folder_or_an_explanation(text: str) -> None:
    explained = ""
    folder = None
    try:
        folder = understand_folder(text)
    except DedupError as problem:
        explained = problem.message
    assert explained or (folder is not None and folder.is_dir())
