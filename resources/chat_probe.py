"""Asks a chat model what it can do, by asking it to do it: flags and model names claim what replies do not keep.

Five short questions and the provider's list of models. What a model fails at is a finding and never an error. Paid
questions are in the ledger and within the budget like all others, under the purpose ``probe``; they are asked anew
each time, as a ledger cannot say whether a server answers today.

What does not belong here: which models are asked, and telling people (``tagging_assets/commands/chat_abilities.py``).
"""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from resources.chat_accounts import Books, ChatAccounts
from resources.chat_question import ChatOptions, Question
from resources.dialect import Dialect, Structured
from resources.llm_failures import Exchange
from resources.llm_transport import NO_KEY, ChatTransport
from tagging_assets.domain.chat import Answer, ChatImage
from tagging_assets.domain.errors import LlmRejected, ModelError, SettingsError
from tagging_assets.domain.llm import request_hash
from tagging_assets.domain.prices import Size, most
from tagging_assets.domain.prompts import Message, Prompt

#: What the money is for, in the ledger.
PURPOSE = "probe"

#: Room for a model that thinks before it says one word.
_OUTPUT_TOKENS = 256

_SIDE = 96
_COLOURS = frozenset(
    ("red", "orange", "yellow", "green", "blue", "purple", "violet", "pink", "brown", "black", "white", "grey", "gray")
)
_WORD = re.compile(r"[a-z]+")
#: How servers word that a model is blind.
_BLIND = re.compile(r"image|picture|vision|multimodal|mmproj|content part|content type", re.IGNORECASE)
#: A question's own fault, so that asking again would end alike.
_REFUSED = frozenset({400, 404, 405, 415, 422, 501})

_ASK_WORD = "Reply with one word: ready"
_ASK_JSON = "Which colour is a ripe tomato? Reply in JSON with the keys colour and sure."
# It must not speak of JSON: only a server that holds to the schema makes a model write it then.
_ASK_SCHEMA = "Which colour is a ripe tomato, and are you sure of it?"
_ASK_PICTURE = "Name the two colours in this picture, in English, and nothing else."


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found; ``None`` where that cannot be told.

    Attributes:
        answers: whether it answers at all.
        listed: whether the provider lists it under ``/models``.
        vision: whether it tells what is in a picture.
        json_schema: whether its reply keeps to a schema that the question does not speak of.
        json_object: whether its reply is JSON where that is asked for.
        logprobs: whether its reply says how likely its words were.
        seconds: of the shortest question.
        errors: by ability, one line each: why it is missing or cannot be told.
    """

    answers: bool | None = None
    listed: bool | None = None
    vision: bool | None = None
    json_schema: bool | None = None
    json_object: bool | None = None
    logprobs: bool | None = None
    seconds: float | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "errors": dict(self.errors)}


class _Form:
    """A reply with a colour and a boolean."""

    name = "tomato"
    output_tokens = _OUTPUT_TOKENS
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {"colour": {"enum": ["blue", "green", "red"]}, "sure": {"type": "boolean"}},
        "required": ["colour", "sure"],
        "additionalProperties": False,
    }

    def read(self, said: object) -> Answer | None:
        """Whether it is of the form."""
        if not isinstance(said, dict) or set(said) != {"colour", "sure"} or not isinstance(said["sure"], bool):
            return None
        return Answer("ok") if said["colour"] in ("blue", "green", "red") else None


_FORM = _Form()


class ChatProbe:
    """Probes one model.

    Args:
        options: whom to ask.
        transport: sends requests.
        books: ledger and budget.
        dialect: what is known to be refused already.
    """

    def __init__(self, options: ChatOptions, transport: ChatTransport, books: Books, dialect: Dialect) -> None:
        self._options = replace(options, batch=False, purpose=PURPOSE)
        self._transport = transport
        self._accounts = ChatAccounts(self._options, books)
        self._dialect = dialect

    @property
    def at_most_usd(self) -> float | None:
        """US dollars of a probe at most; ``None`` where nobody knows."""
        if self._options.free:
            return 0.0
        if self._options.price is None:
            return None
        size = Size(text_bytes=1_500, messages=5, images=1, output_tokens=5 * _OUTPUT_TOKENS)
        cost = most(self._options.price.prices, size)
        return None if cost is None else float(cost)

    def run(self) -> Found:
        """Ask; a model that does not answer the first question is asked no more.

        Raises:
            DatabaseUnavailable: the ledger does not answer.
        """
        errors: dict[str, str] = {}
        listed = self._listed(errors)
        first = self._first()
        if first.failure is not None:
            # A server that is down says nothing about the model; one that knows no such model does.
            return Found(answers=False, listed=listed, errors={**errors, "answers": first.error})
        return Found(
            answers=True,
            listed=listed,
            vision=self._vision(errors),
            json_schema=self._structured("json_schema", _ASK_SCHEMA, errors),
            json_object=self._structured("json_object", _ASK_JSON, errors),
            logprobs=self._logprobs(errors),
            seconds=round(first.seconds, 3),
            errors=errors,
        )

    def _listed(self, errors: dict[str, str]) -> bool | None:
        import openai

        try:
            client = self._transport.client()
            # Where there is no key, the client library wants to be told that none is meant.
            headers: Any = {"Authorization": openai.Omit()} if client.api_key == NO_KEY else None
            names = {model.id for model in client.models.list(extra_headers=headers)}
        except (openai.OpenAIError, ModelError, SettingsError, ValueError, TypeError, AttributeError) as error:
            errors["listed"] = _line(error)
            return None
        return self._options.model in names

    def _first(self) -> Exchange:
        """The shortest question, in the simplest words that the provider does not refuse."""
        while True:
            exchange = self._ask(_ASK_WORD)
            simpler = self._dialect.without(exchange.error) if exchange.status in _REFUSED else None
            if simpler is None:
                return exchange
            self._dialect = simpler

    def _vision(self, errors: dict[str, str]) -> bool | None:
        exchange = self._ask(_ASK_PICTURE, picture=True)
        if exchange.failure is not None:
            errors["vision"] = exchange.error
            blind = exchange.status in _REFUSED or _BLIND.search(exchange.error) is not None
            return False if blind else None
        if exchange.finish_reason == "length":
            errors["vision"] = f"it went on for too long: {_quoted(exchange)}"
            return None
        named = set(_WORD.findall((exchange.text or "").lower())) & _COLOURS
        if named == {"red", "yellow"}:
            return True
        errors["vision"] = f"it says {_quoted(exchange)} of a red square on yellow"
        return False

    def _structured(self, kind: Structured, words: str, errors: dict[str, str]) -> bool | None:
        exchange = self._ask(words, structured=kind)
        if exchange.failure is not None:
            errors[kind] = exchange.error
            return False if exchange.status in _REFUSED else None
        said = _json(exchange.text)
        if (_FORM.read(said) is not None) if kind == "json_schema" else isinstance(said, dict):
            return True
        cut = exchange.finish_reason == "length"
        errors[kind] = f"it {'went on for too long:' if cut else 'says'} {_quoted(exchange)}"
        return None if cut else False

    def _logprobs(self, errors: dict[str, str]) -> bool | None:
        exchange = self._ask(_ASK_WORD, logprobs=True)
        if exchange.failure is not None:
            errors["logprobs"] = exchange.error
            return False if exchange.status in _REFUSED else None
        return exchange.logprobs

    def _ask(self, words: str, *, structured: Structured = "none", picture: bool = False, **more: object) -> Exchange:
        """Ask once, with the books kept; a failure of any kind is an exchange too."""
        question = self._question(words, structured, picture, more)
        try:
            entry = self._accounts.open(question)
        except SettingsError as error:
            return Exchange(None, 0.0, "failed", str(error))
        if entry is None:
            return Exchange(None, 0.0, "over_budget", "the budget of the day leaves no room for it", retryable=True)
        try:
            exchange = self._transport.send(question.body(self._options.model))
        except (LlmRejected, ModelError, SettingsError) as error:
            status = getattr(error.__cause__, "status_code", 0)
            exchange = Exchange(None, 0.0, "failed", str(error), may_cost=False, status=status)
        outcome = exchange.failure or ("ok" if exchange.text else "empty")
        self._accounts.close(entry, exchange, Answer(outcome, error=exchange.error))
        return exchange

    def _question(self, words: str, structured: Structured, picture: bool, more: Mapping[str, object]) -> Question:
        messages = (Message("user", words),)
        images = (ChatImage(f"red on yellow/{_SIDE}", _picture),) if picture else ()
        sampling = self._options.sampling
        parameters = {
            **self._dialect.parameters(sampling, _OUTPUT_TOKENS, sampling.seed),
            **self._options.extra,
            **more,
        }
        response_format = replace(self._dialect, structured=structured).response_format(_FORM)
        digest = request_hash(
            model=self._options.model,
            revision=self._options.version,
            prompt_hash=PURPOSE,
            messages=messages,
            parameters=parameters,
            response_format=response_format,
            images=[image.key for image in images],
            repeat=0,
        )
        prompt = Prompt(PURPOSE, "What a model can do.", "select", "", words, (), {}, PURPOSE)
        return Question(prompt, _FORM, messages, images, parameters, response_format, digest)


def _picture() -> bytes:
    """A red square on yellow: nobody who does not look names just these two colours."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_SIDE, _SIDE), (255, 220, 0))
    quarter = _SIDE // 4
    ImageDraw.Draw(image).rectangle((quarter, quarter, _SIDE - quarter, _SIDE - quarter), fill=(220, 0, 0))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95)
    return stream.getvalue()


def _json(text: str | None) -> object:
    """The reply as JSON, nothing forgiven."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None


def _quoted(exchange: Exchange) -> str:
    said = exchange.refusal or exchange.text or ""
    return json.dumps(" ".join(said.split())[:80], ensure_ascii=False)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
