"""What other tools make of a folder, each on its documented settings: the pairs they call duplicates.

The hash libraries stop at pairs. What a person does with them, and what the tools built on them do, is to
put together everything that is connected and to keep the largest file: ``connected_sets``.

The libraries are loaded when a rule runs, so that this module can be imported without them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scoring import PictureSet, Placed

from dedup.match import find_matches
from dedup.store import Catalogue
from dedup.vectors import Vectors

Pairs = list[tuple[str, str]]

# The default of find_duplicates(max_distance_threshold=...), in bits of 64.
IMAGEDEDUP_BITS = 10
# ImageHash documents no threshold, only "hash1 - hash2 < threshold"; 8 of 64 bits is widely used.
IMAGEHASH_BITS = 8
# PDQ_CONFIDENT_MATCH_THRESHOLD and QUALITY_THRESHOLD of python-threatexchange, by PDQ's authors; bits of 256.
PDQ_BITS = 31
PDQ_QUALITY = 50
# The threshold of the tool this one replaces.
SEED_SIMILARITY = 0.96

UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class Tool:
    """Another tool: its name, its settings in words, the module it comes in, and its pairs among files of a folder.

    ``pairs`` takes the folder and the paths in it, ``/`` between their parts.
    """

    name: str
    settings: str
    module: str
    pairs: Callable[[Path, Sequence[str]], Pairs]


def imagededup_pairs(method: str) -> Callable[[Path, Sequence[str]], Pairs]:
    """The rule of one of imagededup's hashes."""

    def pairs(root: Path, paths: Sequence[str]) -> Pairs:
        import imagededup.methods

        hasher = getattr(imagededup.methods, method)(verbose=False)
        # Through the hashes, which leave out what cannot be read: find_duplicates on a folder breaks off there.
        hashes = hasher.encode_images(str(root), recursive=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # about a parameter that was not given
            found = hasher.find_duplicates(encoding_map=hashes, max_distance_threshold=IMAGEDEDUP_BITS)
        return [(Path(one).as_posix(), Path(other).as_posix()) for one, others in found.items() for other in others]

    return pairs


def imagehash_pairs(root: Path, paths: Sequence[str]) -> Pairs:
    """Pairs of perceptual hashes by ImageHash at most ``IMAGEHASH_BITS`` apart."""
    import imagehash

    hashes = {}
    for path in paths:
        try:
            with Image.open(root / path) as image:
                hashes[path] = imagehash.phash(image).hash.ravel()
        except UNREADABLE:
            continue
    return near_pairs(hashes, IMAGEHASH_BITS)


def pdq_pairs(root: Path, paths: Sequence[str]) -> Pairs:
    """Pairs of PDQ hashes of sufficient quality at most ``PDQ_BITS`` apart."""
    import pdqhash

    hashes = {}
    for path in paths:
        try:
            with Image.open(root / path) as image:
                bits, quality = pdqhash.compute(np.asarray(image.convert("RGB")))
        except UNREADABLE:
            continue
        if quality >= PDQ_QUALITY:
            hashes[path] = bits
    return near_pairs(hashes, PDQ_BITS)


def seed_pairs(root: Path, paths: Sequence[str]) -> Pairs:
    """Pairs of the vectors of an indexed folder whose cosine is at least ``SEED_SIMILARITY``."""
    with Catalogue(root) as store:
        pictures, vectors = store.load(store.sets()[0].provenance)
    found = find_matches(vectors, SEED_SIMILARITY)
    return [(pictures[i].path, pictures[j].path) for i, j in zip(found.left, found.right, strict=True)]


def near_pairs(hashes: Mapping[str, np.ndarray[Any, Any]], most_bits: int) -> Pairs:
    """Every two of the hashes, each of n bits, that differ in at most this many."""
    names = list(hashes)
    if len(names) < 2:
        return []
    bits = np.array([hashes[name] for name in names], dtype=bool)
    vectors = Vectors(np.packbits(bits, axis=1)[:, None, :], bits.shape[1])
    found = find_matches(vectors, 1 - 2 * most_bits / bits.shape[1])
    return [(names[i], names[j]) for i, j in zip(found.left, found.right, strict=True)]


def connected_sets(pairs: Iterable[tuple[str, str]], sizes: Mapping[str, int]) -> list[PictureSet]:
    """Everything that is connected as one set; the largest file (in bytes) stays, all others are marked."""
    above: dict[str, str] = {}

    def top(path: str) -> str:
        while above.setdefault(path, path) != path:
            above[path] = above[above[path]]
            path = above[path]
        return path

    for one, other in pairs:
        above[top(one)] = top(other)
    parts: dict[str, list[str]] = {}
    for path in above:
        parts.setdefault(top(path), []).append(path)
    sets = []
    for part in parts.values():
        keeper, *others = sorted(part, key=lambda path: (-sizes[path], path))
        sets.append(PictureSet(keeper, tuple(Placed(path, "", marked=True) for path in others)))
    return sorted(sets, key=lambda one: one.keeper)


HASH_TOOLS = (
    Tool("imagededup PHash", f"at most {IMAGEDEDUP_BITS} bits", "imagededup.methods", imagededup_pairs("PHash")),
    Tool("imagededup DHash", f"at most {IMAGEDEDUP_BITS} bits", "imagededup.methods", imagededup_pairs("DHash")),
    Tool("imagehash phash", f"at most {IMAGEHASH_BITS} bits", "imagehash", imagehash_pairs),
    Tool("pdqhash", f"at most {PDQ_BITS} bits, quality {PDQ_QUALITY} or more", "pdqhash", pdq_pairs),
)
SEED = Tool("the seed's rule", f"cosine {SEED_SIMILARITY} or more", "dedup", seed_pairs)
