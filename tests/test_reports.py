"""Reports: all that was found, nothing that is not theirs overwritten, and no name that becomes more than a name."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, detector, find, index, resaved, save_picture, tree
from PIL import Image

from dedup import reports
from dedup.commands import as_json
from dedup.errors import DedupError
from dedup.reports import page
from dedup.workflow import Found

NASTY = "<img src=x onerror=alert(1)>\"'&.png"


@pytest.fixture
def found(folder: Path) -> Found:
    """Two sets: one of identical files with a name that tries to be more, one of a re-saved copy."""
    save_picture(folder / "a.png", 1)
    shutil.copy2(folder / "a.png", folder / (NASTY if os.name != "nt" else "plain.png"))
    save_picture(folder / "sub" / "b.png", 2)
    resaved(folder / "sub" / "b.png", folder / "sub" / "b.jpg", quality=95)
    index(folder)
    return find(folder)


def write(found: Found, path: Path, *, force: bool = False) -> list[Path]:
    return reports.write_report(path, found, as_json(found), Recorder(), force=force)


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.all.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.all if name == tag]


def test_the_page_shows_every_picture_of_every_set(found: Found, tmp_path: Path) -> None:
    write(found, tmp_path / "report.html")
    elements = Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(elements.of("section")) == 2
    figures = elements.of("figure")
    assert sorted(figure["class"] or "" for figure in figures) == ["keeper", "keeper", "remove", "remove"]
    links = {one["href"] for one in elements.of("a")}
    assert links == {picture.full_path.as_uri() for group in found.groups for picture in group.pictures}
    freed = sum(int(one["data-freed"] or 0) for one in elements.of("section"))
    assert freed == sum(member.picture.size for group in found.groups for member in group.others)


def test_the_page_needs_nothing_but_itself(found: Found, tmp_path: Path) -> None:
    write(found, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    elements = Elements(text)
    assert all((one["src"] or "").startswith("data:image/jpeg;base64,") for one in elements.of("img"))
    assert not elements.of("link")
    assert not any("src" in one for one in elements.of("script"))
    assert not re.search(r"https?://", text)
    policy = next(one["content"] or "" for one in elements.of("meta") if "http-equiv" in one)
    assert "default-src 'none'" in policy


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_stays_a_name_in_the_page(found: Found, tmp_path: Path) -> None:
    write(found, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    elements = Elements(text)
    assert NASTY in elements.text
    assert not any("onerror" in attributes for _, attributes in elements.all)
    assert "<img src=x" not in text


def test_a_picture_that_is_gone_since_leaves_a_card(found: Found, tmp_path: Path) -> None:
    values = as_json(found)
    (found.folders[0] / "sub" / "b.jpg").unlink()
    page.write_page(tmp_path / "report.html", values, Recorder())
    assert len(Elements((tmp_path / "report.html").read_text(encoding="utf-8")).of("img")) == 4


def test_sets_beyond_the_thumbnails_are_listed(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_THUMBNAILS", 3)
    write(found, tmp_path / "report.html")
    elements = Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert (len(elements.of("img")), len(elements.of("figure"))) == (2, 4)


def test_a_search_without_duplicates_has_a_page_too(folder: Path, tmp_path: Path) -> None:
    save_picture(folder / "a.png", 1)
    index(folder)
    nothing = find(folder)
    for name in ("report.html", "report.csv", "report.json"):
        write(nothing, tmp_path / name)
    assert "No set fits" in (tmp_path / "report.html").read_text()
    reports.write_summary(tmp_path / "figure.png", as_json(nothing))
    with pytest.raises(DedupError, match="no duplicates"):
        write(nothing, tmp_path / "sheet.png")


def test_the_table_has_a_row_for_each_file(found: Found, tmp_path: Path) -> None:
    write(found, tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["role"] for row in rows] == ["keeper", "remove"] * 2
    assert {row["path"] for row in rows} == {
        str(picture.full_path) for group in found.groups for picture in group.pictures
    }
    assert rows[1]["tier"] == "identical file"


def test_the_json_is_that_of_find(indexed: Path, tmp_path: Path) -> None:
    done = detector("find", indexed, "--json", "--report", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(done.stdout)


def test_contact_sheets_take_as_many_pages_as_they_need(folder: Path, tmp_path: Path) -> None:
    for seed in range(21):
        save_picture(folder / f"{seed}.png", seed)
        shutil.copy2(folder / f"{seed}.png", folder / f"{seed} copy.png")
    index(folder)
    written = write(find(folder), tmp_path / "sheet.png")
    assert [path.name for path in written] == ["sheet-001.png", "sheet-002.png"]
    for path in written:
        with Image.open(path) as image:
            assert image.width > 400


def test_names_that_are_no_unicode_survive(folder: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9 $x^2$.png")
    try:
        save_picture(folder / "a.png", 1)
        shutil.copy2(folder / "a.png", folder / odd)
    except OSError:
        pytest.skip("this file system takes no such names")
    index(folder)
    found = find(folder)
    for name in ("report.html", "report.csv", "report.json", "report.png"):
        write(found, tmp_path / name)
    reports.write_summary(tmp_path / "figure.png", as_json(found))
    assert os.fsencode(odd) in (tmp_path / "report.csv").read_bytes()
    assert str(folder / odd) in (tmp_path / "report.json").read_text().encode().decode("unicode_escape")
    assert "caf%E9" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("name", ["report.html", "report.csv", "report.json", "report.png"])
def test_a_report_is_written_over_a_report_and_over_nothing_else(found: Found, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(found, path)
    write(found, path)
    for content in (
        b"my diary",
        b"<!doctype html><p>mine",
        b'{"groups": []}',
        b"path,bytes\n",
        b"\x89PNG\r\n\x1a\nmine",
    ):
        path.write_bytes(content)
        with pytest.raises(DedupError, match="no report of this tool"):
            write(found, path)
        assert path.read_bytes() == content
    write(found, path, force=True)
    assert path.read_bytes() != content


def test_no_report_is_ever_written_over_a_picture_or_among_them(found: Found) -> None:
    folder = found.folders[0]
    before = tree(folder)
    for force in (False, True):
        with pytest.raises(DedupError, match="among the pictures"):
            write(found, folder / "a.png", force=force)
        with pytest.raises(DedupError, match="among the pictures"):
            reports.write_summary(folder / "new.png", as_json(found), force=force)
    (folder / "notes.csv").write_text("mine")
    with pytest.raises(DedupError, match="no report of this tool"):
        write(found, folder / "notes.csv", force=True)
    (folder / "notes.csv").unlink()
    assert tree(folder) == before


def test_a_link_is_never_written_through(found: Found, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "report.html").symlink_to(tmp_path / "mine.txt")
    for force in (False, True):
        with pytest.raises(DedupError):
            write(found, tmp_path / "report.html", force=force)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "words"), [("report.pdf", "ending"), ("report", "ending"), ("no/such/report.html", "no folder")]
)
def test_a_place_without_sense_is_told_before_the_work(indexed: Path, tmp_path: Path, name: str, words: str) -> None:
    done = detector("find", indexed, "--report", tmp_path / name)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
    assert done.stdout == ""


def test_the_summary_is_a_figure(found: Found, tmp_path: Path) -> None:
    reports.write_summary(tmp_path / "figure.png", as_json(found))
    with Image.open(tmp_path / "figure.png") as image:
        assert image.width >= 1000
        assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 20
    reports.write_summary(tmp_path / "figure.png", as_json(found))


def test_find_writes_several_reports_at_once(indexed: Path, tmp_path: Path) -> None:
    names = ["r.html", "r.csv", "r.json", "r.png"]
    words = [word for name in names for word in ("--report", tmp_path / name)]
    done = detector("find", indexed, *words, "--summary", tmp_path / "s.png")
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / name).stat().st_size > 0 for name in [*names, "s.png"])
    assert done.stderr.count("Report: ") == 4
