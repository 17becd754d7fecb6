"""One sheet of a workbook, written cell by cell with what the formulas come to beside them.

Whatever came from outside is written as text: ``=1+1`` is a tag here, not a formula. What does not belong here: which
sheets there are (``report_workbook``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagging_assets.domain.printable import for_cell


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula and what it comes to, so that readers that do not calculate show it too."""

    text: str
    value: float | str | bool


@dataclass(frozen=True, slots=True)
class Head:
    """A column: its name, width in characters, style of its cells, and a note on its meaning."""

    name: str
    width: float = 10.0
    style: str = "plain"
    note: str = ""


Value = str | float | int | None | Formula


class Styles:
    """Formats by name, made once for a workbook."""

    def __init__(self, workbook: Any) -> None:
        plain = {"font_name": "Calibri", "font_size": 11, "valign": "top"}
        self._made = {name: workbook.add_format({**plain, **look}) for name, look in _LOOKS.items()}

    def __getitem__(self, name: str) -> Any:
        return self._made[name]


_LOOKS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "words": {"text_wrap": True},
    "title": {"bold": True, "font_size": 16},
    "head": {"bold": True, "bg_color": "#E8E8E3", "bottom": 1, "text_wrap": True},
    "number": {"num_format": "0.00"},
    "fine": {"num_format": "0.000"},
    "whole": {"num_format": "#,##0"},
    "share": {"num_format": "0.0%"},
    "money": {"num_format": '"$"#,##0.00####'},
    "helper": {"font_color": "#8A929C"},
    "input": {"bg_color": "#FFF6CC", "border": 1, "border_color": "#D9C77A"},
    "input share": {"bg_color": "#FFF6CC", "border": 1, "border_color": "#D9C77A", "num_format": "0%"},
}

#: Height of the first row: heads may take two lines.
_HEAD_POINTS = 30


class Sheet:
    """A sheet with one row of heads, frozen and filtered, and rows below it.

    Args:
        workbook: whose.
        styles: of that workbook.
        name: letters only, so that formulas need no quotes.
        heads: of the columns.
        rows: how many there will be, since formulas elsewhere speak of all of them.
    """

    def __init__(self, workbook: Any, styles: Styles, name: str, heads: Sequence[Head], rows: int) -> None:
        self.name = name
        self._heads = heads
        self._places = {head.name: place for place, head in enumerate(heads)}
        self._styles = styles
        self._all = rows
        self._rows = 0
        self.raw = workbook.add_worksheet(name)
        self.raw.set_row(0, _HEAD_POINTS)
        for column, head in enumerate(heads):
            self.raw.set_column(column, column, head.width, styles[head.style])
            self.raw.write_string(0, column, for_cell(head.name), styles["head"])
            if head.note:
                self.raw.write_comment(0, column, for_cell(head.note), {"x_scale": 2})

    def add(self, values: Sequence[Value]) -> None:
        """Write the next row."""
        self._rows += 1
        for column, value in enumerate(values):
            write(self.raw, (self._rows, column), value, self._styles[self._heads[column].style])

    @property
    def row(self) -> int:
        """Number of the row that is written next, as formulas count: from 1, heads included."""
        return self._rows + 2

    def guard(self, frozen: int) -> None:
        """Keep heads and the first columns in sight, and offer filters."""
        self.raw.freeze_panes(1, frozen)
        # On paper: all columns on one page, their heads on each.
        self.raw.set_landscape()
        self.raw.fit_to_pages(1, 0)
        self.raw.repeat_rows(0)
        self.raw.autofilter(0, 0, max(1, self._all), len(self._heads) - 1)

    def column(self, name: str) -> str:
        """A column's cells as an absolute range, sheet included."""
        return self.block(name, name)

    def block(self, first: str, last: str) -> str:
        """The cells of neighbouring columns as an absolute range, sheet included."""
        return f"{self.name}!${self.letter(first)}$2:${self.letter(last)}${max(2, self._all + 1)}"

    def here(self, name: str) -> str:
        """The column's cell in the row that is written next."""
        return f"${self.letter(name)}{self.row}"

    def letter(self, name: str) -> str:
        """A column's letters."""
        from xlsxwriter.utility import xl_col_to_name

        return str(xl_col_to_name(self._places[name]))


def write(raw: Any, place: tuple[int, int], value: Value, style: Any) -> None:
    """Write one cell as what it is; ``None`` leaves it empty."""
    row, column = place
    if isinstance(value, Formula):
        raw.write_formula(row, column, value.text, style, value.value)
    elif isinstance(value, str):
        raw.write_string(row, column, for_cell(value), style)
    elif value is None:
        raw.write_blank(row, column, None, style)
    else:
        raw.write_number(row, column, value, style)
