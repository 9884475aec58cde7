"""Two folders of tiny pictures with everything that makes file names, links and times awkward."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

FIRST, SECOND = "first", "second"
# A year before 1970 and one after 2038, and the smallest step of time there is.
ODD_TIMES = (-1_000_000_001, 1, 946_684_799_999_999_999, 4_102_444_800_123_456_789)


def drawn(seed: int, *, quality: int = 0, size: int = 48) -> bytes:
    """A picture like no other seed's: PNG, or JPEG of a quality."""
    chance = np.random.default_rng(seed)
    blocks = chance.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize((size, size), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG" if quality else "PNG", **({"quality": quality} if quality else {}))
    return file.getvalue()


def build(root: Path) -> None:
    """The two folders under the root."""
    first, second = root / FIRST, root / SECOND
    for seed in range(6):
        _write(first / f"{seed}.png", drawn(seed), 1_600_000_000_000_000_000 + seed)
        _write(first / "copies" / f"{seed} copy.png", drawn(seed), ODD_TIMES[seed % 4], mode=(0o644, 0o600)[seed % 2])
    for seed in range(3):
        _write(second / f"{seed}.png", drawn(seed), 1_700_000_000_000_000_000)
        _write(second / "smaller" / f"{seed}.jpg", drawn(seed, quality=95, size=40), 1_700_000_000_000_000_001)
    _odd_names(first, second)
    _links(first, second)
    _write(first / "broken.jpg", drawn(9, quality=90)[:300], 5)
    _write(first / "notes.txt", b"not a picture", 6)
    (first / "copies").chmod(0o750)


def _odd_names(first: Path, second: Path) -> None:
    data = drawn(20)
    # The same letters composed and decomposed, bytes that are no Unicode, a newline, the longest name.
    names = [
        b"caf\xc3\xa9.png",
        b"cafe\xcc\x81.png",
        b"\xe9\xff.png",
        b"new\nline.png",
        b"n" * 251 + b".png",
        b"-rf.png",
    ]
    for number, name in enumerate(names):
        _write(Path(os.fsdecode(os.path.join(os.fsencode(first), "ünï".encode(), name))), data, 10**18 + number)
    _write(second / ".hidden.png", data, 10**18, mode=0o444)
    _write(second / "Twin.png", drawn(21), 10**18)
    _write(second / "twin.PNG", drawn(21), 10**18)


def _links(first: Path, second: Path) -> None:
    _write(first / "linked.png", drawn(30), 10**18)
    os.link(first / "linked.png", first / "also linked.png")
    _write(second / "of linked.png", drawn(30), 10**18 + 5, mode=0o640)
    os.link(second / "of linked.png", second / "of linked too.png")
    (first / "link.png").symlink_to("0.png")
    (first / "nowhere.png").symlink_to("gone.png")
    (first / "to second").symlink_to(second)
    (second / "out.png").symlink_to(first / "1.png")


def _write(path: Path, data: bytes, mtime_ns: int, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def restore(saved: Path, place: Path) -> None:
    """Make a place what a saved tree is, hard links, times and permissions included."""
    clear(place)
    place.mkdir(parents=True)
    linked: dict[tuple[int, int], str] = {}
    for parent, folders, files in os.walk(saved):
        here = os.path.join(place, os.path.relpath(parent, saved))
        for name in folders:
            source = os.path.join(parent, name)
            target = os.path.join(here, name)
            os.symlink(os.readlink(source), target) if os.path.islink(source) else os.mkdir(target)
        for name in files:
            source, target = os.path.join(parent, name), os.path.join(here, name)
            status = os.lstat(source)
            if status.st_nlink > 1 and (status.st_dev, status.st_ino) in linked:
                os.link(linked[status.st_dev, status.st_ino], target)
                continue
            shutil.copy2(source, target, follow_symlinks=False)
            linked[status.st_dev, status.st_ino] = target
    for parent, _, _ in os.walk(saved, topdown=False):
        shutil.copystat(parent, os.path.join(place, os.path.relpath(parent, saved)))


def clear(place: Path) -> None:
    """Remove a tree, closed folders in it included."""
    for parent, folders, _ in os.walk(place):
        for name in folders:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(place, ignore_errors=True)
