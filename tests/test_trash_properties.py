"""Whatever lies in the folders, whatever is decided and whatever changes meanwhile: no content is lost."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from conftest import Recorder, contents, find, index, picture, tree
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from PIL import Image

from dedup import workflow
from dedup.keep import KeepRule
from dedup.review.session import ReviewSession
from dedup.trash import Outcome

TRASH = ".dedup-trash"
# Few names and few contents, so that copies, links and clashes are frequent.
PLACES = ["one/a.png", "one/b.png", "one/sub/a.png", "one/sub/c.png", "one/sub/deep/d.png"]
PLACES += ["two/a.png", "two/b.png", "two/sub/a.png", "one/\udce9.png"]
CONTENTS = 6
FOLDERS = [["one"], ["one", "two"], ["two", "one"], ["one", "one/sub"], ["one/sub", "one"], ["one", "one/sub", "two"]]

Files = st.dictionaries(
    st.sampled_from(PLACES),
    st.tuples(st.sampled_from(["file", "file", "file", "hard link", "symlink"]), st.integers(0, 8), st.integers(0, 3)),
    min_size=3,
)
Decisions = st.lists(
    st.tuples(st.sampled_from(["toggle", "toggle", "keeper", "not duplicates", "step"]), st.integers(0, 5)), max_size=12
)
Changes = st.lists(
    st.tuples(
        st.sampled_from(
            ["delete", "overwrite", "overwrite in place", "touch", "symlink", "hard link", "swap", "rename", "new"]
        ),
        st.sampled_from(PLACES),
        st.sampled_from(PLACES),
    ),
    max_size=4,
)


@cache
def content(number: int) -> bytes:
    """Tiny pictures: three looks, each in two encodings whose bytes differ."""
    buffer = io.BytesIO()
    small = picture(number % 3, (40, 30)).resize((16, 12), Image.Resampling.BOX)
    small.save(buffer, "PNG", compress_level=9 if number < 3 else 0)
    return buffer.getvalue()


def build(root: Path, files: dict[str, tuple[str, int, int]]) -> None:
    """Real files, hard links and symlinks; a link whose target is not there yet becomes a file."""
    for folder in ("one/sub/deep", "two/sub", "outside"):
        (root / folder).mkdir(parents=True)
    (root / "outside" / "mine.png").write_bytes(content(0))
    made: list[Path] = []
    for place, (kind, number, age) in sorted(files.items()):
        path = root / place
        target = made[number % len(made)] if made else None
        if kind == "hard link" and target is not None:
            os.link(target, path)
        elif kind == "symlink":
            path.symlink_to(target or root / "outside" / "mine.png")
            continue
        else:
            path.write_bytes(content(number % CONTENTS))
            os.utime(path, ns=(1, (1_700_000_000 + age) * 10**9 + number))
            path.chmod([0o644, 0o600, 0o444, 0o755][age])
        made.append(path)


def change(root: Path, kind: str, place: str, other: str) -> None:
    """What another program may do to the files between the search and the removal."""
    path, target = root / place, root / other
    if kind == "new" and not os.path.lexists(path):
        path.write_bytes(content(1))
    if not path.is_file() or path.is_symlink():
        return
    status = path.stat()
    if kind == "delete":
        path.unlink()
    elif kind == "overwrite":
        path.unlink()
        path.write_bytes(content(5))
    elif kind == "overwrite in place":
        data = bytearray(path.read_bytes())
        data[-1] ^= 0xFF
        path.chmod(0o644)
        path.write_bytes(bytes(data))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif kind == "touch":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    elif kind in ("symlink", "hard link") and target.is_file() and not target.is_symlink() and target != path:
        path.unlink()
        path.symlink_to(target) if kind == "symlink" else os.link(target, path)
    elif kind == "swap" and target.is_file() and not target.is_symlink() and target != path:
        path.rename(path.with_suffix(".swap"))
        target.rename(path)
        path.with_suffix(".swap").rename(target)
    elif kind == "rename" and not os.path.lexists(target):
        path.rename(target)


def decide(session: ReviewSession, decisions: list[tuple[str, int]]) -> None:
    for what, number in decisions:
        if not session.sets:
            return
        chosen = number % len(session.current.pictures)
        if what == "toggle":
            session.toggle(chosen)
        elif what == "keeper":
            session.make_keeper(chosen)
        elif what == "not duplicates":
            session.toggle_not_duplicates()
        else:
            session.step(number - 2)


def everything(root: Path) -> dict[str, tuple[str, int, int] | str]:
    """All files with bytes, times and modes, and all links with their targets; the tool's own left out."""
    found: dict[str, tuple[str, int, int] | str] = dict(tree(root))
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != TRASH]
        for name in [*files, *folders]:
            path = Path(parent, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = f"-> {os.readlink(path)}"
    return found


def digests(root: Path) -> set[str]:
    """The contents of real files outside the trash."""
    return {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*.png")
        if path.is_file() and not path.is_symlink() and TRASH not in path.parts
    }


def undo_all(root: Path, outcome: Outcome) -> None:
    for folder in outcome.moved:
        assert workflow.undo(folder, outcome.run_id, Recorder()).refused == []
    assert not list(root.rglob(TRASH)), "nothing stays in a trash"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=Files,
    folders=st.sampled_from(FOLDERS),
    kept=st.sampled_from([None, 0, 1]),
    threshold=st.sampled_from([0.0, 0.8, 0.98, 1.0]),
    within=st.booleans(),
    decisions=Decisions,
    changes=Changes,
)
def test_no_content_is_ever_lost_and_undo_brings_everything_back(
    files: dict[str, tuple[str, int, int]],
    folders: list[str],
    kept: int | None,
    threshold: float,
    within: bool,
    decisions: list[tuple[str, int]],
    changes: list[tuple[str, str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        build(root, files)
        roots = [root / folder for folder in folders]
        for folder in roots:
            index(folder)
        rule = KeepRule((roots[kept % len(roots)],)) if kept is not None else KeepRule()
        session = ReviewSession(find(*roots, threshold=threshold, within=within, rule=rule))
        decide(session, decisions)
        plan = session.plan()
        for kind, one, two in changes:
            change(root, kind, one, two)
        before, alive = everything(root), digests(root)

        promised = workflow.dry_run(plan, Recorder())
        assert everything(root) == before
        outcome = workflow.remove(plan, Recorder())
        after = everything(root)
        note(f"{len(plan.removals)} planned, {outcome.files} removed, {[row.reason for row in outcome.refused]}")

        gone = {path for path in before if path not in after}
        removed = [row for row in plan.removals if str(Path(row.file.path).relative_to(root)) in gone]
        assert len(removed) == len(gone)
        for row in removed:
            keeper = Path(row.keeper.path)
            assert TRASH not in keeper.parts
            assert hashlib.sha256(keeper.read_bytes()).hexdigest() == row.keeper.digest, "its keeper lives"
        may_be_gone = {row.file.digest for row in removed if row.tier != "identical file"}
        assert alive - digests(root) <= may_be_gone, "only contents that have a keeper of other bytes"
        assert contents(root) >= alive, "and those lie in the trash"
        assert {path: facts for path, facts in before.items() if path not in gone} == after, "the rest is untouched"
        assert outcome.files == len(gone)
        assert len(outcome.refused) == len(plan.removals) - len(gone)
        assert promised.files >= outcome.files
        for protected in rule.protected:
            assert not [path for path in gone if (root / path).is_relative_to(protected)]

        undo_all(root, outcome)
        assert everything(root) == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files=Files, folders=st.sampled_from(FOLDERS), rounds=st.integers(1, 3), changes=Changes)
def test_runs_one_after_the_other_are_undone_in_any_order(
    files: dict[str, tuple[str, int, int]], folders: list[str], rounds: int, changes: list[tuple[str, str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        build(root, files)
        roots = [root / folder for folder in folders]
        alive = digests(root)
        outcomes = []
        for number in range(rounds):
            for folder in roots:
                index(folder)
            plan = workflow.plan_marked(find(*roots, threshold=[1.0, 0.9, 0.0][number], within=True))
            outcomes.append(workflow.remove(plan, Recorder()))
        kept = everything(root)
        for outcome in outcomes:
            for folder in outcome.moved:
                workflow.undo(folder, outcome.run_id, Recorder())
        assert digests(root) == alive
        assert {path: facts for path, facts in everything(root).items() if path in kept} == kept
        assert not list(root.rglob(TRASH))


@pytest.mark.parametrize("strategy", ["none", "first", "second"])
def test_the_examples_do_remove_and_refuse_something(tmp_path: Path, strategy: str) -> None:
    # What the properties above would prove of a tool that never removes anything is worth nothing.
    build(tmp_path, {place: ("file", number % 3, 0) for number, place in enumerate(PLACES)})
    roots = [tmp_path / "one", tmp_path / "two"]
    for folder in roots:
        index(folder)
    rules: dict[str, Callable[[], KeepRule]] = {
        "none": KeepRule,
        "first": lambda: KeepRule((roots[0],)),
        "second": lambda: KeepRule((roots[1],)),
    }
    plan = workflow.plan_marked(find(*roots, threshold=1.0, within=True, rule=rules[strategy]()))
    assert plan.removals
    change(tmp_path, "touch", str(Path(plan.removals[0].file.path).relative_to(tmp_path)), PLACES[0])
    outcome = workflow.remove(plan, Recorder())
    assert outcome.files >= 1
    assert len(outcome.refused) == 1
