"""The numbered menu: asks everything before work starts, then runs the jobs.

Ctrl-C goes back one level, Ctrl-D leaves; neither loses work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from dedup import console, jobs, settings
from dedup.console import Back, Leave, choose, confirm, explain, note, say
from dedup.encoders import REGISTRY, spec
from dedup.errors import DedupError, WeightsUnavailable
from dedup.folders import understand_folder
from dedup.keep import STRATEGIES, rule_for
from dedup.settings import BOUNDS, DEFAULT_ENCODER, Settings
from dedup.trash import Run
from dedup.wording import files, printable, size, when
from dedup.workflow import FindOptions, is_indexed, runs, waiting_to_be_indexed

BANDS = """\
How similar must two pictures be to count as duplicates? From 0 to 1:
  1.00          identical pictures only
  0.97 - 0.99   strict: re-saved copies; misses some
  0.95 - 0.97   recommended: resized and re-saved copies (default {default:g})
  0.90 - 0.95   loose: finds more, and more that only look alike: review every set"""


def run_menu() -> int:
    """Ask for a folder and serve its menu until the user leaves; the exit code."""
    say("Duplicate picture finder. Nothing is removed before you have seen it and said yes.")
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
        ]
        serve(f"\n{printable(self.folder)}", actions)

    def hash(self) -> None:
        """Ask what and how to encode, then do it."""
        again, chosen, kinds = ask_hashing()
        hash_folder(self.folder, chosen, kinds, again)

    def find(self) -> None:
        """Ask the threshold, find, review, confirm, remove."""
        offer_hashing(self.folder)
        threshold = ask_threshold(settings.load())
        find_and_remove([self.folder], FindOptions(threshold=threshold))

    def everything(self) -> None:
        """Hash, then find and remove; every question comes first."""
        again, chosen, kinds = ask_hashing()
        threshold = ask_threshold(chosen)
        if used := hash_folder(self.folder, chosen, kinds, again):
            find_and_remove([self.folder], FindOptions(used, kinds[0] if used == chosen.encoder else "", threshold))

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
        ]
        serve("\nBetween two folders (Ctrl-C: back to one folder)", actions)

    def find(self) -> None:
        """Ask threshold and strategy, then find between the folders, review, confirm, remove."""
        threshold = ask_threshold(settings.load())
        strategy = choose("Which copies stay?", [(text.capitalize(), name) for name, text in STRATEGIES.items()])
        both = [self.first, self.second]
        find_and_remove(both, FindOptions(threshold=threshold, rule=rule_for(strategy, both)))


def serve(title: str, actions: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Show numbered actions and run the chosen one, again and again.

    An action that is given up or fails comes back here; Ctrl-C at the menu itself raises Back.
    """
    while True:
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


def ask_hashing() -> tuple[bool, Settings, tuple[str, ...]]:
    """(encode everything again?, settings with the encoder chosen, which of its embeddings)."""
    again = choose(
        "Which pictures?", [("Only new and changed pictures", False), ("All pictures again", True)], default=False
    )
    current = settings.load()
    name = choose("Which model?", [(_model_line(row.name), row.name) for row in REGISTRY], default=current.encoder)
    kinds = spec(name).kinds
    if len(kinds) > 1:
        options = [("Final embedding", ("final",)), ("Last hidden layer", ("hidden",)), ("Both", ("final", "hidden"))]
        kinds = choose("Which embedding?", options)
    weights = current.weights if name == current.encoder else ""
    return again, replace(current, encoder=name, weights=weights), kinds


def _model_line(name: str) -> str:
    row = spec(name)
    where = "ready" if row.available() else f"needs {row.needs}"
    return f"{row.title} ({row.dim} numbers; {where})"


def hash_folder(folder: Path, chosen: Settings, kinds: Sequence[str], again: bool) -> str:
    """Index a folder and remember the encoder; its name, or "" when stopped. Offers the default for missing weights."""
    try:
        for kind in kinds:
            if jobs.index(folder, replace(chosen, kind=kind), again=again) == jobs.INTERRUPTED:
                return ""
    except WeightsUnavailable as problem:
        explain(problem)
        if chosen.encoder == DEFAULT_ENCODER or not confirm(
            f"Use {spec(DEFAULT_ENCODER).title} instead?", default=True
        ):
            raise Back from None
        return hash_folder(folder, replace(chosen, encoder=DEFAULT_ENCODER, weights=""), ("final",), again)
    settings.save(replace(chosen, kind=kinds[0]))
    return chosen.encoder


def offer_hashing(folder: Path) -> None:
    """Offer to index a folder that is not, or not wholly; raises Back when nothing would be there to compare."""
    current = settings.load()
    if not is_indexed(folder):
        if not confirm(f"{printable(folder)} has no hashes yet. Generate them now?", default=True):
            raise Back
        hash_folder(folder, current, (current.kind,), False)
    elif (waiting := waiting_to_be_indexed(folder)) and confirm(
        f"{files(waiting)} in {printable(folder)} are new or changed. Update the hashes first?", default=True
    ):
        hash_folder(folder, current, (current.kind,), False)


def ask_threshold(current: Settings) -> float:
    """A threshold from 0 to 1; Enter takes the default that is shown."""
    default = current.threshold or spec(current.encoder).threshold
    say(BANDS.format(default=default))
    return console.ask_until("Threshold", f"{default:g}", understand_threshold)


def understand_threshold(text: str) -> float:
    """A number from 0 to 1, with a point or a comma; raises DedupError."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        raise DedupError(f"{text} is not a number.", "Type a number from 0 to 1, such as 0.96.") from None
    if not 0.0 <= value <= 1.0:
        raise DedupError(f"{text} does not lie between 0 and 1.", "Type a number from 0 to 1, such as 0.96.")
    return value


def find_and_remove(folders: Sequence[Path], options: FindOptions) -> None:
    """Find, review, confirm, remove."""
    found = jobs.find(folders, options)
    if found is not None:
        jobs.review_and_remove(found)


def clean_names(folders: Sequence[Path]) -> None:
    """Copies by name, confirmed by content; review, confirmation and trash as always."""
    found = jobs.names(folders, settings.load())
    if found is not None:
        jobs.review_and_remove(found)


def undo_or_purge(folders: Sequence[Path]) -> None:
    """List what lies in the trash; bring a run back, or delete it all for good."""
    known: dict[str, Run] = {}
    for run in (run for folder in folders for run in runs(folder)):
        # One run may have taken files from both folders.
        before = known.get(run.id)
        known[run.id] = replace(run, files=run.files + before.files, bytes=run.bytes + before.bytes) if before else run
    if not known:
        say("The trash is empty: nothing to undo.")
        return
    choices: list[tuple[str, str]] = [
        (f"Bring back {files(run.files)} ({size(run.bytes)}) removed {when(run.started_at)}", run.id)
        for run in sorted(known.values(), key=lambda run: run.id, reverse=True)[:30]
    ]
    chosen = choose("The trash", [*choices, ("Empty the trash (delete for good)", "")])
    holding = [folder for folder in folders if not chosen or any(run.id == chosen for run in runs(folder))]
    if chosen:
        jobs.undo(holding, chosen)
    else:
        jobs.purge(holding)


def change_settings() -> None:
    """Show every setting with its value and help, and change one after the other; Ctrl-C leaves."""
    shown = [field.name for field in fields(Settings) if field.name not in ("last_folder", "kind")]
    name = shown[0]
    while True:
        current = settings.load()
        choices = [(f"{_label(one)}: {_value(current, one)}   ({BOUNDS[one].help})", one) for one in shown]
        name = choose("Settings (Ctrl-C: back)", choices, default=name)
        with suppress(Back):  # from a value back to the list
            change = partial(_changed, name)
            settings.save(console.ask_until(_label(name), str(getattr(current, name)), change))


def _label(name: str) -> str:
    return name.replace("_", " ")


def _value(current: Settings, name: str) -> str:
    value = getattr(current, name)
    return "automatic" if value in (0, -1, "") else printable(str(value))


def _changed(name: str, text: str) -> Settings:
    """The saved settings with one changed; raises DedupError saying what is wrong with the text."""
    current = settings.load()
    kind = type(getattr(current, name))
    if name == "encoder":
        spec(text.strip())
    try:
        return settings.checked(replace(current, **{name: kind(text.strip())}))
    except ValueError:
        raise DedupError(f"{text} is not a number.", "Type a number.") from None
