"""Everything the line works with, made from the settings: models, stores, label sets, rules, recipes.

Nothing heavy happens before it is asked for: a model loads at its first photo, so a run that finds everything fresh
loads none. One toolbox serves a whole process, which keeps models warm from run to run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from resources import decoding, proxy_store
from resources.calibrations import FittedCalibration
from resources.label_store import choose_label_sets
from resources.source_cards import catalogue_cards
from resources.toolbox_models import Models
from resources.workbench import Workbench
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.evidence import FEATURE_SOURCE, SourceCard
from tagging_assets.domain.frames import ImageRecord
from tagging_assets.domain.freshness import Item, Recipe
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import (
    CHAT,
    CHAT_CATEGORY,
    PEOPLE,
    PEOPLE_CATEGORY,
    TAGGER,
    ZERO_SHOT,
    Gatherer,
)
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.images import PROXY_SIDE
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.policy import person_attributes_allowed, refused
from tagging_assets.domain.rules import Rules
from tagging_assets.domain.stages import Recipes, Stage, build_recipes
from tagging_assets.domain.teaching import Pupil, Teacher
from tagging_assets.domain.text_differences import SourceText
from tagging_assets.settings import Retag

#: Tools that assets, checks and sensors take by name.
TOOLS = (
    "bench",
    "recipes",
    "source_versions",
    "database",
    "states",
    "claims",
    "prices",
    "ledger",
    "retag_limits",
    "manifest",
    "intake",
    "publisher",
    "history",
    "decisions",
    "calibrations",
    "teacher",
    "proxy_files",
    "gallery",
    "detector",
    "landmarker",
    "encoder",
    "tagger",
    "zero_shot_scorer",
    "label_sets",
    "gatherer",
    "asker",
    "fusion",
    "rules",
)


class Toolbox(Models):
    """Makes each tool once, at first use.

    Args:
        settings: validated.
        database: open and migrated.
        reporter: told about progress.
    """

    @cached_property
    def bench(self) -> Workbench:
        """Runs stages."""
        return Workbench(
            self.tables,
            threads=self.threads,
            find_copies=self._find_copies,
            lock=self.database.lock,
            keep_recipe=self._keep_recipe,
            keep_state=self.states.keep,
            reporter=self._reporter,
        )

    @cached_property
    def teacher(self) -> Teacher:
        """Fits calibrations."""
        return Teacher(
            {key: Pupil(revision, self.catalogue_cards[key].calibration) for key, revision in self.revisions.items()},
            precision=self.settings.calibration.precision,
            min_decisions=self.settings.calibration.min_decisions,
            label_sets={name: one.category for name, one in self.label_sets.items()},
            categories={PEOPLE: PEOPLE_CATEGORY, CHAT: CHAT_CATEGORY},
        )

    @cached_property
    def label_sets(self) -> Mapping[str, LabelSet]:
        """The label sets that are in use and that the scorer can see."""
        chosen = choose_label_sets(self.settings.prompts_dir / "labels", self.settings.label_sets)
        sees = str(self.entry("zero_shot").capabilities["sees"]).split(", ")
        people = self.people_allowed
        return {one.name: one for one in chosen if not one.blind_spots(sees) and (people or one.scope != "person")}

    # What is decided.

    @cached_property
    def people_allowed(self) -> bool:
        """Whether persons may be measured and tagged beyond "there is one"."""
        people = self.settings.people
        allowed, _reason = person_attributes_allowed(
            people_enabled=people.enabled,
            adults_only_source=people.adults_only_source,
            consent=None,
            minor_suspected=None,
        )
        return allowed

    @cached_property
    def rules(self) -> Rules:
        """The operator's rules, with the exclusive label sets as groups."""
        exclusive = {one.name: one.names for one in self.label_sets.values() if one.exclusive}
        return self.settings.rules.with_exclusive(exclusive) if exclusive else self.settings.rules

    @cached_property
    def cards(self) -> Mapping[tuple[str, str], SourceCard]:
        """How far each model of each source is trusted: the catalogue's word, and on top what decisions taught."""
        if self._calibrated is None:
            return self.catalogue_cards
        thresholds = self.settings.calibration.thresholds
        return self._calibrated.body.on(self.catalogue_cards, self.revisions, thresholds=thresholds)

    @property
    def calibration_hash(self) -> str:
        """Of the calibration in use when it was first asked for; ``""`` for none."""
        return self._calibrated.hash if self._calibrated is not None else ""

    @cached_property
    def _calibrated(self) -> FittedCalibration | None:
        return self.calibrations.latest() if self.settings.calibration.use else None

    @cached_property
    def revisions(self) -> Mapping[tuple[str, str], str]:
        """Revision in use of each model of each source."""
        people = self.landmarker.card
        cards = {
            PEOPLE: people,
            FEATURE_SOURCE: people,
            ZERO_SHOT: self.zero_shot_scorer.card,
            TAGGER: self.tagger.card,
            **({CHAT: self.suggester.card} if self.suggester else {}),
        }
        return {(source, card.name): card.revision for source, card in cards.items()}

    @cached_property
    def catalogue_cards(self) -> Mapping[tuple[str, str], SourceCard]:
        """How far each model of each source is trusted: the catalogue's word alone."""
        return catalogue_cards(self.weights.catalogue.profile(self.settings.profile), self.revisions)

    @cached_property
    def fusion(self) -> Fusion:
        """Decides tags."""
        return Fusion(self.rules, self.cards, refused)

    @cached_property
    def gatherer(self) -> Gatherer:
        """Gathers evidence with its provenance."""
        return Gatherer(
            landmarker=self.landmarker.card,
            zero_shot=self.zero_shot_scorer.card,
            tagger=self.tagger.card,
            chat=self.suggester.card if self.suggester else None,
            label_sets=self.label_sets,
            prompt_id=self.prompt.id if self.suggester else "",
            prompt_hash=self.prompt.hash if self.suggester else "",
        )

    @cached_property
    def vocabulary(self) -> Sequence[str]:
        """Tags that a chat model may answer: the labels of photos."""
        names = (name for one in self.label_sets.values() if one.scope == "image" for name in one.names)
        return tuple(dict.fromkeys(names))

    @cached_property
    def asker(self) -> Asker:
        """Asks the chat model."""
        return Asker(
            self.suggester,
            self.gatherer,
            # Not what decisions taught: a new calibration must not put every question anew.
            Fusion(Rules(), self.catalogue_cards, refused),
            self.vocabulary,
            self.settings.llm.allowed_tags,
        )

    # What it all is, in hashes.

    @cached_property
    def recipes(self) -> Recipes:
        """Recipe of each stage, as things stand now."""
        pixels = self.settings.images.max_megapixels
        label_sets = {name: one.hash for name, one in self.label_sets.items()}
        chat = None if self.suggester is None else {"model": asdict(self.suggester.card), "prompt": self.prompt.hash}
        scorer = asdict(self.zero_shot_scorer.card)
        return build_recipes(
            {
                "images": {"max_megapixels": pixels},
                "proxies": {
                    "max_megapixels": pixels,
                    "max_side": PROXY_SIDE,
                    "decoder": decoding.VERSION,
                    "proxy": proxy_store.VERSION,
                },
                "detections": {"model": asdict(self.detector.card)},
                "landmarks": {"model": asdict(self.landmarker.card), "keep_points": self.people_allowed},
                "body_features": {"people_allowed": self.people_allowed},
                "person_embeddings": {"model": asdict(self.encoder.card), "people_allowed": self.people_allowed},
                "embeddings": {"model": asdict(self.encoder.card)},
                "zero_shot_scores": {"model": scorer, "label_sets": label_sets},
                "tagger_scores": {"model": asdict(self.tagger.card)},
                "llm_tag_suggestions": {
                    "chat": chat,
                    "vocabulary": content_hash(self.vocabulary),
                    "allowed_tags": self.settings.llm.allowed_tags,
                    "label_sets": label_sets,
                    # What was seen is weighed by them before it is put before the model.
                    "sources": _told({key: card for key, card in self.catalogue_cards.items() if key[0] != CHAT}),
                },
                "tags": {
                    "rules": self.rules.model_dump(mode="json"),
                    "label_sets": label_sets,
                    "sources": _told(self.cards),
                },
            }
        )

    @cached_property
    def source_texts(self) -> Mapping[str, SourceText]:
        """What the recipes name by hash only: the prompt and the label sets."""
        sets = {one.hash: SourceText("label set", one.name, one.text) for one in self.label_sets.values()}
        prompt = {self.prompt.hash: SourceText("prompt", self.prompt.id, self.prompt.text)} if self.suggester else {}
        return {**sets, **prompt}

    @cached_property
    def source_versions(self) -> Mapping[str, str]:
        """Content hash of each external asset above the line."""
        models = {
            "person_detector": self.detector.card,
            "landmarker": self.landmarker.card,
            "image_encoder": self.encoder.card,
            "zero_shot_scorer": self.zero_shot_scorer.card,
            "tagger": self.tagger.card,
            "chat_model": self.suggester.card if self.suggester else None,
        }
        return {
            **{name: content_hash(asdict(card) if card else None) for name, card in models.items()},
            "prompts": self.prompt.hash if self.suggester else "",
            "label_sets": content_hash({name: one.hash for name, one in self.label_sets.items()}),
            "rules": self.rules.rules_hash,
        }

    @property
    def retag_limits(self) -> Retag:
        """How much is done unasked."""
        return self.settings.retag

    def _keep_recipe(self, recipe: Recipe) -> None:
        self.database.keep_recipe(recipe)
        self.database.keep_texts(self.source_texts)

    def _find_copies(self, stage: Stage, batch: str, items: Sequence[Item]) -> list[ImageRecord]:
        """Records of photos with the same pixels in other batches."""
        # Asked of the table: a stage that works from vectors does not take the proxies themselves.
        shown = {record.image_id: record for record in self.tables.read("proxies", batch).current if record.ok}
        pixels = {shown[item.image_id].rows[0]["pixel_id"] for item in items if item.image_id in shown}
        if not pixels:
            return []
        elsewhere: dict[str, set[str]] = {}
        for copies in self.manifest.copies_of(pixels).values():
            for image_id, other in copies:
                if other != batch:
                    elsewhere.setdefault(other, set()).add(image_id)
        return [
            record
            for other, image_ids in elsewhere.items()
            for record in self.tables.read(stage.name, other).records
            if record.image_id in image_ids
        ]


def _told(cards: Mapping[tuple[str, str], SourceCard]) -> dict[str, Any]:
    return {"/".join(key): asdict(card) for key, card in cards.items()}
