"""The command line: parse, run one job, turn what happened into an exit code.

Results go to standard output, progress and remarks to standard error.
Exit codes: 0 done, 1 error, 2 usage, 3 partly done, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from dedup import __version__, commands, console, jobs, settings
from dedup.completion import SHELLS, complete
from dedup.console import Back, Leave, Volume, complain, note, say_exactly, set_volume
from dedup.encoders import REGISTRY
from dedup.errors import DedupError, program
from dedup.folder_commands import add_folder_commands, in_new_spelling
from dedup.keep import CRITERIA, STRATEGIES, understand_chain
from dedup.reference import add_volume, as_markdown, example_of
from dedup.scripted import add_scripted, add_two_thresholds, number_from_zero
from dedup.settings import BOUNDS, TIERS_MARKED, Settings
from dedup.store.foreign import COLUMNS
from dedup.wording import printable

Command = Callable[[argparse.Namespace, Settings], int]


def main(words: Sequence[str] | None = None) -> int:
    """Run the menu, the sample job or one subcommand; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name the terminal cannot show is still told
    parser = build_parser()
    complete(parser)
    arguments = parser.parse_args(in_new_spelling(sys.argv[1:] if words is None else words))
    set_volume(_volume(arguments))
    error: int = arguments.error_code
    try:
        _require_unicode_names()
        return _run(arguments)
    except DedupError as problem:
        if arguments.debug:
            complain(traceback.format_exc())
        console.explain(problem)
        return error
    except (KeyboardInterrupt, Back, Leave):
        note("\nStopped. Nothing that was done is lost.")
        return jobs.INTERRUPTED
    except BrokenPipeError:
        # The reader of standard output went away; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    except Exception as problem:
        if arguments.debug:
            complain(traceback.format_exc())
            return error
        complain(f"Something unexpected went wrong: {type(problem).__name__}: {printable(str(problem))}")
        complain("  No picture was harmed. Run again with --debug before the command to see where, and report it.")
        return error


class Parser(argparse.ArgumentParser):
    """A parser, as are those of its subcommands, that repeats what was typed only in printable form."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words given, and exit with the code of wrong usage."""
        super().error(printable(message))


def build_parser() -> argparse.ArgumentParser:
    """The parser of every subcommand; each stores its function as ``run``."""
    parser = Parser(
        prog=program(),
        description="Find duplicate and near-duplicate pictures, and remove the ones you confirm. "
        "Without a command: the menu.",
        epilog="Exit codes: 0 done, 1 error, 2 usage, 3 partly done, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_volume(parser, False)
    parser.set_defaults(run=None, error_code=jobs.ERROR)  # search and dupe end with 2, as grep does
    add = parser.add_subparsers(title="commands", metavar="COMMAND").add_parser
    _add_finding(add)
    add_scripted(add)
    _add_removing(add)
    _add_upkeep(add)
    add_folder_commands(add, _add_find_options)
    _add_verdicts(add)
    completion = _command(add, "completion", commands.completion, "print what lets a shell complete commands", None)
    completion.add_argument("shell", choices=SHELLS, help="the shell to print it for")
    reference = _command(add, "reference", _reference, "print what every command takes, as Markdown", None)
    reference.set_defaults(parser=parser)
    return parser


def _reference(arguments: argparse.Namespace, chosen: Settings) -> int:
    say_exactly(as_markdown(arguments.parser))
    return jobs.DONE


def _volume(arguments: argparse.Namespace) -> Volume:
    if arguments.quiet and not arguments.debug:
        return Volume.QUIET
    return Volume.VERBOSE if arguments.verbose or arguments.debug else Volume.NORMAL


def _require_unicode_names() -> None:
    # Under an ASCII locale a name read one way is another name when read the next time.
    encoding = sys.getfilesystemencoding().lower()
    if encoding not in ("utf-8", "utf8"):
        raise DedupError(f"File names cannot be told apart under the encoding {encoding}.", "Set PYTHONUTF8=1.")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.run is not None:
        command: Command = arguments.run
        if complete := getattr(arguments, "complete", None):
            complete(arguments)  # from a config file, before the settings are taken from the arguments
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
    index.add_argument("--gpu-jpegs", action="store_true", default=None, help=BOUNDS["gpu_jpegs"].help)

    find = _command(add, "find", commands.find, "list duplicates within one folder, or only between several")
    _add_find_options(find)
    find.add_argument("--json", action="store_true", help="print one JSON object")
    find.add_argument("--save-plan", type=Path, metavar="FILE", help="write what would be removed, for remove --plan")
    find.add_argument(
        "--contact-sheet", type=Path, metavar="DIR", help="write the sets as PNG pages into this new folder"
    )
    find.add_argument(
        "--report",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="write the sets as one page (.html), a table (.csv), JSON (.json) or contact sheets (.png); repeatable",
    )
    find.add_argument("--summary", type=Path, metavar="FILE.png", help="draw the space, the tiers and the similarities")
    find.add_argument("--force", action="store_true", help="let reports overwrite files that are no reports")

    review = _command(add, "review", commands.review, "find, look at the sets side by side, confirm, remove")
    _add_find_options(review)
    _add_backup(review)
    _add_keep_metadata(review)
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
        type=number_from_zero,
        help="similarity from 0 to 1 at or above which pictures match, or for fingerprints the most bits that may "
        "differ (default: the encoder's)",
    )
    _add_encoder_options(parser, "compare the vectors of this encoder")
    parser.add_argument(
        "--candidates", type=number_from_zero, help="verify pairs from this similarity, or number of bits, on"
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
    add_two_thresholds(parser)


def _keep(text: str) -> str:
    if text not in STRATEGIES:
        try:
            understand_chain(text)
        except DedupError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None
    return text


def _add_removing(add: Callable[..., argparse.ArgumentParser]) -> None:
    remove = _command(add, "remove", commands.remove, "carry out a saved plan (find --save-plan)", folders="*")
    remove.add_argument("--plan", type=Path, required=True, metavar="FILE", help="the plan to carry out")
    remove.add_argument("--dry-run", action="store_true", help="check everything, change nothing")
    _add_backup(remove)
    _add_keep_metadata(remove)
    _add_yes(remove)
    places = remove.add_mutually_exclusive_group()
    places.add_argument("--to", dest="disposal", metavar="WAY", help=BOUNDS["disposal"].help + " (default: trash)")
    places.add_argument(
        "--move-to", dest="disposal", metavar="DIR", type="folder:{}".format, help="the same as --to folder:DIR"
    )
    remove.add_argument("--for-good", action="store_true", help="with --to delete --yes: delete without asking")
    names = _command(add, "names", commands.names, "quick filename cleanup: copies by name, confirmed by content")
    names.add_argument("--json", action="store_true", help="print one JSON object and stop")
    names.add_argument("--save-plan", type=Path, metavar="FILE", help="write the plan and stop")
    _add_keep_metadata(names)
    _add_yes(names, "remove the copies without review and without asking")
    organise = _command(
        add, "organise", commands.organise, "move or copy the pictures of a plan to a folder", folders=None
    )
    organise.add_argument("plan", type=Path, metavar="PLAN", help="a saved plan (find --save-plan)")
    where = organise.add_mutually_exclusive_group(required=True)
    where.add_argument("--move-to", metavar="DIR", help="move them to this folder; undo brings them back")
    where.add_argument("--copy-to", metavar="DIR", help="copy them to this folder; undo removes the copies")
    layout = organise.add_mutually_exclusive_group()
    layout.add_argument("--tree", dest="flat", action="store_false", help="keep their folders (the default)")
    layout.add_argument("--flat", dest="flat", action="store_true", help="all in one folder, numbered where names meet")
    organise.add_argument("--whole-sets", action="store_true", help="the pictures kept too, not only those to remove")
    _add_yes(organise)
    organise.set_defaults(flat=False)
    undo = _command(add, "undo", commands.undo, "bring back the latest removal")
    undo.add_argument("--run", dest="run_id", metavar="ID", help="bring back this run instead of the latest")
    undo.add_argument(
        "--file", dest="files", metavar="PATH", nargs="+", action="extend", default=[], help="only these files of it"
    )
    history = _command(add, "history", commands.past_runs, "list every removal, and what became of its files")
    history.add_argument("--run", dest="run_id", metavar="ID", help="list the files of this run")
    history.add_argument("--json", action="store_true", help="print a JSON list")
    purge = _command(add, "purge", commands.purge, "delete what lies in the trash for good")
    which = purge.add_mutually_exclusive_group()
    which.add_argument("--run", dest="run_id", metavar="ID", help="only this run")
    which.add_argument("--older-than", metavar="AGE", help="only what was removed longer ago: 30d, 2w, 6m, 1y")
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


def _add_verdicts(add: Callable[..., argparse.ArgumentParser]) -> None:
    verdicts = _command(
        add, "verdicts", commands.verdicts, 'what was called "not duplicates" or decided in a review: list, keep, undo'
    )
    what = verdicts.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="print a JSON list")
    what.add_argument("--export", type=Path, metavar="FILE", help="write the decisions to this JSON file, by content")
    what.add_argument(
        "--import", type=Path, metavar="FILE", dest="import_file", help="take the decisions of such a file in"
    )
    what.add_argument("--undo", type=int, nargs="*", metavar="N", help="take back those with these numbers")
    verdicts.add_argument("--all", action="store_true", help="with --undo: take back all of them")
    verdicts.add_argument(
        "--only",
        choices=("not duplicates", "reviewed"),
        default="",
        help="only the verdicts, or only what was decided in a review",
    )
    _add_yes(verdicts)


def _command(
    add: Callable[..., argparse.ArgumentParser], name: str, run: Command, text: str, folders: str | None = "+"
) -> argparse.ArgumentParser:
    parser = add(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=example_of(name))
    parser.set_defaults(run=run)
    add_volume(parser)
    if folders is not None:
        parser.add_argument("folders", nargs=folders, metavar="FOLDER", help="a folder with pictures")
    return parser


def _add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backup",
        type=Path,
        metavar="DIR",
        help="first copy every file of the sets to a new folder in DIR, and verify the copies; if that fails, nothing "
        "is removed",
    )


def _add_yes(parser: argparse.ArgumentParser, text: str = "do not ask") -> None:
    parser.add_argument("--yes", "-y", action="store_true", help=text)


def _add_keep_metadata(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-metadata",
        action="store_true",
        help="write what only the removed pictures say (capture date, GPS, rating, keywords, title) to XMP sidecars "
        "beside the kept ones",
    )


def _marks_help() -> str:
    return (
        "what may be marked for removal: exact (equal pixels), same (the same picture, re-saved or resized; the "
        "default), edited (cropped, recoloured, captioned ... too), all (everything at the threshold)"
    )


def _strategies_help() -> str:
    named = "; ".join(f"{name}: {text}" for name, text in STRATEGIES.items())
    own = ", ".join(one.name for one in CRITERIA)
    return f"{named}; or your own order, with commas, of: {own} (default: largest, or what 9 Settings says)"
