"""Pictures for the reviewers, loaded ahead in threads so that stepping is instant."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PIL import Image, ImageDraw

from dedup import images
from dedup.apart import Apart
from dedup.errors import UnreadablePicture
from dedup.wording import printable

# Three views of 12 pictures ahead and as many behind, at 640 x 640 about 300 MB at most.
CACHE_LIMIT = 240


class Thumbnails:
    """A cache of pictures fitted into squares; what cannot be shown becomes a card saying why."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="thumbnails")
        self._cache: OrderedDict[Path, Future[Image.Image]] = OrderedDict()

    def get(self, path: Path) -> Image.Image:
        """The thumbnail of a picture, waiting for it when it was not loaded ahead."""
        return self._future(path).result()

    def ahead(self, paths: Iterable[Path]) -> None:
        """Begin to load pictures that will be asked for soon."""
        for path in paths:
            self._future(path)

    def close(self) -> None:
        """Stop loading."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _future(self, path: Path) -> Future[Image.Image]:
        future = self._cache.pop(path, None) or self._pool.submit(load_or_explain, path, self._side)
        self._cache[path] = future
        while len(self._cache) > CACHE_LIMIT:
            _, oldest = self._cache.popitem(last=False)
            oldest.cancel()
        return future


def load_or_explain(path: Path, side: int, apart: Apart | None = None) -> Image.Image:
    """The picture fitted into a square, or a grey card with the reason why it cannot be shown; decoded ``apart``."""
    try:
        image: Image.Image = apart(images.thumbnail, path, side) if apart else images.thumbnail(path, side)
        return image
    except UnreadablePicture as problem:
        card = Image.new("RGB", (side, side * 3 // 4), (90, 90, 90))
        told = f"cannot be shown:\n{printable(problem.message)}"
        ImageDraw.Draw(card).multiline_text((12, 12), told, fill=(255, 255, 255))
        return card
