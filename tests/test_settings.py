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
    settings.save(Settings(batch_size=5))
    assert json.loads((home / "settings.json").read_text(encoding="utf-8"))["batch_size"] == 5


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


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(sorted(BOUNDS)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers()),
    )
)
def test_whatever_a_file_says_the_settings_loaded_keep_their_bounds(home: Path, saved: dict[str, object]) -> None:
    write(home, json.dumps(saved))
    loaded = settings.load()
    assert settings.checked(loaded) == loaded


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
