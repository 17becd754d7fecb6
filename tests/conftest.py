"""What tests of several layers share: one real embedded Postgres for the session."""

import pytest

from resources.database import Database


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
