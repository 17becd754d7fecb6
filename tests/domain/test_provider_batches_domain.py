"""What a provider's batch says, row by row."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from tagging_assets.domain.chat import Usage
from tagging_assets.domain.provider_batches import Limits, News, Row, fitting, heard, question_line, read_rows


def row(response: object = None, error: object = None, custom_id: object = "a") -> dict[str, Any]:
    return {"id": "r", "custom_id": custom_id, "response": response, "error": error}


def spoken(message: object, finish_reason: str = "stop", **body: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return row({"status_code": 200, "body": {"choices": [choice], **body}})


def failed(outcome: Any, message: str, *, retryable: bool) -> Row:
    return Row("a", outcome, message, retryable=retryable)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (spoken({"content": "x"}), Row("a", "ok", text="x", finish_reason="stop")),
        (spoken({"content": " "}), Row("a", "empty", text=" ", finish_reason="stop")),
        (spoken({"content": None}), Row("a", "empty", finish_reason="stop")),
        # Cut off: its words are no answer, and were paid for.
        (spoken({"content": "x"}, "length"), Row("a", "truncated", text="x", finish_reason="length")),
        (spoken({"content": None, "refusal": "no"}), Row("a", "refused", refusal="no", finish_reason="stop")),
        (spoken({"content": ""}, "content_filter"), Row("a", "refused", finish_reason="content_filter")),
        # A 200 that is no completion.
        (spoken(None), failed("invalid", "the row is no chat completion", retryable=True)),
        (row({"status_code": 200, "body": None}), failed("invalid", "the row is no chat completion", retryable=True)),
        # The endpoint's own errors.
        (
            row({"status_code": 400, "body": {"error": {"message": "bad"}}}),
            failed("failed", "HTTP 400: bad", retryable=False),
        ),
        (row({"status_code": 404, "body": "?"}), failed("failed", "HTTP 404: no reason given", retryable=False)),
        (
            row({"status_code": 429, "body": {"error": {"code": "slow", "message": "down"}}}),
            failed("rate_limited", "HTTP 429: slow: down", retryable=True),
        ),
        (row({"status_code": 408, "body": {}}), failed("timed_out", "HTTP 408: no reason given", retryable=True)),
        (row({"status_code": 500, "body": {}}), failed("failed", "HTTP 500: no reason given", retryable=True)),
        # The batch's own.
        (
            row(error={"code": "batch_expired", "message": "too\nlate"}),
            failed("failed", "batch_expired: too late", retryable=True),
        ),
        (row(), failed("failed", "the batch has no answer to it", retryable=True)),
    ],
)
def test_a_row_is_read(said: dict[str, Any], read: Row) -> None:
    assert read_rows(json.dumps(said).encode()) == {"a": read}


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "null", "[]", "3", '{"custom_id": 3}', '{"id": "r"}', '{"custom_id": "a", "resp', "\ufeff", "\x00"],
)
def test_what_is_no_row_says_nothing(text: str) -> None:
    assert read_rows(text.encode()) == {}
    assert read_rows(b"\xff\xfe") == {}


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 2}, Usage(7, 2)),
        ({"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(7, None, 5)),
        ({"cost": 0.5}, Usage(cost_usd=Decimal("0.5"), cost_source="provider")),
        # Unknown is not nothing.
        ({}, Usage()),
        (None, Usage()),
        ({"prompt_tokens": "7", "completion_tokens": -1, "cost": "free"}, Usage()),
        ({"prompt_tokens": True, "cost": True}, Usage()),
    ],
)
def test_what_an_answer_took_is_read(usage: object, read: Usage) -> None:
    rows = read_rows(json.dumps(spoken({"content": "x"}, usage=usage)).encode())
    assert rows["a"].usage == read


def test_of_several_rows_the_first_answer_counts() -> None:
    bad, good, late = row(), spoken({"content": "x"}), spoken({"content": "y"})
    for order in ([bad, good, late], [good, bad, late], [good, late, bad]):
        lines = [json.dumps(one).encode() for one in order]
        assert read_rows(b"\n".join(lines))["a"].text == "x"
        assert read_rows(*lines)["a"].text == "x"


def test_other_ends_of_line_within_text_are_no_ends_of_rows() -> None:
    said = json.dumps(spoken({"content": "one\u2028two\x85three"}), ensure_ascii=False)
    assert read_rows(said.encode())["a"].text == "one\u2028two\x85three"


def test_a_question_is_one_line_of_json() -> None:
    line = question_line("a", '{"model":"m"}')
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m"},
    }


@pytest.mark.parametrize(
    ("sizes", "limits", "count"),
    [
        ([], Limits(), 0),
        ([5, 5, 5], Limits(bytes=15), 3),
        ([5, 5, 5], Limits(bytes=14), 2),
        ([5, 5, 5], Limits(questions=2), 2),
        ([99], Limits(bytes=1), 1),  # the provider may say no, but it must not be stuck for ever
        ([99, 1], Limits(bytes=1), 1),
    ],
)
def test_as_many_as_fit(sizes: Sequence[int], limits: Limits, count: int) -> None:
    assert fitting(sizes, limits) == count


@pytest.mark.parametrize(
    ("under_way", "at_once", "refused", "chosen"),
    [
        (set(), 9, set(), ["1", "2", "3"]),
        (set(), 2, set(), ["1", "2"]),
        ({"1"}, 2, set(), ["2"]),  # what is under way takes room
        ({"8", "9"}, 2, set(), []),
        (set(), 2, {"1"}, ["2", "3"]),  # what somebody else has asked for does not
    ],
)
def test_news_are_heard_as_far_as_there_is_room(
    under_way: set[str], at_once: int, refused: set[str], chosen: list[str]
) -> None:
    news = [News(batch, "p") for batch in ("1", "2", "3")]
    found = heard(news, under_way, at_once, lambda one: one.batch not in refused)
    assert [one.batch for one in found] == chosen
    assert len({one.run_key for one in news}) == 3
