"""The keep rule: a chain of criteria in the order a person chose, and what the folders of a picture mean.

Pure functions; files are touched only where a criterion of the chain asks for their headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.errors import DedupError
from dedup.keep.criteria import BY_NAME, CRITERIA, Criterion, Evidence, Places
from dedup.keep.headers import Headers
from dedup.store import Picture

LARGEST = ("largest-file",)
BEST = (
    "full-colours",
    "clearly-more-pixels",
    "not-upscaled",
    "better-format",
    "most-detail",
    "camera-metadata",
    "largest-file",
    "oldest",
)
# Before every chain, unless it names them elsewhere; and after it, so that no two pictures are ever equal.
BEFORE = ("protected-folder", "preferred-folder")
AFTER = ("largest-file", "most-pixels", "oldest", "first-folder", "shortest-path")
FIRST_BY_NAME = "first by its name, as all else is equal"

STRATEGIES: Mapping[str, str] = {
    "largest": "keep the largest file, from whichever folder",
    "first": "keep everything in folder 1, remove its copies from folder 2",
    "second": "keep everything in folder 2, remove its copies from folder 1",
    "best": "keep the best quality: pixels, not enlarged, format, detail, camera's metadata, bytes, oldest",
}
CHAINS: Mapping[str, tuple[str, ...]] = {"largest": LARGEST, "best": BEST}

Key = tuple[float | str, ...]


@dataclass(frozen=True, slots=True)
class KeepRule:
    """Which picture of a set stays: the first that is better by the criteria of ``chain``, in their order.

    Pictures of the ``protected`` folders are never removed, those of the ``preferred`` stay before others. Both
    come before the chain unless it names them; between equals the folder named first in ``folders`` keeps its own.
    """

    protected: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    chain: tuple[str, ...] = LARGEST
    preferred: tuple[Path, ...] = ()

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """What decides before ``AFTER``, in order; what cannot tell two pictures apart is left out."""
        before = [name for name in BEFORE if name not in self.chain]
        idle = {"protected-folder": not self.protected, "preferred-folder": not self.preferred}
        names = [name for name in (*before, *self.chain) if not idle.get(name)]
        return tuple(BY_NAME[name] for name in (() if tuple(names) == AFTER[: len(names)] else names))

    @property
    def needs_detail(self) -> bool:
        """Whether copies must be compared with each other to tell which has the detail they share."""
        return "most-detail" in self.chain

    def key(self, picture: Picture) -> Key:
        """Smaller is better; what only the pixels of its copies could tell is left out."""
        return Ranking([picture], self).key(0)

    def keeps(self, picture: Picture) -> bool:
        """Whether this picture may never be removed, whatever it matches."""
        return bool(self.protected) and any(picture.full_path.is_relative_to(folder) for folder in self.protected)


class Ranking:
    """The pictures of a run in the order in which a rule keeps them."""

    def __init__(self, pictures: Sequence[Picture], rule: KeepRule, evidence: Evidence | None = None) -> None:
        self._pictures = pictures
        self.evidence = evidence or Evidence(Headers())
        protected, preferred = place_within(rule.protected), place_within(rule.preferred)
        self._named = {str(folder): number for number, folder in enumerate(rule.folders)}
        self._last = len(self._named)
        self._places = Places(
            lambda picture: protected(picture) < len(rule.protected),
            preferred,
            lambda picture: self._named.get(str(picture.root), self._last),
        )
        self._criteria = (*rule.criteria, *(BY_NAME[name] for name in AFTER))
        self._ranks = [one.rank for one in rule.criteria]
        self.has_protected = bool(rule.protected)

    def key(self, number: int) -> Key:
        """Smaller is better: one rank for each criterion, then the path."""
        picture = self._pictures[number]
        path, root = picture.path, str(picture.root)
        return (
            *[rank(picture, number, self._places, self.evidence) for rank in self._ranks],
            # Those of AFTER, written out: they are asked for every picture of a run.
            -picture.size,
            -picture.width * picture.height,
            picture.mtime_ns,
            self._named.get(root, self._last),
            len(path),
            path,
            root,
        )

    def is_protected(self, number: int) -> bool:
        """Whether a picture may never be removed."""
        return self.has_protected and self._places.protected(self._pictures[number])

    def from_camera(self, number: int) -> bool:
        """Whether a picture says when or where it was taken."""
        return self.evidence.headers.from_camera(self._pictures[number]) > 0

    def deciding(self, keeper: Key, other: Key) -> int:
        """The place, in a key, of what speaks for the keeper."""
        place = 0
        while keeper[place] == other[place]:
            place += 1
        return place

    def reason_at(self, place: int) -> str:
        """The words for what stands at a place of a key."""
        return self._criteria[place].reason if place < len(self._criteria) else FIRST_BY_NAME


def place_within(folders: Sequence[Path]) -> Callable[[Picture], int]:
    """Which of the folders holds a picture: the place of the first that does, their number where none does."""
    known: dict[tuple[Path, str], int] = {}

    def place(picture: Picture) -> int:
        where = picture.root, picture.path.rpartition("/")[0]
        if where not in known:
            parent = picture.full_path.parent
            found = (number for number, folder in enumerate(folders) if parent.is_relative_to(folder))
            known[where] = next(found, len(folders))
        return known[where]

    return place


def understand_chain(text: str) -> tuple[str, ...]:
    """The chain that a name (largest, best) or criteria with commas between them mean; raises DedupError."""
    if text.strip() in CHAINS:
        return CHAINS[text.strip()]
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in BY_NAME:
            raise DedupError(
                f'"{name}" is no reason to keep a picture.',
                f"Take {', '.join(CHAINS)}, or one or more of these with commas between them: {', '.join(BY_NAME)}.",
            )
        if names.count(name) > 1:
            raise DedupError(f"{name} stands twice in {text}.", "Name each criterion once, the weightiest first.")
    return tuple(names)


def chain_in_words(chain: Sequence[str]) -> str:
    """``largest file``, ``most pixels, then oldest``, ``best quality``: what decides, in order."""
    if tuple(chain) == BEST:
        return "best quality"
    return ", then ".join(name.replace("-", " ") for name in chain)


def rule_for(
    strategy: str, folders: Sequence[Path], protected: Sequence[Path] = (), preferred: Sequence[Path] = ()
) -> KeepRule:
    """The keep rule of a strategy or a chain over the folders in the order the user gave them; raises DedupError."""
    kept: list[Path] = list(protected)
    chain: tuple[str, ...] = LARGEST
    if strategy == "first":
        kept.insert(0, folders[0])
    elif strategy == "second":
        if len(folders) < 2:
            raise DedupError("--keep second needs two folders.", "Name both.")
        kept.insert(0, folders[1])
    else:
        chain = understand_chain(strategy)
    return KeepRule(tuple(dict.fromkeys(kept)), tuple(folders), chain, tuple(preferred))


def criteria_explained() -> list[str]:
    """Each criterion with its help, numbered, as lines."""
    return [f"  {number:>2}  {one.name:<19} {one.help}" for number, one in enumerate(CRITERIA, 1)]
