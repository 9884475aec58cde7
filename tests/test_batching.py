"""Batches that fit the device: halved when memory runs out, their size found by doubling and remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FAKE, FAST, FakeEncoder, Recorder, save_picture

from dedup import batching, workflow
from dedup.batching import BatchEncoder, batch_size_for, is_out_of_memory
from dedup.errors import DedupError

NEVER = 1 << 30


class Clock:
    """A time that only the fake device lets pass, so that a busy machine does not decide a test."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


CLOCK = Clock()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "time", CLOCK)


@dataclass
class Device(FakeEncoder):
    """An encoder on a device with room for ``room`` pictures that takes as long for any number up to ``wide``.

    Beyond, twice as many pictures take four times as long.
    """

    device: str = "fake"
    room: int = NEVER
    wide: int = NEVER
    seconds: float = 0.01
    sleep: Callable[[float], None] = CLOCK.sleep
    error: Callable[[], BaseException] = lambda: RuntimeError("out of memory")
    sizes: list[int] = field(default_factory=list)

    def encode(self, batch: Any) -> np.ndarray:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise self.error()
        self.sleep(self.seconds * max(1, len(batch) / self.wide) ** 2)
        return super().encode(batch)


def pixels(count: int) -> np.ndarray:
    """(count, 3, 4, 4) uint8, every picture another."""
    chance = np.random.default_rng(count)
    return chance.integers(0, 256, size=(count, 3, 4, 4), dtype=np.uint8)


def on_disk(home: Path) -> Any:
    return json.loads((home / "batch_sizes.json").read_text(encoding="utf-8"))


# -- what says that memory ran out ------------------------------------------------------


def cuda_error() -> Exception:
    return RuntimeError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB "
        "of which 1.02 GiB is free."
    )


def cuda_error_of_the_driver() -> Exception:
    return RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported.")


def cublas_error() -> Exception:
    return RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def torch_error() -> Exception:
    return torch.OutOfMemoryError("Tried to allocate 2.00 GiB: out of memory.")


def error_of_the_cpu() -> Exception:
    """What torch itself raises where the memory of this machine is not enough."""
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as problem:
        return problem
    raise AssertionError("an exbibyte was free")


ERRORS = [cuda_error, cuda_error_of_the_driver, cublas_error, torch_error, error_of_the_cpu, MemoryError]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_form_of_the_error_is_known(error: Callable[[], Exception]) -> None:
    assert is_out_of_memory(error())


@pytest.mark.parametrize("text", ["mat1 and mat2 shapes cannot be multiplied", "CUDA error: device-side assert", ""])
def test_another_error_is_not_taken_for_a_lack_of_memory(text: str) -> None:
    assert not is_out_of_memory(RuntimeError(text))
    encoder = Device(room=0, error=lambda: RuntimeError(text))
    with pytest.raises(RuntimeError) as problem:
        BatchEncoder(encoder, Recorder())(pixels(4))
    assert str(problem.value) == text
    assert encoder.sizes == [4]
    with pytest.raises(RuntimeError):
        batch_size_for(encoder, 4)


# -- halving ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_batch_too_large_is_halved_and_no_picture_is_lost_or_out_of_order(error: Callable[[], Exception]) -> None:
    encoder, report = Device(room=3, error=error), Recorder()
    encode = BatchEncoder(encoder, report)
    given = pixels(11)
    np.testing.assert_array_equal(encode(given), FakeEncoder().encode(torch.from_numpy(given)))
    # 11 and 5 fail once; from then on no batch is larger than what was seen to fit.
    assert encoder.sizes == [11, 5, 2, 2, 2, 2, 2, 1]
    assert [notice.split(": ")[1] for notice in report.notices] == [
        "going on with 5 pictures at once.",
        "going on with 2 pictures at once.",
    ]
    encode(pixels(5))
    assert encoder.sizes[8:] == [2, 2, 1]


def test_without_a_lack_of_memory_a_batch_goes_as_it_is() -> None:
    encoder, report = Device(), Recorder()
    encode = BatchEncoder(encoder, report)
    for count in (5, 1, 9):
        assert encode(pixels(count)).shape == (count, FAKE.width)
    assert encoder.sizes == [5, 1, 9]
    assert report.events == []


def test_what_was_encoded_before_memory_ran_out_is_kept() -> None:
    @dataclass
    class Filling(Device):
        """A device that others fill up while it works."""

        def encode(self, batch: Any) -> np.ndarray:
            self.room = 4 if self.encoded < 4 else 1
            return super().encode(batch)

    encoder = Filling()
    given = pixels(8)
    np.testing.assert_array_equal(
        BatchEncoder(encoder, Recorder())(given), FakeEncoder().encode(torch.from_numpy(given))
    )
    assert encoder.sizes == [8, 4, 4, 2, 1, 1, 1, 1]
    assert encoder.encoded == 8, "no picture is encoded twice"


def test_a_single_picture_too_large_is_an_error_with_a_remedy() -> None:
    encoder = Device(room=0)
    with pytest.raises(DedupError, match="not enough memory") as problem:
        BatchEncoder(encoder, Recorder())(pixels(4))
    assert encoder.sizes == [4, 2, 1]
    assert problem.value.remedy


# -- the size that is found -------------------------------------------------------------


def test_on_a_cpu_the_size_is_the_encoders_own_and_nothing_is_tried(home: Path) -> None:
    encoder = Device(device="cpu")
    assert batch_size_for(encoder, 24) == 24
    assert encoder.sizes == []
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "room", "size"),
    [(8, 8, 8), (8, 15, 8), (8, 16, 16), (8, 100, 64), (24, 100, 96), (1, 3, 2), (64, NEVER, 1024), (24, NEVER, 768)],
)
def test_the_size_is_the_largest_doubling_that_fits(start: int, room: int, size: int) -> None:
    encoder = Device(room=room)
    assert batch_size_for(encoder, start) == size
    assert max(encoder.sizes) <= batching.MOST_AT_ONCE
    assert {tried // start for tried in encoder.sizes} <= {2**power for power in range(11)}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_whatever_form_the_error_takes_the_doubling_ends(error: Callable[[], Exception]) -> None:
    assert batch_size_for(Device(room=40, error=error), 8) == 32


def test_the_first_size_stands_where_even_that_is_too_much() -> None:
    encoder = Device(room=3)
    assert batch_size_for(encoder, 8) == 8
    assert encoder.sizes == [8]


def test_the_size_is_doubled_no_further_than_it_makes_it_faster() -> None:
    encoder = Device(wide=32)
    assert batch_size_for(encoder, 4) == 32
    assert max(encoder.sizes) == 64


def test_it_is_real_time_that_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "time", time)
    encoder = Device(wide=8, room=32, seconds=0.03, sleep=time.sleep)
    assert batch_size_for(encoder, 4) == 8
    assert encoder.sizes == [4] * 4 + [8] * 4 + [16] * 4


def test_the_first_batch_of_a_size_only_warms_up() -> None:
    @dataclass
    class Cold(Device):
        """A device that is slow the first time it meets a size."""

        def encode(self, batch: Any) -> np.ndarray:
            if len(batch) not in self.sizes:
                self.sleep(0.01 * len(batch))
            return super().encode(batch)

    assert batch_size_for(Cold(room=32), 4) == 32


# -- remembered -------------------------------------------------------------------------


def test_the_size_is_found_once_and_remembered(home: Path) -> None:
    assert batch_size_for(Device(room=70), 8) == 64
    assert list(on_disk(home).values()) == [64]
    again = Device(room=70)
    assert batch_size_for(again, 8) == 64
    assert again.sizes == []


@pytest.mark.parametrize(
    "other",
    [
        {"device": "another"},
        {"provenance": replace(FAKE, encoder="other")},
        {"provenance": replace(FAKE, layer="hidden")},
        {"provenance": replace(FAKE, checkpoint="elsewhere")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_encoder_or_device_has_its_own(home: Path, other: dict[str, Any]) -> None:
    assert batch_size_for(Device(room=70), 8) == 64
    assert batch_size_for(Device(room=20, **other), 8) == 16
    assert sorted(on_disk(home).values()) == [16, 64]
    untouched = [Device(room=70), Device(room=20, **other)]
    assert [batch_size_for(one, 8) for one in untouched] == [64, 16]
    assert [one.sizes for one in untouched] == [[], []]


@pytest.mark.parametrize(
    "text",
    ["", "not json", "{", "null", "[64]", "17", '"64"', "[" * 100_000, '{"x": 1' + "0" * 5_000 + "}"],
    ids=lambda text: text[:12] or "empty",
)
def test_garbage_in_the_file_is_ignored(home: Path, text: str) -> None:
    (home / "batch_sizes.json").write_text(text, encoding="utf-8")
    assert batch_size_for(Device(room=70), 8) == 64
    assert list(on_disk(home).values()) == [64]


@pytest.mark.parametrize("value", [0, -8, 1 << 20, 8.5, "64", None, True, [64]], ids=repr)
def test_a_size_that_cannot_be_is_found_again(home: Path, value: object) -> None:
    batch_size_for(Device(room=70), 8)
    (key,) = on_disk(home)
    (home / "batch_sizes.json").write_text(json.dumps({key: value, "another": 32}), encoding="utf-8")
    assert batch_size_for(Device(room=70), 8) == 64
    assert on_disk(home) == {key: 64, "another": 32}


def test_bytes_that_are_no_text_are_ignored(home: Path) -> None:
    (home / "batch_sizes.json").write_bytes(bytes(range(256)))
    assert batch_size_for(Device(room=70), 8) == 64


def test_where_nothing_can_be_remembered_the_size_is_still_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DEDUP_HOME", str(tmp_path / "file" / "home"))
    assert batch_size_for(Device(room=70), 8) == 64


# -- in an index run --------------------------------------------------------------------


def test_an_index_run_uses_the_size_found_for_the_device_or_the_one_asked_for(folder: Path, home: Path) -> None:
    for number in range(70):
        save_picture(folder / f"{number:02}.png", number, (60, 40))
    batch_size_for(Device(room=70), 32)
    encoder = Device(room=70)
    workflow.index(folder, FAST, Recorder(), encoder=encoder)
    assert encoder.sizes == [64, 6]
    chosen = Device(room=70)
    workflow.index(folder, replace(FAST, batch_size=32), Recorder(), encoder=chosen, again=True)
    assert chosen.sizes == [32, 32, 6]
