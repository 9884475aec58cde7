"""Pick the reviewer this machine allows, run it, and give the decisions back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from dedup import console, settings
from dedup.errors import DedupError
from dedup.review.contact_sheet import write_contact_sheets
from dedup.review.display import why_no_window, window_backend
from dedup.review.session import InFolders, ReviewSession
from dedup.wording import printable
from dedup.workflow import Found


def review(session: ReviewSession) -> None:
    """Let a person look at the sets and decide; raises console.Back when they give up, InFolders to go on elsewhere.

    In a window where one can be opened, else in the terminal beside a contact sheet.
    """
    backend = window_backend()
    if backend is not None:
        console.note("A window opens: look through the sets, then close it to come back here.")
        from dedup.review.window import review_in_window

        review_in_window(session, backend)
        if session.in_folders:
            raise InFolders
    else:
        from dedup.review.terminal import review_in_terminal

        console.note(why_no_window())
        show_contact_sheets(session.found)
        review_in_terminal(session)


def contact_sheets(found: Found, folder: Path | None = None) -> list[Path]:
    """The sets of a find run as PNG pages in a new folder outside the picture folders."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    with console.working() as report:
        return write_contact_sheets(found.groups, folder or settings.home() / "contact-sheets" / stamp, report)


def show_contact_sheets(found: Found) -> None:
    """Write the contact sheets and say where; without a place for them the sets are shown in words alone."""
    try:
        for path in contact_sheets(found):
            console.say(f"Contact sheet: {printable(path)}")
    except DedupError as problem:
        console.explain(problem)
