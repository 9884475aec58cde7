"""What a person has deleted from the laid-out sets: compare the folders with the manifest.

A copy counts as deleted only when it is surely gone: it was laid out, it is nowhere in the output folder under
another name, and every folder there could be looked into.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dedup import images
from dedup.errors import DedupError
from dedup.foldersets.laying import EARLIER
from dedup.foldersets.manifest import CONFIG, INFO, MANIFEST, TO_DELETE, FolderSet, Manifest, Member
from dedup.foldersets.partners import Partners
from dedup.progress import Progress, Report
from dedup.scan import SETS_MARK, is_skipped_folder

_OURS = {CONFIG, INFO, MANIFEST, TO_DELETE, SETS_MARK}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Decisions:
    """Each member by what became of its copy; ``spared`` was deleted, and stays because its set would lose its last."""

    present: list[Member] = field(default_factory=list)
    moved: list[Member] = field(default_factory=list)
    deleted: list[Member] = field(default_factory=list)
    spared: list[Member] = field(default_factory=list)
    protected: list[Member] = field(default_factory=list)
    gone: list[Member] = field(default_factory=list)
    never_laid_out: list[Member] = field(default_factory=list)
    touched_sets: int = 0
    whole_sets: list[int] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """How many bytes the deleted ones' originals take up."""
        return sum(member.original.size for member in self.deleted)


def compare(manifest: Manifest, output: Path, report: Report, *, even_last: bool = False) -> Decisions:
    """What became of everything that was laid out; raises DedupError where the folders cannot be looked into."""
    present = _paths_in(output)
    missing = [one for one in manifest.members() if one.copy and one.copy not in present]
    found_again = _found_elsewhere(manifest, missing, output, present, report)
    decisions = Decisions()
    for one in manifest.sets:
        _decide(one, present, found_again, decisions, even_last=even_last)
    return decisions


def write_to_delete(decisions: Decisions, output: Path) -> Path:
    """Write ``to_delete.txt``: the full path of each original whose copy was deleted, line by line."""
    path = output / TO_DELETE
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise DedupError(f"{path} is not a regular file.", "Move it away.")
    try:
        lines = "".join(f"{_line(member.original.path)}\n" for member in decisions.deleted)
        path.write_bytes(os.fsencode(lines))
    except OSError as problem:
        raise DedupError(f"{path} cannot be written: {problem.strerror}.", "Make room, or allow writing.") from problem
    return path


def read_to_delete(output: Path) -> list[str]:
    """The paths in ``to_delete.txt``, as they stand there; raises DedupError where there is none."""
    try:
        text = os.fsdecode((output / TO_DELETE).read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as problem:
        raise DedupError(
            f"There is no {TO_DELETE} in {output}: {problem.strerror}.", "Make it with: folders check-deleted DIR"
        ) from problem
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return list(dict.fromkeys(_path(line) for line in lines if line.strip()))


def _line(path: str) -> str:
    # One line, one path. A path begins with / or a drive, so a text in quotes can be nothing else.
    return json.dumps(path) if _CONTROL.search(path) else path


def _path(line: str) -> str:
    if line.startswith('"'):
        try:
            value = json.loads(line)
        except ValueError:
            return line
        return value if isinstance(value, str) else line
    return line


def _decide(one: FolderSet, present: set[str], found_again: set[str], decisions: Decisions, *, even_last: bool) -> None:
    deleted = []
    for number, member in enumerate(one.members):
        if not member.copy:
            decisions.never_laid_out.append(member)
        elif member.copy in present:
            decisions.present.append(member)
        elif member.copy in found_again:
            decisions.moved.append(member)
        else:
            deleted.append(number)
    decisions.touched_sets += bool(deleted)
    if len(deleted) == len(one.members):
        decisions.whole_sets.append(one.number)
    staying = set(range(len(one.members))).difference(deleted)
    partners = Partners(one)
    for number in deleted:  # the best of a set comes first
        member = one.members[number]
        kind = _fate(member, even_last or partners.of(number, staying) is not None)
        getattr(decisions, kind).append(member)
        if kind in ("protected", "spared"):
            staying.add(number)


def _fate(member: Member, may_go: bool) -> str:
    """What becomes of an original whose copy was deleted, as a field of Decisions."""
    if not member.is_there():
        return "gone"
    if member.protected:
        return "protected"
    return "deleted" if may_go else "spared"


def _paths_in(output: Path) -> set[str]:
    """Every file under the output folder but our own, relative; raises DedupError when a folder cannot be read."""
    return set(_walk(output, ""))


def _walk(output: Path, relative: str) -> Iterator[str]:
    prefix = f"{relative}/" if relative else ""
    try:
        with os.scandir(output / relative) as entries:
            for entry in list(entries):
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    # What a file manager threw away is not there any more, and what was laid out earlier is no answer.
                    if not is_skipped_folder(path) and not (not relative and entry.name.startswith(EARLIER)):
                        yield from _walk(output, path)
                elif relative or entry.name not in _OURS:
                    yield path
    except OSError as problem:
        raise DedupError(
            f"{output / relative} cannot be looked into: {problem.strerror}.",
            "Allow reading it: what cannot be seen must not be taken for deleted.",
        ) from problem


def _found_elsewhere(
    manifest: Manifest, missing: list[Member], output: Path, present: set[str], report: Report
) -> set[str]:
    """The missing copies that lie in the output folder under other names, by their bytes."""
    if not missing:
        return set()
    ours = {member.copy: member for member in manifest.members()}
    waiting = _strangers(ours, output, present, {member.original.size for member in missing})
    strangers: Counter[str] = Counter()
    for number, relative in enumerate(waiting):
        report(Progress("other files compared", number, len(waiting)))
        digest = _digest(output / relative)
        # One that was only touched stands for itself, and not for a twin that is missing.
        if relative not in ours or digest != ours[relative].original.digest:
            strangers[digest] += 1
    report(Progress("other files compared", len(waiting), len(waiting)))
    again = set()
    for member in missing:
        # One file found stands for one that is missing, the best of its set first.
        if strangers[member.original.digest] > 0:
            strangers[member.original.digest] -= 1
            again.add(member.copy)
    return again


def _strangers(ours: dict[str, Member], output: Path, present: set[str], sizes: set[int]) -> list[str]:
    """Files of a size that is missed which are not where they were laid out, or not as they were."""
    found = []
    for relative in sorted(present):
        status = _status(output / relative)
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_size not in sizes:
            continue
        original = ours[relative].original if relative in ours else None
        if original is None or (status.st_size, status.st_mtime_ns) != (original.size, original.mtime_ns):
            found.append(relative)
    return found


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _digest(path: Path) -> str:
    try:
        return images.digest(path).hex()
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be read: {problem.strerror or problem}.",
            "Allow reading it, or take it out of the folder: it may be a picture that was moved.",
        ) from problem
