"""The files of an experiment's report: all there, whole, the same again, and readable."""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from resources.report_document import document_pdf
from resources.report_labels import Label, Placed, place_labels
from resources.report_plots import DARK, LIGHT, ratings_png, recall_png, score_against_cost_png
from resources.reports import write_reports
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.scoreboard import Scoreboard
from tests.domain.worked_example import worked_example


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


def test_everything_is_written_twice_the_same(tmp_path: Path) -> None:
    board, thumbnails = worked_example(), {"p1": jpeg()}
    written = write_reports(board, thumbnails, tmp_path / "one")
    names = [path.name for path in written]
    assert names == ["index.html", "scores.xlsx", "report.pdf", "score-against-cost.png", "recall.png", "ratings.png"]
    again = write_reports(board, thumbnails, tmp_path / "two")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]

    # without votes there is nothing to rate: what an earlier report drew is gone
    bare = replace(board, standings=tuple(replace(one, rating=None) for one in board.standings))
    assert "ratings.png" not in [path.name for path in write_reports(bare, thumbnails, tmp_path / "one")]
    assert not (tmp_path / "one" / "ratings.png").exists()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(names[:-1])


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        write_reports(worked_example(), {}, tmp_path / "file" / "report")


def texts(content: bytes) -> Iterator[str]:
    document = pypdfium2.PdfDocument(content)
    try:
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage()
            yield text.get_text_bounded()
            text.close()
            page.close()
    finally:
        document.close()


def test_the_document_has_pages_words_and_its_own_date() -> None:
    board = replace(worked_example(), experiment="Été <b>&amp;", purpose="naïve – Straße")
    content = document_pdf(board, {"p1": jpeg()})
    assert content == document_pdf(board, {"p1": jpeg()})
    assert b"D:20260612093000Z" in content
    pages = list(texts(content))
    assert len(pages) > 2
    assert "Experiment Été <b>&amp;" in pages[0]
    assert "naïve – Straße" in pages[0]
    assert all(f"page {number}" in page for number, page in enumerate(pages, start=1))
    everything = " ".join(" ".join(pages).split())
    for said in ("beach.jpg", "harbour.jpg", "golden hour", "the reply was cut off", "Recall by batch", "hmnpt"):
        assert said in everything


def test_long_tables_and_long_words_break() -> None:
    board = worked_example()
    photo = board.photos[0]
    long = replace(photo.given[0], tags=tuple(replace(one, tag="x" * 400) for one in photo.given[0].tags) * 6)
    many = tuple(replace(one, contestant=f"{'contestant-' * 6}{place}") for place, one in enumerate([long] * 40))
    pages = list(texts(document_pdf(replace(board, photos=(replace(photo, given=many),)), {})))
    assert len(pages) > 6


def boards() -> list[Scoreboard]:
    """What plots have to cope with."""
    board = worked_example()
    costs = (
        [0.0] * 5,  # all free
        [None] * 5,  # nobody knows
        [0.01, 0.011, 0.01, 0.012, 0.01],  # much the same
        [1e-6, 1e-3, 1.0, 10.0, 1000.0],  # decades
    )
    made = [
        replace(
            board,
            standings=tuple(replace(one, cost_usd=cost) for one, cost in zip(board.standings, these, strict=True)),
        )
        for these in costs
    ]
    odd = tuple(replace(one, contestant="$x_1$ \U0001f600 \x07 日本") for one in board.standings)
    return [board, *made, replace(board, standings=board.standings[:1]), replace(board, standings=odd)]


@pytest.mark.parametrize("board", boards())
def test_costs_of_every_kind_are_drawn(board: Scoreboard) -> None:
    png = score_against_cost_png(board)
    assert png is not None
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (1520, 920)


def test_light_and_dark_differ_and_nothing_is_drawn_of_nothing() -> None:
    board = worked_example()
    assert recall_png(board, LIGHT) != recall_png(board, DARK)
    nothing = replace(board, standings=())
    assert score_against_cost_png(nothing) is recall_png(nothing) is ratings_png(nothing) is None


def boxes(labels: list[Label], placed: list[Placed]) -> list[tuple[float, float, float, float]]:
    return [
        (at.x - one.width / 2, at.y - one.height / 2, at.x + one.width / 2, at.y + one.height / 2)
        for one, at in zip(labels, placed, strict=True)
    ]


@pytest.mark.parametrize(
    "points",
    [
        [(500.0, 500.0)] * 6,  # all in one place
        [(500.0 + 3 * place, 500.0) for place in range(10)],  # a dense row
        [(2.0, 2.0), (998.0, 998.0), (998.0, 2.0)],  # in the corners
    ],
)
def test_labels_hide_neither_each_other_nor_points(points: list[tuple[float, float]]) -> None:
    labels = [Label(x, y, 90.0, 14.0) for x, y in points]
    found = boxes(labels, place_labels(labels, (0.0, 0.0, 1000.0, 1000.0)))
    for place, (x0, y0, x1, y1) in enumerate(found):
        assert x0 >= -1e-6
        assert y0 >= -1e-6
        assert x1 <= 1000.0 + 1e-6
        assert y1 <= 1000.0 + 1e-6
        for a0, b0, a1, b1 in found[:place]:
            assert x1 <= a0 + 1e-6 or a1 <= x0 + 1e-6 or y1 <= b0 + 1e-6 or b1 <= y0 + 1e-6
        assert not [1 for x, y in points if x0 < x < x1 and y0 < y < y1]
