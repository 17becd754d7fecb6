"""What a chat model is told about a photo, and what its answer is taken for.

What does not belong here: which prompts are in use (``asking_way``), which tags are allowed (``narrowing``), how
replies look (``reply_forms``), and sending (``resources``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import PureWindowsPath
from typing import TypedDict, get_args

from tagging_assets.domain.asking_way import Way
from tagging_assets.domain.chat import ANSWERED, Answer, ChatImage, ChatModel, ChatReply, Outcome, Usage
from tagging_assets.domain.errors import LlmError, LlmNoAnswer, LlmOverBudget, LlmUnavailable, LlmWaiting
from tagging_assets.domain.frames import ImageRecord, Row
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import Gatherer
from tagging_assets.domain.narrowing import Likeness, narrow
from tagging_assets.domain.policy import filter_terms
from tagging_assets.domain.prompts import CHOOSING, WITH_PICTURE, Prompt
from tagging_assets.domain.reply_forms import FREE_FORMS, JudgeForm, TagsForm

#: So many of the tags seen in a photo are told to the chat model.
VISUAL_TAGS = 10

#: More letters of a caption, of all keywords, or of what a model said, are cut.
LONGEST_TEXT = 600

_OUTCOMES = frozenset(get_args(Outcome))


@dataclass(frozen=True, slots=True)
class Suggested:
    """One photo's answer.

    Attributes:
        reply: what came of it; of a strategy that asks twice, the last reply with the usage of both.
        pool: the tags that were allowed.
    """

    reply: ChatReply
    pool: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asker:
    """Asks about one photo at a time; safe to use from several threads.

    Attributes:
        chat: the chat model; ``None`` where it is switched off.
        way: how it is asked; ``None`` where it is switched off.
        gatherer: what was seen.
        first_look: fuses what was seen, without the operator's rules: a changed rule asks nothing anew.
        vocabulary: every tag that may be answered.
        picture: makes the picture of a photo from its row of ``proxies``.
        likeness: compares photos with the vocabulary; ``None`` where what was seen and written is enough.
        threads: so many questions at once make sense.
    """

    chat: ChatModel | None
    way: Way | None
    gatherer: Gatherer
    first_look: Fusion
    vocabulary: tuple[str, ...]
    picture: Callable[[Row], ChatImage]
    likeness: Likeness | None = None
    threads: int = 1

    def describe(self, item: Item) -> list[Row]:
        """Rows of ``captions`` of one photo; none where no words are asked for.

        Raises:
            LlmError: as :func:`check`; also what the chat model raises.
        """
        if self.chat is None or self.way is None or self.way.words is None:
            return []
        return _words_row(self.chat, self.way.words, check(self._words(self.chat, self.way, item, 0)))

    def ask(self, item: Item) -> list[Row]:
        """Rows of ``llm_tag_suggestions`` of one photo.

        Raises:
            LlmError: as :func:`check`; also what the chat model raises.
        """
        if self.chat is None or self.way is None:
            return []
        said: Sequence[Row] = ()
        if self.way.strategy == "detailed":
            if "captions" not in item.upstream:
                why = outcome_of(item.failed["captions"]) if "captions" in item.failed else "failed"
                raise LlmNoAnswer(f"{why}: there are no words to merge; see the stage captions")
            said = item.rows("captions")
        reply = check(self._tags(self.chat, self.way, item, said, 0).reply)
        return [
            {
                "model": self.chat.card.name,
                "tag": tag,
                "rank": rank,
                "request_hash": reply.request_hash,
            }
            for rank, tag in enumerate(reply.tags, start=1)
        ]

    def suggest(self, item: Item, repeat: int = 0) -> Suggested:
        """The answer about one photo with all that it took, whatever the line has kept of it.

        Args:
            item: with the rows of ``images``, ``proxies``, ``landmarks``, ``embeddings`` and of the scores.
            repeat: 1 is another sample than 0.

        Raises:
            LlmRejected: the provider says no for good.
            ModelError: a local model cannot be started.
        """
        if self.chat is None or self.way is None:
            return Suggested(ChatReply(Answer("empty"), ""))
        if self.way.strategy != "detailed" or self.way.words is None:
            return self._tags(self.chat, self.way, item, (), repeat)
        words = self._words(self.chat, self.way, item, repeat)
        if words.outcome not in ANSWERED:
            return Suggested(words)
        said = _words_row(self.chat, self.way.words, words)
        merged = self._tags(self.chat, self.way, item, said, repeat)
        return Suggested(_with_cost_of(words, merged.reply), merged.pool)

    def judge(self, item: Item, prompt: Prompt, a: Sequence[str], b: Sequence[str], *, repeat: int = 0) -> ChatReply:
        """Which of two lists of tags fits a photo better: field ``winner`` of an ok reply.

        Args:
            item: with the rows of ``images`` and ``proxies``.
            prompt: of mode ``judge``.
            a: one list; a judge may prefer what stands first, so ask in both orders.
            b: the other.
            repeat: 1 is another sample than 0.

        Raises:
            LlmRejected: the provider says no for good.
            ModelError: a local model cannot be started.
            ValueError: there is no model to ask.
        """
        if self.chat is None:
            raise ValueError("no chat model to judge with")
        values = {**photo_values(item), "a": tuple(a), "b": tuple(b)}
        return self.chat.ask(prompt, values, JudgeForm(), self._pictures(self.chat, prompt, item), repeat=repeat)

    def _words(self, chat: ChatModel, way: Way, item: Item, repeat: int) -> ChatReply:
        prompt = way.words
        if prompt is None:
            raise ValueError("no words are asked for")
        if prompt.mode in CHOOSING:
            return self._choose(chat, way, _Choice(prompt, item, repeat)).reply
        form = FREE_FORMS[prompt.mode](way.max_tags)
        values = {**photo_values(item), "max_tags": way.max_tags}
        return chat.ask(prompt, values, form, self._pictures(chat, prompt, item), repeat=repeat)

    def _tags(self, chat: ChatModel, way: Way, item: Item, said: Sequence[Row], repeat: int) -> Suggested:
        seen: list[tuple[str, float]] = []
        if way.strategy != "quick":
            found = self.first_look.decide(self.gatherer.seen(item)).tags[:VISUAL_TAGS]
            seen = [(tag.tag, tag.score) for tag in found]
        return self._choose(chat, way, _Choice(way.prompt, item, repeat, seen, said))

    def _choose(self, chat: ChatModel, way: Way, choice: "_Choice") -> Suggested:
        photo = photo_values(choice.item)
        suggestion = suggestion_of(choice.said)
        allowed = self._allowed(way, choice, photo, suggestion)
        if not allowed:
            return Suggested(ChatReply(Answer("empty"), ""))
        values = {
            **photo,
            "tags": [tag for tag in choice.seen if not way.only_evidenced or tag[0] in set(allowed)],
            "allowed": allowed,
            "max_tags": min(way.max_tags, len(allowed)),
            "suggestion": suggestion,
            "title": next((row["title"] or "" for row in choice.said), ""),
        }
        form = TagsForm(allowed, way.max_tags)
        pictures = self._pictures(chat, choice.prompt, choice.item)
        return Suggested(chat.ask(choice.prompt, values, form, pictures, repeat=choice.repeat), allowed)

    def _allowed(self, way: Way, choice: "_Choice", photo: "PhotoValues", suggestion: str) -> tuple[str, ...]:
        texts = [photo["caption"], suggestion]
        if "name" in choice.prompt.variables:
            texts.append(PureWindowsPath(photo["name"]).stem)
        if "keywords" in choice.prompt.variables:
            texts += photo["keywords"]
        fill = way.fills(choice.prompt)
        likeness: Mapping[str, float] = {}
        if self.likeness is not None and (not fill or len(self.vocabulary) > way.allowed_tags):
            views = [row for row in choice.item.rows("embeddings") if row["subject"] == "image"]
            likeness = self.likeness.of(views)
        text = "\n".join(texts)
        return narrow(self.vocabulary, choice.seen, way.allowed_tags, text=text, likeness=likeness, fill=fill)

    def _pictures(self, chat: ChatModel, prompt: Prompt, item: Item) -> tuple[ChatImage, ...]:
        return (self.picture(item.row("proxies")),) if prompt.mode in WITH_PICTURE and chat.sees else ()


@dataclass(frozen=True, slots=True)
class _Choice:
    """A question whose answer is tags: what was seen, and what was said in words, may be told with it."""

    prompt: Prompt
    item: Item
    repeat: int
    seen: Sequence[tuple[str, float]] = ()
    said: Sequence[Row] = ()


class PhotoValues(TypedDict):
    """What every prompt may say of a photo (``prompts.PHOTO_VARIABLES``); empty where nothing is known."""

    caption: str
    camera: str
    captured_at: str
    creator: str
    name: str
    folder: str
    keywords: tuple[str, ...]


def photo_values(item: Item) -> PhotoValues:
    """What every prompt may say of a photo.

    Where the file is, what its header says, and the keywords it has, may be told and are no input: a photo that is
    moved, or given a keyword, is not asked about anew. Of its folders only the nearest is told, for they may name
    people.
    """
    row = item.row("images")
    path = PureWindowsPath(row.get("uri") or "")
    return {
        "caption": _one_line(row.get("caption")),
        "camera": _one_line(row.get("camera")),
        "captured_at": _one_line(row.get("captured_at")),
        "creator": _one_line(row.get("creator")),
        "name": path.name,
        "folder": path.parent.name,
        "keywords": _told_keywords(row.get("keywords") or ()),
    }


def _one_line(text: object) -> str:
    return " ".join(str(text or "").split())[:LONGEST_TEXT]


def _told_keywords(keywords: Sequence[str]) -> tuple[str, ...]:
    """The keywords that policy lets a model be told, whole ones only, as many of the first as there is room for."""
    kept, _ = filter_terms(keywords)
    ends = accumulate(len(keyword) for keyword in kept)
    return tuple(keyword for keyword, end in zip(kept, ends, strict=True) if end <= LONGEST_TEXT)


def suggestion_of(said: Sequence[Row]) -> str:
    """A row of ``captions`` as one text for a prompt; ``""`` for none."""
    parts = []
    for row in said:
        parts += [f"{row['title']}." if row["title"] else "", row["caption"] or "", row["description"] or ""]
        parts.append(f"Keywords: {', '.join(row['keywords'])}." if row["keywords"] else "")
    return " ".join(part for part in parts if part)[:LONGEST_TEXT]


def check(reply: ChatReply) -> ChatReply:
    """The reply, if it is an answer.

    Raises:
        LlmWaiting: a provider's batch has the question.
        LlmOverBudget: nothing was asked, for want of money.
        LlmUnavailable: no answer this time.
        LlmNoAnswer: an answer that is none.
    """
    if reply.outcome in ANSWERED:
        return reply
    said = f"{reply.outcome}: {reply.error}"
    if reply.outcome == "waiting":
        raise LlmWaiting(said)
    if reply.outcome == "over_budget":
        raise LlmOverBudget(said)
    raise (LlmUnavailable if reply.retryable else LlmNoAnswer)(said)


def outcome_of(record: ImageRecord) -> str:
    """In one word, why a failed record of a chat model's stage has no answer."""
    word = (record.error or "").partition(":")[0]
    return word if word in _OUTCOMES else record.error_kind or LlmError.__name__


def silence(item: Item) -> str:
    """What a tag's reason says besides where the chat model was asked and gave no answer; ``""`` where it did."""
    failed = item.failed.get("llm_tag_suggestions")
    return "" if failed is None else f"; the chat model gave no answer ({outcome_of(failed)})"


def _words_row(chat: ChatModel, prompt: Prompt, reply: ChatReply) -> list[Row]:
    if reply.outcome != "ok":
        return []
    fields = reply.answer.fields
    return [
        {
            "model": chat.card.name,
            "prompt_id": prompt.id,
            **{name: fields.get(name) for name in ("caption", "title", "description", "file_name")},
            "keywords": list(reply.tags),
            "request_hash": reply.request_hash,
        }
    ]


def _with_cost_of(first: ChatReply, last: ChatReply) -> ChatReply:
    """The last reply, with what both took; what is unknown of one is unknown of both."""
    if not last.request_hash:  # there was nothing to choose from, so the words are all that was asked
        return replace(last, request_hash=first.request_hash, usage=first.usage, asked=first.asked)
    one, two = first.usage, last.usage
    sources = dict.fromkeys((one.cost_source, two.cost_source))
    usage = Usage(
        prompt_tokens=_sum(one.prompt_tokens, two.prompt_tokens),
        completion_tokens=_sum(one.completion_tokens, two.completion_tokens),
        cached_tokens=_sum(one.cached_tokens, two.cached_tokens),
        cost_usd=None if one.cost_usd is None or two.cost_usd is None else one.cost_usd + two.cost_usd,
        cost_source=" and ".join(sources) if all(sources) else "",
        seconds=one.seconds + two.seconds,
    )
    return replace(last, usage=usage, asked=first.asked or last.asked)


def _sum(one: int | None, two: int | None) -> int | None:
    return None if one is None or two is None else one + two
