"""A picture and the files that belong to it move as one: all of them, or none.

The companions go first and the picture last, so that it is its move that makes a removal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from dedup import knowledge
from dedup.companions import Beside, is_film, is_raw
from dedup.store import WITH_PREVIOUS, Entry, Journal
from dedup.trash import moves
from dedup.trash.checks import why_changed
from dedup.trash.plan import FileStamp, Removal
from dedup.trash.ways import DELETE, FOLDER, TRASH

_ADDITION = re.compile(r" \(restored(?: \d+)?\)")
LONGEST_NAME = 255
# The ways of which a crash leaves files in one place or the other; what copies left is settled file by file.
MOVING = (TRASH, DELETE, FOLDER)


@dataclass(slots=True)
class Unit:
    """The journal's entries of one removal: the picture's, and each companion's with its stamp."""

    picture: Entry
    companions: list[tuple[FileStamp, Entry]]

    @property
    def entries(self) -> list[Entry]:
        """All entries, the picture's first."""
        return [self.picture, *(entry for _, entry in self.companions)]


def begin(
    journal: Journal,
    run_id: str,
    folders: Iterable[str],
    rows: Sequence[tuple[Removal, Entry]],
    beside: Beside | None,
) -> list[Unit]:
    """Commit the entries of removals as planned, each a unit with its companions; without ``beside`` these stay."""
    planned: list[Entry] = []
    for removal, entry in rows:
        planned.append(entry)
        if beside is not None:
            planned += [_companion(entry, stamp, removal, beside) for stamp in removal.companions]
    written = iter(journal.begin(run_id, folders, planned))
    units = []
    for removal, _ in rows:
        stamps = removal.companions if beside is not None else ()
        units.append(Unit(next(written), [(stamp, next(written)) for stamp in stamps]))
    return units


def move_companions(root: Path, unit: Unit) -> str | None:
    """Move a picture's companions to the trash; with a reason when one cannot go, and then all are back."""
    moved: list[Entry] = []
    for stamp, entry in unit.companions:
        name, trash = Path(stamp.path).name, root / entry.trash_path
        try:
            moves.move_away(root / entry.path, trash)
        except OSError as problem:
            return f"{name}, which belongs to it, cannot be moved: {_words(problem)}" + move_back(root, moved)
        moved.append(entry)
        if reason := why_changed(stamp, f"{name}, which belongs to it,", at=trash):
            return reason + move_back(root, moved)
    return None


def move_back(root: Path, entries: Sequence[Entry]) -> str:
    """Move files from the trash to where they were; "", or what is to be known of those that could not go."""
    problems = ""
    for entry in reversed(entries):
        try:
            moves.move_back(root / entry.trash_path, root / entry.path)
        except OSError as problem:
            problems += f"; {Path(entry.path).name} lies in the trash and cannot be moved back: {_words(problem)}"
    return problems


def bring_halves_back(root: Path, journal: Journal, unsettled: Sequence[Entry]) -> None:
    """After a crash in the middle of a unit: what lies in the trash goes back to the rest, which is in its place."""
    for entry in unsettled:
        members = [one for one in journal.unit_of(entry) if one.state in ("planned", "restoring", "restored")]
        if len(members) < 2 or entry.state == "purging" or entry.how not in MOVING:
            continue
        for one in members:  # what a copy to another volume had set aside is the whole file
            moves.bring_back_aside(root / (one.restored_path or one.path))
        waiting = [one for one in members if one.state != "restored" and _is_only_in_trash(root, one)]
        if len(waiting) < len(members):
            for one in waiting:
                _put_back(root, one)


def free_places(root: Path, members: Sequence[Entry], alone: Callable[[Path], Path]) -> dict[int, Path]:
    """Where the files of a unit go back to, by their ids: their places, or names beside them with one addition.

    A companion keeps the name of its picture, whatever that is called now. ``alone`` finds a place for one file.
    """
    picture = Path(next((one.path for one in members if one.unit is None), members[0].path))
    coming = [one for one in members if one.state != "restored"]
    for addition in _additions(members):
        places = {one.id: _with_addition(root / one.path, picture.stem, addition) for one in coming}
        if any(len(os.fsencode(place.name)) > LONGEST_NAME for place in places.values()):
            break
        if not any(os.path.lexists(place) for place in places.values()):
            return places
    return {one.id: alone(root / one.path) for one in coming}


def _additions(members: Sequence[Entry]) -> Iterable[str]:
    """What may be added to the names, the one first that files of the unit are back under already."""
    for one in members:
        if one.state == "restored" and (found := _ADDITION.search(Path(one.restored_path).name)):
            yield found[0]
    yield ""
    yield " (restored)"
    yield from (f" (restored {number})" for number in count(2))


def _with_addition(place: Path, stem: str, addition: str) -> Path:
    start = len(stem) if place.name.casefold().startswith(stem.casefold()) else len(place.stem)
    return place.with_name(place.name[:start] + addition + place.name[start:])


def _companion(entry: Entry, stamp: FileStamp, removal: Removal, beside: Beside) -> Entry:
    name, digest = Path(stamp.path).name, bytes.fromhex(stamp.digest)
    keeper, keeper_digest = entry.keeper, entry.keeper_digest
    if is_raw(name) or is_film(name):
        # Nobody else has what these hold: only an equal file beside the keeper lets them be purged unasked.
        equal = knowledge.counterpart(Path(stamp.path), Path(removal.keeper.path), beside)
        keeper, keeper_digest = (os.fspath(equal), digest) if equal is not None else ("", b"")
    return replace(
        entry,
        path=_beside(entry.path, name),
        trash_path=_beside(entry.trash_path, _named_alike(name, Path(entry.path), Path(entry.trash_path))),
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        digest=digest,
        keeper=keeper,
        keeper_digest=keeper_digest,
        unit=WITH_PREVIOUS,
    )


def _beside(path: str, name: str) -> str:
    return os.fspath(Path(path).with_name(name)) if os.path.isabs(path) else Path(path).with_name(name).as_posix()


def _named_alike(name: str, picture: Path, target: Path) -> str:
    """A companion's name where its picture goes: there that may have a number after its own."""
    if target.stem == picture.stem or not name.startswith(picture.stem):
        return name
    return target.stem + name[len(picture.stem) :]


def _is_only_in_trash(root: Path, entry: Entry) -> bool:
    place = root / (entry.restored_path or entry.path)
    return os.path.lexists(root / entry.trash_path) and not os.path.lexists(place)


def _put_back(root: Path, entry: Entry) -> None:
    try:
        moves.move_back(root / entry.trash_path, root / (entry.restored_path or entry.path))
    except OSError:
        return  # it stays in the trash with its row, from where undo brings it back


def _words(problem: OSError) -> str:
    return problem.strerror or str(problem)
