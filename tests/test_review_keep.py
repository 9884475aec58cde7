"""The reviewers say why the keeper is the one, and that a person chose it where one did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from review_sets import found_of, three_sizes

from dedup.review import captions
from dedup.review.session import ReviewSession
from dedup.review.terminal import describe


def session_of(folder: Path, reason: str) -> ReviewSession:
    found = found_of(folder, [three_sizes(folder, 1, "a")])
    found.groups = [replace(group, reason=reason) for group in found.groups]
    return ReviewSession(found)


def test_the_keeper_is_shown_with_what_decided(folder: Path) -> None:
    session = session_of(folder, "more pixels, then older file")
    assert captions.keeper_reasons(session.current, 60, 4) == ["KEEPER   kept: more pixels, then older file"]
    assert "the keeper, kept: more pixels, then older file" in describe(session)


def test_another_keeper_is_a_persons_choice_until_the_first_is_the_keeper_again(folder: Path) -> None:
    session = session_of(folder, "larger file")
    session.make_keeper(1)
    assert captions.keeper_reasons(session.current, 60, 4) == ["KEEPER   kept: your choice"]
    assert "the keeper, kept: your choice" in describe(session)
    session.make_keeper(0)
    assert session.current.kept_because == "larger file"


def test_a_long_reason_takes_rows_of_its_own_and_a_set_without_one_none(folder: Path) -> None:
    one = session_of(folder, "in the protected folder, then clearly more pixels, then older file").current
    rows = captions.rows_for(one, [], 24)
    assert 1 < rows <= captions.MOST_ROWS
    assert all(len(line) <= 24 for line in captions.keeper_reasons(one, 24, rows))
    one.reason = ""
    assert captions.keeper_reasons(one, 24, 4) == ["KEEPER"]
    assert captions.rows_for(one, [], 24) == 1
