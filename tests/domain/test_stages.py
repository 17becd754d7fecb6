"""The line is a line: every stage takes from stages before it, and from columns that are there."""

import pytest

from tagging_assets.domain import schemas
from tagging_assets.domain.freshness import Need
from tagging_assets.domain.hashing import PROVENANCE_FIELDS
from tagging_assets.domain.stages import STAGES, Stage, build_recipes

NEEDS = [(stage, table, need) for stage in STAGES.values() for table, need in stage.needs.items()]


def test_stages_are_the_tables_in_their_order() -> None:
    assert list(STAGES) == [table.name for table in schemas.TABLES]


@pytest.mark.parametrize(("stage", "table", "need"), NEEDS, ids=lambda value: getattr(value, "name", str(value)[:20]))
def test_needs_are_there(stage: Stage, table: str, need: Need) -> None:
    order = list(STAGES)
    assert order.index(table) < order.index(stage.name)
    columns = set(need.columns or ())
    assert columns <= STAGES[table].table.columns.keys()
    assert not columns & PROVENANCE_FIELDS, "never counts"


@pytest.mark.parametrize("stage", [one for one in STAGES.values() if one.needs], ids=lambda stage: stage.name)
def test_the_anchor_is_required_and_has_a_record_of_every_image(stage: Stage) -> None:
    assert stage.anchor in stage.needs
    assert stage.needs[stage.anchor].required


def test_stages_that_take_from_the_database_have_no_anchor_and_no_needs() -> None:
    assert [stage.name for stage in STAGES.values() if not stage.anchor] == ["images", "decisions"]
    assert [stage.name for stage in STAGES.values() if not stage.needs] == ["images", "decisions"]


@pytest.mark.parametrize(("stage", "table", "need"), NEEDS, ids=lambda value: getattr(value, "name", str(value)[:20]))
def test_keywords_alone_are_no_input(stage: Stage, table: str, need: Need) -> None:
    # Keywords may hint at a minor; what is looked at and asked hears of that only where the answer changes.
    hints = stage.name == "person_permissions"
    asks = table == "images" and "keywords" in (need.columns or ("keywords",))
    assert asks is (hints and table == "images"), "nothing is looked at or asked anew"


def test_a_recipe_changes_with_its_parts_and_with_nothing_else() -> None:
    plain = build_recipes({})
    changed = build_recipes({"tags": {"rules": {"keep_above": 0.5}}})
    assert list(plain) == list(STAGES)
    assert {name for name in STAGES if plain[name].hash != changed[name].hash} == {"tags"}
    assert len({recipe.hash for recipe in plain.values()}) == len(STAGES), "a stage's recipe is its own"


def test_a_new_version_of_the_code_is_a_new_recipe() -> None:
    recipe = build_recipes({})["tags"]
    assert recipe.body == {"stage": "tags", "code_version": STAGES["tags"].code_version}
