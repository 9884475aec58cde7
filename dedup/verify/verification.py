"""What verification found out about a pair, in numbers that can be kept and in a sentence."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace

from dedup.tiers import EDITED, IDENTICAL, LOOK_ALIKE, SAME_PICTURE, SAME_PIXELS, TIERS

# Raised whenever the same two pictures may be judged or described differently than before.
VERSION = 6
WHOLE = 0.97
# What can only have been done to a picture, never undone.
EVIDENT = ("cropped", "framed", "grey", "upscaled")

# What may have been done to either of the two.
TONES = frozenset(("brighter", "darker", "recoloured"))


@dataclass(frozen=True, slots=True)
class Verification:
    """The second picture of a pair compared with the first.

    ``agreement``: the share of what can be compared that agrees, 0 to 1. ``scale``: pixels of the second for one of the
    first, along a line. ``angle``: degrees the second is turned by, to the left. ``covers``: the shares of
    the first and the second that lie in the other. ``edit``: which of the two is the edit as far as the evidence
    tells: 1 the first, 2 the second, 0 unknown. ``findings``: words of ``_WORDS``; with ``2:`` before it where it is
    true of the second, ``1:`` of the first. ``where``: where they differ. ``closeness``: the correlation of the
    finest detail: an original is closer to its copies than these are to each other.
    """

    tier: str
    agreement: float = 1.0
    scale: float = 1.0
    angle: float = 0.0
    covers: tuple[float, float] = (1.0, 1.0)
    edit: int = 0
    findings: tuple[str, ...] = ()
    where: str = ""
    closeness: float = 1.0

    @property
    def evident_edit(self) -> int:
        """Which of the two is the edit where that is plain to see, 1 or 2; 0 where it is only likely or unknown."""
        return self.edit if any(f"{self.edit}:{word}" in self.findings for word in EVIDENT) else 0

    @property
    def is_altered(self) -> bool:
        """Whether one of the two was made from the other by more than saving or resizing it, whichever it was."""
        return self.tier == EDITED or (self.tier == SAME_PICTURE and bool(TONES & set(self.findings)))

    @property
    def shows_whole_frames(self) -> bool:
        """Whether each of the two shows all of the other, upright."""
        is_upright = abs(self.angle) < 2 and not {"mirrored", "negative"} & set(self.findings)
        return self.tier == SAME_PICTURE or (self.tier == EDITED and min(self.covers) >= WHOLE and is_upright)

    def swapped(self) -> Verification:
        """The same, seen from the second picture."""
        turned = {"brighter": "darker", "darker": "brighter"}
        other = {"1:": "2:", "2:": "1:"}
        findings = tuple(
            other[one[:2]] + one[2:] if one[:2] in other else turned.get(one, one) for one in self.findings
        )
        return replace(
            self,
            scale=1.0 / self.scale,
            angle=self.angle if "mirrored" in findings else -self.angle,
            covers=(self.covers[1], self.covers[0]),
            edit={1: 2, 2: 1}.get(self.edit, 0),
            findings=findings,
        )

    def to_json(self) -> str:
        """As the database keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Verification | None:
        """What ``to_json`` gave; None of anything else."""
        try:
            row = json.loads(text)
            found = cls(**{**row, "covers": tuple(row["covers"]), "findings": tuple(row["findings"])})
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return found if found._is_sound() else None

    def _is_sound(self) -> bool:
        numbers = (self.agreement, self.scale, self.angle, *self.covers, self.closeness)
        return (
            self.tier in TIERS
            and len(self.covers) == 2
            and all(type(one) in (int, float) and math.isfinite(one) for one in numbers)
            and self.scale > 0
            and self.edit in (0, 1, 2)
            and all(type(one) is str for one in (*self.findings, self.where))
        )


_WORDS = {
    "mirrored": "mirrored",
    "negative": "a negative",
    "cropped": "cropped",
    "framed": "with something around it",
    "grey": "in black and white",
    "recoloured": "in other colours",
    "brighter": "brighter",
    "darker": "darker",
    "blurred": "with less detail",
    "noisy": "with noise",
    "overlaid": "with something laid over it",
    "upscaled": "enlarged without more detail",
    "changed": "the same but for a small place",
}
_OTHERS = {
    "cropped": "the kept one is cropped",
    "framed": "the kept one has something around it",
    "grey": "the kept one is in black and white",
    "blurred": "the kept one has less detail",
    "noisy": "the kept one has noise",
    "overlaid": "the kept one has something laid over it",
    "upscaled": "the kept one was enlarged without more detail",
}


def sentence(found: Verification) -> str:
    """A plain sentence about the second picture, for a person who sees it beside the first, the kept one."""
    if found.tier == IDENTICAL:
        return "the same bytes"
    if found.tier == SAME_PIXELS:
        return "the same pixels in another file"
    if found.tier == LOOK_ALIKE:
        return "looks alike; not the same picture as far as can be told"
    parts = ["the same picture"] if found.tier == SAME_PICTURE else []
    if abs(found.scale - 1) > 0.03:
        parts.append(f"{100 * found.scale:.0f} % size")
    if turn := _turn(found.angle):
        parts.append(turn)
    for one in found.findings:
        side, _, word = one.rpartition(":")
        words = _OTHERS.get(word) if side == "1" else _WORDS.get(word)
        if words:
            share = min(found.covers)
            parts.append(f"{words} ({100 * share:.0f} % of the frame)" if word == "cropped" else words)
    if found.where:
        parts.append(f"differs {found.where}")
    return ", ".join(parts) or "a little different from the kept one"


def _turn(angle: float) -> str:
    quarter = round(angle / 90) * 90
    if abs(angle - quarter) <= 1.5:
        return {0: "", 90: "turned left", 180: "upside down", -180: "upside down", -90: "turned right"}.get(quarter, "")
    return f"turned by {abs(angle):.0f} degrees"
