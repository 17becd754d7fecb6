"""Changing things after a first run, as an operator does: what is said beforehand is what is done, and undone."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from resources.database import Database
from resources.frame_store import FrameStore
from resources.tables import published_tag
from tagging_assets.domain.stages import STAGES
from tests.commands.command_line import REPOSITORY, Project

pytestmark = pytest.mark.slow

#: What looks at pictures.
LOOKERS = {"proxies", "detections", "landmarks", "person_embeddings", "embeddings", "tagger_scores"}


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, cached_weights: Path, sample_photos: Mapping[str, Path]
) -> Project:
    """A cat and an astronaut, tagged, with prompts and label sets of the project's own."""
    folder = tmp_path_factory.mktemp("retag")
    shutil.copytree(REPOSITORY / "prompts", folder / "prompts")
    made = Project(folder, extra="prompts_dir: prompts\n")
    for name in ("chelsea", "astronaut"):
        with Image.open(sample_photos[f"{name}.png"]) as photo:
            photo.convert("RGB").save(made.photos / f"{name}.jpg", quality=95)
    assert made.run("run", made.photos).code == 0
    return made


def work(project: Project, *arguments: str) -> dict[str, tuple[int, int]]:
    """What a dry run says: certain and at most, by stage."""
    plan = project.call("retag", "--dry-run", "--json", *arguments).json["plan"]
    return {one["stage"]: (one["to_compute"], one["at_most"]) for one in plan["stages"]}


def computed(project: Project, done: Mapping[str, Any]) -> dict[str, int]:
    """Images that a run computed, by stage, read off the tables."""
    store, runs = FrameStore(project.data / "tables"), set(done["batches"].values())
    counts = {stage: sum(record.run_id in runs for record in store.read(stage, "b000001").current) for stage in STAGES}
    return {stage: count for stage, count in counts.items() if count}


def published(project: Project) -> list[dict[str, Any]]:
    """The table itself, column for column."""
    database = Database.open(project.data, None)
    try:
        with database.engine.connect() as connection:
            query = sa.select(published_tag).order_by(published_tag.c.image_id, published_tag.c.tag)
            return [dict(row) for row in connection.execute(query).mappings()]
    finally:
        database.close()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_keywords_written_into_a_photo_and_new_times_cost_no_look(project: Project) -> None:
    before = published(project)
    packet = (
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc='
        b'"http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>kitten</rdf:li></rdf:Bag></dc:subject>'
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    photo = project.photos / "chelsea.jpg"
    said = photo.read_bytes()
    photo.write_bytes(said[:2] + b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet + said[2:])
    for path in project.photos.iterdir():
        os.utime(path, ns=(5, 5))
    done = project.run("run", project.photos, "--json")
    assert done.code == 0
    # Its bytes are others: the header is read, the picture decoded to see that it is the same one, and the new words
    # looked through for hints of minors.
    computed = {stage: count for stage, count in done.json["computed"].items() if count}
    assert computed == {"images": 1, "proxies": 1, "person_permissions": 1}
    assert published(project) == before


def test_an_edited_prompt_costs_questions_and_no_look(project: Project) -> None:
    with (project.folder / "prompts" / "llm" / "select.md").open("a", encoding="utf-8") as prompt:
        prompt.write("\nAnswer as a librarian would.\n")
    assert work(project) == {"llm_tag_suggestions": (2, 2), "tags": (0, 2)}
    told = project.call("retag", "--dry-run")
    assert "+Answer as a librarian would." in told.out
    done = project.run("retag", "--json").json["done"]
    assert computed(project, done)["llm_tag_suggestions"] == 2
    assert set(computed(project, done)) <= {"llm_tag_suggestions", "tags"}
    assert work(project) == {}


def test_an_edited_label_set_costs_no_look_and_undo_puts_every_row_back(project: Project) -> None:
    before = published(project)
    labels = project.folder / "prompts" / "labels" / "objects.yaml"
    whole = labels.read_text(encoding="utf-8")
    edit(labels, "- {name: cat,", "- {name: moggy,")
    planned = work(project)
    assert {stage: certain for stage, (certain, _) in planned.items()} == dict.fromkeys(
        ("zero_shot_scores", "llm_tag_suggestions", "tags"), 2
    )
    retagged = project.run("retag", "--why", "another word for cats", "--json").json["done"]
    assert computed(project, retagged) == dict.fromkeys(planned, 2)
    assert not LOOKERS & computed(project, retagged).keys()
    assert {"moggy", "cat"} & {row["tag"] for row in published(project) if row["withdrawn_at"] is None} == {"moggy"}
    told = project.call("diff", "--run", retagged["operation"][:12])
    assert told.code == 0
    assert "moggy" in told.out
    assert project.call("undo", retagged["operation"][:12]).code == 0
    assert published_before(project, before) == before
    # It stays away while the label set is what it was when that was undone.
    assert project.run("run", project.photos).code == 0
    assert published_before(project, before) == before
    labels.write_text(whole, encoding="utf-8")
    restored = project.run("retag", "--json").json["done"]
    assert computed(project, restored) == {}, "the way back is free"
    assert published_before(project, before) == before
    assert work(project) == {}


def published_before(project: Project, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows there were; of what came in between, nothing may stand."""
    known = {(row["image_id"], row["tag"]) for row in before}
    rows = published(project)
    assert all(row["withdrawn_at"] is not None for row in rows if (row["image_id"], row["tag"]) not in known)
    return [row for row in rows if (row["image_id"], row["tag"]) in known]


def test_a_single_stage(project: Project) -> None:
    edit(project.folder / "prompts" / "llm" / "select.md", "librarian", "gardener")
    assert work(project, "--stage", "tags") == {}, "what it is made from stays as it is"
    assert set(work(project, "--stage", "zero_shot_scores")) == {"llm_tag_suggestions", "tags"}
    nothing = project.call("retag", "--stage", "no_such_stage")
    assert nothing.code == 2
    assert "no stage" in nothing.error
