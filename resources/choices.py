"""Which model serves which task: the profile's, unless ``models:`` in tagging.yaml names another."""

from collections.abc import Mapping

from resources.catalogue import Catalogue, Entry
from resources.model_in_use import ModelInUse
from resources.onnx_session import DEFAULT_OPTIONS, OnnxOptions
from resources.weights import WeightsStore
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import ModelChoice, Settings


def entries_in_use(catalogue: Catalogue, settings: Settings) -> dict[str, Entry]:
    """Entry per task.

    Raises:
        SettingsError: there is no such profile or model, or the model cannot do the task.
    """
    entries = dict(catalogue.profile(settings.profile))
    for task, choice in settings.models.items():
        if choice.model is not None:
            entries[task] = _able(catalogue, task, choice.model)
        elif task not in entries:
            raise SettingsError(f"models: profile {settings.profile} has nothing for {task}; name a model for it")
    return entries


def model_in_use(
    store: WeightsStore, settings: Settings, task: str, options: OnnxOptions = DEFAULT_OPTIONS
) -> ModelInUse | None:
    """The model that serves a task, with the knobs of the settings; ``None`` where nothing does.

    Raises:
        SettingsError: the settings ask for what there is not.
    """
    entry = entries_in_use(store.catalogue, settings).get(task)
    if entry is None:
        return None
    knobs: Mapping[str, float | int | str | bool] = settings.models.get(task, ModelChoice()).knobs
    model = ModelInUse(store, entry, options, knobs)
    entry.chosen(knobs)
    return model


def _able(catalogue: Catalogue, task: str, name: str) -> Entry:
    if name not in catalogue.entries:
        raise SettingsError(f"models: {task}: no model {name}; see `tagging models list --task {task}`")
    entry = catalogue.entries[name]
    if task not in entry.tasks:
        raise SettingsError(
            f"models: {name} can do {', '.join(entry.tasks)}, not {task}; see `tagging models list --task {task}`"
        )
    return entry
