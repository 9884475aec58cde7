"""The menus themselves: the first question, one folder, between two folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dedup import console, jobs, settings, ways, workflow
from dedup.console import Back, Leave, choose, explain, note, say
from dedup.encoders import BOTH, spec
from dedup.errors import DedupError
from dedup.folders import understand_folder
from dedup.jobs import folders as folder_jobs
from dedup.jobs import history
from dedup.menu.decided_page import show_decided
from dedup.menu.finding import ask_finding, ask_keep, ask_layer, ask_mark, ask_threshold, say_keep
from dedup.menu.hashing import ask_hashing, hash_folder, offer_hashing, what_is_hashed
from dedup.menu.importing import ask_import, offer_import
from dedup.menu.settings_page import change_settings
from dedup.trash import COPY, Run
from dedup.wording import printable, when
from dedup.workflow import FindOptions, runs

DECIDED = 'What was decided: "not duplicates", and reviews not yet carried out'
EMPTY, HISTORY = "empty", "history"  # beside the runs, whose names are numbers


def run_menu() -> int:
    """Ask for a folder and serve its menu until the user leaves; the exit code."""
    say("Duplicate picture finder. Nothing is removed before you have said yes.")
    try:
        while True:
            try:
                folder = _ask_first_folder()
            except Back:
                raise Leave from None
            try:
                _FolderMenu(folder).serve()
            except Back:
                continue
    except Leave:
        say("Goodbye.")
        return jobs.DONE


def _ask_first_folder() -> Path:
    last = settings.load().last_folder
    default = last if last and os.path.isdir(last) else "sample pictures"
    if default != last:
        say("Enter alone draws a small sample folder, to see the whole job without risk.")
    folder = console.ask_until("Folder with your pictures", default, _folder_or_sample)
    settings.save(replace(settings.load(), last_folder=str(folder)))
    return folder


def _folder_or_sample(text: str) -> Path:
    if text == "sample pictures" and not os.path.isdir(text):
        from dedup.sample import sample_folder  # Pillow is not needed before

        return sample_folder(settings.home())
    return understand_folder(text)


@dataclass(slots=True)
class _FolderMenu:
    """The menu of one folder; jobs raise Back to return to it."""

    folder: Path

    def serve(self) -> None:
        """Show the menu and run what is chosen, until Back or Leave."""
        offer_import(self.folder)
        actions: list[tuple[str, Callable[[], object]]] = [
            ("Quick filename cleanup", lambda: clean_names([self.folder])),
            ("Generate/update image hashes", self.hash),
            ("Find & remove duplicates (with visual reviewer)", self.find),
            ("Full workflow (hash, then find & remove)", self.everything),
            ("Clean/verify database", lambda: jobs.clean(self.folder)),
            ("Add another folder path", self.add_folder),
            ("Exit", leave),
            ("Undo a removal, or empty the trash", lambda: undo_or_purge([self.folder])),
            ("Settings", change_settings),
            (DECIDED, lambda: show_decided([self.folder])),
            ("Review in folders (sort the sets with your file manager)", self.review_in_folders),
        ]
        if jobs.foreign_lines(self.folder):
            actions.append(("Import the hashes of another tool", lambda: ask_import(self.folder)))
        serve(f"\n{printable(self.folder)}", actions, lambda: say(f"\n{what_is_hashed(self.folder)}"))

    def hash(self) -> None:
        """Ask what and how to encode, then do it."""
        again, chosen = ask_hashing(self.folder)
        hash_folder(self.folder, chosen, again)

    def find(self) -> None:
        """Ask which hashes to compare and the threshold, then find, review, confirm, remove."""
        offer_hashing(self.folder)
        find_and_remove([self.folder], ask_finding([self.folder]))

    def review_in_folders(self) -> None:
        """Lay the sets out in folders and wait, or go on with those that were; then confirm and remove."""
        offer_hashing(self.folder)
        output = folder_jobs.ask_output(self.folder)
        if folder_jobs.wants_to_go_on(output):
            folder_jobs.wait_and_clean_up(output)
            return
        found = jobs.find([self.folder], ask_finding([self.folder]))
        if found is not None:
            folder_jobs.review_in_folders(found, output)

    def everything(self) -> None:
        """Hash, then find and remove; every question comes first."""
        again, chosen = ask_hashing(self.folder)
        layer = ask_layer(spec(chosen.encoder)) if chosen.kind == BOTH else ""
        threshold: float | None = ask_threshold(chosen, workflow.length_of(chosen))
        mark = ask_mark(chosen.mark)
        rule = workflow.rule_of(chosen, [self.folder])
        say_keep(rule)
        used = hash_folder(self.folder, chosen, again)
        if used is not None:
            if used.encoder != chosen.encoder:
                layer, threshold = "", None
            options = FindOptions(
                workflow.wanted_set(used, layer),
                threshold,
                mark=mark,
                rule=rule,
                neighbours=used.neighbours,
                max_megapixels=used.max_megapixels,
                across=used.across,
            )
            find_and_remove([self.folder], options)

    def add_folder(self) -> None:
        """Ask for a second folder and serve the menu between the two."""
        second = console.ask_until("Second folder (Ctrl-C: back)", "", understand_folder)
        if second == self.folder:
            raise DedupError("That is the same folder.", "Choose another one.")
        if second.is_relative_to(self.folder) or self.folder.is_relative_to(second):
            note("One folder lies inside the other: its files count as the inner one's.")
        for folder in (self.folder, second):
            offer_hashing(folder)
        _BetweenMenu(self.folder, second).serve()


@dataclass(slots=True)
class _BetweenMenu:
    """The menu between two folders: duplicates only from one to the other."""

    first: Path
    second: Path

    def serve(self) -> None:
        """Show the menu until Back (to the first folder's menu) or Leave."""
        both = [self.first, self.second]
        say(f"\nFolder 1: {printable(self.first)}\nFolder 2: {printable(self.second)}")
        actions: list[tuple[str, Callable[[], object]]] = [
            ("Quick filename cleanup", lambda: clean_names(both)),
            ("Find & remove duplicates between the two folders", self.find),
            ("Exit", leave),
            ("Undo a removal, or empty the trash", lambda: undo_or_purge(both)),
            (DECIDED, lambda: show_decided(both)),
        ]
        serve("\nBetween two folders (Ctrl-C: back to one folder)", actions)

    def find(self) -> None:
        """Ask hashes, threshold and strategy, then find between the folders, review, confirm, remove."""
        both = [self.first, self.second]
        options = ask_finding(both)
        find_and_remove(both, replace(options, rule=ask_keep(both)))


def nothing_above() -> None:
    """Show nothing above a menu."""


def serve(
    title: str, actions: Sequence[tuple[str, Callable[[], object]]], above: Callable[[], None] = nothing_above
) -> None:
    """Show what belongs ``above``, then numbered actions, and run the chosen one, again and again.

    An action that is given up or fails comes back here; Ctrl-C at the menu itself raises Back.
    """
    while True:
        above()
        action = choose(title, actions)
        try:
            action()
        except Back:
            note("Back to the menu; nothing was changed.")
        except DedupError as problem:
            explain(problem)
        except KeyboardInterrupt:
            note("\nStopped at once. What was done is kept.")


def leave() -> None:
    """The Exit choice."""
    raise Leave


def find_and_remove(folders: Sequence[Path], options: FindOptions) -> None:
    """Find, review, confirm, remove."""
    found = jobs.find(folders, options)
    if found is not None:
        folder_jobs.review_and_remove(found)


def clean_names(folders: Sequence[Path]) -> None:
    """Copies by name, confirmed by content; review, confirmation and trash as always."""
    found = jobs.names(folders, settings.load())
    if found is not None:
        folder_jobs.review_and_remove(found)


def undo_or_purge(folders: Sequence[Path]) -> None:
    """List what can be brought back; bring a run back, delete the trash for good, or show the history."""
    known: dict[str, Run] = {}
    for run in (run for folder in folders for run in runs(folder)):
        # One run may have taken files from both folders.
        before = known.get(run.id)
        known[run.id] = replace(run, files=run.files + before.files, bytes=run.bytes + before.bytes) if before else run
    past = any(workflow.history(folder) for folder in folders)
    if not known and not past:
        say("The trash is empty: nothing to undo.")
        return
    choices: list[tuple[str, str]] = [
        (f"{ways.run_in_words(run)} {_verb(run)} {when(run.started_at)}", run.id)
        for run in sorted(known.values(), key=lambda run: run.id, reverse=True)[:30]
    ]
    if any(run.in_trash for run in known.values()):
        choices.append(("Empty the trash (delete for good)", EMPTY))
    chosen = choose("The trash", [*choices, ("History: every removal, and what became of it", HISTORY)])
    if chosen == HISTORY:
        jobs.for_each(folders, history.show)
    elif chosen == EMPTY:
        jobs.purge(folders)
    else:
        jobs.undo([folder for folder in folders if any(run.id == chosen for run in runs(folder))], chosen)


def _verb(run: Run) -> str:
    return "copied" if run.how == COPY else "removed"
