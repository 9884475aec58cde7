"""What the tests share: pictures drawn from a seed, a fake encoder, folders and runs of the program."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dedup import workflow
from dedup.encoders.interface import no_text
from dedup.encoders.preprocess import SeesPixels
from dedup.progress import Event, Notice, Progress, Skipped
from dedup.provenance import Provenance
from dedup.settings import Settings
from dedup.workflow import FindOptions, Found

PROJECT = Path(__file__).resolve().parents[1]
FAST = Settings(num_workers=0)
FAKE = Provenance("fake", "none", "final", 1, 48)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings directory of each test's own."""
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DEDUP_HOME", str(place))
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty picture folder."""
    place = tmp_path / "pictures"
    place.mkdir()
    return place


def picture(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """A textured picture that looks like no other seed's, to the fake encoder and to the real one."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, tuple(chance.randrange(30, 225) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    width = max(3, size[0] * 9 // 240)
    shape = chance.choice([draw.ellipse, draw.rectangle, lambda box, fill: draw.line(box, fill=fill, width=width)])
    for _ in range(chance.randrange(8, 26)):
        x, y = chance.randrange(-20, size[0]), chance.randrange(-20, size[1])
        box = (x, y, x + chance.randrange(12, size[0] // 2), y + chance.randrange(12, size[1] // 2))
        shape(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


def save_picture(path: Path, seed: int, size: tuple[int, int] = (240, 180), **options: Any) -> Path:
    """A picture file drawn from the seed; keyword options go to Pillow's save."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        options.setdefault("quality", 92)
    picture(seed, size).save(path, **options)
    return path


def resaved(source: Path, target: Path, scale: float = 1.0, **options: Any) -> Path:
    """A copy of a picture with other bytes: resized and saved again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        size = (round(image.width * scale), round(image.height * scale))
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target, **options)
    return target


@dataclass
class FakePrepare(SeesPixels):
    """The picture as 4 x 4 colours."""

    size: int = 4

    def __call__(self, image: Image.Image) -> np.ndarray:
        small = image.resize((self.size, self.size), Image.Resampling.BOX)
        return np.ascontiguousarray(np.asarray(small, dtype=np.uint8).transpose(2, 0, 1))


@dataclass
class FakeEncoder:
    """A layout of mean colours as a unit vector: milliseconds, no weights."""

    provenance: Provenance = FAKE
    prepare: FakePrepare = field(default_factory=FakePrepare)
    encoded: int = 0
    device: str = "cpu"

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        return (self.provenance,)

    def encode(self, batch: Any) -> np.ndarray:
        self.encoded += len(batch)
        rows = batch.numpy().reshape(len(batch), -1).astype(np.float32) - 127.0
        rows += 0.5
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_text(self, texts: Any) -> np.ndarray:
        raise no_text("fake")


class Recorder:
    """A report that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def skipped(self) -> list[Skipped]:
        return [event for event in self.events if isinstance(event, Skipped)]

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    @property
    def progress(self) -> list[Progress]:
        return [event for event in self.events if isinstance(event, Progress)]


def index(folder: Path, *, again: bool = False, encoder: FakeEncoder | None = None) -> workflow.IndexResult:
    """Index with the fake encoder, in this process."""
    return workflow.index(folder, FAST, Recorder(), again=again, encoder=encoder or FakeEncoder())


def find(*folders: Path, threshold: float = 0.98, **options: Any) -> Found:
    """Find among folders indexed with the fake encoder."""
    return workflow.find(list(folders), FindOptions(threshold=threshold, **options), Recorder())


def names_of(found: Found) -> list[list[str]]:
    """The file names of each group, the keeper first, the others sorted."""
    return [
        [group.keeper.full_path.name, *sorted(p.full_path.name for p in group.pictures[1:])] for group in found.groups
    ]


def tree(root: Path) -> dict[str, tuple[str, int, int]]:
    """Relative path -> (SHA-256, mtime_ns, mode) of every file that is not the tool's own."""
    found = {}
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ".dedup-trash"]
        for name in files:
            path = Path(parent, name)
            if name.startswith("image_database") or not path.is_file():
                continue
            status = path.stat()
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(root))] = (content, status.st_mtime_ns, status.st_mode)
    return found


def contents(root: Path) -> set[str]:
    """The SHA-256 of every file under the folder that is not the database, the trash included."""
    # Opening a database file beside SQLite and closing it again would drop SQLite's own locks on it.
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("image_database"))
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def detector(*words: object, timeout: float = 120.0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run detector.py as a user's script would, without a terminal."""
    return subprocess.run(
        [sys.executable, str(PROJECT / "detector.py"), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
    )


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    """Wait for a moment in the life of a running process."""
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, (
            f"ended before it could be killed: {process.stdout.read() if process.stdout else ''}"
        )
        assert time.monotonic() < limit, "the awaited moment never came"
        time.sleep(0.01)


def committed(folder: Path) -> int:
    """How many vectors a folder's database holds just now."""
    if not (folder / "image_database.db").exists():
        return 0
    try:
        with closing(sqlite3.connect(folder / "image_database.db", timeout=5)) as database:
            return int(database.execute("SELECT count(*) FROM embeddings").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the tables are not there yet


@pytest.fixture(scope="session")
def real_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with known copies, indexed once with the real default encoder; tests copy it."""
    root = tmp_path_factory.mktemp("real") / "pictures"
    for seed in range(6):
        save_picture(root / f"picture {seed}.jpg", seed, (480, 360))
    shutil.copy2(root / "picture 0.jpg", root / "exact.jpg")
    resaved(root / "picture 1.jpg", root / "sub" / "smaller.jpg", 0.75, quality=92)
    done = subprocess.run(
        [sys.executable, str(PROJECT / "detector.py"), "index", str(root)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DEDUP_HOME": str(tmp_path_factory.mktemp("real-home"))},
    )
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def indexed(real_folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder indexed with the real encoder, times kept, so that it counts as indexed."""
    target = tmp_path / "my pictures"
    shutil.copytree(real_folder, target)
    return target


@pytest.fixture
def opened() -> Iterator[Any]:
    """Opens review windows (``window_driver.Opener``) and closes them at the end."""
    from window_driver import windows

    with windows() as open_window:
        yield open_window
