"""Recipes name texts by hash; people read what changed in them."""

import pytest

from tagging_assets.domain.text_differences import SourceText, text_differences, unified

TEXTS = {
    "h1": SourceText("prompt", "select", "Choose.\nBe brief."),
    "h2": SourceText("prompt", "select", "Choose.\nBe long."),
    "h3": SourceText("label set", "things", "dog\ncat\n--- a line of dashes"),
    "h4": SourceText("label set", "things", "dog\ncat\nkite\n--- a line of dashes"),
}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"prompt": "h1"}, {"prompt": "h1"}, {}),
        ({"prompt": "h1"}, {"prompt": "h2"}, {"prompt select": ["-Be brief.", "+Be long."]}),
        ({"a": {"things": "h3"}}, {"a": {"things": "h4"}}, {"label set things": ["+kite"]}),
        # said twice, told once
        ({"a": "h1", "b": {"c": "h1"}}, {"a": "h2", "b": {"c": "h2"}}, {"prompt select": ["-Be brief.", "+Be long."]}),
        ({"prompt": "h1"}, {"prompt": "nobody kept it"}, {}),
        ({"prompt": "h1"}, {"prompt": None}, {}),
        ({"prompt": "h1"}, {}, {}),
        ({"weight": 0.1}, {"weight": 0.2}, {}),
    ],
)
def test_lines_that_came_and_went(old: object, new: object, expected: dict[str, list[str]]) -> None:
    assert text_differences(old, new, TEXTS) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("h1", "h1", []),  # the same
        ("h1", "h2", ["--- select", "+++ select", "@@ -1,2 +1,2 @@", " Choose.", "-Be brief.", "+Be long."]),
    ],
)
def test_two_texts_side_by_side(a: str, b: str, expected: list[str]) -> None:
    assert unified(TEXTS[a], TEXTS[b]) == expected
