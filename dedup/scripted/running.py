"""Run ``search`` and ``dupe``: understand the arguments, print what comes, tell by the exit code what was found."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from dedup import comparison, settings, workflow
from dedup.console import TerminalReport, note, working
from dedup.encoders import BOTH
from dedup.errors import DedupError
from dedup.jobs import DONE, INTERRUPTED, PARTLY
from dedup.progress import Cancelled, Event, Notice, Skipped
from dedup.scripted import printing
from dedup.searching import Choice, Hit, best_of_each
from dedup.settings import Settings
from dedup.wording import skipped_lines
from dedup.workflow import Dupes, Searched, SearchOptions

NO_MATCH = 1
FROM_INPUT = "-"
READ_AT_ONCE = 1 << 16


def search(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Compare references with pictures; 0 where something matched, 1 where nothing did, as grep."""
    options = _options(arguments)
    references = [arguments.reference, *arguments.more]
    workflow.require_paths(references)
    if arguments.first_only and options.threshold is None and options.lowest_cosine is None:
        raise DedupError("--stop-on-first-match needs to know what a match is.", "Add a threshold, such as -t 0.")
    with working() as report:
        quiet = _Quiet(report)
        how = _understood(arguments, chosen)
        try:
            with workflow.search(references, _paths(arguments), how, options, quiet) as result:
                matched = _print_hits(arguments, result, report)
        except Cancelled:
            return _stopped()
    _tell_unreadable(result.unreadable)
    if matched:
        return DONE
    return PARTLY if result.unreadable else NO_MATCH


def dupe(arguments: argparse.Namespace, chosen: Settings) -> int:
    """List sets of pictures that are equal, or near, by their vectors."""
    options = _options(arguments)
    with working() as report:
        try:
            result = workflow.dupes(_paths(arguments), _understood(arguments, chosen), options, _Quiet(report))
        except Cancelled:
            return _stopped()
    _print_sets(arguments.format, result, report)
    _tell_unreadable(result.unreadable)
    return PARTLY if result.unreadable else DONE


def _print_hits(arguments: argparse.Namespace, result: Searched, report: TerminalReport) -> int:
    """Print the hits as they come; how many there were."""
    count = 0
    put, end = _hit_printer(arguments.format, result, report.say if arguments.format == "text" else report.say_exactly)
    try:
        for hit in _wanted(arguments, result):
            put(hit)
            count += 1
            if arguments.first_only:
                break
    finally:
        end()
    return count


def _wanted(arguments: argparse.Namespace, result: Searched) -> Iterable[Hit]:
    if arguments.top is None or arguments.first_only:
        return result.hits
    return best_of_each(result.hits, [path for path, _ in result.references], arguments.top)


def _hit_printer(
    form: str, result: Searched, say: Callable[[str], None]
) -> tuple[Callable[[Hit], None], Callable[[], None]]:
    """(prints one hit, prints what comes at the end)."""
    if form == "json":
        named = [{"path": path, "fingerprint": print_} for path, print_ in result.references]
        listing = printing.JsonList(say, {**printing.about(result), "references": named}, "matches")
        return lambda hit: listing.add(printing.hit_as_value(hit)), lambda: listing.end(result.unreadable)
    if form == "csv":
        _keep_names_as_they_are()
        say(printing.csv_line(printing.SEARCH_COLUMNS))
        return lambda hit: say(printing.csv_line(printing.hit_as_row(hit))), _nothing
    return lambda hit: say(printing.hit_in_text(hit, len(result.references))), _nothing


def _print_sets(form: str, result: Dupes, report: TerminalReport) -> None:
    if form == "json":
        head = {**printing.about(result), "pictures": len(result.files)}
        listing = printing.JsonList(report.say_exactly, head, "sets")
        for found in result.sets:
            listing.add(printing.set_as_value(found, result))
        listing.end(result.unreadable)
    elif form == "csv":
        _keep_names_as_they_are()
        report.say_exactly(printing.csv_line(printing.DUPE_COLUMNS))
        for number, found in enumerate(result.sets, 1):
            for row in printing.set_as_rows(number, found, result):
                report.say_exactly(printing.csv_line(row))
    else:
        for found in result.sets:
            report.say(printing.set_in_text(found, result))


def _nothing() -> None:
    """Nothing comes at the end."""


def _keep_names_as_they_are() -> None:
    # CSV has no escapes: a name that is no text goes out with the bytes it has.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


# -- arguments --------------------------------------------------------------------------


def _options(arguments: argparse.Namespace) -> SearchOptions:
    only = [part.strip().lower() for text in arguments.only for part in text.split(",")]
    choice = Choice(
        frozenset(f".{part.removeprefix('*').removeprefix('.')}" for part in only if part),
        tuple(arguments.exclude),
        arguments.follow_symlinks,
        arguments.hidden,
    )
    lowest = comparison.lowest_cosine(arguments.min_cosine, arguments.max_euclidean)
    return SearchOptions(choice, arguments.threshold, lowest, arguments.turned)


def _understood(arguments: argparse.Namespace, chosen: Settings) -> Settings:
    """The settings with the wavelet of --whash: there it is a parameter, here it is an encoder of its own."""
    if arguments.kind == BOTH:
        raise DedupError("This is done with one embedding at a time.", "Choose --kind final or --kind hidden.")
    chosen = replace(chosen, kind=arguments.kind or "")
    parts = [part.strip() for part in chosen.parameters.split(",")]
    modes = [part.partition("=")[2].strip() for part in parts if part.partition("=")[0].strip() == "mode"]
    if not modes or not chosen.encoder.startswith("whash"):
        return chosen
    if modes[-1] not in ("haar", "db4"):
        raise DedupError(f"whash has no mode {modes[-1]}.", "Choose haar or db4.")
    others = ",".join(part for part in parts if part.partition("=")[0].strip() != "mode")
    return replace(settings.load(f"whash-{modes[-1]}"), parameters=others)


def _paths(arguments: argparse.Namespace) -> Iterator[str]:
    """The paths to look at, those on standard input as they come; raises DedupError before the first."""
    paths: list[str] = arguments.paths
    if arguments.null and FROM_INPUT not in paths:
        raise DedupError("-0 says how names on standard input end, and none are read from there.", "Add - as a PATH.")
    workflow.require_paths(path for path in paths if path != FROM_INPUT)
    return _each_path(paths, b"\0" if arguments.null else b"\n")


def _each_path(paths: Sequence[str], end: bytes) -> Iterator[str]:
    for path in paths:
        if path == FROM_INPUT:
            yield from _names_on_input(end)
        else:
            yield path


def _names_on_input(end: bytes) -> Iterator[str]:
    rest = b""
    while sys.stdin is not None and (read := os.read(sys.stdin.fileno(), READ_AT_ONCE)):
        *whole, rest = (rest + read).split(end)
        yield from (os.fsdecode(name) for name in whole if name)
    if rest:
        yield os.fsdecode(rest)


# -- what a person is told ----------------------------------------------------------------


class _Quiet:
    """Passes events on; that something is being loaded is said on a terminal only."""

    def __init__(self, report: TerminalReport) -> None:
        self._report = report

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Notice) or (sys.stderr is not None and sys.stderr.isatty()):
            self._report(event)


def _tell_unreadable(unreadable: Sequence[Skipped]) -> None:
    if unreadable:
        note("Could not be read:")
    for line in skipped_lines(list(unreadable)):
        note(line)


def _stopped() -> int:
    note("Stopped. Nothing was changed.")
    return INTERRUPTED
