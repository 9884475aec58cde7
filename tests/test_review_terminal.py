"""Review in the terminal: one-line commands that decide exactly what the window would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import resaved, save_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from review_sets import found_of

from dedup import console
from dedup.console import Back
from dedup.review.session import ReviewSession
from dedup.review.terminal import HELP, apply, describe, review_in_terminal, tier_named
from dedup.tiers import EDITED, IDENTICAL, LOOK_ALIKE, SAME_PICTURE, SAME_PIXELS, TIERS
from dedup.wording import how_similar


@pytest.fixture
def session(folder: Path) -> ReviewSession:
    """Three sets, largest picture first: two of three pictures, one of two."""
    sets = []
    for seed, (name, size) in enumerate([("a", (240, 180)), ("b", (160, 120)), ("c", (80, 60))]):
        first = save_picture(folder / f"{name}.jpg", seed, size)
        resaved(first, folder / "sub" / f"{name} small.jpg", 0.5)
        resaved(first, folder / f"{name} tiny.jpg", 0.25)
        sets.append([f"{name}.jpg", f"sub/{name} small.jpg", f"{name} tiny.jpg"])
    return ReviewSession(found_of(folder, [*sets[:2], sets[2][:2]]))


def go_to_set_of(session: ReviewSession, name: str) -> None:
    session.step(-99)
    while session.current.pictures[0].full_path.name != f"{name}.jpg":
        assert session.step(1)


def answers(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> list[str]:
    """Let the user type these lines; the questions asked are collected."""
    waiting: Iterator[str | type[BaseException]] = iter(lines)
    asked: list[str] = []

    def ask_line(message: str, default: str = "") -> str:
        asked.append(message)
        line = next(waiting)
        if not isinstance(line, str):
            raise line
        return line

    monkeypatch.setattr(console, "ask_line", ask_line)
    return asked


def state(session: ReviewSession) -> list[tuple[int, set[int], bool]]:
    return [(one.keeper, set(one.marked), one.not_duplicates) for one in session.sets]


def removed(session: ReviewSession) -> set[str]:
    return {Path(row.file.path).name for row in session.plan().removals}


def test_numbers_switch_between_keep_and_remove(session: ReviewSession) -> None:
    go_to_set_of(session, "a")
    assert "stays" in (apply(session, "2") or "")
    assert session.current.marked == {2}
    assert (apply(session, "2 3") or "").count("\n") == 1
    assert session.current.marked == {1}


def test_k_makes_a_picture_the_keeper(session: ReviewSession) -> None:
    go_to_set_of(session, "a")
    assert "keeper" in (apply(session, "k 2") or "")
    assert (session.current.keeper, session.current.marked) == (1, {0, 2})
    assert apply(session, "K 3")
    assert session.current.keeper == 2


def test_n_calls_a_set_not_duplicates_and_takes_it_back(session: ReviewSession) -> None:
    apply(session, "n")
    assert session.current.not_duplicates
    apply(session, "N")
    assert not session.current.not_duplicates


def test_p_and_g_move_and_say_only_where_they_end(session: ReviewSession) -> None:
    assert apply(session, "g 3") is None
    assert session.position == 2
    assert apply(session, "p") is None
    assert session.position == 1
    assert apply(session, "g 1") is None
    assert session.position == 0
    assert apply(session, "p") == "This is the first set."
    assert session.position == 0


@pytest.mark.parametrize(("command", "position"), [("g 0", 0), ("g 99", 2), ("g 2", 1)])
def test_going_to_a_set_that_is_not_there_stops_at_the_ends(
    session: ReviewSession, command: str, position: int
) -> None:
    session.step(1)
    apply(session, command)
    assert session.position == position


NONSENSE = "x|1 x|-1|1.5|1,2|k|k 0|k 4|k x|k 1 2|k2|g|g x|g -1|p 1|n n|'|\"2|2 '|yes|delete all|\u00b2|rm -rf /"


@pytest.mark.parametrize("nonsense", NONSENSE.split("|"))
def test_nonsense_shows_the_help_and_decides_nothing(session: ReviewSession, nonsense: str) -> None:
    go_to_set_of(session, "a")
    before, position = state(session), session.position
    assert apply(session, nonsense) == HELP
    assert (state(session), session.position) == (before, position)


@pytest.mark.parametrize("number", ["0", "4", "99", "1 99"])
def test_a_number_no_picture_has_is_answered_with_those_there_are(session: ReviewSession, number: str) -> None:
    go_to_set_of(session, "a")
    before = state(session)
    assert apply(session, number) == "This set has the pictures 1 to 3."
    assert state(session) == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    command=st.text("kgpn 0123'\"x-", max_size=8)
    | st.text(max_size=5)
    | st.builds("{} {}".format, st.sampled_from("fmu"), st.sampled_from(["all", "edited", "pixels", "picture", ""]))
)
def test_whatever_is_typed_the_rules_hold(session: ReviewSession, command: str) -> None:
    apply(session, command)
    for one in session.sets:
        assert one.kept
        assert one.keeper in one.kept
    assert len(session.plan().removals) == sum(len(one.marked) for one in session.sets)


def test_a_set_is_described_with_numbers_decisions_and_facts(session: ReviewSession, folder: Path) -> None:
    go_to_set_of(session, "a")
    apply(session, "3")
    lines = describe(session).splitlines()
    assert lines[0] == f"Duplicate Set {session.position + 1} of 3"
    assert len(lines) == 4
    for number, (line, picture) in enumerate(zip(lines[1:], session.current.pictures, strict=True), 1):
        assert line.split()[0] == str(number)
        assert str(picture.full_path) in line
        assert f"{picture.width} x {picture.height}" in line
    assert [line.split()[1] for line in lines[1:]] == ["keep", "remove", "keep"]
    assert "the keeper" in lines[1]
    assert how_similar(session.match(1)) in lines[2]


def test_a_set_called_not_duplicates_is_described_as_such(session: ReviewSession) -> None:
    apply(session, "n")
    text = describe(session)
    assert "not duplicates" in text
    assert "remove" not in text


def test_a_name_with_control_characters_cannot_write_to_the_terminal(folder: Path) -> None:
    first = save_picture(folder / "a.jpg", 1)
    resaved(first, folder / "a\x1b[2J\nkeep.jpg", 0.5)
    text = describe(ReviewSession(found_of(folder, [["a.jpg", "a\x1b[2J\nkeep.jpg"]])))
    assert "\x1b" not in text
    assert len(text.splitlines()) == 3


def test_enter_goes_through_all_sets_and_ends_after_the_last(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proposed = removed(session)
    asked = answers(monkeypatch, "", "", "")
    review_in_terminal(session)
    assert [f"Set {number} of 3" in message for number, message in enumerate(asked, 1)] == [True, True, True]
    shown = capsys.readouterr().out
    assert [shown.count(f"Duplicate Set {number} of 3") for number in (1, 2, 3)] == [1, 1, 1]
    assert removed(session) == proposed == {"a small.jpg", "a tiny.jpg", "b small.jpg", "b tiny.jpg", "c small.jpg"}


def test_a_whole_review_ends_in_the_plan_that_was_typed(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order = [one.pictures[0].full_path.name for one in session.sets]
    number = {name: str(order.index(f"{name}.jpg") + 1) for name in "abc"}
    names = [picture.full_path.name for picture in session.sets[order.index("a.jpg")].pictures]
    small = str(names.index("a small.jpg") + 1)
    asked = answers(
        monkeypatch,
        *(f"g {number['a']}", "what?", f"k {small}"),
        *(f"g {number['b']}", "n"),
        *(f"g {number['c']}", "2", "2", "1"),
        "d",
    )
    review_in_terminal(session)
    assert removed(session) == {"a.jpg", "a tiny.jpg", "c small.jpg"}
    keepers = {Path(row.file.path).name: Path(row.keeper.path).name for row in session.plan().removals}
    assert keepers == {"a.jpg": "a small.jpg", "a tiny.jpg": "a small.jpg", "c small.jpg": "c.jpg"}
    assert [one.not_duplicates for one in session.sets] == [name == "b.jpg" for name in order]
    shown = capsys.readouterr().out
    assert shown.count(HELP) == 2, "at the start and for the nonsense"
    assert "always stays" in shown
    files, _ = session.totals()
    assert f"removing {files} files" in asked[-1]


def test_the_running_count_follows_every_decision(session: ReviewSession, monkeypatch: pytest.MonkeyPatch) -> None:
    go_to_set_of(session, "a")
    asked = answers(monkeypatch, "2", "2", "n", "d")
    review_in_terminal(session)
    counts = [message.split("removing ")[1].split(" (")[0] for message in asked]
    assert counts == ["5 files", "4 files", "5 files", "3 files"]


@pytest.mark.parametrize("word", ["d", "done"])
def test_done_ends_at_any_set(session: ReviewSession, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    asked = answers(monkeypatch, "", word)
    review_in_terminal(session)
    assert len(asked) == 2


def test_ctrl_c_gives_the_review_up(session: ReviewSession, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "2", Back)
    with pytest.raises(Back):
        review_in_terminal(session)


# -- tiers ------------------------------------------------------------------------------------


@pytest.fixture
def tiered(folder: Path) -> ReviewSession:
    """Three sets: a re-saved and a mirrored copy, a re-saved copy, two edits; only "same picture" is proposed."""
    for seed, name in enumerate("abcdefg"):
        save_picture(folder / f"{name}.jpg", seed, (60, 40))
    sets = [
        ["a.jpg", ("b.jpg", SAME_PICTURE, "the same picture, 50 % size"), ("c.jpg", EDITED, "mirrored")],
        ["d.jpg", ("e.jpg", SAME_PICTURE, "")],
        ["f.jpg", ("g.jpg", EDITED, "differs in the lower third")],
    ]
    return ReviewSession(found_of(folder, sets, marked=[SAME_PICTURE]))


def test_each_picture_is_described_with_its_tier_and_why(tiered: ReviewSession) -> None:
    lines = describe(tiered).splitlines()
    assert len(lines) == 4
    assert "same picture" in lines[2]
    assert "50 % size" in lines[2]
    assert "edited" in lines[3]
    assert "mirrored" in lines[3]


def test_f_shows_only_the_sets_with_a_tier_and_f_all_shows_all(tiered: ReviewSession) -> None:
    before = state(tiered)
    tiered.step(1)
    message = apply(tiered, "f edited")
    assert message is not None
    assert "2 pictures in 2 sets" in message
    assert tiered.position == 0
    assert describe(tiered).splitlines()[0] == "Duplicate Set 1 of 2 (edited only)"
    assert apply(tiered, "p") == 'This is the first set with the tier "edited"; F shows others.'
    assert apply(tiered, "g 2") is None
    assert tiered.position == 2, "the second of those shown"
    assert "all sets" in (apply(tiered, "f all") or "")
    assert describe(tiered).splitlines()[0] == "Duplicate Set 3 of 3"
    assert state(tiered) == before


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("identical", IDENTICAL),
        ("identical-file", IDENTICAL),
        ("identical file", IDENTICAL),
        ("file", IDENTICAL),
        ("pixels", SAME_PIXELS),
        ("samepixels", SAME_PIXELS),
        ("same-picture", SAME_PICTURE),
        ("same_picture", SAME_PICTURE),
        ("Picture", SAME_PICTURE),
        ("edited", EDITED),
        ("edit", EDITED),
        ("look-alike", LOOK_ALIKE),
        ("lookalike", LOOK_ALIKE),
        ("look", LOOK_ALIKE),
        ("same", None),
        ("e", None),
        ("", None),
        ("all", None),
        ("everything", None),
    ],
)
def test_a_tier_is_known_by_any_name_that_means_only_one(name: str, tier: str | None) -> None:
    assert tier_named(name) == tier


def test_every_tier_is_known_by_its_own_name() -> None:
    assert [tier_named(tier) for tier in TIERS] == list(TIERS)


@pytest.mark.parametrize("command", ["f", "f same", "m", "m all", "u", "m nothing", "u 2"])
def test_without_a_tier_that_is_known_those_there_are_are_listed(tiered: ReviewSession, command: str) -> None:
    before, where = state(tiered), tiered.where
    message = apply(tiered, command) or ""
    assert "same picture: 2 pictures in 2 sets" in message
    assert "edited: 2 pictures in 2 sets" in message
    assert (state(tiered), tiered.where) == (before, where)


def test_a_tier_that_does_not_occur_is_refused(tiered: ReviewSession) -> None:
    before = state(tiered)
    for command in ("f pixels", "m pixels", "u pixels"):
        assert "No picture" in (apply(tiered, command) or "")
    assert (state(tiered), tiered.where) == (before, "1 of 3")


def test_m_marks_all_of_a_tier_and_u_unmarks_it(tiered: ReviewSession) -> None:
    assert removed(tiered) == {"b.jpg", "e.jpg"}
    assert "2 pictures in 2 sets" in (apply(tiered, "m edited") or "")
    assert removed(tiered) == {"b.jpg", "c.jpg", "e.jpg", "g.jpg"}
    assert "2 pictures in 2 sets" in (apply(tiered, "u same picture") or "")
    assert removed(tiered) == {"c.jpg", "g.jpg"}


def test_enter_after_the_last_set_of_a_tier_does_not_end_the_review(
    tiered: ReviewSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answers(monkeypatch, "f edited", "", "", "", "f all", "")
    review_in_terminal(tiered)
    assert [message.split(",")[0] for message in asked] == [
        "Set 1 of 3",
        "Set 1 of 2 (edited only)",
        "Set 2 of 2 (edited only)",
        "Set 2 of 2 (edited only)",
        "Set 2 of 2 (edited only)",
        "Set 3 of 3",
    ]
    shown = capsys.readouterr().out
    assert shown.count("f all for the rest") == 2
    assert "the last set" in shown
