from typing import Any

import pytest

from tagging_assets.domain.evidence import Evidence, SourceCard
from tagging_assets.domain.fusion import Fusion, explain_tag
from tagging_assets.domain.rules import parse_rules

CARDS = {
    ("zero-shot", "conse"): SourceCard(0.9, threshold=0.4, family="efficientnet"),
    ("tagger", "efficientnet"): SourceCard(0.8, threshold=0.3, family="efficientnet"),
    ("llm", "gemma"): SourceCard(0.35),
}
RULES = parse_rules({"aliases": {"puppy": "dog"}})
SEEN = Evidence("zero-shot", "conse", "57934424aa", "dog", "photo", "object", 0.8)
TAGGED = Evidence("tagger", "efficientnet", "57934424aa", "dog", "photo", "object", 0.8)
CHOSEN = Evidence("llm", "gemma", "", "dog", "photo", "object", 1.0, rank=1)


@pytest.mark.parametrize(
    ("evidence", "lines"),
    [
        # one source
        ([SEEN], ["zero-shot (conse @ 57934424…): raw 0.80 ≥ 0.40 → confidence 0.80 × weight 0.90"]),
        # an alias, a person, a prompt; and a second source, without a revision, with the sum
        (
            [
                Evidence("zero-shot", "conse", "57934424aa", "Puppy", "person 3", "object", 0.8, prompt_id="a photo"),
                CHOSEN,
            ],
            [
                'zero-shot (conse @ 57934424…, as "Puppy", person 3, a photo): raw 0.80 ≥ 0.40 → '
                "confidence 0.80 × weight 0.90",
                "llm (gemma): raw 1.00 ≥ 0.00 → confidence 1.00 × weight 0.35",
                "together 1 − (1 − 0.72)(1 − 0.35) = 0.82",
            ],
        ),
        # two heads of one network
        (
            [SEEN, TAGGED],
            [
                "zero-shot (conse @ 57934424…): raw 0.80 ≥ 0.40 → confidence 0.80 × weight 0.90",
                "tagger (efficientnet @ 57934424…): raw 0.80 ≥ 0.30 → confidence 0.80 "
                "not counted again: same network as above",
            ],
        ),
    ],
)
def test_a_tag_explains_itself(evidence: list[Evidence], lines: list[str]) -> None:
    (tag,) = Fusion(RULES, CARDS, lambda term: None).decide(evidence).tags
    row: dict[str, Any] = tag.row("i1")
    assert explain_tag(row) == lines


def test_a_forced_tag_explains_itself() -> None:
    rules = parse_rules({"forced": ["portfolio"]})
    (tag,) = Fusion(rules, CARDS, lambda term: None).decide([]).tags
    assert explain_tag(tag.row("i1")) == [f"rule (rules @ {rules.rules_hash[:8]}…): every photo gets it"]
