"""Try an encoder: load it and see whether a copy is nearer to its original than another picture is."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import numpy as np

from dedup.encoders import spec
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.provenance import Provenance
from dedup.sample import drawn_pictures
from dedup.settings import Settings
from dedup.vectors import cosine
from dedup.workflow.indexing import load_encoder, load_options


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying an encoder gave; ``copy`` and ``other`` are similarities of its first embedding.

    ``words`` is None without a text tower, "" when it works, else what is wrong.
    """

    provenances: tuple[Provenance, ...]
    device: str
    copy: float
    other: float
    words: str | None
    seconds: float
    per_second: float


def check_encoder(settings: Settings, report: Report) -> Trial:
    """Load the settings' encoder and try it on two drawn pictures and a copy; raises DedupError when it cannot load."""
    import torch
    from PIL import Image

    row, options = spec(settings.encoder), load_options(settings)
    started = time.monotonic()
    encoder = load_encoder(row, options, report)
    loaded = time.monotonic()
    first, second = drawn_pictures()[:2]
    file = io.BytesIO()
    first.save(file, "JPEG", quality=85)
    pictures = [first, Image.open(file).convert("RGB"), second]
    rows = encoder.encode(torch.from_numpy(np.stack([encoder.prepare(picture) for picture in pictures])))
    done = time.monotonic()
    one = rows[:, : encoder.provenances[0].dim]
    copy, other = cosine(one[[0, 0]], one[[1, 2]])
    words = None
    if row.text:
        try:
            encoder.encode_text(["a picture"])
            words = ""
        except DedupError as problem:
            words = f"{problem.message} {problem.remedy}"
    return Trial(
        encoder.provenances, encoder.device, float(copy), float(other), words, loaded - started, 3 / (done - loaded)
    )
