"""Every pair of pictures at or above a threshold: exact, in tiles, within one folder or between several.

``pairs`` holds what is found, ``bounds`` tells cheaply which pairs cannot match, ``hamming`` does that for
fingerprints, ``products`` multiplies, ``matching`` goes through the tiles, and ``remembered`` spares what was
compared before. ``adjacency`` looks pairs up by their members.
"""

from dedup.match.adjacency import Adjacency, Buckets
from dedup.match.matching import find_matches
from dedup.match.pairs import NO_MATCHES, ROUNDING, FloatVector, IntVector, Matches, Nearest, united
from dedup.match.remembered import find_remembered, names_of

__all__ = [
    "NO_MATCHES",
    "ROUNDING",
    "Adjacency",
    "Buckets",
    "FloatVector",
    "IntVector",
    "Matches",
    "Nearest",
    "find_matches",
    "find_remembered",
    "names_of",
    "united",
]
