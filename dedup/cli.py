"""The command line: parse, run one job, turn what happened into an exit code.

Results go to standard output, progress and remarks to standard error.
Exit codes: 0 done, 1 error, 2 usage, 3 partly done, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dedup import __version__, commands, console, jobs, settings
from dedup.console import Back, Leave, note
from dedup.encoders import REGISTRY
from dedup.errors import DedupError
from dedup.keep import CRITERIA, STRATEGIES, understand_chain
from dedup.settings import BOUNDS, TIERS_MARKED, Settings
from dedup.store.foreign import COLUMNS

Command = Callable[[argparse.Namespace, Settings], int]


def main(words: Sequence[str] | None = None) -> int:
    """Run the menu, the sample job or one subcommand; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name the terminal cannot show is still told
    arguments = build_parser().parse_args(words)
    try:
        _require_unicode_names()
        return _run(arguments)
    except DedupError as problem:
        if arguments.debug:
            traceback.print_exc()
        console.explain(problem)
        return jobs.ERROR
    except (KeyboardInterrupt, Back, Leave):
        note("\nStopped. Nothing that was done is lost.")
        return jobs.INTERRUPTED
    except BrokenPipeError:
        # The reader of standard output went away; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return jobs.ERROR
    except Exception as problem:
        if arguments.debug:
            raise
        note(f"Something unexpected went wrong: {type(problem).__name__}: {problem}")
        note("  No picture was harmed. Run again with --debug before the command to see where, and report it.")
        return jobs.ERROR


def build_parser() -> argparse.ArgumentParser:
    """The parser of every subcommand; each stores its function as ``run``."""
    parser = argparse.ArgumentParser(
        prog="detector.py",
        description="Find duplicate and near-duplicate pictures, and remove the ones you confirm. "
        "Without a command: the menu.",
        epilog="Exit codes: 0 done, 1 error, 2 usage, 3 partly done, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    parser.set_defaults(run=None)
    add = parser.add_subparsers(title="commands", metavar="COMMAND").add_parser
    _add_finding(add)
    _add_removing(add)
    _add_upkeep(add)
    return parser


def _require_unicode_names() -> None:
    # Under an ASCII locale a name read one way is another name when read the next time.
    encoding = sys.getfilesystemencoding().lower()
    if encoding not in ("utf-8", "utf8"):
        raise DedupError(f"File names cannot be told apart under the encoding {encoding}.", "Set PYTHONUTF8=1.")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.run is not None:
        command: Command = arguments.run
        return command(arguments, _settings(arguments))
    if console.is_terminal():
        from dedup.menu import run_menu

        return run_menu()
    return commands.tour()


def _settings(arguments: argparse.Namespace) -> Settings:
    """The saved settings with those given on the command line in their place."""
    given = {name: getattr(arguments, name, None) for name in BOUNDS}
    wanted = {name: value for name, value in given.items() if value is not None}
    # Each encoder keeps its own weights, parameters and threshold.
    saved = settings.load(str(wanted.get("encoder", "")))
    return settings.checked(replace(saved, **wanted))


def _add_finding(add: Callable[..., argparse.ArgumentParser]) -> None:
    index = _command(add, "index", commands.index, "encode new and changed pictures into the folder's database")
    index.add_argument("--all", action="store_true", help="encode every picture again")
    _add_encoder_options(index, BOUNDS["encoder"].help, BOUNDS["kind"].help)
    index.add_argument("--batch-size", type=int, help=BOUNDS["batch_size"].help)
    index.add_argument("--workers", type=int, dest="num_workers", help=BOUNDS["num_workers"].help)
    index.add_argument("--max-megapixels", type=int, help=BOUNDS["max_megapixels"].help)

    find = _command(add, "find", commands.find, "list duplicates within one folder, or only between several")
    _add_find_options(find)
    find.add_argument("--json", action="store_true", help="print one JSON object")
    find.add_argument("--save-plan", type=Path, metavar="FILE", help="write what would be removed, for remove --plan")
    find.add_argument(
        "--contact-sheet", type=Path, metavar="DIR", help="write the sets as PNG pages into this new folder"
    )

    review = _command(add, "review", commands.review, "find, look at the sets side by side, confirm, remove")
    _add_find_options(review)
    encoders = _command(
        add, "encoders", commands.encoders, "list the encoders and whether their weights are here", folders=None
    )
    encoders.add_argument("--json", action="store_true", help="print a JSON list")
    encoders.add_argument("--markdown", action="store_true", help="print the table of the README")
    encoders.add_argument("--check", metavar="NAME", choices=_names(), help="load this one and try it on two pictures")
    encoders.add_argument("--weights", help=BOUNDS["weights"].help)
    encoders.add_argument("--params", dest="parameters", metavar="NAME=VALUE,...", help=BOUNDS["parameters"].help)

    calibrate = _command(
        add,
        "calibrate",
        commands.calibrate,
        "measure on edited copies of a folder's own pictures what each threshold finds and confuses, and propose one",
        folders=None,
    )
    calibrate.add_argument("folder", metavar="FOLDER", help="a folder with pictures; nothing in it is changed")
    _add_encoder_options(calibrate, BOUNDS["encoder"].help)
    calibrate.add_argument("--sample", type=int, default=100, metavar="N", help="pictures to copy (default: 100)")
    calibrate.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, other pictures (default: 1)")
    calibrate.add_argument(
        "--most-false",
        type=float,
        default=1.0,
        metavar="N",
        help="false matches accepted in 10,000 pictures (default: 1)",
    )
    calibrate.add_argument("--plot", type=Path, metavar="FILE.png", help="default: calibration-ENCODER.png here")
    calibrate.add_argument("--json", action="store_true", help="print one JSON object")


def _names() -> list[str]:
    return [row.name for row in REGISTRY]


ONE_KIND = "which embedding, where the encoder has several: final or hidden (default: final)"


def _add_encoder_options(parser: argparse.ArgumentParser, encoder_help: str, kind_help: str = ONE_KIND) -> None:
    parser.add_argument("--encoder", choices=_names(), metavar="NAME", help=f"{encoder_help} (encoders lists them)")
    parser.add_argument("--kind", help=kind_help)
    parser.add_argument("--params", dest="parameters", metavar="NAME=VALUE,...", help=BOUNDS["parameters"].help)
    parser.add_argument("--weights", metavar="PATH", help=BOUNDS["weights"].help)


def _add_find_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        type=_threshold,
        help="similarity from 0 to 1 at or above which pictures match, or for fingerprints the most bits that may "
        "differ (default: the encoder's)",
    )
    _add_encoder_options(parser, "compare the vectors of this encoder")
    parser.add_argument(
        "--candidates", type=_threshold, help="verify pairs from this similarity, or number of bits, on"
    )
    parser.add_argument("--neighbours", type=int, help=BOUNDS["neighbours"].help)
    parser.add_argument("--mark", choices=TIERS_MARKED, help=_marks_help())
    parser.add_argument(
        "--look-alikes", action="store_true", help="also show pairs at the threshold that could not be verified"
    )
    parser.add_argument("--within", action="store_true", help="with several folders: also pairs inside each of them")
    parser.add_argument("--keep", type=_keep, metavar="RULE", help=_strategies_help())
    for words, policy in (
        (("--protect", "--keep-all-of"), "never remove anything from this folder"),
        (("--prefer",), "keep the pictures of this folder before others"),
        (("--only-across", "--across"), "compare no two pictures that both lie in this folder or subfolder"),
    ):
        parser.add_argument(*words, action="append", default=[], metavar="FOLDER", help=policy + "; may be repeated")


def _keep(text: str) -> str:
    if text not in STRATEGIES:
        try:
            understand_chain(text)
        except DedupError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None
    return text


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 upwards")
    return value


def _add_removing(add: Callable[..., argparse.ArgumentParser]) -> None:
    remove = _command(add, "remove", commands.remove, "carry out a saved plan (find --save-plan)", folders="*")
    remove.add_argument("--plan", type=Path, required=True, metavar="FILE", help="the plan to carry out")
    remove.add_argument("--dry-run", action="store_true", help="check everything, change nothing")
    _add_yes(remove)
    names = _command(add, "names", commands.names, "quick filename cleanup: copies by name, confirmed by content")
    names.add_argument("--json", action="store_true", help="print one JSON object and stop")
    names.add_argument("--save-plan", type=Path, metavar="FILE", help="write the plan and stop")
    _add_yes(names, "remove the copies without review and without asking")
    undo = _command(add, "undo", commands.undo, "bring back the latest removal")
    undo.add_argument("--run", dest="run_id", metavar="ID", help="bring back this run instead of the latest")
    purge = _command(add, "purge", commands.purge, "delete what lies in the trash for good")
    purge.add_argument("--run", dest="run_id", metavar="ID", help="only this run")
    _add_yes(purge)


def _add_upkeep(add: Callable[..., argparse.ArgumentParser]) -> None:
    taking_over = _command(
        add, "import", commands.import_table, "take over the vectors of another tool's table (images) in the database"
    )
    _add_encoder_options(taking_over, "the model that made them")
    taking_over.add_argument("--column", choices=COLUMNS, help="which of the table's columns (default: one that fits)")
    _add_yes(taking_over)
    clean = _command(add, "clean", commands.clean, "verify the database; forget rows whose files are gone")
    _add_yes(clean)
    status = _command(
        add, "status", commands.status, "what is indexed, unreadable, in the trash, and with what", folders="*"
    )
    status.add_argument("--json", action="store_true", help="print one JSON object")


def _command(
    add: Callable[..., argparse.ArgumentParser], name: str, run: Command, text: str, folders: str | None = "+"
) -> argparse.ArgumentParser:
    parser = add(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    if folders is not None:
        parser.add_argument("folders", nargs=folders, metavar="FOLDER", help="a folder with pictures")
    return parser


def _add_yes(parser: argparse.ArgumentParser, text: str = "do not ask") -> None:
    parser.add_argument("--yes", "-y", action="store_true", help=text)


def _marks_help() -> str:
    return (
        "what may be marked for removal: exact (equal pixels), same (the same picture, re-saved or resized; the "
        "default), edited (cropped, recoloured, captioned ... too), all (everything at the threshold)"
    )


def _strategies_help() -> str:
    named = "; ".join(f"{name}: {text}" for name, text in STRATEGIES.items())
    own = ", ".join(one.name for one in CRITERIA)
    return f"{named}; or your own order, with commas, of: {own} (default: largest, or what 9 Settings says)"
