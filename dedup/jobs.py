"""The jobs the menu and the command line share: run one, show its progress, say what came of it.

Each returns an exit code: 0 done, 1 error, 3 partly done, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from dedup import comparison, console, settings, ways, workflow
from dedup.console import TerminalReport, note, say, working
from dedup.encoders import spec
from dedup.errors import DedupError, command
from dedup.keep import bytes_freed
from dedup.progress import Cancelled, Skipped
from dedup.provenance import Provenance
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import ForeignVectors, Picture
from dedup.trash import COPY, DELETE, TRASH, Outcome, Plan, Run, moment_before, way_of
from dedup.wording import (
    files,
    group_lines,
    printable,
    set_name,
    sets_in_words,
    similarity_in_words,
    size,
    skipped_lines,
    threshold_in_words,
)
from dedup.workflow import FindOptions, Found, Wanted

DONE, ERROR, USAGE, PARTLY, INTERRUPTED = 0, 1, 2, 3, 130
LISTED = 20
Value = TypeVar("Value")


def attempt(job: Callable[[TerminalReport], Value]) -> Value | None:
    """What the job returns, or None when Ctrl-C stopped it; everything done so far is kept."""
    with working() as report:
        try:
            return job(report)
        except Cancelled:
            note("Stopped. What was done is kept; the next run goes on from there.")
            return None


def index(folder: str | Path, chosen: Settings, *, again: bool = False) -> int:
    """Index a folder and list what could not be read."""
    result = attempt(lambda report: workflow.index(folder, chosen, report, again=again))
    if result is None:
        return INTERRUPTED
    parts = [
        f"{result.pictures:,} picture{'' if result.pictures == 1 else 's'} indexed",
        f"{result.encoded:,} of them now",
    ]
    if result.moved:
        parts.append(f"{result.moved:,} recognised as moved")
    if result.encoded:
        parts.append(f"{result.encoded / max(result.seconds, 1e-9):.0f} per second")
    say(f"{printable(real_folder(folder))}: " + ", ".join(parts) + f" ({result.encoder}).")
    if result.gone:
        are = "is" if result.gone == 1 else "are"
        say(f"{files(result.gone)} known from before {are} gone (clean/verify forgets them).")
    if result.links:
        say(f"Links passed over, since a link is not a copy: {result.links:,}.")
    root = real_folder(folder)
    unreadable = [Skipped(str(root / path), reason) for path, reason in result.unreadable.items()]
    list_skipped(unreadable + result.refused)
    return PARTLY if result.newly_unreadable or result.refused else DONE


def foreign_lines(folder: str | Path) -> list[str]:
    """What a table of the tool this one replaces holds, and which models its vectors may be of."""
    lines = []
    done = ", imported" if workflow.foreign_is_imported(folder) else ""
    for one in workflow.foreign(folder):
        models = [f"{name} ({kind})" if len(spec(name).kinds) > 1 else name for name, kind in one.models]
        lines.append(
            f"another tool's table (images, {one.vectors.column}): {one.vectors.rows:,} vectors of {one.vectors.dim} "
            f"numbers, {'which may be of ' + ', '.join(models) if models else 'which are of no model known here'}{done}"
        )
    return lines


def import_foreign(folder: str | Path, vectors: ForeignVectors, chosen: Settings) -> int:
    """Take over the vectors of another tool's table once a sample agrees; raises DedupError when it does not."""
    result = attempt(lambda report: workflow.import_foreign(folder, vectors, chosen, report))
    if result is None:
        return INTERRUPTED
    say(
        f"{result.sampled:,} pictures encoded again agree (median similarity {result.similarity:.4f}): "
        f"imported {result.imported:,} vectors of {chosen.encoder}. The other tool's table stays as it is."
    )
    if result.left:
        say(f"Changed since, or seen differently here (turned, transparent): {files(result.left)}. Index to add them.")
    if result.gone:
        say(f"No longer in this folder, though in the table: {files(result.gone)}.")
    return DONE


def check_encoder(chosen: Settings) -> int:
    """Load an encoder, try it, and say what it is and whether it tells pictures apart; raises DedupError."""
    row = spec(chosen.encoder)
    result = attempt(lambda report: workflow.check_encoder(chosen, report))
    if result is None:
        return INTERRUPTED
    for made_by in result.provenances:
        unit = "bits" if made_by.is_bits else "numbers"
        origin = "parameters" if row.parameters else "weights"
        say(f"{row.name}: {made_by.dim} {unit} ({made_by.layer}), {origin} {made_by.checkpoint}, on {result.device}")
    bits = result.provenances[0].dim if result.provenances[0].is_bits else 0
    say(f"  a picture and its re-saved copy: {similarity_in_words(result.copy, bits)}")
    say(f"  two different pictures:          {similarity_in_words(result.other, bits)}")
    say(f"  matches by default:              {threshold_in_words(row.threshold_for(bits or row.dim), bits)}")
    if result.words is not None:
        say(f"  search by words:                 {'works' if result.words == '' else result.words}")
    say(f"  loading took {result.seconds:.1f} s, then {result.per_second:.1f} pictures a second in a small batch")
    if not result.copy > result.other:
        raise DedupError(
            f"{row.name} does not tell a copy from another picture: these are not weights that were trained.",
            "Get the weights again from " + row.where_weights_come_from,
        )
    say(f"{row.name} works.")
    return DONE


def list_skipped(skipped: Sequence[Skipped], heading: str = "could not be read") -> None:
    """Every file left out, with its reason."""
    if skipped:
        say(f"{files(len(skipped))} {heading}:")
        for line in skipped_lines(list(skipped)):
            say(line)


def find(folders: Sequence[str | Path], options: FindOptions, chosen: Settings | None = None) -> Found | None:
    """The groups of a find run; None when Ctrl-C stopped it.

    Where several sets could be compared the choice is said. Without a threshold the one saved for the
    encoder is taken, where it fits the set.
    """
    if sets := workflow.ranked_sets(folders, options.wanted, chosen or settings.load()):
        if len(sets) > 1 and not options.wanted.encoder:
            words = sets_in_words(sets)
            note(f"Comparing by {words[0]}; there are also hashes of {', '.join(words[1:])} (--encoder NAME).")
        threshold = options.threshold
        if threshold is None and options.lowest_cosine is None:
            threshold = _saved_threshold(sets[0])
        options = replace(options, wanted=Wanted(provenance=sets[0]), threshold=threshold)
        if options.candidates is None:
            options = replace(options, candidates=_saved_candidates(sets[0]))
    found = attempt(lambda report: workflow.find(folders, options, report))
    for notice in found.notices if found else ():
        note(notice)
    return found


def _saved_threshold(provenance: Provenance) -> float | None:
    """The one saved for the encoder, unless it was saved for a fingerprint with other parameters."""
    saved = settings.load(provenance.encoder)
    if saved.threshold < 0 or (provenance.is_bits and not workflow.wanted_set(saved).admits(provenance)):
        return None
    return saved.threshold if saved.threshold <= (provenance.dim if provenance.is_bits else 1) else None


def _saved_candidates(provenance: Provenance) -> float | None:
    saved = settings.load(provenance.encoder).candidates
    return saved if 0 <= saved <= (provenance.dim if provenance.is_bits else 1) else None


def show_found(found: Found) -> None:
    """Print the sets and what removing the marked pictures would free."""
    for number, group in enumerate(found.groups, 1):
        say("\n".join(group_lines(number, len(found.groups), group)) + "\n")
    say(summary(found))


def summary(found: Found) -> str:
    """One line: how many sets, and what the plan would free."""
    name = set_name(found.provenance) if found.provenance else found.encoder
    how = f"{name}, {threshold_in_words(found.threshold, found.bits)}"
    if not found.groups:
        return f"No duplicates among {found.pictures:,} pictures ({how})."
    marked = sum(member.marked for group in found.groups for member in group.others)
    sets = f"{len(found.groups):,} set" + ("" if len(found.groups) == 1 else "s")
    return (
        f"{sets} of duplicates among {found.pictures:,} pictures ({how}); "
        f"{files(marked)} marked for removal, {size(bytes_freed(found.groups))}."
    )


def warn_skipped(found: Found) -> None:
    """Say how many files took no part, and why the most did not."""
    if not found.skipped:
        return
    new = sum(row.reason == comparison.NOT_INDEXED for row in found.skipped)
    if new:
        note(f"{files(new)} new or changed since indexing took no part; index again to include them.")
    lacking = sum(row.reason.startswith(comparison.NOT_INDEXED_WITH) for row in found.skipped)
    if lacking:
        note(f"{files(lacking)} took no part: they have no hashes of {found.encoder} yet; index to include them.")
    if len(found.skipped) > new + lacking:
        note(f"{files(len(found.skipped) - new - lacking)} could not be read (clean/verify and status list them).")


def review_and_remove(found: Found, backup: Path | None = None, *, keep_metadata: bool = False) -> int:
    """Review the sets, then confirm, back up where wanted, and remove; raises console.Back when it is given up."""
    from dedup.review.ending import review_to_plan

    warn_skipped(found)
    say(summary(found))
    if not found.groups:
        return DONE
    way = settings.load().disposal
    way_of(way, [str(folder) for folder in found.folders])  # what is wrong with it is said before the review
    session, plan = review_to_plan(found)
    try:
        completed = attempt(lambda report: workflow.complete_plan(plan, report))
        if completed is None:
            return INTERRUPTED
        sets = _sets_of(plan, found)
        return confirm_and_remove(completed, way, backup=backup, sets=sets, keep_metadata=keep_metadata)
    finally:
        session.carried_out()


def plan_marked(found: Found) -> Plan | None:
    """The plan that removes what is marked; None when Ctrl-C stopped it."""
    return attempt(lambda report: workflow.plan_marked(found, report))


def _sets_of(plan: Plan, found: Found) -> list[Picture]:
    """All pictures of the sets from which the plan removes any."""
    removed = {row.file.path for row in plan.removals}
    sets = [[(str(one.full_path), one) for one in group.pictures] for group in found.groups]
    return [one for pictures in sets if any(path in removed for path, _ in pictures) for _, one in pictures]


def confirm_and_remove(
    plan: Plan,
    way: str = TRASH,
    *,
    assume_yes: bool = False,
    for_good: bool = False,
    backup: Path | None = None,
    sets: Sequence[Picture] = (),
    keep_metadata: bool = False,
) -> int:
    """The one confirmation (count, bytes, folders, where they go), then the removal and its summary.

    Before it stands what is lost, and unless ``keep_metadata`` said so the question whether to write that down.
    Deleting for good is typed in full, or without a person needs ``for_good`` besides ``assume_yes``.
    With ``backup`` the plan's files, their keepers and the pictures of ``sets`` are copied there first.
    """
    if not plan.removals:
        say("Nothing is marked for removal; nothing was changed.")
        return DONE
    goes_whole = way_of(way, plan.folders).takes_companions  # explains at once what is wrong with the way
    words = ways.words_of(way)
    for folder, rows in plan.by_folder().items():
        moving = [stamp for row in rows for stamp in (row.files if goes_whole else [row.file])]
        freed = sum(stamp.size for stamp in moving)
        place = ways.filled(words.goes_to, way, len(moving), freed)
        say(f"  {files(len(moving))}, {size(freed)}, from {printable(folder)}  ->  {place}")
    if plan.companions and goes_whole:
        say(f"  {files(plan.companions)} of these because they belong to the pictures (RAW, films, sidecars)")
    if larger := sum(row.file.size > row.keeper.size for row in plan.removals):
        say(f"  {files(larger)} of these larger than the picture kept instead")
    if last := sum(row.last_copy for row in plan.removals):
        say(f"  {files(last)} of these with no match that stays, as you asked: after a purge, they are gone")
    list_lost(plan)
    if assume_yes and way == DELETE and not for_good:
        raise DedupError(
            "Deleting for good without asking needs to be said twice.",
            "Use: remove --plan FILE --to delete --yes --for-good",
        )
    if not assume_yes:
        if not console.is_terminal():
            raise DedupError("Removing needs a confirmation, and there is no terminal to ask.", "Add --yes.")
        if not keep_metadata and workflow.has_metadata_to_keep(plan):
            keep_metadata = console.confirm("Write what only they know to XMP sidecars beside the pictures that stay?")
        if not _is_confirmed(plan, way):
            say("Nothing was changed.")
            return DONE
    if backup is not None:
        made = attempt(lambda report: workflow.back_up(plan, sets, backup, report))
        if made is None:
            return INTERRUPTED
        say(f"Backed up {files(made.files)} ({size(made.bytes)}) to {printable(made.place)}.")
    outcome = attempt(lambda report: workflow.remove(plan, report, way, keep_metadata=keep_metadata))
    if outcome is None:
        return INTERRUPTED
    say(ways.filled(words.done, way, outcome.files, outcome.bytes) + (":" if outcome.moved else "."))
    by_folder(outcome)
    list_skipped(outcome.refused, "stayed in place")
    list_skipped(outcome.notes, "to know about")
    if outcome.sidecars:
        say(f"Wrote {files(len(outcome.sidecars))} beside pictures that stay, such as {printable(outcome.sidecars[0])}")
    if outcome.files:
        lines = (command(act, *outcome.moved, "--run", outcome.run_id) for act in ("undo", "purge"))
        for line in ways.afterwards(way, *lines):
            say(line)
    return _code(outcome)


def _is_confirmed(plan: Plan, way: str) -> bool:
    whole = way_of(way, plan.folders).takes_companions
    count, freed = (plan.files, plan.bytes) if whole else (len(plan.removals), sum(r.file.size for r in plan.removals))
    question = ways.filled(ways.words_of(way).question, way, count, freed)
    if way == DELETE:
        return console.confirm_by_typing(question, ways.sentence_to_type(plan))
    return console.confirm(question)


def list_lost(plan: Plan) -> None:
    """What the pictures to be removed, or their companions, hold and the kept ones do not; the first few."""
    rows = [row for row in plan.removals if row.lost]
    if not rows:
        return
    say(f"  With {files(len(rows))} would go what the picture kept instead does not have:")
    for row in rows[:LISTED]:
        say(f"    {printable(row.file.path)}: {printable('; '.join(row.lost))}")
    if len(rows) > LISTED:
        say(f"    ... and {len(rows) - LISTED:,} more")


def by_folder(outcome: Outcome) -> None:
    """One line per folder a run touched."""
    for folder, (count, total) in outcome.moved.items():
        say(f"  {files(count)}, {size(total)}, {printable(folder)}")


def dry_run(plan: Plan, way: str = TRASH) -> int:
    """Say what removing would do now; changes nothing."""
    outcome = attempt(lambda report: workflow.dry_run(plan, report, way))
    if outcome is None:
        return INTERRUPTED
    refused, words = {row.path for row in outcome.refused}, ways.words_of(way)
    for row in plan.removals:
        if row.file.path not in refused:
            kept = "keeping no match of it" if row.last_copy else f"keeping {printable(row.keeper.path)}, {row.tier}"
            say(f"would {words.act} {printable(row.file.path)}  ({kept})")
            for stamp in row.companions:
                say(f"    with {printable(stamp.path)}")
            for line in row.lost:
                say(f"    lost: {printable(line)}")
    say(ways.filled(words.would, way, outcome.files, outcome.bytes) + ":")
    by_folder(outcome)
    list_skipped(outcome.refused, "would stay in place")
    return PARTLY if refused else DONE


def for_each(folders: Sequence[str | Path], job: Callable[[str | Path], int]) -> int:
    """Do a job for each folder; trouble with one does not keep the others from theirs, Ctrl-C does."""
    codes = []
    for folder in folders:
        try:
            codes.append(job(folder))
        except DedupError as problem:
            if len(folders) == 1:
                raise
            console.explain(problem)
            codes.append(PARTLY)
        if codes[-1] == INTERRUPTED:
            break
    return max(codes, default=DONE)


def undo(folders: Sequence[str | Path], run_id: str | None = None, only: Sequence[str] = ()) -> int:
    """Bring back the latest (or a named) run of each folder, or some files of it."""
    return for_each(folders, partial(_undo_one, folders, run_id, only))


def _undo_one(folders: Sequence[str | Path], run_id: str | None, only: Sequence[str], folder: str | Path) -> int:
    outcome = attempt(partial(workflow.undo, folder, run_id, files=only))
    if outcome is None:
        return INTERRUPTED
    end = ":" if outcome.files else "."
    act = "Removed the copies of" if outcome.how == COPY else "Brought back"
    say(f"{act} {files(outcome.files)} ({size(outcome.bytes)}) of run {outcome.run_id}{end}")
    by_folder(outcome)
    list_skipped(outcome.refused, "to know about")
    _mention_other_folders(folders, outcome)
    return _code(outcome)


def purge(
    folders: Sequence[str | Path],
    run_id: str | None = None,
    *,
    older_than: str | None = None,
    assume_yes: bool = False,
) -> int:
    """Delete what lies in the trashes for good, or what has lain there so long, after asking with count and bytes.

    With ``assume_yes`` nobody was told of files whose keeper is gone: those stay in the trash.
    """
    before = moment_before(older_than) if older_than is not None else None
    wanted = [(folder, run) for folder in folders for run in workflow.runs_to_purge(folder, run_id, before)]
    if not wanted and older_than is not None:
        say(f"Nothing that was removed more than {older_than} ago lies in the trash.")
        return DONE
    if not wanted:
        say("The trash is empty." if run_id is None else f"No run {printable(run_id)} lies in the trash.")
        return DONE if run_id is None else ERROR
    if not assume_yes and not _purge_is_confirmed([run for _, run in wanted]):
        say("Nothing was changed.")
        return DONE
    code = DONE
    for folder, run in wanted:
        # Run by run, as they were shown: what was removed since is not meant.
        outcome = attempt(partial(workflow.purge, folder, run.id, last_copies=not assume_yes))
        if outcome is None:
            return INTERRUPTED
        say(f"Deleted {files(outcome.files)} ({size(outcome.bytes)}) of run {run.id} for good.")
        list_skipped(outcome.refused, "still in the trash")
        code = max(code, _code(outcome))
    return code


def _purge_is_confirmed(runs: Sequence[Run]) -> bool:
    if not console.is_terminal():
        raise DedupError("Purging needs a confirmation, and there is no terminal to ask.", "Add --yes.")
    if alone := sum(run.without_keeper for run in runs):
        why = "the picture kept instead is gone or changed since, or lacks the RAW or film"
        say(f"For {files(alone)} {why}: these may be the last copies.")
    count, total = sum(run.files for run in runs), sum(run.bytes for run in runs)
    return console.confirm(f"Delete {files(count)} ({size(total)}) for good? They cannot be brought back.")


def clean(folder: str | Path, *, assume_yes: bool = False) -> int:
    """Clean/verify: check the database, list what differs from the disk, forget ghosts when told to."""
    health = workflow.verify(folder)
    say(f"Database of {printable(real_folder(folder))}:")
    say(f"  integrity check      {'ok' if not health.problems else printable('; '.join(health.problems))}")
    say(f"  pictures indexed     {health.pictures:,}   (picture files in the folder: {health.files_on_disk:,})")
    say(f"  new files            {health.new:,}")
    say(f"  changed files        {len(health.changed):,}")
    say(f"  unreadable files     {len(health.unreadable):,}")
    say(f"  ghost rows           {len(health.ghosts):,}   (their files are gone)")
    say(f"  in the trash         {health.in_trash:,}")
    list_skipped([Skipped(path, reason) for path, reason in health.unreadable.items()])
    if health.new or health.changed:
        say("Index again to bring new and changed files in.")
    if health.problems:
        raise DedupError(
            "The database is damaged.", "Move image_database.db away and index again; no picture is affected."
        )
    if not health.ghosts:
        _forget_results(folder)
        return DONE
    for path in health.ghosts[:LISTED]:
        say(f"  gone: {printable(path)}")
    if len(health.ghosts) > LISTED:
        say(f"  ... and {len(health.ghosts) - LISTED:,} more")
    if health.files_on_disk == 0:
        say("Every file is gone: is the drive with the pictures connected?")
    if not assume_yes:
        if not console.is_terminal():
            say("Ghost rows stay; add --yes to forget them.")
            return DONE
        if not console.confirm(f"Forget {len(health.ghosts):,} rows whose files are gone? No file is touched."):
            say("Nothing was changed.")
            return DONE
    forgotten = workflow.forget_ghosts(folder)
    _forget_results(folder)
    after = workflow.verify(folder)
    say(f"Forgot {forgotten:,} rows: {health.pictures:,} pictures indexed before, {after.pictures:,} now.")
    return DONE


def _forget_results(folder: str | Path) -> None:
    if forgotten := workflow.forget_results(folder):
        say(f"Forgot what was found of {forgotten:,} pairs of pictures that are no longer here.")


def names(folders: Sequence[str | Path], chosen: Settings) -> Found | None:
    """The copies that names suggest and contents confirm; None when Ctrl-C stopped the search."""
    return attempt(lambda report: workflow.find_by_name(folders, chosen, report))


def _code(outcome: Outcome) -> int:
    if outcome.interrupted:
        note("Stopped. What was done is kept.")
        return INTERRUPTED
    return PARTLY if outcome.refused else DONE


def _mention_other_folders(asked: Sequence[str | Path], outcome: Outcome) -> None:
    """Name the folders whose part of the run still lies in their trash."""
    roots = {str(real_folder(one)) for one in asked}
    others = [folder for folder in outcome.folders if folder not in roots and Path(folder).is_dir()]
    waiting = [folder for folder in others if any(run.id == outcome.run_id for run in workflow.runs(folder))]
    if waiting:
        say("This run also removed files from another folder: " + command("undo", *waiting, "--run", outcome.run_id))
