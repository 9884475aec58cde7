"""Copies suggested by their names, and confirmed by their contents.

A name only says where to look: ``image (1).jpg`` counts as a copy of ``image.jpg`` when
both hold the same bytes, or decode to the same pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from dedup import images
from dedup.apart import Apart
from dedup.errors import UnreadablePicture
from dedup.keep import Group, KeepRule, Match, Member
from dedup.progress import Progress, Report
from dedup.scan import FileFacts, Listing
from dedup.store import Picture
from dedup.tiers import IDENTICAL, SAME_PIXELS

# What file managers, browsers, phones and messengers add to the name of a copy.
_COPY_NAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^(?P<stem>.+?)\s*\(\d{1,3}\)$",  # image (1)
        r"^(?P<stem>.+?)\s*-\s*\d{1,3}$",  # image-001, image - 2
        r"^(?P<stem>.+?)_\d{1,3}$",  # image_1
        r"^(?P<stem>.+?)\s*-?\s*copy(\s*\(?\d{1,3}\)?)?$",  # image copy, image - Copy (2)
        r"^copy( \(?\d{1,3}\)?)? of (?P<stem>.+)$",  # Copy of image
    )
)


def original_names(name: str) -> Iterator[str]:
    """The names a file's name may be a copy of, its suffix kept; none for an ordinary name."""
    path = PurePosixPath(name)
    for pattern in _COPY_NAMES:
        if found := pattern.match(path.stem):
            yield found["stem"].rstrip() + path.suffix


def find_copies(listing: Listing, max_megapixels: int, report: Report) -> list[Group]:
    """Groups of an original and its confirmed copies in the same folder, in path order.

    Reads only files whose names pair up. The keeper is the original, unless the pixels are
    the same and a copy is the larger file (it may carry more metadata).
    """
    # These files may never have been decoded before: what crashes or hangs there must cost that file only.
    with Apart() as apart:
        return _find_copies(listing, _Reader(listing, max_megapixels, apart), report)


def _find_copies(listing: Listing, reader: _Reader, report: Report) -> list[Group]:
    originals = _originals(listing.files)
    copies_of: dict[str, list[Picture]] = {}
    for done, (path, candidates) in enumerate(sorted(originals.items())):
        report(Progress("names compared", done, len(originals)))
        copy = reader.picture(path)
        for candidate in candidates if copy else ():
            original = reader.picture(candidate)
            if original and copy and reader.same(original, copy):
                copies_of.setdefault(candidate, []).append(copy)
                break
    report(Progress("names compared", len(originals), len(originals)))
    groups = []
    for path, copies in sorted(copies_of.items()):
        if original := reader.picture(path):
            groups.append(_group([original, *copies]))
    return groups


def _originals(files: Sequence[FileFacts]) -> dict[str, list[str]]:
    """Path of a possible copy -> the paths it may be a copy of, the plainest name first."""
    by_name = {found.path.casefold(): found.path for found in files}
    nearest: dict[str, str] = {}
    for found in files:
        path = PurePosixPath(found.path)
        for name in original_names(path.name):
            original = by_name.get(str(path.with_name(name)).casefold())
            if original is not None and original != found.path:
                nearest[found.path] = original
                break
    chains: dict[str, list[str]] = {}
    for copy in nearest:
        chain: list[str] = []
        step = copy
        while step in nearest:
            step = nearest[step]
            chain.insert(0, step)  # "image (1) (1).jpg": first "image.jpg", then "image (1).jpg"
        chains[copy] = chain
    return chains


class _Reader:
    """Reads files whose names pair up, each once; remembers facts, not pixels."""

    def __init__(self, listing: Listing, max_megapixels: int, apart: Apart) -> None:
        self._apart = apart
        self._root = listing.root
        self._facts = {found.path: found for found in listing.files}
        self._max_megapixels = max_megapixels
        self._pictures: dict[str, Picture | None] = {}

    def picture(self, path: str) -> Picture | None:
        """The picture at a path, or None when it cannot be read: it is never offered then."""
        if path not in self._pictures:
            try:
                self._pictures[path] = self._apart(_read, self._root, self._facts[path], self._max_megapixels)
            except UnreadablePicture:
                self._pictures[path] = None
        return self._pictures[path]

    def same(self, first: Picture, second: Picture) -> bool:
        """Whether two pictures have the same bytes, or show the same in every respect."""
        if first.digest == second.digest:
            return True
        if (first.width, first.height) != (second.width, second.height):
            return False
        try:
            return bool(self._apart(_show_the_same, first.full_path, second.full_path))
        except UnreadablePicture:
            return False


def _read(root: Path, found: FileFacts, max_megapixels: int) -> Picture:
    data, digest = images.read(root / found.path)
    shown = images.decode(data, 32, max_megapixels)
    return Picture(root, found.path, found.size, found.mtime_ns, shown.width, shown.height, shown.format, digest)


def _show_the_same(first: Path, second: Path) -> bool:
    return images.same_pixels(*(images.read(path)[0] for path in (first, second)))


def relation(first: Picture, second: Picture) -> Match:
    """How two pictures of one group match."""
    return Match(0, 1.0, IDENTICAL if first.digest == second.digest else SAME_PIXELS)


def _group(pictures: list[Picture]) -> Group:
    original = pictures[0]
    larger = [picture for picture in pictures if picture.size > original.size]
    keeper = min(larger, key=KeepRule().key) if larger else original
    others = [picture for picture in pictures if picture is not keeper]
    reason = "larger file" if larger else "its name is not a copy's"
    return Group(keeper, tuple(Member(one, 1.0, relation(keeper, one).tier) for one in others), reason)
