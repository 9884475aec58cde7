"""Every pair of pictures at or above a threshold: exact, in tiles, within one folder or between several.

``pairs`` holds what is found, ``bounds`` tells cheaply which pairs cannot match, ``hamming`` does that for
fingerprints, ``matching`` goes through the tiles.
"""

from dedup.match.matching import find_matches
from dedup.match.pairs import ROUNDING, FloatVector, IntVector, Matches, Nearest

__all__ = ["ROUNDING", "FloatVector", "IntVector", "Matches", "Nearest", "find_matches"]
