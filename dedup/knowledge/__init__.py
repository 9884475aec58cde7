"""What a picture to be removed knows or carries that the one kept instead does not.

Only reads. What is found here is said before anything is removed, and keeps find from proposing what would cost
a RAW, a film or another moment of a burst.
"""

from dedup.knowledge.bursts import different_moments
from dedup.knowledge.films import film_within
from dedup.knowledge.lost import Knowing, added, carried, counterpart, what_is_lost, worth_keeping

__all__ = [
    "Knowing",
    "added",
    "carried",
    "counterpart",
    "different_moments",
    "film_within",
    "what_is_lost",
    "worth_keeping",
]
