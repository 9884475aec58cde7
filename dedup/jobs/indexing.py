"""Bring pictures into the database, by encoding them or from another tool's table; try an encoder."""

from __future__ import annotations

from pathlib import Path

from dedup import workflow
from dedup.console import say
from dedup.encoders import spec
from dedup.errors import DedupError
from dedup.jobs.running import DONE, INTERRUPTED, PARTLY, attempt, list_skipped
from dedup.progress import Skipped
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import ForeignVectors
from dedup.wording import (
    files,
    printable,
    similarity_in_words,
    threshold_in_words,
)


def index(folder: str | Path, chosen: Settings, *, again: bool = False) -> int:
    """Index a folder and list what could not be read."""
    result = attempt(lambda report: workflow.index(folder, chosen, report, again=again))
    if result is None:
        return INTERRUPTED
    parts = [
        f"{result.pictures:,} picture{'' if result.pictures == 1 else 's'} indexed",
        f"{result.encoded:,} of them now",
    ]
    if result.moved:
        parts.append(f"{result.moved:,} recognised as moved")
    if result.encoded:
        parts.append(f"{result.encoded / max(result.seconds, 1e-9):.0f} per second")
    say(f"{printable(real_folder(folder))}: " + ", ".join(parts) + f" ({result.encoder}).")
    if result.gone:
        are = "is" if result.gone == 1 else "are"
        say(f"{files(result.gone)} known from before {are} gone (clean/verify forgets them).")
    if result.links:
        say(f"Links passed over, since a link is not a copy: {result.links:,}.")
    root = real_folder(folder)
    unreadable = [Skipped(str(root / path), reason) for path, reason in result.unreadable.items()]
    list_skipped(unreadable + result.refused)
    return PARTLY if result.newly_unreadable or result.refused else DONE


def foreign_lines(folder: str | Path) -> list[str]:
    """What a table of the tool this one replaces holds, and which models its vectors may be of."""
    lines = []
    done = ", imported" if workflow.foreign_is_imported(folder) else ""
    for one in workflow.foreign(folder):
        models = [f"{name} ({kind})" if len(spec(name).kinds) > 1 else name for name, kind in one.models]
        lines.append(
            f"another tool's table (images, {one.vectors.column}): {one.vectors.rows:,} vectors of {one.vectors.dim} "
            f"numbers, {'which may be of ' + ', '.join(models) if models else 'which are of no model known here'}{done}"
        )
    return lines


def import_foreign(folder: str | Path, vectors: ForeignVectors, chosen: Settings) -> int:
    """Take over the vectors of another tool's table once a sample agrees; raises DedupError when it does not."""
    result = attempt(lambda report: workflow.import_foreign(folder, vectors, chosen, report))
    if result is None:
        return INTERRUPTED
    say(
        f"{result.sampled:,} pictures encoded again agree (median similarity {result.similarity:.4f}): "
        f"imported {result.imported:,} vectors of {chosen.encoder}. The other tool's table stays as it is."
    )
    if result.left:
        say(f"Changed since, or seen differently here (turned, transparent): {files(result.left)}. Index to add them.")
    if result.gone:
        say(f"No longer in this folder, though in the table: {files(result.gone)}.")
    return DONE


def check_encoder(chosen: Settings) -> int:
    """Load an encoder, try it, and say what it is and whether it tells pictures apart; raises DedupError."""
    row = spec(chosen.encoder)
    result = attempt(lambda report: workflow.check_encoder(chosen, report))
    if result is None:
        return INTERRUPTED
    for made_by in result.provenances:
        unit = "bits" if made_by.is_bits else "numbers"
        origin = "parameters" if row.parameters else "weights"
        say(f"{row.name}: {made_by.dim} {unit} ({made_by.layer}), {origin} {made_by.checkpoint}, on {result.device}")
    bits = result.provenances[0].dim if result.provenances[0].is_bits else 0
    say(f"  a picture and its re-saved copy: {similarity_in_words(result.copy, bits)}")
    say(f"  two different pictures:          {similarity_in_words(result.other, bits)}")
    say(f"  matches by default:              {threshold_in_words(row.threshold_for(bits or row.dim), bits)}")
    if result.words is not None:
        say(f"  search by words:                 {'works' if result.words == '' else result.words}")
    say(f"  loading took {result.seconds:.1f} s, then {result.per_second:.1f} pictures a second in a small batch")
    if not result.copy > result.other:
        raise DedupError(
            f"{row.name} does not tell a copy from another picture: these are not weights that were trained.",
            "Get the weights again from " + row.where_weights_come_from,
        )
    say(f"{row.name} works.")
    return DONE
