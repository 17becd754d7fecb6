import math
from dataclasses import fields
from typing import Any

import pytest

from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.errors import ModelFailed, SettingsError
from tagging_assets.domain.evidence import (
    FEATURE_SOURCE,
    Evidence,
    SourceCard,
    Trust,
    feature_evidence,
    rank_score,
)
from tagging_assets.domain.rules import Rules, parse_rules

CARD = SourceCard(0.9, threshold=0.4, thresholds={"scene": 0.6})


def said(score: float, **more: Any) -> Evidence:
    return Evidence("zero-shot", "conse", "579344", "dog", "photo", **{"category": "object", **more}, score=score)


def trust(**overrides: dict[str, Any]) -> Trust:
    return Trust({("zero-shot", "conse"): CARD}, parse_rules({"sources": overrides}).sources)


@pytest.mark.parametrize(
    ("raw", "more", "rules", "counts"),
    [
        (0.40, {}, {}, True),  # exactly the card's
        (0.35, {}, {}, False),  # below it
        (0.50, {"category": "scene"}, {}, False),  # the card's for the category
        (0.35, {"threshold": 0.3}, {}, True),  # the label's own goes before the card's
        (0.45, {"threshold": 0.5}, {}, False),  # whichever is stricter
        (0.35, {"threshold": 0.5}, {"object": 0.3}, True),  # the operator's goes before the label's
        (0.35, {"threshold": 0.5}, {"*": 0.3}, True),  # for any category
        (0.35, {}, {"*": 0.2, "object": 0.4}, False),  # the named category goes before any
        (0.35, {}, {"scene": 0.2}, False),  # another category's says nothing
        (0.35, {"category": "hair_colour"}, {"Hair colour": 0.3}, True),  # categories are spelt as tags are
    ],
)
def test_the_most_particular_threshold_counts(
    raw: float, more: dict[str, Any], rules: dict[str, float], counts: bool
) -> None:
    overrides: dict[str, dict[str, Any]] = {"zero-shot": {"thresholds": rules}}
    assert (trust(**overrides).hear(said(raw, **more)) is not None) is counts


@pytest.mark.parametrize(
    ("overrides", "strength"),
    [
        ({}, 0.72),  # as the card says: 0.9 * 0.8
        ({"zero-shot": {"weight": 0.5}}, 0.4),  # a source's weight: 0.5 * 0.8
        ({"zero-shot/conse": {"weight": 1.0}}, 0.8),  # one model's
        ({"zero-shot": {"weight": 0.5}, "zero-shot/conse": {"weight": 1.0}}, 0.8),  # goes before the source's
        ({"zero-shot": {"calibration": [[0, 0], [0.8, 0.5], [1, 1]]}}, 0.45),  # a curve: 0.9 * 0.5
        ({"zero-shot": {"weight": 0.0}}, None),  # switched off
    ],
)
def test_the_operator_changes_a_source(overrides: dict[str, dict[str, Any]], strength: float | None) -> None:
    heard = trust(**overrides).hear(said(0.8))
    assert (heard.strength if heard else None) == (strength if strength is None else pytest.approx(strength))


def test_evidence_without_confidence_is_none() -> None:
    cards = {("zero-shot", "conse"): SourceCard(0.9, Calibration(((0.5, 0.0), (1.0, 1.0))))}
    assert Trust(cards, {}).hear(said(0.5)) is None


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_a_broken_model(score: float) -> None:
    with pytest.raises(ModelFailed, match='zero-shot/conse scored "dog"'):
        trust().hear(said(score))


def test_a_source_without_a_card_is_named() -> None:
    with pytest.raises(SettingsError, match="no weight is known for zero-shot/conse"):
        Trust({}, {}).hear(said(0.8))


def test_every_text_of_the_evidence_is_kept_in_the_struct() -> None:
    texts = {item.name: f"the {item.name}" for item in fields(Evidence) if item.type is str}
    cards = {("the source", "the model"): CARD}
    heard = Trust(cards, {}).hear(Evidence(**texts, score=0.8))  # type: ignore[arg-type]
    assert heard is not None
    kept = heard.as_struct()
    assert {name: kept[name] for name in texts if name != "category"} == {
        name: text for name, text in texts.items() if name != "category"
    }


@pytest.mark.parametrize(("rank", "score"), [(1, 1.0), (2, 0.630930), (3, 0.5), (7, 1 / 3)])
def test_a_place_in_a_ranking_has_a_raw_score(rank: int, score: float) -> None:
    assert rank_score(rank) == pytest.approx(score, abs=1e-6)


def test_ranks_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        rank_score(0)


def feature(name: str, value: float | None, label: str | None, confidence: float | None) -> dict[str, Any]:
    return {"detection_id": 2, "feature": name, "value": value, "label": label, "confidence": confidence}


FEATURE_RULES = parse_rules(
    {
        "features": [
            {"feature": "hair_colour", "equals": "red", "tag": "red hair", "category": "hair"},
            {"feature": "leg_length_ratio", "above": 0.5, "tag": "long legs"},
        ]
    }
)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (feature("hair_colour", None, "red", 0.9), {"red hair": 0.9}),  # by word
        (feature("hair_colour", None, "red", 0.4), {}),  # not sure enough: min_confidence is 0.5
        (feature("hair_colour", None, "blond", 0.9), {}),  # another word
        (feature("leg_length_ratio", 0.6, None, 0.8), {"long legs": 0.8}),  # by value
        (feature("leg_length_ratio", 0.4, None, 0.8), {}),  # not above
        (feature("leg_length_ratio", None, None, None), {}),  # not visible
        (feature("waist_hip_ratio", 0.6, None, 0.8), {}),  # no rule for it
    ],
)
def test_feature_rules_make_evidence(row: dict[str, Any], counts: dict[str, float]) -> None:
    pieces = feature_evidence([row], FEATURE_RULES, model="pose", revision="r", recipe="q", run_id="x")
    cards = Trust({(FEATURE_SOURCE, "pose"): SourceCard(1.0)}, {})
    heard = [item for piece in pieces if (item := cards.hear(piece))]
    assert {item.evidence.label: item.strength for item in heard} == counts


def test_feature_evidence_says_where_it_is_from() -> None:
    row = feature("hair_colour", None, "red", 0.9)
    (piece,) = feature_evidence([row], FEATURE_RULES, model="pose", revision="r", recipe="q", run_id="x")
    assert (piece.subject, piece.category, piece.prompt_id) == ("person 2", "hair", "hair_colour = red")
    assert piece.label_set_hash == FEATURE_RULES.rules_hash
    assert feature_evidence([row], Rules(), model="pose", revision="r", recipe="q", run_id="x") == []
