"""Take the pictures of a plan to another folder: ask, move or copy, say what came of it and how to undo it."""

from __future__ import annotations

from dedup import console, jobs, trash, ways, workflow
from dedup.console import say
from dedup.errors import DedupError, command
from dedup.jobs import DONE, INTERRUPTED, PARTLY
from dedup.trash import Plan
from dedup.wording import printable


def organise(plan: Plan, place: str, *, copies: bool, flat: bool, assume_yes: bool) -> int:
    """One confirmation (count, bytes, where to), then the moves or copies; an exit code."""
    way = f"{trash.COPY if copies else trash.FOLDER}:{place}"
    words = ways.words_of(way)
    if not plan.removals:
        say("The plan holds no pictures; nothing was changed.")
        return DONE
    if not assume_yes:
        if not console.is_terminal():
            raise DedupError("This needs a confirmation, and there is no terminal to ask.", "Add --yes.")
        if not console.confirm(ways.filled(words.question, way, len(plan.removals), plan.bytes)):
            say("Nothing was changed.")
            return DONE
    outcome = jobs.attempt(lambda report: workflow.organise(plan, place, report, copies=copies, flat=flat))
    if outcome is None:
        return INTERRUPTED
    say(ways.filled(words.done, way, outcome.files, outcome.bytes) + (":" if outcome.moved else "."))
    jobs.by_folder(outcome)
    jobs.list_skipped(outcome.refused, "stayed as they were")
    if outcome.files:
        folders = [printable(folder) for folder in outcome.moved]
        say("To undo it: choice 8 of the menu, or: " + command("undo", *folders, "--run", outcome.run_id))
    if outcome.interrupted:
        return INTERRUPTED
    return PARTLY if outcome.refused else DONE
