"""The direct matches of each picture: by digest at any threshold, by embedding at or above it.

Files with the same bytes are one *content*: contents are compared, files are matched. So a
thousand copies of one file cost one comparison, and no list of their half a million pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dedup.keep import IDENTICAL, SIMILAR, Match
from dedup.match import ROUNDING, IntVector, find_matches
from dedup.progress import Report, silent
from dedup.store import Picture
from dedup.vectors import Rows, Vectors

# Standard deviation (of 255) below which a picture shows next to nothing. Encoders see no
# difference between two such pictures, and none to one that shows little more: only equal bytes make it a copy.
FLAT_CONTRAST = 6.0

Dismissed = Callable[[bytes, bytes], bool]


def nothing_dismissed(first: bytes, second: bytes) -> bool:
    """No pair was ever called "not duplicates"."""
    return False


class Neighbours:
    """Who matches whom among pictures whose row i has vector i and folder number i."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        vectors: Vectors | Rows,
        folders: Sequence[int],
        threshold: float,
        *,
        within: bool = True,
        dismissed: Dismissed = nothing_dismissed,
        sure: bool = True,
        device: str = "cpu",
        report: Report = silent,
    ) -> None:
        self._sure = sure
        self._pictures = pictures
        self._vectors = Vectors.of(vectors)
        self._bits = self._vectors.dim if self._vectors.is_bits else 0
        self._folders = folders
        self._threshold = threshold
        self._within = within
        self._dismissed = dismissed
        self._files_of: list[list[int]] = []
        self._content_of = self._collapse()
        self._match_contents(device, report)

    def candidates(self) -> list[int]:
        """The numbers of the pictures that may have a match, in order."""
        return [
            number
            for number, content in enumerate(self._content_of)
            if len(self._files_of[content]) > 1 or self._starts[content] < self._starts[content + 1]
        ]

    def matches_of(self, number: int) -> Iterator[Match]:
        """The direct matches of one picture, none of them dismissed."""
        content = self._content_of[number]
        digest = self._pictures[number].digest
        if len(self._files_of[content]) > 1 and not self._dismissed(digest, digest):
            yield from self._wanted(number, content, 1.0, IDENTICAL)
        for at in range(self._starts[content], self._starts[content + 1]):
            other = int(self._others[at])
            if not self._dismissed(digest, self._pictures[self._files_of[other][0]].digest):
                yield from self._wanted(number, other, float(self._similarity[at]), SIMILAR, bool(self._turned[at]))

    def relation(self, first: int, second: int) -> Match | None:
        """How the second picture matches the first, folders and verdicts aside; None when it does not."""
        if self._content_of[first] == self._content_of[second]:
            return Match(second, 1.0, IDENTICAL, self._bits, self._sure)
        if self._is_flat(first) or self._is_flat(second):
            return None
        similarity = float(self._vectors.similarity([first], [second])[0])
        if similarity < self._threshold - ROUNDING:
            return None
        turned = bool(self._only_turned(np.array([first]), np.array([second]))[0])
        return Match(second, similarity, SIMILAR, self._bits, self._sure, turned)

    def _wanted(self, number: int, content: int, similarity: float, tier: str, turned: bool = False) -> Iterator[Match]:
        for other in self._files_of[content]:
            if other != number and (self._within or self._folders[other] != self._folders[number]):
                yield Match(other, similarity, tier, self._bits, self._sure, turned)

    def _collapse(self) -> list[int]:
        numbers: dict[bytes, int] = {}
        content_of = []
        for number, picture in enumerate(self._pictures):
            content = numbers.setdefault(picture.digest, len(numbers))
            if content == len(self._files_of):
                self._files_of.append([])
            self._files_of[content].append(number)
            content_of.append(content)
        return content_of

    def _match_contents(self, device: str, report: Report) -> None:
        first_files = np.array([files[0] for files in self._files_of], dtype=np.int64)
        folders = self._folders_of_contents()
        found = find_matches(
            self._vectors.take(first_files), self._threshold, folders, within=self._within, device=device, report=report
        )
        flat = np.array([self._is_flat(number) for number in first_files], dtype=bool)
        keep = ~(flat[found.left] | flat[found.right]) if len(found) else np.empty(0, dtype=bool)
        left, right, similarity = found.left[keep], found.right[keep], found.similarity[keep]
        turned = self._only_turned(first_files[left], first_files[right])
        # Both directions, sorted by content: the matches of content c lie at starts[c]:starts[c + 1].
        source = np.concatenate([left, right])
        order = np.argsort(source, kind="stable")
        self._others: IntVector = np.concatenate([right, left])[order]
        self._similarity: np.ndarray[Any, np.dtype[np.float64]] = np.concatenate([similarity, similarity])[order]
        self._turned: np.ndarray[Any, np.dtype[np.bool_]] = np.concatenate([turned, turned])[order]
        self._starts: IntVector = np.searchsorted(source[order], np.arange(len(self._files_of) + 1))

    def _only_turned(self, left: IntVector, right: IntVector) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """For each matching pair whether it matches only when one picture is turned or mirrored."""
        if self._vectors.views == 1:
            return np.zeros(len(left), dtype=bool)
        upright = self._vectors.upright_similarity(left, right)
        turned: np.ndarray[Any, np.dtype[np.bool_]] = upright < self._threshold - ROUNDING
        return turned

    def _folders_of_contents(self) -> IntVector:
        """Each content's folder number; a content found in several folders gets a number of its own."""
        beyond = max(self._folders, default=0) + 1
        folders = []
        for content, files in enumerate(self._files_of):
            places = {self._folders[number] for number in files}
            folders.append(places.pop() if len(places) == 1 else beyond + content)
        return np.array(folders, dtype=np.int64)

    def _is_flat(self, number: int) -> bool:
        return self._pictures[number].contrast < FLAT_CONTRAST
