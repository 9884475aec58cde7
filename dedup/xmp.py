"""Read and compose XMP packets: what is said about a picture, within its file or beside it.

(ISO 16684-1.) A packet may come from anywhere: its size is bounded, and one with a document type, by which entities
could be declared, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

MOST_BYTES = 4 << 20
NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
LISTS = {"dc:subject": "Bag", "dc:title": "Alt"}

# What XML cannot hold, however it is written.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}
_RDF = NAMESPACES["rdf"]


def properties(packet: bytes) -> dict[str, list[str]]:
    """The plain and listed values of a packet, by names such as ``dc:subject``; none for what is no packet."""
    if len(packet) > MOST_BYTES:
        return {}
    root = _parsed(packet)
    found: dict[str, list[str]] = {}
    for description in root.iter(f"{_RDF}}}Description") if root is not None else ():
        for name, value in description.attrib.items():
            _note(found, name, [value])
        for child in description:
            _note(found, child.tag, _values(child))
    return found


def packet(values: Mapping[str, Sequence[str]]) -> bytes:
    """A packet, as a sidecar file holds it, with these values."""
    plain = "".join(f"\n   {name}={quoteattr(_plain(texts[0]))}" for name, texts in values.items() if name not in LISTS)
    listed = "".join(_list(name, texts) for name, texts in values.items() if name in LISTS)
    spaces = "".join(f"\n   xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in NAMESPACES.items() if prefix != "rdf")
    text = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        f' <rdf:RDF xmlns:rdf="{_RDF}">\n'
        f'  <rdf:Description rdf:about=""{spaces}{plain}>\n{listed}  </rdf:Description>\n'
        ' </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
    )
    return text.encode()


def _list(name: str, texts: Iterable[str]) -> str:
    kind = LISTS[name]
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    items = "".join(f"     <rdf:li{language}>{escape(_plain(text))}</rdf:li>\n" for text in texts)
    return f"   <{name}>\n    <rdf:{kind}>\n{items}    </rdf:{kind}>\n   </{name}>\n"


def _plain(text: str) -> str:
    return _FORBIDDEN.sub("", text)


def _parsed(packet: bytes) -> Element | None:
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        # Some cameras pad with zeros; in UTF-16 they are part of the letters.
        wide = packet.startswith((b"\xff\xfe", b"\xfe\xff"))
        parser.Parse(packet if wide else packet.strip(b"\0 \r\n\t"), True)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError):
        return None


def _refuse(*_: object) -> None:
    raise ValueError("a packet with a document type")


def _note(found: dict[str, list[str]], tag: str, values: list[str]) -> None:
    uri, _, name = tag.rpartition("}")
    if uri in _PREFIXES and uri != _RDF and (texts := [value.strip() for value in values if value.strip()]):
        found.setdefault(f"{_PREFIXES[uri]}:{name}", []).extend(texts)


def _values(element: Element) -> list[str]:
    """The items of a list, or the text of a plain property."""
    items = [item.text or "" for item in element.iter(f"{_RDF}}}li")]
    return items or [element.text or ""]
