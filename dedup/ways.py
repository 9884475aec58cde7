"""What each way to dispose of pictures is called in front of a person, and what is said before and after."""

from __future__ import annotations

from dataclasses import dataclass

from dedup.scan import TRASH_NAME
from dedup.trash import COPY, DELETE, FOLDER, HARD_LINK, REFLINK, SYSTEM_TRASH, TRASH, Plan, Run
from dedup.wording import files, printable, size


@dataclass(frozen=True, slots=True)
class Words:
    """Of one way: where files of a folder go, what is asked, how it is said when done and when only tried, its verb.

    ``{files}``, ``{size}`` and ``{place}`` are filled in.
    """

    goes_to: str
    question: str
    done: str
    would: str
    act: str = "remove"


_WORDS = {
    TRASH: Words(
        f"{TRASH_NAME}/ in that folder",
        "Move {files} ({size}) to the trash? Undo brings them back.",
        "Moved {files} ({size}) to the trash",
        "{files} ({size}) would go to the trash",
    ),
    SYSTEM_TRASH: Words(
        "the system's trash",
        "Hand {files} ({size}) to the system's trash? Undo here cannot bring them back; the system's own trash can.",
        "Handed {files} ({size}) to the system's trash",
        "{files} ({size}) would go to the system's trash, from where undo here cannot bring them back",
        act="hand over",
    ),
    HARD_LINK: Words(
        f"{TRASH_NAME}/ in that folder; each name stays, as a hard link",
        "Replace {files} ({size}) by hard links to the picture kept of each? A change to one then changes both. "
        "The files themselves go to the trash; undo brings them back, purge frees the space.",
        "Replaced {files} ({size}) by hard links to the pictures kept",
        "{files} ({size}) would be replaced by hard links to the pictures kept",
        act="link",
    ),
    REFLINK: Words(
        "stay, sharing their bytes with the picture kept",
        "Let {files} ({size}) share their bytes with the picture kept of each? They stay files of their own.",
        "Let {files} ({size}) share their bytes with the pictures kept",
        "{files} ({size}) would share their bytes with the pictures kept",
        act="share",
    ),
    FOLDER: Words(
        "{place}",
        "Move {files} ({size}) to {place}? Undo brings them back.",
        "Moved {files} ({size}) to {place}",
        "{files} ({size}) would go to {place}",
        act="move",
    ),
    DELETE: Words(
        "deleted for good",
        "Delete {files} ({size}) for good? Nothing brings them back.",
        "Deleted {files} ({size}) for good",
        "{files} ({size}) would be deleted for good",
        act="delete",
    ),
    COPY: Words(
        "{place}",
        "Copy {files} ({size}) to {place}? Undo removes the copies.",
        "Copied {files} ({size}) to {place}",
        "{files} ({size}) would be copied to {place}",
    ),
}


def words_of(way: str) -> Words:
    """What is said of a way, as it was named (``folder:DIR`` with its folder)."""
    return _WORDS[way.partition(":")[0]]


def filled(text: str, way: str, count: int, total: int) -> str:
    """One of the sentences with its numbers and its folder."""
    place = printable(way.partition(":")[2])
    return text.format(files=files(count), size=size(total), place=place)


def sentence_to_type(plan: Plan) -> str:
    """What a person types in full before pictures are deleted for good."""
    return f"delete {files(len(plan.removals))}".replace(",", "")


def afterwards(way: str, undo_line: str, purge_line: str) -> list[str]:
    """What to know once it is done, with the command lines that undo it or free the space."""
    name = way.partition(":")[0]
    if name == SYSTEM_TRASH:
        return ["Undo here cannot bring them back: look in the system's trash."]
    if name in (DELETE, REFLINK):
        return []
    lines = [f"To bring them back: choice 8 of the menu, or: {undo_line}"]
    if name == HARD_LINK:
        lines.append(f"They take up their space until the trash is emptied: {purge_line}")
    return lines


def way_in_words(how: str) -> str:
    """``to the trash``, ``to a folder``: how a run of the past disposed of its files."""
    return {
        TRASH: "to the trash",
        SYSTEM_TRASH: "to the system's trash",
        HARD_LINK: "replaced by hard links",
        REFLINK: "shared with the pictures kept",
        FOLDER: "moved to a folder",
        DELETE: "deleted for good",
        COPY: "copied to a folder",
    }.get(how, how)


def run_in_words(run: Run) -> str:
    """What undo of a run would do: ``Bring back 3 files (1.2 MB)``."""
    act = "Remove the copies of" if run.how == COPY else "Bring back"
    return f"{act} {files(run.files)} ({size(run.bytes)})"
