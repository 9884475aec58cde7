"""What is remembered spares comparing and changes nothing: a search that goes on finds what a whole one does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from dedup.cache import Cached
from dedup.match import Matches, Nearest, find_matches, find_remembered, matching, names_of, remembered
from dedup.match.matching import Part
from dedup.progress import Cancelled, Progress, silent
from dedup.vectors import Vectors

THRESHOLD, LOWEST, MOST = 0.8, 0.4, 4


def rows_in_clusters(count: int, seed: int = 0) -> np.ndarray:
    """Unit rows, many of them alike, some equal."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(20, 24))
    rows = centres[chance.integers(0, 20, count)] + 0.7 * chance.normal(size=(count, 24))
    rows[5:9] = rows[4]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def digests(numbers: np.ndarray) -> list[bytes]:
    return [int(number).to_bytes(32, "little") for number in numbers]


class Searcher:
    """Searches among some of the rows, with one memory; counts how many pairs were compared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rows: np.ndarray, within: bool = True) -> None:
        self.rows, self.within = rows, within
        self.folders = np.arange(len(rows)) % 3
        self.memory = Cached("matches", ".npz", ("here",))
        self.compared = 0
        monkeypatch.setattr(remembered, "find_matches", self._counted)

    def _counted(self, *args: Any, part: Part, **kwargs: Any) -> Matches:
        self.compared = part.fresh * (2 * len(part.rows) - part.fresh) // 2
        return find_matches(*args, part=part, tile_bytes=1 << 14, **kwargs)

    def remembered(self, chosen: np.ndarray, report: Any = silent, most: int = MOST) -> list[list[Any]]:
        vectors, nearest = Vectors.of(self.rows[chosen]), Nearest(LOWEST, most)
        names = names_of(digests(chosen), vectors)
        found = find_remembered(
            self.memory,
            names,
            vectors,
            THRESHOLD,
            self.folders[chosen],
            within=self.within,
            nearest=nearest,
            report=report,
        )
        return [as_list(found), as_list(nearest.matches()), nearest.is_cut(len(chosen)).tolist()]

    def anew(self, chosen: np.ndarray, most: int = MOST) -> list[list[Any]]:
        nearest = Nearest(LOWEST, most)
        found = find_matches(self.rows[chosen], THRESHOLD, self.folders[chosen], within=self.within, nearest=nearest)
        return [as_list(found), as_list(nearest.matches()), nearest.is_cut(len(chosen)).tolist()]


def as_list(found: Matches) -> list[Any]:
    return list(zip(found.left.tolist(), found.right.tolist(), found.similarity.round(9).tolist(), strict=True))


@pytest.fixture(params=[True, False], ids=["within", "between"])
def search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Searcher:
    return Searcher(monkeypatch, rows_in_clusters(600), request.param)


def test_nothing_is_compared_twice(search: Searcher) -> None:
    everything = np.arange(600)
    first = search.remembered(everything)
    assert search.compared > 0
    assert first[:2] == search.anew(everything)[:2]
    again = search.remembered(everything)
    assert search.compared == 0
    assert again[:2] == first[:2]


def test_what_is_new_is_compared_with_everything_and_nothing_else(search: Searcher) -> None:
    search.rows = np.delete(search.rows, range(5, 9), axis=0)  # equal ones are told apart by their places alone
    search.rows = np.concatenate([search.rows, rows_in_clusters(40, seed=9)[-4:]])
    chance = np.random.default_rng(3)
    early = np.sort(chance.choice(600, 550, replace=False))
    search.remembered(early)
    everything = chance.permutation(600)  # and the places of all have changed
    assert search.remembered(everything)[:2] == search.anew(everything)[:2]
    assert search.compared == 50 * (2 * 600 - 50) // 2


@pytest.mark.parametrize("most", [1, 4, 30])
def test_what_is_gone_leaves_room_for_candidates_that_were_cut(search: Searcher, most: int) -> None:
    search.remembered(np.arange(600), most=most)
    fewer = np.flatnonzero(np.random.default_rng(4).random(600) < 0.9)
    assert search.remembered(fewer, most=most)[:2] == search.anew(fewer, most)[:2]
    back = np.arange(600)
    assert search.remembered(back, most=most)[:2] == search.anew(back, most)[:2]


def test_other_vectors_of_the_same_pictures_are_new(search: Searcher) -> None:
    search.remembered(np.arange(600))
    search.rows = search.rows.copy()
    search.rows[10] = search.rows[400]
    assert search.remembered(np.arange(600))[:2] == search.anew(np.arange(600))[:2]
    assert 600 <= search.compared < 600 * 599 // 20  # and what had lost one of its nearest


def test_a_looser_search_begins_anew_and_a_stricter_one_does_not(search: Searcher) -> None:
    everything = np.arange(600)
    search.remembered(everything)
    search.remembered(everything, most=MOST + 1)
    assert search.compared > 0
    assert search.remembered(everything, most=MOST)[:2] == search.anew(everything, MOST)[:2]
    assert search.compared == 0


@pytest.mark.parametrize("begun", [0, 550], ids=["from the start", "with some known"])
def test_a_search_broken_off_goes_on_where_it_stopped(search: Searcher, begun: int) -> None:
    everything = np.arange(600)
    if begun:
        search.remembered(everything[50:])
    whole = search.anew(everything)

    def stop_halfway(event: object) -> None:
        if isinstance(event, Progress) and event.done > event.total // 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        search.remembered(everything, stop_halfway)
    assert (all_at_first := search.compared) > 0
    assert search.remembered(everything)[:2] == whole[:2]
    assert 0 < search.compared < 0.65 * all_at_first


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_between_searches_broken_off_or_not_nothing_is_lost(search: Searcher, seed: int) -> None:
    chance = np.random.default_rng(seed)
    here = np.ones(600, dtype=bool)
    for _ in range(8):
        here[chance.choice(600, 60)] ^= True
        steps = int(chance.choice([2, 4, 8, 20, 60, 10**9]))

        def stop(event: object) -> None:
            nonlocal steps
            steps -= 1
            if steps <= 0:
                raise Cancelled

        chosen = np.flatnonzero(here)
        with suppress(Cancelled):
            assert search.remembered(chosen, stop)[:2] == search.anew(chosen)[:2]
    assert search.remembered(chosen)[:2] == search.anew(chosen)[:2]


def test_added_pictures_taken_away_again_before_they_were_compared_leave_no_hole(search: Searcher) -> None:
    early, everything = np.arange(500), np.arange(600)
    first = search.remembered(early)
    for steps in range(2, 40, 3):
        left = steps

        def stop(event: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Cancelled

        with pytest.raises(Cancelled):
            search.remembered(everything, stop)
        assert search.remembered(early)[:2] == first[:2]


def test_a_search_that_stops_again_and_again_arrives(search: Searcher) -> None:
    everything = np.arange(600)
    for _ in range(100):
        steps = 0

        def stop_soon(event: object) -> None:
            nonlocal steps
            steps += isinstance(event, Progress)
            if steps > 60:
                raise Cancelled

        try:
            found = search.remembered(everything, stop_soon)
            break
        except Cancelled:
            continue
    assert found[:2] == search.anew(everything)[:2]


def test_a_damaged_memory_counts_as_none(search: Searcher) -> None:
    everything = np.arange(600)
    whole = search.remembered(everything)
    data = bytearray(search.memory.file.read_bytes())
    data[len(data) // 2] ^= 1
    for damaged in (bytes(data), bytes(data[:100]), b""):
        search.memory.file.write_bytes(damaged)
        assert search.remembered(everything)[:2] == whole[:2]
        assert search.compared > 0
    search.memory.write(b"no such thing")
    assert search.remembered(everything)[:2] == whole[:2]


def test_fingerprints_are_remembered_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(6)
    packed = chance.integers(0, 256, (3000, 2, 4), dtype=np.uint8)
    packed[2000:2200] = packed[:200]
    packed[2000:2200, 0, 0] ^= 1
    memory = Cached("matches", ".npz", ("bits",))

    def found(chosen: np.ndarray) -> list[list[Any]]:
        vectors, folders = Vectors(packed[chosen], 32), np.zeros(len(chosen), dtype=np.int64)
        kept = find_remembered(
            memory, names_of(digests(chosen), vectors), vectors, 1 - 2 * 3 / 32, folders, within=True
        )
        return [as_list(kept), as_list(find_matches(vectors, 1 - 2 * 3 / 32))]

    for chosen in (np.arange(2100), np.arange(3000), np.arange(50, 2900)):
        kept, anew = found(chosen)
        assert kept == anew
        assert len(kept) > 50


def test_long_searches_are_kept_every_minute(monkeypatch: pytest.MonkeyPatch, search: Searcher) -> None:
    monkeypatch.setattr(matching, "SECONDS_BETWEEN_KEEPING", -1)
    kept = []
    write = Cached.write
    monkeypatch.setattr(Cached, "write", lambda self, content: (kept.append(1), write(self, content))[1])
    assert search.remembered(np.arange(600))[:2] == search.anew(np.arange(600))[:2]
    assert len(kept) > 10
