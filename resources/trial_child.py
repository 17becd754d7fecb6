"""The process in which a model is tried: reads a candidate from stdin, writes a trial to stdout (see ``trials``)."""

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from resources.adapters import DETECTORS, ENCODERS, PARSERS, SILHOUETTES, TAGGERS, make_scorer
from resources.catalogue import Catalogue, Entry, load_catalogue
from resources.landmarker import MediaPipeLandmarker
from resources.local_models import LOCAL
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxOptions
from resources.self_testing import PHOTO, check_labels, photo
from resources.silhouettes import person_share
from resources.text_encoder import MiniLmEncoder
from resources.trials import Trial
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed, TaggingError
from tagging_assets.domain.models import Model, RgbImage
from tagging_assets.domain.parts import shares

_LEAST_RUNS = 3
_MOST_RUNS = 20
_SECONDS = 1.0

_MOST_FOUND = 5

#: What an encoder's vector of a photo must be nearer to than to the other.
_RIGHT, _WRONG = "a photo of a cat", "a photo of a rocket"

#: Labels with raw scores.
Found = list[tuple[str, float]]


@dataclass(frozen=True)
class Subject:
    """A model and what is done to it again and again.

    Attributes:
        model: tells the provider.
        run: once; gives what was found.
        unit: of what it takes.
        close: gives back what it holds.
    """

    model: Model
    run: Callable[[], Found]
    unit: str = "picture"
    close: Callable[[], None] = lambda: None


class Untried(Exception):
    """There is no way to try the model alone; says why."""


def main() -> None:
    """Try the candidate of stdin."""
    told = json.load(sys.stdin)
    catalogue = load_catalogue(local=Path(told["cache_dir"]) / LOCAL)
    if told["entry"] is not None:
        entry = Entry.model_validate({"name": told["name"], **told["entry"]})
        catalogue = catalogue.model_copy(update={"entries": {**catalogue.entries, told["name"]: entry}})
    trial = attempt(catalogue, Path(told["cache_dir"]), told["name"], told["said"], OnnxOptions(**told["options"]))
    sys.stdout.write(trial.model_dump_json() + "\n")


def attempt(catalogue: Catalogue, cache_dir: Path, name: str, said: Mapping[str, Any], options: OnnxOptions) -> Trial:
    """Try one model in this process; see :class:`Trial`."""
    before = psutil.Process().memory_info().rss
    with WeightsStore(catalogue, cache_dir, offline=True) as store:
        model = ModelInUse(store, store.catalogue.entry(name), options, said)
        try:
            subject = _subject(model)
        except Untried as why:
            return Trial(untried=str(why))
        try:
            return _measured(model, subject, before)
        except TaggingError as error:
            return Trial(error=str(error), unit=subject.unit)
        finally:
            subject.close()


def _measured(model: ModelInUse, subject: Subject, before: int) -> Trial:
    started = time.perf_counter()
    found = subject.run()
    load_seconds = time.perf_counter() - started
    self_test = model.entry.self_test
    if self_test is not None and found:
        check_labels(model.entry.name, self_test, found)
    precision = model.precision if "precision" in model.knobs or model.is_derived else ""
    return Trial(
        provider=subject.model.provider,
        precision=precision,
        unit=subject.unit,
        load_seconds=round(load_seconds, 3),
        milliseconds=round(_median_seconds(subject.run) * 1000, 2),
        memory_mb=round(max(_peak_bytes() - before, 0) / 1e6, 1),
        found=_best(found),
    )


def _median_seconds(run: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < _LEAST_RUNS or (sum(times) < _SECONDS and len(times) < _MOST_RUNS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _peak_bytes() -> int:
    """Most memory this process ever had; on Linux the system's own count starts at fork, so the kernel's is read."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _best(found: Iterable[tuple[str, float]]) -> tuple[str, ...]:
    best: dict[str, float] = {}
    for label, score in found:
        best[label] = max(best.get(label, 0.0), score)
    ordered = sorted(best.items(), key=lambda item: -item[1])[:_MOST_FOUND]
    return tuple(f"{label} {score:.2f}" for label, score in ordered)


def _subject(model: ModelInUse) -> Subject:
    """How a model is tried, by what runs it and what it can do."""
    adapter = model.entry.adapter
    if "zero_shot" in model.entry.tasks:
        return _scorer(model)
    ways: tuple[tuple[Container[str], Callable[[ModelInUse], Subject]], ...] = (
        (DETECTORS, _detector),
        (TAGGERS, _tagger),
        (ENCODERS, _encoder),
        (SILHOUETTES, _silhouettes),
        (PARSERS, _parser),
        (("mediapipe",), _landmarks),
        (("minilm",), _texts),
    )
    for adapters, make in ways:
        if adapter in adapters:
            return make(model)
    raise Untried("it is tried where it is used, not alone")


def _shown(model: ModelInUse) -> RgbImage:
    return photo(model.entry.self_test.photo if model.entry.self_test else PHOTO)


def _detector(model: ModelInUse) -> Subject:
    detector, shown = DETECTORS[model.entry.adapter](model), _shown(model)
    return Subject(detector, lambda: [(one.label, one.score) for one in detector.detect([shown])[0]])


def _tagger(model: ModelInUse) -> Subject:
    tagger, shown = TAGGERS[model.entry.adapter](model), _shown(model)
    return Subject(tagger, lambda: [(one.label, one.score) for one in tagger.tag([shown])[0]])


def _encoder(model: ModelInUse) -> Subject:
    encoder, shown = ENCODERS[model.entry.adapter](model), _shown(model)
    return Subject(encoder, lambda: _nothing(encoder.encode([shown])))


def _silhouettes(model: ModelInUse) -> Subject:
    cutter, shown = SILHOUETTES[model.entry.adapter](model), _shown(model)
    return Subject(cutter, lambda: person_share(cutter.silhouette(shown)), "crop")


def _parser(model: ModelInUse) -> Subject:
    parser, shown = PARSERS[model.entry.adapter](model), _shown(model)
    return Subject(parser, lambda: shares(parser.parts(shown)), "crop")


def _scorer(model: ModelInUse) -> Subject:
    """Its encoder, its texts and its score: the picture of a cat must be more of a cat than of a rocket."""
    encoding = model if not model.entry.uses else _other(model, model.entry.uses[0])
    kept = tempfile.TemporaryDirectory(prefix="tagging-trial-")
    scorer = make_scorer({"zero_shot": model, "image_embedding": encoding}.get, Path(kept.name))
    encoder = ENCODERS[encoding.entry.adapter](encoding)
    shown = photo("chelsea.jpg")

    def run() -> Found:
        right, wrong = scorer.score(encoder.encode([shown]), [[_RIGHT], [_WRONG]])[0].tolist()
        if not right > wrong:
            raise ModelFailed(
                f"{model.entry.name} does not work: it scores the photo of a cat {right:.2f} as one and {wrong:.2f} "
                "as a rocket; fetch or export it again, or choose another model"
            )
        return []

    return Subject(encoder, run, close=kept.cleanup)


def _landmarks(model: ModelInUse) -> Subject:
    task = model.entry.tasks[0]
    partner = _partner(model, {"pose": "face", "face": "pose"}[task])
    pose, face = (model.entry.name, partner) if task == "pose" else (partner, model.entry.name)
    landmarker = MediaPipeLandmarker.from_weights(model.store, pose, face)
    shown = photo()

    def run() -> Found:
        seen = landmarker.landmarks(shown)
        if getattr(seen, task) is None:
            raise ModelFailed(f"{model.entry.name} does not work: it finds no {task} in {PHOTO}; pull it again")
        return []

    return Subject(landmarker, run, "crop", landmarker.close)


def _texts(model: ModelInUse) -> Subject:
    encoder = MiniLmEncoder(model.store)
    numbers = iter(range(1_000_000))

    def run() -> Found:
        # Vectors are kept for the process, so every text must be a new one.
        return _nothing(encoder.encode([f"{_RIGHT} number {next(numbers)}"]))

    return Subject(encoder, run, "text")


def _partner(model: ModelInUse, task: str) -> str:
    """A model of another task whose weights are here."""
    store = model.store
    for name, entry in store.catalogue.entries.items():
        fits = task in entry.tasks and entry.adapter == model.entry.adapter
        if fits and all(file.state == "ready" for file in store.status(name)):
            return name
    raise Untried(f"it runs beside a model for {task}, and none is here; run `tagging models pull`")


def _other(model: ModelInUse, name: str) -> ModelInUse:
    return ModelInUse(model.store, model.store.catalogue.entry(name), model.options)


def _nothing(_vectors: object) -> Found:
    return []


if __name__ == "__main__":
    main()
