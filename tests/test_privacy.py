"""No picture, no name and no count leaves the machine: nothing is sent unless a model is asked for that is not here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, save_picture

# Loaded by every Python that starts, the workers' included: whoever asks for a connection or a name ends the program.
FORBID = """
import os, socket
def refuse(*given, **named):
    with open(os.environ["TOLD"], "a") as file:
        file.write(repr(given[1:]) + "\\n")
    os._exit(99)
def only_within(really):
    # Processes of one program talk through sockets that have a path and no address.
    return lambda self, address: really(self, address) if self.family == socket.AF_UNIX else refuse(self, address)
class Socket(socket.socket):
    connect = only_within(socket.socket.connect)
    connect_ex = only_within(socket.socket.connect_ex)
    sendto = refuse
    bind = only_within(socket.socket.bind)
socket.socket = Socket
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection", "create_server"):
    setattr(socket, name, refuse)
"""


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that may not open a connection."""
    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(FORBID)
    return {**os.environ, "PYTHONPATH": str(place), "TOLD": str(tmp_path / "told.txt")}


def run(env: dict[str, str], *words: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "detector.py"), *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=env,
        timeout=240,
    )
    told = Path(env["TOLD"])
    assert not told.exists(), told.read_text()
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_ban_on_connections_is_one(offline: dict[str, str]) -> None:
    for line in (
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
        "socket.socket().connect(('127.0.0.1', 9))",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:9')",
    ):
        assert subprocess.run([sys.executable, "-c", f"import socket; {line}"], env=offline).returncode == 99
    os.remove(offline["TOLD"])


def test_the_whole_job_needs_no_network(offline: dict[str, str], folder: Path, tmp_path: Path) -> None:
    for seed in range(3):
        save_picture(folder / f"{seed}.jpg", seed)
    shutil.copy2(folder / "1.jpg", folder / "copy.jpg")
    run(offline, "index", folder)
    run(offline, "find", folder, "--save-plan", tmp_path / "plan.json", "--contact-sheet", tmp_path / "sheets")
    run(offline, "review", folder)
    run(offline, "remove", "--plan", tmp_path / "plan.json", "--yes")
    run(offline, "undo", folder)
    run(offline, "remove", "--plan", tmp_path / "plan.json", "--yes")
    run(offline, "purge", folder, "--yes")
    run(offline, "clean", folder)
    run(offline, "status", folder)
    run(offline, "names", folder)
    run(offline, "encoders")
    assert not (folder / "copy.jpg").exists() or not (folder / "1.jpg").exists()


def test_the_start_without_a_terminal_needs_no_network(offline: dict[str, str]) -> None:
    assert "Nothing was removed" in run(offline)


def test_a_model_that_is_not_here_is_what_asks_for_the_network(offline: dict[str, str], folder: Path) -> None:
    save_picture(folder / "a.jpg", 1)
    done = subprocess.run(
        [sys.executable, str(PROJECT / "detector.py"), "index", str(folder), "--encoder", "sscd"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=offline,
        timeout=240,
    )
    assert done.returncode == 99
    assert len(Path(offline["TOLD"]).read_text().splitlines()) == 1


def test_the_menu_starts_without_a_network(offline: dict[str, str], folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        sys.executable, [str(PROJECT / "detector.py")], env=offline, encoding="utf-8", timeout=60, dimensions=(40, 200)
    )
    child.expect("Folder with your pictures")
    child.send(f"{folder}\r")
    child.expect("Quick filename")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert not Path(offline["TOLD"]).exists()


def test_the_libraries_of_models_are_told_to_tell_nobody() -> None:
    code = (
        "import dedup.encoders.hub; from huggingface_hub import constants; "
        "print(constants.HF_HUB_DISABLE_TELEMETRY, __import__('os').environ['DO_NOT_TRACK'])"
    )
    env = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name and name != "DO_NOT_TRACK"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, env=env)
    assert done.stdout.split() == ["True", "1"], done.stderr
