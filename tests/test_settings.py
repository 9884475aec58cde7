"""Settings: what is saved comes back, and no file can keep the program from starting."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dedup import settings
from dedup.errors import DedupError
from dedup.settings import BOUNDS, Settings

OWN_DEFAULTS = {name: getattr(Settings(), name) for name in settings.PER_ENCODER}
NUMBERS = [name for name, bound in BOUNDS.items() if math.isfinite(bound.low)]


def write(home: Path, text: str) -> None:
    (home / "settings.json").write_text(text, encoding="utf-8")


def test_every_setting_has_a_line_of_help_and_a_default_within_its_bounds() -> None:
    assert set(BOUNDS) == {field.name for field in fields(Settings)}
    assert all(bound.help and "\n" not in bound.help for bound in BOUNDS.values())
    assert settings.checked(Settings()) == Settings()


def test_saved_settings_come_back_whole() -> None:
    chosen = Settings(
        encoder="clip-vit-b32",
        kind="hidden",
        parameters="hash_size=16",
        threshold=0.93,
        batch_size=7,
        num_workers=3,
        max_megapixels=250,
        weights="/some/where else",
        last_folder='/pictures/"été" 📷\nline',
    )
    settings.save(chosen)
    assert settings.load() == chosen


def test_a_folder_whose_name_is_not_unicode_is_remembered() -> None:
    settings.save(Settings(last_folder="/pictures/caf\udce9"))
    assert settings.load().last_folder == "/pictures/caf\udce9"


def test_without_a_file_every_setting_takes_its_default() -> None:
    assert settings.load() == Settings()


def test_settings_live_under_dedup_home(home: Path) -> None:
    assert settings.home() == home
    settings.save(Settings(batch_size=5, num_workers=3))
    saved = json.loads((home / "settings.json").read_text(encoding="utf-8"))
    assert saved["num_workers"] == 3
    assert saved["encoders"][saved["encoder"]]["batch_size"] == 5


def test_without_dedup_home_settings_belong_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEDUP_HOME")
    assert settings.home().is_absolute()
    assert "dedup" in settings.home().name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "{",
        "null",
        "[]",
        '"text"',
        "17",
        '{"batch_size": ',
        "[" * 100_000,
        '{"batch_size": 1' + "0" * 400 + "}",
        '{"threshold": 1' + "0" * 400 + "}",
        '{"batch_size": 1' + "0" * 5_000 + "}",
        '{"threshold": NaN}',
        '{"threshold": Infinity}',
        '{"batch_size": -1}',
        '{"max_megapixels": 0}',
        '{"batch_size": 2.5}',
        '{"batch_size": "many"}',
        '{"batch_size": true}',
        '{"threshold": true}',
        '{"threshold": [0.9]}',
        '{"encoder": 7}',
        '{"encoder": null}',
        '{"unheard_of": 1}',
    ],
    ids=lambda text: text[:32] or "empty",
)
def test_a_garbage_file_leaves_the_defaults(home: Path, text: str) -> None:
    write(home, text)
    loaded = settings.load()
    assert loaded == Settings()
    assert [type(getattr(loaded, field.name)) for field in fields(Settings)] == [
        type(getattr(Settings(), field.name)) for field in fields(Settings)
    ]


def test_a_file_of_random_bytes_leaves_the_defaults(home: Path) -> None:
    (home / "settings.json").write_bytes(bytes(range(256)) * 4)
    assert settings.load() == Settings()


def test_a_folder_in_the_place_of_the_file_leaves_the_defaults(home: Path) -> None:
    (home / "settings.json").mkdir()
    settings.save(Settings(batch_size=9))
    assert settings.load() == Settings()


def test_what_is_wrong_takes_its_default_and_what_is_right_stays(home: Path) -> None:
    write(home, '{"encoder": "dinov3-vitl16", "batch_size": "many", "unheard_of": 1, "threshold": 1}')
    assert settings.load() == Settings(encoder="dinov3-vitl16", threshold=1.0)
    own = '{"dinov3-vitl16": {"batch_size": "many", "unheard_of": 1, "threshold": 1, "num_workers": 3}}'
    write(home, f'{{"encoder": "dinov3-vitl16", "num_workers": true, "encoders": {own}}}')
    assert settings.load() == Settings(encoder="dinov3-vitl16", threshold=1.0)


# -- each encoder its own ---------------------------------------------------------------

CLIP = Settings("clip-vit-b32", "hidden", "", 0.9, 7, "/some/where")
PHASH = Settings("phash", "", "hash_size=16", 12.0, 128, "")


def test_the_choices_kept_for_each_encoder_are_these() -> None:
    differing = {field.name for field in fields(Settings)} - {"encoder"}
    of_all = {"num_workers", "max_megapixels", "gpu_jpegs", "last_folder", "neighbours", "mark", "disposal"}
    of_all |= {"keep", "protected", "preferred", "across"}
    assert set(settings.PER_ENCODER) == differing - of_all


def test_each_encoder_keeps_its_own_choices() -> None:
    settings.save(CLIP)
    settings.save(PHASH)
    assert settings.load() == settings.load("phash") == PHASH, "the one saved last"
    assert settings.load("clip-vit-b32") == CLIP
    assert settings.load("dhash") == Settings("dhash"), "one that was never saved has the defaults"
    settings.save(replace(CLIP, threshold=0.8))
    assert settings.load() == replace(CLIP, threshold=0.8)
    assert settings.load("phash") == PHASH


def test_what_is_no_encoders_own_is_the_same_for_all() -> None:
    settings.save(replace(CLIP, num_workers=3, max_megapixels=50, last_folder="/one"))
    settings.save(replace(PHASH, num_workers=2, max_megapixels=60, last_folder="/two"))
    for name, own in (("clip-vit-b32", CLIP), ("phash", PHASH)):
        assert settings.load(name) == replace(own, num_workers=2, max_megapixels=60, last_folder="/two")


def test_a_choice_given_back_to_the_encoder_is_forgotten_for_that_one_only() -> None:
    settings.save(CLIP)
    settings.save(PHASH)
    settings.save(Settings("phash"))
    assert settings.load("phash") == Settings("phash")
    assert settings.load("clip-vit-b32") == CLIP


# What the first version wrote.
FLAT: dict[str, object] = {
    "encoder": "clip-vit-b32",
    "kind": "hidden",
    "threshold": 0.0,
    "batch_size": 7,
    "num_workers": 3,
    "max_megapixels": 250,
    "weights": "/some/where",
    "last_folder": "/pictures",
}
SHARED = Settings(num_workers=3, max_megapixels=250, last_folder="/pictures")


@pytest.mark.parametrize(("before", "now"), [(0.0, -1.0), (0, -1.0), (0.93, 0.93), (1, 1.0)])
def test_an_old_flat_file_is_read_and_threshold_0_in_it_means_the_encoders_own(
    home: Path, before: float, now: float
) -> None:
    write(home, json.dumps({**FLAT, "threshold": before}))
    clip = replace(SHARED, encoder="clip-vit-b32", kind="hidden", threshold=now, batch_size=7, weights="/some/where")
    assert settings.load() == settings.load("clip-vit-b32") == clip


def test_the_choices_of_an_old_flat_file_belong_to_its_encoder_only(home: Path) -> None:
    write(home, json.dumps({**FLAT, "threshold": 0.93}))
    assert settings.load("phash") == replace(SHARED, encoder="phash")
    clip = settings.load()
    settings.save(replace(SHARED, encoder="phash", threshold=0.0))
    assert settings.load("clip-vit-b32") == clip, "it survives the first save in the new form"
    assert settings.load("phash").threshold == 0.0, "which for a fingerprint means that no bit may differ"


def test_an_old_flat_file_without_an_encoder_belongs_to_the_default(home: Path) -> None:
    write(home, '{"threshold": 0.93, "batch_size": 7}')
    assert settings.load() == Settings(threshold=0.93, batch_size=7)
    assert settings.load("phash") == Settings("phash")


@pytest.mark.parametrize(
    "encoders",
    ["null", "[]", '"phash"', '{"phash": null}', '{"phash": []}', '{"phash": {"threshold": "x"}}', '{"": {}}'],
)
def test_garbage_in_an_encoders_place_leaves_its_defaults_and_can_be_saved_over(home: Path, encoders: str) -> None:
    write(home, f'{{"encoder": "phash", "num_workers": 3, "encoders": {encoders}}}')
    assert settings.load() == Settings("phash", num_workers=3)
    settings.save(CLIP)
    settings.save(PHASH)
    assert (settings.load("clip-vit-b32"), settings.load()) == (CLIP, PHASH)


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(sorted(BOUNDS)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers()),
    )
)
def test_whatever_a_file_says_the_settings_loaded_keep_their_bounds(home: Path, saved: dict[str, object]) -> None:
    write(home, json.dumps(saved))
    for loaded in (settings.load(), settings.load("phash")):
        assert settings.checked(loaded) == loaded
    write(home, json.dumps({**saved, "encoders": {"phash": saved, "dhash": [saved]}}))
    for name in ("", "phash", "dhash"):
        loaded = settings.load(name)
        assert settings.checked(loaded) == loaded
        assert loaded.encoder == (name or loaded.encoder)
    assert settings.load("dhash") == replace(settings.load(), **OWN_DEFAULTS, encoder="dhash")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_beyond_its_bounds_is_refused_by_name(name: str) -> None:
    bound = BOUNDS[name]
    for good in (bound.low, bound.high):
        settings.checked(replace(Settings(), **{name: type(getattr(Settings(), name))(good)}))
    for bad in (bound.low - 1, bound.high + 1, math.nan, math.inf):
        with pytest.raises(DedupError, match=name):
            settings.checked(replace(Settings(), **{name: bad}))


def test_settings_out_of_bounds_are_not_written(home: Path) -> None:
    settings.save(Settings(batch_size=8))
    before = (home / "settings.json").read_bytes()
    with pytest.raises(DedupError, match="batch_size"):
        settings.save(Settings(batch_size=1_000_000))
    assert (home / "settings.json").read_bytes() == before


def test_a_directory_that_cannot_be_written_costs_only_the_memory_of_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DEDUP_HOME", str(tmp_path / "file" / "home"))
    settings.save(Settings(batch_size=8))
    assert settings.load() == Settings()
    assert (tmp_path / "file").read_text() == "in the way"
