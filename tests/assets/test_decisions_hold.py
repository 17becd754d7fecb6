"""What people say against everything that happens to a photo afterwards: their word holds, and costs no model."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from resources.tables import published_tag
from tagging_assets.assets.decisions import decision_items, take_down
from tagging_assets.domain.verdicts import Request, StandingVerdict, Verdict, edited
from tests.workshop import Workshop

ACCEPTED, REJECTED, ADDED, WITHDRAWN = Verdict
TAGS = {"person", "dog", "boat"}


def image_id(workshop: Workshop, name: str) -> str:
    (ref,) = [ref for ref in workshop.tools.manifest.images("b000001") if Path(ref.uri).name == name]
    return ref.image_id


def say(workshop: Workshop, name: str, tag: str, verdict: Verdict, *, why: str = "") -> None:
    record(workshop, [Request(image_id(workshop, name), tag, verdict, why=why)])


def record(workshop: Workshop, requests: list[Request]) -> None:
    workshop.tools.decisions.record(requests, who="anna", operation="op", now=datetime.now(UTC))


def rows(workshop: Workshop, name: str) -> dict[str, dict[str, Any]]:
    """Published tags of a photo, to the column; when and by which run is not what they say."""
    query = sa.select(published_tag).where(published_tag.c.image_id == image_id(workshop, name))
    with workshop.tools.database.engine.connect() as connection:
        found = [
            dict(row) for row in connection.execute(query.where(published_tag.c.withdrawn_at.is_(None))).mappings()
        ]
    return {row["tag"]: {key: row[key] for key in row if key not in ("published_at", "run_id")} for row in found}


def another_prompt(workshop: Workshop) -> None:
    path = workshop.prompts / "llm" / "select.md"
    path.write_text(path.read_text() + "\nAnswer at once.\n")
    workshop.reopen()


def another_tagger(workshop: Workshop) -> None:
    workshop.tagger.card = replace(workshop.tagger.card, revision="2")
    workshop.reopen()


def another_place(workshop: Workshop) -> None:
    (workshop.photos / "sub").mkdir()
    (workshop.photos / "a.jpg").rename(workshop.photos / "sub" / "a.jpg")


def another_header(workshop: Workshop) -> None:
    path = workshop.photos / "sub" / "a.jpg"
    header = Image.Exif()
    header[0x013B] = "Ada"
    exif, said = header.tobytes(), path.read_bytes()
    path.write_bytes(said[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + said[2:])


def gone_and_back(workshop: Workshop) -> None:
    path = workshop.photos / "sub" / "a.jpg"
    said = path.read_bytes()
    path.unlink()
    workshop.run()
    path.write_bytes(said)


#: What happens to a photo of which tags were decided, one after the other.
EVENTS: dict[str, Callable[[Workshop], None]] = {
    "nothing": lambda workshop: None,
    "another prompt": another_prompt,
    "another model": another_tagger,
    "rules against it": lambda workshop: workshop.reopen(rules={"banned": ["dog"], "forced": ["boat"], "max_tags": 1}),
    "a higher bar": lambda workshop: workshop.reopen(rules={"keep_above": 1.0}),
    "the photo is moved": another_place,
    "a header is written": another_header,
    "the photo is gone and comes back": gone_and_back,
}


def test_what_people_say_holds_whatever_happens(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.run()
    say(workshop, "a.jpg", "boat", REJECTED, why="a bath tub")
    say(workshop, "a.jpg", "dog", ACCEPTED)
    say(workshop, "a.jpg", "red kite", ADDED)
    for event, happen in EVENTS.items():
        happen(workshop)
        workshop.run()
        found = rows(workshop, "a.jpg")
        assert found.keys() >= {"dog", "red kite"}, event
        assert "boat" not in found, event
        assert (found["dog"]["status"], found["dog"]["score"]) == ("accepted", 1.0), event
        assert workshop.is_fresh(), event


def test_a_verdict_costs_no_model_and_touches_its_photo_alone(workshop: Workshop) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    (other,) = {record.run_id for record in workshop.frame("tags").current}
    say(workshop, "a.jpg", "boat", REJECTED)
    assert not workshop.is_fresh()
    assert workshop.cost() == {}
    assert workshop.published() == {"a.jpg": TAGS - {"boat"}, "b.jpg": TAGS}
    runs = {record.image_id: record.run_id for record in workshop.frame("tags").current}
    assert runs[image_id(workshop, "b.jpg")] == other != runs[image_id(workshop, "a.jpg")]
    (row,) = [row for row in workshop.frame("tags").rows.to_dicts() if row["status"] == "rejected"]
    assert row["tag"] == "boat"
    assert row["reason"].startswith("rejected by anna on ")
    assert {one["source"] for one in row["sources"]} > {"person"}, "what the machine said stays to be seen"


@pytest.mark.parametrize("verdict", [REJECTED, ACCEPTED])
def test_withdrawn_the_machines_answer_is_back_to_the_row(workshop: Workshop, verdict: Verdict) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    before = rows(workshop, "a.jpg")
    say(workshop, "a.jpg", "dog", verdict)
    say(workshop, "a.jpg", "kite", ADDED)
    workshop.run()
    assert rows(workshop, "a.jpg") != before
    say(workshop, "a.jpg", "dog", WITHDRAWN)
    say(workshop, "a.jpg", "kite", WITHDRAWN)
    assert workshop.cost() == {}
    assert rows(workshop, "a.jpg") == before
    assert workshop.frame("decisions").rows.height == 0


def test_an_edit_and_the_way_back(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.run()
    before = rows(workshop, "a.jpg")
    photo = image_id(workshop, "a.jpg")
    record(workshop, list(edited(photo, "dog", "wolf")))
    workshop.run()
    found = rows(workshop, "a.jpg")
    assert found.keys() == TAGS - {"dog"} | {"wolf"}
    assert found["wolf"]["category"] == before["dog"]["category"], "it is the same kind of thing"
    record(workshop, [Request(photo, "wolf", WITHDRAWN)])
    workshop.run()
    assert rows(workshop, "a.jpg") == before


def test_copies_are_decided_apart(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    (workshop.photos / "copy.jpg").write_bytes((workshop.photos / "a.jpg").read_bytes())
    workshop.run()
    say(workshop, "copy.jpg", "boat", REJECTED)
    assert workshop.cost() == {}
    assert workshop.published() == {"a.jpg": TAGS, "copy.jpg": TAGS - {"boat"}}


def test_a_photo_without_any_tag_can_be_given_one(workshop: Workshop) -> None:
    workshop.reopen(rules={"keep_above": 1.0}, llm={"enabled": False})
    workshop.draw("a.jpg")
    workshop.run()
    assert workshop.published() == {}
    say(workshop, "a.jpg", "kite", ADDED)
    workshop.run()
    assert rows(workshop, "a.jpg")["kite"]["sources"][0]["model"] == "anna"


def test_the_snapshot_changes_with_what_is_said_only() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    said = StandingVerdict("dog", REJECTED, "anna", "", noon, 1)
    (item,) = decision_items({"a": [said]})
    assert decision_items({"a": [said]}) == [item]
    for other in (replace(said, verdict=ACCEPTED), replace(said, why="a cat"), replace(said, decision_id=2)):
        assert decision_items({"a": [other]}) != [item]
    assert decision_items({}) == []
    assert take_down(item, standing={"a": [said]}) == [said.row("a")]
