"""Everything the line works with, made from the settings: models, stores, label sets, rules, recipes.

Nothing heavy happens before it is asked for: a model loads at its first photo, so a run that finds everything fresh
loads none. One toolbox serves a whole process, which keeps models warm from run to run.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial

from resources import decoding, proxy_store
from resources.database import Database
from resources.frame_store import FrameStore
from resources.gallery import Gallery
from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.intake import Intake
from resources.label_store import choose_label_sets
from resources.landmarker import MediaPipeLandmarker
from resources.ledger import Ledger
from resources.llm_client import ChatOptions, ChatSuggester
from resources.llm_server import ChatServer, ServerOptions
from resources.llm_transport import ChatTransport, remote_endpoint
from resources.manifest import Manifest
from resources.onnx_session import OnnxOptions
from resources.person_detector import YoloPersonDetector
from resources.prompt_store import PromptStore
from resources.proxy_store import ProxyStore
from resources.publisher import Publisher
from resources.relevance import RelevanceScorer
from resources.text_encoder import MiniLmEncoder
from resources.weights import Entry, WeightsStore
from resources.workbench import Reporter, Silent, Workbench
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.evidence import FEATURE_SOURCE, SourceCard
from tagging_assets.domain.frames import ImageRecord
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import CHAT, PEOPLE, PERSON, TAGGER, ZERO_SHOT, Gatherer
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.images import PROXY_SIDE
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.models import (
    Detector,
    ImageEncoder,
    Landmarker,
    Tagger,
    TagSuggester,
    ZeroShotScorer,
)
from tagging_assets.domain.policy import person_attributes_allowed, refused
from tagging_assets.domain.prompts import Prompt
from tagging_assets.domain.rules import Rules
from tagging_assets.domain.stages import Recipes, Stage, build_recipes
from tagging_assets.settings import Settings

#: Tools that assets, checks and sensors take by name.
TOOLS = (
    "bench",
    "recipes",
    "source_versions",
    "manifest",
    "intake",
    "publisher",
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


class Toolbox:
    """Makes each tool once, at first use.

    Args:
        settings: validated.
        database: open and migrated.
        reporter: told about progress.
    """

    def __init__(self, settings: Settings, database: Database, reporter: Reporter | None = None) -> None:
        self.settings = settings
        self.database = database
        self._reporter = reporter or Silent()

    @cached_property
    def bench(self) -> Workbench:
        """Runs stages."""
        return Workbench(
            FrameStore(self.settings.data_dir / "tables"),
            threads=self._threads,
            find_copies=self._find_copies,
            lock=self.database.lock,
            keep_recipe=self.database.keep_recipe,
            reporter=self._reporter,
        )

    @cached_property
    def manifest(self) -> Manifest:
        """Which photos there are."""
        return Manifest(self.database.engine)

    @cached_property
    def intake(self) -> Intake:
        """Takes photos in."""
        images = self.settings.images
        return Intake(
            self.manifest,
            [source.path for source in self.settings.sources],
            batch_size=images.batch_size,
            settle_seconds=images.settle_seconds,
            threads=self._threads,
        )

    @cached_property
    def publisher(self) -> Publisher:
        """Published tags."""
        return Publisher(self.database.engine)

    @cached_property
    def proxy_files(self) -> ProxyStore:
        """Working copies."""
        return ProxyStore(self.settings.data_dir)

    @cached_property
    def gallery(self) -> Gallery:
        """Entries of contact sheets."""
        return Gallery(self.bench.store, self.proxy_files)

    @cached_property
    def ledger(self) -> Ledger:
        """Calls of the chat model."""
        return Ledger(self.database.engine)

    @cached_property
    def weights(self) -> WeightsStore:
        """Weights on disk."""
        return WeightsStore()

    @cached_property
    def detector(self) -> Detector:
        """Finds people."""
        return YoloPersonDetector(self.weights, self._onnx)

    @cached_property
    def landmarker(self) -> Landmarker:
        """Finds pose, face and silhouette."""
        return MediaPipeLandmarker.from_weights(self.weights, self._entry("pose").name, self._entry("face").name)

    @cached_property
    def encoder(self) -> ImageEncoder:
        """Turns pictures into vectors."""
        return EfficientNetEncoder(self.weights, self._onnx)

    @cached_property
    def tagger(self) -> Tagger:
        """Scores ImageNet's vocabulary."""
        return EfficientNetTagger(self.weights, self._onnx)

    @cached_property
    def zero_shot_scorer(self) -> ZeroShotScorer:
        """Scores free text."""
        return RelevanceScorer(self.weights, MiniLmEncoder(self.weights, self._onnx))

    @cached_property
    def label_sets(self) -> Mapping[str, LabelSet]:
        """The label sets that are in use and that the scorer can see."""
        chosen = choose_label_sets(self.settings.prompts_dir / "labels", self.settings.label_sets)
        sees = str(self._entry("zero_shot").capabilities["sees"]).split(", ")
        people = self.people_allowed
        return {one.name: one for one in chosen if not one.blind_spots(sees) and (people or one.scope != "person")}

    @cached_property
    def suggester(self) -> TagSuggester | None:
        """The chat model; ``None`` where it is switched off."""
        llm = self.settings.llm
        if not llm.enabled:
            return None
        options = ChatOptions(
            model=llm.model,
            provider=llm.base_url or "embedded",
            revision="" if llm.base_url else self.weights.catalogue.revision(llm.model),
            max_tags=llm.max_tags,
            only_evidenced=llm.only_evidenced,
        )
        if llm.base_url:
            connect = remote_endpoint(llm.base_url, llm.api_key_env, self.settings.privacy)
        else:
            connect = self._chat_server.endpoint
        return ChatSuggester(ChatTransport(connect, llm.timeout_seconds), self.prompt, options, self.ledger)

    @cached_property
    def _chat_server(self) -> ChatServer:
        model = self.settings.llm.model
        options = ServerOptions(alias=model, slots=self.settings.llm.concurrency)
        return ChatServer(partial(self.weights.path, model), options, log_dir=self.settings.data_dir / "logs")

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
        """How far each model of each source is trusted: the catalogue's word."""
        landmarker = self.landmarker.card.name
        cards = {
            # Both are about people whom the person score has already weighed.
            (PEOPLE, landmarker): SourceCard(weight=1.0, threshold=PERSON),
            (FEATURE_SOURCE, landmarker): SourceCard(weight=1.0),
            (ZERO_SHOT, self.zero_shot_scorer.card.name): self._card("zero_shot"),
            (TAGGER, self.tagger.card.name): self._card("tagging"),
        }
        if self.suggester is not None:
            cards[(CHAT, self.suggester.card.name)] = self._card("chat")
        return cards

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
    def prompt(self) -> Prompt:
        """What the chat model is asked."""
        return PromptStore(self.settings.prompts_dir / "llm").get(self.settings.llm.prompt)

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
            Fusion(Rules(), self.cards, refused),
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
                "embeddings": {"model": asdict(self.encoder.card), "person_views": self.people_allowed},
                "zero_shot_scores": {"model": scorer, "label_sets": label_sets},
                "tagger_scores": {"model": asdict(self.tagger.card)},
                "llm_tag_suggestions": {
                    "chat": chat,
                    "vocabulary": content_hash(self.vocabulary),
                    "allowed_tags": self.settings.llm.allowed_tags,
                    "label_sets": label_sets,
                },
                "tags": {
                    "rules": self.rules.model_dump(mode="json"),
                    "label_sets": label_sets,
                    "sources": {"/".join(key): asdict(card) for key, card in self.cards.items()},
                },
            }
        )

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
    def models(self) -> list[str]:
        """Entries of the catalogue that the settings need weights of."""
        profile = self.weights.catalogue.profile(self.settings.profile)
        names = {entry.name for task, entry in profile.items() if task != "chat"}
        llm = self.settings.llm
        return sorted(names | ({llm.model} if llm.enabled and not llm.base_url else set()))

    def close(self) -> None:
        """Stop the chat server and give landmarkers back; tools that were never used cost nothing."""
        closers = {"suggester": "close", "_chat_server": "stop", "landmarker": "close", "weights": "close"}
        for name, method in closers.items():
            tool = self.__dict__.get(name)
            if tool is not None:
                getattr(tool, method)()

    @cached_property
    def _threads(self) -> int:
        return self.settings.inference.threads or len(os.sched_getaffinity(0))

    @cached_property
    def _onnx(self) -> OnnxOptions:
        # One thread per session, called from several: faster on CPUs than one session on all cores.
        return OnnxOptions(provider=self.settings.inference.provider, threads=1)

    def _entry(self, task: str) -> Entry:
        return self.weights.catalogue.profile(self.settings.profile)[task]

    def _card(self, task: str) -> SourceCard:
        entry = self._entry(task)
        # Sources that see through the same network count once.
        family = entry.uses[0] if entry.uses else entry.name
        calibration = Calibration.from_points(entry.fusion.calibration)
        return SourceCard(entry.fusion.weight, calibration, family=family)

    def _find_copies(self, stage: Stage, batch: str, items: Sequence[Item]) -> list[ImageRecord]:
        """Records of photos with the same pixels in other batches."""
        # Asked of the table: a stage that works from vectors does not take the proxies themselves.
        shown = {record.image_id: record for record in self.bench.store.read("proxies", batch).current if record.ok}
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
            for record in self.bench.store.read(stage.name, other).records
            if record.image_id in image_ids
        ]
