"""Pairs found before are not looked for again: only what is new is compared, and a search goes on where it stopped.

What is remembered is complete for the rows it calls done: every pair with one of them, down to the threshold and, of
candidates below it, the nearest of each row. Rows are known by their content and their vector, not by their place.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dedup.cache import Cached
from dedup.match.matching import Part, find_matches
from dedup.match.pairs import ROUNDING, BoolVector, Found, IntVector, Matches, Nearest, best_first, those
from dedup.progress import Report, silent
from dedup.vectors import Vectors

# Raised whenever what is written means something else.
FORMAT = 1
ROWS_AT_ONCE = 16_384
Names = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found: rows by name, (n, 2); which are done; which have more candidates than were kept; the pairs."""

    names: Names
    done: BoolVector
    cut: BoolVector
    pairs: Found
    threshold: float
    lowest: float
    most: int

    def serves(self, threshold: float, lowest: float, most: int) -> bool:
        """Whether the pairs wanted are among those that were looked for."""
        return self.threshold <= threshold and self.lowest <= lowest and (self.most >= most or lowest == threshold)

    def of(self, rows: BoolVector) -> _Known:
        """The same of some of the rows."""
        left, right, similarity = self.pairs
        whole = rows[left] & rows[right]
        number = np.cumsum(rows) - 1
        pairs = number[left[whole]], number[right[whole]], similarity[whole]
        return replace(self, names=self.names[rows], done=self.done[rows], cut=self.cut[rows], pairs=pairs)


def find_remembered(
    memory: Cached,
    names: Names,
    vectors: Vectors,
    threshold: float,
    folders: IntVector,
    *,
    within: bool,
    nearest: Nearest | None = None,
    report: Report = silent,
    device: str = "cpu",
) -> Matches:
    """What ``find_matches`` gives, with as little comparing as what ``memory`` holds allows; kept there for next time.

    ``names``: (n, 2) uint64, as ``names_of`` gives them.
    """
    lowest, most = (nearest.lowest, nearest.most) if nearest is not None else (threshold, 0)
    known = _read(memory)
    if known is None or not known.serves(threshold, lowest, most):
        known = _nothing(threshold, lowest, most)
    now, new = _at_present(known, names)
    todo, rest = np.flatnonzero(~now.done), np.flatnonzero(now.done)
    # What was begun goes on among itself; what is new is compared with everything.
    part = Part(np.concatenate([todo, rest]) if new.any() else todo, len(todo))
    old = _without(now.pairs, part)
    if nearest is not None:
        nearest.add(*those(old, old[2] < threshold - ROUNDING))

    def known_with(done: BoolVector, found: Sequence[Found]) -> _Known:
        candidates = nearest.matches() if nearest is not None else Matches(*_no_pairs())
        above = [those(one, one[2] >= threshold - ROUNDING) for one in (old, *found)]
        pairs = [*above, (candidates.left, candidates.right, candidates.similarity)]
        left, right, similarity = (np.concatenate(column) for column in zip(*pairs, strict=True))
        cut = now.cut | nearest.is_cut(len(names)) if nearest is not None else now.cut
        complete = done[left] | done[right]
        pairs_of_done = left[complete], right[complete], similarity[complete]
        return _Known(names, done, cut, pairs_of_done, threshold, lowest, most)

    def halfway(finished: IntVector, found: Sequence[Found]) -> None:
        done = now.done.copy()
        done[finished] = True
        if part.fresh < len(part.rows):
            # The others are complete without those that were not reached, which are new next time.
            _write(memory, known_with(np.ones(len(names), dtype=bool), found).of(done))
        else:
            _write(memory, known_with(done, found))

    found = find_matches(
        vectors,
        threshold,
        folders,
        within=within,
        nearest=nearest,
        report=report,
        device=device,
        part=part,
        halfway=halfway,
    )
    fresh = found.left, found.right, found.similarity
    if len(todo) or len(known.names) != len(names):
        _write(memory, known_with(np.ones(len(names), dtype=bool), [fresh]))
    return best_first([those(old, old[2] >= threshold - ROUNDING), fresh])


def names_of(digests: Sequence[bytes], vectors: Vectors) -> Names:
    """(n, 2) uint64: what tells a picture with this content and this vector from any other."""
    names = np.frombuffer(b"".join(digest[:16] for digest in digests), dtype=np.uint64).reshape(-1, 2).copy()
    chance = np.random.default_rng(0)
    width = -(-vectors.rows[:1].nbytes // 8)
    factors = chance.integers(1, 2**64, width, dtype=np.uint64) | np.uint64(1)
    for start in range(0, len(names), ROWS_AT_ONCE):
        rows = np.ascontiguousarray(vectors.rows[start : start + ROWS_AT_ONCE])
        plain = rows.reshape(len(rows), -1).view(np.uint8)
        words = np.pad(plain, ((0, 0), (0, 8 * width - plain.shape[1]))).view(np.uint64)
        names[start : start + len(rows), 1] ^= (words * factors).sum(axis=1, dtype=np.uint64)
    return names


def _nothing(threshold: float, lowest: float, most: int) -> _Known:
    none = np.empty(0, dtype=bool)
    return _Known(np.empty((0, 2), dtype=np.uint64), none, none, _no_pairs(), threshold, lowest, most)


def _no_pairs() -> Found:
    none = np.empty(0, dtype=np.int32)
    return none, none, np.empty(0)


def _at_present(known: _Known, names: Names) -> tuple[_Known, BoolVector]:
    """What is known, of the rows as they are now; and which rows are new or in doubt."""
    now_of = _places(names, known.names)
    here = now_of >= 0
    new = np.ones(len(names), dtype=bool)
    done, cut = np.zeros(len(names), dtype=bool), np.zeros(len(names), dtype=bool)
    new[now_of[here]] = False
    done[now_of[here]] = known.done[here]
    cut[now_of[here]] = known.cut[here]
    left, right, similarity = known.pairs
    left, right = now_of[left], now_of[right]
    # A row that had more candidates than were kept, and lost one of those, may have a further one.
    for one, other in ((left, right), (right, left)):
        lost = one[(one >= 0) & (other < 0)]
        new[lost[cut[lost]]] = True
    whole = (left >= 0) & (right >= 0)
    pairs = left[whole], right[whole], similarity[whole]
    return replace(known, names=names, done=done & ~new, cut=cut & ~new, pairs=pairs), new


def _places(names: Names, old: Names) -> IntVector:
    """(len(old),) where each old name stands among ``names``, -1 where it does not."""
    order = np.argsort(names[:, 0], kind="stable")
    at = np.searchsorted(names[order, 0], old[:, 0])
    at = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(old), dtype=np.int64)
    same = (names[at] == old).all(axis=1) if len(order) else np.zeros(len(old), dtype=bool)
    return np.where(same, at, -1)


def _without(pairs: Found, part: Part) -> Found:
    """The pairs that ``part`` will not find once more."""
    left, right, similarity = pairs
    if part.fresh == len(part.rows):
        again = np.isin(left, part.rows) & np.isin(right, part.rows)
    else:
        again = np.isin(left, part.rows[: part.fresh]) | np.isin(right, part.rows[: part.fresh])
    return np.minimum(left, right)[~again], np.maximum(left, right)[~again], similarity[~again]


def _write(memory: Cached, known: _Known) -> None:
    file = io.BytesIO()
    left, right, similarity = known.pairs
    np.savez(
        file,
        names=known.names,
        done=known.done,
        cut=known.cut,
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        similarity=similarity,
        depth=np.array([FORMAT, known.threshold, known.lowest, known.most]),
    )
    memory.write(file.getvalue())


def _read(memory: Cached) -> _Known | None:
    data = memory.read()
    if not data:
        return None
    try:
        with np.load(io.BytesIO(data)) as file:
            format_, threshold, lowest, most = file["depth"]
            if format_ != FORMAT:
                return None
            pairs: Found = file["left"], file["right"], file["similarity"]
            return _Known(file["names"], file["done"], file["cut"], pairs, float(threshold), float(lowest), int(most))
    except (ValueError, KeyError, OSError):
        return None
