"""What stands below a picture: its name, its facts, what becomes of it and why it is here."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from dedup.keep import Match, Member
from dedup.review.sets import SetUnderReview
from dedup.wording import dimensions, how_similar, printable, shortened, size

FACTS = 3  # lines with the name, the folder and the dimensions
MOST_ROWS = 4  # of reasons


def role(one: SetUnderReview, number: int) -> str:
    """What becomes of a picture: ``KEEPER``, ``KEEP`` or ``REMOVE``."""
    if number == one.keeper:
        return "KEEPER"
    return "REMOVE" if number in one.marked else "KEEP"


def facts(one: SetUnderReview, number: int, label: str, limit: int) -> tuple[str, str, str]:
    """The name behind its label, the folder and the dimensions, as lines of about ``limit`` characters."""
    picture = one.pictures[number]
    return (
        f"{label}  {shortened(printable(picture.full_path.name), limit)}",
        f"in {shortened(printable(picture.full_path.parent), limit)}",
        f"{dimensions(picture)}   {size(picture.size)}",
    )


def reasons(verb: str, match: Match | Member | None, limit: int, rows: int) -> list[str]:
    """What becomes of a picture with its tier, and the sentence of the verification, in so many rows at most."""
    lines = wrapped(f"{verb}   {how_similar(match)}", limit, min(2, rows))
    remark = match.remark if match is not None else ""
    return [*lines, *wrapped(remark, limit, rows - len(lines))]


def keeper_reasons(one: SetUnderReview, limit: int, rows: int) -> list[str]:
    """That this is the keeper, and what decided it, in so many rows at most."""
    return wrapped("KEEPER" + (f"   kept: {one.kept_because}" if one.kept_because else ""), limit, rows)


def why(match: Match | Member | None) -> str:
    """The tier with the similarity, and what the verification says of the pair, in one line."""
    remark = f": {match.remark}" if match is not None and match.remark else ""
    return how_similar(match) + remark


def rows_for(one: SetUnderReview, matches: Sequence[Match | Member | None], limit: int) -> int:
    """How many rows of about ``limit`` characters the reasons of the keeper and these matches want, four at most."""
    wanted = (len(reasons("REMOVE", match, limit, MOST_ROWS)) for match in matches)
    return max(len(keeper_reasons(one, limit, MOST_ROWS)), *wanted, 1)


def wrapped(text: str, limit: int, rows: int) -> list[str]:
    """A text as lines of at most ``limit`` characters; what does not fit in so many rows is left out, with dots."""
    if not text or rows < 1:
        return []
    # Spaces stay where they are, so that the words of a picture can stand apart.
    return wrap(text, max(limit, 8), max_lines=rows, placeholder=" ...", replace_whitespace=False)
