"""Sixty kills, failing steps and signals: a small part of what ``python -m tests.crash`` injects."""

from __future__ import annotations

import errno
import os
import random
import signal

import pytest

from .harness import World, kill_everywhere
from .jobs import JOBS, NAMED
from .steps import Fault

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and POSIX signals, which Windows has not")
VOLUMES = {"same volume": 40, "other volume": 20}


@pytest.mark.parametrize("volume", VOLUMES)
def test_killed_at_any_step_or_instant_no_job_loses_a_picture(worlds: dict[str, World], volume: str) -> None:
    seed = random.randrange(10**6)
    kills = list(kill_everywhere(worlds[volume], VOLUMES[volume], seed))
    assert len(kills) == VOLUMES[volume]
    assert [row for wrong in kills for row in wrong] == [], f"seed {seed}"


@pytest.mark.parametrize("volume", VOLUMES)
def test_a_step_that_fails_loses_no_picture(worlds: dict[str, World], volume: str) -> None:
    world, chance = worlds[volume], random.Random()
    errors = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS]
    for number in range(14):
        job = JOBS[number % len(JOBS)]
        step = chance.randint(1, len(world.reference(job).steps))
        assert world.fail_at(job, step, errors[number % 4], lasting=chance.random() < 0.5) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_at_any_instant_loses_no_picture(worlds: dict[str, World], number: signal.Signals) -> None:
    world = worlds["same volume"]
    for job in JOBS:
        assert world.signal_after(job, random.uniform(0, world.reference(job).seconds), number) == []


def test_the_harness_reaches_every_kind_of_step(worlds: dict[str, World]) -> None:
    # What sixty kills would prove of steps that are never taken is worth nothing.
    taken = {volume: {step for job in JOBS for step in world.reference(job).steps} for volume, world in worlds.items()}
    assert {"rename", "link", "unlink", "mkdir", "rmdir", "sqlite BEGIN", "sqlite COMMIT"} <= taken["same volume"]
    assert {"open for writing", "copyfileobj", "fsync", "copystat"} <= taken["other volume"]
    removal = worlds["same volume"].reference(NAMED["remove"])
    assert removal.steps.count("rename") >= 15, "files do move"


def test_the_harness_sees_a_lost_picture_a_false_row_and_what_is_left_over(worlds: dict[str, World]) -> None:
    world = worlds["same volume"]
    job = NAMED["undo"]
    world.start_from(job)
    before = world._contents()
    assert world.lost(job, before) == world.false_rows() == world.unsound() == []
    trash = next(world.folders[0].glob(".dedup-trash/*"))
    (trash / "1.png").unlink()
    (trash.parent / "20200101-000000-000000-abcd").mkdir()
    (world.folders[0] / ".dedup-part-0123").write_bytes(b"half")
    assert len(world.lost(job, before)) == 1
    assert len(world.false_rows()) == 3
    database = world.folders[0] / "image_database.db"
    data = bytearray(database.read_bytes())
    data[4096:12288] = os.urandom(8192)
    database.write_bytes(bytes(data))
    assert world.unsound()


def test_a_fault_that_is_never_reached_is_said(worlds: dict[str, World]) -> None:
    world = worlds["same volume"]
    world.start_from(NAMED["find"])
    assert world.run(NAMED["find"], Fault(10_000)).code == 0
