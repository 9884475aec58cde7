"""From the sets to the removal: review, the one confirmation, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dedup import console, settings, ways, workflow
from dedup.console import say
from dedup.errors import DedupError, command
from dedup.jobs.finding import summary, warn_skipped
from dedup.jobs.running import DONE, INTERRUPTED, LISTED, PARTLY, attempt, by_folder, code_of, list_skipped
from dedup.store import Picture
from dedup.trash import DELETE, TRASH, Outcome, Plan, way_of
from dedup.wording import (
    files,
    printable,
    size,
)
from dedup.workflow import Found


def review_and_remove(found: Found, backup: Path | None = None, *, keep_metadata: bool = False) -> int:
    """Review the sets, then confirm, back up where wanted, and remove; raises console.Back when it is given up."""
    from dedup.review.ending import review_to_plan

    warn_skipped(found)
    say(summary(found))
    if not found.groups:
        return DONE
    way = settings.load().disposal
    way_of(way, [str(folder) for folder in found.folders])  # what is wrong with it is said before the review
    session, plan = review_to_plan(found)
    try:
        completed = attempt(lambda report: workflow.complete_plan(plan, report))
        if completed is None:
            return INTERRUPTED
        sets = _sets_of(plan, found)
        return confirm_and_remove(completed, way, backup=backup, sets=sets, keep_metadata=keep_metadata)
    finally:
        session.carried_out()


def plan_marked(found: Found) -> Plan | None:
    """The plan that removes what is marked; None when Ctrl-C stopped it."""
    return attempt(lambda report: workflow.plan_marked(found, report))


def _sets_of(plan: Plan, found: Found) -> list[Picture]:
    """All pictures of the sets from which the plan removes any."""
    removed = {row.file.path for row in plan.removals}
    sets = [[(str(one.full_path), one) for one in group.pictures] for group in found.groups]
    return [one for pictures in sets if any(path in removed for path, _ in pictures) for _, one in pictures]


def confirm_and_remove(
    plan: Plan,
    way: str = TRASH,
    *,
    assume_yes: bool = False,
    for_good: bool = False,
    backup: Path | None = None,
    sets: Sequence[Picture] = (),
    keep_metadata: bool = False,
) -> int:
    """The one confirmation (count, bytes, folders, where they go), then the removal and its summary.

    Before it stands what is lost, and unless ``keep_metadata`` said so the question whether to write that down.
    Deleting for good is typed in full, or without a person needs ``for_good`` besides ``assume_yes``.
    With ``backup`` the plan's files, their keepers and the pictures of ``sets`` are copied there first.
    """
    if not plan.removals:
        say("Nothing is marked for removal; nothing was changed.")
        return DONE
    _say_what_goes(plan, way)
    _refuse_what_cannot_be_meant(way, assume_yes=assume_yes, for_good=for_good, keep_metadata=keep_metadata)
    if not assume_yes:
        if not console.is_terminal():
            raise DedupError("Removing needs a confirmation, and there is no terminal to ask.", "Add --yes.")
        if not keep_metadata and way != DELETE and workflow.has_metadata_to_keep(plan):
            keep_metadata = console.confirm("Write what only they know to XMP sidecars beside the pictures that stay?")
        if not _is_confirmed(plan, way):
            say("Nothing was changed.")
            return DONE
    if backup is not None:
        made = attempt(lambda report: workflow.back_up(plan, sets, backup, report))
        if made is None:
            return INTERRUPTED
        say(f"Backed up {files(made.files)} ({size(made.bytes)}) to {printable(made.place)}.")
    outcome = attempt(lambda report: workflow.remove(plan, report, way, keep_metadata=keep_metadata))
    if outcome is None:
        return INTERRUPTED
    _say_what_went(outcome, way)
    return code_of(outcome)


def _say_what_goes(plan: Plan, way: str) -> None:
    """How many files go from where to where, and what a person should know of them; raises DedupError for the way."""
    goes_whole = way_of(way, plan.folders).takes_companions
    words = ways.words_of(way)
    for folder, rows in plan.by_folder().items():
        moving = [stamp for row in rows for stamp in (row.files if goes_whole else [row.file])]
        freed = sum(stamp.size for stamp in moving)
        place = ways.filled(words.goes_to, way, len(moving), freed)
        say(f"  {files(len(moving))}, {size(freed)}, from {printable(folder)}  ->  {place}")
    if plan.companions and goes_whole:
        say(f"  {files(plan.companions)} of these because they belong to the pictures (RAW, films, sidecars)")
    if larger := sum(row.file.size > row.keeper.size for row in plan.removals):
        are = "is" if larger == 1 else "are"
        say(f"  {files(larger)} of these {are} larger than the picture kept instead (the sets say why)")
    if last := sum(row.last_copy for row in plan.removals):
        say(f"  {files(last)} of these with no match that stays, as you asked: after a purge, they are gone")
    list_lost(plan)


def _refuse_what_cannot_be_meant(way: str, *, assume_yes: bool, for_good: bool, keep_metadata: bool) -> None:
    if keep_metadata and way == DELETE:
        raise DedupError(
            "What only a deleted picture knows cannot be kept for sure: it is written down when the picture has gone.",
            "Remove to the trash with --keep-metadata, look at the sidecars, then purge.",
        )
    if assume_yes and way == DELETE and not for_good:
        raise DedupError(
            "Deleting for good without asking needs to be said twice.",
            "Use: remove --plan FILE --to delete --yes --for-good",
        )


def _say_what_went(outcome: Outcome, way: str) -> None:
    say(ways.filled(ways.words_of(way).done, way, outcome.files, outcome.bytes) + (":" if outcome.moved else "."))
    by_folder(outcome)
    list_skipped(outcome.refused, "stayed in place")
    list_skipped(outcome.notes, "to know about")
    list_skipped(outcome.unwritten, "got no sidecar; what only the removed pictures know lies with them")
    if outcome.sidecars:
        say(f"Wrote {files(len(outcome.sidecars))} beside pictures that stay, such as {printable(outcome.sidecars[0])}")
    if outcome.files:
        lines = (command(act, *outcome.moved, "--run", outcome.run_id) for act in ("undo", "purge"))
        for line in ways.afterwards(way, *lines):
            say(line)


def _is_confirmed(plan: Plan, way: str) -> bool:
    whole = way_of(way, plan.folders).takes_companions
    count, freed = (plan.files, plan.bytes) if whole else (len(plan.removals), sum(r.file.size for r in plan.removals))
    question = ways.filled(ways.words_of(way).question, way, count, freed)
    if way == DELETE:
        return console.confirm_by_typing(question, ways.sentence_to_type(plan))
    return console.confirm(question)


def list_lost(plan: Plan) -> None:
    """What the pictures to be removed, or their companions, hold and the kept ones do not; the first few."""
    rows = [row for row in plan.removals if row.lost]
    if not rows:
        return
    say(f"  With {files(len(rows))} would go what the picture kept instead does not have:")
    for row in rows[:LISTED]:
        say(f"    {printable(row.file.path)}: {printable('; '.join(row.lost))}")
    if len(rows) > LISTED:
        say(f"    ... and {len(rows) - LISTED:,} more")


def dry_run(plan: Plan, way: str = TRASH) -> int:
    """Say what removing would do now; changes nothing."""
    outcome = attempt(lambda report: workflow.dry_run(plan, report, way))
    if outcome is None:
        return INTERRUPTED
    refused, words = {row.path for row in outcome.refused}, ways.words_of(way)
    goes_whole = way_of(way, plan.folders).takes_companions
    for row in plan.removals:
        if row.file.path not in refused:
            kept = "keeping no match of it" if row.last_copy else f"keeping {printable(row.keeper.path)}, {row.tier}"
            say(f"would {words.act} {printable(row.file.path)}  ({kept})")
            for stamp in row.companions if goes_whole else ():
                say(f"    with {printable(stamp.path)}")
            for line in row.lost:
                say(f"    lost: {printable(line)}")
    say(ways.filled(words.would, way, outcome.files, outcome.bytes) + ":")
    by_folder(outcome)
    list_skipped(outcome.refused, "would stay in place")
    return PARTLY if refused else DONE
