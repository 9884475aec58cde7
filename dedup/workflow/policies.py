"""What the settings say of folders, resolved for a run: protected, preferred, compared only across."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from dedup.keep import KeepRule, place_within, rule_for
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import Picture


def rule_of(chosen: Settings, folders: Sequence[Path], strategy: str = "") -> KeepRule:
    """The keep rule of the settings over these folders, or of a strategy in its place; raises DedupError."""
    return rule_for(strategy or chosen.keep, folders, real_places(chosen.protected), real_places(chosen.preferred))


def with_folders(
    chosen: Settings, protected: Sequence[str] = (), preferred: Sequence[str] = (), across: Sequence[str] = ()
) -> Settings:
    """The settings with more folders of each policy; raises DedupError for one that does not exist.

    Folders named for this run are preferred before those of the settings.
    """
    return replace(
        chosen,
        protected=_united(chosen.protected, map(_real, protected)),
        preferred=_united(map(_real, preferred), chosen.preferred),
        across=_united(chosen.across, map(_real, across)),
    )


def real_places(folders: Sequence[str]) -> tuple[Path, ...]:
    """Saved folders with links resolved; one that is not there just now (a drive) holds nothing and stays as it is."""
    return tuple(Path(folder).resolve() for folder in folders)


def numbered_apart(
    pictures: Sequence[Picture], roots: Sequence[int], within: bool, across: Sequence[Path]
) -> list[int]:
    """A number for each picture; only those of different numbers are to be compared.

    ``roots``: the number of the folder each was found in. A folder of ``across`` is one number with all below it; what
    lies in none is compared with everything, or without ``within`` with what was found in other folders.
    """
    outermost = [folder for folder in across if not any(folder.is_relative_to(one) for one in across if one != folder)]
    place = place_within(outermost)
    first = max(roots, default=0) + 1
    numbers = []
    for number, (picture, root) in enumerate(zip(pictures, roots, strict=True)):
        found = place(picture)
        if not within and found < len(outermost) and not picture.root.is_relative_to(outermost[found]):
            found = len(outermost)  # pairs inside its own folder are left out already
        outside = first + len(outermost) + number if within else root
        numbers.append(first + found if found < len(outermost) else outside)
    return numbers


def _real(folder: str) -> str:
    return str(real_folder(folder))


def _united(*folders: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(folders)))
