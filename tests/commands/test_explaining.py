"""`tagging explain` over a line with fake models: other times, verdicts, tags that are none."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from resources.database import Database
from tagging_assets.commands.explain import Explained, explain, find_image, moment, write_drawings
from tagging_assets.commands.explain_text import show
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import SettingsError, StorageError
from tagging_assets.domain.verdicts import Request, Verdict
from tests.fakes import FakeScorer
from tests.workshop import Workshop

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def session_of(workshop: Workshop, database: Database) -> Session:
    return Session(Path("tagging.yaml"), workshop.tools.settings, database, workshop.tools)


@pytest.fixture
def open_session(workshop: Workshop, database: Database) -> Session:
    workshop.draw("a.jpg")
    workshop.scorer = FakeScorer({"dog": 0.95, "hat": 0.9, "lamp": 0.3})
    workshop.reopen()
    assert workshop.run().success
    return session_of(workshop, database)


def ask(session: Session, name: str = "a.jpg", **said: Any) -> Explained:
    return explain(session, find_image(session, name), **said)


def say(session: Session, verdict: Verdict, tag: str) -> None:
    image_id = find_image(session, "a.jpg").image_id
    request = Request(image_id, tag, verdict)
    session.toolbox.decisions.record(
        [request], who="anna", why="clear to see", operation="o" * 32, now=datetime.now(UTC)
    )


def told_of(explained: Explained, tag: str) -> dict[str, Any]:
    return next(one for one in explained.told["tags"] if one["tag"] == tag)


def states(explained: Explained) -> dict[str, str]:
    return {link["stage"]: link["state"] for link in explained.told["chain"]}


def test_now(open_session: Session) -> None:
    told = ask(open_session).told
    assert list(told) == [
        *("image", "image_id", "content_hash", "pixel_id", "batch", "gone_at", "at", "chain", "tags", "caption"),
        *("suggestions", "decisions", "asked", "graph"),
    ]
    assert {one["tag"] for one in told["tags"]} >= {"dog", "boat"}
    assert set(states(ask(open_session)).values()) == {"ok"}
    assert all("history" not in one for one in told["tags"])


def test_one_tag_with_its_history(open_session: Session) -> None:
    explained = ask(open_session, tag="Dog")
    assert [one["tag"] for one in explained.told["tags"]] == ["dog"]
    assert [event["change"] for event in told_of(explained, "dog")["history"]] == ["published"]
    assert set(states(explained)) == {
        *("images", "proxies", "detections", "person_permissions", "person_embeddings", "embeddings"),
        "zero_shot_scores",
        *(["llm_tag_suggestions"] if "llm_tag_suggestions" in states(explained) else []),
        *(["landmarks", "tagger_scores"] if "llm_tag_suggestions" in states(explained) else []),
        "tags",
    }
    assert {node["id"] for node in explained.told["graph"]["nodes"]} >= {"photo", "tag:dog", "published"}


def test_a_tag_that_is_none(open_session: Session) -> None:
    for tag, reason, counts in (
        # scored, and too low
        ("lamp", "no score reaches its threshold", [False]),
        # nobody's word
        ("zebra", "no source says so: it is in no vocabulary, or below what is kept", []),
        # never to be a tag
        ("muslim", "the policy never lets this be a tag; nothing that models say of it is kept", []),
    ):
        told = ask(open_session, tag=tag).told
        assert told["tags"] == []
        assert told["asked"]["reason"] == reason
        assert [one["counts"] for one in told["asked"]["scores"]] == counts


def test_verdicts_are_told_with_who_and_why(open_session: Session, workshop: Workshop) -> None:
    say(open_session, Verdict.REJECTED, "boat")
    say(open_session, Verdict.ADDED, "harbour")
    assert workshop.run().success
    explained = ask(open_session)
    assert {one["tag"]: (one["verdict"], one["who"]) for one in explained.told["decisions"]} == {
        "boat": ("rejected", "anna"),
        "harbour": ("added", "anna"),
    }
    assert told_of(explained, "boat")["status"] == "rejected"
    one = ask(open_session, tag="boat")
    assert [event["change"] for event in told_of(one, "boat")["history"]] == ["published", "withdrawn"]
    nodes = {node["id"]: node for node in one.told["graph"]["nodes"]}
    assert nodes["decision:boat"]["facts"][0] == "by anna"
    assert nodes["published"]["title"] == "not published"


def test_as_it_was(open_session: Session, workshop: Workshop, database: Database) -> None:
    then = datetime.now(UTC)
    before = ask(open_session)
    workshop.reopen(rules={"keep_above": 0.2, "banned": ["dog"]})
    assert workshop.run().success
    session = session_of(workshop, database)
    assert "dog" not in {one["tag"] for one in ask(session).told["tags"]}
    assert ask(session, tag="dog").told["asked"]["reason"] == "banned"

    was = ask(session, at=then)
    assert was.told["at"] == then
    assert {one["tag"] for one in was.told["tags"]} == {one["tag"] for one in before.told["tags"]}
    assert told_of(was, "dog")["sources"] == told_of(before, "dog")["sources"]
    # The stages above were not touched; the decision of then is kept, superseded, with its recipe.
    assert states(was) == {**states(before), "tags": "superseded"}
    recipes = {link["stage"]: link["recipe_body"] for link in was.told["chain"]}
    assert recipes["tags"]["rules"]["banned"] == []
    assert [event["change"] for event in told_of(ask(session, tag="dog", at=then), "dog")["history"]] == ["published"]


def test_what_is_no_longer_kept_is_said_so(open_session: Session, workshop: Workshop, database: Database) -> None:
    then = datetime.now(UTC)
    workshop.reopen(rules={"keep_above": 0.2})
    assert workshop.run().success
    workshop.tools.bench.forget("tags", "b000001", lambda record: not record.current)
    was = ask(session_of(workshop, database), at=then)
    lost = next(link for link in was.told["chain"] if link["stage"] == "tags")
    assert (lost["status"], lost["rows"]) == ("lost", None)
    # What it was made by is still known.
    assert lost["recipe_body"]["rules"]["keep_above"] != 0.2
    show(was.told)


def test_before_the_photo_was_known_there_is_nothing_to_explain(open_session: Session) -> None:
    with pytest.raises(SettingsError, match=r"was first seen on \d{4}-.* give a later --at"):
        ask(open_session, at=datetime.now(UTC) - timedelta(days=1))


def test_a_photo_that_failed(open_session: Session, workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (workshop.photos / "a.jpg").read_bytes()
    (workshop.photos / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    assert workshop.run().success
    explained = ask(open_session, "torn.jpg")
    assert explained.told["tags"] == []
    assert states(explained)["proxies"] == "failed"
    why = ask(open_session, "torn.jpg", tag="dog").told["asked"]["reason"]
    assert why.startswith("the photo could not be tagged: ")
    show(explained.told)
    assert "failed" in capsys.readouterr().out


def test_the_tree_tells_what_people_said(
    open_session: Session, workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    say(open_session, Verdict.ACCEPTED, "boat")
    assert workshop.run().success
    show(ask(open_session, tag="boat").told)
    said = " ".join(re.sub(r"[│├└─]", " ", capsys.readouterr().out).split())
    assert re.search(r"boat 1\.00 accepted: accepted by anna on \d{4}-\d\d-\d\d: clear to see", said)
    assert "history, newest first" in said
    assert re.search(r"changed: \w+ 0\.\d\d → accepted 1\.00", said)


def test_drawings_are_written(open_session: Session, tmp_path: Path) -> None:
    explained = ask(open_session)
    svg, html = tmp_path / "a.svg", tmp_path / "deep" / "a.html"
    ref = find_image(open_session, "a.jpg")
    assert write_drawings(open_session, ref, explained, svg=svg, html=html) == [svg, html]
    assert svg.read_text().startswith("<svg ")
    assert "data:image/jpeg;base64," in svg.read_text()
    assert svg.read_text().strip() in html.read_text()
    svg.unlink()
    svg.mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*a\.svg"):
        write_drawings(open_session, ref, explained, svg=svg, html=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # with a zone
        ("2026-11-20T14:05+02:00", datetime(2026, 11, 20, 12, 5, tzinfo=UTC)),
        ("2026-11-20 14:05:30Z", datetime(2026, 11, 20, 14, 5, 30, tzinfo=UTC)),
        # without: of this machine
        ("2026-11-20T14:05", datetime(2026, 11, 20, 14, 5).astimezone()),
        # a day is its end
        ("2026-11-19", datetime(2026, 11, 20).astimezone()),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert moment(text, NOON) == expected


def test_today_is_until_now() -> None:
    assert moment(NOON.astimezone().date().isoformat(), NOON) == NOON


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yesterday", "is no time; write 2026-11-20"),
        ("2026-13-01", "is no time"),
        ("", "is no time"),
        ("2026-11-22", "is still to come"),
        ("2026-11-21T12:00:01+00:00", "is still to come"),
    ],
)
def test_what_is_no_time(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        moment(text, NOON)
