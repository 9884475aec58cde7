"""A short, seeded piece of what ``python -m tests.fuzz`` does for as long as one likes, and what it has found."""

from __future__ import annotations

import random
import sys
import time

import pytest
from fuzz.mutations import KINDS, damaged
from fuzz.seeds import SEEDS, chosen, picture_seeds
from fuzz.watch import Watched

from dedup import images

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the watch over memory reads /proc")
SECONDS = 10.0


@pytest.mark.parametrize("name", picture_seeds())
def test_what_is_to_be_damaged_is_sound(name: str) -> None:
    assert images.decode(picture_seeds()[name]).image.mode == "RGB"


def test_every_format_is_among_what_is_damaged() -> None:
    found = {images.decode(data).format for data in picture_seeds().values()}
    assert found | {"MPO"} == set(images.FORMATS)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_the_same_for_the_same_seed(kind: object) -> None:
    data, other = bytes(range(256)), b"other" * 9
    assert damaged(data, other, random.Random(5)) == damaged(data, other, random.Random(5))
    assert callable(kind)
    assert any(kind(data, other, random.Random(seed)) != data for seed in range(9))
    assert isinstance(kind(b"", b"", random.Random(1)), bytes)


def test_damaged_input_is_answered_in_words() -> None:
    chance = random.Random(1)
    seeds = {name: make() for name, make in SEEDS.items()}
    end, fed = time.monotonic() + SECONDS, 0
    with Watched() as worker:
        while time.monotonic() < end:
            target, sound, other = chosen(chance, seeds)
            trouble = worker.feed(target, damaged(sound, other, chance))
            assert trouble == "", f"case {fed}: {target}"
            fed += 1
    assert fed > 50


def test_the_watch_tells_what_died_hung_raised_or_took_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from fuzz import targets

    bad = {
        "dies": lambda data, place: os.abort(),
        "hangs": lambda data, place: time.sleep(60),
        "raises": lambda data, place: [][0],
        "eats": lambda data, place: bytearray(8 << 30),
        "is fine": lambda data, place: None,
    }
    for name, function in bad.items():
        monkeypatch.setitem(targets.TARGETS, name, function)
    with Watched(seconds=2) as worker:
        assert "died" in worker.feed("dies", b"")
        assert "more than 2 seconds" in worker.feed("hangs", b"")
        assert "IndexError" in worker.feed("raises", b"")
        assert "MemoryError" in worker.feed("eats", b"")
        assert worker.feed("is fine", b"") == ""
