"""Take the pictures of a plan elsewhere, alone or with those kept: moved or copied, and undone like a removal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dedup.progress import Report
from dedup.trash.checks import Inspector, why_changed, why_no_picture, why_outside
from dedup.trash.completing import complete
from dedup.trash.elsewhere import Arrangement, Copying, chosen_folder
from dedup.trash.plan import Plan, Removal
from dedup.trash.removal import OpenStore, Outcome, execute


class Sorter(Inspector):
    """Checks each file by itself: where nothing is removed, it needs no keeper."""

    def why_not(self, removal: Removal) -> str | None:
        """The reason this file must not be taken now, or None when it may."""
        return (
            why_outside(removal)
            or self.protected.why_not(removal)
            or why_no_picture(removal)
            or why_changed(removal.file, "it", read_bytes=True)
            or self.why_not_whole(removal)
        )


def organise(
    plan: Plan,
    place: str,
    open_store: OpenStore,
    report: Report,
    *,
    copies: bool = False,
    flat: bool = False,
) -> Outcome:
    """Move (or copy) the plan's files to a folder, with their tree or ``flat``; what must stay is listed."""
    way = chosen_folder(place, plan.folders, flat=flat, way=Copying if copies else Arrangement)
    whole = complete(plan, report)
    return execute(whole, open_store, report, way, Sorter.of(whole))


def with_keepers(plan: Plan) -> Plan:
    """The plan with a row for each picture kept, so that whole sets go together; those outside its folders stay."""
    rows: dict[str, Removal] = {}
    for removal in plan.removals:
        for stamp in (removal.keeper, removal.file):
            folder = removal.folder if stamp is removal.file else _folder_of(stamp.path, plan.folders)
            if folder:
                rows.setdefault(stamp.path, replace(removal, folder=folder, file=stamp, companions=(), lost=()))
    return replace(plan, removals=tuple(rows.values()))


def _folder_of(path: str, folders: Iterable[str]) -> str:
    """The innermost of the folders a file lies in, or "" when it lies in none."""
    holding = [folder for folder in folders if Path(path).is_relative_to(folder)]
    return max(holding, key=len, default="")
