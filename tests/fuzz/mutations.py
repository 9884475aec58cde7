"""Damage: what disks, downloads and people with bad intentions do to bytes."""

from __future__ import annotations

import random
from collections.abc import Callable

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
HEADER = 64  # bytes in which sizes and lengths mostly stand


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """The bytes after one to four kinds of damage; ``other`` are bytes to splice in."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
        data = chance.choice(KINDS)(data, other, chance)
    return data


def flip_bits(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A few bits flipped anywhere, or in the header."""
    changed = bytearray(data)
    within = len(changed) if chance.random() < 0.6 else min(HEADER, len(changed))
    for _ in range(chance.randrange(1, 9) if changed else 0):
        changed[chance.randrange(within)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """An end that is missing, as after a download that stopped."""
    return data[: chance.randrange(len(data) + 1)]


def cut_out(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A piece that is missing from the middle."""
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randrange(1, 64) :]


def zero(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A piece that is zeros, as after a failing disk."""
    start, length = chance.randrange(len(data) + 1), chance.choice((4, 64, 512))
    return (data[:start] + b"\0" * length + data[start + length :])[: len(data)]


def repeat(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A piece many times over: chunks, frames and boxes without end."""
    start = chance.randrange(len(data) + 1)
    piece = data[start : start + chance.randrange(1, 64)]
    return data[:start] + piece * chance.choice((2, 9, 200)) + data[start:]


def splice(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def number(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A number of one to four bytes that says something extreme: a size, a length, an offset, a count."""
    width = chance.choice((1, 2, 2, 4, 4))
    within = len(data) if chance.random() < 0.5 else min(HEADER, len(data))
    place = chance.randrange(max(1, within - width + 1))
    value = chance.choice(EXTREMES) if chance.random() < 0.7 else chance.randrange(1 << 32)
    order = "little" if chance.random() < 0.5 else "big"
    return data[:place] + (value & ((1 << 8 * width) - 1)).to_bytes(width, order) + data[place + width :]


KINDS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    *(flip_bits, flip_bits, number, number, number, cut, cut_out, zero, repeat, splice),
)
