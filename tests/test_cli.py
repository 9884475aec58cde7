"""The command line as scripts see it: output, plans, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, committed, detector, resaved, save_picture, tree, wait_until
from PIL import Image

COMMANDS = "index find review remove undo purge clean names status encoders import search dupe".split()


def found(*words: object) -> dict[str, Any]:
    done = detector("find", *words, "--json")
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = detector(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: detector.py {command}")


def test_find_prints_one_object_of_the_promised_shape(indexed: Path) -> None:
    result = found(indexed)
    assert list(result) == [
        "encoder",
        "threshold",
        "folders",
        "pictures",
        "skipped",
        "groups",
        "metric",
        "layer",
        "checkpoint",
    ]
    assert result["encoder"] == "efficientnet-lite0"
    assert result["threshold"] == 0.96
    assert result["folders"] == [str(indexed)]
    assert result["pictures"] == 8
    assert result["skipped"] == []
    assert len(result["groups"]) == 2
    for group in result["groups"]:
        assert list(group) == ["keeper", "others", "kept_because"]
        assert list(group["keeper"]) == ["path", "bytes", "width", "height"]
        for other in group["others"]:
            assert list(other) == ["path", "bytes", "width", "height", "similarity", "tier", "marked", "remark"]
            assert Path(other["path"]).is_absolute()
            assert other["bytes"] == Path(other["path"]).stat().st_size
            assert other["marked"] is True
    tiers = [group["others"][0]["tier"] for group in result["groups"]]
    assert tiers == ["identical file", "same picture"]
    assert result["groups"][1]["others"][0]["remark"].startswith("the same picture")


def test_results_go_to_stdout_and_the_rest_to_stderr(folder: Path) -> None:
    save_picture(folder / "one.jpg", 1)
    done = detector("index", folder)
    assert "1 picture indexed" in done.stdout
    assert "Loading" not in done.stdout
    assert "Loading" in done.stderr


def test_a_plan_is_saved_dry_run_executed_and_undone(indexed: Path, tmp_path: Path) -> None:
    before = tree(indexed)
    plan = tmp_path / "plan.json"
    assert detector("find", indexed, "--save-plan", plan).returncode == 0
    dry = detector("remove", "--plan", plan, "--dry-run")
    assert dry.returncode == 0
    assert dry.stdout.count("would remove ") == 2
    assert tree(indexed) == before
    done = detector("remove", "--plan", plan, "--yes")
    assert done.returncode == 0
    assert "Moved 2 files" in done.stdout
    assert len(tree(indexed)) == 6
    assert detector("undo", indexed).returncode == 0
    assert tree(indexed) == before


def test_undo_of_a_named_run(indexed: Path, tmp_path: Path) -> None:
    before = tree(indexed)
    plan = tmp_path / "plan.json"
    detector("find", indexed, "--mark", "exact", "--save-plan", plan)
    detector("remove", "--plan", plan, "--yes")
    detector("find", indexed, "--save-plan", plan)
    detector("remove", "--plan", plan, "--yes")
    runs = json.loads(detector("status", indexed, "--json").stdout)["folders"][0]["runs"]
    assert len(runs) == 2
    assert detector("undo", indexed, "--run", runs[1]["id"]).returncode == 0
    assert len(tree(indexed)) == 7
    wrong = detector("undo", indexed, "--run", "no-such-run")
    assert wrong.returncode == 1
    assert runs[0]["id"] in wrong.stderr
    assert detector("undo", indexed).returncode == 0
    assert tree(indexed) == before
    nothing = detector("undo", indexed)
    assert nothing.returncode == 1
    assert "is empty" in nothing.stderr


def test_removing_and_purging_without_a_terminal_need_yes(indexed: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    detector("find", indexed, "--save-plan", plan)
    before = tree(indexed)
    refused = detector("remove", "--plan", plan)
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert tree(indexed) == before
    detector("remove", "--plan", plan, "--yes")
    refused = detector("purge", indexed)
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert len(list((indexed / ".dedup-trash").rglob("*.jpg"))) == 2
    assert detector("purge", indexed, "--yes").returncode == 0
    assert not (indexed / ".dedup-trash").exists()
    assert detector("undo", indexed).returncode == 1


def test_a_removal_that_must_stay_is_named_and_the_rest_goes_on(indexed: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    result = found(indexed, "--save-plan", plan)
    keeper = Path(result["groups"][0]["keeper"]["path"])
    keeper.unlink()
    done = detector("remove", "--plan", plan, "--yes")
    assert done.returncode == 3
    assert "its keeper is gone" in done.stdout
    assert Path(result["groups"][0]["others"][0]["path"]).exists()
    assert not Path(result["groups"][1]["others"][0]["path"]).exists()


def test_review_without_a_terminal_shows_the_sets_and_removes_nothing(indexed: Path) -> None:
    before = tree(indexed)
    done = detector("review", indexed)
    assert done.returncode == 0
    assert "Duplicate Set 1 of 2" in done.stdout
    assert "Contact sheet: " in done.stdout
    assert "Nothing was removed" in done.stdout
    assert tree(indexed) == before


def test_unreadable_files_are_listed_by_index_status_and_find(folder: Path) -> None:
    save_picture(folder / "good.jpg", 1)
    broken = folder / "broken.jpg"
    broken.write_bytes((folder / "good.jpg").read_bytes()[:900])
    done = detector("index", folder)
    assert done.returncode == 3
    assert f"{broken}: damaged" in done.stdout
    again = detector("index", folder)
    assert again.returncode == 0, "not tried again until it changes, and so not new trouble"
    assert f"{broken}: damaged" in again.stdout
    status = json.loads(detector("status", folder, "--json").stdout)
    assert [row["path"] for row in status["folders"][0]["unreadable"]] == [str(broken)]
    skipped = found(folder)["skipped"]
    assert [row["path"] for row in skipped] == [str(broken)]
    assert skipped[0]["reason"].startswith("damaged")


def test_files_new_since_the_index_are_skipped_with_that_reason(indexed: Path) -> None:
    save_picture(indexed / "newer.jpg", 50)
    assert found(indexed)["skipped"] == [
        {"path": str(indexed / "newer.jpg"), "reason": "new or changed since it was indexed"}
    ]


def test_keep_all_of_decides_who_loses(indexed: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy2(indexed / "picture 2.jpg", second / "copy.jpg")
    assert detector("index", second).returncode == 0
    for kept, lost in ((indexed, second), (second, indexed)):
        groups = found(indexed, second, "--keep-all-of", kept)["groups"]
        assert [Path(group["keeper"]["path"]).parent for group in groups] == [kept]
        assert [Path(group["others"][0]["path"]).parent for group in groups] == [lost]


def test_an_unindexed_folder_is_one_sentence_and_a_remedy(folder: Path) -> None:
    save_picture(folder / "one.jpg", 1)
    done = detector("find", folder)
    assert done.returncode == 1
    sentence, remedy = done.stderr.splitlines()
    assert sentence == f"{folder} has not been indexed yet."
    assert remedy.startswith("  Run: ")
    fixed = subprocess.run(remedy.removeprefix("  Run: "), shell=True, capture_output=True, text=True)
    assert fixed.returncode == 0, "the remedy works as it is printed"
    assert detector("find", folder).returncode == 0


def test_wrong_usage_ends_with_two() -> None:
    assert detector("find").returncode == 2
    assert detector("remove").returncode == 2
    assert detector("no-such-command").returncode == 2
    assert detector("index", ".", "--encoder", "no-such-encoder").returncode == 2


def test_a_threshold_outside_its_bounds_is_refused(indexed: Path) -> None:
    for wrong in ("-0.5", "nan", "high"):
        done = detector("find", indexed, "--threshold", wrong)
        assert done.returncode == 2
        assert "is not a number from 0 upwards" in done.stderr
    # What is too much depends on the metric of the set that is compared.
    done = detector("find", indexed, "--threshold", "1.5")
    assert done.returncode == 1
    assert "between 0 and 1" in done.stderr


def test_a_plan_is_never_written_over_a_picture(indexed: Path) -> None:
    target = indexed / "picture 0.jpg"
    before = target.read_bytes()
    done = detector("find", indexed, "--save-plan", target)
    assert done.returncode == 1
    assert "is not a plan" in done.stderr
    assert target.read_bytes() == before


def test_names_saves_a_plan_or_removes_with_yes(folder: Path, tmp_path: Path) -> None:
    save_picture(folder / "image.jpg", 1)
    shutil.copy2(folder / "image.jpg", folder / "image (1).jpg")
    save_picture(folder / "image (2).jpg", 2)
    shown = detector("names", folder)
    assert shown.returncode == 0
    assert "image (1).jpg" in shown.stdout
    assert len(tree(folder)) == 3
    assert detector("names", folder, "--save-plan", tmp_path / "plan.json").returncode == 0
    assert detector("remove", "--plan", tmp_path / "plan.json", "--yes").returncode == 0
    assert set(tree(folder)) == {"image.jpg", "image (2).jpg"}
    assert detector("undo", folder).returncode == 0
    assert detector("names", folder, "--yes").returncode == 0
    assert set(tree(folder)) == {"image.jpg", "image (2).jpg"}


def test_clean_forgets_ghosts_only_when_told(indexed: Path) -> None:
    (indexed / "picture 4.jpg").unlink()
    done = detector("clean", indexed)
    assert done.returncode == 0
    assert "ghost rows           1" in done.stdout
    assert "Ghost rows stay" in done.stdout
    assert "8 pictures indexed before, 7 now" in detector("clean", indexed, "--yes").stdout


def test_encoders_lists_the_registry(home: Path) -> None:
    rows = json.loads(detector("encoders", "--json").stdout)
    by_name = {row["name"]: row for row in rows}
    assert {"efficientnet-lite0", "clip-vit-l14", "clip-vit-b32", "dinov3-vitl16"} <= set(by_name)
    assert by_name["efficientnet-lite0"]["found"] is True
    assert by_name["efficientnet-lite0"]["dim"] == 1280
    assert by_name["clip-vit-l14"]["dims"] == {"final": 768, "hidden": 1024}
    assert [name for name, row in by_name.items() if row["text"]] == [
        "clip-vit-l14",
        "clip-vit-b32",
        "siglip-base",
        "siglip-large",
        "siglip2-base",
        "align-base",
        "flava-full",
        "xvlm",
        "laion-vit-h14",
    ]
    table = detector("encoders").stdout
    assert all(name in table for name in by_name)


def test_the_readme_shows_the_encoders_as_they_are() -> None:
    table = detector("encoders", "--markdown").stdout
    shown = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert table == shown.split("<!-- encoders -->\n")[1].split("<!-- /encoders -->")[0]


def test_an_encoder_is_checked_by_trying_it(home: Path) -> None:
    done = detector("encoders", "--check", "pdq")
    assert done.returncode == 0, done.stderr
    assert "pdq: 256 bits" in done.stdout
    assert "pdq works." in done.stdout
    copy, other = (
        float(line.split("similarity ")[1].split(",")[0]) for line in done.stdout.splitlines() if "picture" in line[:30]
    )
    assert copy > 0.9 > other
    missing = detector("encoders", "--check", "dinov3-vitl16", HF_HUB_OFFLINE="1", HF_HOME=str(home))
    assert missing.returncode == 1
    assert "QUICKSTART_DINOV3.md" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_weights_that_are_named_wrongly_are_said_even_when_nothing_is_left_to_encode(indexed: Path) -> None:
    for name, place in (("efficientnet-lite0", "nowhere.pth"), ("clip-vit-b32", "no folder")):
        done = detector("index", indexed, "--encoder", name, "--weights", place)
        assert done.returncode == 1
        assert place in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, which Windows has not")
def test_weights_that_are_a_pipe_are_refused_and_not_waited_for(indexed: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("efficientnet-lite0", "sscd", "clip-vit-b32"):
        done = detector("index", indexed, "--encoder", name, "--weights", tmp_path / "pipe", timeout=30)
        assert done.returncode == 1
        assert "neither a file nor a folder" in done.stderr


def test_both_embeddings_at_once_are_refused_where_one_is_compared_or_imported(indexed: Path) -> None:
    for words in (["find"], ["find", "--encoder", "clip-vit-b32"], ["review", "--encoder", "clip-vit-b32"]):
        done = detector(*words, indexed, "--kind", "both")
        assert done.returncode == 1
        assert "--kind final or --kind hidden" in done.stderr


def test_find_by_weights_that_are_not_there_compares_nothing(indexed: Path) -> None:
    done = detector("find", indexed, "--encoder", "efficientnet-lite0", "--weights", "nowhere.pth")
    assert done.returncode == 1
    assert "nowhere.pth" in done.stderr


# -- fingerprints and colour, from the index to the trash -------------------------------


@pytest.mark.parametrize("name", ["pdq", "dhash", "phash"])
def test_fingerprints_run_through_review_and_removal_as_models_do(folder: Path, tmp_path: Path, name: str) -> None:
    for seed in (2, 3, 5, 6):
        save_picture(folder / f"{seed}.png", seed, (320, 240))
    with Image.open(folder / "3.png") as image:
        image.save(folder / "copy.bmp")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    before = tree(folder)
    assert detector("index", folder, "--encoder", name).returncode == 0
    found_now = found(folder, "--encoder", name)
    assert found_now["metric"] == "hamming"
    (group,) = found_now["groups"]
    names = {Path(row["path"]).name for row in [group["keeper"], *group["others"]]}
    assert names == {"3.png", "copy.bmp", "mirrored.png", "turned.png"}
    assert all(row["bits"] <= found_now["threshold"] for row in group["others"])
    # Somebody may have turned or mirrored it on purpose: such copies are shown, and not marked.
    assert [Path(row["path"]).name for row in group["others"] if row["marked"]] == ["3.png"]
    assert "turned or mirrored" in detector("find", folder, "--encoder", name).stdout
    plan = tmp_path / "plan.json"
    assert detector("find", folder, "--encoder", name, "--save-plan", plan).returncode == 0
    assert detector("remove", "--plan", plan, "--yes").returncode == 0
    assert set(before) - set(tree(folder)) == {"3.png"}
    assert detector("undo", folder).returncode == 0
    assert tree(folder) == before


def test_thresholds_of_fingerprints_are_bits(folder: Path) -> None:
    save_picture(folder / "a.png", 2)
    resaved(folder / "a.png", folder / "b.jpg", 0.5, quality=30)
    assert detector("index", folder, "--encoder", "pdq").returncode == 0
    loose = found(folder, "--encoder", "pdq", "--threshold", "256")
    bits = loose["groups"][0]["others"][0]["bits"]
    assert 0 < bits < 60
    assert found(folder, "--encoder", "pdq", "--threshold", str(bits))["groups"]
    below = found(folder, "--encoder", "pdq", "--threshold", str(bits - 1), "--look-alikes")["groups"]
    assert "look-alike" not in [row["tier"] for group in below for row in group["others"]]
    for wrong in ("257", "0.9"):
        refused = detector("find", folder, "--encoder", "pdq", "--threshold", wrong)
        assert refused.returncode == 1
        assert "whole number of bits from 0 to 256" in refused.stderr


def test_other_parameters_are_another_set(folder: Path) -> None:
    save_picture(folder / "a.png", 1)
    resaved(folder / "a.png", folder / "b.jpg", 0.5, quality=90)
    assert detector("index", folder, "--encoder", "phash").returncode == 0
    fine = "hash_size=16,highfreq_factor=2"
    assert "2 of them now" in detector("index", folder, "--encoder", "phash", "--params", fine).stdout
    assert "0 of them now" in detector("index", folder, "--encoder", "phash").stdout
    assert "hash_size=16" in detector("status", folder).stdout
    found_fine = found(folder, "--encoder", "phash", "--params", fine, "--threshold", "200")
    assert found_fine["threshold"] == 200
    wrong = detector("index", folder, "--encoder", "phash", "--params", "hash_size=999")
    assert wrong.returncode == 1
    assert "from 2 to 32" in wrong.stderr


def test_which_set_is_compared_is_said_and_is_the_one_that_was_asked_for(folder: Path, home: Path) -> None:
    save_picture(folder / "a.png", 1)
    resaved(folder / "a.png", folder / "b.jpg", 0.5, quality=90)
    for parameters in ("hash_size=32", "hash_size=8"):
        assert detector("index", folder, "--encoder", "phash", "--params", parameters).returncode == 0
    assert "phash, threshold 3 of 64 bits" in detector("find", folder, "--encoder", "phash").stdout
    done = detector("find", folder, "--encoder", "phash", "--params", "hash_size=32")
    assert "phash hash_size=32,highfreq_factor=4, threshold 48 of 1024 bits" in done.stdout
    both = detector("find", folder)
    assert "Comparing by Perceptual hash (hash_size=32,highfreq_factor=4); there are also hashes of" in both.stderr
    refused = detector("find", folder, "--encoder", "phash", "--params", "hash_size=20")
    assert "--params" in refused.stderr
    assert "hash_size=20" in refused.stderr
    # A saved threshold that no longer fits the fingerprint is passed over.
    settings = {"encoder": "phash", "encoders": {"phash": {"threshold": 500.0}}}
    (home / "settings.json").write_text(json.dumps(settings))
    assert "threshold 3 of 64 bits" in detector("find", folder, "--encoder", "phash").stdout


def test_what_may_be_marked_is_a_choice_and_a_weak_encoder_never_marks_look_alikes(folder: Path) -> None:
    save_picture(folder / "a.bmp", 3)
    resaved(folder / "a.bmp", folder / "b.jpg", 1.0, quality=90)
    resaved(folder / "a.bmp", folder / "c.png", 1.0)
    shutil.copy2(folder / "a.bmp", folder / "same bytes.bmp")
    with Image.open(folder / "a.bmp") as image:
        # The same colours in another order: the colour histogram sees no difference.
        blocks = [image.crop((x, y, x + 60, y + 60)) for x in (0, 60, 120, 180) for y in (0, 60, 120)]
        for number, block in enumerate(blocks[5:] + blocks[:5]):
            image.paste(block, (number % 4 * 60, number // 4 * 60))
        image.save(folder / "shuffled.png")
    assert detector("index", folder, "--encoder", "color").returncode == 0

    def marked(*options: str) -> dict[str, bool]:
        done = detector("find", folder, "--encoder", "color", "--json", *options)
        assert ("shown unmarked" in done.stderr) == ("all" in options)
        (group,) = json.loads(done.stdout)["groups"]
        return {Path(row["path"]).name: row["marked"] for row in group["others"]}

    exact = {"same bytes.bmp": True, "c.png": True}
    assert marked("--mark", "exact") == {**exact, "b.jpg": False}
    assert marked() == marked("--mark", "same") == marked("--mark", "edited") == {**exact, "b.jpg": True}
    assert marked("--look-alikes") == marked("--mark", "all") == {**exact, "b.jpg": True, "shuffled.png": False}


def test_names_that_could_deceive_are_escaped_on_the_terminal_but_not_in_json(folder: Path) -> None:
    trick = folder / "gpj.\u202eexe\x1b[31m.jpg"
    save_picture(trick, 1)
    shutil.copy2(trick, folder / "copy.jpg")
    assert detector("index", folder).returncode == 0
    shown = detector("find", folder).stdout
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "\\u202e" in shown
    paths = [group["keeper"]["path"] for group in found(folder)["groups"]]
    paths += [other["path"] for group in found(folder)["groups"] for other in group["others"]]
    assert str(trick) in paths


def test_a_name_that_is_not_unicode_goes_all_the_way_and_back(folder: Path, tmp_path: Path) -> None:
    odd = os.fsencode(folder) + b"/caf\xe9.png"
    save_picture(folder / "plain.png", 1)
    try:
        shutil.copy2(folder / "plain.png", os.fsdecode(odd))
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    before = tree(folder)
    assert detector("index", folder).returncode == 0
    assert detector("find", folder, "--save-plan", tmp_path / "plan.json").returncode == 0
    assert detector("remove", "--plan", tmp_path / "plan.json", "--yes").returncode == 0
    assert len(tree(folder)) == 1
    assert detector("undo", folder).returncode == 0
    assert tree(folder) == before


def test_control_c_ends_with_130_and_keeps_the_work(folder: Path) -> None:
    for seed in range(300):
        save_picture(folder / f"{seed}.jpg", seed)
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "detector.py"), "index", str(folder), "--batch-size", "8"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: committed(folder) >= 8, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    rest = detector("index", folder)
    assert rest.returncode == 0
    assert "300 pictures indexed" in rest.stdout
    assert "300 of them now" not in rest.stdout


def test_a_reader_that_goes_away_is_no_traceback(indexed: Path) -> None:
    command = f'"{sys.executable}" "{PROJECT / "detector.py"}" find "{indexed}" --json | true'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_another_process_on_the_same_folder_is_told_so(folder: Path) -> None:
    from dedup.store import folder_lock

    save_picture(folder / "one.jpg", 1)
    with folder_lock(folder):
        done = detector("index", folder)
    assert done.returncode == 1
    assert "Another run of this tool is working on" in done.stderr


def test_purge_with_yes_leaves_what_may_be_the_last_copy(indexed: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    result = found(indexed, "--save-plan", plan)
    assert detector("remove", "--plan", plan, "--yes").returncode == 0
    Path(result["groups"][0]["keeper"]["path"]).unlink()
    done = detector("purge", indexed, "--yes")
    assert done.returncode == 3
    assert "this may be the last copy" in done.stdout
    assert detector("undo", indexed).returncode == 0
    assert Path(result["groups"][0]["others"][0]["path"]).exists()
    assert not Path(result["groups"][1]["others"][0]["path"]).exists()


def test_undo_of_several_folders_goes_on_where_one_trash_is_empty(indexed: Path, tmp_path: Path) -> None:
    before = tree(indexed)
    empty = tmp_path / "empty"
    empty.mkdir()
    plan = tmp_path / "plan.json"
    detector("find", indexed, "--save-plan", plan)
    detector("remove", "--plan", plan, "--yes")
    done = detector("undo", empty, indexed)
    assert done.returncode == 3
    assert "is empty" in done.stderr
    assert tree(indexed) == before
    assert list(empty.iterdir()) == []


def test_a_plan_is_not_written_to_a_device(indexed: Path) -> None:
    done = detector("find", indexed, "--save-plan", "/dev/stdout", timeout=60)
    assert done.returncode == 1
    assert "not a regular file" in done.stderr


def test_a_terminal_that_cannot_show_a_name_gets_an_escape(folder: Path) -> None:
    save_picture(folder / "caf\u00e9 \U0001f600.png", 1)
    shutil.copy2(folder / "caf\u00e9 \U0001f600.png", folder / "copy.png")
    assert detector("index", folder).returncode == 0
    done = detector("find", folder, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\\U0001f600" in done.stdout


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    done = detector(DEDUP_HOME=str(blocked))
    assert done.returncode == 1
    assert "cannot be drawn" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_standard_input_is_not_a_terminal(home: Path) -> None:
    command = f'"{sys.executable}" "{PROJECT / "detector.py"}" <&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "4 sets of duplicates" in done.stdout


def test_a_home_that_cannot_be_written_keeps_nobody_from_removing_and_undoing(indexed: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    before = tree(indexed)
    plan = tmp_path / "plan.json"
    assert detector("find", indexed, "--save-plan", plan, DEDUP_HOME=str(blocked)).returncode == 0
    assert detector("remove", "--plan", plan, "--yes", DEDUP_HOME=str(blocked)).returncode == 0
    assert len(tree(indexed)) == 6
    assert detector("undo", indexed, DEDUP_HOME=str(blocked)).returncode == 0
    assert tree(indexed) == before
