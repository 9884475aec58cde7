"""The steps of the folder workflow as the menu and the command line share them: do one, say what came of it.

Each returns an exit code, as the other jobs do.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from dedup import console, foldersets, jobs, workflow
from dedup.console import say
from dedup.errors import command
from dedup.foldersets import Decisions, Manifest, Member
from dedup.foldersets.manifest import MANIFEST, TO_DELETE
from dedup.jobs import DONE, INTERRUPTED, PARTLY
from dedup.wording import files, printable, size
from dedup.workflow import Found


def lay_out(found: Found, output: Path, link_mode: str, kept: dict[str, object], *, again: bool = False) -> int:
    """Lay the sets out in folders and say what to do with them."""
    if not found.groups:
        say(jobs.summary(found))
        say("There is nothing to lay out.")
        return DONE
    output = foldersets.make_ready(output, found.folders, again=again)
    result = jobs.attempt(lambda report: foldersets.lay_out(found, output, link_mode, report, kept))
    if result is None:
        return INTERRUPTED
    members = list(result.manifest.members())
    laid_out = [member for member in members if member.copy]
    names = {"copy": "copies", "reflink": "copies that share their blocks", "hardlink": "hard links"}
    how = names.get(result.manifest.link_mode, "copies")
    say(jobs.summary(found))
    say(
        f"Laid out {files(len(laid_out))} ({size(_bytes(laid_out))}) as {how}: "
        f"{_sets(len(result.manifest.sets))} in {printable(output)}"
    )
    jobs.list_skipped(result.failed, "could not be laid out, and will stay")
    if result.manifest.link_mode == "hardlink":
        say("These are the originals under other names: delete what you like, but edit nothing there.")
    say("Delete from these folders what you do not want. Then:")
    say("  " + command("folders", "check-deleted", printable(output)))
    say("  " + command("folders", "cleanup", printable(output)))
    return PARTLY if result.failed else DONE


def check_deleted(output: Path, *, even_last: bool = False) -> int:
    """Compare the folders with what was laid out, write to_delete.txt, and give the figures."""
    manifest = foldersets.load_manifest(output)
    decisions = jobs.attempt(lambda report: foldersets.compare(manifest, output, report, even_last=even_last))
    if decisions is None:
        return INTERRUPTED
    path = foldersets.write_to_delete(decisions, output)
    for line in statistics(manifest, decisions):
        say(line)
    _list_stays(decisions.spared, "deleted, but stay: no picture that stays in their sets matches them (--even-last)")
    _list_stays(decisions.protected, "deleted, but stay: everything in their folder is kept, as chosen")
    _list_stays(decisions.never_laid_out, "could not be laid out, and stay")
    say(f"{files(len(decisions.deleted))} to delete ({size(decisions.bytes)}), listed in {printable(path)}")
    return DONE


def cleanup(output: Path, *, even_last: bool = False, dry_run: bool = False, assume_yes: bool = False) -> int:
    """Remove the originals that to_delete.txt names, by the plan, the checks, the confirmation and the trash."""
    manifest = foldersets.load_manifest(output)
    wanted = jobs.attempt(partial(foldersets.plan_cleanup, manifest, output, even_last=even_last))
    if wanted is None:
        return INTERRUPTED
    jobs.list_skipped(wanted.refused, f"named in {TO_DELETE} but not to be removed")
    plan = jobs.attempt(lambda report: workflow.complete_plan(wanted.plan, report))
    if plan is None:
        return INTERRUPTED
    code = jobs.dry_run(plan) if dry_run else jobs.confirm_and_remove(plan, assume_yes=assume_yes)
    return PARTLY if code == DONE and wanted.refused else code


def review_and_remove(found: Found, backup: Path | None = None, *, keep_metadata: bool = False) -> int:
    """Review the sets here or, when the person asks for it there, in folders; then confirm and remove."""
    from dedup.review.session import InFolders

    try:
        return jobs.review_and_remove(found, backup, keep_metadata=keep_metadata)
    except InFolders:
        output = ask_output(found.folders[0])
        return wait_and_clean_up(output) if wants_to_go_on(output) else review_in_folders(found, output)


def ask_output(folder: Path) -> Path:
    """Where to lay the sets of a folder out; beside it unless the person says otherwise."""
    return console.ask_until("Folder for the sets", str(folder.parent / f"{folder.name} - sets"), _understand_output)


def wants_to_go_on(output: Path) -> bool:
    """Whether sets lie there from before and the person wants to go on with them."""
    return (output / MANIFEST).exists() and console.confirm("Go on with the sets that lie there?", default=True)


def review_in_folders(found: Found, output: Path) -> int:
    """Lay the sets out, wait for the person to sort them, then confirm and remove; later when they say so."""
    # What lies there from before is moved aside: the person has been asked about it.
    code = lay_out(found, output, "auto", {"folders": list(map(str, found.folders))}, again=True)
    return wait_and_clean_up(output) if found.groups and code != INTERRUPTED else code


def wait_and_clean_up(output: Path) -> int:
    """Wait until the person has deleted what they do not want; then show it, confirm and remove."""
    done = console.choose(
        "Delete what you do not want from the folders, with your file manager. Then:",
        [("Done: show what I deleted, and remove it", True), ("Later: what is laid out stays as it is", False)],
    )
    if not done:
        return DONE
    code = check_deleted(output)
    return code or cleanup(output)


def _understand_output(text: str) -> Path:
    path = Path(text.strip().strip("'\"")).expanduser()
    foldersets.require_usable(path, [], again=True)
    return Path(os.path.abspath(path))


def statistics(manifest: Manifest, decisions: Decisions) -> list[str]:
    """What became of the sets, in a few lines."""
    kept = len(decisions.present) + len(decisions.moved)
    deleted = [*decisions.deleted, *decisions.spared, *decisions.protected]
    renamed = f" ({len(decisions.moved):,} of them moved or renamed)" if decisions.moved else ""
    lines = [
        f"Laid out        {_sets(len(manifest.sets))}, {files(len(list(manifest.members())))}",
        f"Still there     {files(kept)}{renamed}",
        f"Deleted         {files(len(deleted))} ({size(_bytes(deleted))}), in {_sets(decisions.touched_sets)}",
    ]
    if decisions.whole_sets:
        lines.append(f"Deleted whole   {_sets(len(decisions.whole_sets))}: {_numbers(decisions.whole_sets)}")
    if decisions.gone:
        lines.append(f"Gone before     {files(len(decisions.gone))}, the originals too")
    return lines


def _list_stays(members: list[Member], heading: str) -> None:
    if members:
        say(f"{files(len(members))} {heading}:")
        for member in members:
            say(f"  {printable(member.original.path)}" + (f": {printable(member.reason)}" if member.reason else ""))


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[: jobs.LISTED]))
    return shown + (", ..." if len(numbers) > jobs.LISTED else "")


def _bytes(members: list[Member]) -> int:
    return sum(member.original.size for member in members)


def _sets(count: int) -> str:
    return f"{count:,} set" + ("" if count == 1 else "s")
