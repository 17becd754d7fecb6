"""Self-tests: a known photo and what a model must find in it. A model that loads and finds nothing is refused.

Adapters run theirs once per process, when the model has been loaded. What does not belong here: how good a model is
(``benchmarks``) and whether its file is the right one (``weights``).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from resources.catalogue import Entry, SelfTest
from tagging_assets.domain.errors import ModelFailed, SettingsError
from tagging_assets.domain.models import Detection, LabelScore, RgbImage, Vectors

_PHOTOS = Path(__file__).with_name("selftest")

#: Photo for models whose entry names none.
PHOTO = "astronaut.jpg"

_MOST_NAMED = 3


def photo(name: str = PHOTO) -> RgbImage:
    """A photo of the self-tests, (h, w, 3) uint8.

    Raises:
        SettingsError: there is none of that name.
    """
    path = _PHOTOS / name
    if Path(name).name != name or not path.is_file():
        there = ", ".join(sorted(one.name for one in _PHOTOS.glob("*.jpg")))
        raise SettingsError(f"self_test: there is no photo {name}; there are {there}")
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def check_detector(entry: Entry, detect: Callable[[Sequence[RgbImage]], list[list[Detection]]]) -> None:
    """A detector must find its labels in its photo; nothing is asked of an entry without a self-test.

    Raises:
        ModelFailed: it does not.
    """
    if entry.self_test is not None:
        (found,) = detect([photo(entry.self_test.photo)])
        check_labels(entry.name, entry.self_test, ((one.label, one.score) for one in found))


def check_tagger(entry: Entry, tag: Callable[[Sequence[RgbImage]], list[list[LabelScore]]]) -> None:
    """A tagger must name its labels for its photo; nothing is asked of an entry without a self-test.

    Raises:
        ModelFailed: it does not.
    """
    if entry.self_test is not None:
        (found,) = tag([photo(entry.self_test.photo)])
        check_labels(entry.name, entry.self_test, ((one.label, one.score) for one in found))


def check_encoder(entry: Entry, encode: Callable[[Sequence[RgbImage]], Vectors]) -> None:
    """An encoder must give a photo a vector that says something: finite, and not the same number throughout.

    Raises:
        ModelFailed: it does not.
    """
    name = entry.self_test.photo if entry.self_test else PHOTO
    vector = encode([photo(name)])[0].astype(np.float64)
    if not np.isfinite(vector).all() or np.ptp(vector) == 0:
        raise ModelFailed(f"{entry.name} does not work: its vector of {name} is empty; {_remedy(entry.name)}")


def check_labels(name: str, self_test: SelfTest, found: Iterable[tuple[str, float]]) -> None:
    """Each label of a self-test must have been found with the score that it asks for.

    Args:
        name: of the model, for the message.
        self_test: what was asked.
        found: labels and raw scores, a label any number of times.

    Raises:
        ModelFailed: one has not; says what was found instead.
    """
    best: dict[str, float] = {}
    for label, score in found:
        best[label] = max(best.get(label, 0.0), score)
    missing = [label for label in self_test.finds if not best.get(label, 0.0) >= self_test.least]
    if not missing:
        return
    order = sorted(best, key=lambda label: -best[label])[:_MOST_NAMED]
    instead = ", ".join(f"{label} {best[label]:.2f}" for label in order) or "nothing at all"
    raise ModelFailed(
        f"{name} does not work: in {self_test.photo} it must find {', '.join(missing)} with {self_test.least:g} or "
        f"more, and found {instead}; {_remedy(name)}"
    )


def _remedy(name: str) -> str:
    return f"run `tagging models verify {name}`, or choose another model"
