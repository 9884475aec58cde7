"""Write a report in the form that the ending of its name asks for."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo

from dedup.apart import Apart
from dedup.errors import DedupError
from dedup.progress import Progress, Report
from dedup.reports.page import write_page
from dedup.reports.place import COLUMNS, PROGRAM, require_place
from dedup.review.contact_sheet import draw_pages
from dedup.workflow import Found


def write_report(
    path: Path, found: Found, values: Mapping[str, Any], report: Report, *, force: bool = False
) -> list[Path]:
    """Write one report; the files written, several where contact sheets take more than one page.

    ``values`` is what ``find --json`` prints; all but the contact sheets say no more and no less than it.
    """
    require_place(path, found.folders, force=force)
    try:
        match path.suffix.lower():
            case ".html":
                write_page(path, values, report)
            case ".csv":
                _write_table(path, values)
            case ".json":
                path.write_text(json.dumps(values) + "\n", encoding="utf-8")
            case _:
                return _write_sheets(path, found, report, force=force)
    except OSError as problem:
        raise DedupError(
            f"The report cannot be written to {path}: {problem.strerror or problem}.", "Choose another place."
        ) from problem
    return [path]


def _write_table(path: Path, values: Mapping[str, Any]) -> None:
    # The mark at the beginning makes spreadsheets read UTF-8; a name that is no Unicode keeps its bytes.
    with path.open("w", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        reasons = any("kept_because" in group["keeper"] for group in values["groups"])
        table.writerow([*COLUMNS, "kept_because"] if reasons else COLUMNS)
        for row in _rows(values):
            table.writerow(row if reasons else row[:-1])


def _rows(values: Mapping[str, Any]) -> Iterator[list[Any]]:
    """One row for each file of each set, the keeper first."""
    for number, group in enumerate(values["groups"], 1):
        for role, one in _roles(group):
            facts = [one["path"], one["bytes"], one["width"], one["height"]]
            how = [one.get(name, "") for name in ("tier", "similarity", "bits", "remark", "kept_because")]
            yield [number, role, *facts, *how]


def _roles(group: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "keeper", group["keeper"]
    for one in group["others"]:
        yield "remove" if one["marked"] else "keep", one


def _write_sheets(path: Path, found: Found, report: Report, *, force: bool) -> list[Path]:
    mark = PngInfo()
    mark.add_text("Software", PROGRAM)
    written: list[Path] = []
    with Apart() as apart:
        for number, total, page in draw_pages(found.groups, apart):
            report(Progress("contact sheets", number - 1, total))
            place = path if total == 1 else path.with_stem(f"{path.stem}-{number:03d}")
            require_place(place, found.folders, force=force)
            page.save(place, "PNG", pnginfo=mark)
            written.append(place)
    if not written:
        raise DedupError("There are no duplicates to show on a contact sheet.", "Nothing was written.")
    report(Progress("contact sheets", len(written), len(written)))
    return written
