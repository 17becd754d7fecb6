"""What a chat model is told, and what its answer is taken for."""

from typing import Any

import pytest

from tagging_assets.domain.asking import VISUAL_TAGS, Asker
from tagging_assets.domain.errors import LlmNoAnswer, LlmRejected, LlmUnavailable
from tagging_assets.domain.evidence import SourceCard
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import TAGGER, Gatherer
from tagging_assets.domain.models import ModelCard
from tagging_assets.domain.rules import Rules
from tests.fakes import FakeSuggester
from tests.handmade import item

CARD = ModelCard("any", "1", "")
VOCABULARY = ("cat", "dog", "boat", "lamp")


def asker(suggester: FakeSuggester | None, allowed_tags: int = 40) -> Asker:
    return Asker(
        suggester,
        Gatherer(CARD, CARD, ModelCard("tagger", "1", ""), suggester.card if suggester else None, {}),
        Fusion(Rules(), {(TAGGER, "tagger"): SourceCard(1.0)}, lambda _term: None),
        VOCABULARY,
        allowed_tags,
    )


def photo(caption: str | None = None, **scores: float) -> Item:
    rows = [{"label": label, "category": "object", "score": score} for label, score in scores.items()]
    return item(images=[{"caption": caption}], tagger_scores=rows)


@pytest.mark.parametrize(
    ("said", "cap", "allowed"),
    [
        (photo(), 40, VOCABULARY),  # nothing speaks for anything: the vocabulary in its own order
        (photo(boat=0.9, dog=0.8), 40, ("boat", "dog", "cat", "lamp")),  # what was seen first, best first
        (photo("A lamp, lit", boat=0.9), 40, ("boat", "lamp", "cat", "dog")),  # then what the caption names
        (photo("A lamp, lit", boat=0.9), 2, ("boat", "lamp")),  # the cap cuts the end
        (photo(zeppelin=0.9), 40, VOCABULARY),  # what may not be answered is not put before it
    ],
)
def test_what_may_be_answered(said: Item, cap: int, allowed: tuple[str, ...]) -> None:
    suggester = FakeSuggester()
    asker(suggester, cap).ask(said)
    ((_, _, put),) = suggester.questions
    assert put == allowed


def test_it_is_told_what_was_seen_and_the_caption() -> None:
    suggester = FakeSuggester()
    scores = {f"thing {number:02}": 0.99 - number / 100 for number in range(15)}
    asker(suggester).ask(photo("At the lake", **scores))
    ((visual, caption, _),) = suggester.questions
    assert [tag for tag, _ in visual] == list(scores)[:VISUAL_TAGS]
    assert caption == "At the lake"


def test_answers_become_ranked_rows() -> None:
    rows = asker(FakeSuggester(count=2)).ask(photo(dog=0.9))
    assert [(row["model"], row["tag"], row["rank"]) for row in rows] == [
        ("fake-chat", "dog", 1),
        ("fake-chat", "cat", 2),
    ]
    assert len({row["request_hash"] for row in rows}) == 1


@pytest.mark.parametrize(
    ("knobs", "error"),
    [
        ({"outcome": "timed_out", "retryable": True}, LlmUnavailable),
        ({"outcome": "rate_limited", "retryable": True}, LlmUnavailable),
        ({"outcome": "refused"}, LlmNoAnswer),
        ({"outcome": "truncated"}, LlmNoAnswer),
        ({"outcome": "invalid"}, LlmNoAnswer),
        ({"fails": LlmRejected("401")}, LlmRejected),  # comes through as it is, and stops the run
    ],
)
def test_no_answer_is_an_error_never_a_tag(knobs: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        asker(FakeSuggester(**knobs)).ask(photo(dog=0.9))


def test_nothing_fits_is_an_answer() -> None:
    assert asker(FakeSuggester(count=0)).ask(photo(dog=0.9)) == []


def test_without_a_chat_model_nothing_is_asked() -> None:
    assert asker(None).ask(photo(dog=0.9)) == []
