"""The subcommand ``folders`` with its three steps, and the spelling that the tool it comes from had for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dedup import commands, foldersets, jobs, workflow
from dedup.console import note
from dedup.errors import DedupError
from dedup.foldersets.config import KEYS
from dedup.foldersets.manifest import CONFIG
from dedup.jobs import ERROR, INTERRUPTED
from dedup.jobs import folders as folder_jobs
from dedup.keep import STRATEGIES, understand_chain
from dedup.reference import add_volume, example_of
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.wording import printable

STEPS = ("find", "check-deleted", "cleanup")
# Settings of the file that the options of a find run take as they are; absent, an option has its own default.
_DEFAULTS: dict[str, Any] = {"look_alikes": False, "within": False, "link_mode": "auto"}
_WRITTEN = (
    "link_mode",
    "encoder",
    "kind",
    "threshold",
    "candidates",
    "neighbours",
    "look_alikes",
    "within",
    "keep",
    "protect",
    "prefer",
    "only_across",
)


def in_new_spelling(words: Sequence[str]) -> list[str]:
    """``--action find ...`` as ``folders find ...``; other words as they are."""
    for place, word in enumerate(words):
        name, _, value = word.partition("=")
        after = place + 1 if value else place + 2
        value = value or (words[place + 1] if place + 1 < len(words) else "")
        if name == "--action" and value in STEPS:
            before = [word for word in words[:place] if word != "--debug"]
            return [*["--debug"] * (len(before) < place), "folders", value, *before, *words[after:]]
    return list(words)


def add_folder_commands(add: Callable[..., argparse.ArgumentParser], find_options: Callable[..., None]) -> None:
    """Enter ``folders find``, ``folders check-deleted`` and ``folders cleanup``."""
    text = "sort the sets in your file manager: lay them out in folders, delete there, remove those originals"
    parser = add("folders", help=text, description=text[0].upper() + text[1:] + ".", epilog=example_of("folders"))
    add_volume(parser)
    add_step = parser.add_subparsers(title="steps", metavar="STEP", required=True).add_parser

    find = _step(add_step, "find", lay_out, "lay each set out in a folder of its own in DIR, indexing first if need be")
    find.add_argument("folders", nargs="*", metavar="PATH", help="a folder with pictures")
    find.add_argument("--output", type=Path, metavar="DIR", help="a new or empty folder for the sets")
    find.add_argument("--link-mode", choices=foldersets.LINK_MODES, help=KEYS["link_mode"].comment)
    find.add_argument("--again", action="store_true", help="move what was laid out there before aside, and start anew")
    find_options(find)
    find.set_defaults(**dict.fromkeys(_DEFAULTS))

    check = _step(
        add_step, "check-deleted", check_deleted, "write DIR/to_delete.txt: the originals of what you deleted there"
    )
    cleanup = _step(add_step, "cleanup", clean_up, "move the originals named in DIR/to_delete.txt to the trash")
    for step in (check, cleanup):
        step.add_argument("output", nargs="?", type=Path, metavar="DIR", help="where the sets were laid out")
        step.add_argument("--output", type=Path, dest="named_output", metavar="DIR", help="the same, as find names it")
        step.add_argument(
            "--even-last",
            action=argparse.BooleanOptionalAction,
            help="also what leaves no match in its set, as when you deleted all of it",
        )
    cleanup.add_argument("--dry-run", action=argparse.BooleanOptionalAction, help="check everything, change nothing")
    cleanup.add_argument("--yes", "-y", action="store_true", help="do not ask")


def _step(add: Callable[..., argparse.ArgumentParser], name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser = add(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=example_of(f"folders {name}"))
    add_volume(parser)
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"settings for all steps (default: DIR/{CONFIG})")
    parser.set_defaults(run=run, complete=complete, dry_run=None)
    return parser


def complete(arguments: argparse.Namespace) -> None:
    """Fill what the command line leaves open from the config file, then with defaults."""
    if getattr(arguments, "named_output", None):
        arguments.output = arguments.named_output
    place = arguments.config
    if place is None and arguments.output is not None and (arguments.output / CONFIG).is_file():
        place = arguments.output / CONFIG
    given = foldersets.read_config(place) if place is not None else {}
    for name, value in given.items():
        if getattr(arguments, name, None) in (None, []):
            setattr(arguments, name, Path(value) if name == "output" else value)
    for name, value in _DEFAULTS.items():
        if getattr(arguments, name, None) is None:
            setattr(arguments, name, value)
    keep = getattr(arguments, "keep", None)
    if keep is not None and keep not in STRATEGIES:
        understand_chain(keep)
    if arguments.link_mode not in foldersets.LINK_MODES:
        raise DedupError(f"link_mode must be one of {', '.join(foldersets.LINK_MODES)}.", f"Correct it in {place}.")
    if arguments.output is None:
        raise DedupError("No folder for the sets was named.", "Add --output DIR, or name it in the config file.")


def lay_out(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Bring the index up to date, find, and lay the sets out."""
    if not arguments.folders:
        raise DedupError("No folder with pictures was named.", "Name it: folders find PATH --output DIR")
    roots = [real_folder(one) for one in arguments.folders]
    foldersets.require_usable(arguments.output, roots, again=arguments.again)  # before the work, not after it
    for folder in arguments.folders:
        if not workflow.is_indexed(folder) or workflow.waiting_to_be_indexed(folder):
            code = jobs.index(folder, chosen)
            if code in (INTERRUPTED, ERROR):
                return code
    found = commands.found_as_asked(arguments, chosen)
    if found is None:
        return INTERRUPTED
    kept = {name: getattr(arguments, name) for name in _WRITTEN if getattr(arguments, name) not in (None, [])}
    places = {"folders": [str(folder) for folder in found.folders], "output": str(arguments.output.absolute())}
    return folder_jobs.lay_out(found, arguments.output, arguments.link_mode, {**places, **kept}, again=arguments.again)


def check_deleted(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Write to_delete.txt."""
    return folder_jobs.check_deleted(_output(arguments), even_last=bool(arguments.even_last))


def clean_up(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Remove what to_delete.txt names."""
    return folder_jobs.cleanup(
        _output(arguments),
        even_last=bool(arguments.even_last),
        dry_run=bool(arguments.dry_run),
        assume_yes=arguments.yes,
    )


def _output(arguments: argparse.Namespace) -> Path:
    output = real_folder(arguments.output)
    note(f"Sets in {printable(output)}")
    return output
