"""What the pages show, what they take, and whom they keep quiet about."""

import html

import pytest

from tests.review.desk import CONTESTANTS, NOON, PAIRS, Visitor, words


def test_a_vote_is_written_down_and_leads_to_the_next() -> None:
    visitor = Visitor()
    assert visitor.web.get("/vote").headers["location"] == "/vote/1"
    page = words(visitor.read("/vote/1"))
    assert "1 of 3" in page
    assert visitor.post("/vote/1", winner="right") == (303, "/vote/2")
    (vote,) = visitor.book.votes
    assert (vote.experiment, vote.image_id, vote.left, vote.right) == ("trial", "id-a", "select-t0", "brief-t0.8")
    assert (vote.winner, vote.voter, vote.kind, vote.shown) == ("right", "anna", "person", PAIRS[0].shown)
    assert vote.at > NOON
    assert "2 of 3" in words(visitor.read("/vote"))


def test_both_answers_are_shown_and_what_only_one_has_stands_out() -> None:
    page = Visitor().read("/vote/1")
    assert "<li>dog</li>" in page
    assert '<li class="only">grass<span class="quiet"> (only here)</span></li>' in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page, "a tag is text, whatever it says"
    assert "<b>" not in page
    empty = Visitor().read("/vote/2")
    assert "no tags" in empty
    assert "b &amp; c.jpg" in empty


def test_going_back_and_voting_again_replaces_the_vote() -> None:
    visitor = Visitor()
    visitor.post("/vote/1", winner="left")
    page = visitor.read("/vote/2")
    assert 'id="undo" href="/vote/1"' in page
    back = visitor.read("/vote/1")
    assert "You said: A is better." in words(back)
    assert 'value="left" aria-keyshortcuts="ArrowLeft" class="said"' in back
    # the same word again is no second vote; another word is one, and the way on leads to what is open
    assert visitor.post("/vote/1", winner="left") == (303, "/vote/2")
    assert visitor.post("/vote/1", winner="tie") == (303, "/vote/2")
    assert [vote.winner for vote in visitor.book.votes] == ["left", "tie"]
    assert "You said: equally good." in words(visitor.read("/vote/1"))


def test_ratings_are_told_only_when_nothing_is_open() -> None:
    visitor = Visitor()
    for number, choice in ((1, "left"), (2, "skip")):
        visitor.post(f"/vote/{number}", winner=choice)
        assert visitor.web.get("/vote/done").headers["location"] == "/vote"
    assert visitor.post("/vote/3", winner="tie") == (303, "/vote/done")
    page = words(visitor.read("/vote/done"))
    assert "2 of 3 comparisons are judged, 1 skipped" in page
    assert "other-model 1502 1400 – 1600 2" in page
    assert len(visitor.book.votes) == 2, "skipping is no vote"
    # what was skipped may still be judged
    assert visitor.post("/vote/2", winner="right") == (303, "/vote/done")
    assert "3 of 3 comparisons are judged" in words(visitor.read("/vote"))


def test_nothing_to_compare_is_said() -> None:
    visitor = Visitor(pairs=())
    assert "Nothing to compare It takes two different answers" in words(visitor.read("/vote"))
    assert visitor.web.get("/vote/1").status_code == 404


def test_no_page_tells_whose_tags_they_are() -> None:
    visitor = Visitor()
    visitor.post("/mark/1", mark="1:yes")
    replies = [visitor.web.get(path) for path in ("/", "/vote", "/mark", "/mark/1", "/mark/2", "/mark/done")]
    for number in (1, 2, 3):
        replies += [visitor.web.get(f"/vote/{number}"), visitor.web.get("/vote/done")]
        replies.append(visitor.web.post(f"/vote/{number}", data={"token": visitor.keys.form, "winner": "left"}))
    for reply in replies[:-1]:
        said = html.unescape(reply.text) + str(reply.headers)
        assert not [name for name in CONTESTANTS if name in said], reply.url
        assert PAIRS[0].shown not in said


def test_tags_are_marked_and_marks_taken_back() -> None:
    visitor = Visitor(start="/mark")
    assert visitor.web.get("/").headers["location"] == "/mark"
    assert "Photo 1 of 2 · 0 of 4 tags marked" in words(visitor.read("/mark"))
    assert visitor.post("/mark/1", mark="2:no") == (303, "/mark/1#tag-2")
    page = visitor.read("/mark/1")
    assert 'value="2:no" class="no" aria-pressed="true"' in page
    assert page.count('aria-pressed="true"') == 1
    assert visitor.post("/mark/1", mark="2:yes")[0] == 303
    assert visitor.post("/mark/1", mark="2:yes")[0] == 303
    marks = [(mark.image_id, mark.tag, mark.relevant, mark.marker) for mark in visitor.book.marks]
    assert marks == [("id-a", "grass", word, "anna") for word in (False, True, None)]
    assert 'aria-pressed="true"' not in visitor.read("/mark/1")


def test_a_script_is_told_what_holds() -> None:
    visitor = Visitor()
    form = {"token": visitor.keys.form, "mark": "1:yes"}
    for relevant, marked in ((True, 1), (None, 0)):
        reply = visitor.web.post("/mark/1", data=form, headers={"Accept": "application/json"})
        assert reply.json() == {"relevant": relevant, "marked": marked}


def test_the_end_of_marking_says_what_is_open() -> None:
    visitor = Visitor()
    for mark in ("1:yes", "2:no", "3:no"):
        visitor.post("/mark/1", mark=mark)
    assert visitor.web.get("/mark").headers["location"] == "/mark/2"
    page = visitor.read("/mark/done")
    assert "3 of 4 tags are marked" in words(page)
    assert "1 photo has tags that you have not marked" in words(page)
    assert "Go on with photo 2" in words(page)
    visitor.post("/mark/2", mark="1:yes")
    assert "4 of 4 tags are marked" in words(visitor.read("/mark"))


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        # not a choice, no choice
        ("/vote/1", {"winner": "select-t0"}, 400),
        ("/vote/1", {}, 400),
        # no such pair
        ("/vote/0", {"winner": "left"}, 404),
        ("/vote/4", {"winner": "left"}, 404),
        ("/vote/-1", {"winner": "left"}, 404),
        ("/vote/one", {"winner": "left"}, 404),
        ("/vote/¹", {"winner": "left"}, 404),
        ("/vote/99999999999999999999", {"winner": "left"}, 404),
        # no such tag, no such photo, no mark
        ("/mark/1", {"mark": "0:yes"}, 404),
        ("/mark/1", {"mark": "4:yes"}, 404),
        ("/mark/3", {"mark": "1:yes"}, 404),
        ("/mark/1", {"mark": "1:maybe"}, 400),
        ("/mark/1", {"mark": "-1:yes"}, 400),
        ("/mark/1", {"mark": ""}, 400),
        # more than any form of ours sends
        ("/mark/1", {"mark": "1:yes", "more": "x" * 5000}, 413),
        # pages that take no forms
        ("/vote/done", {"winner": "left"}, 404),
        ("/photo/id-a", {}, 405),
    ],
)
def test_wrong_values_change_nothing(path: str, fields: dict[str, str], status: int) -> None:
    visitor = Visitor()
    assert visitor.post(path, **fields)[0] == status
    assert (visitor.book.votes, visitor.book.marks) == ([], [])


@pytest.mark.parametrize(("path", "fields"), [("/vote/1", {"winner": "left"}), ("/mark/1", {"mark": "1:yes"})])
def test_what_cannot_be_kept_was_not_said(path: str, fields: dict[str, str]) -> None:
    visitor = Visitor()
    visitor.book.broken = True
    reply = visitor.web.post(path, data={"token": visitor.keys.form, **fields})
    assert reply.status_code == 503
    assert "Postgres does not answer. Nothing was changed." in words(reply.text)
    visitor.book.broken = False
    assert visitor.post(path, **fields)[0] == 303
    assert len(visitor.book.votes) + len(visitor.book.marks) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/photo/id-a", 200),
        # its working copy is gone
        ("/photo/id-b", 503),
        # no photo of the experiment
        ("/photo/id-c", 404),
        ("/photo/..%2F..%2Fetc%2Fpasswd", 404),
        ("/static/..%2Fapp.py", 404),
        ("/static/", 404),
    ],
)
def test_no_other_file_can_be_asked_for(path: str, status: int) -> None:
    reply = Visitor().web.get(path)
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith("image/jpeg" if status == 200 else "text/")
