"""Gathers what all stages said about one photo as evidence, each piece with its provenance.

What does not belong here: what the evidence is worth (``evidence``) and adds up to (``fusion``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tagging_assets.domain.cutting import PhotoCut
from tagging_assets.domain.evidence import Evidence, feature_evidence, rank_score
from tagging_assets.domain.frames import Row
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.models import PERSON_LABEL, ModelCard
from tagging_assets.domain.rules import Rules

#: Names of the sources, as people read them and as ``rules.sources`` overrides them.
PEOPLE, DETECTOR, ZERO_SHOT, TAGGER, CHAT = "people", "detector", "zero-shot", "tagger", "chat model"

#: Categories of sources that know only one: of what boxes are drawn around, and of whatever is named.
PEOPLE_CATEGORY = DETECTOR_CATEGORY = "object"
CHAT_CATEGORY = "suggestion"

#: Parameter of a scorer's card: raw score from which labels count that a label set says nothing about for it.
THRESHOLD = "threshold"

#: A box counts as a person, for evidence about that person, from this score on.
PERSON = 0.5


@dataclass(frozen=True)
class Gatherer:
    """Knows the models, label sets and prompt behind the scores of this recipe.

    Attributes:
        landmarker: card behind ``person_score`` and the body features.
        zero_shot: card of the free-text scorer.
        tagger: card of the tagger.
        chat: card of the chat model, or ``None`` where there is none.
        label_sets: by name.
        prompt_id: of the chat prompt.
        prompt_hash: of its content.
        tagger_cut: how the tagger's labels are cut photo by photo; ``None`` where its thresholds are always the same.
        detector: card of the detector; ``None`` where it knows nothing but people.
    """

    landmarker: ModelCard
    zero_shot: ModelCard
    tagger: ModelCard
    chat: ModelCard | None
    label_sets: Mapping[str, LabelSet]
    prompt_id: str = ""
    prompt_hash: str = ""
    tagger_cut: PhotoCut | None = None
    detector: ModelCard | None = None

    def seen(self, item: Item) -> list[Evidence]:
        """What models saw in the picture: everything but the chat model and the operator's feature rules."""
        return [*self._people(item), *self._things(item), *self._zero_shot(item), *self._tagger(item)]

    def all(self, item: Item, rules: Rules) -> list[Evidence]:
        """Everything there is about a photo."""
        return [*self.seen(item), *self._features(item, rules), *self._chat(item)]

    def _people(self, item: Item) -> Iterator[Evidence]:
        for row in item.rows("landmarks"):
            yield Evidence(
                PEOPLE,
                self.landmarker.name,
                self.landmarker.revision,
                label=PERSON_LABEL,
                subject=_person(row["detection_id"]),
                category=PEOPLE_CATEGORY,
                score=row["person_score"],
                **_made_by(item, "landmarks"),
            )

    def _things(self, item: Item) -> Iterator[Evidence]:
        """Things other than people, by the best box of each; whether a box shows a person, the landmarks say."""
        if self.detector is None:
            return
        best: dict[str, float] = {}
        for row in item.rows("detections"):
            if row["label"] != PERSON_LABEL:
                best[row["label"]] = max(best.get(row["label"], 0.0), row["score"])
        for label, score in best.items():
            yield Evidence(
                DETECTOR,
                self.detector.name,
                self.detector.revision,
                label=label,
                subject="photo",
                category=DETECTOR_CATEGORY,
                score=score,
                **_made_by(item, "detections"),
            )

    def _zero_shot(self, item: Item) -> Iterator[Evidence]:
        persons = {str(row["detection_id"]) for row in item.rows("landmarks") if row["person_score"] >= PERSON}
        for row in item.rows("zero_shot_scores"):
            label_set = self.label_sets.get(row["label_set"])
            if label_set is None or not (row["subject"] == "image" or row["subject"] in persons):
                continue
            yield Evidence(
                ZERO_SHOT,
                self.zero_shot.name,
                self.zero_shot.revision,
                label=row["label"],
                subject="photo" if row["subject"] == "image" else _person(row["subject"]),
                category=label_set.category,
                score=row["score"],
                threshold=self._threshold(label_set, row["label"]),
                label_set=label_set.name,
                label_set_hash=label_set.hash,
                **_made_by(item, "zero_shot_scores"),
            )

    def _threshold(self, label_set: LabelSet, label: str) -> float | None:
        """The label's for this scorer; ``None``, which leaves it to the scorer's card, where that has one instead."""
        if THRESHOLD in self.zero_shot.parameters:
            return label_set.threshold_for(label, self.zero_shot.name)
        return label_set.threshold_of(label, self.zero_shot.name)

    def _tagger(self, item: Item) -> Iterator[Evidence]:
        rows = item.rows("tagger_scores")
        cut = self.tagger_cut.thresholds(rows) if self.tagger_cut else {}
        for row in rows:
            yield Evidence(
                TAGGER,
                self.tagger.name,
                self.tagger.revision,
                label=row["label"],
                subject="photo",
                category=row["category"],
                score=row["score"],
                threshold=cut.get(row["category"]),
                **_made_by(item, "tagger_scores"),
            )

    def _chat(self, item: Item) -> Iterator[Evidence]:
        if self.chat is None:
            return
        for row in item.rows("llm_tag_suggestions"):
            yield Evidence(
                CHAT,
                self.chat.name,
                self.chat.revision,
                label=row["tag"],
                subject="photo",
                category=CHAT_CATEGORY,
                score=rank_score(row["rank"]),
                rank=row["rank"],
                prompt_id=self.prompt_id,
                prompt_hash=self.prompt_hash,
                request_hash=row["request_hash"],
                **_made_by(item, "llm_tag_suggestions"),
            )

    def _features(self, item: Item, rules: Rules) -> list[Evidence]:
        made_by = _made_by(item, "body_features")
        rows = [row for row in item.rows("body_features") if _is_person(row, item)]
        return feature_evidence(rows, rules, model=self.landmarker.name, revision=self.landmarker.revision, **made_by)


def _made_by(item: Item, table: str) -> dict[str, Any]:
    record = item.upstream.get(table)
    return {"recipe": record.recipe, "run_id": record.run_id} if record else {"recipe": "", "run_id": ""}


def _person(detection_id: object) -> str:
    return f"person {detection_id}"


def _is_person(row: Row, item: Item) -> bool:
    return any(
        other["detection_id"] == row["detection_id"] and other["person_score"] >= PERSON
        for other in item.rows("landmarks")
    )
