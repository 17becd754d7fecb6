"""Label sets: free text that photos or people are scored against, as ``prompts/labels/*.yaml`` states it.

    name: objects            # as in tables and provenance
    version: "1"             # for people; what decides freshness is the hash of the content
    scope: image             # or person: scored on crops of people, and only where policy allows it
    category: object         # of the tags it makes
    topics: [objects]        # what a model must be able to see to be asked
    exclusive: false         # true: at most one of its labels is true of a subject
    threshold: 0.5           # raw score from which a label counts, of the embedded scorer (see below)
    thresholds: {ViT-B-32: 0.7}    # of other models, by name
    prompts: ["a photo of a {}"]
    neutral: [a photo]       # what a picture of none of the labels reads like
    labels:
      - {name: cat, synonyms: [kitten], kinds: [tabby, Siamese cat], context: [litter tray], threshold: 0.55}
      - {name: person, evidence: person_score}

A threshold belongs to a model: what is a sure sign from one is noise from the next. ``thresholds`` names the model.
``threshold`` counts for models that nobody else has a word on: those that are not named there and whose catalogue entry
has no knob ``threshold``. Of the models that come with the project, that is the embedded scorer alone.

What does not belong here: reading files (``resources.label_store``), and scoring (``zero_shot``).
"""

from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.policy import check_label_set
from tagging_assets.domain.printable import unseen
from tagging_assets.domain.rules import normalise_tag, tag_problem
from tagging_assets.domain.text_likeness import NEUTRAL

#: What a model may be able to see. A classifier of things sees no styles, and nothing about people.
Topic = Literal["objects", "scenes", "person attributes", "styles"]


#: Of a prompt or a synonym; text models take in less.
_LONGEST_TEXT = 1000

_NEUTRAL = {"image": NEUTRAL, "person": ("a photo of a person", "a portrait of someone")}


def _text(text: str) -> str:
    spaced = " ".join(text.split())
    if not spaced:
        raise ValueError("a text must not be empty")
    if hidden := unseen(spaced):
        raise ValueError(f"a text must not hold the unseen letter {hidden}; write it plainly")
    if len(spaced) > _LONGEST_TEXT:
        raise ValueError(f"a text of {len(spaced)} letters; at most {_LONGEST_TEXT}")
    return spaced


def _tag(text: str) -> str:
    tag = normalise_tag(_text(text))
    if problem := tag_problem(tag):
        raise ValueError(problem)
    return tag


def _template(text: str) -> str:
    if text.count("{}") != 1 or text.count("{") != 1 or text.count("}") != 1:
        raise ValueError(f'"{text}" needs exactly one {{}} where the label goes, e.g. "a photo of a {{}}"')
    return _text(text)


Text = Annotated[str, AfterValidator(_text)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Label(_Strict):
    """One label and the words that say what it looks like.

    Attributes:
        name: the tag it makes, in the one spelling of tags.
        synonyms: other names of the same thing.
        kinds: narrower things; a photo of one is a photo of the label ("Siamese cat" of "cat").
        context: things it is usually seen with; weaker evidence, for models that cannot see the thing itself.
        threshold: raw score from which it counts; the set's where ``None``.
        thresholds: the same by model; the set's where a model is not named.
        evidence: ``person_score`` where the person detector answers instead of free text.
    """

    name: Annotated[str, AfterValidator(_tag)]
    synonyms: tuple[Text, ...] = ()
    kinds: tuple[Text, ...] = ()
    context: tuple[Text, ...] = ()
    threshold: Share | None = None
    thresholds: dict[str, Share] = {}
    evidence: Literal["person_score"] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The name, its synonyms and its kinds, each once."""
        return tuple(dict.fromkeys((self.name, *self.synonyms, *self.kinds)))


class LabelSet(_Strict):
    """A checked label set; see the module's docstring for the fields."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    version: Annotated[str, Field(min_length=1)] = "1"
    scope: Literal["image", "person"] = "image"
    category: Annotated[str, AfterValidator(_tag)]
    topics: Annotated[tuple[Topic, ...], Field(min_length=1)]
    exclusive: bool = False
    threshold: Share
    thresholds: dict[str, Share] = {}
    prompts: tuple[Annotated[str, AfterValidator(_template)], ...] = ("a photo of a {}",)
    neutral: tuple[Text, ...] = ()
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]

    @field_validator("version", mode="before")
    @classmethod
    def _version_as_text(cls, version: object) -> object:
        """YAML reads ``version: 1`` as a number."""
        return str(version) if isinstance(version, int | float) and not isinstance(version, bool) else version

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: set[str] = set()
        for label in self.labels:
            if label.name in seen:
                raise ValueError(f'label "{label.name}" is there twice; keep one')
            seen.add(label.name)
        if self.exclusive and len(self.labels) < 2:
            raise ValueError("an exclusive set needs two labels or more to choose from")
        if self.scope == "person" and any(label.evidence for label in self.labels):
            raise ValueError("evidence: person_score is about a photo; use it in a set with scope: image")
        return self

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the set says; layout, comments and the order of keys do not count."""
        said = self.model_dump(mode="json")
        # Fields that younger sets may have do not change the hash of those that say nothing of them.
        for part in (said, *said["labels"]):
            for name in ("thresholds", "neutral"):
                if not part.get(name):
                    part.pop(name, None)
        return content_hash(said)

    @property
    def text(self) -> str:
        """What it says, a line a field and a label, for people who compare two of them."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        labels = [", ".join(f"{name}: {value}" for name, value in label.items()) for label in said.pop("labels")]
        return "\n".join([*(f"{name}: {value}" for name, value in said.items()), *labels])

    @property
    def names(self) -> tuple[str, ...]:
        """Every label's name, in the order of the file."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def scored(self) -> tuple[Label, ...]:
        """The labels that free text is scored for."""
        return tuple(label for label in self.labels if label.evidence is None)

    @property
    def person_labels(self) -> tuple[Label, ...]:
        """The labels that the person score answers."""
        return tuple(label for label in self.labels if label.evidence == "person_score")

    def threshold_of(self, name: str, model: str = "") -> float:
        """Raw score from which a label counts.

        Args:
            name: of the label.
            model: that scored it; the answer for any that nobody has a word on where ``""``.

        Raises:
            KeyError: the set has no such label.
        """
        named = self.threshold_for(name, model)
        return self._thresholds[name] if named is None else named

    def threshold_for(self, name: str, model: str) -> float | None:
        """The threshold that the set has for this very model; ``None`` where it names it nowhere.

        Raises:
            KeyError: the set has no such label.
        """
        return self._by_name[name].thresholds.get(model, self.thresholds.get(model))

    @cached_property
    def _by_name(self) -> dict[str, Label]:
        return {label.name: label for label in self.labels}

    @property
    def neutral_prompts(self) -> tuple[str, ...]:
        """What a picture of none of the labels reads like."""
        return self.neutral or _NEUTRAL[self.scope]

    @cached_property
    def _thresholds(self) -> dict[str, float]:
        return {label.name: self.threshold if label.threshold is None else label.threshold for label in self.labels}

    def prompt_ensembles(self, template: str | None = None) -> list[list[str]]:
        """Per label of :attr:`scored`, what the picture is compared with.

        Args:
            template: what the model wants texts in, e.g. ``{}`` for bare words; the set's ``prompts`` where ``None``.
        """
        templates = self.prompts if template is None else (template,)
        return [_ensemble(texts, templates) for texts in self._texts]

    def context_ensembles(self, template: str | None = None) -> list[list[str]]:
        """Per label of :attr:`scored`, the things it is usually seen with; an empty list where none are stated."""
        templates = self.prompts if template is None else (template,)
        return [_ensemble(label.context, templates) for label in self.scored]

    @cached_property
    def _texts(self) -> tuple[tuple[str, ...], ...]:
        return tuple(label.texts for label in self.scored)

    def blind_spots(self, sees: Collection[str]) -> tuple[str, ...]:
        """Topics of the set that a model cannot see; ask it only where there are none."""
        return tuple(topic for topic in self.topics if topic not in sees)


def parse_label_set(raw: object, where: str) -> LabelSet:
    """Check what a YAML file says.

    Args:
        raw: the parsed document.
        where: the file's name, for messages.

    Raises:
        SettingsError: a field is missing, unknown or makes no sense; names the file, the field and the mend.
        PolicyError: it asks for what must never be tagged.
    """
    if not isinstance(raw, dict):
        raise SettingsError(f"{where}: a label set is a mapping with name, category, topics, threshold and labels")
    try:
        label_set = LabelSet.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_one_line(error, where)) from error
    check_label_set(where, _all_terms(label_set))
    return label_set


def check_unique(label_sets: Iterable[tuple[str, LabelSet]]) -> None:
    """Refuse two sets of one name.

    Args:
        label_sets: (file name, set).

    Raises:
        SettingsError: names both files.
    """
    seen: dict[str, str] = {}
    for where, label_set in label_sets:
        if label_set.name in seen:
            raise SettingsError(
                f'{where}: name "{label_set.name}" is already used by {seen[label_set.name]}; rename one'
            )
        seen[label_set.name] = where


def _ensemble(texts: tuple[str, ...], templates: tuple[str, ...]) -> list[str]:
    return list(_filled_in(texts, templates))


# Asked for each photo anew, of a few hundred labels.
@lru_cache(maxsize=8192)
def _filled_in(texts: tuple[str, ...], templates: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(template.format(text) for template in templates for text in texts)


def _all_terms(label_set: LabelSet) -> list[str]:
    terms = [label_set.category, *(template.replace("{}", " ") for template in label_set.prompts), *label_set.neutral]
    for label in label_set.labels:
        terms += [*label.texts, *label.context]
    return terms


def _one_line(error: ValidationError, where: str) -> str:
    """The first mistake, as ``file: field: what is wrong``; the rest is counted."""
    first, count = error.errors(include_url=False)[0], error.error_count()
    field = ""
    for part in first["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = "no such field; remove it or correct its spelling"
    elif first["type"] == "missing":
        said = "is missing; add it"
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{where}: {field + ': ' if field else ''}{said}{more}"
