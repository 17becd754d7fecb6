"""The toolbox: made of settings, lazy, and its recipes say exactly what a stage depends on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resources.database import Database
from resources.toolbox import TOOLS, Toolbox
from resources.toolbox_resource import shared_toolbox
from tagging_assets.domain.errors import ModelError, SettingsError
from tagging_assets.domain.stages import STAGES
from tagging_assets.settings import Settings
from tests.workshop import Workshop


@pytest.fixture
def tools(tmp_path: Path, database: Database) -> Toolbox:
    """Real models of the shipped settings; none is fetched or loaded."""
    return Toolbox(Settings(data_dir=tmp_path), database)


def test_every_tool_can_be_had_without_loading_a_model(tools: Toolbox) -> None:
    for name in TOOLS:
        assert getattr(tools, name) is getattr(tools, name), name
    models = (tools.detector, tools.landmarker, tools.encoder, tools.tagger, tools.zero_shot_scorer, tools.chat)
    assert {model.provider for model in models if model} == {"not loaded"}
    assert tools.recipes.keys() == STAGES.keys()
    tools.close()


def test_a_missing_model_says_so_when_it_is_used(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGGING_OFFLINE", "1")
    monkeypatch.setenv("TAGGING_CACHE_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    tools = Toolbox(Settings(data_dir=tmp_path), database)
    with pytest.raises(ModelError):
        tools.encoder.encode([np.zeros((9, 9, 3), np.uint8)])


def edit(path: str, old: str, new: str) -> Callable[[Workshop], None]:
    def change(workshop: Workshop) -> None:
        file = workshop.prompts / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        workshop.reopen()

    return change


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (lambda shop: shop.reopen(), set()),  # the same again
        # layout, comments and where things lie make no recipe
        (edit("labels/things.yaml", "name: things", "# a comment\nname: things"), set()),
        (lambda shop: shop.reopen(sources=[]), set()),
        (lambda shop: shop.reopen(inference={"threads": 2}), set()),
        (lambda shop: shop.reopen(llm={"timeout_seconds": 3}), set()),
        # the operator's rules touch the decision alone
        (lambda shop: shop.reopen(rules={"keep_above": 0.3}), {"tags"}),
        # the prompt and the size of the question, what is asked
        (edit("llm/select.md", "best first", "the best one first"), {"llm_tag_suggestions"}),
        (lambda shop: shop.reopen(llm={"allowed_tags": 7}), {"llm_tag_suggestions"}),
        (lambda shop: shop.reopen(llm={"max_tags": 3}), {"llm_tag_suggestions"}),
        (lambda shop: shop.reopen(llm={"prompt": "select-brief"}), {"llm_tag_suggestions"}),
        (lambda shop: shop.reopen(llm={"strategy": "quick"}), {"llm_tag_suggestions"}),
        (lambda shop: shop.reopen(llm={"sampling": {"temperature": 0.5}}), {"llm_tag_suggestions"}),
        # words beside the tags touch no tag; words that are merged with them do
        (lambda shop: shop.reopen(llm={"caption_prompt": "classify"}), {"captions"}),
        (
            lambda shop: shop.reopen(llm={"strategy": "detailed", "caption_prompt": "classify"}),
            {"captions", "llm_tag_suggestions"},
        ),
        # a prompt that is not in use, and a picture that nobody is shown
        (edit("llm/merge.md", "likely", "likelier"), set()),
        (lambda shop: shop.reopen(llm={"image_side": 512}), set()),
        # without a chat model its source is gone from the decision too
        (lambda shop: shop.reopen(llm={"enabled": False}), {"llm_tag_suggestions", "tags"}),
        # a label set touches no picture
        (
            edit("labels/things.yaml", "{name: lamp}", "{name: lantern}"),
            {"zero_shot_scores", "llm_tag_suggestions", "tags"},
        ),
        (
            lambda shop: shop.reopen(images={"max_megapixels": 1}),
            {"images", "proxies"},  # what is below follows from what these say, not from their recipes
        ),
        # the operator's word about people: points, measures, views and labels of people
        (
            lambda shop: shop.reopen(people={"enabled": True, "adults_only_source": True}),
            {
                *("person_permissions", "landmarks", "body_features", "person_embeddings", "zero_shot_scores"),
                *("llm_tag_suggestions", "tags"),
            },
        ),
        # half a word is none: another reason, the same answer
        (lambda shop: shop.reopen(people={"enabled": True}), {"person_permissions"}),
        # what is said about a source counts as what is said about all
        (
            lambda shop: shop.reopen(
                people={"enabled": True}, sources=[{"path": shop.photos, "adults_only": True, "consent": True}]
            ),
            {
                *("person_permissions", "landmarks", "body_features", "person_embeddings", "zero_shot_scores"),
                *("llm_tag_suggestions", "tags"),
            },
        ),
        (
            lambda shop: shop.reopen(
                people={"enabled": True}, sources=[{"path": shop.photos, "adults_only": True, "consent": False}]
            ),
            {"person_permissions"},
        ),
    ],
)
def test_a_change_touches_exactly_these_recipes(
    workshop: Workshop, change: Callable[[Workshop], None], touched: set[str]
) -> None:
    before = {name: recipe.hash for name, recipe in workshop.tools.recipes.items()}
    change(workshop)
    after = {name: recipe.hash for name, recipe in workshop.tools.recipes.items()}
    assert {name for name in STAGES if before[name] != after[name]} == touched


@pytest.mark.parametrize("model", ["detector", "landmarker", "encoder", "tagger", "zero_shot_scorer", "chat"])
def test_another_revision_of_a_model_is_another_recipe_and_another_source_version(
    workshop: Workshop, model: str
) -> None:
    before, versions = dict(workshop.tools.recipes), dict(workshop.tools.source_versions)
    fake = workshop.tools.__dict__[model]
    fake.card = replace(fake.card, revision="2")
    workshop.reopen()
    changed = {name for name in STAGES if before[name].hash != workshop.tools.recipes[name].hash}
    own = {
        "detector": {"detections"},
        "landmarker": {"landmarks"},
        "encoder": {"embeddings", "person_embeddings"},
        "tagger": {"tagger_scores"},
        "zero_shot_scorer": {"zero_shot_scores"},
        "chat": {"llm_tag_suggestions"},
    }
    assert changed == own[model]
    now = workshop.tools.source_versions
    assert len([name for name in now if now[name] != versions[name]]) == 1


def test_labels_of_people_are_out_of_use_until_people_may_be_tagged(workshop: Workshop) -> None:
    assert set(workshop.tools.label_sets) == {"things"}
    workshop.reopen(people={"enabled": True, "adults_only_source": True})
    assert set(workshop.tools.label_sets) == {"things", "worn"}
    assert "hat" not in workshop.tools.vocabulary, "a chat model sees no person"


def test_a_label_set_that_the_scorer_cannot_see_is_out_of_use(workshop: Workshop) -> None:
    workshop.write_label_set(
        "looks",
        "name: looks\ncategory: style\ntopics: [styles]\nthreshold: 0.5\nlabels: [{name: watercolour}]\n",
    )
    workshop.reopen(label_sets=["things", "looks"])
    assert set(workshop.tools.label_sets) == {"things"}


def test_an_exclusive_label_set_becomes_a_rule(workshop: Workshop) -> None:
    workshop.write_label_set(
        "place",
        "name: place\ncategory: setting\ntopics: [scenes]\nexclusive: true\nthreshold: 0.5\n"
        "labels: [{name: indoors}, {name: outdoors}]\n",
    )
    workshop.reopen(label_sets=["things", "place"])
    assert {"indoors", "outdoors"} in [set(group) for group in workshop.tools.rules.exclusive.values()]


def test_a_label_set_that_is_not_there_is_named(workshop: Workshop) -> None:
    workshop.reopen(label_sets=["thnigs"])
    with pytest.raises(SettingsError, match="thnigs"):
        _ = workshop.tools.label_sets


def test_close_gives_back_what_was_used(workshop: Workshop) -> None:
    workshop.tools.close()
    assert (workshop.chat.closed, workshop.landmarker.closed) == (True, True)


def test_one_toolbox_per_settings_and_texts(tmp_path: Path, database: Database) -> None:
    (tmp_path / "words").mkdir()
    path = tmp_path / "tagging.yaml"
    path.write_text("data_dir: data\nprompts_dir: words\n")

    def opened() -> Toolbox:
        return shared_toolbox(path, database.url)

    first = opened()
    assert opened() is first, "models stay warm"
    (tmp_path / "words" / "select.md").write_text("another prompt")
    second = opened()
    assert second is not first
    path.write_text("data_dir: data\nprompts_dir: words\nrules: {keep_above: 0.1}\n")
    third = opened()
    assert third is not second
    for tools in (first, second, third):
        tools.close()
        tools.database.close()
