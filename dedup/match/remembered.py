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
from dedup.match.pairs import ROUNDING, BoolVector, Found, IntVector, Matches, Nearest, best_first, those, united
from dedup.progress import Report, silent
from dedup.vectors import Vectors

# Raised whenever what is written means something else.
FORMAT = 2
# Of a row: to be compared with all others; with those that are not done; with none.
NEW, BEGUN, DONE = 0, 1, 2
ROWS_AT_ONCE = 16_384
Names = np.ndarray[Any, np.dtype[np.uint64]]
States = np.ndarray[Any, np.dtype[np.int8]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found: rows by name, (n, 2); how far each is; which have more candidates than were kept; the pairs.

    All pairs are kept, those of rows that are not done as well: they tell which candidates of others were let go.
    """

    names: Names
    state: States
    cut: BoolVector
    pairs: Found
    threshold: float
    lowest: float
    most: int

    def serves(self, threshold: float, lowest: float, most: int) -> bool:
        """Whether the pairs wanted are among those that were looked for."""
        return self.threshold <= threshold and self.lowest <= lowest and (self.most >= most or lowest == threshold)


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
    now = _at_present(known, names)
    todo, rest = np.flatnonzero(now.state != DONE), np.flatnonzero(now.state == DONE)
    # What was begun goes on among itself; what is new is compared with everything.
    with_all = bool((now.state == NEW).any()) and len(rest) > 0
    part = Part(np.concatenate([todo, rest]) if with_all else todo, len(todo))
    again = _found_again(now.pairs, part)
    old = those(now.pairs, ~again)
    if nearest is not None:
        nearest.add(*those(old, old[2] < threshold - ROUNDING))

    def known_with(state: States, found: Sequence[Found]) -> _Known:
        candidates = nearest.matches() if nearest is not None else Matches(*_no_pairs())
        above = [those(one, one[2] >= threshold - ROUNDING) for one in (old, *found)]
        pairs = [*above, (candidates.left, candidates.right, candidates.similarity)]
        left, right, similarity = (np.concatenate(column) for column in zip(*pairs, strict=True))
        cut = now.cut | nearest.is_cut(len(names)) if nearest is not None else now.cut
        return _Known(names, state, cut, (left, right, similarity), threshold, lowest, most)

    def halfway(finished: IntVector, found: Sequence[Found]) -> None:
        state = now.state.copy()
        state[todo] = NEW if with_all else BEGUN
        state[finished] = DONE
        # What was not found again yet still tells which candidates were let go for its sake.
        known = known_with(state, found)
        parts = [Matches(*known.pairs), Matches(*those(now.pairs, again))]
        both = united(parts)
        _write(memory, replace(known, pairs=(both.left, both.right, both.similarity)))

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
        _write(memory, known_with(np.full(len(names), DONE, dtype=np.int8), [fresh]))
    if nearest is not None:
        nearest.add_cut(now.cut)
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
    return _Known(np.empty((0, 2), dtype=np.uint64), none.astype(np.int8), none, _no_pairs(), threshold, lowest, most)


def _no_pairs() -> Found:
    none = np.empty(0, dtype=np.int32)
    return none, none, np.empty(0)


def _at_present(known: _Known, names: Names) -> _Known:
    """What is known, of the rows as they are now; those in doubt are new."""
    now_of = _places(names, known.names)
    here = now_of >= 0
    state, cut = np.full(len(names), NEW, dtype=np.int8), np.zeros(len(names), dtype=bool)
    state[now_of[here]] = known.state[here]
    cut[now_of[here]] = known.cut[here]
    left, right, similarity = known.pairs
    left, right = now_of[left], now_of[right]
    # A row that had more candidates than were kept, and lost one of those, may have a further one.
    for one, other in ((left, right), (right, left)):
        lost = one[(one >= 0) & (other < 0)]
        state[lost[cut[lost]]] = NEW
    whole = (left >= 0) & (right >= 0)
    pairs = np.minimum(left, right)[whole], np.maximum(left, right)[whole], similarity[whole]
    return replace(known, names=names, state=state, cut=cut & (state != NEW), pairs=pairs)


def _places(names: Names, old: Names) -> IntVector:
    """(len(old),) where each old name stands among ``names``, -1 where it does not."""
    order = np.argsort(names[:, 0], kind="stable")
    at = np.searchsorted(names[order, 0], old[:, 0])
    at = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(old), dtype=np.int64)
    same = (names[at] == old).all(axis=1) if len(order) else np.zeros(len(old), dtype=bool)
    return np.where(same, at, -1)


def _found_again(pairs: Found, part: Part) -> BoolVector:
    """Which of the pairs ``part`` will find once more."""
    left, right, _ = pairs
    fresh = part.rows[: part.fresh]
    if part.fresh == len(part.rows):
        return np.isin(left, fresh) & np.isin(right, fresh)
    return np.isin(left, fresh) | np.isin(right, fresh)


def _write(memory: Cached, known: _Known) -> None:
    file = io.BytesIO()
    left, right, similarity = known.pairs
    np.savez(
        file,
        names=known.names,
        state=known.state,
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
            return _Known(file["names"], file["state"], file["cut"], pairs, float(threshold), float(lowest), int(most))
    except (ValueError, KeyError, OSError):
        return None
