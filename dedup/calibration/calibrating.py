"""Measure what each threshold finds and confuses among a folder's own pictures, and propose one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedup import batching, scan
from dedup.batching import BatchEncoder
from dedup.calibration import measuring
from dedup.calibration.copies import similarities_of_copies
from dedup.calibration.edits import EDITS
from dedup.calibration.looking import Different
from dedup.calibration.measuring import FloatVector, Rows
from dedup.calibration.sampling import FEWEST, Encode, Own, as_stored, indexed_pictures, refuse_too_few, take_sample
from dedup.decoding import default_workers
from dedup.encoders import Encoder, spec
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.provenance import Provenance
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.workflow import load_encoder, load_options

Differ = Callable[[Path, Path], bool]
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """How many pictures to make copies of, by which chance, and how many false matches per 10,000 are acceptable."""

    sample: int = 100
    seed: int = 1
    most_false: float = 1.0


@dataclass(frozen=True, slots=True)
class Level:
    """One threshold: the share of copies found by kind of edit, and the false matches expected in 10,000 pictures.

    ``threshold`` is in the metric's own unit. ``estimated``: too few pairs were counted, the tail tells.
    """

    threshold: float
    similarity: float
    recall: dict[str, float]
    false: float
    estimated: bool

    def recall_of(self, group: str) -> float:
        """The share of copies found over the kinds of a group, which all have as many."""
        return float(np.mean([self.recall[edit.name] for edit in EDITS if edit.group == group]))

    @property
    def recall_of_all(self) -> float:
        """The share of all copies found."""
        return float(np.mean(list(self.recall.values())))


@dataclass(frozen=True, slots=True)
class FalsePair:
    """Two files that are alike to the encoder and that verification does not take for one picture."""

    first: Path
    second: Path
    similarity: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The levels from strict to loose, and the one proposed: None where none is strict enough.

    ``usual`` is the encoder's own threshold. ``pictures`` (``indexed`` or the sample) made the ``pairs``
    that false matches were looked for among; ``most_alike`` are the most similar of those.
    """

    folder: Path
    provenance: Provenance
    usual: float
    options: CalibrateOptions
    sample: int
    pictures: int
    pairs: int
    indexed: bool
    levels: list[Level]
    proposed: Level | None
    most_alike: list[FalsePair]


def calibrate(
    folder: str | Path,
    settings: Settings,
    options: CalibrateOptions,
    report: Report,
    *,
    encoder: Encoder | None = None,
    differ: Differ | None = None,
) -> Calibration:
    """What each threshold of the settings' encoder finds of edited copies, and confuses, in a folder.

    False matches are looked for among the folder's indexed pictures, or among the sample where those are fewer. Files
    of the same bytes count once. The most similar pairs are looked at as verification does: those it takes for
    one picture (copies the user has) are no false matches, and what it does not confirm is one. It is assumed that the
    folder is like the collection of 10,000: that two pictures of the one are as often alike as two of the other.

    ``encoder`` is one that is loaded already; ``differ`` tells in place of verification whether two files show
    different pictures. Raises DedupError when there are too few pictures.
    """
    _refuse(options)
    root = real_folder(folder)
    files = scan.list_pictures(root).files
    refuse_too_few(root, len(files))
    row = spec(settings.encoder)
    ready = encoder or load_encoder(row, load_options(settings), report)
    if len(ready.provenances) > 1:
        raise DedupError("Calibrating is done with one embedding at a time.", "Choose --kind final or --kind hidden.")
    made_by = ready.provenances[0]
    encode = _in_batches(ready, settings.batch_size or batching.batch_size_for(ready, row.batch_size), report)
    paths, pixels = take_sample(root, files, ready.prepare, options.sample, options.seed, settings, report)
    sample = Own(paths, as_stored(encode(pixels), made_by))
    similarities = similarities_of_copies(
        root, sample, ready.prepare, encode, made_by, options.seed, settings.max_megapixels, report
    )
    stored = indexed_pictures(root, made_by, options.seed, report)
    own = stored if stored and len(stored.paths) >= len(sample.paths) else sample
    usual = row.threshold_for(made_by.dim)
    ladder = measuring.ladder_for(made_by, usual)
    pairs = measuring.count_pairs(own.vectors, ladder, options.seed, report)
    false, met = _false_pairs(own, pairs, ladder, differ or Different(settings.max_megapixels), report)
    expected, estimated = measuring.expected_false(false, pairs.total, ladder)
    levels = _levels(ladder, measuring.recall(similarities, ladder), expected, estimated)
    proposed = measuring.proposed_level(expected, ladder.shown, options.most_false)
    return Calibration(
        root,
        made_by,
        usual,
        options,
        len(sample.paths),
        len(own.paths),
        pairs.total,
        own is stored,
        levels,
        None if proposed is None else levels[proposed],
        met,
    )


def _false_pairs(
    own: Own, pairs: measuring.Pairs, ladder: measuring.Ladder, differ: Differ, report: Report
) -> tuple[FloatVector, list[FalsePair]]:
    """How many pairs of different pictures lie at or above each threshold, and the most alike of those met."""

    def different(some: Sequence[measuring.Pair]) -> list[bool]:
        return list(pool.map(lambda pair: differ(own.paths[pair[0]], own.paths[pair[1]]), some))

    with ThreadPoolExecutor(default_workers()) as pool:
        false, met = measuring.count_false(pairs, different, ladder.shown, report)
    similarities = own.vectors.similarity([left for left, _ in met], [right for _, right in met])
    nearest = sorted(zip(similarities.tolist(), met, strict=True), reverse=True)[:MOST_NAMED]
    return false, [FalsePair(own.paths[left], own.paths[right], similarity) for similarity, (left, right) in nearest]


def _levels(ladder: measuring.Ladder, recall: FloatVector, false: FloatVector, estimated: Rows) -> list[Level]:
    return [
        Level(
            float(ladder.thresholds[level]),
            float(ladder.similarities[level]),
            {edit.name: float(share) for edit, share in zip(EDITS, recall[:, level], strict=True)},
            float(false[level]),
            bool(estimated[level]),
        )
        for level in range(ladder.shown)
    ]


def _refuse(options: CalibrateOptions) -> None:
    if options.sample < FEWEST:
        raise DedupError(f"A sample of {options.sample} says too little.", f"Take at least {FEWEST} pictures.")
    if not options.most_false > 0:
        raise DedupError(f"Fewer than {options.most_false:g} false matches cannot be had.", "Give a number above 0.")


def _in_batches(encoder: Encoder, size: int, report: Report) -> Encode:
    encode = BatchEncoder(encoder, report)
    return lambda pixels: np.concatenate([encode(pixels[at : at + size]) for at in range(0, len(pixels), size)])
