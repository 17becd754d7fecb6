"""``tagging experiment judge``: a model compares pairs of answers, blind and in both orders."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from resources.experiments import Paid
from resources.prompt_store import PromptStore
from tagging_assets.commands.console import counted, print_note, styled
from tagging_assets.commands.models import ensure
from tagging_assets.commands.session import Session
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.chat import ChatReply
from tagging_assets.domain.chat_settings import EMBEDDED, Sampling
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiments import Experiment, Judge
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.prompts import Prompt
from tagging_assets.domain.scoreboard import JudgeReport
from tagging_assets.domain.standings_text import money
from tagging_assets.domain.voting import Pair, Vote, Winner, next_pairs, shown_answers

_SIDES: dict[str, Winner] = {"a": "left", "b": "right", "tie": "tie"}

#: Both orders of a pair, each with its reply.
Verdicts = list[tuple[Pair, ChatReply]]


@dataclass(frozen=True)
class Judged:
    """What came of it.

    Attributes:
        voter: the judge, as its votes call it.
        pairs: compared now.
        votes: written down now, two for a pair at most.
        silent: how many questions had which outcome other than ``ok``.
        paid: requests sent now, and what they cost.
        report: whether its votes count; ``None`` where there are none.
    """

    voter: str
    pairs: int
    votes: int
    silent: dict[str, int]
    paid: Paid
    report: JudgeReport | None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        report = self.report
        return {
            "judge": self.voter,
            "pairs": self.pairs,
            "votes": self.votes,
            "no_verdict": self.silent,
            "calls": self.paid.calls,
            "cost_usd": float(self.paid.cost_usd),
            "calls_of_unknown_cost": self.paid.unknown,
            "trusted": report is not None and report.trusted,
            "why": report.why if report else "there are no votes of a judge",
            "left_share": report.left_share if report else None,
            "alpha": report.agreement.alpha if report else None,
        }


def judge(
    session: Session, name: str, *, model: str | None = None, prompt: str | None = None, limit: int | None = None
) -> Judged:
    """Let a judge compare what it has not compared yet; pairs that people compared come first.

    Args:
        session: open.
        name: of the experiment.
        model: instead of the experiment's judge.
        prompt: instead of the experiment's.
        limit: at most so many pairs.

    Raises:
        SettingsError: no such experiment, nobody to judge, or a prompt of another mode.
        LlmRejected: the provider says no for good; what was judged until then stands.
    """
    tools, began = session.toolbox, datetime.now(UTC)
    experiment = tools.experiments.get(name)
    named = experiment.judge
    chosen = model or (named.model if named else None)
    if chosen is None:
        raise SettingsError(
            f"experiment {name} names no judge; say --model, or write `judge: {{model: …}}` into its file"
        )
    by = Judge(chosen, prompt or (named.prompt if named else "judge"))
    asked = judge_prompt(session, by.prompt)
    voter = by.model if by.prompt == "judge" else f"{by.model} ({by.prompt})"
    shown = shown_answers(tools.interviews.answers(experiment))
    pairs = next_pairs(name, shown, tools.votes.of(name), voter, limit=limit, shared=True)
    silent, votes = Counter[str](), 0
    if pairs:
        for verdicts in _verdicts(session, experiment, by, asked, pairs):
            given = [_vote(name, voter, *one) for one in verdicts if one[1].outcome == "ok"]
            silent.update(reply.outcome for _, reply in verdicts if reply.outcome != "ok")
            tools.votes.record(given)
            votes += len(given)
    board = tools.scoreboards.make(experiment, datetime.now(UTC))
    paid = tools.experiments.paid({experiment.purpose_of_calls}, began)
    return Judged(voter, len(pairs), votes, dict(silent), paid, board.judge)


def judge_prompt(session: Session, name: str) -> Prompt:
    """The prompt of that name.

    Raises:
        SettingsError: there is none, or it is of another mode.
    """
    found = PromptStore(session.settings.prompts_dir / "llm").get(name)
    if found.mode != "judge":
        raise SettingsError(f"prompt {name} is of mode {found.mode}; name one of mode judge")
    return found


def _verdicts(
    session: Session, experiment: Experiment, by: Judge, prompt: Prompt, pairs: Sequence[Pair]
) -> Iterator[Verdicts]:
    tools, llm = session.toolbox, session.settings.llm.model_copy(update={"model": by.model})
    if llm.find(by.model).provider == EMBEDDED:
        ensure(tools.weights, [by.model])
    purpose, budget = experiment.purpose_of_calls, experiment.budget_usd
    chat = tools.chat_for(by.model, Sampling(), purpose=purpose, budget_usd=budget)
    asker = replace(tools.asker, chat=chat, way=None, threads=tools.questions_at_once(llm))
    items = {item.image_id: item for item in tools.interviews.items(experiment)}
    there = [pair for pair in pairs if pair.image_id in items]
    ask = partial(_both_ways, asker, items, prompt)
    try:
        with counted("pairs", len(there)) as told, ThreadPoolExecutor(asker.threads) as pool:
            futures = [pool.submit(ask, pair) for pair in there]
            try:
                for done, future in enumerate(futures, start=1):
                    yield future.result()
                    told(done)
            finally:
                for future in futures:
                    future.cancel()
    finally:
        chat.close()


def _both_ways(asker: Asker, items: dict[str, Item], prompt: Prompt, pair: Pair) -> Verdicts:
    item = items[pair.image_id]
    return [(one, asker.judge(item, prompt, one.left_tags, one.right_tags)) for one in (pair, pair.mirrored)]


def _vote(experiment: str, voter: str, pair: Pair, reply: ChatReply) -> Vote:
    return Vote(
        experiment=experiment,
        image_id=pair.image_id,
        left=pair.left,
        right=pair.right,
        winner=_SIDES[reply.answer.fields["winner"]],
        shown=pair.shown,
        voter=voter,
        kind="judge",
        at=datetime.now(UTC),
        why=reply.answer.fields.get("why", ""),
        request_hash=reply.request_hash,
    )


def show(done: Judged) -> None:
    """Tell a person."""
    if not done.pairs:
        print_note(f"{done.voter} has compared all there is to compare; answers with the same tags are left out.")
    else:
        missing = ", ".join(f"{count} {outcome}" for outcome, count in sorted(done.silent.items()))
        print_note(
            f"{done.voter} compared {done.pairs} pairs in both orders: {done.votes} votes"
            f"{f'; no verdict: {missing}' if missing else ''}. Calls {done.paid.calls}, "
            f"cost {money(float(done.paid.cost_usd))}{' and some unknown' if done.paid.unknown else ''}.",
        )
    if done.report is not None:
        word = styled("counts", "green") if done.report.trusted else styled("does not count", "yellow")
        print_note(f"{done.report.judge} {word}: {done.report.why}")
