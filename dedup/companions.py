"""Which files beside a picture belong to it: its RAW, its sidecars, the film of a Live Photo.

Looks at names only. Two files of one name are one thing a person took; a file that also belongs to another picture
(one film of ``IMG_1.JPG`` and ``IMG_1.HEIC``) belongs to each of them and is never one's own.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from dedup.scan import is_picture_name

RAW_SUFFIXES = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 "
    ".rwl .sr2 .srf .srw .x3f".split()
)
FILM_SUFFIXES = frozenset((".mov", ".mp4"))
# What programs and cameras write beside a picture: descriptions and editing steps, a preview, a spoken note.
SIDECAR_SUFFIXES = frozenset((".xmp", ".aae", ".thm", ".wav"))
# Those that may follow the whole name, as in ``a.jpg.xmp``: darktable, digiKam, RawTherapee, DxO, Google's export.
APPENDED_SUFFIXES = (".supplemental-metadata.json", ".xmp", ".aae", ".pp3", ".dop", ".json")

# Apple's editing steps of IMG_1234 may be called IMG_E1234.AAE or IMG_O1234.AAE.
_APPLE_EDIT = re.compile(r"(img_)[eo](\d+)")

Key = tuple[str, str]


def is_raw(name: str) -> bool:
    """Whether a file of this name is a camera's raw data."""
    return PurePath(name).suffix.lower() in RAW_SUFFIXES


def is_film(name: str) -> bool:
    """Whether a file of this name may be the film of a Live Photo."""
    return PurePath(name).suffix.lower() in FILM_SUFFIXES


def belongs(name: str, picture: str) -> bool:
    """Whether a file of this name belongs to the picture of that name, both in one folder."""
    return bool(_keys_of_owners(name) & _keys_of_picture(picture))


def companions_of(path: Path) -> tuple[Path, ...]:
    """The files in a picture's folder that belong to this picture only, in order of their names."""
    return Beside().companions_of(path)


@dataclass(slots=True)
class Beside:
    """What lies beside pictures. Each folder is listed once; what has gone since is left out of the answers."""

    _folders: dict[Path, dict[Key, list[str]]] = field(default_factory=dict)

    def companions_of(self, picture: Path) -> tuple[Path, ...]:
        """The files that belong to this picture and to no other one that is there."""
        return tuple(path for path in self.files_of(picture) if not self.other_owners(path, picture))

    def files_of(self, picture: Path) -> list[Path]:
        """All files that belong to this picture, also those that belong to others too."""
        names = self._named(picture.parent, _keys_of_picture(picture.name), of_pictures=False)
        return [picture.parent / name for name in names]

    def other_owners(self, companion: Path, picture: Path) -> list[Path]:
        """The other pictures to which a companion of this picture belongs."""
        names = self._named(companion.parent, _keys_of_owners(companion.name), of_pictures=True)
        return [companion.parent / name for name in names if name != picture.name]

    def _named(self, folder: Path, keys: frozenset[Key], *, of_pictures: bool) -> list[str]:
        if folder not in self._folders:
            self._folders[folder] = _names_by_key(folder)
        found = {name for key in keys for name in self._folders[folder].get(key, ())}
        return sorted(name for name in found if is_owner(name) == of_pictures and os.path.lexists(folder / name))


def is_owner(name: str) -> bool:
    """Whether a file of this name is a picture that others may belong to; a RAW belongs to its JPEG."""
    return is_picture_name(name) and not is_raw(name)


def _names_by_key(folder: Path) -> dict[Key, list[str]]:
    """The pictures and the companions of a folder, by what ties them; links are neither."""
    found: dict[Key, list[str]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                keys = _keys_of_picture(entry.name) or _keys_of_owners(entry.name)
                if keys and entry.is_file(follow_symlinks=False):
                    for key in keys:
                        found.setdefault(key, []).append(entry.name)
    except (OSError, ValueError):
        return {}
    return found


def _keys_of_picture(name: str) -> frozenset[Key]:
    if not is_owner(name):
        return frozenset()
    return frozenset({("name", _folded(name)), ("stem", _folded(PurePath(name).stem))})


def _keys_of_owners(name: str) -> frozenset[Key]:
    """The keys by which a companion finds its pictures; none for a file that is no companion."""
    if is_owner(name):
        return frozenset()
    suffix, folded = PurePath(name).suffix.lower(), _folded(name)
    keys: set[Key] = set()
    if suffix in RAW_SUFFIXES | FILM_SUFFIXES | SIDECAR_SUFFIXES:
        stem = _folded(PurePath(name).stem)
        keys.add(("stem", stem))
        if suffix == ".aae" and (edit := _APPLE_EDIT.fullmatch(stem)):
            keys.add(("stem", edit[1] + edit[2]))
    for appended in APPENDED_SUFFIXES:
        if folded.endswith(appended):
            # ``a.jpg.xmp`` belongs to a.jpg, and ``a.cr2.xmp`` to whatever a.cr2 belongs to.
            rest = name[: -len(appended)]
            keys |= {("name", _folded(rest))} if is_owner(rest) else _keys_of_owners(rest)
            break
    return frozenset(keys)


def _folded(name: str) -> str:
    # Names that differ only in case or in how accents are written are taken for one: at worst a file counts as
    # shared, and stays.
    return unicodedata.normalize("NFC", name).casefold()
