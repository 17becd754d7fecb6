"""The catalogue of models (``weights.yaml``, ``weights_*.yaml``): what there is, from where, which bytes, what terms.

What does not belong here: the files on this machine (``weights``), models that somebody added on this machine
(``local_models``), and what a model does with its files (the adapters).
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeGuard, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from resources.sources import check_source
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import ModelCard
from tagging_assets.text_files import read_yaml

_CATALOGUE = Path(__file__).with_name("weights.yaml")
#: Further entries, a file per family.
_FAMILIES = "weights_*.yaml"

#: Stands for the SHA-256 that nobody has published.
_UNPINNED = "unpinned"

#: Entries and their files are folders and files of the weights folder by these names.
NAME = r"\w[\w.-]*"

Fraction = Annotated[float, Field(ge=0, le=1)]
Capability = float | int | str | bool
Model = TypeVar("Model", bound=BaseModel)


def _number(value: object) -> TypeGuard[float | int]:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeightFile(_Strict):
    """One file of a model: its bytes by hash, and where they can be had.

    Attributes:
        role: what an adapter knows it by: ``model``, ``image``, ``text``, ``labels``, ``tokenizer`` …; of an entry
            that is exported, ``checkpoint``.
        sha256: of its bytes; ``""`` where nobody has published it, which is what ``unpinned`` means.
        size: number of bytes; 0 where it is unpinned.
        sources: alternatives, tried in order.
        parts: sources to be concatenated, for a file that travels in pieces; exactly one of the two is given.
    """

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    role: str = "model"
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    size: Annotated[int, Field(ge=0)] = 0
    sources: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def unpinned(self) -> bool:
        """Whether nobody has said which bytes it must have."""
        return not self.sha256

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.sources) == bool(self.parts):
            raise ValueError(f"{self.name}: give either sources or parts")
        if bool(self.sha256) != bool(self.size) or (self.unpinned and self.parts):
            raise ValueError(f"{self.name}: give both sha256 and size; or, of a file with sources, neither")
        for source in self.sources or self.parts:
            try:
                check_source(source)
            except SettingsError as error:
                raise ValueError(str(error)) from error
        return self


class Fusion(_Strict):
    """What a raw score is worth among other sources.

    Attributes:
        weight: this source's say, in [0, 1].
        calibration: (raw, confidence) points of a piecewise linear, non-decreasing map.
    """

    weight: Fraction = 0.5
    calibration: tuple[tuple[float, Fraction], ...] = ((0.0, 0.0), (1.0, 1.0))

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        raw = [point[0] for point in self.calibration]
        confidence = [point[1] for point in self.calibration]
        if len(raw) < 2 or raw != sorted(set(raw)) or confidence != sorted(confidence):
            raise ValueError("calibration needs two points or more, raw rising and confidence never falling")
        return self


class Export(_Strict):
    """How a checkpoint becomes ONNX (see ``resources/exporting.py``).

    Attributes:
        exporter: library that knows the architecture.
        model: the library's name for it, such as ``yolo11n`` or ``ViT-B-32-quickgelu``.
        opset: of the ONNX file.
        options: what else the exporter is told.
    """

    exporter: Literal["ultralytics", "open_clip", "timm"]
    model: str
    opset: Annotated[int, Field(ge=13)] = 17
    options: dict[str, Capability] = {}


class Knob(_Strict):
    """Something about a model that its user may choose (``models:`` in tagging.yaml); part of its identity.

    Attributes:
        says: what it does, in a few words for people.
        default: in use where nothing is said.
        choices: all there are, where they can be counted.
        least: smallest number, where it is one.
        most: largest number.
    """

    says: str
    default: Capability
    choices: tuple[Capability, ...] = ()
    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _default_is_one(self) -> Self:
        if problem := self.problem(self.default):
            raise ValueError(f"the default {problem}")
        return self

    def problem(self, value: Capability) -> str:
        """Why a value cannot be chosen; ``""`` where it can."""
        if self.choices and value not in self.choices:
            return f"{value} is none of {', '.join(map(str, self.choices))}"
        if (
            not self.choices
            and type(value) is not type(self.default)
            and not (_number(value) and _number(self.default))
        ):
            return f"{value} is no {type(self.default).__name__}"
        if _number(value) and self.least is not None and float(value) < self.least:
            return f"{value} is below {self.least:g}"
        if _number(value) and self.most is not None and float(value) > self.most:
            return f"{value} is above {self.most:g}"
        return ""


class SelfTest(_Strict):
    """A known photo and what the model must find in it; a model that loads and finds nothing is refused.

    Attributes:
        photo: file in ``resources/selftest``.
        finds: labels, all of which it must give.
        least: raw score that each must reach.
    """

    photo: str
    finds: Annotated[tuple[str, ...], Field(min_length=1)]
    least: Fraction


class Entry(_Strict):
    """One model of the catalogue.

    Attributes:
        tasks: what it can serve as in a profile.
        adapter: who runs it: a name in ``resources/adapters.py``.
        uses: entries it is built on, whose files are part of its identity.
        export: how its checkpoint becomes ONNX; ``None`` where the files run as they are.
        capabilities: facts to choose by; shown, and never branched on but for ``sees`` and ``vision``.
        knobs: what its user may choose, by name; ``precision`` among them where there is a choice.
        self_test: asked of it once it is loaded.
        person_weighing: of a detector: five coefficients of ``domain/person.py`` that were fitted to its boxes;
            ``None`` where those of the embedded one serve.
        labels: its classes that count, and what each stands for, such as ``{Fall: person}``; all of them, by their
            own names, where none is given.
    """

    name: str
    tasks: Annotated[tuple[str, ...], Field(min_length=1)]
    adapter: str
    licence: str
    licence_note: str = ""
    preprocessing: str
    capabilities: dict[str, Capability] = {}
    knobs: dict[str, Knob] = {}
    export: Export | None = None
    self_test: SelfTest | None = None
    person_weighing: tuple[float, float, float, float, float] | None = None
    labels: dict[str, str] = {}
    fusion: Fusion = Fusion()
    files: tuple[WeightFile, ...] = ()
    uses: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if not re.fullmatch(NAME, self.name):
            raise ValueError(f"{self.name}: a name has letters, digits, dots, - and _ only, and none of - . first")
        if not self.files and not self.uses:
            raise ValueError(f"{self.name}: has neither files nor entries it uses")
        return self

    def chosen(self, said: Mapping[str, Capability]) -> dict[str, Capability]:
        """The value of every knob, the user's where there is one.

        Raises:
            SettingsError: there is no such knob, or no such value.
        """
        for name, value in said.items():
            if name not in self.knobs:
                raise SettingsError(f"models: {self.name} has no knob {name}; it has {sorted(self.knobs) or 'none'}")
            if problem := self.knobs[name].problem(value):
                raise SettingsError(f"models: {self.name}: {name}: {problem}")
        return {name: said.get(name, knob.default) for name, knob in self.knobs.items()}

    def file(self, name: str | None = None) -> WeightFile:
        """The file of that name, or the only one.

        Raises:
            SettingsError: there is no such file, or no single one.
        """
        for file in self.files:
            if file.name == name or (name is None and len(self.files) == 1):
                return file
        raise SettingsError(f"model {self.name} has no file {name}; it has {[f.name for f in self.files]}")


class Catalogue(_Strict):
    """All models, and which of them serves which task in each profile."""

    version: Literal[1]
    entries: dict[str, Entry]
    profiles: dict[str, dict[str, str]]

    @model_validator(mode="before")
    @classmethod
    def _name_entries(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("entries"), dict):
            named = {k: {"name": k, **v} if isinstance(v, dict) else v for k, v in data["entries"].items()}
            return {**data, "entries": named}
        return data

    @model_validator(mode="after")
    def _references(self) -> Self:
        for entry in self.entries.values():
            for used in entry.uses:
                if used not in self.entries or self.entries[used].uses:
                    raise ValueError(f"{entry.name} uses {used}, which is not an entry with files of its own")
        for profile, tasks in self.profiles.items():
            for task, name in tasks.items():
                if name not in self.entries or task not in self.entries[name].tasks:
                    raise ValueError(f"profile {profile}: {name} is no entry with the task {task}")
        return self

    def entry(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            SettingsError: there is none.
        """
        try:
            return self.entries[name]
        except KeyError:
            near = get_close_matches(name, self.entries, n=3)
            meant = f"did you mean {' or '.join(near)}?" if near else "`tagging models list --all` shows all"
            raise SettingsError(f"no model {name} in the catalogue; {meant}") from None

    def profile(self, name: str) -> Mapping[str, Entry]:
        """Task to entry for a profile.

        Raises:
            SettingsError: there is no such profile.
        """
        try:
            return {task: self.entries[entry] for task, entry in self.profiles[name].items()}
        except KeyError:
            raise SettingsError(f"no profile {name}; there are {sorted(self.profiles)}") from None

    def revision(self, name: str) -> str:
        """SHA-256 of the entry's files and of those it uses, joined by ``+``; ``unpinned`` for what nobody knows."""
        entry = self.entry(name)
        own = [file.sha256 or _UNPINNED for file in entry.files]
        return "+".join([*own, *(self.revision(used) for used in entry.uses)])

    def card(self, name: str, parameters: Mapping[str, Capability] | None = None) -> ModelCard:
        """Identity of the model for recipes; touches no file.

        Args:
            name: entry of the catalogue.
            parameters: the knobs that change its output.
        """
        entry = self.entry(name)
        return ModelCard(name, self.revision(name), entry.preprocessing, dict(parameters or {}))


def load_catalogue(path: Path | None = None, local: Path | None = None) -> Catalogue:
    """Read and validate a catalogue; the project's own by default.

    Args:
        path: one file in place of the project's own.
        local: file with entries of this machine, added if it is there (see ``local_models``).

    Raises:
        SettingsError: a file is missing, not YAML, or says something impossible, or two have an entry of one name.
    """
    main = path or _CATALOGUE
    merged = read_templated(main)
    families = [] if path else sorted(main.parent.glob(_FAMILIES))
    said_in: dict[str, Path] = {}
    for further in [*families, *([local] if local and local.exists() else [])]:
        said_in |= dict.fromkeys(_add(merged, read_templated(further), further), further)
    return _validated(merged, Catalogue, main, said_in)


def read_catalogue(path: Path, kind: type[Model]) -> Model:
    """Read a YAML file into a model of its content.

    Raises:
        SettingsError: the file is missing, not YAML, or says something impossible.
    """
    return _validated(read_templated(path), kind, path)


def read_templated(path: Path) -> Any:
    """What a YAML file says, less its ``templates``, which exist to be referred to within it.

    Raises:
        SettingsError: the file is missing, or not YAML.
    """
    said = read_yaml(path)
    if isinstance(said, dict):
        said.pop("templates", None)
    return said


def _add(merged: Any, further: Any, path: Path) -> Iterable[str]:
    entries = further.get("entries") if isinstance(further, dict) else None
    if not isinstance(entries, dict) or set(further) - {"entries"}:
        raise SettingsError(f"{path.name}: must be a mapping with `entries`, and nothing else")
    there = merged.setdefault("entries", {})
    for name in entries:
        if name in there:
            raise SettingsError(f"{path}: the catalogue has an entry {name} already; give this one another name")
    there.update(entries)
    return list(entries)


def _validated(said: Any, kind: type[Model], path: Path, said_in: Mapping[str, Path] = MappingProxyType({})) -> Model:
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the catalogue"
        entry = str(first["loc"][1]) if len(first["loc"]) > 1 else ""
        raise SettingsError(f"{said_in.get(entry, path).name}: {where}: {first['msg']}") from error
