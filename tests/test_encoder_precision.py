"""Half precision is used only where it is nearly as good; a row it cannot hold is computed again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import picture
from torch import Tensor

from dedup.encoders import network
from dedup.encoders.network import HALF_PRECISION_ERROR, NetworkEncoder, Scaling, chosen_precision
from dedup.encoders.preprocess import Squash

PROBE = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
EXACT = torch.eye(2)
HALF, BRAIN = torch.float16, torch.bfloat16
Parts = Callable[[Tensor, torch.dtype | None], list[Tensor]]


def off(**by: float | type[Exception]) -> Parts:
    """Rows that are off by so much in each precision, or that raise."""

    def parts(batch: Tensor, dtype: torch.dtype | None) -> list[Tensor]:
        assert batch is PROBE
        error = 0.0 if dtype is None else by[str(dtype).removeprefix("torch.")]
        if isinstance(error, type):
            raise error("not in this precision")
        rows = EXACT.clone()
        rows[1, 0] = error
        return [EXACT, rows]

    return parts


@pytest.mark.parametrize(
    ("float16", "bfloat16", "chosen"),
    [
        (0.0, 0.0, HALF),
        (0.009, 0.0, HALF),
        (0.011, 0.009, BRAIN),
        (0.011, 0.011, None),
        (float("nan"), 0.001, BRAIN),
        (float("inf"), float("nan"), None),
        (RuntimeError, 0.001, BRAIN),
        (TypeError, NotImplementedError, None),
    ],
)
def test_the_first_half_precision_near_enough_is_chosen(
    float16: float | type[Exception], bfloat16: float | type[Exception], chosen: torch.dtype | None
) -> None:
    names = network.HALF_PRECISIONS["cuda"]
    assert chosen_precision(off(float16=float16, bfloat16=bfloat16), PROBE, names) == chosen


def test_one_bad_picture_or_one_bad_layer_is_enough_to_refuse() -> None:
    # ``off`` spoils the second row of the second layer alone.
    assert chosen_precision(off(float16=HALF_PRECISION_ERROR * 1.01), PROBE, ["float16"]) is None
    assert chosen_precision(off(float16=HALF_PRECISION_ERROR * 0.99), PROBE, ["float16"]) == HALF


def test_without_half_precisions_to_try_nothing_is_computed() -> None:
    def parts(batch: Tensor, dtype: torch.dtype | None) -> list[Tensor]:
        raise AssertionError("computed")

    assert chosen_precision(parts, PROBE, ()) is None
    assert "cpu" not in network.HALF_PRECISIONS


def test_a_gpu_that_only_imitates_bfloat16_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert chosen_precision(off(bfloat16=0.0), PROBE, ["bfloat16"]) is None
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert chosen_precision(off(bfloat16=0.0), PROBE, ["bfloat16"]) == BRAIN


# -- a real network ---------------------------------------------------------------------


def encoder(times: float = 1.0) -> NetworkEncoder:
    """A convolution whose numbers grow with ``times``, on the CPU."""
    torch.manual_seed(5)
    layer = torch.nn.Conv2d(3, 8, 4, stride=4).eval()

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        # Positive numbers that add up: no cancellation makes their sum less exact than they are.
        return ((layer(pixels).abs() * times).mean(dim=(2, 3)),)

    return NetworkEncoder(
        ("small", "none", 1), ("final",), forward, Squash(32), Scaling((0.0,) * 3, (1.0,) * 3, 1.0), "cpu"
    )


def prepared(made: NetworkEncoder, *seeds: int) -> Tensor:
    return torch.from_numpy(np.stack([made.prepare(picture(seed)) for seed in seeds]))


def test_on_the_cpu_float32_is_used() -> None:
    assert encoder().dtype is None


def test_a_real_network_is_nearly_as_exact_in_half_precision() -> None:
    made = encoder()
    probe = prepared(made, 0, 1, 2)
    (exact,) = made._parts(probe, None)
    for name in ("float16", "bfloat16"):
        dtype = getattr(torch, name)
        assert chosen_precision(made._parts, probe, [name]) == dtype
        (rough,) = made._parts(probe, dtype)
        assert 0 < float((rough - exact).norm(dim=1).max()) <= HALF_PRECISION_ERROR


def test_a_real_network_beyond_the_range_of_float16_gets_bfloat16() -> None:
    made = encoder(times=1e3)
    assert chosen_precision(made._parts, prepared(made, 0, 1, 2), ["float16", "bfloat16"]) == BRAIN


def test_rows_that_half_precision_cannot_hold_are_computed_again_in_float32() -> None:
    made = encoder(times=1e3)
    batch = prepared(made, 0, 1, 2)
    exact = made.encode(batch)
    assert not torch.isfinite(made._parts(batch, HALF)[0]).all()
    made.dtype = HALF
    rows = made.encode(batch)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, exact)


def test_rows_that_half_precision_holds_stay_as_they_are() -> None:
    made = encoder()
    batch = prepared(made, 0, 1, 2)
    exact = made.encode(batch)
    made.dtype = HALF
    rows = made.encode(batch)
    assert rows.dtype == np.float32
    assert not np.array_equal(rows, exact)
    np.testing.assert_allclose(rows, exact, atol=HALF_PRECISION_ERROR)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
