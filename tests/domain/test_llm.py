import pytest

from tagging_assets.domain.llm import narrow, read_reply, reply_schema, request_hash
from tagging_assets.domain.prompts import Message

VOCABULARY = ("car", "bus", "cat", "cathedral", "red panda", "dog")


@pytest.mark.parametrize(
    ("visual", "text", "cap", "fill", "expected"),
    [
        ([], "", 3, True, ("car", "bus", "cat")),  # nothing known: the vocabulary's own order
        ([("dog", 0.2), ("cat", 0.9)], "", 3, True, ("cat", "dog", "car")),  # seen first, best first
        ([("cow", 0.9)], "", 2, True, ("car", "bus")),  # what is not allowed stays out
        ([("dog", 0.9)], "the bus", 3, True, ("dog", "bus", "car")),  # then what the text names
        ([("dog", 0.9)], "a dog", 9, False, ("dog",)),  # once, and without fillers
        ([], "the cathedral", 9, False, ("cathedral",)),  # whole words: no cat in cathedral
        ([], "our CATS", 9, False, ("cat",)),  # case and a plain plural are forgiven
        ([], "IMG_red_panda_1.jpg", 9, False, ("red panda",)),  # file names part their words with underscores
        ([], "red car, panda", 9, False, ("car",)),  # words of one tag stand in a row
        ([], "", 9, False, ()),  # no evidence, nothing to choose from
    ],
)
def test_narrow(visual: list[tuple[str, float]], text: str, cap: int, fill: bool, expected: tuple[str, ...]) -> None:
    assert narrow(VOCABULARY, visual, cap, text=text, fill=fill) == expected


def test_narrowing_twice_changes_nothing() -> None:
    once = narrow(VOCABULARY, [("dog", 0.9)], 4, text="the bus")
    assert narrow(once, [("dog", 0.9)], 4, text="the bus") == once


def test_the_schema_admits_only_allowed_tags_and_no_more_than_there_are() -> None:
    schema = reply_schema(["cat", "dog"], 5)
    assert schema["properties"]["tags"]["items"]["enum"] == ["cat", "dog"]
    assert schema["properties"]["tags"]["maxItems"] == 2
    assert schema["additionalProperties"] is False


def test_nothing_can_be_asked_about_nothing() -> None:
    with pytest.raises(ValueError, match="no tag is allowed"):
        reply_schema([], 5)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('{"tags": ["cat", "dog"]}', ("cat", "dog")),  # as asked for
        ('["cat"]', ("cat",)),  # a bare list
        ('```json\n{"tags": ["cat"]}\n```', ("cat",)),  # in a fence
        ('```\n["cat"]', ("cat",)),  # in a fence left open
        ('Sure! {"tags": ["cat"]} Enjoy.', ("cat",)),  # amid prose
        ('<think>dog? {"tags": ["dog"]}</think>{"tags": ["cat"]}', ("cat",)),  # thoughts do not count
        ('E.g. {"tags": ["dog"]}. So: {"tags": ["cat"]}', ("cat",)),  # the answer comes last
        ('{"answer": {"tags": ["cat"]}}', ("cat",)),  # wrapped
        ('{"tags": ["CAT", " red_panda "]}', ("cat", "red panda")),  # case and spacing are forgiven
        ('{"tags": ["cat", "cat", "dog"]}', ("cat", "dog")),  # once each
        ('{"tags": ["cow", "cat", 7, null]}', ("cat",)),  # what is not allowed, or no tag, is dropped
        ('{"tags": ["car", "bus", "cat", "dog"]}', ("car", "bus", "cat")),  # no more than asked for
        ('{"tags": ["cathedral"]}', ("cathedral",)),  # and not its beginning
    ],
)
def test_a_good_reply_gives_tags(text: str, tags: tuple[str, ...]) -> None:
    answer = read_reply(text, allowed=VOCABULARY, max_tags=3)
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
        ("[" * 100_000, "stop", None, "invalid"),  # nor nesting without end
        ("{" * 3_000, "stop", None, "invalid"),
        ("I'm sorry, I can't help with cat pictures.", "stop", None, "refused"),  # in words
        (None, "stop", "I will not.", "refused"),  # in the provider's own field
        ('{"tags": ["cat"]}', "content_filter", None, "refused"),  # by the provider
        ('{"tags": ["cat"', "length", None, "truncated"),
        ('{"tags": ["cat"]}', "length", None, "truncated"),  # even if it looks whole
        ('{"tags": ["cat"]}', None, None, "ok"),  # some servers give no reason
    ],
)
def test_any_other_reply_is_a_typed_outcome(
    text: str | None, finish_reason: str | None, refusal: str | None, outcome: str
) -> None:
    answer = read_reply(text, allowed=VOCABULARY, max_tags=3, finish_reason=finish_reason, refusal=refusal)
    assert answer.outcome == outcome
    assert bool(answer.tags) is (outcome == "ok")
    assert bool(answer.error) is (outcome not in ("ok", "empty"))
    assert "\n" not in answer.error


ASKED = {
    "model": "m",
    "revision": "r",
    "prompt_hash": "p",
    "messages": (Message("user", "hello"),),
    "parameters": {"seed": 0, "temperature": 0.0},
    "response_format": {"type": "json_object"},
}


def test_a_request_hash_does_not_depend_on_the_order_of_parameters() -> None:
    again = ASKED | {"parameters": {"temperature": 0.0, "seed": 0}}
    assert request_hash(**again) == request_hash(**ASKED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "n"},
        {"revision": "s"},
        {"prompt_hash": "q"},
        {"messages": (Message("user", "Hello"),)},
        {"messages": (Message("system", "hello"),)},  # the role counts
        {"parameters": {"seed": 1, "temperature": 0.0}},
        {"response_format": {}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_request_hash_changes_with_everything_that_can_change_the_answer(changed: dict[str, object]) -> None:
    assert request_hash(**(ASKED | changed)) != request_hash(**ASKED)  # type: ignore[arg-type]
