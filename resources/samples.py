"""The sample photos (``samples.yaml``), for the demo and the tests."""

import shutil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from resources.catalogue import WeightFile, read_catalogue
from resources.weights import WeightsStore

_SAMPLES = Path(__file__).with_name("samples.yaml")
_GROUP = "samples"


class Sample(WeightFile):
    """One photo.

    Attributes:
        shows: what is to be seen, in a few words.
        licence: SPDX id, or the terms in words.
        credit: whom to name.
    """

    shows: str
    licence: str
    credit: str


class _Samples(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    samples: tuple[Sample, ...]


def load_samples(path: Path | None = None) -> tuple[Sample, ...]:
    """The sample photos in their order.

    Raises:
        SettingsError: the file is missing, not YAML, or says something impossible.
    """
    return read_catalogue(path or _SAMPLES, _Samples).samples


def fetch_samples(store: WeightsStore, target_dir: Path) -> list[Path]:
    """Put the sample photos into a folder, through the store's cache; what is there already stays untouched.

    Args:
        store: fetches and keeps them; offline it serves those it has.
        target_dir: made if need be. Nothing but photos appears there.

    Returns:
        Paths of all photos, in the order of ``samples.yaml``.

    Raises:
        WeightsMissing, WeightsCorrupt, DiskFull: as :meth:`resources.weights.WeightsStore.path`.
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    photos = []
    for sample in load_samples():
        photo = target_dir / sample.name
        if not photo.exists():
            temporary = target_dir / f".{sample.name}.tmp"
            shutil.copyfile(store.cached(_GROUP, sample), temporary)
            temporary.replace(photo)
        photos.append(photo)
    return photos
