"""What ``search`` and ``dupe`` print, line by line as it comes: text for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dedup.encoders import COSINE, HAMMING
from dedup.progress import Skipped
from dedup.provenance import Provenance
from dedup.searching import EqualSet, Hit, in_hex
from dedup.wording import printable
from dedup.workflow import Dupes, Searched

Say = Callable[[str], None]
SEARCH_COLUMNS = ("reference", "path", "similarity", "distance", "fingerprint")
DUPE_COLUMNS = ("set", "fingerprint", "similarity", "distance", "path")


def hit_in_text(hit: Hit, references: int) -> str:
    """``28 haystack/0.jpg``; with several references, after a tab, which one is meant."""
    alike = str(hit.distance) if hit.bits else f"{hit.similarity:.4f}"
    which = f"   <- {printable(hit.reference)}" if references > 1 else ""
    return f"{alike} {printable(hit.path)}{which}"


def hit_as_value(hit: Hit) -> dict[str, Any]:
    """A hit as a plain mapping, file names as they are."""
    alike = {"similarity": round(hit.similarity, 6)}
    how = (
        {"distance": hit.distance, "fingerprint": hit.fingerprint}
        if hit.bits
        else {"euclidean": round(hit.euclidean, 6)}
    )
    return {"reference": hit.reference, "path": hit.path, **alike, **how}


def hit_as_row(hit: Hit) -> tuple[Any, ...]:
    """A hit as a row of ``SEARCH_COLUMNS``: of embeddings the distance is the Euclidean one."""
    distance = hit.distance if hit.bits else round(hit.euclidean, 6)
    return hit.reference, hit.path, round(hit.similarity, 6), distance, hit.fingerprint


def about(result: Searched | Dupes) -> dict[str, Any]:
    """What was compared by, as the JSON output begins."""
    made_by = result.provenance
    return {
        "encoder": made_by.encoder,
        "parameters" if made_by.is_bits else "checkpoint": made_by.checkpoint,
        "layer": made_by.layer,
        "metric": HAMMING if made_by.is_bits else COSINE,
        "bits": _bits(made_by),
        "threshold": result.threshold,
    }


def set_in_text(found: EqualSet, result: Dupes) -> str:
    """The fingerprint of a set's first file, then the paths, one on each line; a blank line ends the set."""
    name = _fingerprint(found, result) or f"{min(similarity for _, similarity in found.members):.4f}"
    return "\n".join([name, *(printable(result.files[number].shown) for number, _ in found.members), ""])


def set_as_value(found: EqualSet, result: Dupes) -> dict[str, Any]:
    """A set as a plain mapping, file names as they are."""
    pictures = [
        {"path": path, "similarity": similarity, "distance": distance}
        for path, similarity, distance in _members(found, result)
    ]
    return {"fingerprint": _fingerprint(found, result), "pictures": pictures}


def set_as_rows(number: int, found: EqualSet, result: Dupes) -> Iterator[tuple[Any, ...]]:
    """A set as rows of ``DUPE_COLUMNS``."""
    for path, similarity, distance in _members(found, result):
        yield number, _fingerprint(found, result), similarity, distance, path


class JsonList:
    """One JSON object with a long list in it, printed as its items come."""

    def __init__(self, say: Say, head: Mapping[str, Any], name: str) -> None:
        self._say = say
        self._comma = ""
        say(json.dumps(head)[:-1] + f', "{name}": [')

    def add(self, item: Mapping[str, Any]) -> None:
        """Print one more item."""
        self._say(self._comma + json.dumps(item).replace("\x7f", "\\u007f"))
        self._comma = ","

    def end(self, unreadable: Sequence[Skipped]) -> None:
        """Close the list and the object."""
        self._say(
            '], "unreadable": ' + json.dumps([{"path": one.path, "reason": one.reason} for one in unreadable]) + "}"
        )


def csv_line(values: Sequence[Any]) -> str:
    """One line of CSV (RFC 4180), without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def _members(found: EqualSet, result: Dupes) -> Iterator[tuple[str, float, float]]:
    """(path, similarity, distance) of each: bits that differ from the first, or the Euclidean distance."""
    bits = _bits(result.provenance)
    for number, similarity in found.members:
        hit = Hit("", result.files[number].shown, similarity, bits)
        yield hit.path, round(similarity, 6), hit.distance if bits else round(hit.euclidean, 6)


def _fingerprint(found: EqualSet, result: Dupes) -> str:
    bits = _bits(result.provenance)
    return in_hex(result.vectors.rows[found.members[0][0]], bits) if bits else ""


def _bits(provenance: Provenance) -> int:
    return provenance.dim if provenance.is_bits else 0
