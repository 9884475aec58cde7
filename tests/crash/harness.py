"""One world of two folders, jobs broken off in it, and what must hold whatever happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from .jobs import JOBS, NAMED, Job
from .pictures import FIRST, SECOND, build, clear, restore
from .runner import Ended, Runner
from .snapshot import TRASH, Facts, contents, differences, digest, leftovers, snapshot
from .steps import Fault

DATABASE = "image_database.db"


@dataclass(slots=True)
class Reference:
    """What a job does undisturbed: its steps, how long it takes, what the databases say and what lies where."""

    steps: list[str]
    seconds: float
    rows: dict[str, object]
    after: dict[str, Facts]
    plan: object


@dataclass(slots=True)
class Figures:
    """What was injected and what came of it."""

    faults: Counter[str] = field(default_factory=Counter)
    files_at_risk: int = 0
    lost: int = 0
    violations: list[str] = field(default_factory=list)


class World:
    """Two folders in a place of their own, every state of them kept, to start from again and again."""

    def __init__(self, place: Path, runner: Runner, *, other_volume: bool = False) -> None:
        self.place = place
        self.tree = place / "tree"
        self.plan = place / "plan.json"
        self.runner = runner
        self.other_volume = other_volume
        self.figures = Figures()
        self.references: dict[str, Reference] = {}
        clear(self.tree)
        build(self.tree)
        self.untouched = self._facts()
        self._keep(())

    @property
    def folders(self) -> list[Path]:
        """The two folders with pictures."""
        return [self.tree / FIRST, self.tree / SECOND]

    def words(self, job: Job) -> list[str]:
        """The job's command line here."""
        return job.command({"first": str(self.folders[0]), "second": str(self.folders[1]), "plan": str(self.plan)})

    def start_from(self, job: Job) -> None:
        """Bring the folders, the plan and the tool's home into the state the job starts from."""
        state = self._state(job.before)
        restore(state / "tree", self.tree)
        self.plan.unlink(missing_ok=True)
        if (state / "plan.json").exists():
            shutil.copy2(state / "plan.json", self.plan)
        for kept in self.runner.home.iterdir():
            if kept.is_dir():
                shutil.rmtree(kept, ignore_errors=True)  # what was found before must be found again

    def run(self, job: Job, fault: Fault | None = None) -> Ended:
        """Run the job in the state as it is."""
        if self.other_volume:
            fault = fault or Fault()
            fault.other_volume = True
        return self.runner.run(self.words(job), fault)

    def reference(self, job: Job) -> Reference:
        """The job undisturbed, run once."""
        if job.name not in self.references:
            self.start_from(job)
            ended = self.run(job, Fault())
            assert ended.code in (0, 3), ended.said
            self.start_from(job)
            seconds = self.run(job).seconds
            self.references[job.name] = Reference(ended.steps, seconds, self.rows(), self._facts(), self._planned())
        return self.references[job.name]

    # -- faults ---------------------------------------------------------------------------

    def kill_at(self, job: Job, step: int, moment: str) -> list[str]:
        """Kill the job at a step; what does not hold afterwards."""
        name = self.reference(job).steps[step - 1]
        self.start_from(job)
        before = self._contents()
        ended = self.run(job, Fault(step, moment))
        what = f"{job.name}: killed {moment} step {step} ({name})"
        if ended.code != -signal.SIGKILL:
            return self._note("kill at a step", [f"{what}: it was not killed: {ended.code} {ended.said}"])
        return self._note("kill at a step", [f"{what}: {row}" for row in self.check(job, before)])

    def signal_after(self, job: Job, seconds: float, number: int = signal.SIGKILL) -> list[str]:
        """Send the job a signal after a time; what does not hold afterwards."""
        self.reference(job)
        while True:
            self.start_from(job)
            before = self._contents()
            running = self.runner.start(self.words(job), Fault(other_volume=True) if self.other_volume else None)
            time.sleep(seconds)
            in_time = _send(running.pid, number)
            ended = running.wait()
            if in_time and (number != signal.SIGKILL or ended.code == -number):
                break
            seconds *= 0.8  # it had ended already: what was never hit counts for nothing
        name = signal.Signals(number).name
        what = f"{job.name}: {name} after {seconds:.4f} s"
        kind = "kill at a random instant" if number == signal.SIGKILL else f"{name} at a random instant"
        wrong = [f"{what}: {row}" for row in self.check(job, before)]
        if "Traceback" in ended.said:
            wrong.append(f"{what}: a traceback: {ended.said}")
        return self._note(kind, wrong)

    def fail_at(self, job: Job, step: int, error: int, *, lasting: bool) -> list[str]:
        """Let a step of the job (and with ``lasting`` every later one) fail; what does not hold afterwards."""
        name = self.reference(job).steps[step - 1]
        self.start_from(job)
        before = self._contents()
        ended = self.run(job, Fault(step, error=error, lasting=lasting))
        what = f"{job.name}: {os.strerror(error)} at step {step} ({name}){' and later' if lasting else ''}"
        wrong = [f"{what}: {row}" for row in self.check(job, before)]
        if "Traceback" in ended.said or ended.code not in (0, 1, 3):
            wrong.append(f"{what}: ended with {ended.code}: {ended.said}")
        return self._note("failing step", wrong)

    def _note(self, kind: str, wrong: list[str]) -> list[str]:
        self.figures.faults[kind] += 1
        self.figures.files_at_risk += sum(facts.kind == "file" for facts in self.untouched.values())
        self.figures.violations += wrong
        return wrong

    # -- what must hold -------------------------------------------------------------------

    def check(self, job: Job, before: Counter[str]) -> list[str]:
        """Everything that does not hold after the job was broken off; the folders are used up by it."""
        wrong = self.lost(job, before)
        self.figures.lost += len(wrong)
        wrong += self.unsound()
        # Opening again settles what was left open.
        for folder in self.folders:
            self.runner.run(["status", str(folder)])
        wrong += self.false_rows(job)
        if job.frees:
            wrong += [] if job.stops_halfway else self._completed(job)
            return wrong + self.unsound() + self.false_rows(job)
        if job.keeps_names:
            return wrong + self._undone()
        kept = self.place / "kept"
        restore(self.tree, kept)
        plan = self.plan.read_bytes() if self.plan.exists() else None
        wrong += self._undone()
        restore(kept, self.tree)
        if plan is not None:
            self.plan.write_bytes(plan)
        return wrong + self._completed(job) + self._undone()

    def lost(self, job: Job, before: Counter[str]) -> list[str]:
        """The files that are neither in their place nor in a trash, by content."""
        here = self._contents()
        if job.frees:
            outside = contents(self.tree, trash=False)
            gone = {content for content in before if content not in here}
            # Only what has a kept copy may go; of near-duplicates the keeper has other bytes.
            keepers = {row.keeper for row in self._journal() if row.state in ("purged", "moved")}
            dead = [str(keeper) for keeper in keepers if not keeper.exists()]
            small = {row.digest for row in self._journal() if row.tier != "identical file"}
            return [f"content lost: {content}" for content in gone - small - set(outside)] + dead
        if job.keeps_names:  # a second name of a picture kept comes and goes; what counts is that each content is there
            return [f"content lost: {content}" for content in before if content not in here]
        return [f"content lost: {content} x {count}" for content, count in (before - here).items()]

    def unsound(self) -> list[str]:
        """What SQLite says is wrong with the databases."""
        wrong = []
        for folder in self.folders:
            if (folder / DATABASE).exists():
                wrong += [f"{folder.name}: {row}" for row in _unsound(folder / DATABASE)]
        return wrong

    def false_rows(self, job: Job | None = None) -> list[str]:
        """What rows claim and the disk denies, and what of an interrupted run still lies about."""
        wrong = [f"left over: {path}" for path in leftovers(self.tree)]
        for folder in self.folders:
            for path, state, content in _pictures(folder):
                place = folder / path
                if state == "ok" and (not place.is_file() or digest(place) != content):
                    wrong.append(f"{place!r} is not as its row says")
                if state == "trash" and os.path.lexists(place) and not (job and job.keeps_names):
                    wrong.append(f"{place!r} is in its place, its row says in the trash")
        for row in self._journal():
            if row.state in ("planned", "restoring", "purging"):
                wrong.append(f"{row.place!r} is still {row.state}")
            if row.state == "moved" and (not row.trash.is_file() or digest(row.trash) != row.digest):
                wrong.append(f"{row.trash!r} is not in the trash, its row says so")
        return wrong

    def _completed(self, job: Job) -> list[str]:
        """Run the job again: what differs from what it does undisturbed."""
        reference = self.reference(job)
        ended = self.run(job)
        if ended.code not in (0, 1, 3) or "Traceback" in ended.said:
            return [f"the next run ended with {ended.code}: {ended.said}"]
        wrong = [f"the next run did not complete it: {row}" for row in differences(reference.after, self._facts())]
        if self.rows() != reference.rows:
            wrong.append(f"the next run left other rows: {_unlike(reference.rows, self.rows())}; it said {ended.said}")
        if self._planned() != reference.plan:
            wrong.append("the next run made another plan")
        return wrong

    def _undone(self) -> list[str]:
        """Undo every run: what differs from the folders as they were at first."""
        for _ in range(9):
            if not any((folder / TRASH).exists() for folder in self.folders):
                break
            ended = self.run(NAMED["undo"])
        else:
            return [f"undo does not empty the trash: {ended.said}"]
        return [f"after undo {row}" for row in differences(self.untouched, self._facts())]

    def rows(self) -> dict[str, object]:
        """What the databases know of the pictures and of the trash, without what differs from run to run."""
        known: dict[str, object] = {}
        for folder in self.folders:
            for path, state, content in _pictures(folder):
                known[f"{folder.name}/{path}"] = (state, content, _vectors(folder, path))
        known["moved"] = sorted((str(row.place), row.digest) for row in self._journal() if row.state == "moved")
        return known

    # -- inside ---------------------------------------------------------------------------

    def _facts(self) -> dict[str, Facts]:
        found = snapshot(self.tree)
        if self.other_volume:
            # A copy on another volume is a file of its own: hard links end there, nothing else does.
            return {path: Facts(one.kind, one.content, one.mode, one.mtime_ns, 1) for path, one in found.items()}
        return found

    def _contents(self) -> Counter[str]:
        return contents(self.tree, trash=False) + contents(self.tree, trash=True)

    def _planned(self) -> object:
        if not self.plan.exists():
            return None
        try:
            plan = json.loads(self.plan.read_text())
        except ValueError:
            return "damaged"
        return sorted((row["file"]["path"], row["keeper"]["path"]) for row in plan["removals"])

    def _journal(self) -> list[Row]:
        return [row for folder in self.folders for row in _journal(folder)]

    def _state(self, done: tuple[str, ...]) -> Path:
        kept = self.place / "states" / ("-".join(done).replace(" ", "_") or "untouched")
        if not kept.exists():
            job = NAMED[done[-1]]
            self.start_from(job)
            ended = self.run(job)
            assert ended.code in (0, 3), ended.said
            self._keep(done)
        return kept

    def _keep(self, done: tuple[str, ...]) -> None:
        kept = self.place / "states" / ("-".join(done).replace(" ", "_") or "untouched")
        clear(kept)
        restore(self.tree, kept / "tree")
        if self.plan.exists():
            shutil.copy2(self.plan, kept / "plan.json")


def _unsound(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        try:
            rows = [str(row[0]) for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
            return rows + [f"foreign key: {row}" for row in database.execute("PRAGMA foreign_key_check")]
        except sqlite3.DatabaseError as problem:
            return [str(problem)]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a journal."""

    place: Path
    trash: Path
    state: str
    digest: str
    keeper: Path
    tier: str


def _journal(folder: Path) -> Iterator[Row]:
    sql = "SELECT path, trash_path, state, digest, keeper, tier FROM journal"
    for path, trash, state, content, keeper, tier in _query(folder, sql):
        places = folder / os.fsdecode(path), folder / os.fsdecode(trash)
        yield Row(*places, state, content.hex(), Path(os.fsdecode(keeper)), tier)


def _pictures(folder: Path) -> Iterator[tuple[str, str, str]]:
    for path, state, content in _query(folder, "SELECT path, state, digest FROM pictures"):
        yield os.fsdecode(path), state, content.hex() if content else ""


def _vectors(folder: Path, path: str) -> int:
    sql = "SELECT count(*) FROM embeddings e JOIN pictures p ON p.id = e.picture_id WHERE p.path IN (?, ?)"
    return int(_query(folder, sql, (os.fsencode(path), path if path.isprintable() or "\n" in path else ""))[0][0])


def _query(folder: Path, sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:  # type: ignore[type-arg]
    if not (folder / DATABASE).exists():
        return []
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        try:
            return list(database.execute(sql, values))
        except sqlite3.OperationalError as problem:
            if "no such table" in str(problem):
                return []  # broken off before the tables were made
            raise


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _unlike(expected: dict[str, object], found: dict[str, object]) -> list[object]:
    keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    return [(key, expected.get(key), found.get(key)) for key in keys[:3]]


def kill_everywhere(world: World, kills: int, seed: int, *, at_random: float = 0.4) -> Iterator[list[str]]:
    """Kill every job at its steps, before and after each, and at random instants; what was wrong, kill by kill.

    Where there are more steps than kills, the steps are drawn; where fewer, there are more random instants.
    """
    chance = random.Random(seed)
    steps = [
        (job, number, moment)
        for job in JOBS
        for number, name in enumerate(world.reference(job).steps, 1)
        for moment in (("before", "middle", "after") if name == "copyfileobj" else ("before", "after"))
    ]
    wanted = min(len(steps), kills - round(kills * at_random))
    for job, number, moment in sorted(chance.sample(steps, wanted), key=lambda row: (row[0].name, row[1])):
        yield world.kill_at(job, number, moment)
    for turn in range(kills - wanted):
        job = JOBS[turn % len(JOBS)]
        yield world.signal_after(job, chance.uniform(0.0, world.reference(job).seconds * 1.05))
