"""Replace a file by the very bytes of the picture kept: by a hard link, or by a copy that shares its blocks."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dedup import images
from dedup.store import Entry, Journal
from dedup.trash import cloning, moves
from dedup.trash.checks import why_changed
from dedup.trash.plan import Removal
from dedup.trash.ways import HARD_LINK, REFLINK, Move, Way

NOT_EQUAL = "its bytes are not those of the picture kept: a link would change it"
OTHER_VOLUME = "it lies on another volume than the picture kept"


class HardLink(Way):
    """The name stays and becomes a second name of the picture kept; the file itself goes to the trash."""

    name = HARD_LINK
    takes_companions = False

    def why_not(self, removal: Removal) -> str | None:
        """Only equal bytes on one volume can be two names of one file."""
        if removal.file.digest != removal.keeper.digest:
            return NOT_EQUAL
        one, other = os.lstat(removal.file.path), os.lstat(removal.keeper.path)
        return OTHER_VOLUME if one.st_dev != other.st_dev else None

    def aim(self, entry: Entry, removal: Removal) -> Entry:
        """As for the trash, with the way noted."""
        return replace(entry, how=self.name)

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Move the file away, then give its name to the picture kept; when that fails the file comes straight back."""
        if reason := move():
            return reason
        place = root / entry.path
        try:
            os.link(removal.keeper.path, place)
        except OSError as problem:
            return "cannot be linked: " + _words(problem) + put_back(root, entry)
        # The picture kept may have been saved anew at that very moment: then the name must not stand for that.
        if reason := why_changed(removal.keeper, "its keeper", read_bytes=True, at=place):
            drop_name(place, Path(removal.keeper.path))
            return reason + put_back(root, entry)
        return None


@dataclass
class Reflink(Way):
    """The file stays a file of its own, and shares its blocks with the picture kept until one of the two is changed."""

    name = REFLINK
    done = "shared"
    takes_companions = False
    _checked: dict[tuple[str, int], str | None] = field(default_factory=dict)

    def why_not(self, removal: Removal) -> str | None:
        """Only equal bytes can be shared, only where the file system can, and only once."""
        if removal.file.digest != removal.keeper.digest:
            return NOT_EQUAL
        key = os.path.dirname(removal.file.path), os.lstat(removal.keeper.path).st_dev
        if key not in self._checked:
            self._checked[key] = cloning.why_not(Path(removal.keeper.path), Path(key[0]))
        if reason := self._checked[key]:
            return reason
        if cloning.is_shared(Path(removal.file.path), Path(removal.keeper.path)):
            return "it shares its bytes with the picture kept already"
        return None

    def aim(self, entry: Entry, removal: Removal) -> Entry:
        """As for the trash, with the way noted."""
        return replace(entry, how=self.name)

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Make the sharing copy under a name of its own, move the file away, name the copy, and erase the file."""
        place, trash = root / entry.path, root / entry.trash_path
        part = moves.part_of(place)
        try:
            moves.drop_part(place)
            cloning.clone(Path(removal.keeper.path), part)
            if images.digest(part) != entry.digest:
                raise OSError("the copy differs")
            moves.make_alike(place, part)
        except OSError as problem:
            moves.drop_part(place)
            return "cannot share its bytes: " + _words(problem)
        if reason := move() or self._why_changed(root, entry, trash):
            moves.drop_part(place)
            return reason
        try:
            moves.name_part(part, place)
        except OSError as problem:
            moves.drop_part(place)
            return "its copy cannot be named: " + _words(problem) + put_back(root, entry)
        journal.mark([entry], "purging")
        moves.drop_second_copy(trash, place, entry.digest)
        return None

    def _why_changed(self, root: Path, entry: Entry, trash: Path) -> str | None:
        if images.digest(trash) == entry.digest:
            return None
        return "it has other bytes than when it was indexed" + put_back(root, entry)


def make_room(root: Path, entry: Entry) -> None:
    """Before a file comes back that was replaced by a hard link: let go of the link, if it still is one.

    What is not another name of the picture kept any more stays: then the file comes back beside it.
    """
    if entry.how == HARD_LINK and entry.keeper:
        drop_name(root / entry.path, Path(entry.keeper))


def drop_name(place: Path, keeper: Path) -> bool:
    """Remove a name that is a second one of the picture kept; whether it was and is gone.

    It is set aside first and looked at there, so that what another program puts in its place is never removed.
    """
    aside = moves.aside_of(place)
    try:
        if place == keeper or os.path.lexists(aside) or not moves.is_same_file(place, keeper):
            return False
        moves.move_aside(place, aside)
        try:
            moves.drop_second_name(aside, keeper)
        except OSError:
            moves.move_back(aside, place)
            return False
    except OSError:
        return False
    return True


def drop_aside(place: Path, keeper: Path) -> None:
    """After a crash: let go of a name that was set aside, as long as it is a second one of the picture kept."""
    with suppress(OSError):
        moves.drop_second_name(moves.aside_of(place), keeper)


def put_back(root: Path, entry: Entry) -> str:
    """Move a file from the trash to its place; "", or what is to be known when it cannot go."""
    try:
        moves.move_back(root / entry.trash_path, root / entry.path)
    except OSError as problem:
        return "; it lies in the trash and cannot be moved back: " + _words(problem)
    return ""


def _words(problem: OSError) -> str:
    return problem.strerror or str(problem)
