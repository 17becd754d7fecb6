"""What the models alone take for the photos of a project that has been run: a part of ``pipeline.py``.

    python benchmarks/pipeline_bare.py SETTINGS

Each stage is computed again, a few photos at a time, while every call to an ONNX session and to a MediaPipe task is
written down with its inputs. Then these calls are made once more, from as many threads as the workbench would use,
with nothing around them, and timed. So the models do exactly what they did in the line: the same inputs, batches and
providers. What the line adds (reading working copies, resizing, turning outputs into rows, tables, Dagster) is not in
it. Of the chat model, the time is what the ledger says its server took.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from speed_measuring import Clock, answer, clocked

from resources.adapters import PARSERS, SILHOUETTES
from resources.landmarker import MediaPipeLandmarker
from resources.onnx_session import OnnxSession
from resources.shaped_landmarker import ShapedLandmarker
from resources.tables import llm_call
from resources.toolbox import Toolbox
from tagging_assets.assets.detections import detect
from tagging_assets.assets.embeddings import photo_views
from tagging_assets.assets.landmarks import look
from tagging_assets.assets.person_embeddings import person_views
from tagging_assets.assets.tagger_scores import tag
from tagging_assets.assets.views import embed
from tagging_assets.commands.session import open_database
from tagging_assets.domain.freshness import Item, items_from
from tagging_assets.domain.models import Landmarker
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.zero_shot import VIEWS, WHOLE
from tagging_assets.settings import load_settings

Call = Callable[[], object]

#: Photos whose model inputs are in memory at once.
_AT_ONCE = 64


class Recorder:
    """Calls to models that are made while it records."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Every session of the process tells this recorder."""
        run = OnnxSession.run

        def noted(session: OnnxSession, feeds: Mapping[str, Any], outputs: Sequence[str] | None = None) -> list[Any]:
            # On a GPU inputs are made in memory that is lent, and filled anew by the next picture.
            kept = {name: np.array(value) for name, value in feeds.items()}
            self.calls.append(partial(run, session, kept, outputs))
            return run(session, feeds, outputs)

        OnnxSession.run = noted  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            OnnxSession.run = run  # type: ignore[method-assign]


class NotedTask:
    """A MediaPipe task that writes down what it is asked; the call is made again by whichever pair is free then."""

    def __init__(self, kind: str, task: Any, landmarker: "NotedLandmarker") -> None:
        self._kind, self._task, self._landmarker = kind, task, landmarker

    def detect(self, image: Any) -> Any:
        """As the task itself."""
        if self._landmarker.recorder is not None:
            self._landmarker.recorder.calls.append(partial(self._landmarker.again, self._kind, image))
        return self._task.detect(image)

    def close(self) -> None:
        """As the task itself."""
        self._task.close()


class NotedLandmarker(MediaPipeLandmarker):
    """The product's landmarker, whose tasks are noted."""

    recorder: Recorder | None = None

    def _load(self) -> Any:
        tasks = super()._load()
        return type(tasks)(NotedTask("pose", tasks.pose, self), NotedTask("face", tasks.face, self))

    def again(self, kind: str, image: Any) -> object:
        """Ask a task once more."""
        with self._borrowed() as tasks:
            found: object = getattr(tasks, kind)._task.detect(image)
            return found


def noted_landmarker(toolbox: Toolbox, pose: str, face: str, recorder: Recorder) -> NotedLandmarker:
    """The landmarker of two entries of the catalogue, which tells the recorder."""
    store = toolbox.weights
    landmarker = NotedLandmarker(lambda: store.path(pose), lambda: store.path(face), store.card(pose))
    landmarker.recorder = recorder
    return landmarker


def timed(calls: Sequence[Call], threads: int) -> Clock:
    """What all calls take, from so many threads."""
    with clocked() as clock, ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda call: call(), calls):
            pass
    return clock


def with_shapes(toolbox: Toolbox, points: Landmarker) -> Landmarker:
    """The landmarker with the models of silhouettes and parts, where any are chosen, as ``make_landmarker`` has it."""
    silhouette, parts = toolbox.model("silhouette"), toolbox.model("human_parsing")
    if silhouette is None and parts is None:
        return points
    return ShapedLandmarker(
        points,
        SILHOUETTES[silhouette.entry.adapter](silhouette) if silhouette else None,
        PARSERS[parts.entry.adapter](parts) if parts else None,
    )


def stage_work(toolbox: Toolbox, landmarker: Landmarker) -> dict[str, Callable[[Sequence[Item]], object]]:
    """What each stage with a model does with a chunk of photos, as in its asset."""
    files = toolbox.proxy_files
    points = bool(toolbox.recipes["landmarks"].parts["keep_points"])
    allowed = bool(toolbox.recipes["person_embeddings"].parts["people_allowed"])
    looking = partial(look, landmarker=landmarker, proxy_files=files, keep_points=points)
    close_ups = toolbox.encoder.card.parameters.get(VIEWS) != WHOLE
    photos = partial(photo_views, proxy_files=files, close_ups=close_ups)
    people = partial(person_views, proxy_files=files, allowed=allowed)
    return {
        "detections": partial(detect, detector=toolbox.detector, proxy_files=files),
        "embeddings": partial(embed, encoder=toolbox.encoder, load=photos),
        "tagger_scores": partial(tag, tagger=toolbox.tagger, proxy_files=files),
        "landmarks": lambda items: [looking(item) for item in items],
        "person_embeddings": partial(embed, encoder=toolbox.encoder, load=people),
    }


def measure(
    toolbox: Toolbox, stage: str, work: Callable[[Sequence[Item]], object], recorder: Recorder
) -> dict[str, Any]:
    """Bare seconds and calls of a stage, over all batches."""
    seconds, cpu, calls = 0.0, 0.0, 0
    chunk = STAGES[stage].chunk
    threads = toolbox.bench.threads_by_stage.get(stage, toolbox.bench.threads)
    for batch in toolbox.tables.partitions(stage):
        frames = {name: toolbox.tables.read(name, batch) for name in {*STAGES[stage].needs, STAGES[stage].anchor}}
        items = items_from(STAGES[stage].needs, frames, STAGES[stage].anchor)
        for start in range(0, len(items), _AT_ONCE):
            recorder.calls.clear()
            some = items[start : start + _AT_ONCE]
            chunks = [some[first : first + chunk] for first in range(0, len(some), chunk)]
            with recorder.recording(), ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, chunks))
            again = list(recorder.calls)
            taken = timed(again, threads)
            seconds, cpu, calls = seconds + taken.seconds, cpu + taken.cpu_seconds, calls + len(again)
    return {"seconds": seconds, "cpu_seconds": cpu, "calls": calls}


def chat_seconds(toolbox: Toolbox) -> dict[str, Any]:
    """What the chat model's server took for all answers, by the ledger, spread over the questions asked at once."""
    with toolbox.database.engine.connect() as connection:
        total, count = connection.execute(sa.select(sa.func.sum(llm_call.c.latency_seconds), sa.func.count())).one()
    at_once = max(1, toolbox.settings.llm.concurrency)
    return {"seconds": float(total or 0.0) / at_once, "cpu_seconds": 0.0, "calls": int(count)}


def main() -> None:
    """Measure, and tell."""
    settings = load_settings(Path(sys.argv[1]))
    database = open_database(settings)
    toolbox = Toolbox(settings, database)
    names = {task: entry.name for task, entry in toolbox.entries.items() if task not in ("chat", "text_embedding")}
    recorder = Recorder()
    try:
        points = noted_landmarker(toolbox, names["pose"], names["face"], recorder)
        with points:
            work = stage_work(toolbox, with_shapes(toolbox, points))
            stages = {stage: measure(toolbox, stage, one, recorder) for stage, one in work.items()}
        if settings.llm.enabled:
            stages["llm_tag_suggestions"] = chat_seconds(toolbox)
    finally:
        toolbox.close()
        database.close()
    answer({"stages": stages, "models": names, "threads": toolbox.threads})


if __name__ == "__main__":
    main()
