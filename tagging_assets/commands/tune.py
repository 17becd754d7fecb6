"""``tagging models tune``: how each model in use runs fastest on this machine; measured, shown, kept."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from resources.adapters import Choose
from resources.choices import entries_in_use, model_in_use
from resources.onnx_providers import OnnxOptions, preferred
from resources.onnx_session import OnnxSession
from resources.tunable import Tunable, tunables
from resources.tuning import Candidate, Measured, Tuned, Tuning, subject_of
from resources.tuning_search import search
from resources.weights import WeightsStore
from tagging_assets.commands.console import print_note, print_table, styled
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import Settings, load_settings

#: Running programs per core that leave measurements worth little.
_BUSY = 0.7


def tune(settings_path: Path | None, names: Sequence[str], *, seconds: float) -> list[dict[str, Any]]:
    """Measure the models in use, keep what was found, and tell it.

    Args:
        settings_path: the settings.
        names: entries of the catalogue that are in use; all by default.
        seconds: about as long as each model may take, loading aside.

    Raises:
        SettingsError: a name is of no model in use.
        ModelError: a model cannot be had, or does not work.
    """
    settings = load_settings(settings_path)
    with WeightsStore() as store:
        choose = _chooser(store, settings)
        used = {entry.name for entry in entries_in_use(store.catalogue, settings).values()}
        if strange := [name for name in names if name not in used]:
            raise SettingsError(f"{strange[0]} is not in use; in use are {', '.join(sorted(used))}")
        if os.getloadavg()[0] > _BUSY * len(os.sched_getaffinity(0)):
            print_note(styled("This machine is busy", "yellow"), ": measure again when it is not.")
        tuning, found = Tuning(store.cache_dir), list[Tuned]()
        for one in tunables(choose, names):
            print_note(f"{one.model}: {seconds:g} s")
            found.append(_tuned(one, settings, seconds))
            tuning.keep(found[-1])
    return [_told(one) for one in found]


def kept() -> list[dict[str, Any]]:
    """What is kept, of all models and machines that share the cache of weights."""
    with WeightsStore() as store:
        return [_told(one) for one in Tuning(store.cache_dir).told()]


def _chooser(store: WeightsStore, settings: Settings) -> Choose:
    inference = settings.inference
    options = OnnxOptions(provider=inference.provider, threads=1, device=inference.device)
    return lambda task: model_in_use(store, settings, task, options)


def _tuned(one: Tunable, settings: Settings, seconds: float) -> Tuned:
    # Without what an earlier search found.
    options = replace(one.session.options, threads=1, batch=0, spin=False, callers=0)
    path, sha256 = one.session.path, one.session.sha256
    if one.session.fell_back:
        raise SettingsError(
            f"{one.model} runs on {one.session.provider}, so there is nothing to tune for "
            f"{preferred(settings.inference.provider)}; see `tagging doctor`, or set inference.provider: cpu"
        )
    return search(
        one.model,
        subject_of(sha256, options),
        one.array,
        lambda wanted: OnnxSession(path, wanted, sha256=sha256),
        options,
        seconds,
    )


def _told(one: Tuned) -> dict[str, Any]:
    return {
        "model": one.model,
        **asdict(one.subject),
        "input": list(one.shape),
        "gain": round(one.gain, 2),
        "seconds": one.seconds,
        "candidates": [{**_row(way), "chosen": way.candidate == one.chosen} for way in one.measured],
    }


def _row(way: Measured) -> dict[str, Any]:
    return {
        **asdict(way.candidate),
        "pictures_per_second": way.pictures_per_second,
        "pictures_per_cpu_second": way.pictures_per_cpu_second,
        "wins": way.wins,
    }


def show(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person: every candidate, the chosen one marked."""
    for one in told:
        shape = "x".join(map(str, one["input"]))
        print_table(
            f"{one['model']} ({shape}) on {one['provider']}, {one['cores']} cores {one['machine']}: "
            f"{one['gain']:.2f} x the default",
            ["", "callers", "threads", "batch", "spin", "pictures/s", "pictures/CPU-s"],
            [_cells(way) for way in one["candidates"]],
        )
    if not told:
        print_note("Nothing is tuned.")


def _cells(way: dict[str, Any]) -> tuple[object, ...]:
    candidate = Candidate(*(way[name] for name in ("callers", "threads", "batch", "spin")))
    return (
        "*" if way["chosen"] else "",
        candidate.callers or "any",
        candidate.threads,
        candidate.batch or 1,
        "yes" if candidate.spin else "no",
        way["pictures_per_second"],
        way["pictures_per_cpu_second"],
    )
