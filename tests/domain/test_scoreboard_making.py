"""Scoreboards: the standings of ``docs/scoring.md`` to the digit, and what a reader is told."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tagging_assets.domain.chat_settings import Sampling
from tagging_assets.domain.experiments import UNASKED, Configuration
from tagging_assets.domain.scoreboard import Scoreboard, Standing
from tagging_assets.domain.scoreboard_making import PhotoFacts, make_scoreboard
from tagging_assets.domain.standings import described
from tagging_assets.domain.voting import Vote, Winner, next_pairs, shown_answers
from tests.domain.worked_example import (
    CONTESTANTS,
    MADE_AT,
    ORIGINAL,
    PHOTOS,
    POOL,
    answers,
    marks,
    votes,
    worked_example,
)


def standing(label: str, board: Scoreboard) -> Standing:
    return next(one for one in board.standings if one.contestant == label)


@pytest.mark.parametrize(
    ("label", "total", "score", "cost", "per_dollar", "latency"),
    [
        ("bravo", 6.5, 6.5 / 3, 0.03, 6.5 / 0.03, 500.0),
        ("alpha", 5.0, 5.0 / 3, 0.006, 5.0 / 0.006, 2000.0),
        ("charlie", 5.0, 5.0 / 3, 0.0, None, 4000.0),  # free: no points per dollar
        ("delta", 2.0, 1.0, None, None, 1000.0),  # judged on the two photos it answered; nobody knows its cost
        ("echo", 1.9, 1.9 / 3, 0.0075, 1.9 / 0.0015, 200.0),  # five passes cost five times one
    ],
)
def test_points_and_prices(
    label: str, total: float, score: float, cost: float | None, per_dollar: float | None, latency: float
) -> None:
    one = standing(label, worked_example())
    assert one.score is not None
    assert (one.total, one.score.mean, one.latency_ms) == pytest.approx((total, score, latency))
    assert one.cost_usd == (None if cost is None else pytest.approx(cost))
    assert one.points_per_dollar == (None if per_dollar is None else pytest.approx(per_dollar))
    assert one.score.low <= one.score.mean <= one.score.high


@pytest.mark.parametrize(
    ("label", "rules"),
    [  # gold, missing gold, unique, minority, middle, irrelevant, hallucinated, unmarked
        ("alpha", (4, 0, 0, 2, 4, 0, 2, 0)),
        ("bravo", (4, 0, 1, 1, 4, 1, 0, 1)),
        ("charlie", (4, 1, 0, 1, 3, 1, 0, 3)),
        ("delta", (3, 2, 1, 0, 1, 2, 0, 1)),
        ("echo", (18, 12, 0, 1, 6, 10, 1, 0)),  # over five answers to each photo
    ],
)
def test_rules_are_counted(label: str, rules: tuple[int, ...]) -> None:
    names = ("gold", "missing gold", "unique", "minority", "middle", "irrelevant", "hallucinated", "unmarked")
    assert standing(label, worked_example()).rules == dict(zip(names, rules, strict=True))


@pytest.mark.parametrize(
    ("label", "recall", "precision", "f1", "batches"),
    [
        ("alpha", 0.875, 17 / 24, 0.775, (0.75, 1.0)),
        ("bravo", 0.875, 7 / 12, 0.7, (0.75, 1.0)),
        ("charlie", 0.625, 7 / 15, 8 / 15, (0.75, 0.5)),
        ("delta", 0.75, 0.6, 2 / 3, (0.75, None)),
        ("echo", 0.575, 19 / 30, (2 / 7 + (3.8 + 2 / 3) / 5) / 2, (0.25, 0.9)),
    ],
)
def test_true_tags(
    label: str, recall: float, precision: float, f1: float, batches: tuple[float | None, float | None]
) -> None:
    one = standing(label, worked_example())
    assert one.recall is not None
    assert one.precision is not None
    assert one.f1 is not None
    assert (one.recall.mean, one.precision.mean, one.f1.mean) == pytest.approx((recall, precision, f1))
    names = ("2026-w23-zvkxk", "2026-w24-hmnpt")
    wanted = {name: (value, 1) for name, value in zip(names, batches, strict=True) if value is not None}
    assert one.recall_by_batch.keys() == wanted.keys()
    for name, mean in wanted.items():
        assert one.recall_by_batch[name] == pytest.approx(mean)


def test_the_rest_of_the_example() -> None:
    board = worked_example()
    assert [one.contestant for one in board.standings] == ["bravo", "alpha", "charlie", "delta", "echo"]
    assert board.pareto == ("charlie", "bravo")
    assert [one.label for one in board.batches] == ["zvkxk (06-03)", "hmnpt (06-10)"]
    assert standing("echo", board).steadiness == pytest.approx(0.7)
    assert standing("alpha", board).steadiness is None
    delta, echo = standing("delta", board), standing("echo", board)
    assert (delta.asked, delta.unanswered, dict(delta.outcomes)) == (3, 1, {"ok": 2, "truncated": 1})
    assert (echo.asked, echo.unanswered, dict(echo.outcomes)) == (15, 0, {"empty": 1, "ok": 14})
    assert delta.invalid_rate == pytest.approx(1 / 3)
    assert [photo.pool for photo in board.photos] == [POOL] * 3
    assert [given.contestant for given in board.photos[0].given[:4]] == ["bravo", "alpha", "charlie", "delta"]
    assert [given.repeat for given in board.photos[0].given[4:]] == [0, 1, 2, 3, 4]


def test_the_original_reading() -> None:
    board = worked_example(ORIGINAL)
    totals = {one.contestant: pytest.approx(one.total) for one in board.standings}
    assert totals == {"bravo": 5.0, "charlie": 5.0, "alpha": 3.0, "delta": 2.0, "echo": 1.8}
    assert list(totals) == ["bravo", "charlie", "alpha", "delta", "echo"]
    assert board.pareto == ("charlie",)


def test_votes_of_people_count_and_those_of_an_unknown_judge_do_not() -> None:
    board = worked_example()
    # ann: bravo over alpha, charlie and alpha tie, bravo over echo; ben: bravo over charlie, charlie over delta
    assert {one.contestant: one.votes for one in board.standings} == {
        "alpha": 2,
        "bravo": 3,
        "charlie": 3,
        "delta": 1,
        "echo": 1,
    }
    ratings = {one.contestant: one.rating.mean for one in board.standings if one.rating is not None}
    assert max(ratings, key=ratings.__getitem__) == "bravo"
    assert sum(ratings.values()) / 5 == pytest.approx(1500)
    assert board.judge is not None
    assert (board.judge.votes, board.judge.agreement.items, board.judge.trusted) == (3, 2, False)


@pytest.mark.parametrize(
    "note",
    [
        "bravo has most points, but 3 photos are too few to tell by.",
        "3 photos: intervals over fewer than 20 are too narrow; ask about more photos before choosing.",
        "delta gave no answer to 1 of 3 questions (1 truncated): these have no points, and it is judged on the others.",
        "4 tags of photos are not gold and marked by nobody, or by as many for as against: 0 points until people say "
        "more.",
        "1 tag of photos would be gold by consensus, but people say it does not suit the photo: naming costs points, "
        "missing costs nothing.",
        "What delta cost is not known: no points per dollar, no place on the Pareto front.",
        "2 votes left out: replaced by a later one of the same voter, or about answers that have changed since.",
    ],
)
def test_a_reader_is_told(note: str) -> None:
    assert note in worked_example().notes


def board_of(rows: list[dict[str, Any]], photos: int = 3, **others: Any) -> Scoreboard:
    facts = [PhotoFacts(f"p{place + 1}", f"{place + 1}.jpg", "b", MADE_AT) for place in range(photos)]
    given = {"contestants": CONTESTANTS, "photos": facts, "marks": marks(), **others}
    return make_scoreboard(experiment="e", purpose="", made_at=MADE_AT, answers=rows, **given)


def test_the_order_of_answers_and_photos_does_not_matter() -> None:
    board, other = board_of(answers()), board_of(answers()[::-1])
    assert board == other
    turned = board_of(answers(), photos=3, contestants=CONTESTANTS[::-1])
    assert turned == board
    backwards = make_scoreboard(
        experiment="worked-example",
        purpose="Every rule of scoring, and every edge of it",
        made_at=MADE_AT,
        contestants=CONTESTANTS,
        answers=answers(),
        photos=PHOTOS[::-1],
        marks=marks(),
        votes=votes(),
    )
    assert backwards.standings == worked_example().standings
    assert [photo.image_id for photo in backwards.photos] == ["p3", "p2", "p1"]


def test_nobody_and_nothing() -> None:
    board = make_scoreboard(experiment="e", purpose="", made_at=MADE_AT, contestants=(), answers=(), photos=())
    assert (board.standings, board.photos, board.notes, board.marks, board.judge) == ((), (), (), None, None)


def test_who_was_asked_nothing_stands_last_and_is_named() -> None:
    board = board_of([row for row in answers() if row["configuration"] != "bravo"])
    last = board.standings[-1]
    assert (last.contestant, last.score, last.asked, last.invalid_rate) == ("bravo", None, 0, 0.0)
    assert "bravo was asked nothing." in board.notes


def test_others_answers_are_left_alone() -> None:
    stranger = {**answers()[0], "configuration": "zulu"}
    elsewhere = {**answers()[0], "image_id": "p9"}
    assert board_of([*answers(), stranger, elsewhere]) == board_of(answers())


def test_one_contestant_has_no_consensus() -> None:
    board = board_of([row for row in answers() if row["configuration"] == "alpha"], contestants=CONTESTANTS[:1])
    rules = {one.tag: one.rule for photo in board.photos for given in photo.given for one in given.tags}
    assert rules["sand"] == "unique"  # people say it is relevant
    assert rules["beach"] == "unmarked"  # nobody does
    assert {one.share for photo in board.photos for given in photo.given for one in given.tags} == {None}
    assert (
        "Only one contestant answers: there is no consensus, and points come from people's marks alone." in board.notes
    )
    assert not [note for note in board.notes if "beyond doubt" in note]


@pytest.mark.parametrize(
    ("outcome", "cost", "found"),
    [
        ("refused", 0.001, 0.005),  # what was refused is paid for
        ("refused", None, None),  # somebody paid, and nobody knows what
        ("rate_limited", None, 0.004),  # nothing was answered, so nothing was paid
        ("over_budget", None, 0.004),  # nothing was asked
        ("timed_out", None, 0.004),  # nobody knows, and the reader is told
    ],
)
def test_cost_of_questions_without_an_answer(outcome: str, cost: float | None, found: float | None) -> None:
    rows = [dict(row) for row in answers() if row["configuration"] == "alpha"]
    rows[0] |= {"outcome": outcome, "cost_usd": cost, "tags": [], "outside": []}
    board = board_of(rows)
    assert standing("alpha", board).cost_usd == (None if found is None else pytest.approx(found))
    told = [note for note in board.notes if note.startswith("1 question to alpha timed out")]
    assert bool(told) is (outcome == "timed_out")


def test_what_was_never_asked_took_no_time() -> None:
    rows = [dict(row) for row in answers() if row["configuration"] == "alpha"]
    rows[0] |= {"outcome": "waiting", "cost_usd": None, "seconds": 0.0}
    assert standing("alpha", board_of(rows)).latency_ms == pytest.approx(2500.0)


def unasked(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is where nothing speaks for any tag."""
    nothing = {"outcome": "empty", "tags": [], "outside": [], "cost_usd": 0.0, "cost_source": UNASKED, "seconds": 0.0}
    return {**row, **nothing}


def test_a_photo_that_nobody_was_asked_about_tells_nobody_apart() -> None:
    rows = [unasked(row) if row["image_id"] == "p1" else row for row in answers()]
    refused = {"outcome": "refused", "tags": [], "outside": []}
    rows = [row | (refused if row["configuration"] == "delta" and row["seconds"] else {}) for row in rows]
    board = board_of(rows)
    alpha, delta = standing("alpha", board), standing("delta", board)
    assert (alpha.asked, alpha.outcomes) == (2, {"ok": 2})
    assert alpha.latency_ms == pytest.approx(2500.0)
    assert (delta.score, delta.asked, delta.unanswered) == (None, 2, 2)
    assert "Nothing spoke for any tag of 1 photo: nobody was asked, and it is not scored." in board.notes
    assert "delta gave no answer to 2 of 2 questions (2 refused): it has no score." in board.notes
    assert board.photos[0].given == ()


def test_who_asks_nothing_where_others_do_answers_without_tags() -> None:
    rows = [unasked(row) if row["image_id"] == "p1" and row["configuration"] == "alpha" else row for row in answers()]
    alpha = standing("alpha", board_of(rows))
    assert (alpha.asked, alpha.outcomes) == (3, {"empty": 1, "ok": 2})
    assert alpha.latency_ms == pytest.approx(2500.0), "no question, no time"


@pytest.mark.parametrize(
    ("photos", "sure"),
    [
        # who leads on every photo leads in every draw of them; five are won by luck in 6 % of all cases
        (5, False),
        (6, True),
    ],
)
def test_few_photos_leave_doubt(photos: int, *, sure: bool) -> None:
    rows = everybody(photos, {"alpha": "dog", "bravo": "red"})
    rows = [row | ({"outside": ["x"]} if row["configuration"] == "bravo" else {}) for row in rows]
    board = board_of(rows, photos=photos, marks=())
    assert ("beyond doubt" in board.notes[0]) is sure
    if not sure:
        assert board.notes[0] == "alpha has most points, but 5 photos are too few to tell by."


def everybody(photos: int, tags: dict[str, str]) -> list[dict[str, Any]]:
    blank = next(row for row in answers() if row["configuration"] == "alpha")
    return [
        {**blank, "image_id": f"p{place + 1}", "configuration": label, "tags": said.split(), "outside": []}
        for place in range(photos)
        for label, said in tags.items()
    ]


def test_a_clear_lead_is_said_to_be_clear() -> None:
    tags = {"alpha": "dog sea", "bravo": "dog", "charlie": "dog sea", "delta": "dog sea", "echo": "dog sea red"}
    rows = [row | ({"outside": ["x"]} if row["configuration"] != "alpha" else {}) for row in everybody(25, tags)]
    board = board_of(rows, photos=25, marks=())
    assert board.standings[0].contestant == "alpha"
    assert board.notes[0] == "alpha has more points than every other, beyond doubt (95 % intervals of the differences)."
    assert not [note for note in board.notes if "too narrow" in note]


def test_equals_are_not_told_apart() -> None:
    board = board_of(everybody(25, dict.fromkeys(("alpha", "bravo", "charlie", "delta", "echo"), "dog")), photos=25)
    assert "not better beyond doubt than bravo, charlie, delta and echo" in board.notes[0]


def judged(photos: int, *, trusted: bool) -> list[Vote]:
    """A judge asked both ways who says what people say, or the opposite of it."""
    pairs = next_pairs("e", shown_answers(everybody(photos, {"alpha": "dog", "bravo": "sea"})), [], "ann")
    found = []
    for pair in pairs:
        best: Winner = "left" if pair.left == "alpha" else "right"
        other: Winner = "right" if best == "left" else "left"
        vote = Vote("e", pair.image_id, pair.left, pair.right, best, pair.shown, "ann", "person", MADE_AT)
        said = replace(vote, voter="model", kind="judge", winner=best if trusted else other)
        turned = pair.mirrored
        back = replace(
            said, left=turned.left, right=turned.right, shown=turned.shown, winner=other if trusted else best
        )
        found += [vote, said, back]
    return found


@pytest.mark.parametrize(("trusted", "compared"), [(True, 60), (False, 30)])
def test_a_trusted_judge_votes_with_people(trusted: bool, compared: int) -> None:
    rows = everybody(30, {"alpha": "dog", "bravo": "sea"})
    board = board_of(rows, photos=30, contestants=CONTESTANTS[:2], votes=judged(30, trusted=trusted))
    assert board.judge is not None
    assert board.judge.trusted is trusted
    assert {one.votes for one in board.standings} == {compared}
    verb = "count" if trusted else "do not count"
    assert [note for note in board.notes if note.startswith(f"The votes of the judge model {verb}: it")]


def test_ratings_of_groups_that_never_met_are_called_so() -> None:
    kept = [one for one in votes() if {one.left, one.right} in ({"alpha", "bravo"}, {"charlie", "delta"})]
    board = board_of(answers(), votes=kept)
    wanted = (
        "Votes do not connect all contestants (alpha, bravo | charlie, delta): compare ratings within a group only."
    )
    assert wanted in board.notes
    assert standing("echo", board).rating is None


def test_a_batch_is_as_old_as_its_oldest_photo() -> None:
    young, old = datetime(2026, 6, 9, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    given = (("late", young), ("early", young), ("early", old))
    facts = [PhotoFacts(f"p{place}", "x.jpg", batch, at) for place, (batch, at) in enumerate(given)]
    made = make_scoreboard(experiment="e", purpose="", made_at=young, contestants=(), answers=(), photos=facts)
    assert [(one.batch, one.collected) for one in made.batches] == [("early", old), ("late", young)]


@pytest.mark.parametrize(
    ("configuration", "text"),
    [
        (Configuration("a", "m", "p"), "standard, temperature 0"),
        (
            Configuration("a", "m", "p", "quick", Sampling(temperature=0.8, top_p=0.9, seed=3), {"max_tags": 7}),
            "quick, temperature 0.8, top_p 0.9, seed 3, max_tags 7",
        ),
        (
            Configuration("a", "m", "p", sampling=Sampling(max_output_tokens=64)),
            "standard, temperature 0, at most 64 tokens",
        ),
    ],
)
def test_what_sets_a_configuration_apart(configuration: Configuration, text: str) -> None:
    assert described(configuration) == text
