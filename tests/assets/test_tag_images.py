"""The whole line as Dagster runs it: what each event in the life of photos costs, and what is published after it."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from resources.tables import published_tag
from tagging_assets.domain.errors import LlmRejected, ModelFailed, SettingsError
from tagging_assets.domain.models import Box
from tagging_assets.domain.stages import STAGES
from tests.workshop import MIDDLE, Workshop, draw

#: What a photo costs: two looks at the box in it, a whole view and five close-ups.
ONE_PHOTO = {"detector": 1, "landmarker": 2, "encoder": 6, "tagger": 1, "scorer": 6, "chat": 1}
TAGS = {"person", "dog", "boat"}

#: A box a little to the right of the one before.
MOVED = (0.32, 0.1, 0.72, 0.9)

RULES = {"rules": {"banned": ["boat"]}}


def with_header(photo: Path, artist: str) -> None:
    """The same pixels, another header."""
    header = Image.Exif()
    header[0x013B] = artist
    exif = header.tobytes()
    said = photo.read_bytes()
    photo.write_bytes(said[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + said[2:])


def one_more_label(workshop: Workshop) -> None:
    path = workshop.prompts / "labels" / "things.yaml"
    path.write_text(path.read_text().replace("{name: lamp}", "{name: lamp}, {name: kite}"))
    workshop.reopen()


def another_detector(workshop: Workshop, people: Box = MIDDLE) -> None:
    card = workshop.detector.card
    workshop.detector.card = replace(card, revision=f"{card.revision}+")
    workshop.detector.people = [(0.9, people)]
    workshop.reopen()


def rearrange(photos: Path) -> None:
    """Rename, move and touch photos, write into a header, and add keywords: pixels and captions stay."""
    (photos / "a.jpg").rename(photos / "A new name.jpg")
    (photos / "sub").mkdir()
    (photos / "b.jpg").rename(photos / "sub" / "b.jpg")
    os.utime(photos / "c.jpg", ns=(5, 5))
    with_header(photos / "d.jpg", "Ada")
    (photos / "c.xmp").write_text(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description dc:subject="boat"/></rdf:RDF>'
    )


def without_photo(workshop: Workshop, **said: object) -> None:
    (workshop.photos / "d.jpg").unlink()
    workshop.reopen(**said)


def copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


#: In this order: what happens, and how many images, crops, vectors and questions each model is asked about.
LIFE = [
    ("three photos come", lambda shop: shop.draw("a.jpg", "b.jpg", "c.jpg"), {k: 3 * n for k, n in ONE_PHOTO.items()}),
    ("one photo comes", lambda shop: shop.draw("d.jpg", start=4), ONE_PHOTO),
    ("nothing that is seen changes", lambda shop: rearrange(shop.photos), {}),
    # the caption is part of the question
    ("a caption comes", lambda shop: (shop.photos / "c.txt").write_text("a lamp"), {"chat": 1}),
    # vectors of four photos are scored anew, no picture is looked at; the new label may be answered
    ("a label set is edited", one_more_label, {"scorer": 24, "chat": 4}),
    ("the prompt is edited", lambda shop: shop.edit_prompt(), {"chat": 4}),
    # the same boxes: nothing below is looked at
    ("another detector finds the same people", another_detector, {"detector": 4}),
    # two looks at the one box that moved in each photo; the photo itself is not looked at again
    (
        "another detector finds people elsewhere",
        lambda shop: another_detector(shop, MOVED),
        {"detector": 4, "landmarker": 8},
    ),
    ("the rules are edited", lambda shop: shop.reopen(**RULES), {}),
    ("the rules are as before, a photo is deleted", lambda shop: without_photo(shop, rules={}), {}),
    ("the photo comes back", lambda shop: shop.draw("d.jpg", start=4), {}),
    # the ledger answers a question that was put before; the fake has none
    ("a photo is copied", lambda shop: copy(shop.photos / "d.jpg", shop.photos / "copy.jpg"), {"chat": 1}),
]


def withdrawn(workshop: Workshop) -> list[str]:
    """Tags that stand no longer, and are not erased either."""
    query = sa.select(published_tag.c.tag).where(published_tag.c.withdrawn_at.is_not(None))
    with workshop.tools.database.engine.connect() as connection:
        return sorted(connection.scalars(query))


def test_only_what_changed_costs_a_look(workshop: Workshop) -> None:
    for what, happen, cost in LIFE:
        happen(workshop)
        assert workshop.cost() == cost, what
        assert workshop.is_fresh(), what
        tags = TAGS - {"boat"} if what == "the rules are edited" else TAGS
        assert workshop.published() == {path.name: tags for path in workshop.photos.rglob("*.jpg")}, what
        lost = {"the rules are edited": ["boat"] * 4, "the rules are as before, a photo is deleted": sorted(TAGS)}
        assert withdrawn(workshop) == lost.get(what, []), what
    assert ["boat"] in workshop.frame("images").rows["keywords"].to_list(), "known, though nothing was looked at anew"


def test_a_second_run_leaves_every_table_as_it_is(workshop: Workshop) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    first = {stage: workshop.tools.bench.store.path(stage, "b000001").read_bytes() for stage in STAGES}
    again = workshop.run()
    assert {stage: workshop.tools.bench.store.path(stage, "b000001").read_bytes() for stage in STAGES} == first
    events = again.get_asset_materialization_events()
    computed = {
        event.asset_key.to_user_string(): event.materialization.metadata["images computed"].value
        for event in events
        if "images computed" in event.materialization.metadata
    }
    assert computed == dict.fromkeys(STAGES, 0)


def test_a_copy_in_another_batch_is_not_looked_at_again(workshop: Workshop) -> None:
    workshop.reopen(images={"settle_seconds": 0, "batch_size": 1}, llm={"enabled": False})
    workshop.draw("a.jpg")
    workshop.run()
    (workshop.photos / "b.jpg").write_bytes((workshop.photos / "a.jpg").read_bytes())
    assert workshop.cost("b000002") == {}
    assert workshop.published() == {"a.jpg": TAGS, "b.jpg": TAGS}
    assert workshop.frame("detections", "b000002").rows["image_id"].unique().len() == 1


def test_a_broken_photo_stands_alone(workshop: Workshop) -> None:
    workshop.draw("a.jpg", "c.jpg")
    whole = draw(workshop.photos / "b.jpg", 9).read_bytes()
    (workshop.photos / "b.jpg").write_bytes(whole[: len(whole) // 2])
    assert workshop.cost() == {name: 2 * count for name, count in ONE_PHOTO.items()}
    assert workshop.published() == {"a.jpg": TAGS, "c.jpg": TAGS}
    (bad,) = [record for record in workshop.frame("proxies").current if not record.ok]
    assert (bad.error_kind, bad.retryable) == ("UnreadableImage", False)
    assert workshop.is_fresh(), "a broken file stays broken, and asks for no second run"


def test_lost_proxies_are_made_again(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.run()
    (path,) = workshop.frame("proxies").rows["path"]
    (workshop.tools.settings.data_dir / path).unlink()
    workshop.tagger.card = replace(workshop.tagger.card, revision="2")
    workshop.reopen()
    assert workshop.cost() == {"tagger": 1}, "the same pixels: nothing else is looked at anew"
    assert workshop.frame("tagger_scores").current[0].ok
    assert workshop.tools.proxy_files.verify(path)


@pytest.mark.parametrize("enabled", [False, True])
def test_people_are_measured_on_the_operators_word_only(workshop: Workshop, enabled: bool) -> None:
    workshop.reopen(people={"enabled": enabled, "adults_only_source": enabled})
    workshop.draw("a.jpg")
    workshop.run()
    points = workshop.frame("landmarks").rows.select("pose", "mask_png").row(0)
    assert [point is not None for point in points] == [enabled, enabled]
    assert (workshop.frame("body_features").rows.height > 0) is enabled
    people = {"0"} if enabled else set()
    assert workshop.tagger.scores.keys() == {"boat", "muslim woman"}
    assert workshop.frame("tagger_scores").rows["label"].to_list() == ["boat"], "the policy holds either way"
    assert set(workshop.frame("embeddings").rows["subject"]) == {"image"}
    assert set(workshop.frame("person_embeddings").rows["subject"]) == people
    assert set(workshop.frame("zero_shot_scores").rows["subject"]) == {"image"} | people
    assert ("hat" in workshop.published()["a.jpg"]) is enabled


def test_a_photo_without_people_is_an_answer(workshop: Workshop) -> None:
    workshop.detector.people = []
    workshop.draw("a.jpg")
    cost = workshop.cost()
    assert "landmarker" not in cost
    assert cost["detector"] == 1
    assert workshop.is_fresh()
    assert workshop.published() == {"a.jpg": {"dog", "boat"}}


def test_a_dead_model_stops_the_run_and_what_was_done_is_kept(workshop: Workshop) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.landmarker.fails = ModelFailed("out of memory")
    result = workshop.run(raises=False)
    assert not result.success
    assert [event.step_key for event in result.get_step_failure_events()][:1] == ["landmarks"]
    assert workshop.published() == {}
    assert workshop.frame("landmarks").records == ()
    detected = workshop.detector.asked
    workshop.landmarker.fails = None
    assert workshop.cost()["landmarker"] == 4
    assert workshop.detector.asked == detected
    assert workshop.published() == {"a.jpg": TAGS, "b.jpg": TAGS}


def test_without_an_answer_of_the_chat_model_the_other_sources_stand(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.chat.outcome, workshop.chat.retryable = "timed_out", True
    workshop.run()
    (unanswered,) = workshop.frame("llm_tag_suggestions").current
    assert (unanswered.error_kind, unanswered.retryable) == ("LlmUnavailable", True)
    assert workshop.published() == {"a.jpg": TAGS}
    silent = {row["tag"]: row for row in workshop.tools.publisher.tags()}
    assert {row["reason"].partition("; ")[2] for row in silent.values()} == {
        "the chat model gave no answer (timed_out)"
    }
    workshop.chat.outcome = "over_budget"
    assert workshop.cost() == {"chat": 1}, "asked once more, and the reason is up to date"
    assert all(row["reason"].endswith("(over_budget)") for row in workshop.tools.publisher.tags())
    workshop.chat.outcome = "ok"
    assert workshop.cost() == {"chat": 1}
    answered = workshop.tools.publisher.tags()
    assert "chat model" in {one["source"] for tag in answered for one in tag["sources"]}
    assert not [row["reason"] for row in answered if "no answer" in row["reason"]]


def test_words_are_asked_for_and_merged_where_the_strategy_is_detailed(workshop: Workshop) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.chat.sees = True
    workshop.reopen(llm={"strategy": "detailed"})
    assert workshop.cost()["chat"] == 4, "words and tags of two photos"
    asked = [(one.prompt, len(one.pictures)) for one in workshop.chat.questions]
    assert Counter(asked) == {("caption", 1): 2, ("merge", 0): 2}
    (row,) = workshop.frame("captions").current[0].rows
    assert (row["caption"], row["prompt_id"]) == ("a photo", "caption")
    assert {one.values["suggestion"] for one in workshop.chat.questions if one.prompt == "merge"} == {"a photo"}
    assert workshop.is_fresh()
    (workshop.photos / "a.jpg").rename(workshop.photos / "moved.jpg")
    assert workshop.cost() == {}, "a move asks nothing anew"
    workshop.reopen(llm={"strategy": "quick", "prompt": "see"})
    assert workshop.cost() == {"chat": 2}
    assert not any(record.rows for record in workshop.frame("captions").current), "off: empty"
    workshop.reopen(llm={"strategy": "detailed"})
    assert workshop.cost() == {}, "the way back is free"


def test_without_words_the_other_sources_stand_and_say_why(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.chat.sees, workshop.chat.outcome, workshop.chat.retryable = True, "rate_limited", True
    workshop.reopen(llm={"strategy": "detailed"})
    assert workshop.cost()["chat"] == 1, "without words there is nothing to merge"
    assert workshop.published() == {"a.jpg": TAGS}
    assert all(row["reason"].endswith("no answer (rate_limited)") for row in workshop.tools.publisher.tags())
    workshop.chat.outcome = "ok"
    assert workshop.cost() == {"chat": 2}


def test_a_model_that_cannot_look_is_shown_nothing(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.reopen(llm={"prompt": "see"})
    with pytest.raises(SettingsError, match="cannot look"):
        _ = workshop.tools.recipes
    assert workshop.chat.questions == []


def test_a_vocabulary_is_narrowed_by_what_the_photo_is_like(workshop: Workshop, tmp_path: Path) -> None:
    vocabulary = tmp_path / "tags.txt"
    vocabulary.write_text("\n".join([*(f"thing {number}" for number in range(500)), "dog", "house"]))
    workshop.draw("a.jpg")
    workshop.reopen(llm={"vocabulary": str(vocabulary), "allowed_tags": 5})
    workshop.run()
    (question,) = workshop.chat.questions
    # seen and in the vocabulary; of the rest nothing speaks for any
    assert question.values["allowed"] == ("dog",)
    workshop.reopen(
        llm={"vocabulary": str(vocabulary), "allowed_tags": 5, "strategy": "quick", "only_evidenced": False}
    )
    workshop.run()
    assert workshop.chat.questions[-1].values["allowed"] == ("dog", "thing 0", "thing 1", "thing 2", "thing 3")


def test_a_wrong_key_stops_the_run(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.chat.fails = LlmRejected("401: no such key; set OPENAI_API_KEY")
    result = workshop.run(raises=False)
    assert [event.step_key for event in result.get_step_failure_events()][:1] == ["llm_tag_suggestions"]
    assert workshop.published() == {}


def test_a_photo_that_breaks_a_check_is_set_aside_and_named(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.tagger.scores = {"boat": 1.5}
    result = workshop.run()
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [(check.asset_key.to_user_string(), check.check_name) for check in failed] == [
        ("tagger_scores", "above_floor")
    ]
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert set(STAGES) - made == set(), "the rest of its batch goes on"
    (record,) = workshop.frame("tagger_scores").current
    assert (record.ok, record.error_kind) == (False, "CheckFailed")
    assert workshop.published() == {"a.jpg": {"dog", "person"}}, "what other sources say stands; no boat"
