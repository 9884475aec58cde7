"""How names, sizes and pictures are put into words, the same in every front end."""

from __future__ import annotations

import os
import unicodedata
from datetime import datetime

from dedup.keep import IDENTICAL, SAME_PIXELS, Group, Match
from dedup.progress import Skipped
from dedup.store import Picture

# Control, format (bidirectional overrides), surrogate, line and paragraph separator characters
# could make a name look like another, or write to the terminal.
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(name: str | os.PathLike[str]) -> str:
    """A file name safe to show: characters that could deceive are written as escapes."""
    text = os.fspath(name)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(name: str, limit: int) -> str:
    """A name of at most ``limit`` (12 or more) characters, its middle left out, its suffix kept."""
    if len(name) <= limit:
        return name
    tail = limit // 2 - 1
    return name[: limit - tail - 3] + "..." + name[-tail:]


def size(count: int) -> str:
    """A number of bytes for people: ``1.2 MB`` (decimal units)."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000.0
    return f"{value:.1f} TB"


def files(count: int) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} file" + ("" if count == 1 else "s")


def when(moment: str) -> str:
    """A moment in ISO format as local date and time; text that is none as it stands."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment


def dimensions(picture: Picture) -> str:
    """``640 x 480``, and whether there are several frames."""
    return f"{picture.width} x {picture.height}" + (", several frames" if picture.several_frames else "")


def how_similar(match: Match | None) -> str:
    """``identical file``, ``similar 0.987``, or that there is no direct match."""
    if match is None:
        return "no direct match with the keeper"
    return match.tier if match.tier in (IDENTICAL, SAME_PIXELS) else f"{match.tier} {match.similarity:.3f}"


def group_lines(number: int, count: int, group: Group) -> list[str]:
    """A group as lines of text: the keeper first, then what is marked and what is not."""
    lines = [f"Duplicate Set {number} of {count}"]
    lines.append(_picture_line("keep  ", group.keeper, ""))
    for member in group.others:
        sign = "remove" if member.marked else "keep  "
        lines.append(_picture_line(sign, member.picture, how_similar(Match(0, member.similarity, member.tier))))
    return lines


def skipped_lines(skipped: list[Skipped]) -> list[str]:
    """One line per file that was left out, with the reason."""
    return [f"  {printable(row.path)}: {printable(row.reason)}" for row in skipped]


def _picture_line(sign: str, picture: Picture, remark: str) -> str:
    facts = f"{dimensions(picture)}, {size(picture.size)}" + (f", {remark}" if remark else "")
    return f"  {sign}  {printable(picture.full_path)}  ({facts})"
