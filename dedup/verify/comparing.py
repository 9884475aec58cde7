"""Two aligned pictures compared place by place: where they agree, and where they do not.

Both are brought into one frame, to the same detail and to the same tones; then 16 x 16 blocks are
correlated. A block that tells a different story than the rest is *marked*.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dedup.verify.alignment import Alignment
from dedup.verify.look import Array, Look

BLOCK = 16
SHORTEST_FRAME, LONGEST_FRAME = 192, 400
SIGMA = 1.6  # of the Gaussian that takes away what re-saving changes, in pixels of the frame
# Reduction of the frame -> the Gaussian and the block of that view.
VIEWS = {1: (SIGMA, BLOCK), 2: (2.0, 16), 4: (2.2, 8)}
WELL_FITTED = 0.05  # error of a fit, against the picture's own spread, that leaves nothing to gain
KEPT = 0.5  # share of the pixels that a fit goes by: the others may be of something laid over the picture
EVERY = 6  # pixel of a row, and row, takes part in a fit
TEXTURED = 5.0  # standard deviation of a block, of 255, from which it shows something


@dataclass(frozen=True, slots=True)
class Frame:
    """Both pictures in one frame: (h, w, 3) float32 RGB, and where both show something.

    ``is_first``: the frame is the first picture's, otherwise the second's. ``matrix`` maps the frame's points to
    those of the picture that was warped. ``covers``: the shares of the first and of the second picture
    that lie in the other.
    """

    still: Array
    warped: Array
    mask: Array
    is_first: bool
    matrix: Array
    scale: float
    covers: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Blocks:
    """What is known of each block of the frame: (rows, columns) arrays.

    ``correlation`` of the two, their standard deviations ``still`` and ``warped``, the ``residual`` (root mean square
    of what is left after the tones were fitted), and which are ``inside`` both pictures.
    """

    correlation: Array
    still: Array
    warped: Array
    residual: Array
    inside: Array


def covers(first: Look, second: Look, matrix: Array) -> tuple[float, float]:
    """The share of the first picture that lies in the second, and of the second in the first."""
    h1, w1 = first.pixels.shape[:2]
    h2, w2 = second.pixels.shape[:2]
    return _share(w1, h1, w2, h2, matrix), _share(w2, h2, w1, h1, np.linalg.inv(matrix))


def _share(w1: int, h1: int, w2: int, h2: int, matrix: Array) -> float:
    step = 64
    x, y = np.meshgrid((np.arange(step) + 0.5) / step * w1 - 0.5, (np.arange(step) + 0.5) / step * h1 - 0.5)
    points = np.stack([x.ravel(), y.ravel(), np.ones(step * step)])
    moved = matrix @ points
    front = moved[2] > 1e-6
    u, v = moved[0] / np.where(front, moved[2], 1), moved[1] / np.where(front, moved[2], 1)
    inside = front & (u >= -0.5) & (u <= w2 - 0.5) & (v >= -0.5) & (v <= h2 - 0.5)
    return float(inside.mean())


def in_one_frame(first: Look, second: Look, alignment: Alignment, share: tuple[float, float] | None = None) -> Frame:
    """Both pictures in the frame of the one that lies more fully within the other; ``share``: see ``covers``."""
    share = share or covers(first, second, alignment.matrix)
    is_first = share[0] >= share[1]
    still, other = (first, second) if is_first else (second, first)
    matrix = alignment.matrix if is_first else np.linalg.inv(alignment.matrix)
    height, width = still.pixels.shape[:2]
    middle = np.array([[width / 2, height / 2]])
    pixels_per_pixel = _local_scale(matrix, middle[0])
    factor = min(1.0, pixels_per_pixel, LONGEST_FRAME / max(width, height))
    factor = max(factor, SHORTEST_FRAME / max(width, height))
    size = max(BLOCK, round(width * factor)), max(BLOCK, round(height * factor))
    to_still = resizing(size, (width, height))
    whole = matrix @ to_still
    image = cv2.resize(still.pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    warped, mask = _warp(other.pixels, whole, size, pixels_per_pixel / factor)
    return Frame(image.astype(np.float32), warped, mask, is_first, whole, factor, share)


def _local_scale(matrix: Array, at: Array) -> float:
    x, y = at
    w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    return float((abs(np.linalg.det(matrix)) / abs(w) ** 3) ** 0.5)


def resizing(size: tuple[int, int], to: tuple[int, int]) -> Array:
    """Maps pixel centres of a picture of ``size`` to those of the same picture resized to ``to``."""
    x, y = to[0] / size[0], to[1] / size[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _warp(pixels: Array, matrix: Array, size: tuple[int, int], reduction: float) -> tuple[Array, Array]:
    """The picture seen through ``matrix`` (frame -> picture) as float32, and where there is one."""
    height, width = pixels.shape[:2]
    if reduction > 1.3:
        # Warping samples points: what is shrunk must lose its detail first.
        small = max(1, round(width / reduction)), max(1, round(height / reduction))
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
        matrix = resizing((width, height), small) @ matrix
        height, width = pixels.shape[:2]
    warped = cv2.warpPerspective(
        pixels, matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    whole = np.full((height, width), 255, np.uint8)
    inside = cv2.warpPerspective(whole, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return warped.astype(np.float32), inside > 250


def fitted_tones(still: Array, warped: Array, mask: Array) -> tuple[Array, Array]:
    """Both pictures in grey, one of them brought to the tones of the other.

    A linear mix of the colours and then a curve, fitted to the better half of the pixels, in the direction that leaves
    less: a picture in two levels follows from one in many, not the other way round.
    """
    grey_still, grey_warped = grey(still), grey(warped)
    one, one_error = _fit(warped, grey_still, mask)
    if one_error <= WELL_FITTED:
        return grey_still, one
    two, two_error = _fit(still, grey_warped, mask)
    return (grey_still, one) if one_error <= two_error else (two, grey_warped)


def levelled(still: Array, warped: Array, mask: Array) -> Array:
    """The warped picture with the slow part of its difference from the still one taken away, as a vignette is."""
    height, width = mask.shape
    # Slow changes are seen as well in an eighth of the size, and blurred there in a hundredth of the time.
    small = max(1, width // 8), max(1, height // 8)
    difference = np.where(mask, np.clip(still - warped, -60, 60), 0).astype(np.float32)
    slow, weight = (
        cv2.GaussianBlur(cv2.resize(one, small, interpolation=cv2.INTER_AREA), (0, 0), max(small) / 8)
        for one in (difference, mask.astype(np.float32))
    )
    return np.asarray(warped + cv2.resize(slow / (weight + 1e-3), (width, height)))


def grey(pixels: Array) -> Array:
    """(h, w, 3) or (n, 3) float32 -> brightness of the same shape without the last axis."""
    weights = np.array([[0.299, 0.587, 0.114]], np.float32)
    return np.asarray(cv2.transform(pixels, weights)) if pixels.ndim == 3 else pixels @ weights[0]


def strongest(pixels: Array) -> Array:
    """(h, w, 3) float32 -> (h, w): the channel with the highest value. Much faster than numpy's over a short axis."""
    red, green, blue = cv2.split(pixels)
    return np.asarray(cv2.max(cv2.max(red, green), blue))


def weakest(pixels: Array) -> Array:
    """(h, w, 3) float32 -> (h, w): the channel with the lowest value."""
    red, green, blue = cv2.split(pixels)
    return np.asarray(cv2.min(cv2.min(red, green), blue))


def _fit(source: Array, target: Array, mask: Array) -> tuple[Array, float]:
    """(the source in the target's tones, the error left: of the better half of the pixels, against their spread)."""
    sample = source[::EVERY, ::EVERY][mask[::EVERY, ::EVERY]]
    wanted = target[::EVERY, ::EVERY][mask[::EVERY, ::EVERY]]
    if len(sample) < 50:
        return grey(source), np.inf
    columns = np.column_stack([sample, np.ones(len(sample), np.float32)]).astype(np.float64)
    # From everything, and from the pixels that are much alike: what covers half of a picture must not win.
    starts = [np.full(len(sample), True), _alike(grey(sample), wanted)]
    weights, error = min((_linear(columns, wanted, keep) for keep in starts), key=lambda fit: fit[2])[:2]
    linear = cv2.transform(source, weights[None].astype(np.float32))
    curve, levels = _curve(columns @ weights, wanted, error <= max(4.0, lowest(error, KEPT + 0.2)))
    table = np.interp(np.arange(-64, 320, 0.25), levels, curve).astype(np.float32)
    fitted = table[np.clip((linear + 64) * 4, 0, len(table) - 1).astype(np.int32)]
    left = np.abs(np.interp(columns @ weights, levels, curve) - wanted)
    return fitted, lowest(left, KEPT + 0.2) / (spread(wanted) + 1.0)


def _alike(one: Array, two: Array) -> Array:
    difference = np.abs(one - two)
    return np.asarray(difference <= lowest(difference, KEPT))


def _linear(columns: Array, wanted: Array, keep: Array) -> tuple[Array, Array, float]:
    """(weights, error of each row, error of the better half) of a linear fit that begins with the rows kept."""
    weights, error = np.zeros(columns.shape[1]), np.abs(wanted)
    for _ in range(3):
        chosen = columns[keep]
        ridge = np.diag([20.0] * (columns.shape[1] - 1) + [1e-3])
        weights = np.linalg.solve(chosen.T @ chosen + ridge, chosen.T @ wanted[keep])
        error = np.abs(columns @ weights - wanted)
        keep = error <= max(4.0, lowest(error, KEPT))
    # A fit to one shade explains what covers the picture, not the picture.
    is_degenerate = spread(columns @ weights) < 0.15 * spread(columns[:, :-1])
    return weights, error, np.inf if is_degenerate else lowest(error, KEPT)


def _curve(values: Array, wanted: Array, keep: Array) -> tuple[Array, Array]:
    """The mean of what is wanted at 32 levels of the values: a curve that may clip or bend."""
    low, high = np.quantile(values[keep], [0.005, 0.995])
    levels = np.linspace(low, max(high, low + 1), 33)
    bins = np.clip(np.digitize(values[keep], levels) - 1, 0, 31)
    count = np.bincount(bins, minlength=32).astype(np.float64)
    total = np.bincount(bins, wanted[keep], minlength=32)
    middle = (levels[:-1] + levels[1:]) / 2
    have = count >= 5
    if have.sum() < 2:
        return middle, middle
    return total[have] / count[have], middle[have]


def blocks_of(still: Array, warped: Array, mask: Array, reduction: int = 1) -> Blocks:
    """The blocks of two grey pictures in one frame, seen finely or reduced to a half or a quarter.

    The blocks of a reduced view are larger: 16 of its pixels at a half, 8 at a quarter, 32 of the frame's in both.
    """
    if reduction > 1:
        size = still.shape[1] // reduction, still.shape[0] // reduction
        shown = mask.astype(np.float32)
        still, warped = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (still, warped))
        mask = cv2.resize(shown, size, interpolation=cv2.INTER_AREA) > 0.99
    sigma, block = VIEWS[reduction]
    a, b = (cv2.GaussianBlur(one, (0, 0), sigma) for one in (still, warped))

    def mean(values: Array) -> Array:
        return means(values, block)

    ma, mb = mean(a), mean(b)
    va, vb = np.maximum(mean(a * a) - ma * ma, 0), np.maximum(mean(b * b) - mb * mb, 0)
    cross = mean(a * b) - ma * mb
    residual = np.sqrt(np.maximum(mean((a - b) ** 2), 0))
    correlation = cross / np.sqrt((va + 0.1) * (vb + 0.1))
    return Blocks(correlation, np.sqrt(va), np.sqrt(vb), residual, mean(mask.astype(np.float32)) > 0.98)


def lowest(values: Array, share: float) -> float:
    """The value that this share of the values do not exceed."""
    at = min(len(values) - 1, int(share * len(values)))
    return float(np.partition(values, at)[at])


def spread(values: Array) -> float:
    """The standard deviation of all values: several times as fast as numpy's own for arrays of this size."""
    flat = np.ascontiguousarray(values).ravel()
    mean = float(flat.mean())
    return float(max(0.0, float(np.dot(flat, flat)) / len(flat) - mean * mean) ** 0.5)


def correlation(one: Array, two: Array, where: Array) -> tuple[float, tuple[float, float]]:
    """(the mean product against both standard deviations, these two) of (h, w) float32 arrays at some pixels."""
    mask = where.astype(np.uint8)
    energy = [float(cv2.meanStdDev(values, mask=mask)[1][0, 0]) for values in (one, two)]
    product = cv2.mean(one * two, mask)[0]
    return product / (energy[0] * energy[1] + 1e-6), (energy[0], energy[1])


def means(values: Array, block: int = BLOCK) -> Array:
    """(h, w) float32 -> (h // block, w // block): the mean of each block of the middle part."""
    rows, columns = values.shape[0] // block, values.shape[1] // block
    if not rows or not columns:
        return np.zeros((rows, columns), np.float32)
    top, left = (values.shape[0] - rows * block) // 2, (values.shape[1] - columns * block) // 2
    part = values[top : top + rows * block, left : left + columns * block]
    # For whole factors this is the mean, and much faster than numpy's over two axes.
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA))


@dataclass(frozen=True, slots=True)
class Colours:
    """How the colours of the two differ: those of the warped picture were fitted to those of the still one.

    ``gain``: per channel. ``saturation``: of the still and of the warped picture, the mean
    distance between the strongest and the weakest channel. ``blocks``: (rows, columns) what no fit explains, of 255.
    """

    gain: Array
    saturation: tuple[float, float]
    blocks: Array


def colours_of(frame: Frame, block: int = BLOCK) -> Colours:
    """Compare the colours of two aligned pictures, channel by channel."""
    height, width = (side // block * block for side in frame.mask.shape)
    left, top = (frame.mask.shape[1] - width) // 2, (frame.mask.shape[0] - height) // 2
    cells = width // 4, height // 4
    window = slice(top, top + height), slice(left, left + width)
    still, warped = (
        cv2.resize(one[window], cells, interpolation=cv2.INTER_AREA) for one in (frame.still, frame.warped)
    )
    mask = cv2.resize(frame.mask[window].astype(np.float32), cells, interpolation=cv2.INTER_AREA) > 0.99
    rest = np.zeros_like(still)
    gain = np.ones(3)
    for channel in range(3):
        gain[channel], offset = _line(warped[..., channel][mask], still[..., channel][mask])
        rest[..., channel] = still[..., channel] - gain[channel] * warped[..., channel] - offset
    rest -= rest.mean(axis=2, keepdims=True)
    rest[~mask] = 0
    per_block = np.sqrt(means((rest * rest).sum(axis=2), block // 4))
    one, two = (
        float((strongest(part) - weakest(part))[mask].mean()) if mask.any() else 0.0 for part in (still, warped)
    )
    return Colours(gain, (one, two), per_block)


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Gain and offset that bring x to y, fitted to the better half."""
    if len(x) < 20:
        return 1.0, 0.0
    keep = np.ones(len(x), bool)
    gain, offset = 1.0, 0.0
    for _ in range(3):
        mx, my = float(x[keep].mean()), float(y[keep].mean())
        spread = float(((x[keep] - mx) ** 2).mean())
        gain = float(((x[keep] - mx) * (y[keep] - my)).mean()) / (spread + 4.0) if spread > 1 else 1.0
        offset = my - gain * mx
        error = np.abs(gain * x + offset - y)
        keep = error <= max(3.0, lowest(error, KEPT))
    return gain, offset
