"""What a picture says about itself is read whoever wrote it, and nothing that claims to be metadata does harm."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from conftest import picture, save_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from dedup import xmp
from dedup.metadata import Metadata, as_packet, merged, read_metadata

EXIF = Metadata("2019-07-03T14:22:10+02:00", (52.519, -13.401), 4, ("beach", "Anna"), "By the sea")


def exif_of(known: Metadata = EXIF) -> Image.Exif:
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "2019:07:03 14:22:10", 0x9011: "+02:00"}
    assert known.gps is not None
    exif[0x8825] = {1: "N", 2: angle(known.gps[0]), 3: "W", 4: angle(known.gps[1])}
    exif[0x4746] = known.rating
    exif[0x9C9E] = ";".join(known.keywords).encode("utf-16-le") + b"\0\0"
    exif[0x9C9B] = known.title.encode("utf-16-le") + b"\0\0"
    return exif


def angle(value: float) -> tuple[IFDRational, ...]:
    value = abs(value)
    return (
        IFDRational(int(value)),
        IFDRational(int(value * 60 % 60)),
        IFDRational(round(value * 3600 % 60 * 10000), 10000),
    )


def packet(body: str, attributes: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in xmp.NAMESPACES.items() if prefix != "rdf")
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{xmp.NAMESPACES["rdf"]}">'
        f'<rdf:Description rdf:about="" {spaces} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def iptc(*datasets: tuple[int, str]) -> bytes:
    """A Photoshop block with IPTC records of the second kind, as a JPEG's APP13 holds it."""
    records = b"".join(
        b"\x1c\x02" + bytes([kind]) + len(t.encode()).to_bytes(2, "big") + t.encode() for kind, t in datasets
    )
    block = (
        b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(records).to_bytes(4, "big") + records + b"\0" * (len(records) % 2)
    )
    return b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "heic"])
def test_exif_is_read_in_every_format_that_holds_it(folder: Path, suffix: str) -> None:
    from dedup.images import register_formats

    register_formats()
    picture(1, (60, 40)).save(folder / f"a.{suffix}", exif=exif_of().tobytes())
    assert read_metadata(folder / f"a.{suffix}") == EXIF


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_packet_inside_a_file_is_read(folder: Path, suffix: str) -> None:
    known = Metadata("2020-01-02T03:04:05", (-33.85, 151.2), 5, ("harbour", "naïve & <odd>"), "Sydney")
    if suffix == "png":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", as_packet(known).decode())
        picture(1, (60, 40)).save(folder / "a.png", pnginfo=info)
    elif suffix == "tif":
        picture(1, (60, 40)).save(folder / "a.tif", tiffinfo={700: as_packet(known)})
    else:
        picture(1, (60, 40)).save(folder / f"a.{suffix}", xmp=as_packet(known))
    assert read_metadata(folder / f"a.{suffix}") == known


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ("<xmp:Rating>3</xmp:Rating><photoshop:DateCreated>2021-05-06T07:08:09</photoshop:DateCreated>", ""),
        ("", 'xmp:Rating="3" photoshop:DateCreated="2021-05-06T07:08:09.12"'),
    ],
)
def test_properties_are_read_as_elements_and_as_attributes(folder: Path, body: str, attributes: str) -> None:
    save_picture(folder / "a.jpg", 1, (60, 40))
    (folder / "a.xmp").write_bytes(packet(body, attributes))
    assert read_metadata(folder / "a.jpg") == Metadata("2021-05-06T07:08:09", rating=3)


def test_iptc_is_read(folder: Path) -> None:
    data = save_picture(folder / "a.jpg", 1, (60, 40)).read_bytes()
    (folder / "a.jpg").write_bytes(data[:2] + iptc((5, "Títle"), (25, "one"), (25, "two")) + data[2:])
    assert read_metadata(folder / "a.jpg") == Metadata(keywords=("one", "two"), title="Títle")


@pytest.mark.parametrize("name", ["a.xmp", "a.jpg.xmp", "A.XMP"])
def test_a_sidecar_counts_before_the_file_and_keywords_come_together(folder: Path, name: str) -> None:
    picture(1, (60, 40)).save(folder / "a.jpg", exif=exif_of())
    (folder / name).write_bytes(as_packet(Metadata(rating=2, keywords=("Anna", "2019"), title="Better")))
    assert read_metadata(folder / "a.jpg") == Metadata(EXIF.taken, EXIF.gps, 2, ("Anna", "2019", "beach"), "Better")


def test_a_sidecar_in_utf_16_is_read(folder: Path) -> None:
    save_picture(folder / "a.jpg", 1, (60, 40))
    (folder / "a.xmp").write_bytes(as_packet(Metadata(title="Größe")).decode().lstrip("\ufeff").encode("utf-16"))
    assert read_metadata(folder / "a.jpg").title == "Größe"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_never_expanded(folder: Path, encoding: str) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(97 + n)} "{f"&{chr(96 + n)};" * 10}">' for n in range(1, 12)
    )
    text = bomb + "]>" + packet("<dc:title>&l;</dc:title>").decode()
    save_picture(folder / "a.jpg", 1, (60, 40))
    (folder / "a.xmp").write_bytes(text.encode(encoding))
    started = time.monotonic()
    assert read_metadata(folder / "a.jpg") == Metadata()
    assert time.monotonic() - started < 5


def test_a_sidecar_too_large_says_nothing(folder: Path) -> None:
    save_picture(folder / "a.jpg", 1, (60, 40))
    (folder / "a.xmp").write_bytes(as_packet(Metadata(rating=2)) + b" " * xmp.MOST_BYTES)
    assert read_metadata(folder / "a.jpg") == Metadata()


@pytest.mark.parametrize(
    "values",
    [
        {0x9003: "0000:00:00 00:00:00"},
        {0x9003: "2019:13:45 99:99:99"},
        {0x9003: "    :  :     :  :  "},
        {0x9003: b"\xff\xfe"},
    ],
)
def test_a_clock_that_was_not_set_is_no_date(folder: Path, values: dict[int, Any]) -> None:
    exif = Image.Exif()
    exif[0x8769] = values
    picture(1, (60, 40)).save(folder / "a.jpg", exif=exif)
    assert read_metadata(folder / "a.jpg").taken == ""


def test_zeros_and_impossible_numbers_are_no_place_and_no_rating(folder: Path) -> None:
    for gps in (
        {1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)},
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
    ):
        exif = Image.Exif()
        exif[0x8825] = gps
        exif[0x4746] = 99
        picture(1, (60, 40)).save(folder / "a.jpg", exif=exif)
        assert read_metadata(folder / "a.jpg") == Metadata()


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"not a picture", b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\xff\xff"]
)
def test_what_is_no_picture_says_nothing(folder: Path, content: bytes) -> None:
    for name in ("a.jpg", "a.png", "a.xmp"):
        (folder / name).write_bytes(content)
    assert read_metadata(folder / "a.jpg") == Metadata()
    assert read_metadata(folder / "a.png") == Metadata()
    assert read_metadata(folder / "nowhere" / "a.jpg") == Metadata()
    assert read_metadata(folder) == Metadata()


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).map(str.strip).filter(bool)
KNOWN = st.builds(
    Metadata,
    taken=st.just("") | st.datetimes().map(lambda when: when.replace(microsecond=0).isoformat()),
    gps=st.none()
    | st.tuples(st.floats(-90, 90), st.floats(-180, 180))
    .map(lambda at: (round(at[0], 5), round(at[1], 5)))
    .filter(any),
    rating=st.none() | st.sampled_from([-1, 1, 2, 3, 4, 5]),
    keywords=st.lists(TEXT, max_size=4, unique=True).map(tuple),
    title=st.just("") | TEXT,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=KNOWN)
def test_what_is_written_to_a_sidecar_is_read_from_it(folder: Path, known: Metadata) -> None:
    if not (folder / "a.jpg").exists():
        save_picture(folder / "a.jpg", 1, (60, 40))
    (folder / "a.jpg.xmp").write_bytes(as_packet(known))
    found = read_metadata(folder / "a.jpg")
    assert (found.taken, found.rating, found.keywords, found.title) == (
        known.taken,
        known.rating,
        known.keywords,
        known.title,
    )
    assert (found.gps is None) == (known.gps is None)
    if found.gps is not None and known.gps is not None:
        assert found.gps == pytest.approx(known.gps, abs=1e-6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 3000), junk=st.binary(max_size=40))
def test_damaged_metadata_never_raises(folder: Path, at: int, junk: bytes) -> None:
    if not (folder / "whole.jpg").exists():
        picture(1, (60, 40)).save(folder / "whole.jpg", exif=exif_of(), xmp=as_packet(EXIF))
    data = (folder / "whole.jpg").read_bytes()
    (folder / "a.jpg").write_bytes(data[:at] + junk + data[at + len(junk) :])
    (folder / "a.xmp").write_bytes(as_packet(EXIF)[:at] + junk)
    assert isinstance(read_metadata(folder / "a.jpg"), Metadata)


def test_control_characters_do_not_spoil_a_sidecar() -> None:
    packet_ = as_packet(Metadata(title="a\0b\x1bc\ud800d", keywords=("x\uffff",)))
    assert xmp.properties(packet_) == {"dc:subject": ["x"], "dc:title": ["abcd"]}


def test_the_first_that_says_anything_counts() -> None:
    assert merged([Metadata(title="a"), Metadata(taken="2020-01-01T00:00:00", title="b", keywords=("x",))]) == Metadata(
        "2020-01-01T00:00:00", keywords=("x",), title="a"
    )
