"""The conventions of a command line: help with examples, quiet and verbose, completion, an installable package."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argcomplete.shell_integration import shellcode
from conftest import PROJECT, save_picture

from dedup import __version__
from dedup.cli import build_parser
from dedup.reference import as_markdown

PYTHON = (sys.executable, str(PROJECT / "detector.py"))


def commands(
    parser: argparse.ArgumentParser | None = None, before: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command once, and those within it: other names of one are not listed in the help."""
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name in (choice.dest for choice in action._choices_actions):
                yield before + name, action.choices[name]
                yield from commands(action.choices[name], f"{before}{name} ")


def run(*words: str, start: tuple[str, ...] = PYTHON, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*start, *words], capture_output=True, text=True, cwd=PROJECT, env={**os.environ, **environment}, timeout=120
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        save_picture(tmp_path / f"{number}.png", number, (60, 40))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n rubbish")
    return tmp_path


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_help_ends_with_an_example_that_is_understood(name: str, command: argparse.ArgumentParser) -> None:
    example = command.format_help().rstrip().rpartition("Example: python detector.py ")[2]
    words = shlex.split(example.partition(" >")[0])
    assert " ".join(words).startswith(name)
    assert build_parser().parse_args(words).run is not None


def test_the_readme_holds_the_reference_made_from_the_help() -> None:
    found = re.search(r"<!-- reference -->\n(.*?)\n<!-- /reference -->", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    assert found[1].strip() == as_markdown(build_parser()).strip(), (
        "python detector.py reference prints what it should be"
    )
    for name, _ in commands():
        assert f"**`{name}`**" in found[1]


def test_quiet_says_results_and_errors_only(folder: Path) -> None:
    words = ("index", str(folder), "--encoder", "dhash")
    assert run("-q", *words).stderr == ""
    plain = run("find", str(folder), "--quiet")
    assert plain.stderr == ""
    assert "No duplicates among 3 pictures" in plain.stdout
    wrong = run("--quiet", "find", str(folder / "nowhere"))
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "There is no folder" in wrong.stderr


def test_verbose_says_each_steps_time_and_what_was_left_out(folder: Path) -> None:
    told = run("index", str(folder), "--encoder", "dhash", "-v").stderr
    assert re.search(r"^pictures: 4 in \d+\.\d s$", told, re.MULTILINE)
    assert f"left out: {folder / 'broken.png'}: " in told
    assert "Traceback" not in told


def test_debug_shows_where_an_error_comes_from_before_and_after_the_command(tmp_path: Path) -> None:
    for words in (("--debug", "find", str(tmp_path / "no")), ("find", str(tmp_path / "no"), "--debug")):
        assert "Traceback" in run(*words).stderr
    assert "Traceback" not in run("find", str(tmp_path / "no")).stderr


def test_what_is_no_terminal_gets_no_bars_and_no_colours(folder: Path) -> None:
    done = run("index", str(folder), "--encoder", "dhash")
    assert "\r" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_python_m_dedup_is_the_same_program() -> None:
    module = (sys.executable, "-m", "dedup")
    assert run("--version", start=module).stdout == f"python -m dedup {__version__}\n"
    assert run("--version").stdout == f"detector.py {__version__}\n"
    assert run("status", "/nowhere-at-all", start=module).returncode == 1


def test_commands_name_themselves_as_they_were_started(folder: Path) -> None:
    advice = run("find", str(folder), start=(sys.executable, "-m", "dedup")).stderr
    assert f'-m dedup index "{folder}"' in advice


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_what_lets_it_complete(shell: str) -> None:
    code = run("completion", shell).stdout
    assert shellcode(["dedup"], shell=shell) in code
    assert "_ARGCOMPLETE" in code
    assert "dedup" in code
    assert "detector.py" in code


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    def completions(line: str) -> list[str]:
        asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        done = run("-c", f"{shlex.join(PYTHON)} 8>&1 9>/dev/null", start=("bash",), **asked)
        return [word.strip() for word in done.stdout.split("\n") if word.strip()]

    assert completions("detector.py stat") == ["status"]
    assert "--save-plan" in completions("detector.py find --s")
    assert "pdq" in completions("detector.py index --encoder p")


def test_the_package_installs_as_a_command(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("dedup", "pyproject.toml", "README.md", "requirements.txt"):
        (source / name).symlink_to(PROJECT / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-build-isolation")
    done = run("--target", str(tmp_path / "here"), str(source), start=pip)
    assert done.returncode == 0, done.stderr
    installed = run("--version", start=(str(tmp_path / "here" / "bin" / "dedup"),), PYTHONPATH=str(tmp_path / "here"))
    assert installed.stdout == f"dedup {__version__}\n"
    assert (tmp_path / "here" / "dedup" / "reports" / "page.js").is_file()
    (metadata,) = (tmp_path / "here").glob("*.dist-info/METADATA")
    assert "Requires-Dist: torch==2.13.0" in metadata.read_text()


def test_names_that_suggest_nothing_end_in_one_line(folder: Path) -> None:
    done = run("names", str(folder))
    assert (done.returncode, done.stdout) == (0, "No duplicates among 4 pictures (file names).\n")
