"""`tagging run` over a folder, and what `tags`, `explain` and `status` say about it afterwards."""

import re
from typing import Any

import pytest

from tagging_assets.domain.stages import STAGES
from tests.commands.command_line import Tagged

pytestmark = pytest.mark.slow

_HASHES = re.compile(r"[0-9a-f]{64}(\+[0-9a-f]{64})*")


@pytest.fixture(scope="module")
def explained(tagged: Tagged) -> dict[str, Any]:
    done = tagged.project.call("explain", "chelsea.png", "--json")
    assert done.code == 0, done.err
    told: dict[str, Any] = done.json
    return told


def _names(one: dict[str, Any]) -> set[str]:
    return {tag["tag"] for tag in one["tags"]}


def _plain(text: str) -> str:
    """Without the lines of trees and tables, so that a sentence reads on where it was wrapped."""
    return " ".join(re.sub(r"[^\w\s.,:;@+()≥…/-]", " ", text).split())


def test_a_run_with_broken_files_tags_the_rest_and_exits_with_1(tagged: Tagged) -> None:
    assert tagged.first.code == 1, tagged.first.err
    told = tagged.first.json
    assert told["images"] == 8
    failed = {one["image"]: one["error"] for one in told["failed"]}
    assert set(failed) == {tagged.path("torn.jpg"), tagged.path("drawing.jpg")}
    assert failed[tagged.path("torn.jpg")].startswith("UnreadableImage: ")
    assert failed[tagged.path("drawing.jpg")].startswith("UnsupportedFormat: EPS ")
    # People read the same on stderr.
    for image, error in failed.items():
        assert f"failed {image}: {error}" in tagged.first.err
    assert "Traceback" not in tagged.first.err


@pytest.mark.parametrize(
    ("photo", "tag"),
    [
        ("chelsea.png", "cat"),
        ("coffee.png", "coffee"),
        ("bus.jpg", "bus"),
        # found by the detector and confirmed by the pose, not by the classifier
        ("bus.jpg", "person"),
        ("astronaut.png", "person"),
    ],
)
def test_photos_are_tagged_with_what_they_show(tagged: Tagged, photo: str, tag: str) -> None:
    one = next(one for one in tagged.first.json["tags"] if one["image"] == tagged.path(photo))
    assert one["status"] == "tagged"
    assert tag in _names(one)


def test_a_copy_gets_the_tags_of_its_original(tagged: Tagged) -> None:
    by_path = {one["image"]: one for one in tagged.first.json["tags"]}
    original, copy = by_path[tagged.path("coffee.png")], by_path[tagged.path("copies/coffee.png")]
    assert original["tags"] == copy["tags"]
    assert original["image_id"] != copy["image_id"]


def test_a_second_run_computes_nothing_and_starts_no_dagster_run(tagged: Tagged) -> None:
    before = tagged.project.dagster_runs()
    again = tagged.project.run("run", tagged.project.photos, "--json")
    # The torn file has not changed, and is not tried again; it stays named.
    assert again.code == 1
    assert "Nothing was left to compute" in again.err
    assert again.seconds < 30
    assert again.json["batches"] == {}
    assert set(again.json["computed"].values()) == {0}
    assert again.json["failed"] == tagged.first.json["failed"]
    assert again.json["tags"] == tagged.first.json["tags"]
    assert tagged.project.dagster_runs() == before


def test_tags_as_json_has_the_documented_shape(tagged: Tagged) -> None:
    done = tagged.project.call("tags", "--json")
    assert done.code == 0, done.err
    assert done.err == ""
    told = done.json
    assert [one["image"] for one in told] == sorted(one["image"] for one in told)
    assert {one["status"] for one in told} == {"tagged", "failed"}
    for one in told:
        assert list(one) == ["image", "image_id", "status", "error", "tags"]
        assert re.fullmatch(r"[0-9a-f]{32}", one["image_id"])
        assert (one["error"] is None) == (one["status"] != "failed")
        assert len(_names(one)) == len(one["tags"])
        for tag in one["tags"]:
            assert list(tag) == ["tag", "category", "score", "status", "sources"]
            assert 0 <= tag["score"] <= 1
            assert tag["status"] in {"auto", "needs_review"}
            assert tag["sources"]
            for source in tag["sources"]:
                assert list(source) == ["source", "model", "revision", "score"]
                assert _HASHES.fullmatch(source["revision"])


def test_tags_of_one_path_are_shown_as_a_table(tagged: Tagged) -> None:
    done = tagged.project.call("tags", tagged.project.photos / "chelsea.png")
    assert done.code == 0, done.err
    assert "1 photos" in done.out
    assert "cat 0." in _plain(done.out)
    assert "bus" not in done.out


def test_explain_gives_each_stage_with_recipe_and_run(tagged: Tagged, explained: dict[str, Any]) -> None:
    assert explained["image"] == tagged.path("chelsea.png")
    # Nobody has said anything about the photo, so there are no decisions behind it.
    assert [link["stage"] for link in explained["chain"]] == [stage for stage in STAGES if stage != "decisions"]
    runs = tagged.project.dagster_runs()
    for link in explained["chain"]:
        assert link["status"] == "ok"
        assert link["recipe_body"]["stage"] == link["stage"]
        for name in ("recipe", "inputs", "output"):
            assert re.fullmatch(r"[0-9a-f]{64}", link[name])
        assert runs[link["run_id"]] == "SUCCESS"


@pytest.mark.parametrize(
    "stage", ["detections", "landmarks", "embeddings", "zero_shot_scores", "tagger_scores", "llm_tag_suggestions"]
)
def test_explain_names_the_model_of_a_stage(explained: dict[str, Any], stage: str) -> None:
    body = next(link["recipe_body"] for link in explained["chain"] if link["stage"] == stage)
    model = body["chat"]["model"] if stage == "llm_tag_suggestions" else body["model"]
    assert model["name"]
    assert _HASHES.fullmatch(model["revision"])
    # A name and a version.
    assert re.fullmatch(r"\S+/\d+", model["preprocessing"])


def test_explain_gives_each_tag_its_provenance(tagged: Tagged, explained: dict[str, Any]) -> None:
    cat = next(tag for tag in explained["tags"] if tag["tag"] == "cat")
    sources = {source["source"]: source for source in cat["sources"]}
    assert cat["reason"]
    prompts = {one["name"]: one["hash"] for one in tagged.project.call("prompts", "list", "--json").json}
    seen, asked = sources["zero-shot"], sources["chat model"]
    assert seen["score"] >= seen["threshold"] > 0
    assert (seen["label_set"], seen["label_set_hash"]) == ("objects", prompts["objects"])
    assert (asked["prompt_id"], asked["prompt_hash"]) == ("select", prompts["select"])
    assert re.fullmatch(r"[0-9a-f]{64}", asked["request_hash"])
    recipes = {link["recipe"]: link["run_id"] for link in explained["chain"]}
    for source in sources.values():
        assert recipes[source["recipe"]] == source["run_id"]


def test_explain_tells_people_the_same_and_cuts_nothing_off(tagged: Tagged, explained: dict[str, Any]) -> None:
    done = tagged.project.call("explain", explained["image_id"][:8])
    assert done.code == 0, done.err
    said = _plain(done.out)
    for tag in explained["tags"]:
        assert f"{tag['tag']} {tag['score']:.2f} {tag['status']}" in said
        for source in tag["sources"]:
            assert f"{source['source']} ({source['model']}" in said
            # Last of its line, so it is what a narrow terminal would lose first.
            assert f"recipe {source['recipe'][:12]}" in said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        # none of that name
        ("nobody.png", 'no photo "nobody.png"'),
        # two of that name
        ("coffee.png", '"coffee.png" may mean 2 photos'),
    ],
)
def test_explain_wants_one_photo(tagged: Tagged, name: str, says: str) -> None:
    done = tagged.project.call("explain", name, "--json")
    assert done.code == 2
    assert done.out == ""
    assert done.error.startswith(f"SettingsError: {says}")


def test_status_counts_photos_and_stages(tagged: Tagged) -> None:
    done = tagged.project.call("status", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert (told["images"], told["gone"], told["batches"], told["database"]) == (8, 0, 1, "embedded")
    assert told["published_tags"] == sum(len(one["tags"]) for one in tagged.first.json["tags"])
    assert list(told["stages"]) == list(STAGES)
    # The PostScript fails at its header, the torn JPEG at its pixels; neither goes further.
    assert [told["stages"][stage]["failed"] for stage in STAGES] == [1, 1, *[0] * (len(STAGES) - 2)]
    assert {one["to_compute"] for one in told["stages"].values()} == {0}
    assert told["llm_calls"]["ok"] > 0
    # What runs here costs nothing.
    assert (told["llm_usd_today"], told["llm_unpriced_today"], told["llm_budget_usd"]) == (0.0, 0, None)
    shown = tagged.project.call("status")
    assert "8 photos in 1 batches" in _plain(shown.out)
