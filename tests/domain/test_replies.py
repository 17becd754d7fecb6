import pytest

from tagging_assets.domain.replies import read_text
from tests.forms import Choice

FORM = Choice("car", "bus", "cat", "red panda", "dog")


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('{"tags": ["cat", "dog"]}', ("cat", "dog")),  # as asked for
        ('```json\n{"tags": ["cat"]}\n```', ("cat",)),  # in a fence
        ('```\n{"tags": ["cat"]}', ("cat",)),  # in a fence left open
        ('Sure! {"tags": ["cat"]} Enjoy.', ("cat",)),  # amid prose
        ('<think>dog? {"tags": ["dog"]}</think>{"tags": ["cat"]}', ("cat",)),  # thoughts do not count
        ('dog? {"tags": ["dog"]}</think>\n{"tags": ["cat"]}', ("cat",)),  # nor do those that the template opened
        ('<reasoning>{"tags": ["dog"]}</reasoning>{"tags": ["cat"]}', ("cat",)),
        ('E.g. {"tags": ["dog"]}. So: {"tags": ["cat"]}', ("cat",)),  # the answer comes last
        ('{"answer": {"tags": ["cat"]}}', ("cat",)),  # wrapped
        ('{"tags": ["cat",]}', ("cat",)),  # broken, and mended: a comma too many
        ("{'tags': ['cat', 'dog']}", ("cat", "dog")),  # single quotes
        ('{"tags": ["cat", "dog"', ("cat", "dog")),  # brackets missing
        ('{"tags": ["cat" "dog"]}', ("cat", "dog")),  # a comma too few
        ("{tags: [cat, dog]}", ("cat", "dog")),  # no quotes
        ("Here you are:\n```json\n{'tags': ['cat'],}\n```\nEnjoy!", ("cat",)),  # all at once
        ('{"tags": ["cat"], // seen\n "sure": true}', ("cat",)),  # a comment
    ],
)
def test_json_is_found_and_mended(text: str, tags: tuple[str, ...]) -> None:
    answer = read_text(text, FORM)
    assert (answer.outcome, answer.tags, answer.error) == ("ok", tags, "")


@pytest.mark.parametrize(
    ("text", "finish_reason", "refusal", "outcome"),
    [
        ('{"tags": []}', "stop", None, "empty"),  # nothing fits: an answer too
        ("", "stop", None, "invalid"),  # silence
        (None, "stop", None, "invalid"),
        ("<think>cat, surely", "stop", None, "invalid"),  # thoughts only
        ("Error: API request failed (cat)", "stop", None, "invalid"),  # an error text is no tag
        ("cat, dog", "stop", None, "invalid"),  # nor is a list in prose
        ('{"error": "no cat"}', "stop", None, "invalid"),  # nor other JSON
        ('{"tags": "cat"}', "stop", None, "invalid"),  # nor a string
        ('{"tags": ["cow"]}', "stop", None, "invalid"),  # nothing of it is allowed
        ('{"tags": ["cat", "car', "stop", None, "invalid"),  # broken off within a word: it might be a carpet
        ("[" * 100_000, "stop", None, "invalid"),  # nesting without end
        ("{" * 3_000, "stop", None, "invalid"),
        ('{"a": ' * 2_000, "stop", None, "invalid"),
        ("I'm sorry, I can't help with cat pictures.", "stop", None, "refused"),  # in words
        (None, "stop", "I will not.", "refused"),  # in the provider's own field
        ('{"tags": ["cat"]}', "content_filter", None, "refused"),  # by the provider
        ('{"tags": ["cat"', "length", None, "truncated"),  # never mended
        ('{"tags": ["cat"]}', "length", None, "truncated"),  # even if it looks whole
        ('{"tags": ["cat"]}', None, None, "ok"),  # some servers give no reason
    ],
)
def test_any_other_reply_is_a_typed_outcome(
    text: str | None, finish_reason: str | None, refusal: str | None, outcome: str
) -> None:
    answer = read_text(text, FORM, finish_reason, refusal)
    assert answer.outcome == outcome
    assert bool(answer.tags) is (outcome == "ok")
    assert bool(answer.error) is (outcome not in ("ok", "empty"))
    assert "\n" not in answer.error


def test_what_was_named_outside_the_form_s_tags_is_kept_apart() -> None:
    answer = read_text('{"tags": ["cat", "cow"]}', FORM)
    assert (answer.tags, answer.outside) == (("cat",), ("cow",))
