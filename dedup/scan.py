"""Walk a folder: which pictures are new, changed, gone, or the same file twice.

Looks at names and file status only; never opens a picture and never follows a link.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dedup.errors import DedupError
from dedup.progress import Skipped

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .gif .bmp .dib .webp .tif .tiff .heic .heif .hif .avif "
    ".jp2 .j2k .jpx .jpf .ico .tga .pcx .ppm .pgm .pbm .pnm .dds .sgi .qoi".split()
)

TRASH_NAME = ".dedup-trash"
# Trash folders of this tool, of the common desktops and of network stores: what lies
# there was thrown away once, so it must never count as a kept copy.
SKIPPED_FOLDERS = frozenset({TRASH_NAME, "$recycle.bin", "system volume information", "@eadir", "#recycle"})
SKIPPED_PREFIXES = (".trash",)
HOME_TRASH = (".local/share/trash", "/.local/share/trash")
# Marks a folder where sets were laid out for sorting: what lies there are copies, to be thrown away by hand.
SETS_MARK = ".dedup-sets"
# Android's gallery trash and unfinished downloads lie beside the pictures.
SKIPPED_FILES = (".trashed-", ".pending-")


class FileFacts(NamedTuple):
    """One file: path relative to the folder with ``/`` between parts, size in bytes, identity."""

    path: str
    size: int
    mtime_ns: int
    device: int
    inode: int

    @property
    def identity(self) -> tuple[int, int]:
        """(device, inode): two paths with the same one are the same file."""
        return self.device, self.inode


DEVICE_AND_INODE = slice(3, 5)


@dataclass(slots=True)
class Listing:
    """The picture files of a folder in path order, each file once, and what was passed over.

    ``closed`` are the subfolders (relative) that could not be looked into.
    """

    root: Path
    files: list[FileFacts] = field(default_factory=list)
    links: int = 0
    hard_links: int = 0
    refused: list[Skipped] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """A listing compared with what is known: ``gone`` holds known paths that are not there now."""

    new: list[FileFacts]
    changed: list[FileFacts]
    unchanged: list[FileFacts]
    gone: list[str]


def real_folder(path: str | Path) -> Path:
    """The folder itself, links resolved; raises DedupError when it is not a readable folder."""
    try:
        root = Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as problem:
        raise DedupError(
            f"There is no folder {path}.", "Check the spelling, or whether its drive is connected."
        ) from problem
    if not root.is_dir():
        raise DedupError(f"{path} is a file, not a folder.", "Give the folder that holds it.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise DedupError(f"The folder {path} cannot be read.", "Ask its owner for permission to read it.")
    return root


def list_pictures(root: Path) -> Listing:
    """Every regular picture file under the folder, each file once however many names it has."""
    listing = Listing(root)
    waiting = [""]
    while waiting:
        waiting.extend(_read_folder(listing, waiting.pop()))
    listing.files.sort()
    _drop_hard_links(listing)
    return listing


def compare(listing: Listing, known: Mapping[str, tuple[int, int]]) -> Changes:
    """What differs from ``known`` (path -> (size, mtime_ns)).

    What lies in a folder that could not be looked into is not gone.
    """
    new, changed, unchanged = [], [], []
    for found in listing.files:
        before = known.get(found[0])
        if before is None:
            new.append(found)
        elif before == found[1:3]:
            unchanged.append(found)
        else:
            changed.append(found)
    if len(unchanged) + len(changed) == len(known):
        return Changes(new, changed, unchanged, [])
    present = {found.path for found in listing.files}
    closed = tuple(f"{folder}/" if folder else "" for folder in listing.closed)
    gone = sorted(path for path in known if path not in present and not (closed and path.startswith(closed)))
    return Changes(new, changed, unchanged, gone)


def _read_folder(listing: Listing, relative: str) -> list[str]:
    """Add the pictures of one folder to the listing; the subfolders to visit come back."""
    subfolders: list[str] = []
    before = len(listing.files)
    prefix = f"{relative}/" if relative else ""
    try:
        with os.scandir(listing.root / relative if relative else listing.root) as entries:
            for entry in entries:
                path = prefix + entry.name
                is_picture = is_picture_name(entry.name)
                if entry.name == SETS_MARK:
                    del listing.files[before:]
                    return []
                try:
                    # What most entries are is asked first.
                    if is_picture and entry.is_file(follow_symlinks=False):
                        listing.files.append(_facts(path, entry))
                    elif entry.is_symlink():
                        listing.links += is_picture
                    elif entry.is_dir(follow_symlinks=False) and not is_skipped_folder(path):
                        subfolders.append(path)
                except OSError as problem:
                    listing.refused.append(Skipped(entry.path, _reason(problem)))
    except OSError as problem:
        listing.refused.append(Skipped(str(listing.root / relative), _reason(problem)))
        listing.closed.append(relative)
    return subfolders


def _facts(path: str, entry: os.DirEntry[str]) -> FileFacts:
    # On Windows a directory entry carries no inode: ask the file itself.
    status = os.stat(entry.path) if os.name == "nt" else entry.stat(follow_symlinks=False)
    return FileFacts._make((path, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino))


def _drop_hard_links(listing: Listing) -> None:
    if len({found[DEVICE_AND_INODE] for found in listing.files}) == len(listing.files):
        return
    seen: set[tuple[int, int]] = set()
    unique = []
    for found in listing.files:
        if found.identity in seen:
            listing.hard_links += 1
        else:
            seen.add(found.identity)
            unique.append(found)
    listing.files = unique


def is_picture_name(name: str) -> bool:
    """Whether a file of this name is looked at."""
    dot = name.rfind(".")
    return dot >= 0 and name[dot:].lower() in PICTURE_SUFFIXES and not name.startswith(SKIPPED_FILES)


def is_skipped_folder(path: str) -> bool:
    """Whether a folder (path with ``/`` between parts) is a trash or otherwise never scanned."""
    folded = path.casefold()
    name = folded.rpartition("/")[2]
    return name in SKIPPED_FOLDERS or name.startswith(SKIPPED_PREFIXES) or folded.endswith(HOME_TRASH)


def _reason(problem: OSError) -> str:
    return f"cannot be read: {problem.strerror or problem}"
