"""A WD tagger and shape models chosen in the settings: what they touch, and what their scores count for."""

from pathlib import Path
from typing import Any

import pytest
from booru_models import small_wd, tag_table
from shape_models import parser, segmenter

from resources.database import Database
from resources.human_parsing import SchpParser
from resources.shaped_landmarker import ShapedLandmarker
from resources.silhouettes import PpHumanSeg
from resources.toolbox import Toolbox
from resources.wd_tagger import WdTagger
from tagging_assets.domain.gathering import TAGGER
from tagging_assets.settings import Settings
from tests.fakes import FakeLandmarker
from tests.workshop import Workshop

WD = "wd-swinv2-tagger-v3"


def tools(folder: Path, database: Database, **said: Any) -> Toolbox:
    return Toolbox(Settings.model_validate({"data_dir": folder, "llm": {"enabled": False}, **said}), database)


def wd(**knobs: Any) -> dict[str, Any]:
    return {"models": {"tagging": {"model": WD, **knobs}}}


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (wd(), set()),
        # scores stay; what they count for is decided anew
        (wd(threshold_general=0.5), {"tags", "llm_tag_suggestions"}),
        (wd(threshold_character=0.5), {"tags", "llm_tag_suggestions"}),
        (wd(threshold_mode="mcut"), {"tags", "llm_tag_suggestions"}),
        ({**wd(), "rules": {"implied": "drop"}}, {"tags"}),
        # hair and eyes are stored from now on, and what else there is about people
        (
            {**wd(), "people": {"enabled": True, "adults_only_source": True}},
            {
                *("tagger_scores", "landmarks", "body_features", "person_embeddings", "zero_shot_scores"),
                *("llm_tag_suggestions", "tags", "person_permissions"),
            },
        ),
        # where silhouettes come from is part of what looks at people
        ({"models": {**wd()["models"], "silhouette": "pp-humanseg"}}, {"landmarks"}),
        ({"models": {**wd()["models"], "human_parsing": "schp-atr"}}, {"landmarks"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_choice_touches_what_depends_on_it(
    tmp_path: Path, database: Database, change: dict[str, Any], touched: set[str]
) -> None:
    before, after = tools(tmp_path, database, **wd()), tools(tmp_path, database, **change)
    changed = {name for name, recipe in after.recipes.items() if recipe.hash != before.recipes[name].hash}
    assert changed == touched
    assert after.tagger.provider == "not loaded"


def test_the_published_thresholds_decide(tmp_path: Path, database: Database) -> None:
    card = tools(tmp_path, database, **wd()).cards[(TAGGER, WD)]
    assert dict(card.thresholds) == {"general": 0.2653, "character": 0.85, "rating": 2.0}
    assert card.curve("general").confidence(0.2653) == pytest.approx(0.5, abs=0.01), "a prior: half of them are right"


def test_all_models_in_use_are_known(tmp_path: Path, database: Database) -> None:
    said = {"models": {"silhouette": "pp-humanseg", "human_parsing": {"model": "schp-lip"}}}
    assert {"pp-humanseg", "schp-lip"} < set(tools(tmp_path, database, **said).models)


@pytest.fixture
def dressed(workshop: Workshop, tmp_path: Path) -> Workshop:
    """The line over one photo, with a small WD tagger and small shape models in it."""
    folders = [tmp_path / name for name in ("wd", "seg", "parts")]
    for folder in folders:
        folder.mkdir()
    workshop.tagger = WdTagger(small_wd(folders[0]))
    shapes = PpHumanSeg(segmenter(folders[1])), SchpParser(parser(folders[2], 473, 20))
    workshop.landmarker = ShapedLandmarker(FakeLandmarker(), *shapes)
    workshop.draw("a.jpg")
    workshop.reopen(**wd(), people={"enabled": True, "adults_only_source": True}, llm={"enabled": False})
    return workshop


@pytest.mark.parametrize("mode", ["published", "mcut"])
def test_the_line_from_scores_to_tags(dressed: Workshop, mode: str) -> None:
    dressed.reopen(**wd(threshold_mode=mode))
    assert dressed.run().success
    scores = dressed.frame("tagger_scores").rows.to_dicts()
    ratings = [row["label"] for row in scores if row["category"] == "rating"]
    assert len(ratings) <= 1
    assert not {"rating:explicit", "rating:questionable"} & {row["label"] for row in scores}
    said = [source for row in dressed.frame("tags").rows.to_dicts() for source in row["sources"]]
    tagger = [one for one in said if one["source"] == TAGGER]
    assert tagger
    assert all(one["score"] >= one["threshold"] for one in tagger), "what is told is what was done"
    assert not any(one["label"].startswith("rating:") for one in tagger)
    thresholds = {one["threshold"] for one in tagger if one["label"].startswith("thing")}
    assert (thresholds == {0.2653}) is (mode == "published")


def test_a_rating_is_a_tag_where_the_operator_says_so(dressed: Workshop) -> None:
    dressed.reopen(rules={"sources": {"tagger": {"thresholds": {"rating": 0.05}}}, "max_tags": None, "keep_above": 0})
    assert dressed.run().success
    stored = {row["label"] for row in dressed.frame("tagger_scores").rows.to_dicts() if row["category"] == "rating"}
    tags = {row["tag"] for row in dressed.frame("tags").rows.to_dicts() if row["category"] == "rating"}
    assert tags == stored == {"rating:general"}


@pytest.mark.parametrize("people", [False, True])
def test_what_describes_people_waits_for_the_operators_word(dressed: Workshop, tmp_path: Path, people: bool) -> None:
    folder = tmp_path / "of people"
    folder.mkdir()
    table = tag_table().replace("thing_33", "blonde_hair").replace("thing_2,", "blue_eyes,")
    dressed.tagger = WdTagger(small_wd(folder, table=table))
    dressed.reopen(people={"enabled": people, "adults_only_source": True})
    assert dressed.run().success
    stored = {row["label"] for row in dressed.frame("tagger_scores").rows.to_dicts()}
    assert ({"blonde hair", "blue eyes"} <= stored) is people
    assert any(label.startswith("hero") for label in stored) is people, "somebody by name"
    assert "thing 30" in stored


def test_the_line_from_parts_to_colours(dressed: Workshop) -> None:
    assert dressed.run().success
    (person,) = dressed.frame("landmarks").rows.to_dicts()
    assert person["parts_png"] is not None
    features = {row["feature"] for row in dressed.frame("body_features").rows.to_dicts()}
    assert {"upper_clothes_colour", "lower_clothes_colour"} < features
    dressed.reopen(people={"enabled": False})
    assert dressed.run().success
    assert [row["parts_png"] for row in dressed.frame("landmarks").rows.to_dicts()] == [None]
