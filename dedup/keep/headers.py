"""What the headers of files say, read only when a keep rule asks, each content once; pixels are never decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dedup.store import Picture

if TYPE_CHECKING:
    from PIL.JpegImagePlugin import JpegImageFile

    from dedup.metadata import Metadata

# Formats that give back what was put in. A WebP or an AVIF may too, but its header does not say so in one place.
LOSSLESS = frozenset("PNG BMP DIB TIFF TGA PPM SGI QOI".split())
# Formats that cannot hold a photograph's colours.
FEW_COLOURS = frozenset(("GIF", "PCX"))
# The mean of a JPEG's table of luminance at quality 80, in the table that libjpeg scales: where a format
# with loss, but without such a table, stands among JPEGs.
USUAL_STEP = 23.0


class Headers:
    """What the headers of a run's pictures say, read when first asked for; files of the same bytes are read once."""

    def __init__(self, read: Callable[[Path], Metadata] | None = None) -> None:
        self._read = read or _read
        self._metadata: dict[bytes, Metadata] = {}
        self._steps: dict[bytes, float] = {}

    def metadata(self, picture: Picture) -> Metadata:
        """What a camera wrote; of a file that cannot be read, nothing."""
        found = self._metadata.get(picture.digest)
        if found is None:
            found = self._metadata[picture.digest] = self._read(picture.full_path)
        return found

    def from_camera(self, picture: Picture) -> int:
        """How much of what a camera writes is there: 0, 1 or 2 (when it was taken, and where)."""
        found = self.metadata(picture)
        return bool(found.taken) + (found.gps is not None)

    def step(self, picture: Picture) -> float:
        """How coarsely the file was compressed: 0 for lossless formats, else the mean step of a JPEG's luminance.

        The steps are what the encoder divided the frequencies by (ITU-T T.81, annex K), whatever the picture shows;
        bytes for each pixel would also tell grainy pictures from smooth ones, and large from small.
        """
        if picture.format in LOSSLESS:
            return 0.0
        if picture.format != "JPEG":
            return USUAL_STEP
        found = self._steps.get(picture.digest)
        if found is None:
            found = self._steps[picture.digest] = _mean_step(picture.full_path)
        return found


def _read(path: Path) -> Metadata:
    from dedup.metadata import read_metadata  # loaded late: most runs ask for none, and the menu starts without it

    return read_metadata(path)


def _mean_step(path: Path) -> float:
    from PIL import Image

    try:
        with Image.open(path, formats=["JPEG", "MPO"]) as image:
            jpeg: JpegImageFile = image  # type: ignore[assignment]  # an MPO is one too
            table = jpeg.quantization[0]
            return round(sum(table) / len(table), 2)
    except Exception:  # decoders raise anything; what cannot be read is no finer than others
        return USUAL_STEP
