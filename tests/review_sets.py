"""Sets to review, made of the files of a folder without indexing them: the tests say what matches, and how."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from conftest import resaved, save_picture
from PIL import Image

from dedup.keep import Group, KeepRule, Match, Member
from dedup.review.session import ReviewSession
from dedup.store import Picture
from dedup.tiers import LOOK_ALIKE, SAME_PICTURE, TIERS
from dedup.workflow import Found

# A file's name, its tier towards the first of its set, and the sentence about it.
Row = tuple[str, str, str]


def found_of(
    folder: Path, sets: Sequence[Sequence[str | Row]], rule: KeepRule | None = None, marked: Sequence[str] = TIERS
) -> Found:
    """Sets of these files, the first of each proposed as the keeper, the others marked where their tier is.

    A file without a tier shows the same picture as the first. Among themselves the others are look-alikes.
    """
    groups, matches = [], {}
    for rows in sets:
        keeper, *others = [(row, SAME_PICTURE, "") if isinstance(row, str) else row for row in rows]
        first = picture_of(folder, keeper[0])
        members = []
        for name, tier, remark in others:
            picture = picture_of(folder, name)
            matches[frozenset((first, picture))] = Match(0, 0.97, tier, remark=remark)
            members.append(Member(picture, 0.97, tier, marked=tier in marked, remark=remark))
        groups.append(Group(first, tuple(members)))

    def relation(one: Picture, two: Picture) -> Match:
        return matches.get(frozenset((one, two)), Match(0, 0.97, LOOK_ALIKE))

    return Found("fake", 0.96, [folder], 99, [], groups, rule or KeepRule(), relation)


def picture_of(folder: Path, name: str) -> Picture:
    """A file as it would have been indexed."""
    status = (folder / name).stat()
    with Image.open(folder / name) as image:
        size, form = image.size, str(image.format)
    digest = hashlib.sha256((folder / name).read_bytes()).digest()
    return Picture(folder, name, status.st_size, status.st_mtime_ns, *size, form, digest)


def three_sizes(folder: Path, seed: int, name: str, size: tuple[int, int] = (240, 180)) -> list[str]:
    """The names of a new picture, a smaller and a tiny copy."""
    first = save_picture(folder / f"{name}.jpg", seed, size)
    resaved(first, folder / f"{name} small.jpg", 0.5)
    resaved(first, folder / f"{name} tiny.jpg", 0.25)
    return [f"{name}.jpg", f"{name} small.jpg", f"{name} tiny.jpg"]


def copies(folder: Path, sets: int, size: tuple[int, int] = (320, 240)) -> ReviewSession:
    """Sets of three: a picture, a smaller and a tiny copy."""
    return ReviewSession(found_of(folder, [three_sizes(folder, seed, f"{seed}", size) for seed in range(sets)]))
