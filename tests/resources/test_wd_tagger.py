"""WD taggers: what the model is shown, what its outputs are taken for, and what is refused.

The reference is the loop of the taggers' own demonstration, written out here in Pillow's and numpy's own words.
"""

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from booru_models import KNOBS, SIDE, TAGS, model_of, random_tagger, small_wd, tag_table
from PIL import Image

from resources.adapters import TAGGERS
from resources.model_notes import ModelNotes, NotedFile, write_notes
from resources.self_testing import photo
from resources.source_cards import catalogue_cards, sees_people, tagger_cut
from resources.wd_tagger import WdTagger, pad_and_scale
from tagging_assets.domain.booru import read_tag_table
from tagging_assets.domain.cutting import photo_cut
from tagging_assets.domain.errors import ModelFailed, WeightsCorrupt, WeightsMissing
from tagging_assets.domain.gathering import TAGGER
from tagging_assets.domain.models import RgbImage

PHOTOS = ("astronaut.jpg", "chelsea.jpg")


def reference_input(image: RgbImage, size: int) -> np.ndarray:
    """Batch of one, (1, size, size, 3) float32, as the demonstration prepares it."""
    rgba = Image.fromarray(image).convert("RGBA")
    canvas = Image.new("RGBA", rgba.size, (255, 255, 255))
    canvas.alpha_composite(rgba)
    plain = canvas.convert("RGB")
    largest = max(plain.size)
    left, top = (largest - plain.size[0]) // 2, (largest - plain.size[1]) // 2
    padded = Image.new("RGB", (largest, largest), (255, 255, 255))
    padded.paste(plain, (left, top))
    if largest != size:
        padded = padded.resize((size, size), Image.Resampling.BICUBIC)
    return np.expand_dims(np.asarray(padded, dtype=np.float32)[:, :, ::-1], axis=0)


@pytest.mark.parametrize(
    "shape",
    [
        (300, 200),  # taller than wide
        (200, 301),  # wider, an odd pixel to spare
        (448, 448),  # as it is
        (1, 50),  # a strip
        (30, 20),  # smaller than the input: enlarged
    ],
)
def test_pictures_are_prepared_as_the_demonstration_does(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    made = pad_and_scale(image, 448)
    assert (made.shape, made.dtype) == ((448, 448, 3), np.float32)
    np.testing.assert_array_equal(made, reference_input(image, 448)[0])


def test_channels_are_blue_first_and_the_margin_is_white() -> None:
    made = pad_and_scale(np.full((10, 20, 3), (200, 100, 50), np.uint8), 20)
    np.testing.assert_array_equal(made[10, 10], (50, 100, 200))
    np.testing.assert_array_equal(made[0, 10], (255, 255, 255))


@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_scores_are_those_of_the_reference_loop(tmp_path: Path, batch: int | str) -> None:
    import onnxruntime

    model = small_wd(tmp_path, batch=batch)
    session = onnxruntime.InferenceSession(str(model.path()), providers=["CPUExecutionProvider"])
    tags = read_tag_table(tag_table(), "")
    images = [photo(name) for name in PHOTOS]
    found = TAGGERS["wd"](model).tag(images)
    for image, told in zip(images, found, strict=True):
        copies = np.repeat(reference_input(image, SIDE), 1 if batch == "n" else batch, axis=0)
        (scores,) = session.run(None, {"input": copies})[0][:1]
        by_name = {one.label: one.score for one in told}
        rating = int(scores[:4].argmax())
        expected = {
            tag.name: score
            for place, (tag, score) in enumerate(zip(tags, scores, strict=True))
            if score >= 0.05 and (tag.category != "rating" or place == rating)
        }
        assert by_name == pytest.approx(expected, abs=1e-3)
        assert len(expected) > 10, "the reference says something"
        assert {one.category for one in told} == {"rating", "general", "character"}


@pytest.fixture(scope="module")
def true_architecture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    """A SwinV2, small and with seeded random weights, exported with WD's contract; and the torch module."""
    torch, timm = pytest.importorskip("torch"), pytest.importorskip("timm")

    class Contract(torch.nn.Module):
        """As WD's files are: NHWC BGR 0 to 255 in, probabilities out."""

        def __init__(self) -> None:
            super().__init__()
            self.net = timm.create_model(
                *("swinv2_tiny_window8_256",),
                pretrained=False,
                **{"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 1, 1), "num_classes": TAGS},
                num_heads=(1, 2, 3, 4),
            )
            # a fresh head says 0.5 of everything
            torch.nn.init.normal_(self.net.get_classifier().weight, std=0.3)

        def forward(self, batch: object) -> object:
            return torch.sigmoid(self.net((batch.flip(-1).permute(0, 3, 1, 2) / 127.5) - 1.0))

    torch.manual_seed(0)
    module = Contract().eval()
    path = tmp_path_factory.mktemp("swin") / "model.onnx"
    with warnings.catch_warnings():
        # torch's exporter warns of itself, in other words with each release
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(1, 64, 64, 3),),
            str(path),
            input_names=["input"],
            output_names=["output"],
            dynamo=False,
            opset_version=17,
        )
    return path, module


def test_the_true_architecture_gives_what_torch_gives(true_architecture: tuple[Path, object], tmp_path: Path) -> None:
    import torch

    path, module = true_architecture
    labels = tmp_path / "selected_tags.csv"
    labels.write_text(tag_table())
    model = model_of(tmp_path, {"model": path, "labels": labels}, knobs=KNOBS)
    names = [tag.name for tag in read_tag_table(tag_table(), "")]
    images = [photo(name) for name in PHOTOS]
    for image, told in zip(images, WdTagger(model).tag(images), strict=True):
        with torch.inference_mode():
            (scores,) = module(torch.from_numpy(reference_input(image, 64).copy())).numpy()
        expected = {name: float(score) for name, score in zip(names, scores, strict=True)}
        assert {one.label: one.score for one in told} == pytest.approx(
            {one.label: expected[one.label] for one in told}, abs=1e-3
        )
        assert len(told) > 10
        assert np.ptp(scores) > 0.1


def test_identity_is_known_without_loading(tmp_path: Path) -> None:
    tagger = WdTagger(small_wd(tmp_path))
    assert (tagger.card.name, tagger.provider) == ("small", "not loaded")
    assert tagger.tag([]) == []
    assert tagger.provider == "not loaded"


@pytest.mark.parametrize(
    "said", [{"threshold_general": 0.5}, {"threshold_character": 0.9}, {"threshold_mode": "mcut"}], ids=str
)
def test_thresholds_are_no_part_of_the_tagger(tmp_path: Path, said: dict) -> None:
    """Another threshold decides anew, and asks no model."""
    assert WdTagger(small_wd(tmp_path, said=said)).card == WdTagger(small_wd(tmp_path)).card
    assert WdTagger(small_wd(tmp_path)).card.parameters == {"score_floor": 0.05}


def test_thresholds_are_the_source_cards(tmp_path: Path) -> None:
    model = small_wd(tmp_path, said={"threshold_general": 0.5})
    (card,) = catalogue_cards({"tagging": model.entry}, [(TAGGER, "small")], {"tagging": model.knobs}).values()
    assert card.threshold == 0.5, "of categories that nothing is said about"
    assert dict(card.thresholds) == {"general": 0.5, "character": 0.75, "rating": 2.0}
    assert tagger_cut(model.knobs, 0.05) is None
    assert tagger_cut({**model.knobs, "threshold_mode": "mcut"}, 0.05) == photo_cut(0.05)


def test_models_without_such_knobs_count_from_nothing_on(tmp_path: Path) -> None:
    model = model_of(tmp_path, {"model": random_tagger(tmp_path / "model.onnx")})
    (card,) = catalogue_cards({"tagging": model.entry}, [(TAGGER, "small")], {"tagging": model.knobs}).values()
    assert (card.threshold, dict(card.thresholds)) == (0.0, {})


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        # the table of another model
        ({"table": tag_table(TAGS + 1)}, f"{TAGS + 1} tags and the model {TAGS} outputs"),
        # a page that says "not found" instead of the table
        ({"table": "<html>"}, "selected_tags.csv of small is no tag table"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path: Path, made: dict, complaint: str) -> None:
    with pytest.raises(WeightsCorrupt, match=complaint) as error:
        WdTagger(small_wd(tmp_path, **made)).tag([photo()])
    assert "\n" not in str(error.value)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    class Nchw:
        inputs = {"images": ("n", 3, 448, 448)}  # noqa: RUF012
        provider = "CPUExecutionProvider"

        def run(self, feeds: object, outputs: object = None) -> list[np.ndarray]:
            raise AssertionError("it is not asked")

    from resources.inference import Inference

    with pytest.raises(WeightsCorrupt, match="small takes nx3x448x448, not a batch of square pictures"):
        WdTagger(small_wd(tmp_path), inference=Inference(Nchw)).tag([photo()])


def test_the_table_is_the_catalogues_whatever_the_precision(tmp_path: Path) -> None:
    knobs = {**KNOBS, "precision": {"says": "", "default": "fp32", "choices": ["fp32", "int8"]}}
    plain = small_wd(tmp_path)
    files = {"model": plain.path(), "labels": plain.path("labels")}
    int8 = model_of(tmp_path / "int8", files, {"precision": "int8"}, knobs=knobs)
    with pytest.raises(WeightsMissing, match="tagging models quantise small"):
        WdTagger(int8).tag([photo()])
    int8.folder.mkdir(parents=True)
    made = random_tagger(int8.folder / "model.onnx", seed=8)
    noted = NotedFile(name=made.name, sha256=hashlib.sha256(made.read_bytes()).hexdigest(), size=made.stat().st_size)
    notes = {"entry": "small", "precision": "int8", "made_by": "a test", "made_from": {}, "opset": 17}
    write_notes(int8.folder, ModelNotes.model_validate({**notes, "files": {"model": noted}}))
    assert WdTagger(int8).tag([photo()]) != WdTagger(plain).tag([photo()])
    assert WdTagger(int8).card != WdTagger(plain).card


def test_an_entry_without_a_table_is_refused(tmp_path: Path) -> None:
    model = model_of(tmp_path, {"model": random_tagger(tmp_path / "model.onnx")})
    with pytest.raises(WeightsCorrupt, match="small has no tag table"):
        WdTagger(model).tag([photo()])


def test_a_model_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    files = {"model": random_tagger(tmp_path / "model.onnx"), "labels": tmp_path / "selected_tags.csv"}
    files["labels"].write_text(tag_table())
    test = {"photo": "astronaut.jpg", "finds": ["spaceship"], "least": 0.5}
    with pytest.raises(ModelFailed, match=r"small does not work: in astronaut\.jpg it must find spaceship"):
        WdTagger(model_of(tmp_path, files, self_test=test)).tag([photo()])


@pytest.mark.parametrize(
    ("said", "people"),
    [
        ({"sees": "drawings, people, clothes"}, True),
        ({"sees": "objects, animals"}, False),
        ({}, True),  # a file that was found somewhere: nobody knows
    ],
)
def test_which_taggers_may_describe_people(tmp_path: Path, said: dict, people: bool) -> None:
    model = model_of(tmp_path, {"model": random_tagger(tmp_path / "model.onnx")}, capabilities=said)
    assert sees_people(model.entry) is people
