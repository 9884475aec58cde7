"""Verify one pair: try the alignments there may be, gather the evidence, keep the best."""

from __future__ import annotations

from collections.abc import Iterator

from dedup.tiers import LOOK_ALIKE, SAME_PICTURE, TIERS
from dedup.verify.alignment import Alignment, by_features, whole_frames
from dedup.verify.evidence import Evidence
from dedup.verify.judging import may_become_same_picture, tier_of
from dedup.verify.look import Look
from dedup.verify.views import View, refined, view_under

# Upright alignments with so many inliers are right; what they do not prove no mirrored one will.
CERTAIN = 25

Judged = tuple[str, Evidence]


def best_evidence(first: Look, second: Look) -> Judged | None:
    """The surest tier any alignment gives, with its evidence; None where nothing aligns the two at all."""
    best: Judged | None = None
    nearest: View | None = None
    for alignment in _alignments(first, second):
        view = view_under(first, second, alignment)
        if view is None:
            continue
        if nearest is None or _fit(view) > _fit(nearest):
            nearest = view
        best = _better(best, _judged(first, second, view))
        if best is not None and best[0] != LOOK_ALIKE:
            break
    if nearest is None or (best is not None and not _is_worth_more(best)):
        return best
    return _closer(first, second, nearest, best)


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


def _is_worth_more(best: Judged) -> bool:
    """Whether a finer alignment could make the tier surer."""
    tier, evidence = best
    return tier == LOOK_ALIKE or (tier != SAME_PICTURE and may_become_same_picture(evidence))


def _closer(first: Look, second: Look, view: View, best: Judged | None) -> Judged | None:
    """The best after a finer alignment, and after slow changes of brightness were taken away, where these may help."""
    if view.is_near:
        better = refined(first, second, view)
        if better is not None:
            view, best = better, _better(best, _judged(first, second, better))
    if best is None or best[0] != LOOK_ALIKE:
        return best
    if view.is_promising and view.fine.agree < 0.97 and view.mid.agree > 0.6 and best[1].detail > 0.8:
        even = view_under(first, second, view.alignment, level=True)
        if even is not None and even.fine.agree > view.fine.agree:
            best = _better(best, _judged(first, second, even))
    return best


def _judged(first: Look, second: Look, view: View) -> Judged | None:
    if not view.is_promising:
        return None
    evidence = Evidence(view, (first.pixels[..., 0].size, second.pixels[..., 0].size))
    return tier_of(evidence), evidence


def _better(one: Judged | None, other: Judged | None) -> Judged | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda judged: (TIERS.index(judged[0]), -_fit(judged[1].view)))


def _fit(view: View) -> float:
    """How far textured blocks agree, few of which say little."""
    return view.fine.agree * min(1.0, view.fine.textured / 20)
