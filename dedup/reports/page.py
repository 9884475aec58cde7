"""The sets as one page that needs nothing but itself: no network, no server, no other file.

Every name is escaped, and the page forbids itself anything that is not written in it: a file called
``<script>.jpg`` stays a name.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from dedup.apart import Apart
from dedup.progress import Progress, Report
from dedup.reports.place import PAGE_MARK
from dedup.review.thumbnails import load_or_explain
from dedup.tiers import TIERS
from dedup.wording import files, printable, size

SIDE = 256
# About 25 MB of them; sets after these are listed with links to their files.
MOST_THUMBNAILS = 2000
MOST_FOLDERS = 200
_HERE = Path(__file__)

Row = Mapping[str, Any]


def write_page(path: Path, values: Row, report: Report) -> None:
    """Write the page, set by set, so that memory does not grow with their number."""
    groups: Sequence[Row] = values["groups"]
    script = _HERE.with_name("page.js").read_text(encoding="utf-8")
    folders = _folders(groups)
    with path.open("w", encoding="utf-8", newline="\n") as file, Apart() as apart:
        file.write(_head(script) + _summary(values) + _controls(groups, folders))
        left = MOST_THUMBNAILS
        file.write('<main id="sets">\n')
        for number, group in enumerate(groups, 1):
            report(Progress("sets written", number - 1, len(groups)))
            pictures = [group["keeper"], *group["others"]]
            images = [_embedded(one, apart) if len(pictures) <= left else "" for one in pictures]
            left -= len(pictures) if images[0] else 0
            file.write(_set(number, group, images, folders))
        report(Progress("sets written", len(groups), len(groups)))
        file.write(f'</main>\n<p id="none" hidden>No set fits the filter.</p>\n{_skipped(values)}')
        file.write(f"<script>{script}</script>\n</body>\n</html>\n")


def _head(script: str) -> str:
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = _HERE.with_name("page.css").read_text(encoding="utf-8")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    return (
        f'{PAGE_MARK}\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Duplicate pictures</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
    )


def _summary(values: Row) -> str:
    groups = values["groups"]
    marked = [one for group in groups for one in group["others"] if one["marked"]]
    tiers = Counter(_tier(group) for group in groups)
    tiles = [
        (f"{len(groups):,}", "sets"),
        (f"{sum(1 + len(group['others']) for group in groups):,}", "pictures in them"),
        (f"{len(marked):,}", "marked for removal"),
        (size(sum(one["bytes"] for one in marked)), "would be freed"),
    ]
    cells = "".join(f"<div><strong>{number}</strong> {words}</div>" for number, words in tiles)
    kinds = ", ".join(f"{tier} {tiers[tier]:,}" for tier in TIERS if tiers[tier])
    places = "".join(f"<li>{_text(folder)}</li>" for folder in values["folders"])
    return (
        "<header>\n<h1>Duplicate pictures</h1>\n"
        f'<div class="tiles">{cells}</div>\n'
        f"<p>Among {values['pictures']:,} pictures, compared by {_text(values['encoder'])} at threshold "
        f"{values['threshold']:g}, on {datetime.now():%Y-%m-%d %H:%M}. Sets by their least sure tier: "
        f"{kinds or 'none'}. This page only shows; it removes nothing.</p>\n"
        f"<ul>{places}</ul>\n</header>\n"
    )


def _controls(groups: Sequence[Row], folders: Mapping[str, int]) -> str:
    present = {_tier(group) for group in groups}
    tiers = "".join(f"<option>{tier}</option>" for tier in TIERS if tier in present)
    places = "".join(f'<option value="{number}">{_text(folder)}</option>' for folder, number in folders.items())
    orders = (("number", "as found"), ("freed", "most space first"), ("similarity", "least similar first"))
    sorts = "".join(f'<option value="{name}">{words}</option>' for name, words in orders)
    return (
        '<form role="search" aria-label="Filter and sort the sets">\n'
        '<label>Name contains <input id="text" type="search" autocomplete="off"></label>\n'
        f'<label>Tier <select id="tier"><option value="">all</option>{tiers}</select></label>\n'
        f'<label>Folder <select id="folder"><option value="">all</option>{places}</select></label>\n'
        f'<label>Order <select id="order">{sorts}</select></label>\n'
        '<label><input id="marked" type="checkbox"> only sets that free space</label>\n'
        '<output id="count" aria-live="polite"></output>\n</form>\n'
    )


def _set(number: int, group: Row, images: Sequence[str], folders: Mapping[str, int]) -> str:
    pictures = [group["keeper"], *group["others"]]
    freed = sum(one["bytes"] for one in group["others"] if one["marked"])
    least = min(one["similarity"] for one in group["others"])
    inside = sorted({folders[folder] for one in pictures if (folder := os.path.dirname(one["path"])) in folders})
    figures = "".join(
        _figure(one, image, is_keeper=place == 0)
        for place, (one, image) in enumerate(zip(pictures, images, strict=True))
    )
    saving = f"frees {size(freed)}" if freed else "nothing marked"
    return (
        f'<section aria-label="Set {number}" data-number="{number}" data-freed="{freed}" data-similarity="{least}" '
        f'data-tier="{_tier(group)}" data-folders=" {" ".join(map(str, inside))} ">\n'
        f"<h2>Set {number} <small>{files(len(pictures))}, {_tier(group)}, {saving}</small></h2>\n"
        f'<div class="{"pictures" if images[0] else "rows"}">{figures}</div>\n</section>\n'
    )


def _figure(one: Row, image: str, *, is_keeper: bool) -> str:
    verdict = "keeper" if is_keeper else "remove" if one["marked"] else "keep"
    folder, name = os.path.split(one["path"])
    facts = [f"{one['width']} x {one['height']}", size(one["bytes"])]
    if not is_keeper:
        bits = f", {one['bits']} bits differ" if "bits" in one else ""
        facts.append(f"{one['tier']}, similarity {one['similarity']:.3f}{bits}")
    remark = one.get("kept_because" if is_keeper else "remark") or ""
    words = remark if isinstance(remark, str) else ", ".join(map(str, remark))
    shown = f'<img src="{image}" alt="" loading="lazy" decoding="async">' if image else ""
    link = html.escape(Path(one["path"]).as_uri(), quote=True)
    return (
        f'<figure class="{verdict}"><a href="{link}">{shown}<b>{_text(name)}</b></a>'
        f'<figcaption><span class="verdict">{verdict}</span> {_text(", ".join(facts))}'
        f'{"<br>" + _text(words) if words else ""}<br><span class="where">{_text(folder)}</span></figcaption></figure>'
    )


def _embedded(one: Row, apart: Apart) -> str:
    """The picture as a small JPEG within an address; a card that says why where it cannot be shown."""
    data = BytesIO()
    load_or_explain(Path(one["path"]), SIDE, apart).convert("RGB").save(data, "JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()


def _folders(groups: Sequence[Row]) -> dict[str, int]:
    """The folders that hold most of the pictures, by name, each with a number."""
    held = Counter(os.path.dirname(one["path"]) for group in groups for one in _pictures(group))
    most = sorted(folder for folder, _ in held.most_common(MOST_FOLDERS))
    return {folder: number for number, folder in enumerate(most)}


def _pictures(group: Row) -> Iterator[Row]:
    yield group["keeper"]
    yield from group["others"]


def _tier(group: Row) -> str:
    """The tier of a set is its least sure member's."""
    return max((str(one["tier"]) for one in group["others"]), key=TIERS.index)


def _skipped(values: Row) -> str:
    if not values["skipped"]:
        return ""
    rows = "".join(f"<li>{_text(row['path'])}: {_text(row['reason'])}</li>" for row in values["skipped"])
    return f"<details><summary>{files(len(values['skipped']))} took no part</summary><ul>{rows}</ul></details>\n"


def _text(name: str) -> str:
    return html.escape(printable(name), quote=True)
