"""Photos to quantise by: some to calibrate on, others to see on what was lost.

What does not belong here: what is done with them (``quantising``).
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, overload

from resources.decoding import decode
from resources.proxy_store import ProxyStore
from resources.samples import fetch_samples
from resources.weights import WeightsStore
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.images import pixel_id
from tagging_assets.domain.models import RgbImage

#: Fewer tell too little, whatever the model.
LEAST = 8
#: More than about a hundred change no range that matters.
PHOTOS = 128


Given = TypeVar("Given")
Made = TypeVar("Made")


class Lazily(Sequence[Made], Generic[Given, Made]):
    """What is made of each of some things, when it is asked for and each time anew.

    Two hundred photos, and a network's inputs made of them, would fill a gigabyte.
    """

    def __init__(self, given: Sequence[Given], make: Callable[[Given], Made]) -> None:
        self._given = given
        self._make = make

    def __len__(self) -> int:
        return len(self._given)

    @overload
    def __getitem__(self, place: int) -> Made: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Made]: ...
    def __getitem__(self, place: int | slice) -> Made | Sequence[Made]:
        """One, or some of them as lazily."""
        if isinstance(place, slice):
            return Lazily(self._given[place], self._make)
        return self._make(self._given[place])


@dataclass(frozen=True)
class Photos:
    """Photos, apart by what they are for.

    Attributes:
        calibrate: upright sRGB; ranges of values come from them.
        compare: others.
        ids: hash of the pixel ids of the first.
        origin: where they come from, in words.
    """

    calibrate: Sequence[RgbImage]
    compare: Sequence[RgbImage]
    ids: str
    origin: str


def photos_of(data_dir: Path, store: WeightsStore, wanted: int = PHOTOS) -> Photos:
    """The project's photos, or the samples where it has too few.

    Args:
        data_dir: the project's data folder.
        store: has or fetches the samples.
        wanted: photos to calibrate on, of as many as the project has.

    Raises:
        WeightsMissing, WeightsCorrupt: the samples cannot be had.
    """
    return from_project(data_dir, max(wanted, LEAST)) or from_samples(store)


def from_project(data_dir: Path, wanted: int) -> Photos | None:
    """Photos of a project, as its working copies show them; ``None`` where there are too few.

    Working copies are named by a hash of their pixels, so that the first names are a fair sample of the library
    whatever order its photos came in, and the same one each time while the library stands.

    Args:
        data_dir: the project's data folder.
        wanted: photos to calibrate on; half as many, and at least :data:`LEAST`, are kept to compare on.
    """
    paths = sorted((data_dir / "proxies").glob("*/*/*.jpg"))[: wanted + max(wanted // 2, LEAST)]
    store = ProxyStore(data_dir)
    # A damaged copy is found out and made again by the run that needs it.
    names = [path.stem for path in paths if store.verify(store.path_of(path.stem))]
    return _apart(names, lambda name: store.load(store.path_of(name)), "the project") if len(names) >= LEAST else None


def from_samples(store: WeightsStore) -> Photos:
    """The demo's photos, where there is no project yet.

    Raises:
        WeightsMissing, WeightsCorrupt: they are not here and cannot be fetched.
    """
    with tempfile.TemporaryDirectory() as folder:
        pixels = {pixel_id(one): one for one in (decode(path).pixels for path in fetch_samples(store, Path(folder)))}
    return _apart(list(pixels), pixels.__getitem__, "the sample photos")


def _apart(names: Sequence[str], load: Callable[[str], RgbImage], origin: str) -> Photos:
    """Every third is for comparing."""
    if len(names) < LEAST:
        raise SettingsError(
            f"there are {len(names)} photos to calibrate on, and {LEAST} are needed; run `tagging run FOLDER` first"
        )
    compare = [name for place, name in enumerate(names) if place % 3 == 2]
    rest = [name for place, name in enumerate(names) if place % 3 != 2]
    return Photos(Lazily(rest, load), Lazily(compare, load), content_hash(sorted(rest)), origin)
