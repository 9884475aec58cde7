"""What lies in a tree of folders, exactly: names, bytes, times, permissions, links."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

TRASH = ".dedup-trash"
OWN = "image_database"
PART = (".dedup-part-", ".dedup-aside-")


@dataclass(frozen=True, slots=True)
class Facts:
    """One thing of a tree. ``content``: the SHA-256 of a file, the target of a link, empty for a folder."""

    kind: str
    content: str
    mode: int
    mtime_ns: int
    names: int


def snapshot(root: Path) -> dict[str, Facts]:
    """Everything under the root by relative path, the tool's own files and the trash left out.

    ``names`` counts the hard links; a folder's own time is not kept (moving a file changes it).
    """
    found = {}
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != TRASH]
        for name in (*folders, *files):
            if not name.startswith(OWN):
                path = os.path.join(parent, name)
                found[os.path.relpath(path, root)] = facts(path)
    return found


def facts(path: str | Path) -> Facts:
    """What there is to know about one path, itself and not what it leads to."""
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Facts("link", os.readlink(path), 0, 0, 1)
    if stat.S_ISDIR(status.st_mode):
        return Facts("folder", "", mode, 0, 1)
    return Facts("file", digest(path), mode, status.st_mtime_ns, status.st_nlink)


def digest(path: str | Path) -> str:
    """The SHA-256 of a file in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(root: Path, *, trash: bool) -> Counter[str]:
    """How many files hold each content, in the trashes or outside them."""
    found: Counter[str] = Counter()
    for parent, _, files in os.walk(root):
        if (TRASH in Path(parent).parts) != trash:
            continue
        for name in files:
            path = os.path.join(parent, name)
            # A file set aside for a moment is whole, and gets its name back; half a copy is nothing.
            if not name.startswith((OWN, PART[0])) and stat.S_ISREG(os.lstat(path).st_mode):
                found[digest(path)] += 1
    return found


def differences(before: dict[str, Facts], after: dict[str, Facts]) -> list[str]:
    """What is missing, new or not as it was, in words."""
    missing = [f"missing: {path!r}" for path in before if path not in after]
    new = [f"new: {path!r}" for path in after if path not in before]
    changed = [
        f"changed: {path!r}: {before[path]} -> {after[path]}"
        for path in before
        if path in after and before[path] != after[path]
    ]
    return missing + new + changed


def leftovers(root: Path) -> list[str]:
    """Unfinished copies anywhere, and in the trashes runs that hold no file."""
    found = []
    for parent, folders, files in os.walk(root):
        found += [os.path.join(parent, name) for name in files if name.startswith(PART)]
        if Path(parent).name == TRASH and not folders:
            found.append(parent)
        if Path(parent).parent.name == TRASH and not any(names for _, _, names in os.walk(parent)):
            found.append(parent)
    return found
