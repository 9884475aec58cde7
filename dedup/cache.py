"""Files under DEDUP_HOME that only spare work: whatever is wrong with one, it counts as not there.

A digest of the content and of what it belongs to comes first, so that a torn or foreign file is never taken for
a good one. Nothing is lost when they are deleted.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from dedup import settings
from dedup.permissions import PRIVATE, make_file, make_folder

DIGEST_BYTES = 16


class Cached:
    """One file of a kind. ``names`` choose the file; of ``versions`` only the latest is kept."""

    def __init__(self, kind: str, suffix: str, names: tuple[str, ...], versions: tuple[str, ...] = ()) -> None:
        self._key = _digest(*versions)
        self.file: Path = settings.home() / kind / f"{_digest(*names).hex()}{suffix}"

    def read(self) -> bytes:
        """What was written for these versions; nothing where it is not there or not whole."""
        try:
            data = self.file.read_bytes()
        except OSError:
            return b""
        content = data[DIGEST_BYTES:]
        return content if data.startswith(self._mark(content)) else b""

    def write(self, content: bytes) -> None:
        """Keep it, over that of other versions; where the disk refuses, the work is done again next time."""
        with suppress(OSError):
            make_folder(self.file.parent)
            make_file(self.file, PRIVATE)
            with self.file.open("wb") as file:
                file.write(self._mark(content))
                file.write(content)

    def _mark(self, content: bytes) -> bytes:
        return blake2b(content, key=self._key, digest_size=DIGEST_BYTES).digest()


def _digest(*parts: str) -> bytes:
    return blake2b("\n".join(parts).encode("utf-8", "surrogateescape"), digest_size=DIGEST_BYTES).digest()
