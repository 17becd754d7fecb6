from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from resources.timm_tagger import TimmEncoder, TimmTagger
from tagging_assets.domain.errors import ModelFailed, WeightsCorrupt
from tests.clip_files import renamed, tiny_timm

RED = np.full((20, 30, 3), (255, 0, 0), dtype=np.uint8)
#: Logits of a red photo: 2, 1 and 0; the third class bears the first one's name.
HEAD = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 9.0], [0.0, 9.0, 0.0]], dtype=np.float32)
NAMES = ("crane, the bird", "sky", "crane")
FLOOR = {"score_floor": {"says": "lowest score", "default": 0.05, "least": 0.0, "most": 1.0}}


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("softmax", {"crane": 0.6652, "sky": 0.2447}),  # two classes of one name: the higher stands for both
        ("sigmoid", {"crane": 0.8808, "sky": 0.7311}),
    ],
)
def test_classes_are_named_by_their_first_name_best_first(
    tmp_path: Path, activation: str, expected: dict[str, float]
) -> None:
    (found,) = TimmTagger(tiny_timm(tmp_path, NAMES, HEAD, activation=activation)).tag([RED])
    assert [one.label for one in found] == list(expected)
    assert [one.score for one in found] == pytest.approx(list(expected.values()), abs=1e-3)
    assert {one.category for one in found} == {"object"}


@pytest.mark.parametrize(("floor", "labels"), [(0.05, 2), (0.3, 1), (0.9, 0)])
def test_scores_below_the_floor_are_not_told(tmp_path: Path, floor: float, labels: int) -> None:
    tagger = TimmTagger(renamed(tiny_timm(tmp_path, NAMES, HEAD, knobs=FLOOR), score_floor=floor))
    assert len(tagger.tag([RED])[0]) == labels
    assert tagger.card.parameters["score_floor"] == floor


def test_nothing_is_loaded_for_no_photos(tmp_path: Path) -> None:
    model = tiny_timm(tmp_path, NAMES, HEAD)
    tagger, encoder = TimmTagger(model), TimmEncoder(model)
    assert tagger.tag([]) == []
    assert encoder.encode([]).shape == (0, 3)
    assert (tagger.provider, encoder.provider) == ("not loaded", "not loaded")


def test_the_encoder_gives_what_the_last_layer_sees(tmp_path: Path) -> None:
    encoder = TimmEncoder(tiny_timm(tmp_path, NAMES, HEAD))
    assert_allclose(encoder.encode([RED, RED]), [[1, 0, 0], [1, 0, 0]], atol=1e-6)
    assert encoder.prepare(RED).shape == (3, 8, 8)


def test_names_for_other_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="tiny has 3 classes and names for 2"):
        TimmTagger(tiny_timm(tmp_path, NAMES[:2], HEAD)).tag([RED])


def test_a_model_that_does_not_find_what_its_entry_promises_is_refused(tmp_path: Path) -> None:
    model = tiny_timm(tmp_path, NAMES, HEAD)
    promise = model.entry.model_validate(
        {**model.entry.model_dump(), "self_test": {"photo": "chelsea.jpg", "finds": ["cat"], "least": 0.3}}
    )
    with pytest.raises(ModelFailed, match=r"tiny does not work: in chelsea\.jpg it must find cat"):
        TimmTagger(type(model)(model.store, promise, model.options)).tag([RED])
