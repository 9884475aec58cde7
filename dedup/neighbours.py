"""The direct matches of each picture: by digest, by embedding at a threshold, and by looking at the pixels.

Files with the same bytes are one *content*: contents are compared, files are matched. So a
thousand copies of one file cost one comparison, and no list of their half a million pairs.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from dedup.cache import Cached
from dedup.clusters import Clusters
from dedup.keep import SURE, Match
from dedup.match import (
    NO_MATCHES,
    ROUNDING,
    Adjacency,
    Buckets,
    IntVector,
    Matches,
    Nearest,
    find_matches,
    find_remembered,
    names_of,
    united,
)
from dedup.progress import Progress, Report, silent
from dedup.provenance import BITS, Provenance
from dedup.store import Picture
from dedup.tiers import IDENTICAL, LOOK_ALIKE
from dedup.vectors import Rows, Vectors
from dedup.verifier import FLAT_CONTRAST
from dedup.verify.verification import Verification, sentence

# Of the 256 bits of two whole frames, how many may differ for the pair to be looked at: unrelated pictures differ in
# about 128, one pair of a million in fewer than 80.
FRAME_BITS, FRAME_DISTANCE = 256, 80
FRAMES = Provenance("frame", "", "", 1, FRAME_BITS, BITS)
# A picture is looked at beside the members of its own cluster that it was not compared with, up to so many.
MOST_OF_CLUSTER = 1000
# How many of a cluster may turn out to be edits before the search for its original ends.
MOST_TRIED = 3
LOOKED_AT_ONCE = 2048

# A search among fewer is quicker than reading what was found last time.
WORTH_REMEMBERING = 5000
MATCHES = "matches"

# Of a kind of search, the file that holds what it found last time.
Memory = Callable[[str], Cached]
Dismissed = Callable[[bytes, bytes], bool]


class Verify(Protocol):
    """Looks at pairs of picture numbers: one result each, None where a file could not be read."""

    def __call__(self, pairs: Sequence[tuple[int, int]], what: str = ..., /) -> list[Verification | None]:
        """The results, of the second as seen from the first."""


def nothing_known(picture: Picture) -> int:
    """Nothing is known of any camera."""
    return 0


def nothing_dismissed(first: bytes, second: bytes) -> bool:
    """No pair was ever called "not duplicates"."""
    return False


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep below the threshold pairs are looked at: down to this similarity, so many nearest of each picture."""

    lowest: float
    most: int


@dataclass(frozen=True, slots=True)
class _Link:
    """Two contents compared: how similar, whether at the threshold, only when turned, and what a look showed."""

    similarity: float
    above: bool
    turned: bool
    seen: Verification | None

    @property
    def is_duplicate(self) -> bool:
        return self.seen is not None and self.seen.tier != LOOK_ALIKE


class Neighbours:
    """Who matches whom among pictures whose row i has vector i and folder number i.

    Without ``verify`` every match at the threshold is a look-alike. With it, pairs down to ``depth`` are looked at:
    those found to be duplicates match, the others only at the threshold and with ``look_alikes``. ``from_camera``
    tells whether a picture has what only a camera writes; it is asked where nothing else tells the edit.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        vectors: Vectors | Rows,
        folders: Sequence[int],
        threshold: float,
        *,
        verify: Verify | None = None,
        depth: Depth | None = None,
        look_alikes: bool = True,
        within: bool = True,
        dismissed: Dismissed = nothing_dismissed,
        sure: bool = True,
        device: str = "cpu",
        report: Report = silent,
        memory: Memory | None = None,
        from_camera: Callable[[Picture], int] = nothing_known,
    ) -> None:
        self._sure = sure
        self._memory = memory
        self._from_camera = from_camera
        self._pictures = pictures
        self._vectors = Vectors.of(vectors)
        self._bits = self._vectors.dim if self._vectors.is_bits else 0
        self._folders = folders
        self._threshold = threshold
        self._verify = verify
        self._look_alikes = look_alikes
        self._within = within
        self._dismissed = dismissed
        self.cut = 0
        self._content_of = self._collapse()
        self._files_of = Buckets(self._content_of)
        self._links: dict[int, dict[int, _Link]] = {}
        # Without a look at the pixels the pairs at the threshold are all there is to know.
        self._unseen = Adjacency(0, NO_MATCHES, np.empty(0, dtype=bool))
        self._compared: set[int] = set()
        self._first: set[int] = set()
        self._clusters = Clusters(len(self._files_of))
        self._explore(self._similar_contents(depth, device, report), report)

    def candidates(self) -> list[int]:
        """The numbers of the pictures that may have a match, in order."""
        linked = np.zeros(len(self._files_of), dtype=bool)
        linked[[content for content, links in self._links.items() if any(map(self._shows, links.values()))]] = True
        if self._look_alikes:
            linked[self._unseen.rows()] = True
        several = np.bincount(self._content_of, minlength=len(linked)) > 1
        found: list[int] = np.flatnonzero((linked | several)[self._content_of]).tolist()
        return found

    def settle(self, key: Callable[[int], Any], *, compare: bool = False) -> set[int]:
        """The numbers of the pictures that, as far as the evidence tells, are edits of others here.

        In each cluster the picture that would become its keeper (the smallest ``key`` among those that are no edits) is
        compared with all the others, which may show that it is an edit itself: then the next one is. With ``compare``
        the next ones are looked at in any case, so that ``closeness`` can tell them apart.
        """
        edits: set[int] = set()
        for members in self._clusters.members():
            best = {content: min(map(key, self._files_of[content])) for content in members}
            self._try_keepers(members, best, compare)
            made = {content for content in members if self._is_edit(content)}
            if len(made) == len(members):
                # Something must have been first: what the fewest others speak against.
                first = min(made, key=lambda content: (len(self._evidently_made_from(content)), best[content]))
                self._first.add(first)
                made.discard(first)
            edits |= made
        return {number for content in edits for number in self._files_of[content]}

    def _try_keepers(self, members: Sequence[int], best: Mapping[int, Any], compare: bool) -> None:
        tried: set[int] = set()
        while len(tried) < min(MOST_TRIED, len(members)):
            untried = (content for content in members if content not in tried)
            choice = min(untried, key=lambda content: (self._is_edit(content), best[content]))
            tried.add(choice)
            self._look_around(choice)
            if not compare and not self._is_edit(choice):
                break
        self._compared |= tried

    def _is_edit(self, content: int) -> bool:
        """Whether it was made from another here: what is evident of it, else what most of its duplicates say.

        Any single one may be wrong, so what an edit says of its original counts less than the reverse.
        """
        if content in self._first:
            return False
        if self._is_evident_edit(content):
            return True
        told = [self._edit(content, other, link) for other, link in self._links_of(content).items()]
        return told.count(1) > told.count(2)

    def _edit(self, content: int, other: int, link: _Link) -> int:
        """Which of two is the edit as far as can be told: 1 the first, 2 the other, 0 unknown.

        What was found in the pixels comes first. Where they say nothing (a mirror, a negative, another brightness), the
        one with what a camera wrote is the original, if the other has lost it.
        """
        if link.seen is None or not link.is_duplicate:
            return 0
        if link.seen.edit or not link.seen.is_altered:
            return link.seen.edit
        mine, theirs = (bool(self._from_camera(self._pictures[self._files_of[one][0]])) for one in (content, other))
        return (1 if theirs else 2) if mine != theirs else 0

    def _is_evident_edit(self, content: int) -> bool:
        evident = self._evidently_made_from(content)
        fewer = any(len(self._evidently_made_from(other)) < len(evident) for other in evident)
        return fewer and content not in self._first

    def _evidently_made_from(self, content: int) -> list[int]:
        links = self._links_of(content).items()
        return [other for other, link in links if link.is_duplicate and link.seen and link.seen.evident_edit == 1]

    def may_be_sure(self, number: int) -> bool:
        """Whether a picture is known to have a match as sure as the same picture."""
        content = self._content_of[number]
        seen = (link.seen for link in self._links_of(content).values())
        return self._files_of.size(content) > 1 or any(one is not None and one.tier in SURE for one in seen)

    def is_enlarged(self, number: int) -> bool:
        """Whether a duplicate showed that a picture was enlarged without gaining detail."""
        links = self._links_of(self._content_of[number]).values()
        return any(link.is_duplicate and link.seen is not None and "1:upscaled" in link.seen.findings for link in links)

    def closeness(self, number: int) -> float:
        """How exactly a picture agrees with its duplicates on average, 0 to 1: an original more than its edits do.

        0 for a picture that was not compared with all of them.
        """
        if self._content_of[number] not in self._compared:
            return 0.0
        links = self._links_of(self._content_of[number]).values()
        seen = [link.seen.closeness for link in links if link.is_duplicate and link.seen is not None]
        return sum(seen) / len(seen) if seen else 0.0

    def matches_of(self, number: int) -> Iterator[Match]:
        """The direct matches of one picture, none of them dismissed."""
        content = self._content_of[number]
        digest = self._pictures[number].digest
        if self._files_of.size(content) > 1 and not self._dismissed(digest, digest):
            for other in self._wanted(number, content):
                yield Match(other, 1.0, IDENTICAL, self._bits, self._sure, remark=sentence(Verification(IDENTICAL)))
        self._look_around(content)
        for other_content, link in sorted(self._links_of(content).items()):
            if self._shows(link) and not self._dismissed(digest, self._digest(other_content)):
                for other in self._wanted(number, other_content):
                    yield self._match(content, other, link)

    def relation(self, first: int, second: int) -> Match | None:
        """How the second picture matches the first, folders and verdicts aside; None when it does not."""
        one, two = self._content_of[first], self._content_of[second]
        if one == two:
            return Match(second, 1.0, IDENTICAL, self._bits, self._sure, remark=sentence(Verification(IDENTICAL)))
        if two not in self._links_of(one):
            self._connect(self._all_pairs([(one, two)]))
        link = self._links_of(one)[two]
        return self._match(one, second, link) if self._shows(link) else None

    def _match(self, content: int, other: int, link: _Link) -> Match:
        seen = link.seen
        if seen is None:
            return Match(other, link.similarity, LOOK_ALIKE, self._bits, self._sure, link.turned)
        edit = self._edit(content, int(self._content_of[other]), link)
        remark, by_camera = sentence(seen), edit != seen.edit and seen.tier != LOOK_ALIKE
        tier = seen.tier
        return Match(other, link.similarity, tier, self._bits, self._sure, link.turned, remark, edit, by_camera)

    def _shows(self, link: _Link) -> bool:
        return link.is_duplicate or (link.above and self._look_alikes)

    def _wanted(self, number: int, content: int) -> Iterator[int]:
        for other in self._files_of[content]:
            if other != number and (self._within or self._folders[other] != self._folders[number]):
                yield other

    def _digest(self, content: int) -> bytes:
        return self._pictures[self._files_of[content][0]].digest

    # -- contents ---------------------------------------------------------------------

    def _collapse(self) -> IntVector:
        """(pictures,) the number of each one's content, in the order in which they first come."""
        numbers: dict[bytes, int] = {}
        contents = (numbers.setdefault(picture.digest, len(numbers)) for picture in self._pictures)
        return np.fromiter(contents, dtype=np.int32, count=len(self._pictures))

    def _folders_of_contents(self) -> IntVector:
        """Each content's folder number; a content found in several folders gets a number of its own."""
        folders = np.array(self._folders, dtype=np.int64)
        found = folders[self._files_of.firsts()]
        several = np.unique(self._content_of[folders != found[self._content_of]])
        found[several] = folders.max(initial=0) + 1 + several
        return found

    # -- which pairs to look at ---------------------------------------------------------

    def _similar_contents(self, depth: Depth | None, device: str, report: Report) -> Matches:
        """The pairs of contents at the threshold, and with ``depth`` those below it that deserve a look, best first.

        With each its similarity, of the embeddings or the frames.
        """
        files = self._files_of.firsts()
        folders = self._folders_of_contents()
        nearest = Nearest(depth.lowest, depth.most) if depth and self._verify else None
        vectors = self._vectors.take(files)
        found = [self._find(MATCHES, files, vectors, self._threshold, folders, nearest, device, report)]
        if nearest is not None and depth is not None:
            found += [nearest.matches(), self._similar_frames(files, folders, depth.most, report)]
            self.cut = int(nearest.is_cut(len(files)).sum())
        return united(found)

    def _similar_frames(self, files: IntVector, folders: IntVector, most: int, report: Report) -> Matches:
        """Pairs of contents whose whole frames look alike in black and white: thumbnails, blurs, posters."""
        known = np.array([i for i, number in enumerate(files) if self._pictures[number].frame], dtype=np.int64)
        rows = [np.frombuffer(self._pictures[files[i]].frame, dtype=np.uint8) for i in known]
        vectors = Vectors(np.stack(rows)[:, None], FRAME_BITS) if rows else Vectors.empty(FRAMES, 0)
        lowest = 1.0 - 2.0 * FRAME_DISTANCE / FRAME_BITS
        nearest = Nearest(lowest, most)
        self._find(FRAMES.encoder, files[known], vectors, 2.0, folders[known], nearest, "cpu", report)
        pairs = nearest.matches()
        return Matches(known[pairs.left], known[pairs.right], pairs.similarity)

    def _find(
        self,
        what: str,
        files: IntVector,
        vectors: Vectors,
        threshold: float,
        folders: IntVector,
        nearest: Nearest | None,
        device: str,
        report: Report,
    ) -> Matches:
        """The matches among the vectors of some files; of many, what was found before is not looked for again."""
        search: Callable[..., Matches] = find_matches
        if self._memory is not None and len(files) >= WORTH_REMEMBERING:
            names = names_of([self._pictures[number].digest for number in files], vectors)
            if not self._within:
                # What was found between folders says nothing of a picture that now lies in another.
                places = np.minimum(folders, max(self._folders) + 1).astype(np.uint64)
                names[:, 0] ^= (places + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            search = partial(find_remembered, self._memory(what), names)
        return search(vectors, threshold, folders, within=self._within, nearest=nearest, device=device, report=report)

    def _explore(self, pairs: Matches, report: Report) -> None:
        """Look at pairs, the most similar first; one that two others have already made part of a cluster can wait.

        Without this the members of a large set would all be looked at beside each other: the keeper is enough.
        """
        if self._verify is None:
            self._unseen = self._as_matched(pairs)
            return
        total = len(pairs)
        left: IntVector = np.arange(total)
        while len(left):
            report(Progress("pairs considered", total - len(left), total))
            batch, left = self._joining(pairs, left)
            self._connect(batch)
        report(Progress("pairs considered", total, total))

    def _as_matched(self, pairs: Matches) -> Adjacency:
        flat = np.array([picture.contrast < FLAT_CONTRAST for picture in self._pictures], dtype=bool)
        files = self._files_of.firsts()
        first, second = files[pairs.left], files[pairs.right]
        # What shows next to nothing is no look-alike of anything: encoders see no difference there.
        shown = ~(flat[first] | flat[second])
        matched = Matches(pairs.left[shown], pairs.right[shown], pairs.similarity[shown])
        return Adjacency(len(files), matched, self._only_turned(first[shown], second[shown]))

    def _links_of(self, content: int) -> Mapping[int, _Link]:
        """How a content is linked to others, by their numbers."""
        known = self._links.get(content, {})
        if self._verify is not None:
            return known
        matched = {other: _Link(alike, True, turned, None) for other, alike, turned in self._unseen.of(content)}
        return {**matched, **known}

    def _joining(self, pairs: Matches, places: IntVector) -> tuple[list[tuple[int, int]], IntVector]:
        """(pairs that would join clusters if all were duplicates, the places of those that may be needed if not)."""
        hoped = self._clusters.copy()
        batch: list[tuple[int, int]] = []
        later = array("q")
        for at, place in enumerate(places):
            if len(batch) >= LOOKED_AT_ONCE:
                return batch, np.concatenate([np.array(later, dtype=np.int64), places[at:]])
            pair = int(pairs.left[place]), int(pairs.right[place])
            if self._clusters.root(pair[0]) == self._clusters.root(pair[1]):
                continue
            if hoped.root(pair[0]) == hoped.root(pair[1]):
                later.append(place)
            else:
                batch.append(pair)
                hoped.join(*pair)
        return batch, np.array(later, dtype=np.int64)

    def _look_around(self, content: int) -> None:
        """Look at a content beside those of its cluster that it was not compared with, before it becomes a keeper."""
        known = self._links_of(content)
        missing = [other for other in self._clusters.of(content) if other != content and other not in known]
        if self._verify is not None and missing:
            self._connect(self._all_pairs((content, other) for other in missing[:MOST_OF_CLUSTER]))

    def _all_pairs(self, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(min(pair), max(pair)) for pair in pairs]

    # -- links --------------------------------------------------------------------------

    def _connect(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Compare pairs of contents, look at those worth it, and link them."""
        ordered = sorted(set(pairs))
        if not ordered:
            return
        left, right = (np.array(column, dtype=np.int64) for column in zip(*ordered, strict=True))
        first = np.array([self._files_of[content][0] for content in left], dtype=np.int64)
        second = np.array([self._files_of[content][0] for content in right], dtype=np.int64)
        similarity = self._vectors.similarity(first, second)
        above = similarity >= self._threshold - ROUNDING
        turned = self._only_turned(first, second)
        flat = np.array([self._is_flat(a) or self._is_flat(b) for a, b in zip(first, second, strict=True)], dtype=bool)
        seen = self._looked_at(first, second, flat)
        for i, (one, two) in enumerate(ordered):
            # What shows next to nothing is no look-alike of anything: encoders see no difference there.
            is_above = bool(above[i]) and not flat[i]
            link = _Link(float(similarity[i]), is_above, is_above and bool(turned[i]), seen[i])
            self._links.setdefault(one, {})[two] = link
            swapped = link.seen.swapped() if link.seen is not None else None
            self._links.setdefault(two, {})[one] = _Link(link.similarity, link.above, link.turned, swapped)
            if link.is_duplicate:
                self._clusters.join(one, two)

    def _looked_at(
        self, first: IntVector, second: IntVector, flat: np.ndarray[Any, np.dtype[np.bool_]]
    ) -> list[Verification | None]:
        if self._verify is None:
            return [None] * len(first)
        wanted = [
            i
            for i, (a, b) in enumerate(zip(first, second, strict=True))
            if not flat[i] or self._size(int(a)) == self._size(int(b))
        ]
        results = self._verify([(int(first[i]), int(second[i])) for i in wanted])
        seen: Mapping[int, Verification | None] = dict(zip(wanted, results, strict=True))
        return [seen.get(i) for i in range(len(first))]

    def _only_turned(self, left: IntVector, right: IntVector) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """For each matching pair whether it matches only when one picture is turned or mirrored."""
        if self._vectors.views == 1:
            return np.zeros(len(left), dtype=bool)
        upright = self._vectors.upright_similarity(left, right)
        turned: np.ndarray[Any, np.dtype[np.bool_]] = upright < self._threshold - ROUNDING
        return turned

    def _is_flat(self, number: int) -> bool:
        return self._pictures[number].contrast < FLAT_CONTRAST

    def _size(self, number: int) -> tuple[int, int]:
        return self._pictures[number].width, self._pictures[number].height
