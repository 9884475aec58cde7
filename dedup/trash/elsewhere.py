"""Move or copy files to a folder of the person's choice, never overwriting; undo brings them back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from dedup import images
from dedup.errors import DedupError
from dedup.progress import Skipped
from dedup.scan import is_skipped_folder
from dedup.store import Entry, Journal
from dedup.trash import moves, units
from dedup.trash.checks import leads_inside, why_changed
from dedup.trash.plan import FileStamp, Removal
from dedup.trash.removal import Outcome
from dedup.trash.ways import COPY, FOLDER, Move, Way

MISSING = "not there now: is the drive it was taken to connected?"


@dataclass
class Elsewhere(Way):
    """A folder chosen. Several picture folders get a folder each in it, named like them.

    ``flat`` leaves the tree out. A name that is taken there gets a number.
    """

    chosen: Path
    parts: dict[str, str]
    flat: bool = False
    name: str = FOLDER
    done: str = "moved"
    _taken: set[str] = field(default_factory=set)

    def aim(self, entry: Entry, removal: Removal) -> Entry:
        """To the same place under the folder chosen, or beside what has that name."""
        path = Path(entry.path)
        wanted = self.chosen / self.parts.get(removal.folder, "") / (path.name if self.flat else path)
        target = self._free(wanted)
        return replace(entry, how=self.name, target=os.fspath(self.chosen), trash_path=os.fspath(target))

    def why_led_away(self, root: Path, unit: Iterable[Entry]) -> str | None:
        """The reason files must not go where they are to go: a link on the way leads out of the folder chosen."""
        self.chosen.mkdir(parents=True, exist_ok=True)
        if all(leads_inside(root / one.trash_path, self.chosen) for one in unit):
            return None
        return "a link leads out of the folder chosen there"

    def _free(self, wanted: Path) -> Path:
        for number in count(1):
            target = wanted if number == 1 else wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
            # Folded, since many file systems take "A.jpg" and "a.jpg" for one name.
            key = os.fspath(target).casefold()
            if key not in self._taken and not os.path.lexists(target):
                self._taken.add(key)
                return target
        raise AssertionError("numbers do not end")


@dataclass
class Arrangement(Elsewhere):
    """Whole sets, or the pictures of a plan, taken elsewhere: nothing is removed, so no keeper is asked for."""

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Move one file and what belongs to it, and look whether it arrived as it was."""
        moved: list[Entry] = []
        unit = _going(journal, entry)
        if reason := self.why_led_away(root, unit):
            return reason
        for one in unit:
            try:
                moves.move_to_folder(root / one.path, root / one.trash_path)
            except OSError as problem:
                return f"cannot be moved: {problem.strerror or problem}" + units.move_back(root, moved)
            moved.append(one)
        reason = why_changed(removal.file, "it", at=root / entry.trash_path)
        return reason + units.move_back(root, moved) if reason else None


@dataclass
class Copying(Elsewhere):
    """As an arrangement, and the files stay where they are too."""

    name: str = COPY
    done: str = "copied"

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Copy one file and what belongs to it, compared by their digests."""
        copied: list[Path] = []
        unit = _going(journal, entry)
        if reason := self.why_led_away(root, unit):
            return reason
        for one in unit:
            target = root / one.trash_path
            try:
                moves.copy_to_folder(root / one.path, target)
            except OSError as problem:
                for copy in copied:
                    moves.erase(copy)
                return f"cannot be copied: {problem.strerror or problem}"
            copied.append(target)
        return None


def _going(journal: Journal, entry: Entry) -> list[Entry]:
    """The files of a unit that are to go, the picture last."""
    return [one for one in reversed(journal.unit_of(entry)) if one.state == "planned"]


def take_back_copy(root: Path, journal: Journal, entry: Entry, outcome: Outcome) -> None:
    """Undo a copy: remove it, unless somebody has changed it since, or its original is not in its place any more."""
    target = root / entry.trash_path
    if reason := _why_copy_stays(root, entry, target):
        outcome.refused.append(Skipped(os.fspath(target), reason))
        return
    journal.mark([entry], "purging")
    try:
        moves.erase(target)
    except FileNotFoundError:
        pass  # gone already, which is what was asked for
    except OSError as problem:
        journal.mark([entry], "copied")
        outcome.refused.append(Skipped(os.fspath(target), f"cannot be removed: {problem.strerror or problem}"))
        return
    journal.mark([entry], "restored")
    outcome.count(os.fspath(root), entry.size)


def _why_copy_stays(root: Path, entry: Entry, target: Path) -> str | None:
    if not os.path.lexists(target):
        return MISSING if is_away(entry) else None
    stamp = FileStamp(os.fspath(target), entry.size, entry.mtime_ns, entry.digest.hex())
    if reason := why_changed(stamp, "the copy", read_bytes=True):
        return reason.replace("indexed", "copied") + "; it stays"
    place = root / entry.path
    if os.path.islink(place) or not os.path.isfile(place) or images.digest(place) != entry.digest:
        return "its original is gone or changed: the copy may be the last, and stays"
    return None


def is_away(entry: Entry) -> bool:
    """Whether the folder chosen for a file is not there, or empty as the place of a drive that is not connected is."""
    try:
        return not any(os.scandir(entry.target))
    except OSError:
        return True


def chosen_folder(
    text: str, folders: Iterable[str], *, flat: bool = False, way: type[Elsewhere] = Elsewhere
) -> Elsewhere:
    """The way to a folder a person named; raises DedupError where files must not go."""
    roots = [Path(folder) for folder in folders]
    try:
        place = Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as problem:
        raise DedupError(f"{text} cannot be a folder: {problem}", "Name another folder.") from problem
    if not text.strip():
        raise DedupError("No folder to move to was named.", "Name one: folder:DIR")
    if os.path.lexists(place) and not place.is_dir():
        raise DedupError(f"{place} is not a folder.", "Name a folder, or a name that is still free.")
    if any(is_skipped_folder(folder.as_posix()) for folder in (place, *place.parents) if folder.name):
        raise DedupError(f"{place} lies in a trash.", "Name a folder outside of it.")
    for root in roots:
        if place.is_relative_to(root):
            raise DedupError(
                f"{place} lies inside the picture folder {root}: what is moved there would be found again.",
                "Name a folder outside of it.",
            )
        if root.is_relative_to(place):
            raise DedupError(f"{place} holds the picture folder {root}.", "Name a folder of its own for them.")
    return way(place, {} if flat else _parts(roots), flat)


def _parts(roots: list[Path]) -> dict[str, str]:
    """A folder for each of several picture folders, by their names, numbered where these are equal."""
    if len(set(roots)) < 2:
        return {}
    parts: dict[str, str] = {}
    for root in dict.fromkeys(roots):
        name = root.name or "pictures"
        used = {part.casefold() for part in parts.values()}
        names = (name if number == 1 else f"{name} ({number})" for number in count(1))
        parts[os.fspath(root)] = next(one for one in names if one.casefold() not in used)
    return parts
