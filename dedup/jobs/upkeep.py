"""Check a database and forget what is gone."""

from __future__ import annotations

from pathlib import Path

from dedup import console, workflow
from dedup.console import say
from dedup.errors import DedupError
from dedup.jobs.running import DONE, LISTED, list_skipped
from dedup.progress import Skipped
from dedup.scan import real_folder
from dedup.wording import (
    printable,
)


def clean(folder: str | Path, *, assume_yes: bool = False) -> int:
    """Clean/verify: check the database, list what differs from the disk, forget ghosts when told to."""
    health = workflow.verify(folder)
    say(f"Database of {printable(real_folder(folder))}:")
    say(f"  integrity check      {'ok' if not health.problems else printable('; '.join(health.problems))}")
    say(f"  pictures indexed     {health.pictures:,}   (picture files in the folder: {health.files_on_disk:,})")
    say(f"  new files            {health.new:,}")
    say(f"  changed files        {len(health.changed):,}")
    say(f"  unreadable files     {len(health.unreadable):,}")
    say(f"  ghost rows           {len(health.ghosts):,}   (their files are gone)")
    say(f"  in the trash         {health.in_trash:,}")
    list_skipped([Skipped(path, reason) for path, reason in health.unreadable.items()])
    if health.new or health.changed:
        say("Index again to bring new and changed files in.")
    if health.problems:
        raise DedupError(
            "The database is damaged.", "Move image_database.db away and index again; no picture is affected."
        )
    if not health.ghosts:
        _forget_results(folder)
        return DONE
    for path in health.ghosts[:LISTED]:
        say(f"  gone: {printable(path)}")
    if len(health.ghosts) > LISTED:
        say(f"  ... and {len(health.ghosts) - LISTED:,} more")
    if health.files_on_disk == 0:
        say("Every file is gone: is the drive with the pictures connected?")
    if not assume_yes:
        if not console.is_terminal():
            say("Ghost rows stay; add --yes to forget them.")
            return DONE
        if not console.confirm(f"Forget {len(health.ghosts):,} rows whose files are gone? No file is touched."):
            say("Nothing was changed.")
            return DONE
    forgotten = workflow.forget_ghosts(folder)
    _forget_results(folder)
    after = workflow.verify(folder)
    say(f"Forgot {forgotten:,} rows: {health.pictures:,} pictures indexed before, {after.pictures:,} now.")
    return DONE


def _forget_results(folder: str | Path) -> None:
    if forgotten := workflow.forget_results(folder):
        say(f"Forgot what was found of {forgotten:,} pairs of pictures that are no longer here.")
