"""The settings of the folder workflow in a file: ``config.toml`` in the output folder, written with comments.

What is given on the command line comes before it.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from dedup.errors import DedupError


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: its type, and the comment that explains it in the file."""

    kind: type
    comment: str


# Named as the flags of the command line, "-" written as "_".
KEYS: dict[str, Key] = {
    "folders": Key(list, "the folders with your pictures; with several, sets only between them (see within)"),
    "output": Key(str, "where the sets are laid out"),
    "link_mode": Key(
        str,
        "auto: reflinks where the file system has them, else copies. hardlink takes no room, but editing a laid-out "
        "picture edits the original. Also: reflink, copy",
    ),
    "encoder": Key(str, "which encoder compares the pictures"),
    "kind": Key(str, "which of its embeddings, where it has several"),
    "threshold": Key(float, "the similarity (or, for fingerprints, the differing bits) at which pictures match"),
    "candidates": Key(float, "from which similarity, or up to how many bits, pairs are verified"),
    "neighbours": Key(int, "how many nearest pictures of each are verified below the threshold"),
    "look_alikes": Key(bool, "also lay out pairs at the threshold that could not be verified"),
    "within": Key(bool, "with several folders: also sets inside each of them"),
    "keep": Key(
        str, "which picture stays where you leave it open: largest, best, first, second, or criteria of your own"
    ),
    "protect": Key(list, "never remove anything from these folders"),
    "prefer": Key(list, "keep the pictures of these folders before others"),
    "only_across": Key(list, "compare no two pictures that both lie in one of these folders"),
    "even_last": Key(
        bool, "check-deleted, cleanup: also remove what leaves no match in its set, as when all of it was deleted"
    ),
    "dry_run": Key(bool, "cleanup: check everything, change nothing"),
}
# Settings that a config file always shows, so that there is something to change.
KEPT = ("folders", "output", "link_mode", "threshold", "look_alikes", "even_last", "dry_run")
_HEADING = """\
# The settings of these folders. "folders find --config FILE", "folders check-deleted" and "folders cleanup" read
# them; what is given on the command line comes before them. A line that begins with # is not read.
"""


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a file, by name; raises DedupError naming the first that is none or has no sense."""
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as problem:
        raise DedupError(f"The settings {path} cannot be read: {problem.strerror}.", "Check its name.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DedupError(f"{path} is not TOML: {problem}.", "Write lines such as: threshold = 0.96") from problem
    return {name: _checked(path, name, value) for name, value in values.items()}


def write_config(path: Path, values: dict[str, Any]) -> None:
    """Write a new file with these settings, each below its comment; one without a value is shown as a comment."""
    lines = [_HEADING]
    for name, value in values.items():
        key = KEYS[name]
        if not _is_text(value):
            value = None  # TOML has no words for a name that is no Unicode
        shown = f"{name} = {_toml(value)}" if value is not None else f"# {name} = {_toml(_EXAMPLES[key.kind])}"
        lines.append("\n".join([*wrap(key.comment, 110, initial_indent="# ", subsequent_indent="# "), shown, ""]))
    with path.open("x", encoding="utf-8") as file:
        file.write("\n".join(lines))


_EXAMPLES: dict[type, Any] = {list: ["..."], str: "...", float: 0.96, int: 20, bool: False}


def _checked(path: Path, name: str, value: Any) -> Any:
    key = KEYS.get(name)
    if key is None:
        raise DedupError(f"{path} names a setting that there is not: {name}.", "There are: " + ", ".join(KEYS))
    if key.kind is float and type(value) is int:
        value = float(value)
    texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if type(value) is not key.kind or (key.kind is list and not texts):
        what = {list: "a list of texts", str: "a text", float: "a number", int: "a whole number", bool: "true or false"}
        raise DedupError(f"In {path}, {name} must be {what[key.kind]}, not {value!r}.", "Correct that line.")
    return value


def _is_text(value: Any) -> bool:
    texts = value if isinstance(value, list) else [str(value)]
    return not any("\ud800" <= character <= "\udfff" for text in texts for character in text)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    # A JSON text without ASCII escapes is a TOML text; DEL, which only TOML refuses, is written as one.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
