"""No password, key, link or cookie is kept or shown anywhere: planted ones are looked for after real runs."""

import gzip
import json
import os
import shutil
import signal
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from resources.database import Database
from tests.commands.command_line import Project, wait_for
from tests.llm_stub import LlmStub, fails, says

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

PASSWORD = "planted-password-of-the-database"
KEY = "sk-planted-key-of-the-provider"
OTHER = "planted-secret-of-something-else"

_SETTINGS = """
llm:
  model: clever
  providers: {{stub: {{base_url: "{url}", api_key_env: PLANTED_API_KEY}}}}
  models: {{clever: {{provider: stub, model: m}}}}
"""

#: What the pages can be asked about a code location and its runs.
_QUERIES = (
    "{ instance { info runLauncher { name } daemonHealth { id } } }",
    """{ repositoriesOrError { ... on RepositoryConnection { nodes { name
         allTopLevelResourceDetails { name resourceType configFields { name } configuredValues { key value type } }
         jobs { name runTags: tags { key value } }
         sensors { name description sensorState { ticks(limit: 20) { error { message stack } skipReason cursor } } }
         } } } }""",
    """{ runsOrError { ... on Runs { results { id runConfigYaml tags { key value }
         eventConnection(limit: 1000) { events { __typename ... on MessageEvent { message }
         ... on ErrorEvent { error { message stack causes { message stack } } } } } } } } }""",
    "{ workspaceOrError { ... on Workspace { locationEntries { displayMetadata { key value } } } } }",
)


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Bytes as they are, and what they hold where they are packed."""
    yield content
    for unpack, error in ((zlib.decompress, zlib.error), (gzip.decompress, (OSError, zlib.error, EOFError))):
        try:
            yield unpack(content)
        except error:
            continue


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        # The server's own pages are read as tables.
        if not path.is_file() or "postgres" in path.relative_to(folder).parts:
            continue
        for content in _unpacked(path.read_bytes()):
            yield str(path), content
        if path.suffix == ".parquet":
            yield str(path), repr(pl.read_parquet(path).to_dicts()).encode()
            yield str(path), repr(pl.read_parquet_metadata(path)).encode()


def _rows(database: Database) -> Iterator[tuple[str, bytes]]:
    with database.engine.connect() as connection:
        for table in sa.inspect(database.engine).get_table_names():
            for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')):
                for name, value in row._mapping.items():
                    binary = isinstance(value, memoryview | bytes)
                    for content in _unpacked(bytes(value)) if binary else [str(value).encode()]:
                        yield f"{table}.{name}", content


def _shown(address: str, headers: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for query in _QUERIES:
        reply = httpx.post(f"{address}/graphql", json={"query": query}, headers=headers, timeout=60)
        assert reply.status_code == 200, reply.text
        yield query, reply.content


def _processes(project: Project) -> Iterator[tuple[str, bytes]]:
    for pid, line in project.processes().items():
        yield f"command line of {pid}", line.encode()


def _found(secrets: Mapping[str, str], places: Iterator[tuple[str, bytes]]) -> tuple[list[str], int]:
    """Where which secret stands, and how many places were looked at."""
    found, looked = [], 0
    for place, content in places:
        looked += 1
        found += [f"{name} in {place}" for name, secret in secrets.items() if secret.encode() in content]
    return found, looked


def _operators_url(database: Database) -> str:
    """The URL of a database that asks for a password, with the password in it."""
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"CREATE ROLE tagger SUPERUSER LOGIN PASSWORD '{PASSWORD}'"))
    url = sa.make_url(database.url)
    query = {name: value for name, value in url.query.items() if name != "passfile"}
    return url.set(username="tagger", password=PASSWORD, query=query).render_as_string(hide_password=False)


def test_planted_secrets_are_found_nowhere(
    tmp_path: Path, cached_weights: Path, sample_photos: Mapping[str, Path]
) -> None:
    operators = Database.open(tmp_path / "operators", None)
    # The provider repeats the key in what it says is wrong, as some do.
    answers = [fails(401, f"Incorrect API key provided: {KEY}"), says('{"tags": ["cat"]}')]
    with LlmStub(answers) as stub:
        variables = {
            "TAGGING_DATABASE_URL": _operators_url(operators),
            "PLANTED_API_KEY": KEY,
            "AWS_SECRET_ACCESS_KEY": OTHER,
        }
        project = Project(tmp_path / "project", _SETTINGS.format(url=stub.base_url), environment=variables)
        photo = shutil.copy(sample_photos["chelsea.png"], project.photos)
        refused = project.run("run", photo)
        assert refused.code != 0
        assert "Incorrect API key provided" in refused.err, "the attack reaches what is said and kept"
        done = project.run("run", photo)
        assert done.code == 0, done.err
        assert any(f"Bearer {KEY}" in one.headers.values() for one in stub.asked), "the key is in use"
        secrets = {"password": PASSWORD, "key": KEY, "other": OTHER}
        said = [("said", one.encode()) for one in (refused.out, refused.err, done.out, done.err)]
        with project.started("up", "--port", "0") as process:
            wait_for(lambda: "Ctrl-C stops" in project.said() or process.poll() is not None, 120, project.said)
            secrets |= _walk_while_up(project, secrets, process.pid)
            assert process.wait(30) == 0
    for places, least in ((iter(said), 4), (_files(project.folder), 20), (_rows(operators), 500)):
        found, looked = _found(secrets, places)
        assert found == []
        assert looked >= least, "the walk has seen what there is"
    operators.close()


def _walk_while_up(project: Project, secrets: dict[str, str], pid: int) -> dict[str, str]:
    """Look at what is shown while `tagging up` serves, and end it; gives its own secrets."""
    access: dict[str, Any] = json.loads((project.data / "up.json").read_text())
    headers = {"Authorization": f"Bearer {access['token']}"}
    address: str = access["address"]
    with httpx.Client(base_url=address) as browser:
        browser.get(httpx.post(f"{address}/enter", headers=headers).json()["link"])
        own = {"token": access["token"], "cookie": next(iter(browser.cookies.values()))}
    for places in (_shown(address, headers), _processes(project)):
        found, looked = _found({**secrets, **own}, places)
        assert found == []
        assert looked >= 4
    os.kill(pid, signal.SIGINT)
    return own
