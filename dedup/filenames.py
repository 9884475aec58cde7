"""Copies suggested by their names, and confirmed by their contents.

A name only says where to look: ``image (1).jpg`` counts as a copy of ``image.jpg`` when
both hold the same bytes, or decode to the same pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from dedup import images
from dedup.errors import UnreadablePicture
from dedup.keep import IDENTICAL, SAME_PIXELS, Group, KeepRule, Member
from dedup.progress import Progress, Report
from dedup.scan import FileFacts, Listing
from dedup.store import Picture

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
    pairs = _pairs_by_original(listing.files)
    groups = []
    for done, (original, copies) in enumerate(pairs):
        report(Progress("names compared", done, len(pairs)))
        if group := _confirmed(listing.root, original, copies, max_megapixels):
            groups.append(group)
    report(Progress("names compared", len(pairs), len(pairs)))
    return groups


def _pairs_by_original(files: Sequence[FileFacts]) -> list[tuple[FileFacts, list[FileFacts]]]:
    by_path = {found.path.casefold(): found for found in files}
    copies_of: dict[str, list[FileFacts]] = {}
    is_copy_of: dict[str, str] = {}
    for found in files:
        path = PurePosixPath(found.path)
        for name in original_names(path.name):
            original = by_path.get(str(path.with_name(name)).casefold())
            if original is not None and original.path != found.path:
                is_copy_of[found.path] = original.path
                break
    for found in files:
        if found.path in is_copy_of:
            # "image (1) (1).jpg" belongs to "image.jpg", not to "image (1).jpg".
            top = found.path
            while top in is_copy_of:
                top = is_copy_of[top]
            copies_of.setdefault(top, []).append(found)
    facts = {found.path: found for found in files}
    return [(facts[path], copies) for path, copies in sorted(copies_of.items())]


def _confirmed(root: Path, original: FileFacts, copies: list[FileFacts], max_megapixels: int) -> Group | None:
    try:
        first = _picture(root, original, max_megapixels)
    except (OSError, UnreadablePicture):
        return None
    members = []
    for copy in copies:
        try:
            picture = _picture(root, copy, max_megapixels)
            if picture.digest == first.digest:
                members.append(Member(picture, 1.0, IDENTICAL))
            elif _same_pixels(first, picture, max_megapixels):
                members.append(Member(picture, 1.0, SAME_PIXELS))
        except (OSError, UnreadablePicture):
            continue  # what cannot be read is never offered
    return _with_best_keeper(first, members) if members else None


def _with_best_keeper(original: Picture, members: list[Member]) -> Group:
    key = KeepRule().key
    larger = [member for member in members if member.picture.size > original.size]
    if not larger:
        return Group(original, tuple(members))
    best = min(larger, key=lambda member: key(member.picture))
    others = [
        Member(member.picture, 1.0, IDENTICAL if member.picture.digest == best.picture.digest else SAME_PIXELS)
        for member in members
        if member is not best
    ]
    return Group(best.picture, (Member(original, 1.0, SAME_PIXELS), *others))


def _picture(root: Path, found: FileFacts, max_megapixels: int) -> Picture:
    data, digest = images.read(root / found.path)
    decoded = images.decode(data, 32, max_megapixels)
    return Picture(root, found.path, found.size, found.mtime_ns, decoded.width, decoded.height, decoded.format, digest)


def _same_pixels(first: Picture, second: Picture, max_megapixels: int) -> bool:
    if (first.width, first.height) != (second.width, second.height):
        return False
    one, two = (images.pixels(picture.full_path, max_megapixels) for picture in (first, second))
    return bool(np.array_equal(one, two))
