"""Whose people are described: through the whole line, by source and by hints of minors, and back again."""

from typing import Any

import pytest

from tests.workshop import Workshop

ON = {"enabled": True, "adults_only_source": True}


def measured(shop: Workshop) -> dict[str, bool]:
    """What is kept about people's bodies, by table."""
    return {
        "points": any(row["pose"] is not None for row in shop.frame("landmarks").rows.to_dicts()),
        "features": shop.frame("body_features").rows.height > 0,
        "vectors": shop.frame("person_embeddings").rows.height > 0,
        "tags": "hat" in shop.published().get("a.jpg", set()),
    }


NOTHING = {"points": False, "features": False, "vectors": False, "tags": False}
EVERYTHING = dict.fromkeys(NOTHING, True)


def test_a_caption_that_speaks_of_a_minor_stops_measuring_and_its_end_brings_it_back(workshop: Workshop) -> None:
    workshop.reopen(people=ON)
    workshop.draw("a.jpg")
    workshop.run()
    assert measured(workshop) == EVERYTHING
    (workshop.photos / "a.txt").write_text("Meine Tochter am Strand", encoding="utf-8")
    workshop.run()
    assert measured(workshop) == NOTHING
    (row,) = workshop.frame("person_permissions").rows.to_dicts()
    assert (row["allowed"], row["minor_suspected"], row["minor_by"]) == (False, True, ["the photo's caption"])
    assert set(workshop.frame("tags").rows["minor_suspected"]) == {True}
    (workshop.photos / "a.txt").write_text("Am Strand", encoding="utf-8")
    workshop.run()
    assert measured(workshop) == EVERYTHING
    assert workshop.is_fresh()


def test_a_tagger_that_sees_a_child_takes_the_attributes_away(workshop: Workshop) -> None:
    workshop.tagger.scores = {"boat": 0.9, "child": 0.2}
    workshop.reopen(people=ON)
    workshop.draw("a.jpg")
    workshop.run()
    assert workshop.published()["a.jpg"] == {"person", "dog", "boat"}
    assert {tuple(by) for by in workshop.frame("tags").rows["minor_by"].to_list()} == {("tagger",)}


@pytest.mark.parametrize(
    ("people", "source", "expected"),
    [
        ({"enabled": True}, {"adults_only": True}, EVERYTHING),
        ({"enabled": True}, {"adults_only": True, "consent": True}, EVERYTHING),
        ({"enabled": True}, {}, NOTHING),
        (ON, {"adults_only": False}, NOTHING),
        (ON, {"consent": False}, NOTHING),
        ({"enabled": False}, {"adults_only": True, "consent": True}, NOTHING),
    ],
)
def test_the_word_on_the_source_counts(
    workshop: Workshop, people: dict[str, Any], source: dict[str, Any], expected: dict[str, bool]
) -> None:
    workshop.reopen(people=people, sources=[{"path": workshop.photos, **source}])
    workshop.draw("a.jpg")
    workshop.run()
    assert measured(workshop) == expected
