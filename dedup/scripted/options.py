"""The options of ``search`` and ``dupe``, and the two thresholds they share with ``find`` and ``review``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from textwrap import fill

from dedup.encoders import REGISTRY, spec
from dedup.reference import add_volume, example_of
from dedup.scripted.running import dupe, search
from dedup.settings import BOUNDS

# What the options of the command line tool imagesearch stand for.
ALGORITHMS = {
    "ahash": "ahash",
    "phash": "phash",
    "phash-simple": "phash-simple",
    "dhash": "dhash",
    "dhash-vert": "dhash-vert",
    "whash": "whash-haar",
    "colorhash": "colorhash",
}
USUAL = "dhash"
FORMATS = ("json", "text", "csv")
SEARCH = (
    "Compare one or more reference pictures with a picture, or with all pictures under the paths. "
    "Uses the folder's database where it knows a picture with this encoder, and needs none; changes nothing."
)
SEARCH_CODES = """\
exit codes:
  0    at least one picture matched (without a threshold every picture does)
  1    every picture was compared, and none matched
  2    an error: wrong usage, a path that is not there, a reference that cannot be read
  3    none matched, but some pictures could not be read (they are listed on standard error)
  130  interrupted"""
DUPE = (
    "List sets of pictures with equal fingerprints, or within a threshold of the first of their set. "
    "Needs no database; changes nothing. To remove duplicates use find or review: they look at the pixels too."
)
DUPE_CODES = """\
exit codes:
  0    done, whether there are sets or not
  2    an error: wrong usage, or a path that is not there
  3    done, but some pictures could not be read (they are listed on standard error)
  130  interrupted"""
TWO = """\
The two thresholds of an embedding say the same in two ways. For vectors of length 1, a cosine c is a Euclidean
distance d = sqrt(2 - 2 c): 0.995 is 0.1, 0.9 is 0.447, 0.875 is 0.5, 0.5 is 1.0. Given both, both must hold, so
the stricter decides.
  strict    --min-cosine 0.95  --max-euclidean 0.1: only very similar pictures; may miss copies that vary slightly
  moderate  --min-cosine 0.9   --max-euclidean 0.5: a balance, and a good place to begin
  lenient   --min-cosine 0.7   --max-euclidean 1.0: finds more, and more that are no duplicates
Too many false ones? Lower --max-euclidean or raise --min-cosine. Too many missed? The other way round."""


def add_scripted(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare both commands; ``compare`` is another name of ``search``."""
    searching = _parser(add, "search", "how alike a reference and other pictures are, one by one", SEARCH, SEARCH_CODES)
    searching.set_defaults(run=search)
    searching.add_argument("reference", metavar="REFERENCE", help="a picture, or a folder of them: each is compared")
    searching.add_argument(
        "-r",
        "--reference",
        dest="more",
        action="append",
        default=[],
        metavar="REFERENCE",
        help="one more reference (may be repeated)",
    )
    _add_paths(searching)
    _add_algorithms(searching)
    _add_thresholds(searching, "only pictures within this (default: all)")
    searching.add_argument(
        "-1",
        "--stop-on-first-match",
        action="store_true",
        dest="first_only",
        help="print the first picture within the threshold and stop at once",
    )
    searching.add_argument("--top", type=_count, metavar="K", help="the K most similar to each reference, best first")
    _add_choice(searching)

    duping = _parser(add, "dupe", "sets of pictures with equal or near fingerprints", DUPE, DUPE_CODES)
    duping.set_defaults(run=dupe)
    _add_paths(duping)
    _add_algorithms(duping)
    _add_thresholds(
        duping,
        "also fingerprints within this of the first of the set (default: equal ones; for embeddings the encoder's)",
    )
    _add_choice(duping)


def add_two_thresholds(parser: argparse.ArgumentParser) -> None:
    """``--min-cosine`` and ``--max-euclidean``, explained at the end of the help."""
    group = parser.add_argument_group("two thresholds (for embeddings)", TWO)
    group.add_argument(
        "--min-cosine",
        "--csimilarity_threshold",
        type=number_from_zero,
        metavar="C",
        help="only pairs whose cosine is at least this, 0 to 1 (try 0.9)",
    )
    group.add_argument(
        "--max-euclidean",
        "--esimilarity_threshold",
        type=number_from_zero,
        metavar="D",
        help="only pairs whose Euclidean distance is at most this, 0 to 1.4142 (try 0.5)",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def number_from_zero(text: str) -> float:
    """A finite number from 0 upwards, as argparse wants it."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 upwards")
    return value


def _parser(
    add: Callable[..., argparse.ArgumentParser], name: str, short: str, text: str, codes: str
) -> argparse.ArgumentParser:
    aliases = ["compare"] if name == "search" else []
    parser = add(
        name,
        help=short,
        description=fill(text, 100),
        aliases=aliases,
        epilog=f"{_parameters_explained()}\n\n{codes}\n\n{example_of(name)}",
    )
    add_volume(parser)
    parser.set_defaults(error_code=2)
    return parser


def _add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a picture or a folder; - reads names from standard input"
    )
    parser.add_argument(
        "-0",
        "--null",
        action="store_true",
        help="the names on standard input end with a NUL byte, as find -print0 writes them",
    )


def _add_algorithms(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("algorithm").add_mutually_exclusive_group()
    for option, name in ALGORITHMS.items():
        usual = " (the default)" if name == USUAL else ""
        group.add_argument(
            f"--{option}", dest="encoder", action="store_const", const=name, help=spec(name).title + usual
        )
    group.add_argument(
        "--encoder",
        choices=[row.name for row in REGISTRY],
        metavar="NAME",
        help="any encoder or fingerprint (encoders lists them)",
    )
    parser.set_defaults(encoder=USUAL)
    parser.add_argument(
        "--algo-params",
        "--params",
        dest="parameters",
        metavar="NAME=VALUE,...",
        help="parameters of the fingerprint, see below",
    )
    parser.add_argument(
        "--kind", help="which embedding, where the encoder has several: final or hidden (default: final)"
    )
    parser.add_argument("--weights", metavar="PATH", help=BOUNDS["weights"].help)
    parser.add_argument(
        "--turned",
        action="store_true",
        help="compare fingerprints in the orientation in which they differ least: turned and mirrored too",
    )


def _add_thresholds(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "-t",
        "--threshold",
        type=number_from_zero,
        metavar="N",
        help=f"{text}: for fingerprints the most bits that may differ, for embeddings the least similarity",
    )
    parser.add_argument(
        "-f",
        "--format",
        "-format",
        choices=FORMATS,
        default="json",
        help="json (the default) and csv keep every file name as it is; text is for people",
    )
    add_two_thresholds(parser)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which files")
    group.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="EXT,...",
        help="only files with these endings, such as jpg,png (default: those of pictures)",
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files and folders whose name, or path within PATH, fits (may be repeated)",
    )
    group.add_argument(
        "--follow-symlinks", action="store_true", help="follow links to files and folders; each file still counts once"
    )
    group.add_argument(
        "--hidden",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look at files and folders whose name begins with a dot (the default)",
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 upwards")
    return int(text)


def _parameters_explained() -> str:
    lines = ["parameters for --algo-params:"]
    for option, name in ALGORITHMS.items():
        for one in spec(name).parameters:
            kind = "a power of two" if one.power_of_two else "whole number"
            lines.append(
                f"  --{option:<13} {one.name}: {kind} from {one.low} to {one.high}, default {one.default}: {one.help}"
            )
        if option == "whash":
            lines.append(f"  --{option:<13} mode: haar or db4, default haar: the wavelet")
    return "\n".join(lines)
