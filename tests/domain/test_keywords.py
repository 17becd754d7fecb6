"""Keywords that people gave a photo before, as each program writes them, and as files really have them."""

import os
from pathlib import Path

import pytest

from tagging_assets.domain.keywords import (
    MAX_KEYWORD,
    MAX_KEYWORDS,
    exif_keywords,
    iptc_keywords,
    union,
    xmp_keywords,
)

_SPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"'
)


def packet(inner: str, attributes: str = "") -> bytes:
    description = f'<rdf:Description rdf:about="" {attributes}>{inner}</rdf:Description>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_SPACES}>{description}</rdf:RDF></x:xmpmeta>'.encode()


def array(name: str, *items: str, kind: str = "Bag") -> str:
    listed = "".join(f"<rdf:li>{item}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{listed}</rdf:{kind}></{name}>"


def subject(*items: str) -> str:
    return array("dc:subject", *items)


def paths(*items: str) -> str:
    return array("lr:hierarchicalSubject", *items)


def tags_list(*items: str) -> str:
    return array("digiKam:TagsList", *items, kind="Seq")


DARKTABLE = subject("Folk", "changed", "cr2", "darktable", "format") + paths(
    "Folk", "darktable|changed", "darktable|format|cr2"
)


@pytest.mark.parametrize(
    ("data", "keywords"),
    [
        (packet(subject("boat", "pier")), ("boat", "pier")),
        (packet(array("dc:subject", "boat", kind="Seq")), ("boat",)),  # ON1 writes this kind
        (packet("<dc:subject>boat</dc:subject>"), ("boat",)),  # no array at all
        (packet("", 'dc:subject="boat"'), ("boat",)),
        # paths: the last name, not those above it
        (packet(paths("Animals|Birds|Wren")), ("Wren",)),
        (packet(tags_list("Animals/Birds/Wren")), ("Wren",)),
        (packet(paths("Animals", "Animals|Birds")), ("Animals", "Birds")),  # unless given by themselves
        (packet(paths("Animals|Birds") + subject("Animals", "Birds")), ("Birds", "Animals")),
        (packet(paths("Either/Or")), ("Either/Or",)),  # a slash is part of the name here
        (packet(tags_list("A|B")), ("A|B",)),  # and a bar here
        (packet(paths("|Wren|", "||", " ")), ("Wren",)),  # empty names are none
        # all of them, digiKam's first, and each once
        (packet(subject("Cat", "dog") + paths("x|CAT") + tags_list("y/fox")), ("fox", "CAT", "dog")),
        # what darktable notes of its own work is no keyword, wherever it repeats it
        (packet(DARKTABLE), ("Folk",)),
        (packet(subject("darktable", "format")), ("darktable", "format")),  # which is only known by its paths
        (packet(DARKTABLE.replace("Folk", "Tool|format")), ("format", "Tool|format")),  # a person's own word stays
        (packet(subject("null", "N/A", "boat")), ("boat",)),  # what programs write for nothing
        (packet(subject("a &amp; b", "gr&#252;n")), ("a & b", "grün")),
        # two descriptions, as exiftool and others split namespaces
        (
            packet(subject("boat")).replace(
                b"</rdf:RDF>", f"<rdf:Description>{paths('x|pier')}</rdf:Description></rdf:RDF>".encode()
            ),
            ("pier", "boat"),
        ),
        # malformed: nothing, and no error
        (packet(subject("boat"))[:-60], ()),
        (b'<!DOCTYPE x [<!ENTITY a "ha">]>' + packet(subject("&a;")), ()),  # entities are refused
        (packet('<dc:subject rdf:nodeID="a"/>'), ()),
        (b"\x00\xff", ()),
        (b"", ()),
    ],
)
def test_xmp(data: bytes, keywords: tuple[str, ...]) -> None:
    assert xmp_keywords(data) == keywords


def iptc(*fields: tuple[int, bytes]) -> bytes:
    return b"".join(b"\x1c\x02" + bytes([number]) + len(value).to_bytes(2) + value for number, value in fields)


@pytest.mark.parametrize(
    ("data", "keywords"),
    [
        (iptc((25, b"boat"), (120, b"a caption"), (25, b"pier")), ("boat", "pier")),  # one to a data set
        (iptc((25, "Käse".encode()), (25, "Grün".encode("latin-1"))), ("Käse", "Grün")),
        (iptc((25, b"boat"), (25, b"Boat"), (25, b" ")), ("boat",)),
        (iptc((25, b"Paris, France"), (25, b"a;b")), ("Paris, France", "a;b")),  # nothing separates within
        (iptc((25, b"boat"), (25, b"pier"))[:-2], ("boat", "pi")),  # cut off: what there is
        (b"\x1c\x02\x19\xff\xff", ()),
        (b"", ()),
    ],
)
def test_iptc(data: bytes, keywords: tuple[str, ...]) -> None:
    assert iptc_keywords(data) == keywords


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("boat;pier\x00", ("boat", "pier")),  # Windows ends it with a NUL
        ("boat; ;Boat;", ("boat",)),
        ("Paris, France", ("Paris, France",)),
        ("", ()),
    ],
)
def test_exif(text: str, keywords: tuple[str, ...]) -> None:
    assert exif_keywords(text) == keywords


@pytest.mark.parametrize(
    ("groups", "keywords"),
    [
        ((["b", "a"], ["A", "c"]), ("b", "a", "c")),  # the order found, the first spelling
        ((["STRASSE"], ["Straße"]), ("STRASSE",)),  # the same word in another case
        ((["cafe\u0301"], ["CAFÉ"]), ("café",)),  # composed, so that equal words compare equal
        ((["two\n  lines\t"],), ("two lines",)),
        ((["nul\x00", "half \ud83d"],), ("nul", "half")),  # Postgres takes no NUL, nothing encodes half a pair
        ((["x" * MAX_KEYWORD, "y" * (MAX_KEYWORD + 1), "z"],), ("x" * MAX_KEYWORD, "z")),  # a text is no keyword
        (([" " * 10_000_000, "z"],), ("z",)),
        ((), ()),
    ],
)
def test_union(groups: tuple[list[str], ...], keywords: tuple[str, ...]) -> None:
    assert union(*groups) == keywords
    assert union(keywords) == keywords


def test_their_number_has_a_limit() -> None:
    assert union(map(str, range(1_000_000))) == tuple(map(str, range(MAX_KEYWORDS)))
    assert union(["same"] * 1_000_000) == ("same",)


CORPUS = Path(os.environ.get("TAGGING_CORPUS", "no-corpus"))


@pytest.mark.skipif(not (CORPUS / "sidecars").is_dir(), reason="TAGGING_CORPUS points at no corpus")
def test_real_sidecars() -> None:
    found = {path.name: xmp_keywords(path.read_bytes()) for path in sorted((CORPUS / "sidecars").rglob("*.xmp"))}
    assert sum(map(bool, found.values())) >= 10
    machine = {"darktable", "changed", "exported", "format", "cr2", "null"}
    assert machine.isdisjoint(word for words in found.values() for word in words)
