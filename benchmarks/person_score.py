"""How well ``person_score`` tells photos with people from photos without, and where its coefficients come from.

    python benchmarks/person_score.py COCO_DIR [--model NAME] [--evidence FILE]

COCO_DIR holds ``images/*.jpg`` and ``labels/*.txt`` (YOLO boxes: class, centre, size, relative; class 0 is person;
a photo without a label file shows nobody). A photo counts as "person present" where its best box reaches 0.5.

Printed: precision, recall, F1, average precision and expected calibration error of the detector alone, of the
product's coefficients as they are, of a fresh fit on all photos, and of cross-validation (fitted on seven eighths,
measured on the rest, repeated over shuffles), which is the figure to expect on other photos. ``--evidence`` keeps
what the models saw, so that a second run takes seconds.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from resources.landmarker import MediaPipeLandmarker
from resources.model_in_use import ModelInUse
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.geometry import area_xyxy, iou_xyxy
from tagging_assets.domain.landmarks import landmark_rows
from tagging_assets.domain.models import PERSON_LABEL
from tagging_assets.domain.person import EMBEDDED_WEIGHING, PERSON_THRESHOLD, PersonEvidence, evidence_vector

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: A box is of a person from this overlap on; between the two, or mostly inside a person, it teaches nothing.
_SAME_BOX, _OTHER_BOX = 0.4, 0.15

#: Strength of the ridge penalty (on standardised evidence), and weight of a box beside a whole photo.
_RIDGE, _BOX_WEIGHT = 2.0, 0.15

_FOLDS, _SHUFFLES = 8, 10


@dataclass(frozen=True, slots=True)
class SeenBox:
    """One box: which photo, what speaks for it, and whether it truly is a person (``None``: unclear)."""

    photo: str
    evidence: tuple[float, float, float, float]
    is_person: bool | None


@dataclass(frozen=True, slots=True)
class Boxes:
    """All boxes as arrays: (n, 4) evidence, (n,) photo index, (n,) truth, (n,) whether the truth is clear."""

    evidence: Floats
    photo: NDArray[np.intp]
    is_person: Flags
    clear: Flags


def true_boxes_xyxy(label_file: Path, width: int, height: int) -> Floats:
    """The labelled people of a photo as (n, 4) xyxy pixels; none where there is no label file."""
    if not label_file.exists():
        return np.zeros((0, 4))
    lines = [line.split() for line in label_file.read_text().splitlines()]
    boxes = np.array([[float(value) for value in line[1:5]] for line in lines if line and line[0] == "0"])
    centre, half = boxes.reshape(-1, 4)[:, :2], boxes.reshape(-1, 4)[:, 2:] / 2
    return np.hstack([centre - half, centre + half]) * [width, height, width, height]


def is_person(box: Floats, truth: Floats) -> bool | None:
    """Whether a box (1, 4) is of a labelled person; ``None`` where it shows a part of one, or is ill placed."""
    if not len(truth):
        return False
    overlap = iou_xyxy(box, truth).max()
    if overlap >= _SAME_BOX:
        return True
    low, high = np.maximum(box[:, :2], truth[:, :2]), np.minimum(box[:, 2:], truth[:, 2:])
    inside = (np.clip(high - low, 0, None).prod(axis=1) / area_xyxy(box)).max()
    return None if overlap > _OTHER_BOX or inside > 0.5 else False


def look(folder: Path, model: str) -> tuple[dict[str, bool], list[SeenBox]]:
    """Run the product's detector and landmarker over the photos."""
    present: dict[str, bool] = {}
    boxes: list[SeenBox] = []
    with WeightsStore() as store, MediaPipeLandmarker.from_weights(store) as landmarker:
        detector = YoloDetector(ModelInUse(store, store.catalogue.entry(model)))
        for path in sorted((folder / "images").iterdir()):
            with Image.open(path) as photo:
                image = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
            height, width = image.shape[:2]
            truth = true_boxes_xyxy(folder / "labels" / f"{path.stem}.txt", width, height)
            present[path.name] = len(truth) > 0
            found = [
                dict(zip(("x0", "y0", "x1", "y1"), one.box_xyxy, strict=True), detection_id=i, score=one.score)
                for i, one in enumerate(detector.detect([image])[0])
                if one.label == PERSON_LABEL
            ]
            for box, row in zip(found, landmark_rows(image, found, landmarker, keep_points=False), strict=True):
                corners = np.array([[box[side] for side in ("x0", "y0", "x1", "y1")]])
                scores = (row["detection_score"], row["pose_score"], row["face_score"])
                area = float(area_xyxy(corners)[0]) / (width * height)
                boxes.append(SeenBox(path.name, (*scores, area), is_person(corners, truth)))
    return present, boxes


def as_arrays(names: Sequence[str], boxes: Sequence[SeenBox]) -> Boxes:
    """Boxes as arrays, photos by their place in ``names``."""
    place = {name: i for i, name in enumerate(names)}
    return Boxes(
        np.array([evidence_vector(PersonEvidence(*box.evidence)) for box in boxes]),
        np.array([place[box.photo] for box in boxes], dtype=np.intp),
        np.array([box.is_person is True for box in boxes]),
        np.array([box.is_person is not None for box in boxes]),
    )


def logistic(evidence: Floats, truth: Floats, weights: Floats) -> Floats:
    """Ridge logistic regression by Newton's method; (1 + k,) intercept and coefficients of the raw evidence."""
    mean, spread = evidence.mean(axis=0), evidence.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(evidence)), (evidence - mean) / spread])
    ridge = _RIDGE * np.diag([0.0] + [1.0] * evidence.shape[1])
    beta = np.zeros(design.shape[1])
    for _ in range(25):
        p = sigmoid(design @ beta)
        gradient = design.T @ (weights * (truth - p)) - ridge @ beta
        beta += np.linalg.solve((design * (weights * p * (1 - p))[:, None]).T @ design + ridge, gradient)
    slopes = beta[1:] / spread
    return np.concatenate([[beta[0] - slopes @ mean], slopes])


def fit(boxes: Boxes, present: Flags, photos: NDArray[np.intp]) -> Floats:
    """Coefficients from some of the photos.

    What is asked of the score is about photos, what it is given to are boxes; so the best box of each photo learns
    whether the photo shows anybody, every clear box (at a lower weight) whether it does itself, and the best boxes
    are chosen anew until they stay (multiple-instance learning: Andrews, Tsochantaridis, Hofmann, NIPS 2002).
    """
    mine = np.isin(boxes.photo, photos)
    clear = np.flatnonzero(mine & boxes.clear)
    beta = logistic(boxes.evidence[clear], boxes.is_person[clear].astype(float), np.ones(len(clear)))
    members = [np.flatnonzero(boxes.photo == photo) for photo in photos]
    members = [group for group in members if len(group)]
    truth = np.array([present[boxes.photo[group[0]]] for group in members], dtype=float)
    for _ in range(20):
        log_odds = beta[0] + boxes.evidence @ beta[1:]
        best = np.array([group[np.argmax(log_odds[group])] for group in members])
        rows = np.concatenate([best, clear])
        weights = np.concatenate([np.ones(len(best)), np.full(len(clear), _BOX_WEIGHT)])
        fresh = logistic(boxes.evidence[rows], np.concatenate([truth, boxes.is_person[clear]]), weights)
        if np.allclose(fresh, beta):
            break
        beta = fresh
    return beta


def sigmoid(log_odds: Floats) -> Floats:
    """Log-odds as probabilities."""
    return np.asarray(1 / (1 + np.exp(-log_odds)), np.float64)


def best_of_photo(scores: Floats, boxes: Boxes, photos: int) -> Floats:
    """The best score of each photo, 0 for one without boxes."""
    best = np.zeros(photos)
    np.maximum.at(best, boxes.photo, scores)
    return best


def measure(scores: Floats, truth: Flags) -> dict[str, float]:
    """Precision, recall and F1 at the threshold, average precision, expected calibration error in ten bins."""
    positive = scores >= PERSON_THRESHOLD
    right = int((positive & truth).sum())
    order = np.argsort(-scores, kind="stable")
    hits = truth[order]
    precision_at = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    bins = np.minimum((scores * 10).astype(int), 9)
    gaps = [abs(scores[bins == b].sum() - truth[bins == b].sum()) for b in range(10)]
    return {
        "precision": right / max(1, int(positive.sum())),
        "recall": right / int(truth.sum()),
        "f1": 2 * right / max(1, int(positive.sum() + truth.sum())),
        "ap": float(precision_at[hits].mean()),
        "ece": float(sum(gaps) / len(scores)),
    }


def cross_validate(boxes: Boxes, present: Flags) -> list[dict[str, float]]:
    """One measurement per shuffle, every photo scored by a fit that has not seen it."""
    results = []
    for seed in range(_SHUFFLES):
        fold = np.random.default_rng(seed).permutation(len(present)) % _FOLDS
        scores = np.zeros(len(boxes.photo))
        for part in range(_FOLDS):
            beta = fit(boxes, present, np.flatnonzero(fold != part))
            held_out = fold[boxes.photo] == part
            scores[held_out] = sigmoid(beta[0] + boxes.evidence[held_out] @ beta[1:])
        results.append(measure(best_of_photo(scores, boxes, len(present)), present))
    return results


def line(name: str, figures: dict[str, float]) -> str:
    """A line of the report."""
    return f"{name:34s}" + "  ".join(f"{key} {value:.3f}" for key, value in figures.items())


def report(present: dict[str, bool], seen: Sequence[SeenBox], product: Sequence[float]) -> str:
    """All figures as text."""
    names = sorted(present)
    truth, boxes = np.array([present[name] for name in names]), as_arrays(names, seen)

    def photos(beta: Sequence[float]) -> Floats:
        return best_of_photo(sigmoid(beta[0] + boxes.evidence @ np.array(beta[1:])), boxes, len(names))

    fresh = fit(boxes, truth, np.arange(len(names)))
    folds = cross_validate(boxes, truth)
    mean = {key: float(np.mean([one[key] for one in folds])) for key in folds[0]}
    spread = {key: float(np.std([one[key] for one in folds])) for key in folds[0]}
    ours = photos(product)
    per_box = sigmoid(product[0] + boxes.evidence @ np.array(product[1:]))[boxes.clear]
    counted = ours >= PERSON_THRESHOLD
    return "\n".join(
        [
            f"{len(names)} photos, {int(truth.sum())} with people; {len(seen)} boxes",
            line("detector alone, raw score", measure(photos([0.0, 1.0, 0.0, 0.0, 0.0]), truth)),
            line("product's coefficients", measure(ours, truth)),
            line("product's coefficients, per box", measure(per_box, boxes.is_person[boxes.clear])),
            line("fresh fit on all photos", measure(photos(list(fresh)), truth)),
            line(f"{_FOLDS}-fold cross-validation, mean", mean),
            line(f"  spread over {_SHUFFLES} shuffles", spread),
            "fresh coefficients: " + " ".join(f"{value:.3f}" for value in fresh),
            "missed: " + " ".join(np.array(names)[truth & ~counted]),
            "false: " + " ".join(np.array(names)[counted & ~truth]),
        ]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("--model", default="person-yolov8s", help="a detector of the catalogue")
    parser.add_argument("--evidence", type=Path, help="JSON file to keep or reuse what the models saw")
    arguments = parser.parse_args()
    if arguments.evidence and arguments.evidence.exists():
        stored = json.loads(arguments.evidence.read_text())
        present = stored["present"]
        boxes = [SeenBox(one["photo"], tuple(one["evidence"]), one["is_person"]) for one in stored["boxes"]]
    else:
        present, boxes = look(arguments.coco, arguments.model)
        if arguments.evidence:
            arguments.evidence.write_text(json.dumps({"present": present, "boxes": [asdict(box) for box in boxes]}))
    own = WeightsStore().catalogue.entry(arguments.model).person_weighing
    print(report(present, boxes, own or EMBEDDED_WEIGHING))


if __name__ == "__main__":
    main()
