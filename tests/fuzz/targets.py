"""What is fed with damaged input. Each returns when the answer is one the tool means to give, and raises otherwise."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from dedup import images, settings
from dedup.encoders.pdq import frame_bits
from dedup.encoders.preprocess import seen
from dedup.errors import DedupError, UnreadablePicture
from dedup.progress import silent

SIZE, MAX_MEGAPIXELS = 224, 4


def picture(data: bytes, place: Path) -> None:
    """Decoded as for an encoder, in full, and compared with itself in every frame."""
    try:
        for size in (SIZE, None):
            shown = images.decode(data, size, MAX_MEGAPIXELS)
            assert shown.image.mode == "RGB", shown.image.mode
            assert min(shown.image.size) > 0
            assert min(shown.width, shown.height) > 0
        frame_bits(seen(shown.image))
        images.same_pixels(data, data)
    except UnreadablePicture as problem:
        _require(problem.message)


def plan(data: bytes, place: Path) -> None:
    """Loaded, and checked against the disk."""
    from dedup import workflow
    from dedup.trash import load_plan

    file = place / "plan.json"
    file.write_bytes(data)
    try:
        workflow.dry_run(load_plan(file), silent)
    except DedupError as problem:
        _require(problem.remedy)


def saved_settings(data: bytes, place: Path) -> None:
    """Loaded: what makes no sense takes its default."""
    (place / "settings.json").write_bytes(data)
    settings.checked(settings.load())
    settings.checked(settings.load("pdq"))
    settings.save(settings.load())


def verification(data: bytes, place: Path) -> None:
    """Read back as from a database."""
    from dedup.verify.verification import Verification

    found = Verification.from_json(data.decode("utf-8", "replace"))
    if found is not None:
        assert found.swapped().to_json()


def database(data: bytes, place: Path) -> None:
    """Opened by everything that opens one; what it says is one sentence with a remedy."""
    from dedup import workflow
    from dedup.store import Catalogue
    from dedup.workflow import FindOptions

    folder = place / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "image_database.db").write_bytes(data)
    for job in (
        lambda: workflow.status(folder),
        lambda: workflow.verify(folder),
        lambda: workflow.find([folder], FindOptions(), silent),
        lambda: workflow.runs(folder),
        lambda: workflow.undo(folder, None, silent),
        lambda: workflow.forget_ghosts(folder),
        lambda: _everything(Catalogue(folder)),
    ):
        try:
            job()
        except DedupError as problem:
            _require(problem.remedy)


def _require(words: str) -> None:
    if not words:
        raise AssertionError("an error without words")


def _everything(store: object) -> None:
    from dedup.store import Catalogue

    assert isinstance(store, Catalogue)
    with store:
        for one in store.sets():
            store.load(one.provenance)


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "picture": picture,
    "plan": plan,
    "settings": saved_settings,
    "verification": verification,
    "database": database,
}


def scratch() -> Path:
    """A folder for one worker, which is its DEDUP_HOME too."""
    return Path(tempfile.mkdtemp(prefix="dedup-fuzz-"))
