"""From the sets found to a plan: the review, and at its end what to do about sets that nobody looked at."""

from __future__ import annotations

from dedup import console
from dedup.review.choose import review
from dedup.review.memory import Memory
from dedup.review.session import ReviewSession
from dedup.review.sets import counted
from dedup.trash import Plan
from dedup.wording import files, printable
from dedup.workflow import Found

SEEN, ALL, BACK = "seen", "all", "back"


def review_to_plan(found: Found) -> tuple[ReviewSession, Plan]:
    """The session as the person left it, and its plan; raises console.Back when the review is given up.

    Given up or not, what was decided is kept for the next review of these sets.
    """
    session = ReviewSession(found, Memory(found))
    while True:
        try:
            review(session)
        finally:
            session.close()
            if session.trouble:
                console.note(printable(session.trouble))
        wanted = _which_sets(session)
        if wanted != BACK:
            return session, session.plan(only_seen=wanted == SEEN)


def _which_sets(session: ReviewSession) -> str:
    """Whether sets that nobody looked at take part; asked only where some were looked at and others hold removals."""
    sets, marked = session.unseen_removals()
    if not marked:
        return ALL
    total = len(session.sets)
    were = "was" if sets == 1 else "were"
    console.say(
        f"{sets:,} of the {counted(total, 'set')} {were} not looked at: "
        f"{'its' if sets == 1 else 'their'} {files(marked)} {'is' if marked == 1 else 'are'} marked as proposed."
    )
    if not session.seen:
        return ALL
    seen = session.totals()[0] - marked
    return console.choose(
        "Remove from which sets?",
        [
            (f"Only from the sets looked at ({files(seen)})", SEEN),
            (f"From all sets ({files(seen + marked)})", ALL),
            ("Go back to the review", BACK),
        ],
    )
