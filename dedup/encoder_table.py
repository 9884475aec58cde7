"""The encoders as a table: for people, for scripts, and for the README."""

from __future__ import annotations

from typing import Any

from dedup.encoders import HAMMING, REGISTRY, EncoderSpec
from dedup.settings import DEFAULT_ENCODER

COLUMNS = ("name", "what", "dim", "metric", "threshold", "text", "needs", "good for")


def as_values() -> list[dict[str, Any]]:
    """One plain mapping per encoder, with whether it could run now without a download."""
    return [
        {
            "name": row.name,
            "title": row.title,
            "dim": row.dim,
            "kinds": list(row.kinds),
            "dims": {kind: row.dim_of(kind) for kind in row.kinds},
            "metric": row.metric,
            "threshold": row.threshold,
            "batch_size": row.batch_size,
            "needs": row.needs,
            "weights": row.where_weights_come_from,
            "found": row.available(),
            "text": row.text,
            "parameters": {one.name: one.default for one in row.parameters},
            "good_for": row.good_for,
            "marks": row.marks,
        }
        for row in REGISTRY
    ]


def as_text() -> str:
    """Two lines per encoder, and whether its weights are on this machine."""
    lines = []
    for row in REGISTRY:
        here = "ready" if row.available() else f"needs {row.needs}"
        text = "yes" if row.text else "no"
        lines.append(f"{row.name:<19} {_dims(row):>10} {row.metric:<8} {_threshold(row):<9} {text:<4} {here}")
        lines.append(f"{'':<19} {_title(row)}: {_good_for(row)}{_parameters(row)}")
    heading = f"{'name':<19} {'dim':>10} {'metric':<8} {'threshold':<9} {'text':<4} weights"
    return "\n".join([heading, *lines])


def as_markdown() -> str:
    """The table of the README: what does not depend on the machine."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in REGISTRY:
        text = "yes" if row.text else "no"
        cells = (f"`{row.name}`", _title(row), _dims(row), row.metric, _threshold(row), text, row.needs, _good_for(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _dims(row: EncoderSpec) -> str:
    return " / ".join(str(row.dim_of(kind)) for kind in row.kinds)


def _threshold(row: EncoderSpec) -> str:
    unit = " bit" * (row.metric == HAMMING) + "s" * (row.metric == HAMMING and row.threshold != 1)
    return f"{row.threshold:g}{unit}"


def _title(row: EncoderSpec) -> str:
    return row.title + (" (the default)" if row.name == DEFAULT_ENCODER else "")


def _good_for(row: EncoderSpec) -> str:
    return row.good_for + ("" if row.marks else " (its look-alikes are never marked)")


def _parameters(row: EncoderSpec) -> str:
    shown = ", ".join(f"{one.name} {one.default} ({one.low} to {one.high})" for one in row.parameters)
    return f" [{shown}]" if shown else ""
