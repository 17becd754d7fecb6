"""What the operator decides about tags: the section ``rules`` of ``tagging.yaml``, checked as a whole.

A rule that contradicts another one is an error when the file is read, with the name of the setting and the way
out, and never a surprise in somebody's tags. What does not belong here: reading the file (``settings``), applying
the rules (``fusion``), and what may never be tagged whatever the operator says (``policy``).
"""

import difflib
import reprlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.printable import unseen

#: Stands for every category without an entry of its own, in thresholds.
ANY_CATEGORY = "*"

#: Letters of a tag, at most.
LONGEST_TAG = 200

#: Faces drawn in characters, as booru vocabularies have them: their underscore is a mouth, not a space.
KAOMOJI = frozenset(
    {
        *("0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o"),
        *("@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||"),
    }
)


@lru_cache(maxsize=65_536)
def normalise_tag(text: str) -> str:
    """One spelling per tag: lower case, underscores as spaces, single spaces, composed accents.

    Idempotent. Kaomoji such as ``^_^`` keep their underscore.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    plain = " ".join(folded.split())
    return plain if plain in KAOMOJI else " ".join(plain.replace("_", " ").split())


def tag_problem(tag: str) -> str:
    """Why nobody could read a tag, in its one spelling; ``""`` where they can."""
    if not tag:
        return "a tag must not be empty"
    if hidden := unseen(tag):
        return f"a tag must not hold the unseen letter {hidden}; write it plainly"
    if len(tag) > LONGEST_TAG:
        return f"{len(tag)} letters are no tag; at most {LONGEST_TAG}"
    return ""


def _tag(text: str) -> str:
    tag = normalise_tag(text)
    if problem := tag_problem(tag):
        raise ValueError(problem)
    return tag


def _tag_set(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(tags)))


Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Tag = Annotated[str, AfterValidator(_tag)]
TagSet = Annotated[tuple[Tag, ...], AfterValidator(_tag_set)]
Category = Annotated[str, AfterValidator(normalise_tag), Field(min_length=1)]


#: What pydantic calls things, and what YAML does.
_PLAIN_WORDS = (
    ("dictionary or instance of Rules", "mapping of settings"),
    ("dictionary", "mapping"),
    ("Tuple", "List"),
    ("tuple", "list"),
    (" after validation", ""),
)


_NO_ADVICE: Mapping[str, Mapping[str, str]] = {}

#: A contradiction between settings names the one to mend itself, at the start.
_CONTRADICTED = ("aliases: ", "forced: ", "features: ", "exclusive.")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceOverride(_Section):
    """What the operator changes about one source; what is left out stays as the catalogue has it.

    Attributes:
        weight: trust in the source, 0 (ignored) to 1.
        calibration: ``[[raw score, confidence], …]``, see ``calibration``.
        thresholds: category (or ``*``) to the raw score from which a label counts; goes before the thresholds
            of label sets and of the catalogue.
    """

    weight: Share | None = None
    calibration: tuple[tuple[Number, Number], ...] | None = None
    thresholds: dict[Category, Number] = Field(default_factory=dict)

    @field_validator("calibration")
    @classmethod
    def _monotone(cls, points: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        if points is not None:
            try:
                Calibration(points)
            except SettingsError as error:
                raise ValueError(str(error)) from error
        return points


class FeatureRule(_Section):
    """A measured body feature that gives a tag, e.g. ``hair_colour`` equals ``red`` gives "red hair".

    Either ``equals`` (of the feature's label) or ``above`` and/or ``below`` (of its value, both exclusive).

    Attributes:
        feature: name in the table ``body_features``.
        tag: the tag to give.
        category: its category.
        min_confidence: how sure the measurement must be to count, 0 to 1.
    """

    feature: Annotated[str, Field(min_length=1)]
    tag: Tag
    category: Category = "person"
    equals: str | None = None
    above: Number | None = None
    below: Number | None = None
    min_confidence: Share = 0.5

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        ranged = self.above is not None or self.below is not None
        if ranged == (self.equals is not None):
            raise ValueError("give either equals (a word) or above and/or below (numbers)")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"no value is above {self.above:g} and below {self.below:g}; swap them")
        return self

    @property
    def condition(self) -> str:
        """The rule in one phrase, e.g. ``0.6 < waist_hip_ratio < 0.8``: kept with every tag it makes."""
        if self.equals is not None:
            return f"{self.feature} = {self.equals}"
        low = "" if self.above is None else f"{self.above:g} < "
        high = "" if self.below is None else f" < {self.below:g}"
        return f"{low}{self.feature}{high}"

    def holds(self, value: float | None, label: str | None) -> bool:
        """Whether a measurement meets the condition; one that is missing never does."""
        if self.equals is not None:
            return label is not None and normalise_tag(label) == normalise_tag(self.equals)
        if value is None:
            return False
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


class Rules(_Section):
    """The operator's word on tags, consistent as a whole.

    Attributes:
        keep_above: fused score from which a tag is kept.
        review_below: kept tags with less than this go to a person first.
        conflict_margin: a winner of an exclusive group with less lead than this goes to a person first.
        max_tags: most tags per photo; ``None`` for no limit. Forced tags always have a place.
        max_per_category: most tags per category; 0 switches a category off.
        sources: source, or ``source/model`` for one model of it, to what changes about it.
        aliases: another spelling to the one tag that is kept.
        implied: what becomes of tags that go without saying beside others, such as "shirt" beside "blue shirt":
            ``keep`` or ``drop`` (see ``implied_tags``). What people keep and rules force always stays.
        banned: tags that are never given. Whole tags: "cat" does not ban "cathedral".
        forced: tags that every photo gets.
        exclusive: name of a group to tags of which a photo has at most one.
        features: rules on body features.
    """

    keep_above: Share = 0.4
    review_below: Share = 0.7
    conflict_margin: Share = 0.1
    max_tags: Annotated[int, Field(ge=1)] | None = 20
    max_per_category: dict[Category, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    sources: dict[str, SourceOverride] = Field(default_factory=dict)
    aliases: dict[str, Tag] = Field(default_factory=dict)
    implied: Literal["keep", "drop"] = "keep"
    banned: TagSet = ()
    forced: TagSet = ()
    exclusive: dict[str, TagSet] = Field(default_factory=dict)
    features: tuple[FeatureRule, ...] = ()

    @field_validator("aliases", mode="after")
    @classmethod
    def _one_target_each(cls, aliases: dict[str, str]) -> dict[str, str]:
        spelt: dict[str, str] = {}
        for written, target in aliases.items():
            alias = _tag(written)
            if spelt.setdefault(alias, target) != target:
                raise ValueError(f'"{alias}" is given twice, for "{spelt[alias]}" and "{target}"; keep one')
        return spelt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problem = (
            _alias_problem(self.aliases, self.banned)
            or _banned_problem(self)
            or _aliased_problem(self)
            or _exclusive_problem(self.exclusive, self.forced)
        )
        if problem:
            raise ValueError(problem)
        return self

    @property
    def rules_hash(self) -> str:
        """SHA-256 of what the rules say: the same for another order, spelling or layout of the file."""
        body = self.model_dump(mode="json")
        body["features"] = sorted(content_hash(rule) for rule in body["features"])
        return content_hash(body)

    def canonical(self, label: str) -> str:
        """The one tag that a label stands for: normalised, then its alias if it has one."""
        tag = normalise_tag(label)
        return self.aliases.get(tag, tag)

    def with_exclusive(self, groups: Mapping[str, Iterable[str]]) -> "Rules":
        """The same rules with more exclusive groups, e.g. those of label sets; the operator's own win by name.

        Raises:
            SettingsError: a group contradicts the rules.
        """
        added = {name: sorted({self.canonical(tag) for tag in tags}) for name, tags in groups.items()}
        kept = {name: [tag for tag in tags if tag not in self.banned] for name, tags in added.items()}
        usable = {name: tags for name, tags in kept.items() if len(tags) > 1}
        return parse_rules({**self.model_dump(), "exclusive": {**usable, **self.exclusive}})

    def check_policy(self, refuse: Callable[[str], str | None]) -> None:
        """Refuse rules that would give a tag that must never be given.

        Raises:
            PolicyError: names the setting and the tag.
        """
        given = [
            *(("rules.forced", tag) for tag in self.forced),
            *((f"rules.aliases.{alias}", tag) for alias, tag in self.aliases.items()),
            *(("rules.features", term) for rule in self.features for term in (rule.tag, rule.category)),
            *(("rules.max_per_category", category) for category in self.max_per_category),
        ]
        for field, tag in given:
            category = refuse(tag)
            if category is not None:
                raise PolicyError(f'{field}: "{tag}" is about {category}, which is never tagged; remove it')

    def check_people(self, describes: Callable[[str], bool]) -> None:
        """Refuse rules that would describe people in photos where that is off.

        An alias of what describes people itself makes nothing worse; features are not measured at all.

        Raises:
            PolicyError: names the setting and the tag.
        """
        given = [
            *(("rules.forced", tag) for tag in self.forced),
            *((f"rules.aliases.{alias}", tag) for alias, tag in self.aliases.items() if not describes(alias)),
        ]
        for field, tag in given:
            if describes(tag):
                raise PolicyError(
                    f'{field}: "{tag}" describes people, which people.enabled allows; remove it, or set that'
                )


def parse_rules(data: Mapping[str, Any], where: str = "rules") -> Rules:
    """Read the section ``rules`` of the settings.

    Raises:
        SettingsError: one line that names each wrong setting and what to write instead.
    """
    try:
        return Rules.model_validate(data)
    except ValidationError as error:
        raise SettingsError(validation_message(error, where)) from error


def validation_message(
    error: ValidationError, where: str = "", advice: Mapping[str, Mapping[str, str]] = _NO_ADVICE
) -> str:
    """What is wrong with settings that hold rules, in one line: each setting by its full name, in YAML's words.

    Args:
        error: of ``Rules``, or of settings around it.
        where: name of the section that was checked; ``""`` for the whole file.
        advice: by section and last word of a setting's name, what to do where there is no such setting.
    """
    return "; ".join(_readable(detail, where, advice) for detail in error.errors())


def _readable(detail: ErrorDetails, where: str, advice: Mapping[str, Mapping[str, str]]) -> str:
    path = [where, *(str(part) for part in detail["loc"] if part != "[key]")]
    field = ".".join(part for part in path if part) or "the file"
    if detail["type"] == "extra_forbidden":
        section, last = field.partition(".")[0], str(detail["loc"][-1])
        return f"{field}: no such setting; {advice.get(section, {}).get(last) or _near(section, last)}"
    message = detail["msg"].removeprefix("Value error, ")
    if message.startswith(_CONTRADICTED):
        return f"{field}.{message}"
    for jargon, plain in _PLAIN_WORDS:
        message = message.replace(jargon, plain)
    told = "" if isinstance(detail["input"], dict | list | tuple) else f" (it is {reprlib.repr(detail['input'])})"
    return f"{field}: {message[0].lower()}{message[1:]}{told}"


def _near(section: str, name: str) -> str:
    if section != "rules":
        return "remove it"
    known = [*Rules.model_fields, *SourceOverride.model_fields, *FeatureRule.model_fields]
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "remove it"


def _alias_problem(aliases: Mapping[str, str], banned: Iterable[str]) -> str:
    for alias, target in aliases.items():
        if alias == target:
            return f'aliases: "{alias}" stands for itself once case and underscores are gone; remove it'
        if target in aliases:
            end = aliases[target]
            if end == alias:
                return f'aliases: "{alias}" and "{target}" stand for each other; remove one'
            return f'aliases: "{alias}" leads to "{target}", itself an alias of "{end}"; write {alias}: {end}'
        for tag in (alias, target):
            if tag in banned:
                return f'aliases: "{alias}" stands for "{target}", but "{tag}" is banned; remove one of the two'
    return ""


def _banned_problem(rules: Rules) -> str:
    given = [*(("forced", tag) for tag in rules.forced), *(("features", rule.tag) for rule in rules.features)]
    for field, tag in given:
        if tag in rules.banned:
            return f'{field}: "{tag}" is banned as well; remove it from one of the two'
    return ""


def _aliased_problem(rules: Rules) -> str:
    named = [
        *(("forced", tag) for tag in rules.forced),
        *(("features", rule.tag) for rule in rules.features),
        *((f"exclusive.{name}", tag) for name, tags in rules.exclusive.items() for tag in tags),
    ]
    for field, tag in named:
        if tag in rules.aliases:
            return f'{field}: "{tag}" is an alias of "{rules.aliases[tag]}"; write "{rules.aliases[tag]}"'
    return ""


def _exclusive_problem(groups: Mapping[str, tuple[str, ...]], forced: Iterable[str]) -> str:
    for name, tags in groups.items():
        if len(tags) < 2:
            return f"exclusive.{name}: a group needs two different tags or more"
        both = [tag for tag in forced if tag in tags]
        if len(both) > 1:
            return f'exclusive.{name}: "{both[0]}" and "{both[1]}" are both forced; force one at most'
    return ""
