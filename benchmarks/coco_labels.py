"""How well free text tags photos: micro F1 with the 80 names of COCO as labels.

    python benchmarks/coco_labels.py COCO_DIR [--seen FILE] [--learn]

COCO_DIR holds ``images/*.jpg``, ``labels/*.txt`` (YOLO boxes; a photo without a label file shows nothing) and
``coco.names``. A label is true of a photo that has at least one of its boxes.

Printed: plain ConSE (one view, bare names, one threshold); the product's way with nothing but the bare names, as any
new label has it; and the product's way with the label set ``objects`` and the person score. Thresholds are learnt on
one half of the photos and measured on the other, in both directions and over random halves. Thresholds shipped in
``objects.yaml`` were learnt on the very photos of coco128, so their figure there is no measurement; on other photos
it is. ``--learn`` prints thresholds learnt on all photos, and the calibration of the raw score. ``--seen`` keeps what
the models saw, so that a second run takes seconds.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from resources.conse import ConseScorer
from resources.image_classifier import EfficientNetEncoder
from resources.label_store import DEFAULT_FOLDER, load_label_set
from resources.landmarker import MediaPipeLandmarker
from resources.model_in_use import ModelInUse
from resources.relevance import RelevanceScorer
from resources.text_encoder import MiniLmEncoder
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.labels import LabelSet, parse_label_set
from tagging_assets.domain.landmarks import landmark_rows
from tagging_assets.domain.models import RgbImage, Vectors
from tagging_assets.domain.person import PERSON_THRESHOLD
from tagging_assets.domain.zero_shot import Truth, learn_thresholds, score_label_set, views

_RANDOM_HALVES = 50

Thresholds = float | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the models saw: per photo its view vectors (views, 1280), and its best person score."""

    vectors: list[Vectors]
    person: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Figure:
    """Micro-averaged over photos and labels."""

    f1: float
    precision: float
    recall: float

    def __str__(self) -> str:
        return f"F1 {self.f1:.3f}  P {self.precision:.3f}  R {self.recall:.3f}"


def read_truth(folder: Path, photos: Sequence[Path], names: Sequence[str]) -> Truth:
    """(photos, labels) whether the photo has a box of the label."""
    truth = np.zeros((len(photos), len(names)), dtype=np.bool_)
    for row, photo in enumerate(photos):
        file = folder / "labels" / f"{photo.stem}.txt"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        for line in lines:
            if line.strip():
                truth[row, int(line.split()[0])] = True
    return truth


def look(photos: Sequence[Path], store: WeightsStore) -> Seen:
    """Run the product's encoder, detector and landmarker over the photos."""
    encoder = EfficientNetEncoder(store)
    detector = YoloDetector(ModelInUse(store, store.catalogue.entry("person-yolov8s")))
    vectors, person = [], []
    with MediaPipeLandmarker.from_weights(store) as landmarker:
        for path in photos:
            with Image.open(path) as photo:
                image: RgbImage = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
            boxes = [box for _, box in views(image.shape[1], image.shape[0])]
            crops = [image[int(y0) : int(y1), int(x0) : int(x1)] for x0, y0, x1, y1 in boxes]
            vectors.append(encoder.encode(crops))
            person.append(_person_score(image, detector, landmarker))
    return Seen(vectors, np.array(person, dtype=np.float32))


def _person_score(image: RgbImage, detector: YoloDetector, landmarker: MediaPipeLandmarker) -> float:
    found = [
        dict(zip(("x0", "y0", "x1", "y1"), one.box_xyxy, strict=True), detection_id=i, score=one.score)
        for i, one in enumerate(detector.detect([image])[0])
    ]
    rows = landmark_rows(image, found, landmarker, keep_points=False)
    return max((float(row["person_score"]) for row in rows), default=0.0)


def load_or_look(photos: Sequence[Path], store: WeightsStore, kept: Path | None) -> Seen:
    """What the models saw, from the file if there is one."""
    if kept is not None and kept.exists():
        with np.load(kept) as arrays:
            vectors = np.split(arrays["vectors"], np.cumsum(arrays["views"])[:-1])
            return Seen(vectors, arrays["person"])
    seen = look(photos, store)
    if kept is not None:
        counts = [len(one) for one in seen.vectors]
        np.savez(kept, vectors=np.concatenate(seen.vectors), views=counts, person=seen.person)
    return seen


def measure(scores: Vectors, truth: Truth, thresholds: Thresholds) -> Figure:
    """Micro precision, recall and F1 of the labels at or above their thresholds."""
    chosen = scores >= thresholds
    right = float((chosen & truth).sum())
    precision, recall = right / max(chosen.sum(), 1), right / max(truth.sum(), 1)
    return Figure(2 * precision * recall / max(precision + recall, 1e-9), precision, recall)


def across_halves(scores: Vectors, truth: Truth, per_label: bool, person: bool) -> None:
    """Learn on one half, measure on the other, and print."""

    def learnt(half: NDArray[np.intp], other: NDArray[np.intp]) -> Figure:
        free = slice(1, None) if person else slice(None)
        found = learn_thresholds(scores[half][:, free], truth[half][:, free])
        thresholds = np.full(scores.shape[1], found.overall)
        thresholds[free] = found.by_label if per_label else found.overall
        if person:
            thresholds[0] = PERSON_THRESHOLD
        return measure(scores[other], truth[other], thresholds)

    even, odd = np.arange(0, len(scores), 2), np.arange(1, len(scores), 2)
    print(f"    learnt on even photos, measured on odd    {learnt(even, odd)}")
    print(f"    learnt on odd photos, measured on even    {learnt(odd, even)}")
    figures = []
    random = np.random.default_rng(0)
    for _ in range(_RANDOM_HALVES):
        order = random.permutation(len(scores))
        one, two = order[: len(order) // 2], order[len(order) // 2 :]
        figures += [learnt(one, two), learnt(two, one)]
    mean = Figure(*(float(np.mean([getattr(one, name) for one in figures])) for name in Figure.__slots__))
    spread = float(np.std([one.f1 for one in figures]))
    print(f"    mean of {len(figures)} random halves                  {mean}  (F1 +- {spread:.3f})")


def plain_conse(seen: Seen, names: Sequence[str], scorer: ConseScorer) -> Vectors:
    """Cosines of the whole photo with bare names, as in the paper."""
    whole = np.stack([vectors[0] for vectors in seen.vectors])
    return scorer.score(whole, [[name] for name in names])


def product_scores(seen: Seen, label_set: LabelSet, names: Sequence[str], scorer: RelevanceScorer) -> Vectors:
    """Raw scores of the product for the names, in their order; those of person labels are the person score."""
    free = {label.name: column for column, label in enumerate(label_set.scored)}
    scores = np.stack([score_label_set(scorer, vectors, label_set) for vectors in seen.vectors])
    columns = [scores[:, free[name]] if name in free else seen.person for name in names]
    return np.stack(columns, axis=1)


def bare_label_set(names: Sequence[str]) -> LabelSet:
    """The names and nothing else; the first one, person, is answered by the person score."""
    labels = [{"name": name} for name in names]
    labels[0]["evidence"] = "person_score"
    head = {"name": "bare", "category": "object", "topics": ["objects"], "threshold": 0.5}
    return parse_label_set({**head, "labels": labels}, "bare names")


def print_learnt(scores: Vectors, truth: Truth, names: Sequence[str]) -> None:
    """Thresholds learnt on all photos, and how often a raw score is right (person left out of both)."""
    found = learn_thresholds(scores[:, 1:], truth[:, 1:])
    print(f"\nThresholds learnt on all photos: overall {found.overall:.3f}; labels that differ:")
    pairs = [(name, value) for name, value in zip(names[1:], found.by_label, strict=True) if value != found.overall]
    print("    " + ", ".join(f"{name} {value:.3f}" for name, value in pairs))
    print("\nCalibration (raw score, share that is right, how many):")
    raw, true = scores[:, 1:].ravel(), truth[:, 1:].ravel()
    for low in np.arange(0.2, 1.0, 0.1):
        inside = (raw >= low) & (raw < low + 0.1)
        if inside.any():
            print(f"    {raw[inside].mean():.2f}  {true[inside].mean():.2f}  {inside.sum()}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="COCO_DIR")
    parser.add_argument("--seen", type=Path, metavar="FILE", help="keep what the models saw in this .npz")
    parser.add_argument("--learn", action="store_true", help="print thresholds learnt on all photos")
    options = parser.parse_args()
    photos = sorted((options.folder / "images").iterdir())
    names = [line.strip() for line in (options.folder / "coco.names").read_text().splitlines() if line.strip()]
    truth = read_truth(options.folder, photos, names)
    objects = load_label_set(DEFAULT_FOLDER / "objects.yaml")
    if missing := sorted(set(names) - set(objects.names)):
        raise SettingsError(f"objects.yaml lacks {', '.join(missing)}; add them, or take another set of photos")
    with WeightsStore() as store:
        text = MiniLmEncoder(store)
        seen, scorer = load_or_look(photos, store, options.seen), RelevanceScorer(store, text)
        conse = plain_conse(seen, names, ConseScorer(store, text))
        bare = product_scores(seen, bare_label_set(names), names, scorer)
        full = product_scores(seen, objects, names, scorer)
    print(f"{len(photos)} photos, {int(truth.sum())} labels true of them\n\nPlain ConSE, one threshold")
    best = max((measure(conse, truth, float(value)) for value in np.linspace(0, 1, 201)), key=lambda one: one.f1)
    print(f"    best threshold in hindsight               {best}")
    across_halves(conse, truth, per_label=False, person=False)
    print("\nThe product's way, bare names, one threshold and the person score")
    across_halves(bare, truth, per_label=False, person=True)
    print("\nThe product's way, label set objects, one threshold and the person score")
    across_halves(full, truth, per_label=False, person=True)
    print("\nThe product's way, label set objects, thresholds per label and the person score")
    across_halves(full, truth, per_label=True, person=True)
    shipped = np.array([objects.threshold_of(name) for name in names])
    print(f"    thresholds as shipped                     {measure(full, truth, shipped)}")
    print(f"    the same without person                   {measure(full[:, 1:], truth[:, 1:], shipped[1:])}")
    print(f"    person alone                              {measure(full[:, :1], truth[:, :1], PERSON_THRESHOLD)}")
    if options.learn:
        print_learnt(full, truth, names)


if __name__ == "__main__":
    main()
