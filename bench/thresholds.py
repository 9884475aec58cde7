"""How many copies an encoder finds at each threshold, and how many pictures it calls copies that are none.

    python bench/thresholds.py PICTURES [--encoder NAME ...] [--photos N]

PICTURES holds manifest.csv with the columns path, label and group (labels: ``distinct``, ``same``
within a group, and ``burst``, ``variant``, ``not_dup`` for look-alikes that are no copies). The distinct
photos are also edited here in known ways. Printed per threshold: the share of copies found by kind of
edit; false pairs per million pairs of unrelated pictures; and the share of look-alikes that match another
look-alike. Last comes the threshold the rule below chooses, which is the one in the registry. Where no
threshold satisfies the rule the registry holds the strictest, and the encoder's matches are not marked.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from changes import cropped, scaled
from changes import reopened as saved

from dedup import images
from dedup.encoders import HAMMING, REGISTRY, EncoderSpec, LoadOptions, spec
from dedup.encoders.preprocess import seen
from dedup.errors import DedupError
from dedup.match import find_matches
from dedup.neighbours import FLAT_CONTRAST
from dedup.vectors import Vectors, from_blob, to_blob

# The rule: the loosest threshold with at most this many false pairs per million unrelated ones, at which no
# larger share of the look-alikes match each other than with the default encoder at the seed's threshold, 0.96.
MOST_FALSE_PER_MILLION = 10.0
MOST_LOOK_ALIKES = 0.13
LOOK_ALIKES = ("burst", "variant", "not_dup")
BATCH = 32
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Sample:
    """A picture: what it is a copy of (its family), how it was made, its label and its source in the manifest."""

    image: Callable[[], Image.Image]
    family: str
    edit: str
    label: str
    source: str


def captioned(image: Image.Image) -> Image.Image:
    """The picture with words written over it."""
    image = image.copy()
    place = image.width // 10, image.height * 4 // 5
    ImageDraw.Draw(image).text(place, "a caption", (255, 255, 255), font_size=max(8, image.height // 10))
    return image


EDITS: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "jpeg 75": ("re-saved", lambda image: saved(image, "JPEG", quality=75)),
    "jpeg 35": ("re-saved", lambda image: saved(image, "JPEG", quality=35)),
    "webp 60": ("re-saved", lambda image: saved(image, "WEBP", quality=60)),
    "half size": ("re-saved", lambda image: saved(scaled(image, 0.5, BICUBIC), "JPEG", quality=85)),
    "a third": ("re-saved", lambda image: saved(scaled(image, 0.33, BICUBIC), "JPEG", quality=85)),
    "brighter": ("edited", lambda image: ImageEnhance.Brightness(image).enhance(1.2)),
    "contrast": ("edited", lambda image: ImageEnhance.Contrast(image).enhance(1.3)),
    "grey": ("edited", lambda image: image.convert("L").convert("RGB")),
    "crop 3 %": ("edited", lambda image: cropped(image, 0.03)),
    "caption": ("edited", captioned),
    "border": ("edited", lambda image: ImageOps.expand(image, image.width // 30, (255, 255, 255))),
    "mirrored": ("turned", lambda image: saved(ImageOps.mirror(image), "JPEG", quality=85)),
    "quarter": ("turned", lambda image: saved(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=85)),
}


def samples(root: Path, photos: int) -> list[Sample]:
    """The labelled pictures, and the edits of the first ``photos`` distinct ones."""
    found = []
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("distinct", "same", *LOOK_ALIKES)]
    left = photos
    for row in rows:
        path, label = root / row["path"], row["label"]
        family = row["group"] if label == "same" else row["path"]
        found.append(Sample(_opener(path), family, "", label, row["source"]))
        if label == "distinct" and left > 0:
            left -= 1
            source = row["source"]
            found += [Sample(_editor(path, change), family, kind, "edit", source) for kind, change in EDITS.values()]
    return found


def _opener(path: Path) -> Callable[[], Image.Image]:
    return lambda: images.open_upright(path, 512).image


def _editor(path: Path, change: Callable[[Image.Image], Image.Image]) -> Callable[[], Image.Image]:
    return lambda: change(images.open_upright(path).image)


def encoded(row: EncoderSpec, chosen: Sequence[Sample]) -> tuple[list[Sample], Vectors, np.ndarray[Any, Any]]:
    """(the samples that could be read, their vectors as stored, their contrasts)."""
    import torch

    encoder = row.load(LoadOptions())
    made_by = encoder.provenances[0]

    def prepared(sample: Sample) -> tuple[Sample, Any, float] | None:
        try:
            image = sample.image()
        except DedupError:
            return None
        pixels = encoder.prepare(image)
        return sample, pixels, encoder.prepare.contrast(seen(image), pixels)

    with ThreadPoolExecutor(2) as pool:
        ready = [one for one in pool.map(prepared, chosen) if one is not None]
    vectors = Vectors.empty(made_by, len(ready))
    for start in range(0, len(ready), BATCH):
        part = ready[start : start + BATCH]
        rows = encoder.encode(torch.from_numpy(np.stack([pixels for _, pixels, _ in part])))
        for number, vector in enumerate(rows, start):
            vectors.rows[number] = from_blob(to_blob(vector, made_by), vectors.rows[number])
    return [sample for sample, _, _ in ready], vectors, np.array([contrast for _, _, contrast in ready])


def thresholds(row: EncoderSpec, dim: int) -> list[float]:
    """From strict to loose, in the metric's own unit."""
    if row.metric == HAMMING:
        most = round(0.2 * dim)
        return sorted({*range(min(9, most + 1)), *range(10, most + 1, 2), int(row.threshold)})
    return [1 - 0.005 * step for step in range(1, 11)] + [0.94 - 0.01 * step for step in range(25)]


def judged(row: EncoderSpec, chosen: list[Sample], vectors: Vectors, contrast: np.ndarray[Any, Any]) -> Iterator[str]:
    """The lines of the table."""
    family = np.unique([sample.family for sample in chosen], return_inverse=True)[1]
    look_alike = np.array([sample.label in LOOK_ALIKES for sample in chosen])
    steps = thresholds(row, vectors.dim)
    similarities = [1 - 2 * step / vectors.dim for step in steps] if row.metric == HAMMING else steps
    found = find_matches(vectors, min(similarities))
    seen = ~((contrast[found.left] < FLAT_CONTRAST) | (contrast[found.right] < FLAT_CONTRAST))
    left, right, similarity = found.left[seen], found.right[seen], found.similarity[seen]
    same = family[left] == family[right]
    both_alike = look_alike[left] & look_alike[right]
    # A photo and a look-alike of one source may be the same picture: such pairs are not judged.
    source = np.unique([sample.source for sample in chosen], return_inverse=True)[1]
    unjudged = (source[left] == source[right]) & (look_alike[left] != look_alike[right])
    kinds = sorted({kind for kind, _ in EDITS.values()})
    originals = {sample.family: number for number, sample in enumerate(chosen) if sample.label == "distinct"}
    pairs = {kind: _edit_pairs(vectors, chosen, originals, kind) for kind in kinds}
    labelled = _labelled_pairs(vectors, chosen)
    plain = int((~look_alike).sum())
    unrelated = _unrelated(family, look_alike, source)
    yield f"{row.name}: {len(chosen)} pictures, {plain} of them no look-alikes, {unrelated:,} unrelated pairs"
    yield f"{'threshold':>9} " + " ".join(f"{kind:>9}" for kind in [*kinds, "labelled"]) + "   false/M  look-alikes"
    best: float | None = None
    for step, lowest in zip(steps, similarities, strict=True):
        above = similarity >= lowest - 1e-9
        false = int((above & ~same & ~both_alike & ~unjudged).sum()) / unrelated * 1e6
        alike = np.zeros(len(chosen), dtype=bool)
        hit = above & ~same & both_alike
        alike[left[hit]] = alike[right[hit]] = True
        recalls = [float((values >= lowest - 1e-9).mean()) for values in (*pairs.values(), labelled)]
        shares = " ".join(f"{100 * value:8.1f}%" for value in recalls)
        share = alike.sum() / max(1, look_alike.sum())
        yield f"{step:9.3g} {shares} {false:9.1f} {100 * share:10.1f}%"
        if false <= MOST_FALSE_PER_MILLION and share <= MOST_LOOK_ALIKES:
            best = step
    verdict = f"chooses {best:g}" if best is not None else f"is satisfied nowhere (strictest: {steps[0]:g}, unmarked)"
    yield f"{row.name}: the rule {verdict}; the registry holds {row.threshold:g}, {'' if row.marks else 'un'}marked"


def _edit_pairs(vectors: Vectors, chosen: list[Sample], originals: dict[str, int], kind: str) -> np.ndarray[Any, Any]:
    numbers = [number for number, sample in enumerate(chosen) if sample.edit == kind]
    sources = [originals[chosen[number].family] for number in numbers]
    return vectors.similarity(numbers, sources)


def _labelled_pairs(vectors: Vectors, chosen: list[Sample]) -> np.ndarray[Any, Any]:
    """For each labelled copy its similarity to the copy nearest to it."""
    groups: dict[str, list[int]] = {}
    for number, sample in enumerate(chosen):
        if sample.label == "same":
            groups.setdefault(sample.family, []).append(number)
    nearest = []
    for members in groups.values():
        for one in members:
            others = [other for other in members if other != one]
            if others:
                nearest.append(vectors.similarity([one] * len(others), others).max())
    return np.array(nearest)


def _unrelated(family: np.ndarray[Any, Any], look_alike: np.ndarray[Any, Any], source: np.ndarray[Any, Any]) -> int:
    """How many pairs are neither of one family, nor both look-alikes, nor a photo and a look-alike of one source."""
    count, alike = len(family), int(look_alike.sum())
    within = sum(int(size) * (int(size) - 1) // 2 for size in np.bincount(family))
    unjudged = sum(
        int(look_alike[source == one].sum()) * int((~look_alike[source == one]).sum()) for one in set(source)
    )
    return count * (count - 1) // 2 - alike * (alike - 1) // 2 - within - unjudged


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--encoder", nargs="*", choices=[row.name for row in REGISTRY])
    parser.add_argument("--photos", type=int, default=100, help="how many photos to edit (default 100)")
    arguments = parser.parse_args()
    if not (arguments.pictures / "manifest.csv").is_file():
        parser.error(f"{arguments.pictures} holds no manifest.csv; see the top of this file for what it must say")
    rows = [spec(name) for name in arguments.encoder or [row.name for row in REGISTRY if row.available()]]
    chosen = samples(arguments.pictures, arguments.photos)
    for row in rows:
        for line in judged(row, *encoded(row, chosen)):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
