"""Where in a picture something lies, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

THIRDS = ("upper", "middle", "lower"), ("left", "centre", "right")


def where_in(marked: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    """In which third of a (rows, columns) mask, up and down or from side to side, most of what is marked lies."""
    rows, columns = np.nonzero(marked)
    if not len(rows):
        return ""
    height, width = marked.shape
    thirds = rows * 3 // height, columns * 3 // width
    for names, places in zip(THIRDS, thirds, strict=True):
        shares = np.bincount(places, minlength=3) / len(rows)
        if shares.max() >= 0.75:
            return f"in the {names[int(shares.argmax())]} third"
    return "in several places" if any(len(np.unique(places)) > 1 for places in thirds) else ""
