"""The workbook calculates what the scoreboard says, by an engine that has never seen our code."""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.report_workbook import workbook_xlsx
from tagging_assets.domain.scoreboard import Options, Scoreboard
from tagging_assets.domain.scoreboard_making import make_scoreboard
from tagging_assets.domain.voting import Mark
from tests.domain.worked_example import CONTESTANTS, MADE_AT, PHOTOS, answers, marks, worked_example


class Calculated:
    """A workbook as an engine calculates it, cell by cell."""

    def __init__(self, model: Any, inputs: Mapping[str, object] | None = None) -> None:
        solution = model.calculate(inputs=dict(inputs or {}))
        self._cells: dict[tuple[str, int, str], Any] = {}
        for key, value in solution.items():
            found = re.fullmatch(r"'\[[^]]+\](.+)'!([A-Z]+)(\d+)", str(key))
            if found:
                sheet, column, row = found.groups()
                self._cells[sheet.lower(), int(row), column] = value.value[0, 0]

    def rows(self, sheet: str) -> list[dict[str, Any]]:
        """Rows below the heads, by the names of their columns."""
        heads = {column: value for (name, row, column), value in self._cells.items() if name == sheet and row == 1}
        found: dict[int, dict[str, Any]] = {}
        for (name, row, column), value in self._cells.items():
            if name == sheet and row > 1 and column in heads:
                found.setdefault(row, {})[str(heads[column])] = value
        return [{"row": row, **found[row]} for row in sorted(found)]

    def letter(self, sheet: str, head: str) -> str:
        """The letters of a column."""
        return next(
            column for (name, row, column), value in self._cells.items() if name == sheet and row == 1 and value == head
        )


def agrees(found: Calculated, board: Scoreboard) -> None:
    """Every figure of standings and every rule and point of scores, to the digit."""
    standings = {row["contestant"]: row for row in found.rows("standings")}
    assert set(standings) == {one.contestant for one in board.standings}
    for one in board.standings:
        row = standings[one.contestant]
        assert one.score is not None
        figures = {
            "score": one.score.mean,
            "total": one.total,
            "asked": one.asked,
            "no answer": one.unanswered,
            "latency ms": one.latency_ms,
            **one.rules,
        }
        assert {name: row[name] for name in figures} == pytest.approx(figures, abs=1e-12)
        assert row["cost"] == ("unknown" if one.cost_usd is None else pytest.approx(one.cost_usd, abs=1e-15))
        per_dollar = row["points per $"]
        assert per_dollar == ("" if one.points_per_dollar is None else pytest.approx(one.points_per_dollar))
    ranks = [standings[one.contestant]["rank"] for one in board.standings]
    assert ranks == sorted(ranks)

    scored = {
        (given.contestant, photo.title, given.repeat + 1, tag.tag): (tag.rule, tag.points, tag.share)
        for photo in board.photos
        for given in photo.given
        for tag in (*given.tags, *given.missing)
    }
    rows = [row for row in found.rows("scores") if row["rule"] != ""]
    keys = [(row["contestant"], row["photo"], int(row["repeat"]), row["tag"]) for row in rows]
    assert dict(zip(keys, [(row["rule"], row["points"], row["share"]) for row in rows], strict=True)) == scored


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the engine's own, about its own source
def test_what_it_calculates_is_the_scoreboard_whatever_is_changed(tmp_path: Path) -> None:
    from formulas import ExcelModel

    path = tmp_path / "scores.xlsx"
    path.write_bytes(workbook_xlsx(worked_example()))
    model = ExcelModel().loads(str(path)).finish()
    first = Calculated(model)
    agrees(first, worked_example())

    # at once: the original reading, other thresholds, so that gold nobody missed is missing now, and another mark
    parameters = {row["parameter"]: row["row"] for row in first.rows("parameters")}
    cells = {"leave_one_out": "no", "middle_points": 0.0, "gold_above": 0.4, "minority_below": 0.2}
    place = next(row for row in first.rows("marks") if (row["photo"], row["tag"]) == ("beach.jpg", "summer"))
    edits = {f"'[scores.xlsx]PARAMETERS'!B{parameters[name]}": to for name, to in cells.items()}
    edits[f"'[scores.xlsx]MARKS'!{first.letter('marks', 'relevant')}{place['row']}"] = "yes"
    changed = make_scoreboard(
        experiment="e",
        purpose="",
        made_at=MADE_AT,
        contestants=CONTESTANTS,
        answers=answers(),
        photos=PHOTOS,
        marks=[*marks(), *(Mark("p1", "summer", True, f"reader {one}", MADE_AT) for one in range(3))],
        options=Options(leave_one_out=False, middle_points=0.0, gold_above=0.4, minority_below=0.2),
    )
    assert changed.standings[0].rules != worked_example().standings[0].rules
    agrees(Calculated(model, edits), changed)


def parts(content: bytes) -> dict[str, str]:
    """Files of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name).decode("utf-8") for name in file.namelist()}


@pytest.mark.parametrize("tag", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "http://x/", "{=1}", "12", " =1"])
def test_tags_are_text_whatever_they_look_like(tag: str) -> None:
    board = worked_example()
    photo = board.photos[0]
    given = replace(photo.given[0], tags=tuple(replace(one, tag=tag) for one in photo.given[0].tags[:1]), error=tag)
    odd = replace(photo, title=tag, given=(given, *photo.given[1:]))
    files = parts(workbook_xlsx(replace(board, purpose=tag, photos=(odd,), notes=(tag,))))
    plain = parts(workbook_xlsx(replace(board, photos=(replace(odd, title="x"),))))
    assert not [name for name in files if "externalLink" in name]
    formulas = [re.findall(r"<f>(.*?)</f>", text) for _, text in sorted(files.items())]
    assert formulas == [re.findall(r"<f>(.*?)</f>", text) for _, text in sorted(plain.items())]
    assert not [text for text in files.values() if "<hyperlink" in text]


def test_the_same_scoreboard_gives_the_same_bytes_dated_as_it_is() -> None:
    content = workbook_xlsx(worked_example())
    assert content == workbook_xlsx(worked_example())
    assert "2026-06-12T09:30:00Z" in parts(content)["docProps/core.xml"]


def test_too_many_rows_leave_the_figures() -> None:
    files = parts(workbook_xlsx(worked_example(), most_rows=10))
    names = re.findall(r'<sheet name="([^"]+)"', files["xl/workbook.xml"])
    assert names == ["Standings", "Recall", "Parameters", "Read me"]
    assert "<f>" not in files["xl/worksheets/sheet1.xml"]
    assert "figures only" in files["xl/sharedStrings.xml"]


def test_sheets_are_frozen_filtered_and_editable_where_it_helps() -> None:
    files = parts(workbook_xlsx(worked_example()))
    names = re.findall(r'<sheet name="([^"]+)"', files["xl/workbook.xml"])
    assert names == ["Standings", "Scores", "Marks", "Answers", "Replies", "Recall", "Parameters", "Read me"]
    for place in range(1, 7):
        text = files[f"xl/worksheets/sheet{place}.xml"]
        assert 'state="frozen"' in text
        assert "<autoFilter" in text
    assert "<dataValidation" in files["xl/worksheets/sheet3.xml"]
    assert files["xl/worksheets/sheet6.xml"].count("<cfRule") == 10
