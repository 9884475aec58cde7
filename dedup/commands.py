"""The subcommands: each takes parsed arguments and settings, and returns an exit code."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from dedup import calibration, comparison, console, encoder_table, jobs, settings, workflow
from dedup.completion import shell_code
from dedup.console import note, say, say_exactly, say_json
from dedup.encoders import BOTH, COSINE, HAMMING, spec
from dedup.errors import DedupError, command
from dedup.jobs import DONE, INTERRUPTED, decided, history, organising
from dedup.jobs import folders as folder_jobs
from dedup.jobs import reports as report_jobs
from dedup.progress import Cancelled
from dedup.provenance import Provenance
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import Picture
from dedup.trash import load_plan, save_plan, with_keepers
from dedup.ways import way_in_words
from dedup.wording import distance, files, printable, sets_in_words, size, when
from dedup.workflow import FindOptions, Found, Wanted

NAMES_OF_COMMANDS = (
    "index, find, review, search, dupe, folders, remove, organise, undo, history, purge, clean, names, status, "
    "encoders, calibrate, import, verdicts"
)


def index(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Index each folder."""
    return jobs.for_each(arguments.folders, lambda folder: jobs.index(folder, chosen, again=arguments.all))


def find(arguments: argparse.Namespace, chosen: Settings) -> int:
    """List the sets; as JSON, as a plan, as contact sheets, as reports."""
    folders = [real_folder(folder) for folder in arguments.folders]
    report_jobs.require_places(arguments.report, arguments.summary, folders, force=arguments.force)
    found = found_as_asked(arguments, chosen)
    if found is None:
        return INTERRUPTED
    report_jobs.write(arguments.report, arguments.summary, found, as_json(found), force=arguments.force)
    if arguments.save_plan and not _save_marked(found, arguments.save_plan):
        return INTERRUPTED
    if arguments.contact_sheet:
        from dedup.review.choose import contact_sheets

        for path in contact_sheets(found, arguments.contact_sheet):
            note(f"Contact sheet: {printable(path)}")
    if arguments.json:
        say_json(as_json(found))
    else:
        jobs.show_found(found)
    return DONE


def found_as_asked(arguments: argparse.Namespace, chosen: Settings) -> Found | None:
    """The find run that the arguments describe, with what took no part said; None when Ctrl-C stopped it."""
    found = jobs.find(arguments.folders, _find_options(arguments, chosen), chosen)
    if found is not None:
        jobs.warn_skipped(found)
    return found


def review(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Find, review, confirm, remove; without a terminal, show the sets and stop there."""
    found = jobs.find(arguments.folders, _find_options(arguments, chosen), chosen)
    if found is None:
        return INTERRUPTED
    if console.is_terminal():
        return folder_jobs.review_and_remove(found, arguments.backup, keep_metadata=arguments.keep_metadata)
    return show_without_terminal(found)


def remove(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Carry out a plan, or with --dry-run say what would happen."""
    plan = load_plan(arguments.plan)
    if arguments.folders:
        wanted = {os.fspath(real_folder(folder)) for folder in arguments.folders}
        rows = tuple(row for row in plan.removals if row.folder in wanted)
        plan = replace(plan, removals=rows)
    if arguments.dry_run:
        if arguments.backup:
            note("A dry run copies nothing: the backup is made when the plan is carried out.")
        return jobs.dry_run(plan, chosen.disposal)
    return jobs.confirm_and_remove(
        plan,
        chosen.disposal,
        assume_yes=arguments.yes,
        for_good=arguments.for_good,
        backup=arguments.backup,
        keep_metadata=arguments.keep_metadata,
    )


def names(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Quick filename cleanup."""
    found = jobs.names(arguments.folders, chosen)
    if found is None:
        return INTERRUPTED
    if arguments.save_plan and not _save_marked(found, arguments.save_plan):
        return INTERRUPTED
    if arguments.json:
        say_json(as_json(found))
        return DONE
    if arguments.save_plan:
        return DONE
    if arguments.yes:
        jobs.show_found(found)
        plan = jobs.plan_marked(found)
        if plan is None:
            return INTERRUPTED
        return jobs.confirm_and_remove(plan, chosen.disposal, assume_yes=True, keep_metadata=arguments.keep_metadata)
    if console.is_terminal():
        return folder_jobs.review_and_remove(found, keep_metadata=arguments.keep_metadata)
    return show_without_terminal(found)


def undo(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Bring back the latest or a named run."""
    return jobs.undo(arguments.folders, arguments.run_id, arguments.files)


def purge(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Empty the trash for good."""
    return jobs.purge(arguments.folders, arguments.run_id, older_than=arguments.older_than, assume_yes=arguments.yes)


def organise(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Move or copy the pictures of a plan to a folder, with --whole-sets those kept too."""
    plan = load_plan(arguments.plan)
    if arguments.whole_sets:
        plan = with_keepers(plan)
    copies = arguments.copy_to is not None
    place = arguments.copy_to if copies else arguments.move_to
    return organising.organise(plan, place, copies=copies, flat=arguments.flat, assume_yes=arguments.yes)


def past_runs(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Every run that took files from the folders, or the files of one."""
    if arguments.json:
        say_json(history.as_values(arguments.folders, arguments.run_id))
        return DONE
    return jobs.for_each(arguments.folders, lambda folder: history.show(folder, arguments.run_id))


def clean(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Verify each folder's database."""
    return jobs.for_each(arguments.folders, lambda folder: jobs.clean(folder, assume_yes=arguments.yes))


def status(arguments: argparse.Namespace, chosen: Settings) -> int:
    """What is indexed, unreadable and in the trash, and with which libraries."""
    program, rows = _program(), [workflow.status(folder) for folder in arguments.folders]
    if arguments.json:
        say_json({"program": program, "folders": rows})
        return DONE
    for name, value in program.items():
        say(f"{name:<14} {printable(str(value))}")
    for row in rows:
        say(f"\n{printable(row['folder'])}")
        for name in ("pictures", "new", "changed", "gone", "in_trash"):
            say(f"  {name.replace('_', ' '):<12} {row[name]:,}")
        sets = [Provenance(**{name: one[name] for name in one if name != "pictures"}) for one in row["sets"]]
        for one, words in zip(row["sets"], sets_in_words(sets), strict=True):
            say(f"  embeddings   {words}: {one['pictures']:,} of {row['pictures']:,} pictures")
        for run in row["runs"]:
            held = f"{files(run['files'])}, {size(run['bytes'])}"
            say(f"  {'run':<12} {run['id']}, {way_in_words(run['how'])} {when(run['started_at'])}: {held}")
        for line in jobs.foreign_lines(row["folder"]):
            say(f"  {line}")
        say(f"  unreadable   {len(row['unreadable']):,}")
        for one in row["unreadable"]:
            say(f"    {printable(one['path'])}: {printable(one['reason'])}")
    return DONE


def encoders(arguments: argparse.Namespace, chosen: Settings) -> int:
    """The registry as a table, JSON or Markdown; or one encoder tried."""
    if arguments.check:
        mine = settings.load(arguments.check)
        given = {name: getattr(arguments, name) for name in ("weights", "parameters") if getattr(arguments, name)}
        return jobs.check_encoder(replace(mine, **given))
    if arguments.json:
        say_json(encoder_table.as_values())
    else:
        say(encoder_table.as_markdown() if arguments.markdown else encoder_table.as_text())
    return DONE


def calibrate(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Measure on edited copies of a folder's own pictures what each threshold finds, and propose one."""
    _refuse_both(arguments)
    if chosen.kind == BOTH:
        chosen = replace(chosen, kind="")
    options = calibration.CalibrateOptions(arguments.sample, arguments.seed, arguments.most_false)
    folder = real_folder(arguments.folder)
    place = calibration.place_for_plot(arguments.plot, chosen.encoder, folder, settings.home())
    try:
        with console.working() as report:
            result = calibration.calibrate(folder, chosen, options, report)
    except Cancelled:
        note("Stopped. The temporary copies are gone, and nothing was changed.")
        return INTERRUPTED
    if not arguments.json:
        # Before the plot: should that fail, the figures are not lost.
        for line in calibration.lines(result):
            say(printable(line))
    plot = calibration.write_plot(result, place)
    if arguments.json:
        say_json({**calibration.as_json(result), "plot": os.fspath(plot)})
    else:
        say(f"Plot: {printable(plot)}")
    return DONE


def import_table(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Show what another tool's table in each folder's database holds, and import it when a model is named."""
    return jobs.for_each(arguments.folders, lambda folder: _import_from(folder, arguments, chosen))


def _import_from(folder: str | Path, arguments: argparse.Namespace, chosen: Settings) -> int:
    lines = jobs.foreign_lines(folder)
    for line in lines:
        say(f"{printable(real_folder(folder))}: {line}")
    if not lines:
        say(f"{printable(real_folder(folder))} holds no table of another tool.")
        return DONE
    if not arguments.encoder:
        if arguments.yes:
            raise DedupError("Importing needs to know which model made the vectors.", "Add --encoder NAME.")
        say("To import, name the model: " + command("import", str(folder), "--encoder", "NAME"))
        return DONE
    _refuse_both(arguments)
    layer = spec(chosen.encoder).layers(arguments.kind or "")[0]
    wanted = (chosen.encoder, layer)
    fitting = [one.vectors for one in workflow.foreign(folder) if wanted in one.models]
    if arguments.column:
        fitting = [vectors for vectors in fitting if vectors.column == arguments.column]
    if not fitting:
        raise DedupError(
            f"No vectors in the table can be of {chosen.encoder} ({layer}).",
            "Name a model listed above; where none is listed, index the folder anew.",
        )
    if not arguments.yes:
        if not console.is_terminal():
            raise DedupError("Importing needs a yes, and there is no terminal to ask.", "Add --yes.")
        if not console.confirm(f"Import {fitting[0].rows:,} vectors as those of {chosen.encoder} ({layer})?"):
            say("Nothing was changed.")
            return DONE
    return jobs.import_foreign(folder, fitting[0], replace(chosen, kind=layer))


def verdicts(arguments: argparse.Namespace, chosen: Settings) -> int:
    """List what was decided, export it, take decisions in, or take some back."""
    if arguments.import_file is not None:
        return decided.take_in(arguments.import_file, arguments.folders)
    if arguments.all and arguments.undo is None:
        raise DedupError("--all says which decisions to take back.", "Write: --undo --all")
    rows = decided.numbered(arguments.folders, arguments.only)
    if arguments.undo is not None:
        if arguments.all:
            return decided.take_all_back(rows, assume_yes=arguments.yes)
        if not arguments.undo:
            raise DedupError("Which decisions are to be taken back?", "Give their numbers, or --undo --all.")
        return decided.take_back(rows, arguments.undo)
    if arguments.export is not None:
        return decided.export(rows, arguments.export)
    if arguments.json:
        say_json(decided.as_json(rows))
    else:
        decided.show(rows)
    return DONE


def tour() -> int:
    """The sample job up to the plan, for a start without a terminal: nothing is removed."""
    from dedup.sample import sample_folder

    folder = sample_folder(settings.home())
    say("There is no terminal for the menu, so here is the whole job on a few drawn pictures, up to the plan.\n")
    code = jobs.index(folder, Settings())
    found = jobs.find([folder], FindOptions(Wanted(settings.DEFAULT_ENCODER))) if code == DONE else None
    if found is None:
        return code
    say()
    show_without_terminal(found)
    say(f"\nFor your own pictures use the commands: {NAMES_OF_COMMANDS}.")
    say("For example: " + command("index", "FOLDER"))
    say("then:        " + command("find", "FOLDER", "--save-plan", "plan.json"))
    say("Every command explains itself: " + command("find", "--help"))
    return DONE


def show_without_terminal(found: Found) -> int:
    """The sets in words and as contact sheets; nothing is asked and nothing removed."""
    jobs.warn_skipped(found)
    jobs.show_found(found)
    if not found.groups:
        return DONE
    from dedup.review.choose import show_contact_sheets

    show_contact_sheets(found)
    say("Nothing was removed: that needs a terminal to review and confirm, or --save-plan and remove --plan --yes.")
    return DONE


def _save_marked(found: Found, path: Path) -> bool:
    """Write the plan of what is marked; False when Ctrl-C stopped it."""
    plan = jobs.plan_marked(found)
    if plan is None:
        return False
    save_plan(plan, path)
    note(f"Plan written to {printable(path)}.")
    return True


def as_json(found: Found) -> dict[str, Any]:
    """What ``find --json`` prints, with absolute paths."""
    return {
        "encoder": found.encoder,
        "threshold": found.threshold,
        "folders": [os.fspath(folder) for folder in found.folders],
        "pictures": found.pictures,
        "skipped": [{"path": row.path, "reason": row.reason} for row in found.skipped],
        "groups": [
            {
                "keeper": _facts(group.keeper),
                "others": [
                    {
                        **_facts(member.picture),
                        "similarity": round(member.similarity, 6),
                        **({"bits": distance(member.similarity, member.bits)} if member.bits else {}),
                        "tier": member.tier,
                        "marked": member.marked,
                        "remark": member.remark,
                    }
                    for member in group.others
                ],
                "kept_because": group.reason,
            }
            for group in found.groups
        ],
        "metric": HAMMING if found.bits else COSINE,
        "layer": found.provenance.layer if found.provenance else "",
        "checkpoint": found.provenance.checkpoint if found.provenance else "",
    }


def _facts(picture: Picture) -> dict[str, Any]:
    return {
        "path": os.fspath(picture.full_path),
        "bytes": picture.size,
        "width": picture.width,
        "height": picture.height,
    }


def _find_options(arguments: argparse.Namespace, chosen: Settings) -> FindOptions:
    folders = [real_folder(folder) for folder in arguments.folders]
    chosen = workflow.with_folders(chosen, arguments.protect, arguments.prefer, arguments.only_across)
    return FindOptions(
        _wanted(arguments, chosen),
        arguments.threshold,
        arguments.within,
        workflow.rule_of(chosen, folders),
        mark=chosen.mark,
        look_alikes=arguments.look_alikes,
        candidates=arguments.candidates,
        neighbours=chosen.neighbours,
        max_megapixels=chosen.max_megapixels,
        lowest_cosine=comparison.lowest_cosine(arguments.min_cosine, arguments.max_euclidean),
        across=chosen.across,
    )


def _wanted(arguments: argparse.Namespace, chosen: Settings) -> Wanted:
    """The set to compare, as far as the command line says which."""
    if not arguments.encoder:
        if arguments.parameters or arguments.weights:
            raise DedupError("--params and --weights belong to an encoder.", "Add --encoder NAME.")
        _refuse_both(arguments)
        return Wanted(layer=arguments.kind or "")
    _refuse_both(arguments)
    exact = workflow.wanted_set(replace(chosen, kind=arguments.kind or ""))
    if arguments.weights and not exact.checkpoint:
        raise DedupError(f"There are no weights of {arguments.encoder} at {arguments.weights}.", "Check the path.")
    checkpoint = exact.checkpoint if arguments.parameters or arguments.weights else ""
    return Wanted(arguments.encoder, arguments.kind or "", checkpoint)


def _refuse_both(arguments: argparse.Namespace) -> None:
    if arguments.kind == BOTH:
        raise DedupError("This is done with one embedding at a time.", "Choose --kind final or --kind hidden.")


def _program() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    from dedup.encoders.device import choose_device
    from dedup.images import pillow_variant

    def version_of(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    return {
        "device": choose_device(),
        "torch": version_of("torch"),
        "transformers": version_of("transformers"),
        "pillow": pillow_variant(),
        "settings": os.fspath(settings.home() / "settings.json"),
    }


def completion(arguments: argparse.Namespace, chosen: Settings) -> int:
    """Print what lets a shell complete."""
    say_exactly(shell_code(arguments.shell))
    return DONE
