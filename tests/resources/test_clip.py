from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from resources.adapters import make_encoder, make_scorer
from resources.clip import ClipEncoder, ClipTextEncoder
from resources.clip_scorer import ClipScorer
from resources.text_vectors import KeptVectors
from tagging_assets.domain.errors import SettingsError, WeightsCorrupt, WeightsMissing
from tagging_assets.domain.models import RgbImage
from tests.clip_files import SIGMOID, renamed, tiny_clip, unmade

RED, GREEN, BLUE = (np.full((20, 30, 3), colour, dtype=np.uint8) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
TEMPERATURE = {"temperature": {"says": "softer scores", "default": 1.0, "least": 0.1, "most": 10}}


def scorer_of(cache: Path, **kwargs: object) -> ClipScorer:
    model = tiny_clip(cache, **kwargs)  # type: ignore[arg-type]
    return ClipScorer(model, ClipTextEncoder(model))


def test_a_pictures_vector_is_raw_and_has_the_same_bits_in_any_company(tmp_path: Path) -> None:
    encoder = ClipEncoder(tiny_clip(tmp_path))
    assert encoder.provider == "not loaded"
    photos: list[RgbImage] = [RED, GREEN, np.random.default_rng(0).integers(0, 256, (33, 20, 3), dtype=np.uint8)]
    together = encoder.encode(photos)
    assert_allclose(together[:2], [[1, 0, 0], [0, 1, 0]], atol=1e-6)
    assert_array_equal(np.concatenate([encoder.encode([photo]) for photo in photos]), together)
    assert encoder.provider == "CPUExecutionProvider"
    assert encoder.encode([]).shape == (0, 3)


@pytest.mark.parametrize("fixed", [True, False])
def test_texts_become_unit_vectors_whatever_their_length(tmp_path: Path, fixed: bool) -> None:
    texts = ClipTextEncoder(tiny_clip(tmp_path, fixed_context=fixed))
    # "a" and "photo" stand for nothing; beyond four tokens between start and end a text is cut
    made = texts.encode(["red", "a red", "red blue", "green green", "red red red red blue"])
    assert_allclose(made, [[1, 0, 0], [1, 0, 0], [0.5**0.5, 0, 0.5**0.5], [0, 1, 0], [1, 0, 0]], atol=1e-6)
    assert texts.encode([]).shape == (0, 3)


def test_an_ensemble_is_the_mean_direction_of_its_prompts(tmp_path: Path) -> None:
    scorer = scorer_of(tmp_path, text=SIGMOID)
    blended = scorer.score(np.array([[2.0, 2.0, 0.0]], np.float32), [["red", "green"]])
    alone = scorer.score(np.array([[3.0, 0.0, 0.0]], np.float32), [["red"]])
    assert_allclose(blended, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("exclusive", "expected"),
    [
        # cosines 1, 0, 0.5**0.5 and 0 for the neutral text, times 20
        (False, [[1.0, 0.5, 1.0, 0.0]]),
        (True, [[0.99715, 0.0, 0.00285, 0.0]]),  # the better label takes nearly everything
    ],
)
def test_clip_weighs_labels_against_the_neutral_text_or_each_other(
    tmp_path: Path, exclusive: bool, expected: list[list[float]]
) -> None:
    prompts = [["red"], ["green"], ["red blue"], []]
    vector = np.array([[7.0, 0.0, 0.0]], np.float32)
    scores = scorer_of(tmp_path).score(vector, prompts, exclusive=exclusive, neutral=["photo"])
    assert_allclose(scores, expected, atol=1e-4)


def test_siglip_judges_each_label_alone(tmp_path: Path) -> None:
    scorer = scorer_of(tmp_path, text=SIGMOID)
    vector = np.array([[1.0, 0.0, 0.0]], np.float32)
    for exclusive in (False, True):
        scores = scorer.score(vector, [["red"], ["green"]], exclusive=exclusive)
        assert_allclose(scores, [[1 / (1 + np.exp(-10.0)), 1 / (1 + np.exp(10.0))]], rtol=1e-4)


def test_scores_of_a_row_have_the_same_bits_in_any_company(tmp_path: Path) -> None:
    scorer = scorer_of(tmp_path)
    vectors = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    together = scorer.score(vectors, [["red"], ["blue"]])
    for row, vector in enumerate(vectors):
        assert_array_equal(scorer.score(vector[None], [["red"], ["blue"]])[0], together[row])


@pytest.mark.parametrize(
    ("pictures", "prompts"),
    [(0, [["red"]]), (2, []), (2, [[], []])],
)
def test_nothing_to_score_needs_no_model(tmp_path: Path, pictures: int, prompts: list[list[str]]) -> None:
    model = unmade(tmp_path, "open_clip", ["zero_shot"], {})
    scores = ClipScorer(model, ClipTextEncoder(model)).score(np.ones((pictures, 3), np.float32), prompts)
    assert_array_equal(scores, np.zeros((pictures, len(prompts)), np.float32))


def test_temperature_softens_scores_and_is_part_of_the_card(tmp_path: Path) -> None:
    model = tiny_clip(tmp_path, knobs=TEMPERATURE)
    vector = np.array([[1.0, 1.0, 0.0]], np.float32)
    cards, scores = [], []
    for temperature in (1.0, 4.0):
        scorer = ClipScorer(renamed(model, temperature=temperature), ClipTextEncoder(model))
        cards.append(scorer.card)
        scores.append(float(scorer.score(vector, [["red"]])[0, 0]))
    assert 0.5 < scores[1] < scores[0]
    assert cards[0] != cards[1]
    assert cards[0].revision == cards[1].revision


def test_cards_know_what_was_made_and_how_it_wants_its_pictures(tmp_path: Path) -> None:
    before = ClipEncoder(unmade(tmp_path / "a", "open_clip", ["image_embedding"], {})).card
    after = ClipEncoder(tiny_clip(tmp_path / "b")).card
    assert (before.preprocessing, after.preprocessing[:21]) == ("unknown/1", "shortest-8x8-bicubic-")
    assert before.revision.endswith("+unmade")
    texts = ClipTextEncoder(tiny_clip(tmp_path / "c")).card
    assert texts.preprocessing == "clip-text/1"
    # another image tower, or its precision, leaves the texts' vectors alone
    assert texts.revision.count("+") == 1


def test_only_what_changes_vectors_encodes_photos_anew(tmp_path: Path) -> None:
    views = {"views": {"says": "parts, too", "default": "whole", "choices": ["whole", "close-ups"]}}
    model = tiny_clip(tmp_path, knobs={**TEMPERATURE, **views})
    plain, milder, closer = (renamed(model, **said) for said in ({}, {"temperature": 2.0}, {"views": "close-ups"}))
    assert ClipEncoder(plain).card == ClipEncoder(milder).card
    assert ClipEncoder(plain).card != ClipEncoder(closer).card


def test_text_vectors_are_kept_between_processes(tmp_path: Path) -> None:
    model = tiny_clip(tmp_path / "weights")
    made = KeptVectors(ClipTextEncoder(model), tmp_path / "kept").encode(["red", "blue"])
    assert len(list((tmp_path / "kept").iterdir())) == 1
    unread = ClipTextEncoder(model)
    assert_array_equal(KeptVectors(unread, tmp_path / "kept").encode(["blue", "red"]), made[::-1])
    assert unread.provider == "not loaded"


def test_what_was_never_exported_says_how_to_mend_it(tmp_path: Path) -> None:
    model = unmade(tmp_path, "open_clip", ["image_embedding"], {})
    with pytest.raises(WeightsMissing, match="tagging models export tiny"):
        ClipEncoder(model).encode([RED])
    with pytest.raises(WeightsMissing, match="tagging models export tiny"):
        ClipTextEncoder(model).encode(["red"])


@pytest.mark.parametrize("role", ["tokenizer", "image"])
def test_files_that_are_not_what_was_made_are_not_used(tmp_path: Path, role: str) -> None:
    model = tiny_clip(tmp_path)
    file = model.path(role)
    # One byte other than noted, and as many of them.
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    use = {
        "tokenizer": lambda: ClipTextEncoder(model).encode(["red"]),
        "image": lambda: ClipEncoder(model).encode([BLUE]),
    }
    with pytest.raises(WeightsCorrupt, match=rf"{file.name} is gone, or is not what was made.*make it again with"):
        use[role]()


def test_the_scorer_takes_the_vectors_of_its_own_encoder_only(tmp_path: Path) -> None:
    model = tiny_clip(tmp_path)
    encoder, scorer = make_encoder(lambda _task: model), make_scorer(lambda _task: model, tmp_path)
    assert scorer.score(encoder.encode([BLUE]), [["blue"]])[0, 0] > 0.99
    other = unmade(tmp_path, "timm", ["image_embedding"], {})
    other = type(other)(other.store, other.entry.model_copy(update={"name": "other"}))
    with pytest.raises(SettingsError, match="cannot read the vectors of other"):
        make_scorer({"zero_shot": model, "image_embedding": other}.get, tmp_path)
