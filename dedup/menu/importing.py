"""The hashes of another tool: shown, offered once, imported after a yes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dedup import jobs, settings, workflow
from dedup.console import Back, choose, confirm, explain, note, say
from dedup.encoders import spec
from dedup.errors import DedupError


def offer_import(folder: Path) -> None:
    """Show the table of another tool in the folder's database, once, and offer to import it."""
    try:
        lines = jobs.foreign_lines(folder)
        if not lines or workflow.foreign_is_answered(folder):
            return
        say("\n".join(["This folder's database was made by another tool:", *lines]))
        if confirm("Import these hashes? They are compared with a sample first; the old table stays as it is."):
            ask_import(folder)
        else:
            workflow.decline_foreign(folder)
            say("Left alone. The last choice of the menu imports them whenever you like.")
    except DedupError as problem:
        explain(problem)
    except Back:
        note("Back to the menu; nothing was changed.")


def ask_import(folder: Path) -> None:
    """Ask which vectors, and of which model they are; then import them."""
    choices = [
        (f"{spec(name).title} ({kind}), from {one.vectors.rows:,} vectors in {one.vectors.column}", (one, name, kind))
        for one in workflow.foreign(folder)
        for name, kind in one.models
    ]
    if not choices:
        raise DedupError("No model known here has vectors of that length.", "Generate the hashes anew.")
    one, name, kind = choose("Which model made them?", choices)
    jobs.import_foreign(folder, one.vectors, replace(settings.load(name), encoder=name, kind=kind))
