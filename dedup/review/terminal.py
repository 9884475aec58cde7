"""Review in the terminal: the same decisions as in the window, as one-line commands."""

from __future__ import annotations

import shlex

from dedup import console
from dedup.review.captions import why
from dedup.review.session import InFolders, ReviewSession
from dedup.tiers import TIERS
from dedup.wording import day, dimensions, files, printable, size

HELP = (
    "Enter: next set   p: previous   1, 2, ...: switch keep/remove   k 2: make 2 the keeper\n"
    "n: these are not duplicates   r: as proposed again   g 12: go to set 12   d: done\n"
    "Ctrl-C: give up, nothing is removed and your decisions are kept for the next time\n"
    "f edited: only the sets with this tier   f all: all sets   f: which tiers there are\n"
    "m edited: mark all of this tier for removal, in all sets   u edited: unmark them\n"
    "folders: lay the sets out in folders instead, to sort them with your file manager"
)


def review_in_terminal(session: ReviewSession) -> None:
    """Show set after set and take commands until the person is done; raises console.Back to give up."""
    console.say(HELP)
    if session.opening:
        console.say(f"{session.opening} (g 1 goes to the first)")
    shown = -1
    while True:
        if shown != session.position:
            console.say("\n" + describe(session))
            shown = session.position
        count, freed = session.totals()
        prompt = f"Set {session.where}, {session.seen:,} looked at, removing {files(count)} ({size(freed)})"
        command = console.ask_line(prompt + ", command").strip()
        if command in ("d", "done", "q"):
            return
        if command == "":
            if session.step(1):
                continue
            if not session.shown_tier:
                return
            # The last of a selection is not the end of the review.
            console.say(session.end_reached(1) + " Enter f all for the rest, or d when you are done.")
        else:
            message = apply(session, command)
            console.say(message if message else "")
            shown = -1 if message is not None else shown


def apply(session: ReviewSession, command: str) -> str | None:
    """Carry out one command; the line to show, or None when only the position may have changed."""
    try:
        words = shlex.split(command.lower())
    except ValueError:
        words = [command]
    count = len(session.current.pictures)
    match words:
        case ["p"]:
            return None if session.step(-1) else session.end_reached(-1)
        case ["g", word] if word.isdecimal() and len(word) < 10:
            session.step(int(word) - 1 - session.place)
            return None
        case ["folders"]:
            raise InFolders
        case ["n"]:
            return session.toggle_not_duplicates()
        case ["r"]:
            return session.reset()
        case ["k", word] if (number := _number(word, count)) is not None:
            return session.make_keeper(number)
        case ["f" | "m" | "u" as verb, *name]:
            return _about_tier(session, verb, "".join(name))
    numbers = [_number(word, count) for word in words]
    if not numbers or not all(word.isdecimal() for word in words):
        return HELP
    if None in numbers:
        return f"This set has the pictures 1 to {count}."
    return "\n".join(session.toggle(number) for number in numbers if number is not None)


def _about_tier(session: ReviewSession, verb: str, name: str) -> str:
    """Show only a tier, mark it, unmark it, or say which there are."""
    if verb == "f" and name == "all":
        return session.show_only("")
    tier = tier_named(name)
    if tier is None:
        there = "\n".join(f"  {tier}: {tally}" for tier, tally in session.tiers().items())
        return f"The tiers here are:\n{there}" if there else "No picture here has a tier."
    if verb == "f":
        return session.show_only(tier)
    return session.mark_tier(tier) if verb == "m" else session.unmark_tier(tier)


def tier_named(name: str) -> str | None:
    """The one tier a name such as ``edited``, ``same-picture`` or ``pixels`` means; None where none or several."""
    wanted = _letters(name)
    for tier in TIERS:
        if wanted == _letters(tier):
            return tier
    # Its second word will do where no other tier has it, and so will the beginning of either.
    meant = [tier for tier in TIERS if len(wanted) > 2 and any(_begins(word, wanted) for word in tier.split())]
    return meant[0] if len(meant) == 1 else None


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalpha())


def _begins(word: str, wanted: str) -> bool:
    return _letters(word).startswith(wanted)


def _number(word: str, count: int) -> int | None:
    """The place (from 0) that a number from 1 to ``count`` names, or None when the word is no such number."""
    if not (word.isdecimal() and len(word) < 10 and 1 <= int(word) <= count):
        return None
    return int(word) - 1


def describe(session: ReviewSession) -> str:
    """The current set in words, one line per picture, numbered as the commands want them."""
    one = session.current
    lines = [f"Duplicate Set {session.where}"]
    if one.not_duplicates:
        lines.append("  not duplicates: everything stays")
    elif one.decided_at:
        lines.append(f"  as decided on {day(one.decided_at)}; r: as proposed again")
    for number, picture in enumerate(one.pictures):
        sign = "remove" if number in one.marked else "keep"
        kept = "the keeper" + (f", kept: {one.kept_because}" if one.kept_because else "")
        remark = kept if number == one.keeper else why(session.match(number))
        facts = f"{dimensions(picture)}, {size(picture.size)}, {remark}"
        lines.append(f"  {number + 1:>2}  {sign:<6}  {printable(picture.full_path)}  ({facts})")
    return "\n".join(lines)
