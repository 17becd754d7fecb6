"""How people write an experiment down: a grid of prompts, models and parameters, or a list of contestants.

    name: brief
    purpose: Does a shorter prompt do as well?
    images: {limit: 24, seed: 0}
    models: [gemma3-270m-q4]
    prompts: [select, select-brief]
    parameters: {temperature: [0, 0.8]}
    except:
      - {prompt: select-brief, temperature: 0.8}

What is not said is as in the section ``llm`` of the settings, but for sampling: that starts from its defaults, so that
promoting one contestant does not change the others. What does not belong here: reading files
(``resources/experiment_files.py``) and choosing photos (``experiments``).
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic

from tagging_assets.domain.chat_settings import Chat, Sampling, Strategy
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiments import Configuration, Judge
from tagging_assets.domain.rules import validation_message
from tagging_assets.domain.scoreboard import Options

_DEFAULT = Options()

#: More contestants than these are no comparison any more, but a bill.
MOST_CONTESTANTS = 64

#: Keys of ``llm`` that a contestant may change besides model, prompt, strategy and sampling.
_SETTINGS = ("allowed_tags", "caption_prompt", "image_side", "max_tags", "merge_prompt", "only_evidenced")
_PARAMETERS = (*Sampling.model_fields, *_SETTINGS)
_AXES = ("model", "prompt", "strategy")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._]+")


def _listed(value: object) -> object:
    """One value stands for a list of it."""
    return value if isinstance(value, list | tuple) else [value]


Several = Annotated[tuple[str, ...], pydantic.BeforeValidator(_listed)]
Values = Annotated[tuple[float | int | bool | str | None, ...], pydantic.BeforeValidator(_listed)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


class Photos(_Part):
    """Which photos: at most ``limit``, chosen by ``seed``."""

    limit: int | None = pydantic.Field(default=None, ge=1)
    seed: int = 0


class JudgeSpec(_Part):
    """Who compares answers."""

    model: str
    prompt: str = "judge"


class Scoring(_Part):
    """See ``scoreboard.Options``."""

    gold_above: float = pydantic.Field(default=_DEFAULT.gold_above, ge=0, le=1)
    minority_below: float = pydantic.Field(default=_DEFAULT.minority_below, ge=0, le=1)
    leave_one_out: bool = _DEFAULT.leave_one_out
    middle_points: float = _DEFAULT.middle_points

    @pydantic.model_validator(mode="after")
    def _apart(self) -> Self:
        if self.minority_below > self.gold_above:
            above, below = self.gold_above, self.minority_below
            raise ValueError(f"minority_below {below:g} is above gold_above {above:g}; make it smaller")
        return self


class Spec(_Part):
    """A whole file."""

    name: str
    purpose: str = ""
    images: Photos = Photos()
    repeats: int = pydantic.Field(default=1, ge=1, le=50)
    models: Several = ()
    prompts: Several = ()
    strategies: Several = ()
    parameters: dict[str, Values] = {}
    configurations: tuple[dict[str, Any], ...] = ()
    leave_out: tuple[dict[str, Values], ...] = pydantic.Field(default=(), alias="except")
    reference: Path | None = None
    judge: JudgeSpec | None = None
    budget_usd: float | None = pydantic.Field(default=None, ge=0)
    scoring: Scoring = Scoring()

    @pydantic.field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("write at most 64 lower-case letters, digits, - and _, a letter or digit first")
        return name

    @property
    def options(self) -> Options:
        """How the rules of scoring are read."""
        return Options(**self.scoring.model_dump())

    @property
    def judged_by(self) -> Judge | None:
        """Who compares answers."""
        return None if self.judge is None else Judge(self.judge.model, self.judge.prompt)


def parse_spec(said: object, where: str, *, name: str = "") -> Spec:
    """Read an experiment.

    Args:
        said: the whole file, as YAML means it.
        where: what to call it in errors.
        name: of the experiment, where the file does not say one.

    Raises:
        SettingsError: it makes no sense; one line says where.
    """
    if not isinstance(said, Mapping):
        raise SettingsError(f"{where}: must be a mapping such as `prompts: [select, select-brief]`")
    try:
        spec = Spec.model_validate({"name": name, **said})
    except pydantic.ValidationError as error:
        raise SettingsError(f"{where}: {validation_message(error)}") from error
    if spec.configurations and (spec.models or spec.prompts or spec.strategies or spec.parameters or spec.leave_out):
        raise SettingsError(
            f"{where}: lists its configurations one by one and spans a grid too; keep `configurations`, or models, "
            "prompts, strategies, parameters and except"
        )
    for names in (spec.parameters, *spec.leave_out):
        allowed = _PARAMETERS if names is spec.parameters else (*_AXES, *_PARAMETERS)
        _known(names, allowed, where)
    return spec


def expand(spec: Spec, llm: Chat) -> tuple[Configuration, ...]:
    """The contestants, in the order of the grid or list.

    Args:
        spec: what somebody wrote.
        llm: the settings, for what it does not say.

    Raises:
        SettingsError: a value makes no sense, nobody or too many are left, or two are the same.
    """
    where = f"experiment {spec.name}"
    if spec.configurations:
        chosen = [_one(said, llm, where) for said in spec.configurations]
    else:
        chosen = [point for point in _grid(spec, llm) if not any(_matches(point, mask) for mask in spec.leave_out)]
    if not chosen:
        raise SettingsError(f"{where}: `except` leaves nobody; take something out of it")
    if len(chosen) > MOST_CONTESTANTS:
        raise SettingsError(f"{where}: has {len(chosen)} contestants, more than {MOST_CONTESTANTS}; leave some out")
    labels = _labels(chosen)
    made = tuple(_configuration(point, label, llm, where) for point, label in zip(chosen, labels, strict=True))
    first: dict[str, str] = {}
    for one in made:
        if one.hash in first:
            raise SettingsError(f"{where}: {one.label} is the same as {first[one.hash]}; leave one out")
        first[one.hash] = one.label
    return made


Point = Mapping[str, Any]


def _grid(spec: Spec, llm: Chat) -> list[Point]:
    axes: dict[str, Sequence[Any]] = {
        "model": spec.models or (llm.model,),
        "prompt": spec.prompts or (llm.prompt,),
        "strategy": spec.strategies or (llm.strategy,),
        **spec.parameters,
    }
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _one(said: Mapping[str, Any], llm: Chat, where: str) -> Point:
    _known(said, ("label", *_AXES, *_PARAMETERS), where)
    return {"model": llm.model, "prompt": llm.prompt, "strategy": llm.strategy, **said}


def _known(said: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    for name in said:
        if name not in allowed:
            raise SettingsError(f"{where}: {name}: no such parameter; there are: {', '.join(allowed)}")


def _matches(point: Point, mask: Mapping[str, Sequence[Any]]) -> bool:
    return all(point.get(name) in values for name, values in mask.items())


def _configuration(point: Point, label: str, llm: Chat, where: str) -> Configuration:
    sampling = {name: point[name] for name in Sampling.model_fields if name in point}
    settings = {name: point[name] for name in _SETTINGS if name in point}
    strategy: Strategy = point["strategy"]
    try:
        made = Configuration(label, point["model"], point["prompt"], strategy, Sampling(**sampling), settings)
        made.on(llm)
    except (pydantic.ValidationError, SettingsError) as error:
        told = validation_message(error) if isinstance(error, pydantic.ValidationError) else str(error)
        raise SettingsError(f"{where}: {told}") from error
    return made


def _labels(points: Sequence[Point]) -> list[str]:
    """A label each: its own, or made from what differs, as short as unique labels can be."""
    names = list(dict.fromkeys(name for point in points for name in point if name != "label"))
    differs = [name for name in names if len({repr(point.get(name)) for point in points}) > 1] or ["prompt"]
    short = [_label(point, differs, _last_part) for point in points]
    twice = {label for label, count in Counter(short).items() if count > 1}
    full = [_label(point, differs, str) for point in points]
    labels = [long if label in twice else label for label, long in zip(short, full, strict=True)]
    seen: Counter[str] = Counter()
    for place, label in enumerate(labels):
        seen[label] += 1
        if seen[label] > 1:
            labels[place] = f"{label}-{seen[label]}"
    return labels


def _label(point: Point, names: Sequence[str], shown: Callable[[str], str]) -> str:
    if "label" in point:
        return _safe(str(point["label"]))
    # A contestant of a list may say nothing about what others change.
    return "-".join(_safe(_said(name, point[name], shown)) for name in names if name in point)


_PREFIX = {"temperature": "t", "top_p": "p", "seed": "seed", "max_output_tokens": "tokens"}


def _said(name: str, value: object, shown: Callable[[str], str]) -> str:
    if name in _AXES:
        return shown(str(value))
    told = f"{value:g}" if isinstance(value, float | int) and not isinstance(value, bool) else str(value).lower()
    if name in _PREFIX:
        return f"{_PREFIX[name]}{told}"
    return told if name == "structured" else f"{name}-{told}"


def _last_part(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _safe(text: str) -> str:
    """Letters, digits, ``-``, ``_`` and ``.`` only, and no dot in front: it stands in file names."""
    return _UNSAFE.sub("-", text).strip("-.") or "x"
