"""Prompts as text files: YAML front matter, then a Jinja2 body in two sections.

    ---
    id: select
    purpose: Choose tags from an allowed list.
    mode: select
    variables: [tags, caption, name, allowed, max_tags]
    hints: {max_output_tokens: 96, models: "small ones, in English"}
    ---
    ## system
    …what holds for every photo…
    ## user
    …this photo: {{ caption | quoted }}…

The heading ``## system`` may be left out, with its section; ``## user`` may not. Text that came with a photo
(caption, file name; ``keywords | join(", ")``) goes through the filter ``quoted``, so that it can neither leave its
line nor forge the markers by which a chat template tells roles apart. Plain JSON in a body needs no escaping; what
Jinja2 would take for its own, such as two opening braces in a row, is written ``{{ "{{" }}``.

A prompt's mode says what it is for and so what it can be told (:data:`MODE_VARIABLES`):

    select    the best of the allowed tags, out of what was seen and written       no picture
    see       the best of the allowed tags, out of the picture                     picture
    caption   one sentence                                                         picture
    classify  title, description, keywords and a file name                         picture where the model sees
    merge     the best of the allowed tags, out of what was seen and a caption     no picture
    judge     which of two lists of tags fits the photo better                     picture where the model sees

What does not belong here: reading files (``resources/prompt_store.py``), asking (``domain/asking.py``).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import jinja2
import jinja2.meta
import pydantic
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.printable import storable
from tagging_assets.domain.yaml_text import parse_yaml

#: What is known of every photo: the caption its author wrote, the keywords that people gave it (a list, without what
#: policy refuses), its file's and its folder's name, its header. No prompt that comes with the project uses keywords,
#: for they often name people.
PHOTO_VARIABLES = frozenset({"caption", "keywords", "name", "folder", "camera", "captured_at", "creator"})

_CHOICE = PHOTO_VARIABLES | {"tags", "allowed", "max_tags"}

#: What the code that runs a prompt of each mode can tell it.
MODE_VARIABLES: Mapping[str, frozenset[str]] = {
    "select": _CHOICE,
    "see": _CHOICE,
    "caption": PHOTO_VARIABLES,
    "classify": PHOTO_VARIABLES | {"max_tags"},
    "merge": _CHOICE | {"suggestion", "title"},
    "judge": PHOTO_VARIABLES | {"a", "b"},
}

#: Modes whose answers are tags of the allowed list.
CHOOSING = frozenset({"select", "see", "merge"})

#: Modes that make no sense to a model that cannot look.
NEEDS_EYES = frozenset({"see", "caption"})

#: Modes that come with the picture where the model can look.
WITH_PICTURE = NEEDS_EYES | {"classify", "judge"}

_FRONT_MATTER = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
#: Of a prompt with everything filled in; no chat model takes in more.
_LONGEST_FILLED = 1_000_000
_SECTION = re.compile(r"^## +(system|user) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that passed every check that can be made before it is used.

    Attributes:
        id: its name, the same as its file's.
        purpose: one line for people.
        mode: which variables it is rendered with; see :data:`MODE_VARIABLES`.
        system: Jinja2 source of the system message; ``""`` for none.
        user: Jinja2 source of the user message.
        variables: what it uses, sorted.
        hints: what the author found to work, such as ``max_output_tokens``; settings may overrule them.
        hash: SHA-256 of everything that can change an answer, so not of the purpose.
    """

    id: str
    purpose: str
    mode: str
    system: str
    user: str
    variables: tuple[str, ...]
    hints: Mapping[str, float | int | str | bool]
    hash: str

    @property
    def text(self) -> str:
        """What it says, in lines for people who compare two of them."""
        hints = [f"{name}: {value}" for name, value in self.hints.items()]
        system = ["# system", self.system] if self.system else []
        return "\n".join([f"mode: {self.mode}", *hints, *system, "# user", self.user])


class _Head(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    id: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    purpose: str = pydantic.Field(min_length=1)
    mode: str
    variables: list[str]
    hints: dict[str, float | int | str | bool] = {}

    @pydantic.field_validator("hints")
    @classmethod
    def _counts_tokens(cls, hints: dict[str, float | int | str | bool]) -> dict[str, float | int | str | bool]:
        limit = hints.get("max_output_tokens", 1)
        if type(limit) is not int or limit < 1:
            raise ValueError("max_output_tokens must be a whole number above 0")
        return hints


def quoted(text: object) -> str:
    """Text as one JSON string on one line; letters of any script stay readable.

    ``<`` and ``>`` are escaped too: runtimes recognise ``<end_of_turn>``, ``<|im_end|>`` and their like anywhere
    in a message, and a caption must not end the user's turn.
    """
    return json.dumps(storable(str(text)), ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")


def _environment() -> ImmutableSandboxedEnvironment:
    # Chat models read plain text: HTML escaping would change what they are told.
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quoted"] = quoted
    return environment


_JINJA = _environment()


def parse_prompt(text: str, where: str) -> Prompt:
    """Read a prompt.

    Args:
        text: the whole file.
        where: what to call it in errors.

    Raises:
        SettingsError: front matter, section or template makes no sense, or a variable is unknown or undeclared.
    """
    # Editors differ in line ends and trailing blanks; neither is worth asking a model anew for.
    tidy = "\n".join(line.rstrip() for line in text.removeprefix("\ufeff").splitlines()) + "\n"
    parts = _FRONT_MATTER.match(tidy)
    if parts is None:
        raise SettingsError(f"{where}: starts with no front matter; put id, purpose, mode between two `---` lines")
    head = _head(parts["head"], where)
    known = MODE_VARIABLES.get(head.mode)
    if known is None:
        raise SettingsError(f"{where}: mode {head.mode!r} is unknown; use one of {', '.join(sorted(MODE_VARIABLES))}")
    sections = _sections(parts["body"], where)
    _check_variables(set(head.variables), known, sections, where)
    variables = tuple(sorted(set(head.variables)))
    canonical = {
        "id": head.id,
        "mode": head.mode,
        "variables": variables,
        "hints": head.hints,
        "system": sections.get("system", ""),
        "user": sections["user"],
    }
    return Prompt(
        id=head.id,
        purpose=head.purpose,
        mode=head.mode,
        system=sections.get("system", ""),
        user=sections["user"],
        variables=variables,
        hints=head.hints,
        hash=content_hash(canonical),
    )


def render(prompt: Prompt, values: Mapping[str, object]) -> tuple[Message, ...]:
    """Fill a prompt in.

    Args:
        prompt: what to fill in.
        values: at least the prompt's variables; the rest is ignored.

    Returns:
        The user message, after the system message if there is one.

    Raises:
        SettingsError: a variable is missing, or the template fails on the values.
    """
    given = {name: value for name, value in values.items() if name in prompt.variables}
    messages = []
    if prompt.system:
        messages.append(Message("system", _fill(prompt.id, prompt.system, given)))
    messages.append(Message("user", _fill(prompt.id, prompt.user, given)))
    return tuple(messages)


def _fill(prompt_id: str, source: str, values: Mapping[str, object]) -> str:
    try:
        return _within(prompt_id, _JINJA.from_string(source).generate(values))
    except RecursionError as error:
        raise SettingsError(f"prompt {prompt_id}: cannot be filled in: a macro calls itself for ever") from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise SettingsError(f"prompt {prompt_id}: cannot be filled in: {error}") from error


def _within(prompt_id: str, pieces: Iterable[str]) -> str:
    kept: list[str] = []
    left = _LONGEST_FILLED
    for piece in pieces:
        kept.append(piece)
        left -= len(piece)
        if left < 0:
            raise SettingsError(f"prompt {prompt_id}: comes to more than {_LONGEST_FILLED} letters; shorten it")
    return "".join(kept)


def _head(text: str, where: str) -> _Head:
    said = parse_yaml(text, f"{where}: front matter")
    try:
        return _Head.model_validate(said)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "it"
        told = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            told = f"no such entry; there are {', '.join(_Head.model_fields)}"
        raise SettingsError(f"{where}: front matter: {name}: {told}") from error


def _sections(body: str, where: str) -> dict[str, str]:
    """Section name to its text; nothing may stand outside, nothing twice."""
    before, *pieces = _SECTION.split(body)
    if before.strip():
        raise SettingsError(f"{where}: text before the first section; put it under `## system` or `## user`")
    names = pieces[0::2]
    if len(set(names)) != len(names):
        raise SettingsError(f"{where}: a section comes twice; keep one `## system` and one `## user`")
    sections = {name: text.strip() for name, text in zip(names, pieces[1::2], strict=True)}
    if not sections.get("user"):
        raise SettingsError(f"{where}: has no `## user` section, or an empty one")
    return sections


def _check_variables(declared: set[str], known: frozenset[str], sections: Mapping[str, str], where: str) -> None:
    used: set[str] = set()
    for name, source in sections.items():
        try:
            used |= jinja2.meta.find_undeclared_variables(_JINJA.parse(source))
            _JINJA.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise SettingsError(f"{where}: `## {name}`, its line {error.lineno}: {error.message}") from error
    for wrong, reason in (
        (declared - known, f"no such variable in this mode; there are {', '.join(sorted(known))}"),
        (used - declared, "used but not listed under `variables`"),
        (declared - used, "listed under `variables` but not used"),
    ):
        if wrong:
            raise SettingsError(f"{where}: {', '.join(sorted(wrong))}: {reason}")
