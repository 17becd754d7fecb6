"""Sheets of relevance marks: what is written is read again, and what makes no sense is named by its line."""

import pytest

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.marking_sheet import SheetLine, format_sheet, parse_sheet


def test_a_sheet_comes_back_as_it_was_written() -> None:
    lines = [
        SheetLine("a.jpg", "dog", True),
        SheetLine("a.jpg", 'quote " and, comma', False),
        SheetLine("zoë.jpg", "^_^", None),
    ]
    text = format_sheet(lines)
    assert text.splitlines()[0] == "image,tag,relevant"
    again = parse_sheet(text, "s.csv")
    assert [SheetLine(one.image, one.tag, one.relevant) for one in again] == lines
    assert [one.where for one in again] == ["s.csv, line 2", "s.csv, line 3", "s.csv, line 4"]


@pytest.mark.parametrize(
    ("text", "relevant"),
    [
        ("image,tag,relevant\na,dog,1\n", True),
        ("image,tag,relevant\r\na,dog,0\r\n", False),
        # as spreadsheets write it
        ("image;tag;relevant\na;dog;TRUE\n", True),
        ("image\ttag\trelevant\na\tdog\t0.0\n", False),
        # columns in another order, and more of them
        ("Relevant,why,Tag,Image\nno,a cat,dog,a\n", False),
        # not filled in: an empty cell, or none
        ("image,tag,relevant\na,dog,\n", None),
        ("image,tag,relevant\na,dog\n", None),
        # blank lines are nothing
        ("\nimage,tag,relevant\n\na,dog, y \n,,\n", True),
    ],
)
def test_marks_as_people_write_them(text: str, relevant: bool | None) -> None:
    (line,) = parse_sheet(text, "s.csv")
    assert (line.image, line.tag, line.relevant) == ("a", "dog", relevant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 's.csv, line 1: no column "image"'),
        ("image,tag\na,dog\n", 'no column "relevant"; the first line must name image, tag, relevant'),
        ("image,tag,relevant\na,dog,maybe\n", 's.csv, line 2: "maybe" is no mark'),
        ("image,tag,relevant\n\n,dog,1\n", "line 3: every line needs an image and a tag"),
        ('image,tag,relevant\na,"dog"x,1\n', "line 2: no CSV"),
    ],
)
def test_what_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_sheet(text, "s.csv")
