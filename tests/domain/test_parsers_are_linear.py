"""What strangers wrote into a file is read in a time in proportion to its length, whatever it says."""

import time
from collections.abc import Callable

import pytest

from tagging_assets.domain.captions import (
    clean,
    decode_text,
    parse_exif_comment,
    parse_iptc,
    parse_json,
    parse_xmp,
)
from tagging_assets.domain.images import camera_name, exif_time
from tagging_assets.domain.keywords import exif_keywords, iptc_keywords, xmp_keywords

_TIMES = 8
#: Eight times the input takes eight times as long where a parser is linear, and 64 times where it is quadratic.
_MOST = 24

XMP_HEAD = (
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/">'
)


def within(begin: bytes, unit: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    return lambda times: begin + unit * times + end


def least_seconds(parse: Callable[[bytes], object], data: bytes) -> float:
    def once() -> float:
        began = time.process_time()
        parse(data)
        return time.process_time() - began

    return min(once() for _ in range(4))


@pytest.mark.parametrize("parse", [parse_xmp, xmp_keywords])
@pytest.mark.parametrize(
    "make",
    [
        within(b"", b"<x:xmpmeta "),  # beginnings without an end
        within(b"", b"<x:xmpmeta></x:xapmeta>"),
        within(b"", b"</x:xmpmeta>"),
        within(b"", b"<rdf:RDF></xmpmeta>", b"<xapmeta></RDF>"),
        within(b"", b"<" + b"a" * 30),
        within(b"<", b"a"),
        within(b"<a:", b"a"),
        within(b"</RDF", b" "),
        within(b"", b"</RDF   "),
        within(b"", b"<a>"),  # depth
        within(XMP_HEAD, b"<rdf:Description/>", b"</rdf:RDF>"),
        within(XMP_HEAD, b'<rdf:Description dc:subject="a"/>', b"</rdf:RDF>"),
        within(
            XMP_HEAD + b"<rdf:Description><dc:subject><rdf:Bag>",
            b"<rdf:li>a</rdf:li>",
            b"</rdf:Bag></dc:subject></rdf:Description></rdf:RDF>",
        ),
        within(
            XMP_HEAD + b"<rdf:Description><dc:creator><rdf:Bag>",
            b"<rdf:li>a</rdf:li>",
            b"</rdf:Bag></dc:creator></rdf:Description></rdf:RDF>",
        ),
    ],
)
def test_xmp(parse: Callable[[bytes], object], make: Callable[[int], bytes]) -> None:
    assert_linear(parse, make)


@pytest.mark.parametrize(
    ("parse", "make"),
    [
        (lambda data: clean(data.decode()), within(b"", b"<p ")),
        (lambda data: clean(data.decode()), within(b"<p ", b"a")),
        (lambda data: clean(data.decode()), within(b"<b>", b"&#1")),
        (lambda data: clean(data.decode()), within(b"<b>&#", b"9")),
        (lambda data: clean(data.decode()), within(b"", b"\n")),
        (lambda data: clean(data.decode()), within(b"", b"\n\n a")),
        (lambda data: clean(data.decode()), within(b"a", "\u0316\u0301".encode())),  # marks that NFC puts in order
        (decode_text, within(b"\xff\xfe", b"\x00\xd8")),
        (parse_json, within(b"", b"[")),
        (parse_json, within(b"", b'{"caption":')),
        (parse_json, within(b"", b"9")),
        (parse_json, within(b'{"text": "', b"\\ud800", b'"}')),
        (parse_json, within(b'{"creator": [', b'"a",', b'"a"]}')),
        (parse_iptc, within(b"", b"\x1c\x02\x78\x00\x00")),
        (parse_iptc, within(b"", b"\x1c")),
        (iptc_keywords, within(b"", b"\x1c\x02\x19\x00\x01a")),
        (parse_exif_comment, within(b"UNICODE\x00", b"\x00\xd8")),
        (lambda data: exif_keywords(data.decode()), within(b"", b";")),
        (lambda data: exif_time(data.decode()), within(b"", b"2024:01:01 ")),
        (lambda data: camera_name(data.decode(), data.decode()), within(b"", b" a")),
    ],
)
def test_other_blocks(parse: Callable[[bytes], object], make: Callable[[int], bytes]) -> None:
    assert_linear(parse, make)


def assert_linear(parse: Callable[[bytes], object], make: Callable[[int], bytes]) -> None:
    times, few = 1_000, 0.0
    # As much as can be timed well, or a quarter of a megabyte.
    while few < 0.01 and len(make(times)) < 250_000:
        times *= 2
        few = least_seconds(parse, make(times))
    assert least_seconds(parse, make(_TIMES * times)) < _MOST * max(few, 0.005), times


@pytest.mark.parametrize("text", ["<b>&#" + "9" * 5_000 + ";", "\ud83d<i>\udc00</i>", "a\x00b", "<p>&#55296;&#0;"])
def test_text_that_no_table_can_hold_is_cleaned(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert "\x00" not in cleaned
