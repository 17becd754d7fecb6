import sys
import time
from collections.abc import Callable

import pytest

from tagging_assets.domain.chat import ReplyForm
from tagging_assets.domain.replies import read_text
from tagging_assets.domain.reply_forms import CaptionForm, ClassifyForm, JudgeForm, TagsForm
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


#: What models write that go round in circles, or whoever trains them means harm.
SHAPES = {
    "brackets": lambda n: "{" * n,
    "lists": lambda n: "[" * n,
    "keys": lambda n: '{"a":' * (n // 5),
    "open quotes": lambda n: '{"' * (n // 2),
    "single quotes": lambda n: "{'" * (n // 2),
    "empty values": lambda n: "{}" * (n // 2),
    "fences": lambda n: "```{" * (n // 4),
    "fences of prose": lambda n: "```json " * (n // 8),
    "thinking": lambda n: "<think>" * (n // 7),
    "thought": lambda n: "</think>" * (n // 8),
    "both": lambda n: "<think></think>" * (n // 15),
    "an open list": lambda n: '{"tags": ["dog"' + ",[{" * (n // 3),
    "words beside quotes": lambda n: '{"caption":"' + 'a" b "' * (n // 6) + "}",
    "no quotes": lambda n: "{caption: " + "a b " * (n // 4) + "}",
    "backslashes": lambda n: '{"caption":"' + "\\" * n,
    "blanks": lambda n: "{" + " " * n + "x}",
    "a sentence again": lambda n: '{"caption":"' + "a. " * (n // 3) + '"}',
    "a long word": lambda n: '{"caption":"' + "a" * n + '"}',
    "a keyword again": lambda n: '{"keywords":[' + '"a b",' * (n // 6) + '"x"]}',
    "digits": lambda n: '{"tags":' + "9" * n + "}",
    "nearly a refusal": lambda n: "i'm sor" * (n // 7),
}


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, which no busy neighbour changes."""
    count = 0

    def note(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("form", [TagsForm(("dog", "cat"), 5), CaptionForm(), ClassifyForm(20), JudgeForm()])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_time_grows_with_length(shape: Callable[[int], str], form: ReplyForm) -> None:
    def seconds(count: int) -> float:
        text, times = shape(count), []
        for _ in range(3):
            started = time.process_time()
            read_text(text, form)
            times.append(time.process_time() - started)
        return min(times)

    # Below all limits on length, so that they are not what is measured.
    assert seconds(19_000) < 10 * seconds(4_750) + 0.02


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_flood_is_no_answer(shape: Callable[[int], str]) -> None:
    text, answers = shape(1_000_000), []
    steps = calls(lambda: answers.append(read_text(text, TagsForm(("dog",), 5))))
    assert answers[0].outcome == "invalid"
    assert len(answers[0].error) < 200
    # Marks of thinking are looked for in all of it; nothing else is.
    assert steps < (5_000 if "thin" not in text and "thou" not in text else 5 * len(text))


@pytest.mark.parametrize(
    "name", ["brackets", "lists", "keys", "open quotes", "single quotes", "fences", "an open list"]
)
def test_deep_nesting_is_not_mended(name: str) -> None:
    """Linear, too, is too much where a bracket costs a thousand steps."""
    text = SHAPES[name](19_000)
    assert calls(lambda: read_text(text, TagsForm(("dog",), 5))) < 5 * len(text)


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        (r'{"caption": "A dog \ud83d runs."}', "A dog \ufffd runs."),
        (r'{"caption": "A dog\u0000 runs."}', "A dog runs."),
        ('{"caption": "A dog \ud83d runs."}', "A dog \ufffd runs."),
        (r'{"caption": "A \ud83d\udc36 runs."}', "A 🐶 runs."),
        ('{"caption": "One.", "caption": "A dog runs."}', "A dog runs."),
        ('{"caption": "A dog runs.", "sure": 1e999, "no": NaN}', "A dog runs."),
    ],
)
def test_what_cannot_be_stored_does_not_get_in(said: str, caption: str) -> None:
    answer = read_text(said, CaptionForm())
    assert (answer.outcome, answer.fields) == ("ok", {"caption": caption})


@pytest.mark.parametrize("said", ["no \ud83d JSON\x00", '{"x": "\ud83d"}', r'{"tags": ["\ud83d", "\u0000"]}'])
def test_errors_can_be_stored_too(said: str) -> None:
    answer = read_text(said, TagsForm(("dog",), 5))
    assert answer.outcome == "invalid"
    for text in (answer.error, *answer.outside):
        text.encode("utf-8")
        assert "\x00" not in text


def test_a_refusal_of_a_megabyte_is_one_line() -> None:
    answer = read_text(None, CaptionForm(), refusal="no \ud83d " * 200_000)
    assert answer.outcome == "refused"
    assert len(answer.error.encode("utf-8")) < 400
