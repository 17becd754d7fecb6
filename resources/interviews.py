"""Puts the questions of an experiment to one contestant: every photo, as often as is wanted.

What was answered before comes from the ledger, and costs nothing; what was no answer and would be none again stands,
as it does in the line. What does not belong here: how a photo is asked about (``domain/asking.py``), and when
(``tagging_assets/assets/benchmark_answers.py``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

from resources.decisions import Decisions
from resources.frame_store import FrameStore
from resources.manifest import Manifest
from resources.row_store import RowStore
from resources.workbench import Reporter, Silent
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.chat_settings import Chat
from tagging_assets.domain.experiments import UNASKED, Configuration, Experiment
from tagging_assets.domain.freshness import Item, items_from
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.identity import ImageRef
from tagging_assets.domain.schemas import BENCHMARK_ANSWERS
from tagging_assets.domain.stages import ASKING, STAGES

#: What contestants are told comes from the tables that production's own question takes, but for what chat models say:
#: contestants say that themselves.
NEEDS = {name: need for name, need in STAGES["llm_tag_suggestions"].needs.items() if name not in ASKING}

_ANCHOR = STAGES["llm_tag_suggestions"].anchor

#: No answers, and none the next time: the model spoke.
_FINAL = frozenset({"refused", "truncated", "invalid"})

Row = dict[str, Any]
Question = tuple[Item, int]


class AskerFor(Protocol):
    """Makes what asks as a section ``llm`` says; its ``chat`` is closed after use."""

    def __call__(self, llm: Chat, purpose: str, *, budget_usd: float | None = None) -> Asker:
        """For a purpose, as the ledger says it, within a budget of its own."""
        ...


@dataclass(frozen=True)
class Interviews:
    """Asks contestants.

    Attributes:
        rows: where answers are kept.
        frames: the stages' tables.
        manifest: which photos there are.
        decisions: knows photos' batches by id.
        llm: the settings that contestants differ from.
        asker_for: makes what asks.
        cancel: ends the waits of all chat models, for somebody who has had enough.
        reporter: told about progress.
    """

    rows: RowStore
    frames: FrameStore
    manifest: Manifest
    decisions: Decisions
    llm: Chat
    asker_for: AskerFor
    cancel: Callable[[], None] = lambda: None
    reporter: Reporter = field(default_factory=Silent)

    def ask(self, experiment: Experiment, configuration: Configuration) -> list[Row]:
        """Ask one contestant about every photo, and keep what it says.

        Returns:
            Rows of ``benchmark_answers``, by photo and repeat; photos that are not there are left out.

        Raises:
            LlmRejected: the provider says no for good.
            TaggingError: what concerns all questions: a model, the database, the disk, the settings.
        """
        llm = configuration.on(self.llm)
        names = (experiment.name, configuration.label)
        earlier = {
            (row["image_id"], row["repeat"]): row
            for row in self.rows.read(BENCHMARK_ANSWERS, *names)
            if row["outcome"] in _FINAL
        }
        asker = self.asker_for(llm, experiment.purpose_of_calls, budget_usd=experiment.budget_usd)
        answer = partial(_answer, asker, configuration, _identity(asker), earlier)
        questions = [(item, repeat) for item in self.items(experiment) for repeat in range(experiment.repeats)]
        rows: list[Row] = []
        self.reporter.begin(BENCHMARK_ANSWERS.name, " ".join(names), len(questions))
        try:
            for row in self._in_order(answer, questions, asker.threads):
                rows.append(row)
                self.reporter.advance(1)
        finally:
            self.reporter.end()
            if asker.chat is not None:
                asker.chat.close()
        self.rows.write(BENCHMARK_ANSWERS, rows, *names)
        return rows

    def items(self, experiment: Experiment) -> list[Item]:
        """The experiment's photos with what the line knows of them, in the experiment's order."""
        found: dict[str, Item] = {}
        for batch in self.decisions.batches(experiment.image_ids):
            frames = {name: self.frames.read(name, batch) for name in {_ANCHOR, *NEEDS}}
            found.update((item.image_id, item) for item in items_from(NEEDS, frames, _ANCHOR))
        return [found[image_id] for image_id in experiment.image_ids if image_id in found]

    def photos(self, experiment: Experiment) -> list[ImageRef]:
        """The experiment's photos as the manifest knows them, in the experiment's order."""
        refs = {
            ref.image_id: ref
            for batch in self.decisions.batches(experiment.image_ids)
            for ref in self.manifest.images(batch)
        }
        return [refs[image_id] for image_id in experiment.image_ids if image_id in refs]

    def answers(self, experiment: Experiment) -> list[Row]:
        """Answers of all its contestants about the photos and repeats it has now, as they were kept."""
        photos = set(experiment.image_ids)
        return [
            row
            for one in experiment.configurations
            for row in self.rows.read(BENCHMARK_ANSWERS, experiment.name, one.label)
            if row["image_id"] in photos and row["repeat"] < experiment.repeats
        ]

    def _in_order(
        self, answer: Callable[[Item, int], Row], questions: Sequence[Question], at_once: int
    ) -> Iterator[Row]:
        """Answers in the order of the questions; what has not begun when one raises is not begun."""
        with ThreadPoolExecutor(at_once) as pool:
            futures = [pool.submit(answer, *question) for question in questions]
            try:
                for future in futures:
                    yield future.result()
            except BaseException as error:
                if not isinstance(error, Exception):
                    # Somebody has had enough: waits of minutes would follow for what is under way.
                    self.cancel()
                raise
            finally:
                for future in futures:
                    future.cancel()


def _identity(asker: Asker) -> str:
    """Hash of everything but the photo that makes an answer what it is."""
    card = None if asker.chat is None else asdict(asker.chat.card)
    way = None if asker.way is None else asdict(asker.way)
    return content_hash([card, way, asker.vocabulary])


def _answer(
    asker: Asker,
    configuration: Configuration,
    identity: str,
    earlier: Mapping[tuple[str, int], Row],
    item: Item,
    repeat: int,
) -> Row:
    inputs = content_hash([identity, item.inputs, repeat])
    known = earlier.get((item.image_id, repeat))
    if known is not None and known["inputs"] == inputs:
        return {**known, "asked": False}
    suggested = asker.suggest(item, repeat)
    reply = suggested.reply
    # Where nothing speaks for any tag, nothing is asked, and that nothing was paid is known.
    usage = reply.usage if reply.request_hash else Usage(cost_usd=Decimal(0), cost_source=UNASKED)
    return {
        "image_id": item.image_id,
        "configuration": configuration.label,
        "repeat": repeat,
        "model": configuration.model,
        "outcome": reply.outcome,
        "error": reply.error,
        "tags": list(reply.tags),
        "outside": list(reply.answer.outside),
        "pool": list(suggested.pool),
        "request_hash": reply.request_hash,
        "inputs": inputs,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "cost_usd": None if usage.cost_usd is None else float(usage.cost_usd),
        "cost_source": usage.cost_source,
        "seconds": usage.seconds,
        "asked": reply.asked,
    }
