"""Find the picture files under paths as they come, so that a search can begin before a huge tree is listed.

Unlike ``scan``, which lists a folder for its database, this takes files too, keeps every path as it was typed, and
follows links when told to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePath
from typing import NamedTuple

from dedup.progress import Report, Skipped
from dedup.scan import PICTURE_SUFFIXES, SKIPPED_FILES, FileFacts, is_skipped_folder

Identity = tuple[int, int]


class PictureFile(NamedTuple):
    """One file: the path by which it was reached, and its facts with its absolute path, links resolved."""

    shown: str
    facts: FileFacts


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files take part. ``only``: suffixes with their dot, in lower case; empty means those of pictures.

    ``exclude``: patterns that neither a name nor a path within its folder, with ``/`` between parts, may have.
    """

    only: frozenset[str] = frozenset()
    exclude: tuple[str, ...] = ()
    follow_links: bool = False
    hidden: bool = True

    def takes(self, name: str, path: str, *, named: bool = False) -> bool:
        """Whether a file takes part; one that was named itself may have any suffix."""
        suffix = os.path.splitext(name)[1].lower()
        right_kind = suffix in (self.only or PICTURE_SUFFIXES) or (named and not self.only)
        return right_kind and (named or not name.startswith(SKIPPED_FILES)) and self.enters(name, path, named=named)

    def enters(self, name: str, path: str, *, named: bool = False) -> bool:
        """Whether a file or folder is neither excluded nor hidden where hidden ones are left out."""
        if not self.hidden and not named and name.startswith("."):
            return False
        patterns = [pattern.rstrip("/") for pattern in self.exclude]
        return not any(fnmatch(name, pattern) or fnmatch(path, pattern) for pattern in patterns)


def walk(paths: Iterable[str], choice: Choice, report: Report) -> Iterator[PictureFile]:
    """Every picture file that the paths name or hold, each file once: a folder's files before its subfolders.

    What cannot be looked at is reported as skipped.
    """
    walker = _Walker(choice, report)
    for path in paths:
        if os.path.isdir(path):
            yield from walker.folder(path)
        else:
            yield from walker.named(path)


@dataclass(slots=True)
class _Walker:
    """What has been met so far: a file or folder met again, by whatever name, is passed over."""

    choice: Choice
    report: Report
    files: set[Identity] = field(default_factory=set)
    folders: set[Identity] = field(default_factory=set)

    def named(self, path: str) -> Iterator[PictureFile]:
        """A file that was named itself."""
        if self.choice.takes(os.path.basename(path), PurePath(path).as_posix(), named=True):
            yield from self._file(path, os.path.realpath(path))

    def folder(self, path: str) -> Iterator[PictureFile]:
        """The files of a folder and of those in it."""
        waiting = [(path, os.path.realpath(path), "")]
        while waiting:
            shown, real, relative = waiting.pop()
            inner = []
            for entry in self._entries(shown, real):
                below = f"{relative}/{entry.name}" if relative else entry.name
                name = os.path.join(shown, entry.name), os.path.join(real, entry.name)
                try:
                    if self._leads_elsewhere(entry):
                        continue
                    if entry.is_dir(follow_symlinks=self.choice.follow_links):
                        if self.choice.enters(entry.name, below) and not is_skipped_folder(below):
                            inner.append((*name, below))
                    elif self.choice.takes(entry.name, below) and entry.is_file():
                        yield from self._file(name[0], os.path.realpath(name[1]) if entry.is_symlink() else name[1])
                except OSError as problem:
                    self._skip(name[0], problem)
            waiting.extend(reversed(inner))

    def _entries(self, shown: str, real: str) -> list[os.DirEntry[str]]:
        try:
            status = os.stat(real)
            if (status.st_dev, status.st_ino) in self.folders:
                return []  # a link that leads back, or paths that lie in each other
            self.folders.add((status.st_dev, status.st_ino))
            with os.scandir(real) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as problem:
            self._skip(shown, problem)
            return []

    def _leads_elsewhere(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is a link that is not followed: none into a trash ever is."""
        if not entry.is_symlink():
            return False
        target = PurePath(os.path.realpath(entry.path))
        into_trash = any(is_skipped_folder(part.as_posix()) for part in (target, *target.parents) if part.name)
        return into_trash or not self.choice.follow_links

    def _file(self, shown: str, real: str) -> Iterator[PictureFile]:
        try:
            status = os.stat(real)
        except (OSError, ValueError) as problem:
            self._skip(shown, problem)
            return
        identity = status.st_dev, status.st_ino
        if identity not in self.files:
            self.files.add(identity)
            facts = FileFacts(os.path.abspath(real), status.st_size, status.st_mtime_ns, *identity)
            yield PictureFile(shown, facts)

    def _skip(self, path: str, problem: Exception) -> None:
        self.report(Skipped(path, f"cannot be read: {getattr(problem, 'strerror', None) or problem}"))
