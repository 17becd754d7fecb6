"""Words of others in every outlet: nothing acts, nothing hides, and programs get them as they are."""

import csv
import html
import io
import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from tagging_assets.domain.marking_sheet import SheetLine, format_sheet, parse_sheet
from tagging_assets.domain.printable import (
    for_block,
    for_cell,
    for_csv,
    for_json,
    for_line,
    for_markdown,
    for_markup,
    from_csv,
    markdown_list,
    markdown_table,
    storable,
    unseen,
)
from tests.hostile import HOSTILE, unsafe

words = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


@words
def test_one_line_stays_one_line_of_seen_letters(text: str) -> None:
    line = for_line(text)
    assert unsafe(line) == set()
    assert for_line(line) == line
    line.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a dog", "a dog"),
        ("Füße, 犬, собака, כלב, 🐶", "Füße, 犬, собака, כלב, 🐶"),  # letters of all scripts stay
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[0m", r"\x1b[0m"),
        ("\u202e", r"\u202e"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud83d", r"\ud83d"),
        ("caf\udce9", r"caf\xe9"),  # a byte of a file name
    ],
)
def test_what_is_not_seen_is_written_out(text: str, shown: str) -> None:
    assert for_line(text) == shown


@words
def test_blocks_keep_their_lines(text: str) -> None:
    assert unsafe(for_block(text), but="\n\t") == set()
    assert for_block("a\r\nb\tc") == "a\nb\tc"


@words
def test_markup_is_one_text(text: str) -> None:
    shown = ET.fromstring(f'<a title="{for_markup(text)}">{for_markup(text)}</a>')
    assert list(shown) == []
    assert set(shown.attrib) == {"title"}
    assert unsafe(html.unescape(for_markup(text)), but="\n\t") == set()


def test_words_from_the_right_do_not_turn_their_neighbours() -> None:
    assert for_markup("אב 1") == "\u2068אב 1\u2069"
    assert for_markup("ab 1") == "ab 1"


@words
def test_markdown_has_no_meaning(text: str) -> None:
    line = for_markdown(text)
    assert unsafe(line) == set()
    bare = re.sub(r"\\.", "", line)
    assert not set("`*_[]<>|!#") & set(bare)
    assert not re.search(r"://|www\.|@", bare)
    assert len(markdown_table(["a", "b"], [[text, 1]]).splitlines()) == 3
    assert len(markdown_list([text, text]).splitlines()) == 2


@words
def test_a_field_of_a_csv_is_no_formula_and_comes_back(text: str) -> None:
    field = for_csv(text)
    assert not field.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert from_csv(field) == text


@pytest.mark.parametrize("text", ["=1", "+_+", "-1", "@x", "'=1", "''", "\t=1", " =1", "＝1", "plain", ""])
def test_what_looks_like_a_formula_comes_back(text: str) -> None:
    assert from_csv(for_csv(text)) == text
    cells = next(csv.reader(io.StringIO(f'"{for_csv(text)}"')))
    assert not cells[0].lstrip(" ").startswith(("=", "+", "-", "@", "\t"))


@words
def test_marking_sheets_come_back(text: str) -> None:
    tag = " ".join(storable(text).split())
    (line,) = parse_sheet(format_sheet([SheetLine("a.jpg", tag, True)]), "sheet.csv")
    assert line.tag == tag


@words
def test_cells_hold_what_excel_takes(text: str) -> None:
    cell = for_cell(text)
    assert len(cell) <= 32_767
    assert unsafe(cell, but="\n\t") == set()


@words
def test_json_is_faithful_and_harmless_on_a_terminal(text: str) -> None:
    document = for_json({text: [text, float("nan"), float("inf"), (1, None, True)]}, indent=2)
    assert json.loads(document) == {text: [text, None, None, [1, None, True]]}
    assert unsafe(document, but="\n") == set()
    document.encode("utf-8")


def test_what_json_has_no_form_for_is_told_plainly() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd\x1b"

    assert json.loads(for_json([Odd()])) == ["odd\x1b"]


@words
def test_what_is_stored_is_text_to_postgres_and_parquet(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    kept.encode("utf-8")
    assert storable(kept) == kept


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("dog", ""),
        ("می\u200cخواهم", ""),  # a joiner within a word is how Persian is spelt
        ("👩\u200d🚀", ""),
        ("\u200d", r"\u200d"),
        ("dog\u200c", r"\u200c"),
        ("d\u200bog", r"\u200b"),
        ("\u3164", r"\u3164"),
    ],
)
def test_unseen_letters_are_found(text: str, first: str) -> None:
    assert unseen(text) == first


@pytest.mark.parametrize("outlet", [for_line, for_block, for_markup, for_markdown, for_csv, for_json, storable])
@pytest.mark.parametrize("part", ["\x1b", "[", "`", "\u202e", "&", "א", "\n"])
def test_time_grows_with_length(outlet: Callable[[str], str], part: str) -> None:
    def seconds(count: int) -> float:
        text = part * count
        times = []
        for _ in range(3):
            started = time.process_time()
            outlet(text)
            times.append(time.process_time() - started)
        return min(times)

    # Four times the text in far less than the sixteenfold time of a square.
    assert seconds(80_000) < 10 * seconds(20_000) + 0.01
