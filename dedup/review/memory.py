"""What a review remembers of earlier ones, and writes down as it goes on, so that it can be closed at any moment."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from dedup import workflow
from dedup.errors import DedupError
from dedup.review.sets import SetUnderReview
from dedup.store import KEEPER, REMOVED, STAYS, DecidedFile, Decision, Picture, content_of, now
from dedup.wording import day
from dedup.workflow import Found, Outlook


class Memory:
    """The decisions about the sets of one find run, in the databases of its folders."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self.trouble = ""

    def restore(self, sets: Sequence[SetUnderReview], is_allowed: Callable[[SetUnderReview], bool]) -> None:
        """Let sets stand as they were decided, where that is still ``is_allowed``; the others stay as proposed."""
        known = workflow.recall(self._found.folders, (one.pictures for one in sets))
        for one in sets if known else ():
            decision = known.get(content_of(picture.digest for picture in one.pictures))
            if decision is not None:
                files, is_certain = _assigned(one, decision)
                one.stand([file.role for file in files], decision.decided_at, is_seen=decision.is_seen and is_certain)
                if not is_allowed(one):
                    one.reset()

    def keep(self, sets: Iterable[SetUnderReview]) -> bool:
        """Write down what was decided about these sets; whether that worked. The first ``trouble`` is noted."""
        rows = list(sets)
        try:
            workflow.keep_outlooks([_outlook(one) for one in rows])
        except DedupError as problem:
            self.trouble = self.trouble or f"{problem.message} {problem.remedy} Until then no decision is kept."
            return False
        self.trouble = ""
        for one in rows:
            one.is_unsaved = False
        return True

    def carried_out(self, sets: Iterable[SetUnderReview]) -> None:
        """After a removal: the decisions that were carried out are done with."""
        workflow.carried_out([_outlook(one) for one in sets if one.marked])


def opening(sets: Sequence[SetUnderReview]) -> tuple[int, str]:
    """The position a review begins at, the first set that nobody looked at, and the line that says why."""
    days = sorted({day(moment) for moment in {one.decided_at for one in sets if one.is_seen}})
    if not days:
        return 0, ""
    on = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
    first = next((number for number, one in enumerate(sets) if not one.is_seen), None)
    if first is None:
        return 0, f"Decided {on}: every set ({len(sets):,})."
    seen = sum(one.is_seen for one in sets)
    were = "was" if seen == 1 else "were"
    return first, f"{seen:,} of {len(sets):,} sets {were} decided {on}; continuing at set {first + 1:,}."


def _outlook(one: SetUnderReview) -> Outlook:
    if one.not_duplicates:
        return Outlook(one.pictures, not_duplicates=True)
    if not (one.is_seen or one.is_changed):
        return Outlook(one.pictures)
    roles = (_role(one, number) for number in range(len(one.pictures)))
    files = tuple(_file(picture, role) for picture, role in zip(one.pictures, roles, strict=True))
    return Outlook(one.pictures, Decision(one.decided_at or now(), one.is_seen, files))


def _role(one: SetUnderReview, number: int) -> str:
    if number == one.keeper:
        return KEEPER
    return REMOVED if number in one.marked else STAYS


def _file(picture: Picture, role: str) -> DecidedFile:
    return DecidedFile(picture.digest, os.fspath(picture.root), picture.path, role)


def _assigned(one: SetUnderReview, decision: Decision) -> tuple[list[DecidedFile], bool]:
    """Which file of the decision each picture is, and whether that is certain: identical files may have moved."""
    of_one = {file.digest: file for file in decision.files}
    if len(of_one) == len(decision.files):  # nearly always: no two of the files are identical
        return [of_one[picture.digest] for picture in one.pictures], True
    of: dict[bytes, list[DecidedFile]] = defaultdict(list)
    numbers: dict[bytes, list[int]] = defaultdict(list)
    for file in decision.files:
        of[file.digest].append(file)
    for number, picture in enumerate(one.pictures):
        numbers[picture.digest].append(number)
    found: dict[int, DecidedFile] = {}
    is_certain = True
    for digest, mine in numbers.items():
        matched = _by_place([one.pictures[number] for number in mine], of[digest])
        if matched is None:
            # As find would have it: what it proposes to remove is removed first, and the keeper is what it keeps.
            is_certain = is_certain and len({file.role for file in of[digest]}) == 1
            mine.sort(key=lambda number: (number in one.marked, number))
            matched = sorted(of[digest], key=lambda file: (KEEPER, STAYS, REMOVED).index(file.role))
        found.update(zip(mine, matched, strict=True))
    return [found[number] for number in range(len(one.pictures))], is_certain


def _by_place(pictures: Sequence[Picture], files: Sequence[DecidedFile]) -> list[DecidedFile] | None:
    """The file each of some identical pictures is, by where they lie, in a folder that may have moved; else None."""
    if len(files) == 1:
        return list(files)
    full = {(file.folder, file.path): file for file in files}
    relative = {file.path: file for file in files}
    if all((os.fspath(picture.root), picture.path) in full for picture in pictures):
        return [full[os.fspath(picture.root), picture.path] for picture in pictures]
    if len(relative) == len(files) and all(picture.path in relative for picture in pictures):
        return [relative[picture.path] for picture in pictures]
    return None
