"""Whether the larger of two copies was enlarged from something as small as the other: it then shows no more detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Resampling

if TYPE_CHECKING:
    from PIL.Image import Image

# Root mean square, of 255, of the detail that only the larger can show, and its share of the detail one such step
# coarser. Copies enlarged twice: 0.35 to 4.0 and 0.21 to 0.38; true originals of smaller copies: above 1.1 and 0.34.
NONE_OF_ITS_OWN = 0.3
MOST_DETAIL, MOST_SHARE = 4.0, 0.33
# Where the larger shows next to nothing of its own, the share says less.
HARDLY_ANY, MOST_OF_LITTLE = 1.0, 0.4


def is_enlarged(large: Image, small: Image) -> bool:
    """Whether an upright RGB picture shows no more than its smaller copy; both in full size."""
    scale = small.width / large.width
    coarser = max(8, round(small.width * scale)), max(8, round(small.height * scale))
    own = _lost(large, small.size)
    share = own / max(_lost(small, coarser), 1e-6)
    return (
        share < NONE_OF_ITS_OWN
        or (own < MOST_DETAIL and share < MOST_SHARE)
        or (own < HARDLY_ANY and share < MOST_OF_LITTLE)
    )


def _lost(image: Image, size: tuple[int, int]) -> float:
    """How much of a picture is lost when it is brought to a size and back."""
    grey = image.convert("L")
    back = grey.resize(size, Resampling.LANCZOS).resize(grey.size, Resampling.BICUBIC)
    # Enlarging by repeating pixels makes edges that only repeating brings back.
    repeated = grey.resize(size, Resampling.BOX).resize(grey.size, Resampling.NEAREST)
    levels = np.asarray(grey, np.float32)
    return min(float(np.sqrt(((levels - np.asarray(one, np.float32)) ** 2).mean())) for one in (back, repeated))
