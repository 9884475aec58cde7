"""The warmed process and the worlds, made once for all tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import World
from .pictures import clear
from .runner import Runner


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder in memory where there is one: a kill is no power cut, and the disk need not be waited for."""
    made = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    made.chmod(0o755)
    yield made
    clear(made)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def runner(place: Path) -> Iterator[Runner]:
    """The process that is forked for every run."""
    with Runner(place / "home") as made:
        yield made


@pytest.fixture(scope="session")
def worlds(place: Path, runner: Runner) -> dict[str, World]:
    """The two folders with the trash beside the pictures, and with the trash on another volume."""
    return {
        "same volume": World(place / "same", runner),
        "other volume": World(place / "other", runner, other_volume=True),
    }
