"""Bring a folder's database up to date with its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dedup import batching, hasher, scan, trash
from dedup.encoders import Encoder, EncoderSpec, LoadOptions, spec, understand_parameters
from dedup.errors import DedupError
from dedup.progress import Notice, Report, Skipped
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import (
    Catalogue,
    folder_lock,
)


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What one index run did to a folder's database."""

    encoder: str
    pictures: int
    encoded: int
    moved: int
    unreadable: dict[str, str]
    newly_unreadable: int
    gone: int
    links: int
    refused: list[Skipped]
    seconds: float


def load_encoder(row: EncoderSpec, options: LoadOptions, report: Report) -> Encoder:
    """The encoder with its weights; says that loading takes a moment, where there are any."""
    if row.where_weights_come_from != "-":
        report(Notice(f"Loading PyTorch and {row.title} ..."))
    return row.load(options)


def index(
    folder: str | Path,
    settings: Settings,
    report: Report,
    *,
    again: bool = False,
    encoder: Encoder | None = None,
) -> IndexResult:
    """Encode the new and changed pictures of a folder (all of them with ``again``) into its database.

    Weights are loaded only when there is something to encode. Stopping at any moment loses
    at most the batch in flight; the next run goes on from there. ``encoder`` is one that is
    loaded already, instead of the one the settings name.
    """
    root = real_folder(folder)
    row, options = spec(settings.encoder), load_options(settings)
    wanted = _identity_of(encoder) if encoder else _identity_in_registry(row, options)
    if options.weights and not wanted[3]:
        # Weights that were named and cannot be read are said even where nothing is left to encode.
        encoder = load_encoder(row, options, report)
        wanted = _identity_of(encoder)
    with Catalogue(root, create=True) as store, folder_lock(root, "indexing"):
        trash.settle(store)
        listing = scan.list_pictures(root)
        before = scan.compare(listing, store.known())
        changes = hasher.recognise_moved(store, before)
        todo = listing.files if again else _without_vector(store, changes, wanted)
        summary = hasher.HashSummary(0, {}, 0.0)
        if todo:
            ready = encoder or load_encoder(row, options, report)
            size = settings.batch_size or batching.batch_size_for(ready, row.batch_size)
            how = hasher.HashOptions(size, settings.num_workers, settings.max_megapixels, settings.gpu_jpegs)
            summary = hasher.hash_pictures(store, todo, ready, how, report)
        return IndexResult(
            wanted[0],
            store.count("ok"),
            summary.encoded,
            len(before.new) - len(changes.new),
            {**store.unreadable(), **summary.unreadable},
            len(summary.unreadable),
            len(changes.gone),
            listing.links,
            listing.refused,
            summary.seconds,
        )


# (encoder, layers, preprocessing version, checkpoint); "" stands for a checkpoint only loading can tell.
_Identity = tuple[str, tuple[str, ...], int, str]


def load_options(settings: Settings) -> LoadOptions:
    """What the settings say about loading their encoder; raises DedupError where it has no such thing."""
    row = spec(settings.encoder)
    layers = row.layers(settings.kind)
    if settings.weights and row.where_weights_come_from == "-":
        raise DedupError(f"{row.name} has no weights: it is computed from the picture.", "Leave out --weights.")
    return LoadOptions(
        settings.kind if len(layers) > 1 else layers[0],
        _weights(settings.weights),
        parameters=understand_parameters(settings.parameters, row.parameters, row.name),
    )


def _weights(place: str) -> Path | None:
    """The file or folder named, which need not exist; raises DedupError for a pipe, a device and the like."""
    if not place:
        return None
    path = Path(place).expanduser()
    if "\0" in place or (path.exists() and not path.is_file() and not path.is_dir()):
        raise DedupError(f"{place} is neither a file nor a folder.", "Give the folder or file that holds the weights.")
    return path


def _identity_of(encoder: Encoder) -> _Identity:
    made_by = encoder.provenances
    layers = tuple(one.layer for one in made_by)
    return made_by[0].encoder, layers, made_by[0].preprocessing, made_by[0].checkpoint


def _identity_in_registry(row: EncoderSpec, options: LoadOptions) -> _Identity:
    return row.name, row.layers(options.kind), row.preprocessing, row.checkpoint(options)


def _without_vector(store: Catalogue, changes: scan.Changes, wanted: _Identity) -> list[scan.FileFacts]:
    """New and changed files, and unchanged readable ones that lack a vector of this encoder."""
    encoder, layers, preprocessing, checkpoint = wanted
    sets: dict[str, list[int]] = {layer: [] for layer in layers}
    for row in store.sets():
        made_by = row.provenance
        same_encoder = (made_by.encoder, made_by.preprocessing) == (encoder, preprocessing)
        fits = checkpoint == made_by.checkpoint or (checkpoint == "" and not sets.get(made_by.layer))
        if same_encoder and made_by.layer in sets and fits:
            sets[made_by.layer].append(row.id)
    lacking = store.lacking(sets.values())
    missing = [found for found in changes.unchanged if found.path in lacking] if lacking else []
    return sorted([*changes.new, *changes.changed, *missing])
