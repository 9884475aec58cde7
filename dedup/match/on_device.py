"""Products of vectors on a GPU: all vectors stay there in half precision, only the places of near pairs come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dedup.match.pairs import IntVector
from dedup.vectors import Vectors

if TYPE_CHECKING:
    from torch import Tensor

# Unit vectors rounded to float16, and their product rounded to float16: each changes it by less than 2^-10.
HALF_MARGIN = 2.5e-3
ROWS_AT_ONCE = 65_536
TILE = 16_384  # rows and columns whose product is computed at once: half a gigabyte


class OnDevice:
    """The vectors in the order of the tiles, on a device of torch."""

    def __init__(self, vectors: Vectors, order: IntVector, device: str) -> None:
        import torch

        self._views: list[Tensor] = []
        for view in range(vectors.views):
            rows = torch.empty((len(order), vectors.dim), dtype=torch.float16, device=device)
            for start in range(0, len(order), ROWS_AT_ONCE):
                part = vectors.take(order[start : start + ROWS_AT_ONCE]).unit(view)
                rows[start : start + len(part)] = torch.from_numpy(part).to(device)
            self._views.append(rows)

    def near(self, rows: slice, columns: slice, lowest: float) -> tuple[IntVector, IntVector]:
        """Places in two slices of the order of the pairs whose similarity in any view may reach ``lowest``."""
        floor = lowest - HALF_MARGIN
        upright, other = self._views[0][rows], self._views[0][columns]
        near = upright @ other.T >= floor
        for view in self._views[1:]:
            # A turned copy matches whichever of the two is called the turned one.
            near |= upright @ view[columns].T >= floor
            near |= view[rows] @ other.T >= floor
        places = near.nonzero().cpu().numpy().astype(np.int64)
        return places[:, 0], places[:, 1]
