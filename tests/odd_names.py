"""Names that mean harm, or that only look as if they did; made at test time, since no repository can hold them."""

from __future__ import annotations

import os
import unicodedata

ODD_NAMES = [
    "new\nline.png",
    "tab\tand\rreturn.png",
    'quote\'d "twice" `thrice`.png',
    "-dash.png",
    "--yes.png",
    "~tilde.png",
    " spaces around .png",
    "back\\slash.png",
    "shell $HOME ; & | * ?.png",
    "address ?#%41&x=1.png",
    "format %s {0} %(name)d.png",
    "math $\\frac{x}{0}$ _^.png",
    "red \x1b[31m and clear \x1b[2J.png",
    "title \x1b]0;owned\x07.png",
    "delete \x7f.png",
    "c1 \x9b31m.png",
    "reversed \u202egnp.exe.png",
    "isolated \u2066\u2069 marked \u200f.png",
    "zero\u200bwidth\u2060.png",
    "filler \u3164\u115f.png",
    "tag \U000e0041\U000e007f.png",
    "selector \ufe00\U000e0100.png",
    "line \u2028 paragraph \u2029.png",
    "private \ue000.png",
    "unassigned \u0378.png",
    "emoji \U0001f408\u200d\u2b1b \u2764\ufe0f.png",
    "arabic \u0635\u0648\u0631\u0629 hebrew \u05ea\u05de\u05d5\u05e0\u05d4.png",
    "japanese \u5199\u771f\u3000.png",
    "caf\u00e9.png",
    "cafe\u0301.png",
    "CON.png",
    "aux.PNG",
    "lpt1 . .png",
    os.fsdecode(b"not utf-8 \xff\xfe\x80.png"),
    "x" * 251 + ".png",
    "\u00fc" * 125 + ".png",
]
ODD_FOLDER = "folder \x1b[31m ?#%41 \u202e'\n" + os.fsdecode(b"\xff")
# Categories of which no character may reach a terminal from a name.
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def deceiving(text: str) -> set[str]:
    """The characters of what was printed that could command a terminal or deceive its reader."""
    return {
        character
        for character in text
        if character != "\n"
        and (
            unicodedata.category(character) in UNSEEN
            or "\ufe00" <= character <= "\ufe0f"
            or "\U000e0100" <= character <= "\U000e01ef"
            or character in "\u115f\u1160\u3164\uffa0\u2800\u034f"
        )
    }
