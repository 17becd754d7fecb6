"""What people say: what holds of it, what makes sense, and what is news."""

from datetime import UTC, datetime

import pytest

from tagging_assets.domain.errors import PolicyError, SettingsError, TaggingError
from tagging_assets.domain.rules import parse_rules
from tagging_assets.domain.schemas import DECISIONS
from tagging_assets.domain.verdicts import Request, StandingVerdict, Verdict, checked, edited, news, one_line, standing
from tests.handmade import record

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PHOTO = "3fa1c2d4e5f60718"
ACCEPTED, REJECTED, ADDED, WITHDRAWN = Verdict
RULES = parse_rules({"aliases": {"puppy": "dog"}, "banned": ["logo"]})


def given(tag: str, verdict: Verdict, number: int = 1, **more: str) -> StandingVerdict:
    return StandingVerdict(tag, verdict, more.pop("who", "anna"), more.pop("why", ""), NOON, number, **more)


def allow(term: str) -> str | None:
    return "ethnicity" if "martian" in term.lower() else None


def ask(tag: str, verdict: Verdict, **more: str) -> Request:
    return Request(PHOTO, tag, verdict, **more)


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        # nobody said anything
        ([], {}),
        ([given("dog", ACCEPTED)], {"dog": 1}),
        # the newest holds, in whatever order they come
        ([given("dog", REJECTED, 2), given("dog", ACCEPTED, 1)], {"dog": 2}),
        ([given("dog", ACCEPTED, 1), given("dog", REJECTED, 2)], {"dog": 2}),
        # withdrawn: nobody says anything any more
        ([given("dog", REJECTED, 1), given("dog", WITHDRAWN, 2)], {}),
        # and said again
        ([given("dog", REJECTED, 1), given("dog", WITHDRAWN, 2), given("dog", ADDED, 3)], {"dog": 3}),
        # each tag for itself, in the order of tags
        ([given("dog", REJECTED, 1), given("cat", ADDED, 2), given("dog", WITHDRAWN, 3)], {"cat": 2}),
    ],
)
def test_the_newest_verdict_holds(said: list[StandingVerdict], holds: dict[str, int]) -> None:
    assert {tag: one.decision_id for tag, one in standing(said).items()} == holds


@pytest.mark.parametrize(
    ("requests", "clean"),
    [
        # one spelling per tag and category, one line of reason
        (
            [ask(" Red_Hair ", ACCEPTED, category="Hair_Colour", why=" clear\n to see\0")],
            [ask("red hair", ACCEPTED, category="hair colour", why="clear to see")],
        ),
        # aliases are merged
        ([ask("Puppy", REJECTED)], [ask("dog", REJECTED)]),
        # the same thing twice is once
        ([ask("dog", REJECTED), ask("puppy", REJECTED)], [ask("dog", REJECTED)]),
        # what the operator banned may be added: a person's word wins
        ([ask("logo", ADDED)], [ask("logo", ADDED)]),
        # an edit
        (edited(PHOTO, "puppy", "Wolf"), [ask("dog", REJECTED), ask("wolf", ADDED, replaces="dog")]),
        # what the policy refuses can be withdrawn, from before it did
        ([ask("martian", WITHDRAWN)], [ask("martian", WITHDRAWN)]),
        # two photos
        ([ask("dog", REJECTED), Request("b", "dog", ADDED)], [ask("dog", REJECTED), Request("b", "dog", ADDED)]),
    ],
)
def test_requests_that_make_sense(requests: list[Request], clean: list[Request]) -> None:
    assert checked(requests, RULES, allow) == clean


@pytest.mark.parametrize(
    ("requests", "error", "message"),
    [
        ([ask(" _ ", ADDED)], SettingsError, "a tag to be added is empty; name it"),
        ([ask("do\0g", ADDED)], SettingsError, r"control characters: 'do\\x00g'"),
        (
            edited(PHOTO, "dog", "Puppy"),
            SettingsError,
            '"dog" and "Puppy" are one tag, "dog"; an edit takes two',
        ),
        (
            [ask("dog", ACCEPTED), ask("puppy", REJECTED)],
            SettingsError,
            '"dog" of photo 3fa1c2d4 cannot be accepted and rejected at once; keep one',
        ),
        (
            [ask("dog", ADDED, category="object"), ask("dog", ADDED, category="animal")],
            SettingsError,
            "is added twice, in different words; keep one",
        ),
        # an edit of a tag that another edit brings
        ([*edited(PHOTO, "cat", "dog"), *edited(PHOTO, "dog", "wolf")], SettingsError, "added and rejected at once"),
        # the policy wins over people, in the category too
        ([ask("Martian woman", ADDED)], PolicyError, '"Martian woman" is about ethnicity, which is never tagged'),
        ([ask("martian", ACCEPTED)], PolicyError, "it can only be withdrawn"),
        # not even a rejection is kept: it would be the very record that is forbidden
        ([ask("martian", REJECTED)], PolicyError, "ethnicity"),
        ([ask("green", ADDED, category="martian looks")], PolicyError, "ethnicity"),
        (edited(PHOTO, "dog", "martian"), PolicyError, "ethnicity"),
    ],
)
def test_requests_that_do_not(requests: list[Request], error: type[TaggingError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        checked(requests, RULES, allow)
    assert "\n" not in str(caught.value)


SEEN = {(PHOTO, "dog"): "animal"}


@pytest.mark.parametrize(
    ("said", "requests", "written"),
    [
        # a first word: the category is the one that is shown
        ([], [ask("dog", ACCEPTED)], [ask("dog", ACCEPTED, category="animal")]),
        ([], [ask("dog", REJECTED)], [ask("dog", REJECTED, category="animal")]),
        # unless another is asked for
        ([], [ask("dog", ACCEPTED, category="pet")], [ask("dog", ACCEPTED, category="pet")]),
        # nobody knows the category
        ([], [ask("kite", ADDED)], [ask("kite", ADDED)]),
        # a tag that is not there may be rejected beforehand
        ([], [ask("kite", REJECTED)], [ask("kite", REJECTED)]),
        # an edit takes the category over from the old tag
        (
            [],
            [ask("dog", REJECTED), ask("wolf", ADDED, replaces="dog")],
            [ask("dog", REJECTED, category="animal"), ask("wolf", ADDED, category="animal", replaces="dog")],
        ),
        # said already, in the same words
        ([given("dog", REJECTED)], [ask("dog", REJECTED)], []),
        ([given("dog", ACCEPTED, category="animal")], [ask("dog", ACCEPTED, category="animal")], []),
        # a tag that somebody added is shown with a category of last resort: that is not another word
        ([given("dog", ADDED)], [ask("dog", ADDED)], []),
        # an edit once more: the old tag is gone from what is shown, and that is no error
        (
            [given("cat", REJECTED), given("wolf", ADDED, 2, replaces="cat")],
            [ask("cat", REJECTED), ask("wolf", ADDED, replaces="cat")],
            [],
        ),
        # by another person, for another reason, or the other way round, it is news
        ([given("dog", REJECTED, who="ben")], [ask("dog", REJECTED)], [ask("dog", REJECTED)]),
        ([given("dog", REJECTED)], [ask("dog", REJECTED, why="a cat")], [ask("dog", REJECTED, why="a cat")]),
        ([given("cat", REJECTED)], [ask("cat", ACCEPTED)], [ask("cat", ACCEPTED)]),
        # a rejected tag keeps its category for when it is accepted after all
        (
            [given("cat", REJECTED, category="animal")],
            [ask("cat", ACCEPTED)],
            [ask("cat", ACCEPTED, category="animal")],
        ),
        # withdrawn: every spelling that stands for the tag now
        (
            [given("dog", REJECTED), given("puppy", ADDED, 2)],
            [ask("dog", WITHDRAWN)],
            [ask("dog", WITHDRAWN), ask("puppy", WITHDRAWN)],
        ),
        # nothing to withdraw
        ([], [ask("dog", WITHDRAWN)], []),
        # both halves of an edit
        (
            [given("dog", REJECTED), given("wolf", ADDED, 2, replaces="dog")],
            [ask("wolf", WITHDRAWN, why="no")],
            [ask("wolf", WITHDRAWN, why="no"), ask("dog", WITHDRAWN, why="no")],
        ),
        # the old tag alone, if that is what is asked for
        (
            [given("dog", REJECTED), given("wolf", ADDED, 2, replaces="dog")],
            [ask("dog", WITHDRAWN)],
            [ask("dog", WITHDRAWN)],
        ),
        # but not a rejection by somebody else, nor what is asked for otherwise
        (
            [given("dog", REJECTED, 3, who="ben"), given("wolf", ADDED, 2, replaces="dog")],
            [ask("wolf", WITHDRAWN)],
            [ask("wolf", WITHDRAWN)],
        ),
        (
            [given("dog", REJECTED), given("wolf", ADDED, 2, replaces="dog")],
            [ask("wolf", WITHDRAWN), ask("dog", ACCEPTED)],
            [ask("wolf", WITHDRAWN), ask("dog", ACCEPTED, category="animal")],
        ),
    ],
)
def test_only_news_is_written(said: list[StandingVerdict], requests: list[Request], written: list[Request]) -> None:
    assert news(requests, "anna", {PHOTO: standing(said)}, SEEN, RULES.canonical) == written


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([ask("cat", ACCEPTED)], 'photo 3fa1c2d4 has no tag "cat" to accept; add "cat" to it instead'),
        (edited(PHOTO, "cat", "wolf"), 'photo 3fa1c2d4 has no tag "cat" to edit; add "wolf" to it instead'),
    ],
)
def test_nobody_accepts_or_edits_what_is_not_there(requests: list[Request], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        news(requests, "anna", {}, SEEN)


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (given("dog", ACCEPTED, why="clear to see"), "accepted by anna on 2026-11-21: clear to see"),
        (given("dog", REJECTED), "rejected by anna on 2026-11-21"),
        (given("wolf", ADDED, replaces="dog"), "added by anna on 2026-11-21 in place of dog"),
    ],
)
def test_a_verdict_in_one_sentence(verdict: StandingVerdict, sentence: str) -> None:
    assert verdict.sentence == sentence


def test_a_verdict_is_a_row_and_a_row_a_verdict() -> None:
    said = given("wolf", ADDED, 7, category="animal", replaces="dog", why="a wolf")
    (row,) = record("decisions", PHOTO, [said.row(PHOTO)]).rows
    assert row.keys() == DECISIONS.columns.keys()
    assert StandingVerdict.from_row(row) == said
    assert StandingVerdict.from_row({**row, "category": None, "replaces": None}) == given(
        "wolf", ADDED, 7, why="a wolf"
    )


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), (" a\r\n b\tc ", "a b c"), ("a\0b\x1b[1m", "ab[1m"), ("👩‍🚀", "👩‍🚀")]
)
def test_text_as_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
