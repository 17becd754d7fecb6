"""What an experiment will be: from its file, what was typed, and what is known of it from before."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from resources.experiment_files import load_reference, load_spec
from resources.photo_folder import canonical
from resources.prompt_store import PromptStore
from tagging_assets.commands.judge import judge_prompt
from tagging_assets.commands.session import Session
from tagging_assets.domain.asking_way import choose_way
from tagging_assets.domain.chat_settings import EMBEDDED
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiment_spec import Spec, expand, parse_spec
from tagging_assets.domain.experiments import Experiment, choose_photos
from tagging_assets.domain.identity import path_of
from tagging_assets.domain.references import match_reference
from tagging_assets.domain.scoreboard import Options

#: How long photos that are still being written are waited for.
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Typed:
    """What somebody typed besides name and paths; it goes before what a file says."""

    limit: int | None = None
    add: bool = False
    repeats: int | None = None
    models: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    temperatures: tuple[float, ...] = ()
    reference: Path | None = None
    budget_usd: float | None = None
    original_scoring: bool = False

    @property
    def contestants(self) -> bool:
        """Whether it says who takes part."""
        return bool(self.models or self.prompts or self.temperatures)


@dataclass(frozen=True)
class Planned:
    """An experiment before it is asked, and names in its file of true tags that mean none of its photos, or several."""

    experiment: Experiment
    unknown: tuple[str, ...] = ()


def plan(session: Session, name: str, paths: Sequence[Path], typed: Typed) -> Planned:
    """The experiment as it will be asked; photos of ``paths`` are taken in.

    Args:
        session: open.
        name: of an experiment, or its file.
        paths: photos or folders to choose from; all photos there are by default.
        typed: goes before what a file says.

    Raises:
        SettingsError: it makes no sense, or there are no photos.
    """
    tools = session.toolbox
    spec = _spec(session, name, typed)
    earlier = tools.experiments.find(spec.name if spec else name)
    if spec is not None:
        made = _written(spec, session, earlier)
    elif earlier is not None:
        made = _typed(earlier, typed)
    else:
        there_are = ", ".join(tools.experiment_files.names()) or "none"
        raise SettingsError(
            f"no experiment {name!r}; say --prompt or --model for a new one, or name a file: {there_are}"
        )
    _check(session, made)
    chosen = choose_photos(
        made.image_ids,
        _photos(session, paths),
        limit=spec.images.limit if spec else typed.limit,
        seed=spec.images.seed if spec else 0,
        add=typed.add,
    )
    if not chosen:
        raise SettingsError("there are no photos to ask about; give a photo or a folder of photos")
    made = replace(made, image_ids=chosen)
    path = spec.reference if spec else typed.reference
    if path is None:
        return Planned(made)
    places = {ref.image_id: path_of(ref.uri) for ref in tools.interviews.photos(made)}
    reference, unknown = match_reference(load_reference(path), places)
    return Planned(replace(made, reference=reference), tuple(unknown))


def _spec(session: Session, name: str, typed: Typed) -> Spec | None:
    """What a file and the command line say together; ``None`` where neither says who takes part."""
    path = session.toolbox.experiment_files.path(name)
    if path is None and not typed.contestants:
        return None
    spec = load_spec(path) if path else parse_spec({"name": name}, f"experiment {name}")
    said: dict[str, Any] = spec.model_dump(by_alias=True, exclude_unset=True)
    if typed.contestants and spec.configurations:
        raise SettingsError(f"{path} lists its configurations one by one; change them there")
    over = {
        "models": typed.models,
        "prompts": typed.prompts,
        "parameters": {**spec.parameters, "temperature": typed.temperatures} if typed.temperatures else None,
        "repeats": typed.repeats,
        "images": {**spec.images.model_dump(), "limit": typed.limit} if typed.limit else None,
        "reference": typed.reference,
        "budget_usd": typed.budget_usd,
        "scoring": asdict(_original(spec.options)) if typed.original_scoring else None,
    }
    said.update({key: value for key, value in over.items() if value is not None and value != ()})
    return parse_spec(said, str(path or f"experiment {name}"))


def _written(spec: Spec, session: Session, earlier: Experiment | None) -> Experiment:
    return Experiment(
        name=spec.name,
        purpose=spec.purpose,
        configurations=expand(spec, session.settings.llm),
        image_ids=earlier.image_ids if earlier else (),
        repeats=spec.repeats,
        reference=earlier.reference if earlier else {},
        judge=spec.judged_by,
        budget_usd=spec.budget_usd,
        options=spec.options,
    )


def _typed(earlier: Experiment, typed: Typed) -> Experiment:
    """An experiment that no file describes, as it was, but for what was typed."""
    return replace(
        earlier,
        repeats=typed.repeats or earlier.repeats,
        budget_usd=earlier.budget_usd if typed.budget_usd is None else typed.budget_usd,
        options=_original(earlier.options) if typed.original_scoring else earlier.options,
    )


def _check(session: Session, made: Experiment) -> None:
    """Refuse names that mean nothing before anybody is asked and paid."""
    find = PromptStore(session.settings.prompts_dir / "llm").get
    models = [(f"contestant {one.label}", one.model) for one in made.configurations]
    try:
        for one in made.configurations:
            choose_way(one.on(session.settings.llm), find)
        if made.judge is not None:
            judge_prompt(session, made.judge.prompt)
            models.append(("judge", made.judge.model))
    except SettingsError as error:
        raise SettingsError(f"experiment {made.name}: {error}") from error
    for who, model in models:
        entry = session.settings.llm.find(model)
        local = entry.provider == EMBEDDED and session.toolbox.weights.catalogue.entries.get(entry.model)
        if local is None or (local and "chat" not in local.tasks):
            raise SettingsError(
                f"experiment {made.name}: {who}: no chat model {model!r}; write PROVIDER/MODEL, a name under "
                "`llm.models`, or one that runs here (`tagging models list`)"
            )


def _original(options: Options) -> Options:
    """As the requirements have it: contestants vote on their own tags, and the middle band is worth nothing."""
    return replace(options, leave_one_out=False, middle_points=0.0)


def _photos(session: Session, paths: Sequence[Path]) -> set[str]:
    """Ids of the photos that are there."""
    tools = session.toolbox
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path} is not there; give a photo or a folder of photos")
    if paths:
        tools.intake.look_until_stable(paths, patience_seconds=_PATIENCE_SECONDS)
    known = tools.manifest.known([canonical(path) for path in paths] if paths else None)
    return {ref.image_id for ref in known if not ref.gone}
