"""Hashes of a picture in all its orientations at once.

The definitions are those of the library imagehash, which takes one picture at a time: eight
calls for a small picture would cost more than decoding it. Bits are the library's, to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from dedup.encoders.interface import Uint8Array

if TYPE_CHECKING:
    from PIL.Image import Image

Values = Mapping[str, int]
Plane = TypeVar("Plane", bound=np.ndarray[Any, np.dtype[Any]])
# (views, rows, columns) grey levels -> (views, rows, columns) bits.
Bits = np.ndarray[Any, np.dtype[np.bool_]]
ToBits = Callable[[Uint8Array, int], Bits]


def orientations(pixels: Plane) -> list[Plane]:
    """The eight ways to turn and mirror a (side, side, ...) square, the one it is in first."""
    turned = [cast(Plane, np.rot90(pixels, quarter)) for quarter in range(4)]
    return [*turned, *(cast(Plane, np.fliplr(one)) for one in turned)]


def bits_of_views(name: str, square: Image, values: Values) -> Uint8Array:
    """(8, bits) zeros and ones: the hash ``name`` of a square grey picture in each orientation."""
    from PIL import Image

    # A resize weighs left and right, above and below alike, but goes across before it goes down:
    # the half turn and the mirror images may be taken after it, the quarter turn not.
    size, filtered = SAMPLES[name](values), Image.Resampling.LANCZOS
    upright = np.asarray(square.resize(size, filtered))
    sideways = np.asarray(square.transpose(Image.Transpose.ROTATE_90).resize(size, filtered))
    turned = np.stack([upright, sideways, upright[::-1, ::-1], sideways[::-1, ::-1]])
    views = np.concatenate([turned, turned[:, :, ::-1]])
    return TO_BITS[name](views, values["hash_size"]).astype(np.uint8).reshape(len(views), -1)


def _average(views: Uint8Array, size: int) -> Bits:
    bits: Bits = views > views.mean(axis=(1, 2), keepdims=True)
    return bits


def _frequencies(views: Uint8Array, size: int) -> Bits:
    from scipy.fft import dctn

    low = dctn(views.astype(np.float64), axes=(1, 2))[:, :size, :size]
    bits: Bits = low > np.median(low, axis=(1, 2), keepdims=True)
    return bits


def _frequencies_of_rows(views: Uint8Array, size: int) -> Bits:
    from scipy.fft import dct

    low = dct(views.astype(np.float64), axis=2)[:, :size, 1 : size + 1]
    bits: Bits = low > low.mean(axis=(1, 2), keepdims=True)
    return bits


def _steps_across(views: Uint8Array, size: int) -> Bits:
    bits: Bits = views[:, :, 1:] > views[:, :, :-1]
    return bits


def _steps_down(views: Uint8Array, size: int) -> Bits:
    bits: Bits = views[:, 1:, :] > views[:, :-1, :]
    return bits


def _fine(values: Values) -> tuple[int, int]:
    return (values["hash_size"] * values["highfreq_factor"],) * 2


# How many (columns, rows) of the picture each hash is taken from.
SAMPLES: Mapping[str, Callable[[Values], tuple[int, int]]] = {
    "ahash": lambda values: (values["hash_size"],) * 2,
    "phash": _fine,
    "phash-simple": _fine,
    "dhash": lambda values: (values["hash_size"] + 1, values["hash_size"]),
    "dhash-vert": lambda values: (values["hash_size"], values["hash_size"] + 1),
}
TO_BITS: Mapping[str, ToBits] = {
    "ahash": _average,
    "phash": _frequencies,
    "phash-simple": _frequencies_of_rows,
    "dhash": _steps_across,
    "dhash-vert": _steps_down,
}
