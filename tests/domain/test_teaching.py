"""Which verdict is an example of what, and what is fitted, pooled and refused."""

from typing import Any

import numpy as np
import pytest

from tagging_assets.domain.calibration import IDENTITY, Calibration
from tagging_assets.domain.evidence import Evidence, SourceCard, Trust
from tagging_assets.domain.fitted import TOGETHER, Fitted
from tagging_assets.domain.rules import parse_rules
from tagging_assets.domain.teaching import Lesson, Pupil, Teacher

TAGGER, SCORER, CHAT = ("tagger", "eff"), ("zero-shot", "relevance"), ("chat model", "gemma")
REVISIONS = dict.fromkeys((TAGGER, SCORER, CHAT), "1")


def teacher(**more: Any) -> Teacher:
    pupils = {key: Pupil("1", IDENTITY) for key in (TAGGER, SCORER, CHAT)}
    return Teacher(pupils, label_sets={"places": "scene"}, categories={"chat model": "suggestion"}, **more)


def said(score: float, key: tuple[str, str] = TAGGER, **more: Any) -> dict[str, Any]:
    return {"source": key[0], "model": key[1], "revision": "1", "score": score, "label_set": "", **more}


def lesson(*sources: dict[str, Any], right: bool = True, category: str = "object", photo: str = "a") -> Lesson:
    return Lesson(photo, category, right, sources)


def lessons(count: int, *, category: str = "object", key: tuple[str, str] = TAGGER, slope: float = 0.5) -> list[Lesson]:
    """One a photo; half as often right as the raw score says, unless another slope is."""
    draw = np.random.default_rng(count)
    return [
        lesson(
            said(float(raw), key),
            right=bool(draw.random() < slope * raw),
            category=category,
            photo=f"{category} {place}",
        )
        for place, raw in enumerate(draw.uniform(0.4, 1.0, count))
    ]


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (lesson(said(0.7)), {TAGGER: {"object": [0.7]}}),  # the tag's category
        (lesson(said(0.7), said(0.4)), {TAGGER: {"object": [0.7]}}),  # once, with the best score
        (lesson(said(0.7), said(0.6, SCORER)), {TAGGER: {"object": [0.7]}, SCORER: {"object": [0.6]}}),  # to each
        (lesson(said(0.6, SCORER, label_set="places")), {SCORER: {"scene": [0.6]}}),  # the label set's category
        (lesson(said(0.6, SCORER, label_set="gone")), {SCORER: {"object": [0.6]}}),  # of one that is no longer
        (lesson(said(1.0, CHAT)), {CHAT: {"suggestion": [1.0]}}),  # the only one its source knows
        (lesson(said(0.7), category="Hair_Colour"), {TAGGER: {"hair colour": [0.7]}}),  # spelt as cards are asked
        (lesson(said(0.7, revision="0")), {}),  # other weights
        (lesson(said(0.7, ("tagger", "old"))), {}),  # a model that is not in use
        (lesson(said(1.0, ("rule", "forced"))), {}),  # no model
        (lesson(), {}),  # added by a person
        (lesson(said(0.12345678)), {TAGGER: {"object": [0.123457]}}),  # as it is compared
    ],
)
def test_a_verdict_is_an_example_for_every_source_that_spoke(
    one: Lesson, found: dict[tuple[str, str], dict[str, list[float]]]
) -> None:
    examples = teacher().examples([one])
    assert {
        key: {name: [example.raw for example in some] for name, some in by_category.items()}
        for key, by_category in examples.items()
    } == found


def test_enough_decisions_make_a_fit_and_too_few_say_so() -> None:
    fitted = teacher().teach([*lessons(300), *lessons(30, key=SCORER)])
    (fit,), (refused,) = fitted.fits, fitted.refused
    assert (fit.source, fit.category, fit.serves, fit.decisions) == ("tagger", "object", ("object",), 300)
    assert fit.after.brier < fit.before.brier
    assert fit.curve.confidence(0.8) == pytest.approx(0.4, abs=0.12)
    assert (refused.source, refused.why) == ("zero-shot", "30 of at least 50 decisions")


def test_a_category_with_too_few_is_served_by_all_together() -> None:
    fitted = teacher().teach([*lessons(120), *lessons(20, category="scene"), *lessons(8, category="style")])
    assert fitted.refused == ()
    assert {fit.category: (fit.serves, fit.decisions) for fit in fitted.fits} == {
        "object": (("object",), 120),
        TOGETHER: (("scene", "style"), 148),
    }


def test_all_together_may_be_too_few_as_well() -> None:
    fitted = teacher().teach([*lessons(20), *lessons(8, category="scene")])
    assert fitted.fits == ()
    assert [(one.category, one.why) for one in fitted.refused] == [
        ("object", "20 of at least 50 decisions"),
        ("scene", "8 of at least 50 decisions"),
    ]


def test_a_curve_that_is_no_better_is_refused() -> None:
    (refused,) = teacher().teach(lessons(400, slope=1.0)).refused
    assert refused.why.startswith("no better: Brier score")


def test_the_same_lessons_in_any_order_teach_the_same() -> None:
    some = [*lessons(120), *lessons(60, category="scene")]
    assert teacher().teach(some).hash == teacher().teach(some[::-1]).hash
    assert teacher(precision=0.8).teach(some).hash != teacher().teach(some).hash


def test_nothing_teaches_nothing() -> None:
    fitted = teacher().teach([])
    assert (fitted.fits, fitted.refused) == ((), ())


def test_what_is_kept_reads_back_the_same() -> None:
    fitted = teacher().teach([*lessons(120), *lessons(20, key=SCORER)])
    again = Fitted.model_validate(fitted.model_dump(mode="json"))
    assert (again, again.hash) == (fitted, fitted.hash)


CARDS = {TAGGER: SourceCard(1.0), SCORER: SourceCard(1.0)}


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """Of the tagger's objects: worth less than they say up to 0.7, right beyond."""
    low, high = np.linspace(0.4, 0.7, 60), np.linspace(0.71, 1.0, 60)
    return teacher().teach(
        [
            lesson(said(float(raw)), right=bool(raw > 0.7 or place % 4 == 0), photo=str(place))
            for place, raw in enumerate([*low, *high])
        ]
    )


def hear(cards: Any, raw: float, category: str = "object", rules: Any = None, **more: Any) -> float | None:
    trust = Trust(cards, parse_rules({"sources": {"tagger": rules or {}}}).sources)
    heard = trust.hear(Evidence("tagger", "eff", "1", "dog", "photo", category, raw, **more))
    return heard.confidence if heard else None


def test_a_fit_is_heard_in_its_own_category_only(fitted: Fitted) -> None:
    cards = fitted.on(CARDS, REVISIONS)
    assert hear(cards, 0.55) == pytest.approx(0.26, abs=0.06)
    assert hear(cards, 0.55, "Object") == hear(cards, 0.55)
    assert hear(cards, 0.55, "scene") == 0.55
    assert cards[SCORER] == CARDS[SCORER]


def test_the_operators_word_goes_before_what_was_fitted(fitted: Fitted) -> None:
    cards = fitted.on(CARDS, REVISIONS, thresholds=True)
    assert hear(cards, 0.9, rules={"calibration": [[0, 0], [1, 0.5]]}) == pytest.approx(0.45)
    assert hear(cards, 0.5) is None
    assert hear(cards, 0.5, rules={"thresholds": {"object": 0.4}}) is not None
    assert hear(cards, 0.5, rules={"thresholds": {"*": 0.4}}) is not None


def test_thresholds_are_heeded_where_that_is_asked_for(fitted: Fitted) -> None:
    (fit,) = fitted.fits
    assert fit.threshold is not None
    assert 0.65 < fit.threshold.raw <= 0.72
    loose, strict = fitted.on(CARDS, REVISIONS), fitted.on(CARDS, REVISIONS, thresholds=True)
    assert hear(loose, 0.6) is not None
    assert hear(strict, 0.6) is None
    assert hear(strict, 0.6, threshold=0.5) is None, "a label's own may be stricter, not laxer"
    assert hear(strict, 0.75) is not None
    assert hear(strict, 0.75, threshold=0.8) is None
    assert hear(strict, 0.6, "scene") == 0.6


@pytest.mark.parametrize(
    "revisions",
    [
        {**REVISIONS, TAGGER: "2"},  # new weights: what was learnt about the old ones is void
        {SCORER: "1"},  # no longer in use
    ],
)
def test_a_fit_to_other_weights_does_nothing(fitted: Fitted, revisions: dict[tuple[str, str], str]) -> None:
    assert fitted.on(CARDS, revisions) == CARDS


def test_a_curve_of_the_catalogue_is_the_base() -> None:
    base = Calibration(((0.0, 0.0), (0.2, 0.15), (1.0, 0.2)))
    low = Teacher({TAGGER: Pupil("1", base)}).teach(lessons(200, slope=0.9))
    assert low.fits[0].curve.confidence(0.2) == pytest.approx(0.15, abs=1e-3)
