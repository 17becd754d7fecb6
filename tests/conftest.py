"""What tests of several layers share: one real embedded Postgres, real weights and real photos, once a session."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.database import Database
from resources.decoder_pool import DecoderPool
from resources.samples import fetch_samples
from resources.weights import WeightsStore
from tagging_assets.domain.models import RgbImage


def pytest_configure(config: pytest.Config) -> None:
    """Take what the user has set up for projects of their own out of the tests' environment.

    Where the weights are stays, for they are the user's; so does the way to the network, but for this machine itself.
    """
    from tests.commands.command_line import PROJECTS_OWN

    for name in [name for name in os.environ if name.startswith(PROJECTS_OWN) and name != "TAGGING_WEIGHTS"]:
        del os.environ[name]
    # Folders that tests make are as most users' are; what another umask does is tested where it matters.
    os.umask(0o022)
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost,::1"]))
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Each run its own: the next one that the same user starts closes the usual folder to servers of other users.
        root = tempfile.mkdtemp(prefix="t-")
        os.environ["PYTEST_DEBUG_TEMPROOT"] = root
        config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A data folder with a database in it."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def database(data_dir):
    """The embedded Postgres, migrated."""
    opened = Database.open(data_dir, None)
    yield opened
    opened.close()


@pytest.fixture
def press_ctrl_c() -> Iterator[Callable[[float], None]]:
    """Presses Ctrl-C so many seconds later, also where a shell has it ignored, as it does for background jobs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    yield lambda seconds: threading.Timer(seconds, signal.pthread_kill, (main, signal.SIGINT)).start()
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def workshop(tmp_path, database):
    """The line over an empty folder, people not measured."""
    from tests.workshop import Workshop

    opened = Workshop(tmp_path, database)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def decoders() -> Iterator[DecoderPool]:
    """Decodes photos in processes of their own, as the line does."""
    pool = DecoderPool()
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def weights_store() -> Iterator[WeightsStore]:
    """The project's own catalogue on the user's cache folder."""
    with WeightsStore() as store:
        yield store


@pytest.fixture(scope="session")
def sample_photos(weights_store: WeightsStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sample photos by file name, in a folder of the test session."""
    return {path.name: path for path in fetch_samples(weights_store, tmp_path_factory.mktemp("photos"))}


@pytest.fixture(scope="session")
def sample_images(sample_photos: dict[str, Path]) -> dict[str, RgbImage]:
    """The sample photos decoded: (h, w, 3) uint8 by file name."""
    images = {}
    for name, path in sample_photos.items():
        with Image.open(path) as photo:
            images[name] = np.asarray(photo.convert("RGB"))
    return images
