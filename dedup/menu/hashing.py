"""Which encoder, which pictures: the questions before hashing, and the hashing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dedup import jobs, settings, workflow
from dedup.console import Back, choose, confirm, explain
from dedup.encoders import BOTH, HAMMING, REGISTRY, EncoderSpec, spec
from dedup.errors import DedupError, WeightsUnavailable
from dedup.menu.finding import KINDS
from dedup.settings import DEFAULT_ENCODER, Settings
from dedup.wording import files, printable, sets_in_words
from dedup.workflow import is_indexed, waiting_to_be_indexed

# The models of the seed's menu in its order, the default, and the specialist for copies.
FEATURED = ("clip-vit-l14", "clip-vit-b32", "dinov3-vitl16", DEFAULT_ENCODER, "sscd")
FIRST_CHOICE = "clip-vit-l14"


def what_is_hashed(folder: Path) -> str:
    """Which embedding sets the folder's database holds, and how complete each is; one line per completeness."""
    try:
        held = workflow.held_sets(folder)
    except DedupError as problem:
        return f"Hashes: {printable(problem.message)}"
    if not held:
        return "Hashes: none yet"
    by_count: dict[str, list[str]] = {}
    for one, words in zip(held, sets_in_words([one.provenance for one in held]), strict=True):
        by_count.setdefault(f"{one.pictures:,} of {one.of:,} pictures", []).append(words)
    return "\n".join(f"Hashes of {count}: {'; '.join(sets)}" for count, sets in by_count.items())


def ask_hashing(folder: Path) -> tuple[bool, Settings]:
    """(encode everything again?, settings with the encoder and its embedding chosen)."""
    again = choose(
        "Which pictures?", [("Only new and changed pictures", False), ("All pictures again", True)], default=False
    )
    chosen = settings.load(ask_model(preferred_model(folder)))
    row = spec(chosen.encoder)
    if len(row.kinds) > 1:
        kinds = [(KINDS[kind], kind) for kind in row.kinds]
        default = chosen.kind or row.kinds[0]
        chosen = replace(chosen, kind=choose("Which embedding?", [*kinds, ("Both, side by side", BOTH)], default))
    return again, chosen


def preferred_model(folder: Path) -> str:
    """The encoder of the folder's hashes (the one used last, else of the largest set); where there are none the
    one chosen before, else CLIP where its weights are here, else the default.
    """
    saved = settings.load().encoder
    with suppress(DedupError):
        if held := [one.provenance.encoder for one in workflow.held_sets(folder)]:
            return saved if saved in held else held[0]
    return FIRST_CHOICE if saved == DEFAULT_ENCODER and spec(FIRST_CHOICE).available() else saved


def ask_model(preferred: str) -> str:
    """The name of an encoder: a short list first, from which two longer ones open."""
    fingerprints = [row for row in REGISTRY if row.where_weights_come_from == "-"]
    rest = [row for row in REGISTRY if row not in fingerprints and row.name not in FEATURED]
    first = [*FEATURED, *([] if preferred in FEATURED else [preferred])]
    choices: list[tuple[str, Sequence[EncoderSpec] | str]] = [(_model_line(spec(name)), name) for name in first]
    choices.append((f"Another model ({len(rest)} more)", rest))
    choices.append((f"Fingerprints and colours ({len(fingerprints)}; fast, nothing to download)", fingerprints))
    while True:
        chosen = choose("Which model?", choices, default=preferred)
        if isinstance(chosen, str):
            return chosen
        with suppress(Back):  # from the longer list to the short one
            return choose("Which one? (Ctrl-C: back)", [(_model_line(row), row.name) for row in chosen])


def _model_line(row: EncoderSpec) -> str:
    weights = settings.load(row.name).weights
    is_here = Path(weights).expanduser().exists() if weights else row.available()
    where = "ready" if is_here else f"needs {row.needs.partition(',')[0]}"
    unit = "bits" if row.metric == HAMMING else "numbers"
    marks = "" if row.marks else " (its look-alikes are never marked)"
    return f"{row.title} ({row.dim} {unit}; {where}): {row.good_for}{marks}"


def hash_folder(folder: Path, chosen: Settings, again: bool) -> Settings | None:
    """Index a folder and remember the encoder; the settings used, or None when stopped.

    For weights that cannot be had it offers the row's neighbours, down to the default.
    """
    try:
        if jobs.index(folder, chosen, again=again) == jobs.INTERRUPTED:
            return None
    except WeightsUnavailable as problem:
        explain(problem)
        return hash_folder(folder, ask_replacement(spec(chosen.encoder)), again)
    settings.save(replace(settings.load(chosen.encoder), encoder=chosen.encoder, kind=chosen.kind))
    return chosen


def ask_replacement(row: EncoderSpec) -> Settings:
    """The settings of an encoder to use instead of one without weights; raises Back for none."""
    for name in row.instead:
        other = spec(name)
        if confirm(f"Use {other.title} instead? It needs {other.needs}.", default=True):
            return settings.load(name)
    raise Back


def offer_hashing(folder: Path) -> None:
    """Offer to index a folder that is not, or not wholly; raises Back when nothing would be there to compare."""
    current = settings.load()
    if not is_indexed(folder):
        if not confirm(f"{printable(folder)} has no hashes yet. Generate them now?", default=True):
            raise Back
        hash_folder(folder, current, False)
    elif (waiting := waiting_to_be_indexed(folder)) and confirm(
        f"{files(waiting)} in {printable(folder)} are new or changed. Update the hashes first?", default=True
    ):
        hash_folder(folder, settings.load(preferred_model(folder)), False)
