"""What the files of a pair show in nearly full size: equal pixels, a small place that differs, an enlargement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dedup import images
from dedup.errors import UnreadablePicture
from dedup.tiers import EDITED, LOOK_ALIKE, SAME_PICTURE, SAME_PIXELS
from dedup.verify.places import where_in
from dedup.verify.verification import Verification

if TYPE_CHECKING:
    from PIL.Image import Image

RESIZED = 1.04  # times the size, from which the larger of two may be an enlargement


@dataclass(frozen=True, slots=True)
class File:
    """A picture's file: its path, the digest of the bytes that were indexed, and the most megapixels to decode."""

    path: str
    digest: bytes
    max_megapixels: int

    def bytes(self) -> bytes:
        """Its bytes; raises UnreadablePicture where they are not those that were indexed."""
        data, digest = images.read(self.path)
        if digest != self.digest:
            raise UnreadablePicture("changed since it was indexed", may_pass=True)
        return data


def with_files(job: tuple[Verification, File, File]) -> Verification | None:
    """A result after looking at both files; None where one cannot be read any more.

    Only what shows the same pixels, or whole frames, or next to nothing, is to be looked at.
    """
    found, *files = job
    try:
        contents = [file.bytes() for file in files]
        pictures = [
            images.decode(data, None, file.max_megapixels).image for data, file in zip(contents, files, strict=True)
        ]
        if _may_be_equal(found, *pictures) and images.same_pixels(*contents):
            return replace(found, tier=SAME_PIXELS, agreement=1.0, edit=0, findings=(), where="")
    except UnreadablePicture:
        return None
    if found.tier == LOOK_ALIKE:
        return found
    found = _looked_at_closely(found, *pictures) if found.tier == SAME_PICTURE else found
    return found if 1 / RESIZED < found.scale < RESIZED else _with_enlargement(found, pictures)


def _may_be_equal(found: Verification, first: Image, second: Image) -> bool:
    return (
        found.tier in (SAME_PICTURE, LOOK_ALIKE) and first.size == second.size and first.tobytes() == second.tobytes()
    )


def _looked_at_closely(found: Verification, first: Image, second: Image) -> Verification:
    from dedup.verify.closely import places_that_differ

    places = places_that_differ(first, second)
    if not places.any():
        return found
    return replace(found, tier=EDITED, findings=(*found.findings, "changed"), where=where_in(places))


def _with_enlargement(found: Verification, pictures: Sequence[Image]) -> Verification:
    """The result with what both show of the larger: that it was enlarged, or nothing."""
    from dedup.verify.enlarging import is_enlarged

    larger = 0 if found.scale < 1 else 1
    if not is_enlarged(pictures[larger], pictures[1 - larger]):
        return found
    side = larger + 1
    edit = side if found.edit in (0, side) else 0
    return replace(found, edit=edit, findings=(*found.findings, f"{side}:upscaled"))
