"""True tags as somebody wrote them down."""

import pytest

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.references import match_reference, parse_reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a.jpg": ["Dog", "beach"]}', {"a.jpg": ("dog", "beach")}),
        # a byte order mark, and repetition
        ('\ufeff{"a": ["dog", "DOG"]}', {"a": ("dog",)}),
        # nothing is on it, and somebody knows
        ('{"a": []}', {"a": ()}),
        ("image,tag\na.jpg,dog\nb.jpg,cat\na.jpg,beach\n", {"a.jpg": ("dog", "beach"), "b.jpg": ("cat",)}),
        # further columns, other order, quotes
        ('tag,who,image\n"red, bus",anna,a.jpg\n', {"a.jpg": ("red, bus",)}),
        # a photo without tags, and empty lines
        ("image,tag\na.jpg,\n\n", {"a.jpg": ()}),
    ],
)
def test_both_forms(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert parse_reference(text, "r") == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "neither JSON nor CSV"),
        ("name;tag\na;b\n", "neither JSON nor CSV"),
        ('{"a": ', "is not JSON"),
        ('{"a": "dog"}', "write a list of tags"),
        ('{"a": [1]}', "write a list of tags"),
    ],
)
def test_what_is_neither(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse_reference(text, "r")


def test_photos_are_meant_by_id_path_name_or_stem() -> None:
    photos = {"1": "/p/a.jpg", "2": "/p/b.jpg", "3": "/q/b.jpg", "4": "/q/c.d.png"}
    said = {"1": ("one",), "/p/b.jpg": ("two",), "b.jpg": ("which",), "c.d": ("four",), "z.jpg": ("none",)}
    # a photo that is meant twice has the tags of both, each once
    found, unknown = match_reference({**said, "a": ("uno", "one")}, photos)
    assert found == {"1": ("one", "uno"), "2": ("two",), "4": ("four",)}
    assert unknown == ["b.jpg", "z.jpg"]
