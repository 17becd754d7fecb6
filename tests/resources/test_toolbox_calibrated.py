"""Toolboxes of a process and calibrations: a new one is seen at the next run, models stay warm otherwise."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources.calibrations import Calibrations
from resources.database import Database
from resources.toolbox import Toolbox
from resources.toolbox_resource import shared_toolbox
from tagging_assets.domain.gathering import TAGGER
from tests.lessons import NOON, decide_on
from tests.workshop import clear


@pytest.fixture
def opened(tmp_path: Path, database: Database) -> Iterator[Callable[[], Toolbox]]:
    """Of the shipped prompts and models, with nothing decided."""
    clear(database)
    path = tmp_path / "tagging.yaml"
    path.write_text("data_dir: data\n")
    yield lambda: shared_toolbox(path, database.url)
    shared_toolbox(path, database.url).database.close()
    clear(database)


def test_a_new_calibration_is_seen_at_the_next_run(opened: Callable[[], Toolbox], database: Database) -> None:
    first = opened()
    card = first.tagger.card
    decide_on(database, TAGGER, card.name, revision=card.revision)
    assert opened() is first, "decisions alone change nothing"
    fitted = first.teacher.teach(first.calibrations.lessons())
    assert Calibrations(database.engine).keep(fitted, "run", NOON)
    second = opened()
    assert second is not first
    assert opened() is second
    key = (TAGGER, card.name)
    assert second.catalogue_cards == first.cards
    assert second.cards[key].calibrations.keys() == {"object"}
    assert {**second.cards, key: first.cards[key]} == first.cards, "nothing else is trusted otherwise"
    changed = {name for name, recipe in second.recipes.items() if recipe.hash != first.recipes[name].hash}
    assert changed == {"tags"}
    back = Calibrations(database.engine).revert("op", NOON)
    assert back is not None
    assert opened().recipes["tags"].hash == first.recipes["tags"].hash


def test_a_toolbox_stays_with_the_calibration_it_was_made_with(
    opened: Callable[[], Toolbox], database: Database
) -> None:
    first = opened()
    card = first.tagger.card
    decide_on(database, TAGGER, card.name, revision=card.revision)
    Calibrations(database.engine).keep(first.teacher.teach(first.calibrations.lessons()), "run", NOON)
    # Asked for the first time only now, while another run may be under way with a newer one.
    assert first.cards == first.catalogue_cards
    assert opened().cards != first.cards
