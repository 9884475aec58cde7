"""Which hashes to compare and at which threshold: the questions before a search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dedup import comparison, console, settings, workflow
from dedup.console import choose, say
from dedup.encoders import HAMMING, EncoderSpec, spec
from dedup.errors import DedupError
from dedup.keep import STRATEGIES, KeepRule, chain_in_words
from dedup.settings import Settings
from dedup.wording import sets_in_words, thresholds_explained
from dedup.workflow import FindOptions, Wanted

MARKS = {
    "exact": "Only exact copies: the same file, or the same pixels",
    "same": "The same picture too: re-saved, resized, slightly adjusted (recommended)",
    "edited": "Edited copies too: cropped, turned, recoloured, captioned",
    "all": "Everything at the threshold, also what only looks alike: review every set",
}
KINDS = {"final": "Final embedding", "hidden": "Last hidden layer"}


def ask_layer(row: EncoderSpec) -> str:
    """Which of an encoder's embeddings to compare with."""
    return choose("Compare with which embedding?", [(KINDS[kind], kind) for kind in row.kinds])


def ask_finding(folders: Sequence[Path]) -> FindOptions:
    """Which hashes to compare, where there is a choice, and at which threshold."""
    sets = workflow.ranked_sets(folders, Wanted(), settings.load())
    if not sets:
        return FindOptions()
    chosen = sets[0]
    if len(sets) > 1:
        chosen = choose("Compare with which hashes?", list(zip(sets_in_words(sets), sets, strict=True)))
    current = settings.load(chosen.encoder)
    rule = workflow.rule_of(current, folders)
    say_keep(rule)
    return FindOptions(
        Wanted(provenance=chosen),
        ask_threshold(current, chosen.dim),
        mark=ask_mark(current.mark),
        rule=rule,
        neighbours=current.neighbours,
        max_megapixels=current.max_megapixels,
        across=current.across,
    )


def say_keep(rule: KeepRule) -> None:
    """Say which picture of a set stays, and where that is changed."""
    say(f"Which picture of a set stays: {chain_in_words(rule.chain)} (9 Settings: keep); no edit before its original.")


def ask_keep(folders: Sequence[Path]) -> KeepRule:
    """Which of two folders' copies stay: by the settings, or by a strategy for this time."""
    current = settings.load()
    choices = [(text.capitalize(), name) for name, text in STRATEGIES.items()]
    if current.keep not in STRATEGIES:
        choices.append((f"Keep by your own order: {current.keep}", current.keep))
    strategy = choose("Which copies stay?", choices, default=current.keep)
    return workflow.rule_of(current, folders, strategy)


def ask_mark(default: str) -> str:
    """What may be marked for removal from the start; everything stays to be decided in the review."""
    return choose("What may be marked for removal?", [(text, name) for name, text in MARKS.items()], default=default)


def ask_threshold(current: Settings, dim: int) -> float:
    """A threshold in the metric's own unit; Enter takes the default that is shown."""
    row = spec(current.encoder)
    most = dim if row.metric == HAMMING else 1
    default = current.threshold if 0 <= current.threshold <= most else row.threshold_for(dim)
    say(thresholds_explained(row, default, dim))
    understand = partial(understand_threshold, most=most)
    chosen = console.ask_until("Threshold", f"{default:g}", understand)
    if row.metric == HAMMING:
        say(f"At most {chosen:g} of {dim} bits may differ: similarity {1 - 2 * chosen / dim:.3f} or more.")
    return chosen


def understand_threshold(text: str, most: int = 1) -> float:
    """A number from 0 to ``most``, with a point or a comma, whole where it counts bits; raises DedupError.

    Of embeddings, ``e0.5`` is a Euclidean distance: the similarity that two vectors of length 1 then have.
    """
    bits = most > 1
    distance = text.strip().lower()
    if distance.startswith("e") and not bits:
        return _from_euclidean(distance[1:])
    number = "Type a number from 0 to 1, such as 0.96, or a Euclidean distance, such as e0.5."
    remedy = f"Type a whole number from 0 to {most}." if bits else number
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        raise DedupError(f"{text} is not a number.", remedy) from None
    if not 0.0 <= value <= most:
        raise DedupError(f"{text} does not lie between 0 and {most}.", remedy)
    if bits and value != int(value):
        raise DedupError(f"{text} is not a whole number of bits.", remedy)
    return value


def _from_euclidean(text: str) -> float:
    try:
        lowest = comparison.lowest_cosine(None, float(text.strip().replace(",", ".")))
    except ValueError:
        raise DedupError(f"e{text} is no distance.", "Type e and a number from 0 to 1.4142, such as e0.5.") from None
    return 0.0 if lowest is None else lowest
