"""The tools that look and answer: models on their runtimes, and what the chat model is asked."""

from collections.abc import Mapping
from functools import cached_property

from resources.adapters import make_detector, make_encoder, make_landmarker, make_scorer, make_tagger
from resources.batch_client import BatchClient
from resources.calibration_photos import Photos, photos_of
from resources.catalogue import Capability, Entry
from resources.chat_models import ChatModels
from resources.choices import entries_in_use, model_in_use
from resources.model_in_use import ModelInUse
from resources.onnx_providers import CPU, GPU_BATCH, OnnxOptions, preferred
from resources.provider_batches import ProviderBatches
from resources.toolbox_stores import Stores
from resources.weights import WeightsStore
from tagging_assets.domain.chat import ChatModel
from tagging_assets.domain.chat_settings import EMBEDDED, Sampling
from tagging_assets.domain.models import Detector, ImageEncoder, Landmarker, Tagger, ZeroShotScorer
from tagging_assets.domain.stages import STAGES

#: Stages whose models run on ONNX Runtime over pictures.
_ON_GPU = ("detections", "embeddings", "person_embeddings", "tagger_scores")


class Models(Stores):
    """Makes each model once, at first use, on the stores; a model loads at its first photo."""

    @cached_property
    def weights(self) -> WeightsStore:
        """Weights on disk."""
        return WeightsStore()

    @cached_property
    def calibration_photos(self) -> Photos:
        """What models are quantised by."""
        return photos_of(self.settings.data_dir, self.weights)

    @cached_property
    def detector(self) -> Detector:
        """Finds people and things."""
        return make_detector(self.model)

    @cached_property
    def landmarker(self) -> Landmarker:
        """Finds pose, face and silhouette."""
        return make_landmarker(self.model)

    @cached_property
    def encoder(self) -> ImageEncoder:
        """Turns pictures into vectors."""
        return make_encoder(self.model)

    @cached_property
    def tagger(self) -> Tagger:
        """Scores a vocabulary of its own."""
        return make_tagger(self.model)

    @cached_property
    def zero_shot_scorer(self) -> ZeroShotScorer:
        """Scores free text."""
        return make_scorer(self.model, self.settings.data_dir / "cache")

    @cached_property
    def chat_models(self) -> ChatModels:
        """Makes askers of chat models."""
        return ChatModels(self.settings, self.database.engine, self.weights)

    @cached_property
    def chat(self) -> ChatModel | None:
        """The chat model in use; ``None`` where it is switched off."""
        llm = self.settings.llm
        return self.chat_for(llm.model, llm.sampling) if llm.enabled else None

    def chat_for(
        self, name: str, sampling: Sampling, *, purpose: str = "", budget_usd: float | None = None
    ) -> ChatModel:
        """Asks any chat model, of those in the settings or not.

        Args:
            name: as in ``llm.model``.
            sampling: how it draws its words.
            purpose: what the money is for: ``""`` for tagging, else ``experiment/NAME``.
            budget_usd: limit of everything ever spent for this purpose, beside the settings' limit of a day.

        Raises:
            SettingsError: there is no such model or provider, or ``privacy`` forbids it.
        """
        return self.chat_models.asker(name, sampling, purpose=purpose, budget_usd=budget_usd)

    @cached_property
    def provider_batches(self) -> ProviderBatches:
        """Works through the questions that wait for providers' batches."""
        models = self.chat_models
        return ProviderBatches(self.database, lambda name: BatchClient(models.connection(name)), models.prices.of_batch)

    def cancel(self) -> None:
        """Ask chat models nothing new, decode nothing new, and end the waits for what was asked."""
        if "decoders" in self.__dict__:
            self.decoders.cancel()
        if "chat_models" in self.__dict__:
            self.chat_models.cancel()

    @cached_property
    def prices(self) -> Mapping[str, float | None]:
        """US dollars per image of the stages that may cost money; ``None`` where nobody knows."""
        llm = self.settings.llm
        if not llm.enabled or self.chat_models.prices.is_free(llm.find(llm.model)):
            return {}
        price = self.chat_models.cost_per_question(llm.model)
        words = {"captions": price} if llm.caption_prompt or llm.strategy == "detailed" else {}
        return {**words, "llm_tag_suggestions": price}

    @property
    def models(self) -> list[str]:
        """Entries of the catalogue that the settings need weights of."""
        names = {entry.name for task, entry in self.entries.items() if task != "chat"}
        llm = self.settings.llm
        asked = llm.find(llm.model)
        return sorted(names | ({asked.model} if llm.enabled and asked.provider == EMBEDDED else set()))

    @cached_property
    def _onnx(self) -> OnnxOptions:
        # One thread per session, called from several: faster on CPUs than one session on all cores.
        inference = self.settings.inference
        return OnnxOptions(provider=inference.provider, threads=1, device=inference.device)

    @property
    def threads_by_stage(self) -> Mapping[str, int]:
        """Threads of the stages whose pictures are joined on a GPU: beside those that prepare, some that wait for it.

        Two batches are under way at once, and each thread brings a chunk: with fewer the GPU would wait for them.
        """
        if self.settings.inference.threads or preferred(self._onnx.provider) == CPU:
            return {}
        return {name: self.threads + 2 * -(-(self._onnx.batch or GPU_BATCH) // STAGES[name].chunk) for name in _ON_GPU}

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """What serves each task."""
        return entries_in_use(self.weights.catalogue, self.settings)

    @cached_property
    def knobs(self) -> Mapping[str, Mapping[str, Capability]]:
        """What is chosen about each of them, by task and knob."""
        return {task: model.knobs for task in self.entries if (model := self.model(task)) is not None}

    @property
    def weighing(self) -> Mapping[str, tuple[float, ...]]:
        """How much the detector's word counts beside pose and face, where its entry says so."""
        own = self.entries["person_detection"].person_weighing
        return {"weighing": own} if own else {}

    def model(self, task: str) -> ModelInUse | None:
        """What serves a task, with the knobs of the settings; ``None`` where nothing does."""
        return model_in_use(self.weights, self.settings, task, self._onnx)

    def close(self) -> None:
        """Stop the chat server and the decoders, and give landmarkers back; tools that were never used cost nothing."""
        closers = {
            "chat": "close",
            "chat_models": "close",
            "provider_batches": "close",
            "landmarker": "close",
            "decoders": "close",
            "weights": "close",
        }
        for name, method in closers.items():
            tool = self.__dict__.get(name)
            if tool is not None:
                getattr(tool, method)()
