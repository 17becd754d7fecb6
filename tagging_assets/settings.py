"""``tagging.yaml``: everything an operator may decide, validated. Secrets come from the environment only.

A file may build on another with ``extends: path``; mappings merge, everything else is replaced. Relative paths
count from the folder of the file that says them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pydantic

from tagging_assets.domain.chat_settings import ADVICE, Chat
from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.permissions import PeopleRules, SourceWord
from tagging_assets.domain.policy import describes_people, refused
from tagging_assets.domain.rules import Rules, validation_message
from tagging_assets.text_files import read_yaml

#: The settings of the project itself, used where nothing else is named.
DEFAULT_SETTINGS = Path(__file__).resolve().parents[1] / "tagging.yaml"

#: Files that extend one another.
_MOST_BASES = 20


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Section):
    """A folder that is watched.

    Attributes:
        path: of the folder.
        adults_only: your word that its photos show adults only; ``people.adults_only_source`` where nothing is said.
        consent: whether the people in its photos agreed to be described; ``false`` forbids it whatever else is said.
    """

    path: Path
    adults_only: bool | None = None
    consent: bool | None = None


class Images(_Section):
    """How photos are taken in."""

    batch_size: int = pydantic.Field(default=1000, ge=1, le=20_000)
    max_megapixels: float = pydantic.Field(default=100, gt=0)
    settle_seconds: float = pydantic.Field(default=2, ge=0)
    decode_seconds: float = pydantic.Field(default=10, ge=0.1, le=3600)


class People(_Section):
    """Whether anything about a person's body may be measured, kept and tagged (see ``domain/policy.py``)."""

    enabled: bool = False
    adults_only_source: bool = False


class Inference(_Section):
    """What models run on.

    Attributes:
        provider: ``auto`` takes a GPU where there is one.
        device: which GPU, counted within ``CUDA_VISIBLE_DEVICES``; one process uses one.
        threads: photos worked on at once; as many as suit the machine by default.
    """

    provider: Literal["auto", "tensorrt", "cuda", "cpu"] = "auto"
    device: int = pydantic.Field(default=0, ge=0)
    threads: int | None = pydantic.Field(default=None, ge=1, le=64)


class ModelChoice(pydantic.BaseModel):
    """Another model for a task than the profile's, or the same one otherwise; every other key is a knob of it.

    Attributes:
        model: entry of the catalogue; the profile's where none is named.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    model: str | None = None

    @property
    def knobs(self) -> dict[str, float | int | str | bool]:
        """What is said about its knobs; the catalogue knows which there are."""
        return dict(self.model_extra or {})


class Retag(_Section):
    """How much is done unasked when a recipe changes."""

    batches_at_once: int = pydantic.Field(default=4, ge=1, le=1000)
    budget_usd: float | None = pydantic.Field(default=0, ge=0)


class Calibration(_Section):
    """How people's decisions change what raw scores are worth."""

    use: bool = True
    precision: float = pydantic.Field(default=0.9, ge=0.5, lt=1)
    min_decisions: int = pydantic.Field(default=50, ge=20)
    thresholds: bool = False


class Settings(_Section):
    """The whole file."""

    data_dir: Path = Path(".tagging")
    profile: str = "embedded"
    privacy: Literal["local", "remote"] = "local"
    sources: tuple[Source, ...] = ()
    images: Images = Images()
    people: People = People()
    inference: Inference = Inference()
    models: dict[str, ModelChoice] = {}
    label_sets: tuple[str, ...] = ("objects", "scenes", "setting", "accessories")
    prompts_dir: Path = DEFAULT_SETTINGS.parent / "prompts"
    llm: Chat = Chat()
    retag: Retag = Retag()
    calibration: Calibration = Calibration()
    rules: Rules = Rules()

    @property
    def people_rules(self) -> PeopleRules:
        """What is said about people, source by source."""
        words = (SourceWord(str(one.path), one.adults_only, one.consent) for one in self.sources)
        said = tuple(one for one in words if (one.adults_only, one.consent) != (None, None))
        return PeopleRules(self.people.enabled, self.people.adults_only_source, said)

    def check_policy(self) -> None:
        """Refuse rules that would give what must never be tagged, or describe people while that is off.

        Raises:
            PolicyError: names the setting, the tag and the way out.
        """
        self.rules.check_policy(refused)
        if not self.people.enabled:
            self.rules.check_people(describes_people)

    @pydantic.field_validator("models", mode="before")
    @classmethod
    def _by_name(cls, said: object) -> object:
        """``person_detection: yolo11s`` is short for ``person_detection: {model: yolo11s}``."""
        if isinstance(said, dict):
            return {task: {"model": one} if isinstance(one, str) else one for task, one in said.items()}
        return said


def settings_file(path: Path | None = None) -> Path:
    """The file that settings come from: the one that is named, ``$TAGGING_SETTINGS``, or the project's own."""
    return path or Path(os.environ.get("TAGGING_SETTINGS") or DEFAULT_SETTINGS)


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate a settings file.

    Args:
        path: the file; by default as :func:`settings_file` says.

    Raises:
        SettingsError: the file is missing, is not YAML, or says something impossible; one line says where.
        PolicyError: its rules ask for what must never be tagged.
    """
    chosen = settings_file(path)
    try:
        settings = Settings.model_validate(_merged(chosen, seen=()))
        settings.check_policy()
    except PolicyError as error:
        raise PolicyError(f"{chosen}: {error}") from error
    except pydantic.ValidationError as error:
        line = validation_message(error, advice={"llm": ADVICE})
        raise SettingsError(f"{chosen}: {line}") from error
    return settings


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = _resolved(path, "extends")
    if path in seen:
        raise SettingsError(f"{path}: extends itself; remove one `extends`")
    said = read_yaml(path, "name one with --settings") or {}
    if not isinstance(said, dict):
        raise SettingsError(f"{path}: must be a mapping such as `data_dir: .tagging`")
    try:
        _anchor(said, path.parent)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    base = said.pop("extends", None)
    if not base:
        return said
    if not isinstance(base, str) or len(seen) >= _MOST_BASES:
        raise SettingsError(f"{path}: extends: name one settings file, at most {_MOST_BASES} in a row")
    return _overlay(_merged(path.parent / base, (*seen, path)), said)


def _anchor(said: dict[str, Any], folder: Path) -> None:
    """Relative paths count from the file that says them, whoever extends it."""
    _anchor_in(said, ("data_dir", "prompts_dir"), folder)
    _anchor_in(said.get("llm"), ("vocabulary", "price_table"), folder)
    sources = said.get("sources")
    for source in sources if isinstance(sources, list) else ():
        _anchor_in(source, ("path",), folder)


def _anchor_in(section: object, names: Sequence[str], folder: Path) -> None:
    if isinstance(section, dict):
        for name in names:
            if isinstance(section.get(name), str):
                section[name] = str(_resolved(folder / _home(section[name], name), name))


def _home(path: str, name: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"{name}: {path}: {error}") from error


def _resolved(path: Path, name: str) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsError(f"{name}: {path} is no path ({error})") from error


def _overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[name] = _overlay(below, value) if both else value  # type: ignore[arg-type]
    return result
