"""The page of a calibration: all of it, and nothing but itself."""

import re

from tagging_assets.domain.calibration import IDENTITY
from tagging_assets.domain.calibration_page import calibration_page
from tagging_assets.domain.fitted import Fitted
from tagging_assets.domain.teaching import Lesson, Pupil, Teacher


def taught(count: int = 90, category: str = "object") -> Fitted:
    lessons = [
        Lesson(
            str(place),
            category,
            place % 20 < 10 * (0.4 + 0.6 * place / count),
            [{"source": "tagger", "model": "eff", "revision": "1", "score": 0.4 + 0.6 * place / count}],
        )
        for place in range(count)
    ]
    return Teacher({("tagger", "eff"): Pupil("1", IDENTITY)}).teach(lessons)


def test_every_fit_is_there_in_a_picture_and_in_words() -> None:
    page = calibration_page(taught(), "Calibration", draw_png=lambda fit: b"png of " + fit.category.encode())
    assert page.count("data:image/png;base64,") == 1
    assert "1 fitted · 0 as in the catalogue" in page
    assert "of 90 were right" in page
    assert "No raw score is shown to reach a precision of 90%" in page
    assert not re.search(r"<script|https?://|src=\"(?!data:)", page)


def test_what_was_refused_says_why() -> None:
    page = calibration_page(taught(20), "Calibration", draw_png=lambda _: b"")
    assert "20 of at least 50 decisions" in page
    assert "Nothing was fitted" in page


def test_names_are_text_not_markup() -> None:
    page = calibration_page(taught(90, "<b>x</b>"), "<Cal>", draw_png=lambda _: b"")
    assert "<b>" not in page
    assert "<title>&lt;Cal&gt;</title>" in page
