"""Lay the sets of a find run out in numbered folders, for a person to sort with the file manager.

An output folder bears a mark, by which the scan passes it over. One that is not ours, or holds decisions, is never
touched; with ``again`` what was laid out before is moved aside within it, and nothing is erased.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from dedup.errors import DedupError
from dedup.foldersets.config import KEPT, write_config
from dedup.foldersets.copying import place, settle_mode
from dedup.foldersets.manifest import (
    CONFIG,
    INFO,
    MANIFEST,
    TO_DELETE,
    FolderSet,
    Manifest,
    Member,
    Pair,
    write_manifest,
)
from dedup.foldersets.naming import names_for
from dedup.keep import Group
from dedup.progress import Progress, Report, Skipped
from dedup.scan import SETS_MARK
from dedup.trash import moves
from dedup.trash.checks import is_in_trash
from dedup.trash.plan import stamp
from dedup.workflow import Found

EARLIER = "earlier-"
# Each picture of a set is compared with this many of its best, in case the keeper is the one that is deleted; with
# fewer where the set is large, since each look takes its time.
COMPARED, LOOKS = 12, 600
_WORDS = "The sets of pictures in these folders were laid out by the duplicate picture finder. They are not scanned.\n"


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What came of laying out: where, how, and which pictures could not be."""

    output: Path
    manifest: Manifest
    failed: list[Skipped]


def require_usable(output: Path, folders: Sequence[Path], *, again: bool = False) -> None:
    """Raise DedupError where the sets of these folders must not be laid out; nothing is changed."""
    output = Path(os.path.abspath(output.expanduser())).resolve()
    if any(folder == output or folder.is_relative_to(output) for folder in folders):
        raise DedupError(f"{output} holds the pictures themselves.", "Name a folder of its own for the sets.")
    if is_in_trash(output / MANIFEST):
        raise DedupError(f"{output} lies in a trash.", "Name another folder.")
    try:
        held = {entry.name for entry in os.scandir(output)}
    except FileNotFoundError:
        return
    except OSError as problem:
        raise _unusable(output, problem) from problem
    if SETS_MARK not in held and held - {CONFIG}:
        raise DedupError(
            f"{output} is not empty, and not a folder that this tool laid out; nothing in it was touched.",
            "Name a new folder, or an empty one.",
        )
    if SETS_MARK in held and _laid_out_before(held) and not again:
        raise DedupError(
            f"{output} holds sets laid out before, and perhaps your decisions about them.",
            "Go on with: folders check-deleted DIR. Or add --again: it moves them aside and lays the sets out anew.",
        )


def make_ready(output: Path, folders: Sequence[Path], *, again: bool = False) -> Path:
    """The output folder with its mark in it: new, empty, or with what was laid out before moved aside."""
    require_usable(output, folders, again=again)
    try:
        output.expanduser().mkdir(parents=True, exist_ok=True)
        output = output.expanduser().resolve(strict=True)
        if not (output / SETS_MARK).exists():
            (output / SETS_MARK).write_text(_WORDS, encoding="utf-8")
        _move_aside(output, _laid_out_before(os.listdir(output)))
    except OSError as problem:
        raise _unusable(output, problem) from problem
    return output


def lay_out(found: Found, output: Path, link_mode: str, report: Report, kept: dict[str, object]) -> LaidOut:
    """Lay every set out in a folder made ready, and write down what was; ``kept`` are the settings for config.toml."""
    pictures = [picture for group in found.groups for picture in group.pictures]
    if pictures:
        link_mode = settle_mode(link_mode, stamp(pictures[0]), sum(one.size for one in pictures), output)
    failed: list[Skipped] = []
    sets = []
    done = 0
    try:
        for number, group in enumerate(found.groups, 1):
            members = []
            (output / str(number)).mkdir()
            for member in _members(group, number, found):
                report(Progress("pictures laid out", done, len(pictures)))
                done += 1
                try:
                    place(member.original, output / member.copy, link_mode)
                except OSError as problem:
                    reason = str(problem.strerror or problem)
                    failed.append(Skipped(member.original.path, reason))
                    member = replace(member, copy="", reason=reason)
                members.append(member)
            sets.append(FolderSet(number, tuple(members), tuple(_pairs(group, found))))
        report(Progress("pictures laid out", len(pictures), len(pictures)))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        folders = tuple(map(os.fspath, found.folders))
        manifest = Manifest(found.encoder, found.threshold, found.bits, folders, link_mode, created, tuple(sets))
        if not (output / CONFIG).exists():
            write_config(output / CONFIG, {**dict.fromkeys(KEPT), **kept})
        write_manifest(manifest, output)
    except OSError as problem:
        raise DedupError(
            f"The sets cannot be laid out in {output}: {problem.strerror or problem}.",
            "No picture was touched. Choose another folder, or run again with --again.",
        ) from problem
    return LaidOut(output, manifest, failed)


def _unusable(output: Path, problem: OSError) -> DedupError:
    return DedupError(f"The folder {output} cannot be used: {problem.strerror or problem}.", "Choose another folder.")


def _laid_out_before(held: Iterable[str]) -> list[str]:
    """Which of the names in an output folder are ours, the manifest first: without it nothing is read as deleted."""
    sets = [name for name in held if name.isdecimal() and name.isascii()]
    return [name for name in (MANIFEST, TO_DELETE, INFO) if name in held] + sorted(sets, key=int)


def _move_aside(output: Path, names: Sequence[str]) -> None:
    aside = next(place for number in count(1) if not os.path.lexists(place := output / f"{EARLIER}{number}"))
    for name in names:
        moves.move_away(output / name, aside / name)


def _members(group: Group, number: int, found: Found) -> Iterator[Member]:
    names = names_for(picture.full_path for picture in group.pictures)
    for picture, name in zip(group.pictures, names, strict=True):
        yield Member(os.fspath(picture.root), stamp(picture), f"{number}/{name}", found.rule.keeps(picture))


def _pairs(group: Group, found: Found) -> Iterator[Pair]:
    """How the members match: each with the keeper, and with as many others as are worth the time."""
    for number, member in enumerate(group.others, 1):
        yield Pair(0, number, member.similarity, member.tier)
    pictures = group.pictures
    for first in range(1, min(COMPARED, LOOKS // len(pictures), len(pictures))):
        for second in range(first + 1, len(pictures)):
            match = found.relation(pictures[first], pictures[second])
            if match is not None:
                yield Pair(first, second, match.similarity, match.tier)
