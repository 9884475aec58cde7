"""A plan is a file a person can keep, read and carry out later; nothing else passes for one."""

from __future__ import annotations

import json
import os
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import save_picture
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dedup.errors import DedupError
from dedup.store import Picture
from dedup.trash import FileStamp, Plan, Removal, load_plan, make_plan, save_plan

ODD_NAMES = [
    "ordinary.jpg",
    "with spaces and (brackets).jpg",
    "tab\tand\nnewline.jpg",
    "quote\"s and 'apostrophes'.jpg",
    "back\\slash.jpg",
    "日本語 и кириллица é.jpg",
    "\u202egpj.exe.jpg",
    "🦊.png",
    " leading and trailing .jpg ",
]
STAMPS = st.builds(
    FileStamp,
    path=st.text(min_size=1).map(lambda text: "/pictures/" + text)
    | st.binary(min_size=1, max_size=20).map(lambda raw: os.fsdecode(b"/pictures/" + raw)),
    size=st.integers(0, 1 << 60),
    mtime_ns=st.integers(-(1 << 62), 1 << 62),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
)
REMOVALS = st.builds(
    Removal,
    folder=st.text(min_size=1),
    file=STAMPS,
    keeper=STAMPS,
    similarity=st.floats(-1.0, 1.0),
    tier=st.sampled_from(["identical file", "same pixels", "similar"]),
    companions=st.lists(STAMPS, max_size=2).map(tuple),
    lost=st.lists(st.text(), max_size=2).map(tuple),
)
PLANS = st.builds(
    Plan,
    encoder=st.text(),
    threshold=st.floats(0.0, 1.0),
    folders=st.lists(st.text(min_size=1), max_size=3).map(tuple),
    removals=st.lists(REMOVALS, max_size=4).map(tuple),
    created=st.just("2024-05-01T12:00:00+00:00"),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def a_picture(root: Path, name: str, size: int = 1000, digest: bytes = b"\1" * 32) -> Picture:
    return Picture(root, name, size, 1_700_000_000_123_456_789, 640, 480, "JPEG", digest)


def a_plan(folder: Path, names: list[str]) -> Plan:
    keeper = a_picture(folder, "keeper.jpg")
    return make_plan("fake", 0.96, [folder], [(a_picture(folder, name), keeper, 0.97, "similar") for name in names])


def saved_value(folder: Path, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    path = tmp_path / "plan.json"
    save_plan(a_plan(folder, ["one.jpg", "two.jpg"]), path)
    return path, json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [*ODD_NAMES, os.fsdecode(b"latin-1 caf\xe9.jpg"), os.fsdecode(b"\xff\xfe\x80.jpg")])
def test_a_plan_comes_back_from_disk_as_it_was_whatever_the_names(folder: Path, tmp_path: Path, name: str) -> None:
    plan = a_plan(folder, [name])
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan
    assert os.fsencode(load_plan(tmp_path / "plan.json").removals[0].file.path) == os.fsencode(folder / name)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS)
def test_any_plan_survives_the_round_trip(tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "plan.json"
    path.unlink(missing_ok=True)
    plan = replace(plan, folders=(*plan.folders, *(removal.folder for removal in plan.removals)))
    save_plan(plan, path)
    assert load_plan(path) == plan


def test_a_plan_names_for_each_removal_its_keeper_similarity_tier_and_both_digests(
    folder: Path, tmp_path: Path
) -> None:
    keeper = a_picture(folder, "keeper.jpg", size=2000, digest=b"\2" * 32)
    copy = a_picture(folder, "copy.jpg", size=1000, digest=b"\3" * 32)
    save_plan(make_plan("fake", 0.9, [folder], [(copy, keeper, 0.93, "similar")]), tmp_path / "plan.json")
    row = json.loads((tmp_path / "plan.json").read_text())["removals"][0]
    assert row["folder"] == str(folder)
    assert row["file"]["path"] == str(folder / "copy.jpg")
    assert row["file"]["digest"] == "03" * 32
    assert row["keeper"]["path"] == str(folder / "keeper.jpg")
    assert row["keeper"]["digest"] == "02" * 32
    assert (row["similarity"], row["tier"]) == (0.93, "similar")


def test_a_file_named_twice_is_removed_once_and_counted_once(folder: Path) -> None:
    first, second = a_picture(folder, "keeper.jpg"), a_picture(folder, "other keeper.jpg")
    copy = a_picture(folder, "copy.jpg", size=123)
    plan = make_plan("fake", 0.9, [folder], [(copy, first, 0.95, "similar"), (copy, second, 0.99, "similar")])
    assert [removal.file.path for removal in plan.removals] == [str(folder / "copy.jpg")]
    assert plan.bytes == 123


def test_a_plan_groups_its_removals_by_folder_and_loses_none(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    keeper = a_picture(one, "keeper.jpg")
    rows = [
        (a_picture(root, name), keeper, 1.0, "identical file") for name in ("a.jpg", "b.jpg") for root in (one, two)
    ]
    plan = make_plan("fake", 1.0, [one, two], rows)
    grouped = {folder: [removal.file.path for removal in rows] for folder, rows in plan.by_folder().items()}
    assert grouped == {str(root): [str(root / "a.jpg"), str(root / "b.jpg")] for root in (one, two)}


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"not json at all",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xfeh\0i\0",
        b"[1, 2, 3]",
        b"null",
        b"42",
        b'"plan"',
        b"{}",
        b'{"plan": 1}',
        b'{"plan": 1, "removals": null, "encoder": "", "threshold": 1, "folders": [], "created": ""}',
        b'{"plan": 1, "removals": [7], "encoder": "", "threshold": 1, "folders": [], "created": ""}',
        b'{"plan": 1, "removals": [], "encoder": "", "threshold": "high", "folders": [], "created": ""}',
        b"[" * 100_000,
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_file_that_is_no_plan_is_an_error_with_a_remedy(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(garbage)
    with pytest.raises(DedupError) as caught:
        load_plan(path)
    assert "plan.json" in caught.value.message
    assert caught.value.remedy
    assert path.read_bytes() == garbage


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON_VALUES, at=st.sampled_from(["removals", "folders", "encoder", "threshold", "size", "path", "file"]))
@example(value=float("inf"), at="size")
def test_a_plan_damaged_anywhere_either_still_loads_or_is_a_dedup_error(tmp_path: Path, value: Any, at: str) -> None:
    path = tmp_path / "plan.json"
    path.unlink(missing_ok=True)
    save_plan(a_plan(tmp_path, ["one.jpg"]), path)
    plan = json.loads(path.read_text())
    if at in ("size", "path"):
        plan["removals"][0]["file"][at] = value
    elif at == "file":
        plan["removals"][0]["file"] = value
    else:
        plan[at] = value
    path.write_text(json.dumps(plan))
    remedy = ""
    loaded = None
    try:
        loaded = load_plan(path)
    except DedupError as problem:
        remedy = problem.remedy
    assert isinstance(loaded, Plan) or remedy


@pytest.mark.parametrize("key", ["removals", "folders", "encoder", "threshold", "created", "plan"])
def test_a_plan_without_one_of_its_keys_is_refused(folder: Path, tmp_path: Path, key: str) -> None:
    path, value = saved_value(folder, tmp_path)
    del value[key]
    path.write_text(json.dumps(value))
    with pytest.raises(DedupError):
        load_plan(path)


@pytest.mark.parametrize("part", ["folder", "file", "keeper", "similarity", "tier"])
def test_a_removal_without_one_of_its_parts_is_refused(folder: Path, tmp_path: Path, part: str) -> None:
    path, value = saved_value(folder, tmp_path)
    del value["removals"][1][part]
    path.write_text(json.dumps(value))
    with pytest.raises(DedupError):
        load_plan(path)


@pytest.mark.parametrize("key", ["path", "size", "mtime_ns", "digest"])
@pytest.mark.parametrize("part", ["file", "keeper"])
def test_a_removal_that_cannot_be_checked_is_refused(folder: Path, tmp_path: Path, part: str, key: str) -> None:
    path, value = saved_value(folder, tmp_path)
    del value["removals"][0][part][key]
    path.write_text(json.dumps(value))
    with pytest.raises(DedupError):
        load_plan(path)


def test_a_digest_that_is_not_hexadecimal_is_refused(folder: Path, tmp_path: Path) -> None:
    path, value = saved_value(folder, tmp_path)
    value["removals"][0]["keeper"]["digest"] = "none"
    path.write_text(json.dumps(value))
    with pytest.raises(DedupError):
        load_plan(path)


def test_a_plan_of_the_first_version_which_knew_no_companions_still_loads(folder: Path, tmp_path: Path) -> None:
    path, value = saved_value(folder, tmp_path)
    for row in value["removals"]:
        del row["companions"], row["lost"]
    path.write_text(json.dumps({**value, "plan": 1}))
    assert load_plan(path).removals == a_plan(folder, ["one.jpg", "two.jpg"]).removals


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_a_plan_of_another_version_is_refused(folder: Path, tmp_path: Path, version: object) -> None:
    path, value = saved_value(folder, tmp_path)
    value["plan"] = version
    path.write_text(json.dumps(value))
    with pytest.raises(DedupError, match="another version") as caught:
        load_plan(path)
    assert caught.value.remedy


def test_a_missing_plan_and_a_folder_instead_of_a_plan_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DedupError, match=r"nowhere\.json"):
        load_plan(tmp_path / "nowhere.json")
    with pytest.raises(DedupError, match="cannot be read"):
        load_plan(tmp_path)


def test_saving_a_plan_never_overwrites_a_picture(folder: Path) -> None:
    picture = save_picture(folder / "holiday.jpg", 1)
    before = picture.read_bytes()
    with pytest.raises(DedupError):
        save_plan(a_plan(folder, ["one.jpg"]), picture)
    assert picture.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b'{"name": "package.json"}', b'{"plan": 2, "removals": []}', b"\xff\xd8\xff"])
def test_saving_a_plan_never_overwrites_any_other_file(folder: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(DedupError):
        save_plan(a_plan(folder, ["one.jpg"]), path)
    assert path.read_bytes() == content


def test_saving_a_plan_over_an_older_plan_replaces_it(folder: Path, tmp_path: Path) -> None:
    path, _ = saved_value(folder, tmp_path)
    newer = a_plan(folder, ["three.jpg"])
    save_plan(newer, path)
    assert load_plan(path) == newer


def test_a_plan_that_cannot_be_written_is_explained(folder: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "no such folder" / "plan.json", tmp_path):
        with pytest.raises(DedupError) as caught:
            save_plan(a_plan(folder, ["one.jpg"]), place)
        assert caught.value.remedy
