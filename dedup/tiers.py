"""The tiers of a match, surest first: how much is known of what kind of duplicate it is."""

from __future__ import annotations

IDENTICAL = "identical file"
SAME_PIXELS = "same pixels"
SAME_PICTURE = "same picture"
EDITED = "edited"
LOOK_ALIKE = "look-alike"

TIERS = (IDENTICAL, SAME_PIXELS, SAME_PICTURE, EDITED, LOOK_ALIKE)
