"""Which embedding sets a folder's database holds, how complete each is, and which can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dedup import comparison
from dedup.comparison import Wanted
from dedup.encoders import HAMMING, spec
from dedup.provenance import Provenance
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import Catalogue, has_database
from dedup.workflow.indexing import load_options


@dataclass(frozen=True, slots=True)
class HeldSet:
    """An embedding set, how many pictures have a vector in it, and how many readable pictures there are."""

    provenance: Provenance
    pictures: int
    of: int


def held_sets(folder: str | Path) -> list[HeldSet]:
    """The sets in a folder's database that are not empty, the largest first; none where there is no database."""
    root = real_folder(folder)
    if not has_database(root):
        return []
    with Catalogue(root) as store:
        total = store.count("ok")
        return [HeldSet(row.provenance, row.pictures, total) for row in store.sets() if row.pictures]


def comparable_sets(folders: Sequence[str | Path], wanted: Wanted | None = None) -> list[Provenance]:
    """The sets that all the folders have in common, the largest of the first folder first; raises DedupError."""
    with ExitStack() as stack:
        stores = [stack.enter_context(Catalogue(real_folder(folder))) for folder in folders]
        return comparison.common_sets(stores, wanted or Wanted())


def ranked_sets(folders: Sequence[str | Path], wanted: Wanted, settings: Settings) -> list[Provenance]:
    """The comparable sets, the one to compare first; raises DedupError.

    Of an encoder that was asked for, the set with the settings' embedding, parameters and weights comes
    before others. Otherwise the largest set does, and among equals that of the settings' encoder.
    """
    sets = comparable_sets(folders, wanted)
    size: Counter[Provenance] = Counter()
    for folder in folders:
        size.update({one.provenance: one.pictures for one in held_sets(folder)})
    usual = wanted_set(settings)

    def rank(one: Provenance) -> tuple[int, ...]:
        is_usual = not usual.admits(one)
        return (is_usual, -size[one]) if wanted.encoder else (-size[one], one.encoder != settings.encoder, is_usual)

    return sorted(sets, key=rank)


def wanted_set(settings: Settings, layer: str = "") -> Wanted:
    """The set that indexing with these settings fills; ``layer`` says which where it fills several."""
    row, options = spec(settings.encoder), load_options(settings)
    return Wanted(row.name, layer or row.layers(options.kind)[0], row.checkpoint(options))


def length_of(settings: Settings) -> int:
    """How many numbers or bits the settings' encoder gives for a view of a picture."""
    row = spec(settings.encoder)
    if row.metric != HAMMING or not settings.parameters:
        return row.dim_of(row.layers(settings.kind)[0])
    return row.load(load_options(settings)).provenances[0].dim
