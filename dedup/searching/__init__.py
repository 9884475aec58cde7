"""Compare pictures by their vectors alone, with or without a database: references with pictures, pictures in sets.

``walking`` finds the files, ``reading`` gives each its vector, ``comparing`` and ``equals`` tell what is alike.
Nothing here writes anything.
"""

from dedup.searching.comparing import Hit, best_of_each, hits, in_hex
from dedup.searching.equals import EqualSet, sets_of
from dedup.searching.reading import Reader
from dedup.searching.walking import Choice, PictureFile, walk

__all__ = ["Choice", "EqualSet", "Hit", "PictureFile", "Reader", "best_of_each", "hits", "in_hex", "sets_of", "walk"]
