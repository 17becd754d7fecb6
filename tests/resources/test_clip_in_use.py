"""CLIP chosen in the settings: what its knobs touch, whose thresholds count, and the line from photo to tag."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from resources.clip import ClipEncoder, ClipTextEncoder
from resources.clip_scorer import ClipScorer
from resources.database import Database
from resources.toolbox import Toolbox
from tagging_assets.domain.gathering import ZERO_SHOT
from tagging_assets.settings import Settings
from tests.clip_files import tiny_clip
from tests.workshop import Workshop

CLIP = "clip-vit-b-32-laion2b"
KNOBS = {
    "views": {"says": "close-ups cost six times", "default": "whole", "choices": ["whole", "close-ups"]},
    "threshold": {"says": "where no label set says", "default": 0.9, "least": 0.0, "most": 1.0},
}
COLOURS = """
name: things
scope: image
category: object
topics: [objects]
threshold: 0.2
thresholds: {tiny: 0.6}
prompts: ["{}"]
labels: [{name: red, threshold: 0.1}, {name: green}, {name: blue, thresholds: {tiny: 0.99}}]
"""


def tools(folder: Path, database: Database, **zero_shot: Any) -> Toolbox:
    encoder = {"model": CLIP, "views": zero_shot.pop("views", "whole")}
    models = {"image_embedding": encoder, "zero_shot": {"model": CLIP, **zero_shot}}
    said = {"data_dir": folder, "llm": {"enabled": False}, "models": models}
    return Toolbox(Settings.model_validate(said), database)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({}, set()),
        ({"views": "close-ups"}, {"embeddings", "person_embeddings"}),
        # vectors stay as they are
        ({"temperature": 2.0}, {"zero_shot_scores"}),
        ({"score_floor": 0.1}, {"zero_shot_scores"}),
        ({"threshold": 0.7}, {"zero_shot_scores", "tags", "llm_tag_suggestions"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_knob_touches_what_depends_on_it(
    tmp_path: Path, database: Database, change: dict[str, Any], touched: set[str]
) -> None:
    before, after = tools(tmp_path, database), tools(tmp_path, database, **change)
    changed = {name for name, recipe in after.recipes.items() if recipe.hash != before.recipes[name].hash}
    assert changed == touched


def test_the_catalogues_threshold_is_the_cards(tmp_path: Path, database: Database) -> None:
    assert tools(tmp_path, database, threshold=0.7).cards[(ZERO_SHOT, CLIP)].threshold == 0.7
    plain = Toolbox(Settings.model_validate({"data_dir": tmp_path, "llm": {"enabled": False}}), database)
    assert [card.threshold for (source, _), card in plain.cards.items() if source == ZERO_SHOT] == [0.0]


def test_clip_sees_what_the_embedded_scorer_does_not(tmp_path: Path, database: Database) -> None:
    said = {"data_dir": tmp_path, "llm": {"enabled": False}, "label_sets": ["style"]}
    said["people"] = {"enabled": True, "adults_only_source": True}
    clip = {"models": {"image_embedding": CLIP, "zero_shot": CLIP}}
    assert not Toolbox(Settings.model_validate(said), database).label_sets
    assert list(Toolbox(Settings.model_validate({**said, **clip}), database).label_sets) == ["style"]


def test_the_line_from_photos_to_scores(workshop: Workshop, tmp_path: Path) -> None:
    model = tiny_clip(tmp_path / "weights", knobs=KNOBS)
    workshop.encoder, workshop.scorer = ClipEncoder(model), ClipScorer(model, ClipTextEncoder(model))  # type: ignore[assignment]
    workshop.write_label_set("things", COLOURS)
    Image.new("RGB", (200, 150), (250, 5, 5)).save(workshop.photos / "red.png")
    Image.new("RGB", (200, 150), (5, 5, 250)).save(workshop.photos / "blue.png")
    workshop.reopen(llm={"enabled": False}, models={"image_embedding": CLIP, "zero_shot": CLIP})
    assert workshop.run().success
    embeddings = workshop.frame("embeddings").rows
    assert embeddings["view"].unique().to_list() == ["whole"]
    scores = workshop.frame("zero_shot_scores").rows
    assert sorted(scores.filter(scores["score"] > 0.9)["label"].to_list()) == ["blue", "red"]
    heard = [
        (one["label"], one["threshold"])
        for row in workshop.frame("tags").rows.to_dicts()
        for one in row["sources"]
        if one["source"] == ZERO_SHOT
    ]
    # the set's for this model, and the label's; never those of other models
    assert set(heard) == {("red", 0.6), ("blue", 0.99)}
