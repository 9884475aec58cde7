"""``search`` and ``dupe``, the subcommands made for scripts: they look, and change nothing.

``options`` declares them, ``printing`` writes text, JSON and CSV, ``running`` runs them.
"""

from dedup.scripted.options import add_scripted, add_two_thresholds, number_from_zero

__all__ = ["add_scripted", "add_two_thresholds", "number_from_zero"]
