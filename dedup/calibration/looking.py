"""Look at two files as verification does: a pair of the same picture is no false match."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from dedup import images
from dedup.errors import UnreadablePicture
from dedup.tiers import LOOK_ALIKE

KEPT = 256


class Different:
    """Whether two files show different pictures; what cannot be told, or read, counts as different."""

    def __init__(self, max_megapixels: int) -> None:
        self._max_megapixels = max_megapixels
        self._look = lru_cache(KEPT)(self._look_at)

    def __call__(self, first: Path, second: Path) -> bool:
        """Not when verification calls one an edit of the other, or surer."""
        from dedup.verify.concluding import verify

        try:
            return verify(self._look(first), self._look(second)).tier == LOOK_ALIKE
        except UnreadablePicture:
            return True

    def _look_at(self, path: Path) -> Any:
        from dedup.verify.look import AREA, look_at

        picture = images.open_upright(path, round(AREA**0.5), self._max_megapixels)
        return look_at(picture.image, picture.width, picture.height)
