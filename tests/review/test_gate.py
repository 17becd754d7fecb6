"""Nobody looks or judges but the browser that was given the link, on pages of ours."""

import pytest

from tagging_assets.review.gate import Keys
from tests.review.desk import HOME, PORT, Visitor, words

PAGES = ("/", "/vote", "/vote/1", "/vote/done", "/mark", "/mark/1", "/mark/done", "/photo/id-a", "/nothing")


@pytest.mark.parametrize("path", PAGES)
def test_without_the_link_there_is_nothing_to_see(path: str) -> None:
    reply = Visitor(inside=False).web.get(path)
    assert reply.status_code == 403
    assert "only for the browser that was opened with the link" in reply.text
    assert "dog" not in reply.text


def test_the_link_works_once_and_gives_a_cookie() -> None:
    visitor = Visitor(inside=False)
    link = f"/enter?key={visitor.keys.link}"
    reply = visitor.web.get(link)
    assert reply.status_code == 200
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"tagging_review_{PORT}=")
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert visitor.keys.link not in cookie
    assert 'content="0; url=/vote"' in reply.text, "left by a page of ours: a redirect would not take a strict cookie"
    assert visitor.web.get("/vote/1").status_code == 200
    # the same browser may come again, another may not
    assert visitor.web.get(link).status_code == 200
    visitor.web.cookies.clear()
    again = visitor.web.get(link)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert visitor.web.get("/vote/1").status_code == 403


@pytest.mark.parametrize("key", ["", "x", "é", "x" * 5000])
def test_a_wrong_link_gives_nothing(key: str) -> None:
    visitor = Visitor(inside=False)
    reply = visitor.web.get("/enter", params={"key": key})
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers
    # and does not use up the right one
    assert visitor.web.get("/enter", params={"key": visitor.keys.link}).status_code == 200


@pytest.mark.parametrize(
    "cookie",
    [
        "tagging_review_8123=wrong",
        "tagging_review_8123=",
        # of a desk on another port
        "tagging_review_8124={right}",
        "a=b; c",
        "=;=;\x7f",
    ],
)
def test_a_wrong_cookie_opens_nothing(cookie: str) -> None:
    visitor = Visitor()
    right = visitor.web.cookies[f"tagging_review_{PORT}"]
    visitor.web.cookies.clear()
    reply = visitor.web.get("/vote/1", headers={"Cookie": cookie.replace("{right}", right)})
    assert reply.status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (f"127.0.0.1:{PORT}", 200),
        (f"localhost:{PORT}", 200),
        (f"LOCALHOST:{PORT}", 200),
        # a name of somebody else's that points at this machine
        ("evil.example", 421),
        (f"evil.example:{PORT}", 421),
        (f"127.0.0.1.evil.example:{PORT}", 421),
        # another port, no port, nothing
        ("127.0.0.1:80", 421),
        ("127.0.0.1", 421),
        ("", 421),
    ],
)
def test_the_host_must_be_ours(host: str, status: int) -> None:
    visitor = Visitor()
    for path in ("/vote/1", "/static/review.css"):
        assert visitor.web.get(path, headers={"Host": host}).status_code == status
    link = f"/enter?key={Visitor(inside=False).keys.link}"
    assert visitor.web.get(link, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(("path", "field"), [("/vote/1", "winner"), ("/mark/1", "mark")])
@pytest.mark.parametrize("token", ["", "wrong", "cookie", "link"])
def test_what_changes_something_needs_the_token_of_the_page(path: str, field: str, token: str) -> None:
    visitor = Visitor()
    others = {"cookie": visitor.web.cookies[f"tagging_review_{PORT}"], "link": visitor.keys.link}
    said = {field: "left" if field == "winner" else "1:yes"}
    assert visitor.post(path, token=others.get(token, token), **said) == (403, "")
    assert (visitor.book.votes, visitor.book.marks) == ([], [])
    assert visitor.post(path, **said)[0] == 303


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (HOME, 303),
        # sent by no page
        (None, 303),
        ("http://evil.example", 403),
        # another program on this machine, a page without an origin, https
        ("http://127.0.0.1:9999", 403),
        ("null", 403),
        (f"https://127.0.0.1:{PORT}", 403),
        # the same machine by its other name is another origin
        (f"http://localhost:{PORT}", 403),
    ],
)
def test_forms_come_from_our_own_pages(origin: str | None, status: int) -> None:
    visitor = Visitor()
    headers = {} if origin is None else {"Origin": origin}
    form = {"token": visitor.keys.form, "winner": "left"}
    assert visitor.web.post("/vote/1", data=form, headers=headers).status_code == status
    assert len(visitor.book.votes) == (status == 303)


@pytest.mark.parametrize("path", [*PAGES, "/static/review.js", "/static/none", "/enter?key=x"])
def test_every_reply_forbids_what_a_page_needs_not(path: str) -> None:
    for visitor in (Visitor(), Visitor(inside=False)):
        reply = visitor.web.get(path)
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert reply.headers["referrer-policy"] == "same-origin"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "cache-control" in reply.headers


def test_pages_carry_nothing_that_the_policy_forbids() -> None:
    visitor = Visitor()
    for path in PAGES:
        page = visitor.web.get(path, follow_redirects=True).text
        for forbidden in (" style=", "<style", " onclick", "javascript:", "http://", "https://", "//cdn"):
            assert forbidden not in page, (path, forbidden)
        assert page.count("<script") == page.count('<script src="/static/review.js"></script>')


@pytest.mark.parametrize(
    ("site", "status"), [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403)]
)
def test_other_pages_cannot_even_look(site: str, status: int) -> None:
    # Browsers send the cookie to every port of this machine, whoever listens on the port that the page came from.
    visitor = Visitor()
    for path in ("/vote/1", "/photo/id-a", "/static/review.css"):
        assert visitor.web.get(path, headers={"Sec-Fetch-Site": site}).status_code == status


def test_the_link_may_be_opened_from_anywhere_but_is_not_used_up_by_looking_at_it() -> None:
    visitor = Visitor(inside=False)
    link = f"/enter?key={visitor.keys.link}"
    assert visitor.web.head(link).status_code == 405
    assert visitor.web.post(link).status_code == 405
    assert visitor.web.get(link, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert visitor.web.get("/vote/1").status_code == 200


def test_two_desks_share_no_secret() -> None:
    one, other = Keys(PORT), Keys(PORT)
    assert len({one.link, one.form, other.link, other.form}) == 4
    assert min(map(len, (one.link, one.form))) >= 32


def test_the_locked_page_says_what_to_do() -> None:
    assert "start it again for a new link" in words(Visitor(inside=False).web.get("/").text)
