"""What would be lost with a picture: what only it carries, and what only it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from dedup import images
from dedup.companions import Beside, is_film, is_raw
from dedup.knowledge.films import film_within
from dedup.metadata import Metadata, read_with

# Two places on Earth closer than this, in degrees, are the same one: about ten metres.
SAME_PLACE = 1e-4
EDITING_STEPS = frozenset((".aae", ".pp3", ".dop"))
MOST_WORDS = 20


@dataclass(slots=True)
class Knowing:
    """Reads what pictures know, each once, and what lies beside them."""

    beside: Beside = field(default_factory=Beside)
    _known: dict[Path, Metadata] = field(default_factory=dict)

    def of(self, picture: Path) -> Metadata:
        """What a picture's file and its sidecars say."""
        if picture not in self._known:
            sidecars = [one for one in self.beside.files_of(picture) if one.suffix.lower() == ".xmp"]
            self._known[picture] = read_with(picture, sidecars)
        return self._known[picture]


def counterpart(companion: Path, keeper: Path, beside: Beside) -> Path | None:
    """The file beside a kept picture that holds the same bytes as a companion of another one; it may be that file."""
    try:
        size = companion.stat().st_size
        for other in beside.files_of(keeper):
            if other == companion:
                return other
            if other.stat().st_size == size and images.digest(other) == images.digest(companion):
                return other
    except OSError:
        return None
    return None


def carried(picture: Path, keeper: Path, beside: Beside, *, same_bytes: bool = False) -> list[str]:
    """What a picture has that cannot be had again and the keeper has not: its RAW, its film, in plain words.

    ``same_bytes``: the two files are known to be equal, so that only what lies beside them can tell.
    """
    lines = []
    for path in beside.files_of(picture):
        kind = "RAW file" if is_raw(path.name) else "film" if is_film(path.name) else ""
        if kind and counterpart(path, keeper, beside) is None:
            lines.append(f"its {kind} {path.name} has no equal beside the kept picture")
    film = b"" if same_bytes else film_within(picture)
    if film and film != film_within(keeper):
        lines.append("it holds the film of a motion photo, which the kept picture does not")
    return lines


def what_is_lost(
    picture: Path, keeper: Path, companions: Sequence[Path], knowing: Knowing, *, same_bytes: bool = False
) -> list[str]:
    """All that goes with a picture and its companions and is not the keeper's too, one line each."""
    lines = carried(picture, keeper, knowing.beside, same_bytes=same_bytes)
    for path in companions:
        if path.suffix.lower() in EDITING_STEPS and counterpart(path, keeper, knowing.beside) is None:
            lines.append(f"editing steps in {path.name}")
    if same_bytes and not any(path.suffix.lower() == ".xmp" for path in knowing.beside.files_of(picture)):
        return lines
    return lines + _lines_of(knowing.of(picture), knowing.of(keeper))


def worth_keeping(known: Metadata, keeper: Metadata, *, contradicting: bool = False) -> Metadata:
    """What one says that the keeper says nothing of; with ``contradicting`` also what the keeper says otherwise."""

    def lacks(mine: object, other: object) -> bool:
        return bool(mine) and (contradicting or not other)

    return Metadata(
        known.taken if lacks(known.taken, keeper.taken) and not _same_time(known.taken, keeper.taken) else "",
        known.gps if lacks(known.gps, keeper.gps) and not _same_place(known.gps, keeper.gps) else None,
        known.rating if lacks(known.rating, keeper.rating) and known.rating != keeper.rating else None,
        tuple(word for word in known.keywords if word not in keeper.keywords),
        known.title if lacks(known.title, keeper.title) and known.title != keeper.title else "",
    )


def _lines_of(known: Metadata, keeper: Metadata) -> list[str]:
    """What one says and the keeper does not, or says otherwise, one line each."""
    lost = worth_keeping(known, keeper, contradicting=True)
    lines = []
    if lost.taken:
        lines.append(f"capture date {_day(lost.taken)}" + _otherwise(_day(keeper.taken)))
    if lost.gps is not None:
        lines.append(f"GPS {_place(lost.gps)}" + _otherwise(_place(keeper.gps)))
    if lost.rating is not None:
        lines.append(f"rating {lost.rating}" + _otherwise(str(keeper.rating or "")))
    if lost.keywords:
        more = f" and {len(lost.keywords) - MOST_WORDS:,} more" if len(lost.keywords) > MOST_WORDS else ""
        lines.append("keywords: " + ", ".join(lost.keywords[:MOST_WORDS]) + more)
    if lost.title:
        lines.append(f"title: {lost.title}" + _otherwise(keeper.title))
    return lines


def _day(taken: str) -> str:
    return taken.replace("T", " ", 1)


def _place(gps: tuple[float, float] | None) -> str:
    return f"{gps[0]:.5f}, {gps[1]:.5f}" if gps is not None else ""


def _otherwise(said: str) -> str:
    return f" (the kept picture says {said})" if said else ""


def added(known: Metadata, keeper: Metadata) -> Metadata | None:
    """What to write beside the keeper so that nothing is lost, or None: never what contradicts it.

    Keywords are written all, since many programs take those of a sidecar for all there are.
    """
    new = worth_keeping(known, keeper)
    if new == Metadata():
        return None
    return replace(new, keywords=(*keeper.keywords, *new.keywords) if new.keywords else ())


def _same_time(one: str, two: str) -> bool:
    """Whether two moments agree to the second; one that says no time zone is taken to be in the other's."""
    try:
        first, second = datetime.fromisoformat(one), datetime.fromisoformat(two)
    except ValueError:
        return False
    if (first.tzinfo is None) != (second.tzinfo is None):
        first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
    return first.replace(microsecond=0) == second.replace(microsecond=0)


def _same_place(one: tuple[float, float] | None, two: tuple[float, float] | None) -> bool:
    return one is not None and two is not None and all(abs(a - b) < SAME_PLACE for a, b in zip(one, two, strict=True))
