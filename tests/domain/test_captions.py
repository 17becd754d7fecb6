import os
from pathlib import Path

import pytest

from tagging_assets.domain.captions import (
    MAX_CAPTION,
    MAX_SIDECAR_BYTES,
    Caption,
    choose_caption,
    clean,
    decode_text,
    parse_exif_comment,
    parse_iptc,
    parse_json,
    parse_xmp,
    sidecar_names,
)

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def xmp(inner: str, attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {RDF}><rdf:Description rdf:about="" {attributes}>{inner}</rdf:Description></rdf:RDF>'
        '</x:xmpmeta>\n   \n<?xpacket end="w"?>'
    ).encode()


def described(text: str) -> bytes:
    return xmp(f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>')


def test_sidecar_names_put_the_more_specific_first() -> None:
    assert [name for _, name in sidecar_names("a.jpg")] == [
        "a.jpg.txt",
        "a.txt",
        "a.jpg.json",
        "a.json",
        "a.jpg.xmp",
        "a.xmp",
    ]


EMBEDDED = {"xmp": "from xmp", "iptc": "from iptc", "exif": "from exif"}


@pytest.mark.parametrize(
    ("sidecars", "embedded", "expected"),
    [
        # every source, each beaten by the one before it
        (
            [("txt", b"from txt"), ("json", b'{"caption": "from json"}'), ("xmp", described("from sidecar"))],
            EMBEDDED,
            ("from txt", "txt"),
        ),
        ([("json", b'{"caption": "from json"}'), ("xmp", described("x"))], EMBEDDED, ("from json", "json")),
        ([("xmp", described("from sidecar"))], EMBEDDED, ("from sidecar", "xmp_sidecar")),
        ([], EMBEDDED, ("from xmp", "xmp")),
        ([], {"iptc": "from iptc", "exif": "from exif"}, ("from iptc", "iptc")),
        ([], {"exif": "from exif"}, ("from exif", "exif")),
        ([], {}, ("", "")),
        # what is empty, broken or of another kind falls through
        ([("txt", b" \n"), ("json", b"{"), ("xmp", b"<oops")], {"exif": "from exif"}, ("from exif", "exif")),
        ([("json", b'{"rating": 5}')], {"exif": "from exif"}, ("from exif", "exif")),
        # what a camera or the file name says is no caption
        ([], {"exif": "OLYMPUS DIGITAL CAMERA"}, ("", "")),
        ([], {"exif": "SONY DSC"}, ("", "")),
        ([("json", b'{"title": "IMG_1.jpg"}')], {}, ("", "")),
        ([("txt", b"IMG_1")], {"iptc": "a cat"}, ("a cat", "iptc")),
        ([("xmp", described("null"))], {}, ("", "")),
        # but a caption that mentions one is
        ([], {"exif": "My new digital camera"}, ("My new digital camera", "exif")),
    ],
)
def test_choose_caption(sidecars: list[tuple[str, bytes]], embedded: dict[str, str], expected: tuple[str, str]) -> None:
    found = choose_caption("IMG_1.jpg", sidecars, embedded)
    assert (found.text, found.source) == expected


def test_the_creator_may_come_from_another_sidecar_than_the_caption() -> None:
    found = choose_caption("a.jpg", [("txt", b"a cat"), ("json", b'{"author": "Ada"}')])
    assert found == Caption("a cat", "txt", "Ada")


def test_oversized_sidecars_are_not_parsed() -> None:
    assert choose_caption("a.jpg", [("txt", b"x" * (MAX_SIDECAR_BYTES["txt"] + 1))]) == Caption()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  a\tcat \r\n on  a mat\r", "a cat\non a mat"),  # blanks and line ends
        ("a\n\n\n\n\nb", "a\n\nb"),  # no more than one empty line
        ("nul\x00 bell\x07 del\x7f", "nul bell del"),  # Postgres takes no NUL
        ("half \ud83d pair", "half pair"),  # nothing can encode a lone surrogate
        ("cafe\u0301", "café"),  # composed, so that equal texts compare equal
        ("<p>Tom &amp; <b>Jerry</b></p>", "Tom & Jerry"),  # blogs write HTML
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),  # which this is not
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),  # joiners stay
        ("", ""),
    ],
)
def test_clean(raw: str, expected: str) -> None:
    assert clean(raw) == expected
    assert clean(expected) == expected


def test_clean_limits_the_length() -> None:
    assert len(clean("x" * 1_000_000)) == MAX_CAPTION


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("größer".encode(), "größer"),
        ("größer".encode("utf-8-sig"), "größer"),  # Notepad
        ("größer".encode("utf-16"), "größer"),  # with its byte order mark
        ("größer".encode("latin-1"), "größer"),
        (b"it\x92s", "it\u2019s"),  # Windows' own quotes
        (b"\x81", "\x81"),  # not even Windows knows it: Latin-1 takes every byte
        (b"", ""),
    ],
)
def test_decode_text(data: bytes, expected: str) -> None:
    assert decode_text(data) == expected


@pytest.mark.parametrize(
    ("data", "text", "creator"),
    [
        (b'{"caption": "c", "description": "d", "text": "t", "title": "i"}', "c", ""),
        (b'{"description": "d", "title": "i"}', "d", ""),
        (b'{"Title": "i", "username": "ada"}', "i", "ada"),  # keys in any case
        (b'{"caption": "", "title": "i"}', "i", ""),  # empty ones do not count
        (b'{"caption": {"text": "c"}, "creator": {"name": "Ada"}}', "c", "Ada"),  # one level of wrapping
        (b'{"caption": ["a", "b"]}', "a, b", ""),
        (b'{"post": {"caption": "c", "blog_name": "ada"}}', "c", "ada"),
        (b'[{"caption": "c"}]', "c", ""),
        (b'"just words"', "just words", ""),
        (b'{"caption": 5}', "", ""),
        (b"[]", "", ""),
        (b"null", "", ""),
        (b"", "", ""),
        (b'{"caption": "c"', "", ""),  # cut off
        (b"[" * 200_000, "", ""),  # deeper than any parser goes
        (b"1" * 5_000, "", ""),  # longer than an integer may be
    ],
)
def test_parse_json(data: bytes, text: str, creator: str) -> None:
    assert parse_json(data) == Caption(text, "json" if text else "", creator)


BILLION_LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;">]><rdf:RDF ' + RDF.encode() + b">"
    b'<rdf:Description dc:description="&b;"/></rdf:RDF>'
)
OUTSIDE = (
    b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><rdf:RDF ' + RDF.encode() + b">"
    b"<rdf:Description><dc:description>&f;</dc:description></rdf:Description></rdf:RDF>"
)


@pytest.mark.parametrize(
    ("data", "text", "creator"),
    [
        (described("a cat"), "a cat", ""),  # as the specification has it
        (described("a cat").decode().encode("utf-16"), "a cat", ""),
        (xmp("", 'dc:description="short form"'), "short form", ""),
        (xmp("<dc:description>plain</dc:description>"), "plain", ""),
        # the default language, wherever it stands
        (
            xmp(
                '<dc:description><rdf:Alt><rdf:li xml:lang="de">Katze</rdf:li>'
                '<rdf:li xml:lang="x-default">cat</rdf:li></rdf:Alt></dc:description>'
            ),
            "cat",
            "",
        ),
        # else the first
        (
            xmp('<dc:description><rdf:Alt><rdf:li xml:lang="de">Katze</rdf:li></rdf:Alt></dc:description>'),
            "Katze",
            "",
        ),
        (
            xmp("<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"),
            "",
            "Ada, Bob",
        ),
        (b"garbage " + described("found inside")[60:] + b"\x00" * 20, "found inside", ""),
        (described("a &amp; b"), "a & b", ""),
        (BILLION_LAUGHS, "", ""),
        (OUTSIDE, "", ""),
        (described("cut off")[:-40], "", ""),
        (b"", "", ""),
        (b"\x00\xff\xfe<", "", ""),
        (b"<a>" * 50_000, "", ""),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "", ""),
        (b"<html><body>not XMP</body></html>", "", ""),
    ],
)
def test_parse_xmp(data: bytes, text: str, creator: str) -> None:
    assert parse_xmp(data) == Caption(text, "xmp" if text else "", creator)


def iptc(*fields: tuple[int, bytes]) -> bytes:
    return b"".join(b"\x1c\x02" + bytes([number]) + len(value).to_bytes(2) + value for number, value in fields)


@pytest.mark.parametrize(
    ("data", "text", "creator"),
    [
        (iptc((120, b"a cat"), (80, b"Ada")), "a cat", "Ada"),
        (iptc((120, "Käse".encode())), "Käse", ""),
        (iptc((120, "Käse".encode("latin-1"))), "Käse", ""),
        (b"8BIM\x04\x04\x00\x00\x00\x00\x00\x0a" + iptc((120, b"a cat")), "a cat", ""),  # the whole resource
        (iptc((120, b"a cat"))[:-3], "a", ""),  # cut off: what there is
        (b"\x1c\x02\x78\xff\xff", "", ""),  # a length beyond any text
        (b"\x1c\x02", "", ""),
        (b"", "", ""),
    ],
)
def test_parse_iptc(data: bytes, text: str, creator: str) -> None:
    assert parse_iptc(data) == Caption(text, "iptc" if text else "", creator)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"ASCII\x00\x00\x00a cat   ", "a cat"),
        (b"\x00" * 8 + b"a cat", "a cat"),  # undefined: in practice ASCII
        (b"UNICODE\x00" + "a cat".encode("utf-16-le"), "a cat"),
        (b"UNICODE\x00" + "a cat".encode("utf-16-be"), "a cat"),
        (b"JIS\x00\x00\x00\x00\x00\x1b$B", ""),
        (b"", ""),
        (b"ASCII\x00\x00\x00" + b"\x00" * 50, ""),  # what most cameras write
    ],
)
def test_parse_exif_comment(data: bytes, expected: str) -> None:
    assert parse_exif_comment(data) == expected


CORPUS = Path(os.environ.get("TAGGING_CORPUS", "no-corpus"))


@pytest.mark.skipif(not (CORPUS / "sidecars").is_dir(), reason="TAGGING_CORPUS points at no corpus")
def test_real_sidecars_are_all_survived() -> None:
    files = sorted((CORPUS / "sidecars").rglob("*.xmp"))
    captions = [choose_caption("x.jpg", [("xmp", file.read_bytes())]) for file in files]
    assert len(captions) >= 20
    assert any(caption.text for caption in captions)
    assert any(caption.creator for caption in captions)
