"""A name is one part of a path, or it is refused."""

import pytest

from tagging_assets.domain.errors import UnsafeName
from tagging_assets.domain.path_names import path_name

#: What nobody may call a partition or an experiment; tried wherever such a name becomes a path.
UNSAFE = (
    "",
    ".",
    "..",
    "../../../evil",
    "a/b",
    "a/../../b",
    "/etc/evil",
    "..\\evil",
    "C:evil",
    "~root",
    ".hidden",
    "-rf",
    "a\0b",
    "a\nb",
    "b000001\n",
    "a b",
    "a\x1b[31m",
    "x" * 129,
    "x" * 100_000,
    # full-width dots and stroke, a fraction stroke, Cyrillic, an accent apart, marks of width and direction
    "．．／evil",
    "a∕b",
    "а",
    "e\u0301",
    "a\u200bb",
    "a\u202eb",
    "\ud800",
    "%2e%2e%2fevil",
    "$(id)",
    "a;b",
    "a*",
)


@pytest.mark.parametrize("name", ["b000001", "trial", "select-t0.8", "a_b", "yolo11s", "x" * 128, "A+b=c@d", "_x", "1"])
def test_plain_names_pass_as_they_are(name: str) -> None:
    assert path_name(name) == name


@pytest.mark.parametrize("name", UNSAFE, ids=range(len(UNSAFE)))
def test_anything_else_is_refused_in_one_short_line(name: str) -> None:
    with pytest.raises(UnsafeName) as refused:
        path_name(name)
    said = str(refused.value)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 400
