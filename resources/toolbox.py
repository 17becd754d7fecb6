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
from resources.interviews import Interviews
from resources.label_store import choose_label_sets
from resources.scoreboards import Scoreboards
from resources.source_cards import catalogue_cards, sees_people, sees_things, tagger_cut, topics_of
from resources.toolbox_asking import Questions
from resources.workbench import Workbench
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.asking_way import Way
from tagging_assets.domain.chat import ChatModel
from tagging_assets.domain.chat_settings import Chat
from tagging_assets.domain.cutting import PhotoCut
from tagging_assets.domain.evidence import FEATURE_SOURCE, SourceCard
from tagging_assets.domain.frames import ImageRecord
from tagging_assets.domain.freshness import Item, Recipe
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import (
    CHAT,
    CHAT_CATEGORY,
    DETECTOR,
    DETECTOR_CATEGORY,
    PEOPLE,
    PEOPLE_CATEGORY,
    TAGGER,
    ZERO_SHOT,
    Gatherer,
)
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.images import PROXY_SIDE
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.models import ModelCard
from tagging_assets.domain.permissions import PeopleRules
from tagging_assets.domain.policy import WORDS_HASH, refused
from tagging_assets.domain.rules import Rules
from tagging_assets.domain.stages import Recipes, Stage, build_recipes
from tagging_assets.domain.teaching import Pupil, Teacher
from tagging_assets.domain.text_differences import SourceText
from tagging_assets.settings import Retag

#: Sources that are not put before the chat model: its own answers, and what only the decision reads.
_UNHEARD = frozenset({CHAT, DETECTOR})

#: Tools that assets, checks and sensors take by name.
TOOLS = (
    "bench",
    "weights",
    "calibration_photos",
    "recipes",
    "source_versions",
    "database",
    "states",
    "claims",
    "prices",
    "ledger",
    "retag_limits",
    "provider_batches",
    "manifest",
    "intake",
    "publisher",
    "history",
    "decisions",
    "calibrations",
    "experiments",
    "benchmark_rows",
    "interviews",
    "scoreboards",
    "teacher",
    "proxy_files",
    "decoders",
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
    "people_rules",
)


class Toolbox(Questions):
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
            threads_by_stage=self.threads_by_stage,
            find_copies=self._find_copies,
            lock=self.database.lock,
            check_partition=self.manifest.require,
            keep_recipe=self._keep_recipe,
            keep_state=self.states.keep,
            keep_provider=self.ran_on.keep,
            reporter=self._reporter,
            interrupt=self.cancel,
        )

    @cached_property
    def teacher(self) -> Teacher:
        """Fits calibrations."""
        return Teacher(
            {key: Pupil(revision, self.catalogue_cards[key].calibration) for key, revision in self.revisions.items()},
            precision=self.settings.calibration.precision,
            min_decisions=self.settings.calibration.min_decisions,
            label_sets={name: one.category for name, one in self.label_sets.items()},
            categories={PEOPLE: PEOPLE_CATEGORY, DETECTOR: DETECTOR_CATEGORY, CHAT: CHAT_CATEGORY},
        )

    @cached_property
    def label_sets(self) -> Mapping[str, LabelSet]:
        """The label sets that are in use and that the scorer can see."""
        chosen = choose_label_sets(self.settings.prompts_dir / "labels", self.settings.label_sets)
        sees, people = topics_of(self.entries["zero_shot"]), self.people_allowed
        return {one.name: one for one in chosen if not one.blind_spots(sees) and (people or one.scope != "person")}

    # What is decided.

    @cached_property
    def people_allowed(self) -> bool:
        """Whether any photo's people may be measured and tagged beyond "there is one"."""
        return self.people_rules.anywhere

    @cached_property
    def people_rules(self) -> PeopleRules:
        """The operator's word about people, source by source."""
        return self.settings.people_rules

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
            **({DETECTOR: self.thing_detector} if self.thing_detector else {}),
            ZERO_SHOT: self.zero_shot_scorer.card,
            TAGGER: self.tagger.card,
            **({CHAT: self.chat.card} if self.chat else {}),
        }
        return {(source, card.name): card.revision for source, card in cards.items()}

    @cached_property
    def catalogue_cards(self) -> Mapping[tuple[str, str], SourceCard]:
        """How far each model of each source is trusted: the catalogue's word alone."""
        return catalogue_cards(self.entries, self.revisions, self.knobs)

    @cached_property
    def fusion(self) -> Fusion:
        """Decides tags."""
        return Fusion(self.rules, self.cards, refused)

    @cached_property
    def gatherer(self) -> Gatherer:
        """Gathers evidence with its provenance."""
        return Gatherer(
            landmarker=self.landmarker.card,
            detector=self.thing_detector,
            zero_shot=self.zero_shot_scorer.card,
            tagger=self.tagger.card,
            chat=self.chat.card if self.chat else None,
            label_sets=self.label_sets,
            prompt_id=self.way.prompt.id if self.way else "",
            prompt_hash=self.way.prompt.hash if self.way else "",
            tagger_cut=self.tagger_cut,
        )

    @cached_property
    def thing_detector(self) -> ModelCard | None:
        """Card of the detector, where it finds more than people."""
        return self.detector.card if sees_things(self.entries["person_detection"]) else None

    @cached_property
    def tagger_cut(self) -> PhotoCut | None:
        """How the tagger's labels are cut photo by photo, where they are."""
        return tagger_cut(self.knobs["tagging"], float(self.tagger.card.parameters.get("score_floor", 0.0)))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of photos."""
        names = (name for one in self.label_sets.values() if one.scope == "image" for name in one.names)
        return tuple(dict.fromkeys(names))

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Tags that the chat model may answer."""
        return self.answerable(self.settings.llm, self.labels)

    @cached_property
    def asker(self) -> Asker:
        """Asks the chat model of the settings."""
        return self._asker(self.settings.llm, self.chat, self.way)

    def asker_for(self, llm: Chat, purpose: str, *, budget_usd: float | None = None) -> Asker:
        """Asks by other settings than those in use, ``llm.enabled`` left aside; close its ``chat`` after use.

        Args:
            llm: the section.
            purpose: what the calls are for, as the ledger says it, such as ``experiment/NAME``.
            budget_usd: limit of all calls of this purpose.

        Raises:
            SettingsError: a prompt, model or vocabulary makes no sense.
        """
        chat = self.chat_for(llm.model, llm.sampling, purpose=purpose, budget_usd=budget_usd)
        return self._asker(llm, chat, self.way_of(llm, chat))

    def _asker(self, llm: Chat, chat: ChatModel | None, way: Way | None) -> Asker:
        vocabulary = () if chat is None else self.answerable(llm, self.labels)
        return Asker(
            chat,
            way,
            self.gatherer,
            # Not what decisions taught: a new calibration must not put every question anew.
            Fusion(Rules(), self.catalogue_cards, refused),
            vocabulary,
            picture=self.pictures(llm).of,
            likeness=None if chat is None else self.likeness(llm, vocabulary),
            threads=1 if chat is None else self.questions_at_once(llm),
        )

    # Experiments.

    @cached_property
    def interviews(self) -> Interviews:
        """Asks contestants."""
        return Interviews(
            self.benchmark_rows,
            self.tables,
            self.manifest,
            self.decisions,
            self.settings.llm,
            self.asker_for,
            self.cancel,
            self._reporter,
        )

    @cached_property
    def scoreboards(self) -> Scoreboards:
        """Scores their answers."""
        return Scoreboards(
            self.settings.data_dir / "benchmarks",
            self.interviews,
            self.benchmark_rows,
            self.votes,
            self.decisions,
            self.tables,
            self.proxy_files,
        )

    # What it all is, in hashes.

    @cached_property
    def recipes(self) -> Recipes:
        """Recipe of each stage, as things stand now."""
        pixels = self.settings.images.max_megapixels
        label_sets = {name: one.hash for name, one in self.label_sets.items()}
        scorer = asdict(self.zero_shot_scorer.card)
        # Where nothing is cut photo by photo, there is nothing to say about it.
        cut = {"tagger_cut": asdict(self.tagger_cut)} if self.tagger_cut else {}
        allowed = self.people_allowed
        people = {"people_allowed": allowed} if sees_people(self.entries["tagging"]) else {}
        # Where nothing is asked, a vocabulary that cannot be read is nobody's concern.
        vocabulary = () if self.chat is None else self.vocabulary
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
                "landmarks": {"model": asdict(self.landmarker.card), "keep_points": allowed, **self.weighing},
                "person_permissions": {"people": asdict(self.people_rules), "policy": WORDS_HASH},
                "body_features": {"people_allowed": allowed},
                "person_embeddings": {"model": asdict(self.encoder.card), "people_allowed": allowed},
                "embeddings": {"model": asdict(self.encoder.card)},
                "zero_shot_scores": {"model": scorer, "label_sets": label_sets},
                "tagger_scores": {"model": asdict(self.tagger.card), "policy": WORDS_HASH, **people},
                "captions": self.captions_recipe(vocabulary),
                "llm_tag_suggestions": {
                    **self.suggestions_recipe(vocabulary),
                    "label_sets": label_sets,
                    # What was seen is weighed by them before it is put before the model.
                    "sources": _told({k: card for k, card in self.catalogue_cards.items() if k[0] not in _UNHEARD}),
                    **cut,
                },
                "tags": {
                    "policy": WORDS_HASH,
                    "rules": self.rules.model_dump(mode="json"),
                    "label_sets": label_sets,
                    "sources": _told(self.cards),
                    **cut,
                },
            }
        )

    @cached_property
    def source_texts(self) -> Mapping[str, SourceText]:
        """What the recipes name by hash only: the prompts in use and the label sets."""
        sets = {one.hash: SourceText("label set", one.name, one.text) for one in self.label_sets.values()}
        return {**sets, **self.prompt_texts}

    @cached_property
    def source_versions(self) -> Mapping[str, str]:
        """Content hash of each external asset above the line."""
        models = {
            "person_detector": self.detector.card,
            "landmarker": self.landmarker.card,
            "image_encoder": self.encoder.card,
            "zero_shot_scorer": self.zero_shot_scorer.card,
            "tagger": self.tagger.card,
            "chat_model": self.chat.card if self.chat else None,
        }
        return {
            **{name: content_hash(asdict(card) if card else None) for name, card in models.items()},
            "prompts": content_hash(sorted(self.used_prompts)),
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
            for record in self.tables.sound(stage.name, other).records
            if record.image_id in image_ids
        ]


def _told(cards: Mapping[tuple[str, str], SourceCard]) -> dict[str, Any]:
    return {"/".join(key): asdict(card) for key, card in cards.items()}
