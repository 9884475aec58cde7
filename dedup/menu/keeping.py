"""Which picture stays, and what folders mean for it: the pages behind four of the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dedup import console, settings
from dedup.console import Back, choose, say
from dedup.errors import DedupError
from dedup.folders import understand_folder
from dedup.keep import CRITERIA, criteria_explained, understand_chain
from dedup.wording import printable

OWN = "own"
KEEPS = {
    "largest": "Largest file",
    "best": "Best quality: pixels, not enlarged, format, detail, camera's metadata, bytes, oldest",
    OWN: "Your own order",
}
POLICIES = {
    "protected": "Protected folders: they never lose a file, not even by a plan made before",
    "preferred": "Preferred folders: their pictures stay before others, the first before the second",
    "across": "Folders compared only across: no two pictures within one of them",
}


def change_keep() -> None:
    """Ask which picture of a set stays, and save it; an order of one's own is typed as names or numbers."""
    current = settings.load()
    chosen = choose(
        "Which picture of a set stays?",
        [(text, name) for name, text in KEEPS.items()],
        default=current.keep if current.keep in KEEPS else OWN,
    )
    if chosen == OWN:
        say("A picture stays by the first of these that tells it from the others. Edits never stay before originals.")
        for line in criteria_explained():
            say(line)
        default = current.keep if current.keep not in KEEPS else "most-pixels, largest-file"
        chosen = console.ask_until("Names or numbers in your order, with commas", default, understand_order)
    settings.save(replace(settings.load(), keep=chosen))


def understand_order(text: str) -> str:
    """Criteria named or numbered, as the settings hold them; raises DedupError."""
    names = [_named(word.strip()) for word in text.split(",")]
    return ", ".join(understand_chain(",".join(names)))


def _named(word: str) -> str:
    if word.isdecimal() and len(word) < 4 and 1 <= int(word) <= len(CRITERIA):
        return CRITERIA[int(word) - 1].name
    return word


def change_folders(policy: str) -> None:
    """List the folders of a policy, to add one or take one off the list; Ctrl-C leaves."""
    while True:
        current = settings.load()
        folders: tuple[str, ...] = getattr(current, policy)
        rows = [(f"Take off the list: {printable(folder)}", folder) for folder in folders]
        try:
            chosen = choose(f"{POLICIES[policy]} (Ctrl-C: back)", [("Add a folder", ""), *rows])
            changed = tuple(one for one in folders if one != chosen) if chosen else _with_one_more(folders)
        except Back:
            return
        settings.save(replace(current, **dict[str, Any]({policy: changed})))


def _with_one_more(folders: tuple[str, ...]) -> tuple[str, ...]:
    def new_folder(text: str) -> str:
        folder = str(understand_folder(text))
        if folder in folders:
            raise DedupError(f"{folder} is on the list already.", "Name another folder.")
        return folder

    return (*folders, console.ask_until("Folder (Ctrl-C: back)", "", new_folder))
