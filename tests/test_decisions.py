"""What a person decided in a review lasts: by content, through crashes, renames and other machines, until undone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, detector, find, index, resaved, save_picture, tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup import console, workflow
from dedup.errors import DedupError
from dedup.keep import KeepRule
from dedup.progress import silent
from dedup.review import ending
from dedup.review.memory import Memory
from dedup.review.session import ReviewSession
from dedup.store import Catalogue, Decision, Verdict, record_not_duplicates
from dedup.workflow import Found

SETS = 4


@pytest.fixture
def library(folder: Path) -> Path:
    """Four sets of a picture and two smaller copies, all of these marked."""
    for seed in range(SETS):
        first = save_picture(folder / f"{seed}.png", seed, (320, 240))
        for name, scale in (("smaller", 0.75), ("small", 0.5)):
            resaved(first, folder / f"{seed} {name}.png", scale)
    index(folder)
    groups = find(folder).groups
    assert [[one.marked for one in group.others] for group in groups] == [[True, True]] * SETS
    return folder


def opened_again(*folders: Path, rule: KeepRule | None = None) -> ReviewSession:
    found = find(*folders, rule=rule or KeepRule())
    return ReviewSession(found, Memory(found))


def names(session: ReviewSession) -> list[tuple[str, set[str]]]:
    """Of each set the keeper and what is to go."""
    return [
        (one.pictures[one.keeper].full_path.name, {one.pictures[number].full_path.name for number in one.marked})
        for one in session.sets
    ]


def test_what_was_decided_is_there_when_the_review_is_opened_again(library: Path) -> None:
    first = opened_again(library)
    assert (first.opening, first.seen) == ("", 0)
    first.toggle(1)
    first.step(1)
    first.make_keeper(2)
    first.step(1)
    decided = names(first)
    # Nothing closes this review: it is as if its process had been killed.
    again = opened_again(library)
    assert names(again) == decided
    assert (again.position, again.seen) == (2, 2)
    assert again.opening.startswith("2 of 4 sets were decided on 2")
    assert again.opening.endswith("continuing at set 3.")
    assert [one.is_as_proposed for one in again.sets] == [False, False, True, True]
    assert again.sets[0].decided_at


def test_the_set_a_review_was_opened_at_is_looked_at_once_it_is_left_or_changed(library: Path) -> None:
    untouched = opened_again(library)
    untouched.close()
    assert opened_again(library).opening == ""
    changed = opened_again(library)
    changed.toggle(1)
    changed.close()
    assert opened_again(library).position == 1
    stepped = opened_again(library)
    stepped.step(99)
    stepped.close()
    assert [one.is_seen for one in opened_again(library).sets] == [True, True, False, True]


def test_when_every_set_was_looked_at_the_review_opens_at_the_first(library: Path) -> None:
    session = opened_again(library)
    while session.step(1):
        pass
    session.close()
    again = opened_again(library)
    assert (again.position, again.seen) == (0, SETS)
    assert again.opening.endswith("every set (4).")


def test_decisions_hold_for_contents_whatever_the_files_are_called(library: Path) -> None:
    session = opened_again(library)
    session.toggle(1)
    session.step(1)
    (library / "elsewhere").mkdir()
    for number, path in enumerate(sorted(library.glob("*.png"))):
        path.rename(library / "elsewhere" / f"renamed {number}.png")
    index(library)
    again = opened_again(library)
    assert again.position == 1
    assert [len(one.marked) for one in again.sets] == [1, 2, 2, 2]


def test_a_set_with_another_picture_starts_as_it_is_proposed(library: Path) -> None:
    session = opened_again(library)
    name = session.current.pictures[0].path
    session.toggle(1)
    session.step(1)
    resaved(library / name, library / "one more.png", 0.7)
    index(library)
    again = opened_again(library)
    assert again.seen == 0
    assert all(one.is_as_proposed for one in again.sets)


def test_not_duplicates_is_kept_when_the_set_is_left_and_can_be_taken_back_in_the_same_review(library: Path) -> None:
    session = opened_again(library)
    session.toggle_not_duplicates()
    session.step(1)
    assert len(find(library).groups) == SETS - 1
    session.step(-1)
    session.toggle_not_duplicates()
    session.close()
    assert len(find(library).groups) == SETS


def test_of_identical_files_the_one_that_was_chosen_goes(folder: Path) -> None:
    save_picture(folder / "a.png", 1)
    for name in ("b.png", "c.png"):
        shutil.copy2(folder / "a.png", folder / name)
    index(folder)
    session = opened_again(folder)
    chosen = session.current.pictures[2].path
    session.make_keeper(2)
    session.close()
    assert names(opened_again(folder))[0][0] == chosen
    # Where they lie is forgotten once they moved: the decision is about so many copies, and is shown again.
    for name in "abc":
        (folder / f"{name}.png").rename(folder / f"{name} moved.png")
    index(folder)
    again = opened_again(folder)
    assert len(again.current.marked) == 2
    assert not again.current.is_seen


def test_the_same_paths_in_a_folder_that_moved_still_tell_identical_files_apart(folder: Path, tmp_path: Path) -> None:
    save_picture(folder / "a.png", 1)
    shutil.copy2(folder / "a.png", folder / "b.png")
    index(folder)
    session = opened_again(folder)
    session.make_keeper(1)
    session.close()
    before = names(session)
    shutil.move(folder, tmp_path / "moved")
    again = opened_again(tmp_path / "moved")
    assert names(again) == before
    assert again.seen == 1


def test_a_folder_that_is_kept_now_keeps_its_pictures_whatever_was_decided(library: Path) -> None:
    session = opened_again(library)
    session.step(1)
    again = opened_again(library, rule=KeepRule((library,)))
    assert not again.plan().removals
    assert again.seen == 0


def test_what_was_carried_out_is_done_with_and_what_was_kept_on_purpose_is_not_proposed(library: Path) -> None:
    session = opened_again(library)
    kept = session.current.pictures[1].full_path
    session.toggle(1)
    session.step(1)
    session.close()
    workflow.remove(session.plan(only_seen=True), silent)
    session.carried_out()
    assert kept.exists()
    again = opened_again(library)
    assert [(len(one.pictures), len(one.marked)) for one in again.sets if one.is_seen] == [(2, 0)]
    # The second set, looked at when the review was closed, is gone from the list: one picture of it is left.
    assert len(again.sets) == SETS - 1
    assert kept not in {Path(row.file.path) for row in again.plan().removals}
    workflow.undo(library, None, silent)
    undone = opened_again(library)
    assert (len(undone.sets), undone.seen, undone.opening) == (SETS, 0, "")
    assert all(one.is_as_proposed for one in undone.sets)


def test_a_removal_that_was_declined_leaves_the_decisions(library: Path) -> None:
    session = opened_again(library)
    session.toggle(1)
    session.step(1)
    session.close()
    session.carried_out()
    assert opened_again(library).seen == 2


def test_reset_is_as_proposed_and_is_kept(library: Path) -> None:
    session = opened_again(library)
    assert "stands as it was proposed" in session.reset()
    session.make_keeper(2)
    session.step(1)
    again = opened_again(library)
    again.step(-1)
    assert "proposed again" in again.reset()
    again.close()
    assert all(one.is_as_proposed for one in opened_again(library).sets)


def test_marks_by_tier_are_kept_without_counting_as_looked_at(library: Path) -> None:
    session = opened_again(library)
    tier = session.tier_meant(1)
    session.unmark_tier(tier)
    again = opened_again(library)
    assert again.totals()[0] == 0
    assert (again.seen, again.position) == (0, 0)


def test_between_two_folders_both_know_and_one_alone_will_do(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    for seed in range(3):
        save_picture(one / f"{seed}.png", seed)
        resaved(one / f"{seed}.png", two / f"{seed}.png", 0.5)
    for folder in (one, two):
        index(folder)
    session = opened_again(one, two)
    session.make_keeper(1)
    session.step(1)
    decided = names(session)
    for folder in (one, two):
        (row,) = [row for row in workflow.list_decided([folder]) if row.what.is_seen]  # type: ignore[union-attr]
        assert row.folders == [folder]
    assert len([row for row in workflow.list_decided([one, two]) if len(row.folders) == 2]) == 1
    with Catalogue(one) as store, store.transaction() as db:
        db.execute("DELETE FROM decisions")
    assert names(opened_again(one, two)) == decided


def test_a_database_that_cannot_be_written_is_told_and_the_review_goes_on(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened_again(library)

    def locked(*_: object) -> None:
        raise DedupError("The database is in use.", "Wait.")

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "keep_outlooks", locked)
        session.toggle(1)
        assert session.step(1)
        assert "in use" in session.trouble
    session.step(1)
    assert session.trouble == ""
    assert opened_again(library).seen == 2


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="needs a display (run under xvfb-run)")
def test_the_window_says_where_it_continues_and_what_was_decided_before(
    library: Path, opened: Callable[..., Any]
) -> None:
    from window_driver import press, texts

    session = opened_again(library)
    session.toggle(1)
    session.step(1)
    window = opened(opened_again(library))
    assert "Duplicate Set 2 of 4" in texts(window)
    assert "1 of 4 sets was decided on 2" in texts(window)
    assert "looked at: 1 of 4" in texts(window)
    press(window, "Home")
    assert "Duplicate Set 1 of 4   (as decided on 2" in texts(window)
    assert "looked at: 2 of 4" in texts(window)
    press(window, "r")
    assert window.session.current.marked == {1, 2}
    assert "as decided" not in texts(window)
    press(window, "End")
    assert "Duplicate Set 4 of 4" in texts(window)
    # Nothing closes this window: the sets that were left are kept all the same.
    assert [(one.is_seen, one.is_as_proposed) for one in opened_again(library).sets] == [
        (True, True),
        (True, True),
        (False, True),
        (False, True),
    ]


# -- the end of a review ----------------------------------------------------------------------


def ended(
    monkeypatch: pytest.MonkeyPatch, found: Found, act: Callable[[ReviewSession], None], *answers: str
) -> tuple[int, list[str]]:
    """(removals, the questions asked) when a person acts in the review and answers what is asked after it."""
    asked: list[str] = []
    waiting = list(answers)

    def choose(message: str, choices: list[tuple[str, str]], default: object = None) -> str:
        asked.append(choices[0][0])
        return waiting.pop(0)

    monkeypatch.setattr(ending, "review", act)
    monkeypatch.setattr(console, "choose", choose)
    _, plan = ending.review_to_plan(found)
    assert not waiting
    return len(plan.removals), asked


def test_sets_that_nobody_looked_at_can_be_left_out(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def two_sets(session: ReviewSession) -> None:
        session.step(1)

    found = find(library)
    assert ended(monkeypatch, found, two_sets, "seen") == (4, ["Only from the sets looked at (4 files)"])
    assert "2 of the 4 sets were not looked at: their 4 files are marked as proposed." in capsys.readouterr().out
    assert ended(monkeypatch, found, lambda session: None, "all")[0] == 8
    turns = iter([lambda session: None, lambda session: session.step(99)])
    # Back in the review the last two sets are looked at as well: nothing is left to ask about.
    assert ended(monkeypatch, found, lambda session: next(turns)(session), "back")[0] == 8


def test_nothing_more_is_asked_when_all_or_none_were_looked_at(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find(library)
    assert ended(monkeypatch, found, lambda session: None) == (8, [])
    assert "4 of the 4 sets were not looked at" in capsys.readouterr().out

    def every_set(session: ReviewSession) -> None:
        while session.step(1):
            pass

    assert ended(monkeypatch, found, every_set) == (8, [])
    assert "not looked at" not in capsys.readouterr().out


# -- listed, taken back -----------------------------------------------------------------------


def decided_in(library: Path) -> None:
    """One verdict and two decisions."""
    session = opened_again(library)
    session.toggle_not_duplicates()
    session.step(1)
    session.toggle(1)
    session.step(1)
    session.close()


def test_decisions_are_listed_with_where_their_pictures_are_now(library: Path) -> None:
    decided_in(library)
    (gone,) = [path for row in workflow.list_decided([library])[:1] for path in row.found[row.files[0][0]]]
    gone.unlink()
    index(library)
    with Catalogue(library) as store:
        store.forget([gone.name])
    done = detector("verdicts", library)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("content no longer here") == 1
    assert '1 called "not duplicates", 2 decided in a review' in done.stdout
    assert done.stdout.count("keeper  ") == 2
    rows = json.loads(detector("verdicts", library, "--json").stdout)
    assert [row["kind"] for row in rows] == ["not duplicates", "reviewed", "reviewed"]
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert all(row["folders"] == [str(library)] for row in rows)
    only = json.loads(detector("verdicts", library, "--json", "--only", "reviewed").stdout)
    assert [row["number"] for row in only] == [2, 3]


def test_decisions_are_taken_back_by_number_and_all_at_once(library: Path) -> None:
    decided_in(library)
    wrong = detector("verdicts", library, "--undo", 1, 9)
    assert wrong.returncode == 1
    assert "number 9; nothing was taken back" in wrong.stderr
    assert len(find(library).groups) == SETS - 1
    done = detector("verdicts", library, "--undo", 1)
    assert "Taken back: 1  not duplicates" in done.stdout
    assert len(find(library).groups) == SETS
    assert opened_again(library).seen == 2
    assert detector("verdicts", library, "--undo").returncode == 1
    assert "Add --yes" in detector("verdicts", library, "--undo", "--all").stderr
    assert detector("verdicts", library, "--undo", "--all", "--yes").returncode == 0
    assert opened_again(library).seen == 0
    assert "Nothing has been decided" in detector("verdicts", library).stdout


# -- as a file --------------------------------------------------------------------------------


def test_decisions_work_for_another_copy_of_the_collection_and_twice_is_once(library: Path, tmp_path: Path) -> None:
    decided_in(library)
    before = names(opened_again(library))
    copy = tmp_path / "another machine"
    copy.mkdir()
    for path in library.glob("*.png"):
        shutil.copy(path, copy / f"my {path.name}")
    index(copy)
    file = tmp_path / "decisions.json"
    assert detector("verdicts", library, "--export", file).returncode == 0
    assert str(library / "0") not in json.dumps(json.loads(file.read_text())["verdicts"]), "verdicts are digests alone"
    first = detector("verdicts", copy, "--import", file)
    assert "1 verdicts and 2 review decisions imported; 0 known already" in first.stdout, first.stderr
    there = opened_again(copy)
    assert [keeper.removeprefix("my ") for keeper, _ in names(there)] == [keeper for keeper, _ in before]
    assert there.seen == 2
    kept = workflow.list_decided([copy])
    again = detector("verdicts", copy, "--import", file)
    assert "0 verdicts and 0 review decisions imported; 3 known already" in again.stdout
    assert workflow.list_decided([copy]) == kept
    assert detector("verdicts", library, "--export", file).returncode == 0, "over a file of its own kind"


def test_a_decision_taken_later_is_not_replaced_by_an_older_one(library: Path) -> None:
    decided_in(library)
    rows = [row.what for row in workflow.list_decided([library])]
    old = [Decision("2001-01-01T00:00:00+00:00", one.is_seen, one.files) for one in rows if isinstance(one, Decision)]
    workflow.import_decided(old, [library])
    assert [row.what for row in workflow.list_decided([library])] == rows


def test_nothing_but_a_file_of_decisions_is_written_over(library: Path, tmp_path: Path) -> None:
    letter = tmp_path / "letter.json"
    letter.write_text('{"dear": "you"}')
    decided_in(library)
    done = detector("verdicts", library, "--export", letter)
    assert done.returncode == 1
    assert letter.read_text() == '{"dear": "you"}'
    assert detector("verdicts", library, "--import", letter).stderr.count("\n") == 2
    assert detector("verdicts", library, "--import", tmp_path / "none.json").returncode == 1


DIGEST = "ab" * 32
WELL = {"decided_at": "2026-01-02T03:04:05+00:00", "copies": {DIGEST: 2}}
rubbish = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([DIGEST, "keeper"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["file", "version", "verdicts", "decisions", "copies", "files", "digest", "role", DIGEST])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=rubbish, at=st.sampled_from(["", "verdicts", "decisions", "copies", "decided_at", "files"]))
def test_rubbish_is_refused_in_one_sentence(tmp_path: Path, value: object, at: str) -> None:
    whole: object = {"file": workflow.exchange.NAME, "version": 1, "verdicts": [], "decisions": []}
    assert isinstance(whole, dict)
    if at in ("verdicts", "decisions"):
        whole[at] = [value]
    elif at in ("copies", "decided_at"):
        whole["verdicts"] = [WELL | {at: value}]
    elif at == "files":
        whole["decisions"] = [{"decided_at": WELL["decided_at"], "seen": True, "files": [value, value]}]
    else:
        whole = value
    file = tmp_path / "rubbish.json"
    file.write_text(json.dumps(whole))
    with pytest.raises(DedupError) as caught:
        workflow.read_decided(file)
    assert "\n" not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"null", b'{"file": 1' + b"0" * 9_999 + b"}"])
def test_what_is_no_json_is_refused_too(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(DedupError, match="not a file of decisions"):
        workflow.read_decided(tmp_path / "file")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(2, 9), min_size=1, max_size=4)))
def test_every_verdict_comes_back_from_a_file_as_it_was(tmp_path: Path, sets: list[dict[bytes, int]]) -> None:
    whats = [Verdict("2026-01-02T03:04:05+00:00", copies) for copies in sets]
    workflow.export_decided([workflow.Decided(one) for one in whats], tmp_path / "file.json")
    assert workflow.read_decided(tmp_path / "file.json") == whats


def test_the_same_verdict_twice_is_one(library: Path) -> None:
    with Catalogue(library) as store:
        assert record_not_duplicates(store, [b"a" * 32, b"b" * 32])
        assert not record_not_duplicates(store, [b"b" * 32, b"a" * 32])
        assert record_not_duplicates(store, [b"b" * 32, b"a" * 32, b"a" * 32])
    assert len(workflow.list_decided([library])) == 2


# -- results of comparing pictures long gone -----------------------------------------------------


def results(folder: Path) -> int:
    with Catalogue(folder) as store:
        return int(next(store.query("SELECT count(*) FROM verifications"))[0])


def test_results_about_pictures_that_are_gone_are_forgotten_by_clean(library: Path) -> None:
    before = results(library)
    assert before
    assert detector("clean", library, "--yes").returncode == 0
    assert results(library) == before, "all its pictures are here"
    for path in library.glob("0*.png"):
        path.unlink()
    detector("clean", library)
    assert results(library) == before, "nobody said that they are gone for good"
    done = detector("clean", library, "--yes")
    assert "Forgot what was found of" in done.stdout
    assert 0 < results(library) < before


def test_results_about_what_lies_in_the_trash_are_kept(library: Path) -> None:
    before = results(library)
    workflow.remove(workflow.plan_marked(find(library)), silent)
    workflow.forget_results(library)
    assert results(library) == before


def test_a_result_about_a_picture_of_another_folder_is_kept(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    save_picture(one / "a.png", 1)
    resaved(one / "a.png", two / "b.png", 0.5)
    for folder in (one, two):
        index(folder)
    find(one, two)
    assert results(one) == results(two) == 1
    assert workflow.forget_results(one) == workflow.forget_results(two) == 0
    (one / "a.png").unlink()
    workflow.forget_ghosts(one)
    assert (workflow.forget_results(one), workflow.forget_results(two)) == (1, 0)


# -- kill -9 ----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal, which Windows has not")
def test_a_review_that_was_killed_continues_where_it_was(indexed: Path, home: Path) -> None:
    import pexpect

    plain = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env = plain | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "DEDUP_HOME": str(home)}
    before = tree(indexed)

    def started() -> pexpect.spawn:
        words = [str(PROJECT / "detector.py"), "review", str(indexed)]
        return pexpect.spawn(sys.executable, words, env=env, encoding="utf-8", timeout=60, dimensions=(60, 160))

    first = started()
    first.expect_exact("Set 1 of 2, 0 looked at, removing 2 files")
    first.send("2\r")
    first.expect_exact("removing 1 file")
    first.send("\r")
    first.expect_exact("Set 2 of 2, 1 looked at")
    first.kill(signal.SIGKILL)
    first.expect(pexpect.EOF)
    first.close()
    second = started()
    second.expect_exact("1 of 2 sets was decided on 2")
    second.expect_exact("continuing at set 2")
    second.expect_exact("removing 1 file")
    second.send("p\r")
    second.expect_exact("as decided on 2")
    second.send("r\r")
    second.expect_exact("removing 2 files")
    second.close(force=True)
    assert tree(indexed) == before
