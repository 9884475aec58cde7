"""Names, sizes, dates and pictures are put into words that cannot deceive."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup.comparison import as_similarity
from dedup.encoders import HAMMING, REGISTRY, EncoderSpec, LoadOptions, spec
from dedup.keep import Group, Match, Member
from dedup.progress import Skipped
from dedup.provenance import BITS, Provenance
from dedup.store import Picture
from dedup.tiers import IDENTICAL, LOOK_ALIKE, SAME_PIXELS
from dedup.wording import (
    dimensions,
    distance,
    files,
    group_lines,
    how_similar,
    printable,
    set_in_words,
    size,
    skipped_lines,
    threshold_in_words,
    thresholds_explained,
    when,
)


def a_picture(name: str, count: int = 1_234_567) -> Picture:
    return Picture(Path("/pictures"), name, count, 0, 640, 480, "JPEG", b"\0" * 32)


@pytest.mark.parametrize(
    "name", ["plain.jpg", "with spaces.jpg", 'Bob\'s "best".jpg', "日本語.jpg", "été 🦊.png", "a\\b"]
)
def test_an_honest_name_is_shown_as_it_is(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("line\nbreak.jpg", "line\\nbreak.jpg"),
        ("carriage\rreturn.jpg", "carriage\\rreturn.jpg"),
        ("tab\t.jpg", "tab\\t.jpg"),
        ("\x1b[31mred\x1b[0m.jpg", "\\x1b[31mred\\x1b[0m.jpg"),
        ("\x07bell.jpg", "\\x07bell.jpg"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("zero\u200bwidth.jpg", "zero\\u200bwidth.jpg"),
        ("next\x85line.jpg", "next\\x85line.jpg"),
        ("line\u2028separator.jpg", "line\\u2028separator.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\udce9.jpg"),
        ("tag\U000e0041.jpg", "tag\\U000e0041.jpg"),
    ],
)
def test_a_name_that_could_deceive_is_shown_with_escapes(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_a_path_is_shown_like_its_text() -> None:
    assert printable(Path("/pictures/a\nb.jpg")) == "/pictures/a\\nb.jpg"


@settings(max_examples=200, deadline=None)
@given(name=st.text() | st.binary().map(os.fsdecode))
@example(name="\ud800")
def test_whatever_the_name_what_is_shown_is_one_line_that_any_terminal_can_print(name: str) -> None:
    shown = printable(name)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1049, "1.0 kB"),
        (1250, "1.2 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (123_456_789, "123 MB"),
        (999_500_000, "1.0 GB"),
        (5_000_000_000, "5.0 GB"),
        (2_500_000_000_000, "2.5 TB"),
    ],
)
def test_bytes_are_said_in_decimal_units(count: int, words: str) -> None:
    assert size(count) == words


@settings(max_examples=200, deadline=None)
@given(count=st.integers(0, 9 * 10**14))
def test_a_size_in_words_is_short_and_close_to_the_number(count: int) -> None:
    number, unit = size(count).split(" ")
    value = float(number) * {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert abs(value - count) <= 0.051 * max(count, 1)
    assert len(number) <= 5


@given(count=st.integers(0, 10**13), more=st.integers(0, 10**13))
def test_more_bytes_never_sound_like_less(count: int, more: int) -> None:
    units = ["bytes", "kB", "MB", "GB", "TB"]
    smaller, larger = size(count).split(" "), size(count + more).split(" ")
    assert (units.index(smaller[1]), float(smaller[0])) <= (units.index(larger[1]), float(larger[0]))


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1000, "1,000 files"), (1_234_567, "1,234,567 files")],
)
def test_one_file_is_not_files(count: int, words: str) -> None:
    assert files(count) == words


def test_a_moment_is_said_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = "2024-05-01T22:30:00+00:00"
    assert when(moment) == datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    if hasattr(time, "tzset"):
        monkeypatch.setenv("TZ", "Etc/GMT-3")
        time.tzset()
        assert when(moment) == "2024-05-02 01:30"
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("moment", ["", "yesterday", "20240501-120000-000000-abcd"])
def test_a_moment_that_is_none_is_said_as_it_stands(moment: str) -> None:
    assert when(moment) == moment


def test_dimensions_are_width_by_height() -> None:
    assert dimensions(a_picture("a.jpg")) == "640 x 480"


def test_similarity_is_a_number_only_where_it_was_measured() -> None:
    assert how_similar(Match(0, 1.0, IDENTICAL)) == "identical file"
    assert how_similar(Match(0, 1.0, SAME_PIXELS)) == "same pixels"
    assert how_similar(Match(0, 0.98765, LOOK_ALIKE)) == "look-alike, 0.988"
    assert how_similar(Match(0, 1.0, LOOK_ALIKE)) == "look-alike, 1.000"
    assert how_similar(None) == "no direct match with the keeper"


def test_of_fingerprints_the_bits_that_differ_are_said_too() -> None:
    assert how_similar(Match(0, 1.0 - 2.0 * 4 / 64, LOOK_ALIKE, 64)) == "look-alike, 0.875, 4 of 64 bits"
    assert how_similar(Match(0, 1.0, LOOK_ALIKE, 42)) == "look-alike, 1.000, 0 of 42 bits"
    assert (
        how_similar(Member(a_picture("a.jpg"), 1.0 - 2.0 / 196, LOOK_ALIKE, bits=196))
        == "look-alike, 0.990, 1 of 196 bits"
    )
    assert how_similar(Match(0, 1.0, IDENTICAL, 64)) == "identical file"


@pytest.mark.parametrize("bits", [1, 42, 64, 196, 256, 1024])
def test_the_distance_said_is_the_one_the_similarity_came_from(bits: int) -> None:
    for differing in range(bits + 1):
        assert distance(1.0 - 2.0 * differing / bits, bits) == differing


def test_a_threshold_is_said_in_its_own_unit() -> None:
    assert threshold_in_words(0.96, 0) == "threshold 0.96"
    assert threshold_in_words(1.0, 0) == "threshold 1"
    assert threshold_in_words(8, 64) == "threshold 8 of 64 bits, similarity 0.75"
    assert threshold_in_words(0.0, 42) == "threshold 0 of 42 bits, similarity 1"
    assert threshold_in_words(31.0, 256) == "threshold 31 of 256 bits, similarity 0.758"


def of_row(name: str, layer: str = "final", checkpoint: str = "") -> Provenance:
    return Provenance(name, checkpoint, layer, 1, 8)


def test_a_set_is_named_by_its_encoder_and_where_there_is_a_choice_by_what_was_chosen() -> None:
    clip, phash = spec("clip-vit-l14"), spec("phash")
    own = phash.checkpoint(LoadOptions())
    other = phash.checkpoint(LoadOptions(parameters={"hash_size": 16}))
    assert own != other
    assert set_in_words(of_row(clip.name)) == f"{clip.title} (final)"
    assert set_in_words(of_row(clip.name, "hidden")) == f"{clip.title} (hidden)"
    assert set_in_words(of_row("efficientnet-lite0")) == spec("efficientnet-lite0").title
    assert set_in_words(of_row(phash.name, checkpoint=own)) == phash.title
    assert set_in_words(of_row(phash.name, checkpoint=other)) == f"{phash.title} ({other})"
    assert set_in_words(of_row("of a later version")) == "of a later version (final)"


@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
@pytest.mark.parametrize("times", [1, 4])
def test_what_a_threshold_means_is_explained_in_the_encoders_unit_with_its_default(
    row: EncoderSpec, times: int
) -> None:
    dim = times * row.dim
    default = row.threshold_for(dim)
    text = thresholds_explained(row, default, dim)
    assert f" {default:g})" in text
    assert all(len(line) <= 120 for line in text.splitlines())
    if row.metric != HAMMING:
        assert "From 0 to 1" in text
        return
    assert f"{dim} bits of {row.title}" in text
    ladder = [re.fullmatch(r" +(\d+)   similarity (-?[\d.]+)   \w.*", line) for line in text.splitlines()[1:]]
    steps = [(int(step[1]), float(step[2])) for step in ladder if step]
    assert len(steps) == len(ladder) >= 2
    bits = [step for step, _ in steps]
    assert bits == sorted(set(bits))
    assert {0, int(default)} <= set(bits)
    assert bits[-1] <= dim
    for step, similarity in steps:
        assert similarity == pytest.approx(as_similarity(step, Provenance(row.name, "", "", 1, dim, BITS)), abs=5e-4)


def test_a_set_is_said_line_by_line_the_keeper_first() -> None:
    group = Group(
        a_picture("keeper.jpg", 2_000_000),
        (
            Member(a_picture("sub/copy.jpg", 2_000_000), 1.0, IDENTICAL),
            Member(a_picture("smaller\n.jpg", 900), 0.9712, LOOK_ALIKE, marked=False),
            Member(a_picture("by bits.jpg", 900), 0.75, LOOK_ALIKE, bits=64),
        ),
    )
    assert group_lines(3, 12, group) == [
        "Duplicate Set 3 of 12",
        "  keep    /pictures/keeper.jpg  (640 x 480, 2.0 MB)",
        "  remove  /pictures/sub/copy.jpg  (640 x 480, 2.0 MB, identical file)",
        "  keep    /pictures/smaller\\n.jpg  (640 x 480, 900 bytes, look-alike, 0.971)",
        "  remove  /pictures/by bits.jpg  (640 x 480, 900 bytes, look-alike, 0.750, 8 of 64 bits)",
    ]


def test_every_file_left_out_is_one_line_with_its_reason() -> None:
    lines = skipped_lines([Skipped("/pictures/a\n.jpg", "damaged:\nno header"), Skipped("/pictures/b.jpg", "empty")])
    assert lines == ["  /pictures/a\\n.jpg: damaged:\\nno header", "  /pictures/b.jpg: empty"]
    assert all(re.fullmatch(r"[^\n]*", line) for line in lines)
