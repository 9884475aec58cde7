"""How names, sizes and pictures are put into words, the same in every front end."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from dedup.encoders import HAMMING, REGISTRY, EncoderSpec, LoadOptions
from dedup.keep import Group, Match, Member
from dedup.progress import Skipped
from dedup.provenance import Provenance
from dedup.store import Picture
from dedup.tiers import EDITED, IDENTICAL, SAME_PIXELS

RECOMMENDED = 0.96
BANDS = """\
How similar must two pictures be to match? From 0 to 1. Less similar ones count only when their pixels prove it:
  1.00          only what the pixels prove
  0.97 - 0.99   strict: re-saved copies; misses some
  0.95 - 0.97   recommended: resized and re-saved copies (default {default:g})
  0.90 - 0.95   loose: finds more, and more that only look alike: review every set
A distance may be typed instead: e0.5 is a Euclidean distance of 0.5 (similarity 0.875), e0.1 is strict (0.995)"""

# Control, format (bidirectional overrides, joiners, tags), surrogate, private and unassigned characters, line and
# paragraph separators could make a name look like another, or write to the terminal.
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Of the other categories, what nobody sees: joiners and fillers, variation selectors, an empty Braille cell.
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(name: str | os.PathLike[str]) -> str:
    """A file name safe to show: characters that could deceive are written as escapes."""
    text = os.fspath(name)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def printable_lines(text: str) -> str:
    """A text of several lines safe to show: as ``printable``, but the ends of its lines stay."""
    return text if text.isascii() and text.isprintable() else "\n".join(map(printable, text.split("\n")))


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES and not _UNSEEN.match(character):
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


def day(moment: str) -> str:
    """The local date of a moment in ISO format: ``2026-11-20``."""
    return when(moment).split(" ")[0]


def dimensions(picture: Picture) -> str:
    """``640 x 480``, and whether there are several frames."""
    return f"{picture.width} x {picture.height}" + (", several frames" if picture.several_frames else "")


def how_similar(match: Match | Member | None) -> str:
    """``identical file``, ``edited, 0.987``, ``look-alike, 0.875, 4 of 64 bits``, or that there is no direct match."""
    if match is None:
        return "no direct match with the keeper"
    if match.tier in (IDENTICAL, SAME_PIXELS):
        return match.tier
    turned = ", turned or mirrored" if match.turned else ""
    return f"{match.tier}, {similarity_in_words(match.similarity, match.bits).removeprefix('similarity ')}{turned}"


def similarity_in_words(similarity: float, bits: int) -> str:
    """``similarity 0.987``, or of fingerprints ``similarity 0.875, 4 of 64 bits``."""
    differing = f", {distance(similarity, bits)} of {bits} bits" if bits else ""
    return f"similarity {similarity:.3f}{differing}"


def distance(similarity: float, bits: int) -> int:
    """How many of a fingerprint's bits differ at a similarity."""
    return round((1.0 - similarity) * bits / 2)


def set_in_words(provenance: Provenance) -> str:
    """``CLIP ViT-Large-14 (hidden)``: the encoder, and where there is a choice the embedding or the parameters."""
    row = next((row for row in REGISTRY if row.name == provenance.encoder), None)
    if row is None:
        return f"{provenance.encoder} ({provenance.layer})"
    details = [provenance.layer] if len(row.kinds) > 1 else []
    if row.parameters and provenance.checkpoint != row.checkpoint(LoadOptions()):
        details.append(provenance.checkpoint)
    return row.title + (f" ({', '.join(details)})" if details else "")


def sets_in_words(sets: Sequence[Provenance]) -> list[str]:
    """Each set in words; those that would read the same also say which weights they come from."""
    words = [set_in_words(one) for one in sets]
    return [
        text if words.count(text) == 1 else f"{text}, weights {one.checkpoint}, preprocessing {one.preprocessing}"
        for text, one in zip(words, sets, strict=True)
    ]


def set_name(provenance: Provenance) -> str:
    """``pdq``, ``clip-vit-b32 hidden``, ``phash hash_size=16,highfreq_factor=4``: as the command line names a set."""
    row = next((row for row in REGISTRY if row.name == provenance.encoder), None)
    parts = [provenance.encoder]
    if row is not None and len(row.kinds) > 1:
        parts.append(provenance.layer)
    if row is not None and row.parameters and provenance.checkpoint != row.checkpoint(LoadOptions()):
        parts.append(provenance.checkpoint)
    return " ".join(parts)


def thresholds_explained(row: EncoderSpec, default: float, dim: int) -> str:
    """What a threshold of this encoder means, in bands, with the default."""
    if row.metric == HAMMING:
        looser = min(dim, 2 * int(default) + 2)
        ladder = {0: "the same bits", int(default): "the default", looser: "looser: review every set"}
        beside = "\n".join(
            f"  {bits:>4}   similarity {1 - 2 * bits / dim:.3f}   {words}" for bits, words in sorted(ladder.items())
        )
        return (
            f"How many of the {dim} bits of {row.title} may differ between duplicates? Fewer is stricter "
            f"(default {default:g}).\n{beside}"
        )
    if row.threshold != RECOMMENDED:
        return (
            f"How similar must two pictures be to count as duplicates? From 0 to 1 (default for {row.title}: "
            f"{default:g}).\n  Higher is stricter. Below the default it finds more, and more that only look alike:\n"
            "  review every set. A distance may be typed instead: e0.5 is a Euclidean distance of 0.5 (0.875)"
        )
    return BANDS.format(default=default)


def threshold_in_words(threshold: float, bits: int) -> str:
    """``threshold 0.96``, or ``threshold 8 of 64 bits, similarity 0.75``."""
    if not bits:
        return f"threshold {threshold:g}"
    return f"threshold {threshold:g} of {bits} bits, similarity {1 - 2 * threshold / bits:.3g}"


def group_lines(number: int, count: int, group: Group) -> list[str]:
    """A group as lines of text: the keeper first, then what is marked and what is not."""
    lines = [f"Duplicate Set {number} of {count}"]
    lines.append(_picture_line("keep  ", group.keeper, f"kept: {group.reason}" if group.reason else ""))
    for member in group.others:
        sign = "remove" if member.marked else "keep  "
        told = f": {member.remark}" if (member.tier == EDITED or member.carries) and member.remark else ""
        lines.append(_picture_line(sign, member.picture, how_similar(member) + told))
    return lines


def skipped_lines(skipped: list[Skipped]) -> list[str]:
    """One line per file that was left out, with the reason."""
    return [f"  {printable(row.path)}: {printable(row.reason)}" for row in skipped]


def _picture_line(sign: str, picture: Picture, remark: str) -> str:
    facts = f"{dimensions(picture)}, {size(picture.size)}" + (f", {remark}" if remark else "")
    return f"  {sign}  {printable(picture.full_path)}  ({facts})"
