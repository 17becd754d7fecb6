"""Makes a scoreboard of an experiment's answers, and of what people say about them.

What does not belong here: the rules themselves (``scoring``), rows of contestants (``standings``), sentences
(``scoreboard_notes``), how all of it is shown (``resources``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tagging_assets.domain.agreement import judge_report, mark_agreement
from tagging_assets.domain.answer_metrics import pareto_front
from tagging_assets.domain.bradley_terry import rate
from tagging_assets.domain.experiments import UNASKED, Configuration
from tagging_assets.domain.relevance import relevance
from tagging_assets.domain.scoreboard import Batch, Given, JudgeReport, Options, Photo, Scoreboard, Standing
from tagging_assets.domain.scoreboard_notes import Uncounted, notes
from tagging_assets.domain.scoring import pool_of, score_photo
from tagging_assets.domain.standings import PhotoFacts, standings_of
from tagging_assets.domain.voting import Mark, Vote, comparisons, shown_answers, standing_votes

__all__ = ["PhotoFacts", "make_scoreboard", "score_rows"]


def make_scoreboard(
    *,
    experiment: str,
    purpose: str,
    made_at: datetime,
    contestants: Sequence[Configuration],
    answers: Sequence[Mapping[str, Any]],
    photos: Sequence[PhotoFacts],
    marks: Sequence[Mark] = (),
    votes: Sequence[Vote] = (),
    options: Options | None = None,
) -> Scoreboard:
    """Score an experiment.

    The same answers, marks and votes give the same scoreboard to the last digit, whatever the order of answers.

    Args:
        experiment: its name.
        purpose: one line.
        made_at: aware UTC.
        contestants: who takes part; answers of others are left alone.
        answers: rows of ``benchmark_answers``; photos that nobody was asked about tell nobody apart, and are not
            scored.
        photos: in the order of the experiment; answers about others are left alone.
        marks: on relevance, people's decisions among them, in the order in which they were given.
        votes: of people and judges, in the order in which they were given; those on other answers than these, and
            those of judges that are not trusted, do not count.
        options: how the rules are read; the defaults of :class:`Options` if not given.
    """
    options = options or Options()
    rows = _by_photo(answers, {one.label for one in contestants}, photos)
    wordless = [image_id for image_id, about in rows.items() if about and not any(map(_was_put, about))]
    rows |= {image_id: [] for image_id in wordless}
    here = [mark for mark in marks if mark.image_id in rows]
    said = relevance(here)
    scored = {image_id: score_photo(about, said.get(image_id, {}), options) for image_id, about in rows.items()}

    counted = standing_votes(votes, shown_answers(row for about in rows.values() for row in about))
    judges = _judges(counted)
    trusted = {judge.judge for judge in judges if judge.trusted}
    made = comparisons(vote for vote in counted if vote.kind == "person" or vote.voter in trusted)
    ratings = rate(made)

    standings = standings_of(
        contestants, photos, {key: _by_contestant(given) for key, given in scored.items()}, ratings
    )
    place = {one.contestant: index for index, one in enumerate(standings)}
    board = Scoreboard(
        experiment=experiment,
        purpose=purpose,
        made_at=made_at,
        options=options,
        batches=_batches(photos),
        standings=tuple(standings),
        photos=tuple(_photo(one, rows[one.image_id], scored[one.image_id], place) for one in photos),
        marks=mark_agreement(here),
        judge=judges[0] if judges else None,
        pareto=pareto_front({one.contestant: (_score(one), _per_question(one)) for one in standings}),
    )
    uncounted = Uncounted(ratings.groups, tuple(judges[1:]), len(votes) - len(counted), len(wordless))
    return replace(board, notes=notes(board, uncounted))


def score_rows(board: Scoreboard) -> list[dict[str, Any]]:
    """Rows of ``benchmark_scores``: every scored tag, and every gold tag that is missing."""
    return [
        {
            "image_id": photo.image_id,
            "configuration": given.contestant,
            "repeat": given.repeat,
            "tag": one.tag,
            "rule": one.rule,
            "points": one.points,
            "share": one.share,
            "relevant": one.relevant,
        }
        for photo in board.photos
        for given in photo.given
        for one in (*given.tags, *given.missing)
    ]


def _by_photo(
    answers: Sequence[Mapping[str, Any]], known: set[str], photos: Sequence[PhotoFacts]
) -> dict[str, list[Mapping[str, Any]]]:
    rows: dict[str, list[Mapping[str, Any]]] = {photo.image_id: [] for photo in photos}
    for row in answers:
        if row["configuration"] in known and row["image_id"] in rows:
            rows[row["image_id"]].append(row)
    for about in rows.values():
        about.sort(key=lambda row: (row["configuration"], row["repeat"]))
    return rows


def _was_put(row: Mapping[str, Any]) -> bool:
    """Whether a question was put at all: where nothing speaks for any tag, none is."""
    return bool(row["cost_source"] != UNASKED)


def _by_contestant(given: Sequence[Given]) -> dict[str, list[Given]]:
    found: dict[str, list[Given]] = {}
    for one in given:
        found.setdefault(one.contestant, []).append(one)
    return found


def _judges(votes: Sequence[Vote]) -> list[JudgeReport]:
    """All judges, the busiest first."""
    names = {vote.voter for vote in votes if vote.kind == "judge"}
    return sorted((judge_report(name, votes) for name in names), key=lambda one: (-one.votes, one.judge))


def _batches(photos: Sequence[PhotoFacts]) -> tuple[Batch, ...]:
    collected: dict[str, datetime] = {}
    for photo in photos:
        collected[photo.batch] = min(photo.collected, collected.get(photo.batch, photo.collected))
    return tuple(Batch(batch, at) for batch, at in sorted(collected.items(), key=lambda one: (one[1], one[0])))


def _photo(
    facts: PhotoFacts, rows: Sequence[Mapping[str, Any]], given: Sequence[Given], place: Mapping[str, int]
) -> Photo:
    ordered = sorted(given, key=lambda one: (place[one.contestant], one.repeat))
    return Photo(facts.image_id, facts.title, facts.batch, pool_of(rows), facts.reference, tuple(ordered))


def _score(one: Standing) -> float | None:
    return None if one.score is None else round(one.score.mean, 9)


def _per_question(one: Standing) -> float | None:
    return None if one.cost_usd is None or not one.asked else one.cost_usd / one.asked
