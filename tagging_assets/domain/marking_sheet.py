"""Relevance marks as a sheet to fill in: CSV with the columns ``image``, ``tag`` and ``relevant`` (1, 0 or empty).

What does not belong here: finding the photos, and keeping the marks (``resources.votes``).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.printable import for_csv, from_csv

COLUMNS = ("image", "tag", "relevant")

#: How each mark may be written; spreadsheets turn 1 into TRUE or 1.0 at times.
_WORDS: dict[str, bool] = {
    **dict.fromkeys(("1", "1.0", "yes", "y", "true"), True),
    **dict.fromkeys(("0", "0.0", "no", "n", "false"), False),
}


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One line of a sheet.

    Attributes:
        image: names the photo.
        tag: which tag.
        relevant: the mark; ``None`` where the cell is empty.
        where: file and line, for people; ``""`` in a line that is to be written.
    """

    image: str
    tag: str
    relevant: bool | None
    where: str = ""


def format_sheet(lines: Iterable[SheetLine]) -> str:
    """The sheet as text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    marks = {None: "", True: "1", False: "0"}
    writer.writerows((for_csv(line.image), for_csv(line.tag), marks[line.relevant]) for line in lines)
    return out.getvalue()


def parse_sheet(text: str, name: str) -> list[SheetLine]:
    """Read a whole sheet; further columns are left alone.

    Args:
        text: CSV with commas, semicolons or tabs; its first line names the columns, in any order.
        name: of the file, for messages.

    Raises:
        SettingsError: one line that names the file, the line and what is wrong.
    """
    lines = _cells(text, name)
    _, header = next(lines, (1, []))
    columns = [cell.strip().lower() for cell in header]
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise SettingsError(f'{name}, line 1: no column "{missing[0]}"; the first line must name {", ".join(COLUMNS)}')
    places = [columns.index(column) for column in COLUMNS]
    return [_line(cells, places, f"{name}, line {number}") for number, cells in lines]


def _cells(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    first = text.lstrip().partition("\n")[0]
    delimiter = next((one for one in ",;\t" if one in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise SettingsError(f"{name}, line {reader.line_num}: no CSV ({error})") from error


def _line(cells: Sequence[str], places: Sequence[int], where: str) -> SheetLine:
    image, tag, relevant = (from_csv(cells[place].strip()) if place < len(cells) else "" for place in places)
    if not (image and tag):
        raise SettingsError(f"{where}: every line needs an image and a tag")
    if relevant and relevant.lower() not in _WORDS:
        raise SettingsError(f'{where}: "{relevant}" is no mark; write 1 (relevant), 0 (not relevant) or nothing')
    return SheetLine(image, tag, _WORDS.get(relevant.lower()), where)
