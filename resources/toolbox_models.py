"""The tools that look and answer: models on their runtimes, and what the chat model is asked."""

from collections.abc import Mapping
from functools import cached_property, partial

from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.landmarker import MediaPipeLandmarker
from resources.llm_client import ChatOptions, ChatSuggester
from resources.llm_server import ChatServer, ServerOptions
from resources.llm_transport import ChatTransport, is_loopback, remote_endpoint
from resources.onnx_session import OnnxOptions
from resources.person_detector import YoloPersonDetector
from resources.prompt_store import PromptStore
from resources.relevance import RelevanceScorer
from resources.text_encoder import MiniLmEncoder
from resources.toolbox_stores import Stores
from resources.weights import Entry, WeightsStore
from tagging_assets.domain.models import Detector, ImageEncoder, Landmarker, Tagger, TagSuggester, ZeroShotScorer
from tagging_assets.domain.prompts import Prompt


class Models(Stores):
    """Makes each model once, at first use, on the stores; a model loads at its first photo."""

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
        return MediaPipeLandmarker.from_weights(self.weights, self.entry("pose").name, self.entry("face").name)

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

    @cached_property
    def prompt(self) -> Prompt:
        """What the chat model is asked."""
        return PromptStore(self.settings.prompts_dir / "llm").get(self.settings.llm.prompt)

    @cached_property
    def prices(self) -> Mapping[str, float | None]:
        """US dollars per image of the stages that may cost money; ``None`` where nobody knows."""
        llm = self.settings.llm
        if not llm.enabled or not llm.base_url or is_loopback(llm.base_url):
            return {}
        return {"llm_tag_suggestions": self.ledger.mean_cost(llm.base_url, llm.model)}

    @property
    def models(self) -> list[str]:
        """Entries of the catalogue that the settings need weights of."""
        profile = self.weights.catalogue.profile(self.settings.profile)
        names = {entry.name for task, entry in profile.items() if task != "chat"}
        llm = self.settings.llm
        return sorted(names | ({llm.model} if llm.enabled and not llm.base_url else set()))

    @cached_property
    def _onnx(self) -> OnnxOptions:
        # One thread per session, called from several: faster on CPUs than one session on all cores.
        return OnnxOptions(provider=self.settings.inference.provider, threads=1)

    def entry(self, task: str) -> Entry:
        """What the profile has for a task."""
        return self.weights.catalogue.profile(self.settings.profile)[task]

    def close(self) -> None:
        """Stop the chat server and give landmarkers back; tools that were never used cost nothing."""
        closers = {"suggester": "close", "_chat_server": "stop", "landmarker": "close", "weights": "close"}
        for name, method in closers.items():
            tool = self.__dict__.get(name)
            if tool is not None:
                getattr(tool, method)()
