"""Verify one pair: try the alignments there may be, gather the evidence, conclude."""

from __future__ import annotations

from collections.abc import Iterator

from dedup.tiers import LOOK_ALIKE, SAME_PICTURE, TIERS
from dedup.verify.alignment import Alignment, by_features, whole_frames
from dedup.verify.evidence import Evidence, versions
from dedup.verify.judging import tier_of
from dedup.verify.look import Look

# Upright alignments with so many inliers are right; what they do not prove no mirrored one will.
CERTAIN = 25


def best_evidence(first: Look, second: Look) -> tuple[str, Evidence] | None:
    """The surest tier any alignment gives, with its evidence; None where nothing aligns the two at all."""
    best: tuple[str, Evidence] | None = None
    for alignment in _alignments(first, second):
        for evidence in versions(first, second, alignment):
            tier = tier_of(evidence)
            if best is None or _rank(tier, evidence) < _rank(*best):
                best = tier, evidence
            if tier == SAME_PICTURE:
                return best
        if best is not None and best[0] != LOOK_ALIKE:
            return best
    return best


def best_alignment(first: Look, second: Look) -> Alignment | None:
    """The alignment under which the two agree best; None where there is none."""
    found = best_evidence(first, second)
    return None if found is None else found[1].alignment


def _alignments(first: Look, second: Look) -> Iterator[Alignment]:
    yield from whole_frames(first, second)
    for negative in (False, True):
        for mirrored in (False, True):
            found = by_features(first, second, mirrored=mirrored, negative=negative)
            if found is not None:
                yield found
                if found.inliers >= CERTAIN:
                    return


def _rank(tier: str, evidence: Evidence) -> tuple[int, float]:
    """Smaller is better: the tier, then how far textured blocks agree, few of which say little."""
    return TIERS.index(tier), -evidence.fine.agree * min(1.0, evidence.fine.textured / 20)
