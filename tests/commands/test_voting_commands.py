"""Judging an experiment: on the page that the command serves, and in a sheet."""

import re
import signal
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.experiments import Experiments
from resources.frame_store import FrameStore
from resources.proxy_store import ProxyStore
from resources.row_store import RowStore
from resources.tables import image
from resources.votes import Votes
from tagging_assets.domain.experiments import Configuration, Experiment
from tagging_assets.domain.schemas import BENCHMARK_ANSWERS
from tests.commands.command_line import Project, wait_for
from tests.handmade import frame, record
from tests.workshop import clear

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

#: Two photos of one name, one of its own name, and one that nobody answered about.
PHOTOS = {"id-a": "one/a.jpg", "id-b": "two/a.jpg", "id-c": "c.jpg", "id-d": "d.jpg"}

ANSWERS: Mapping[str, Mapping[str, list[str]]] = {
    "plain": {"id-a": ["dog", "grass"], "id-b": ["boat"], "id-c": ["lamp", "table"]},
    "brief": {"id-a": ["dog"], "id-b": ["boat"], "id-c": ["lamp", "chair"]},
}


def answer(label: str, image_id: str, tags: list[str]) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(BENCHMARK_ANSWERS.columns)
    said = {"image_id": image_id, "configuration": label, "repeat": 0, "model": "m", "outcome": "ok", "error": ""}
    more = {"tags": tags, "outside": [], "pool": tags, "cost_source": "", "seconds": 1.0, "asked": True}
    return {**empty, **said, **more}


@pytest.fixture
def asked(tmp_path: Path, database: Database) -> Iterator[Project]:
    """A project in which two contestants have answered."""
    clear(database)
    project = Project(tmp_path, environment={"TAGGING_DATABASE_URL": database.url})
    times = {"first_seen": NOON, "changed_at": NOON}
    rows = [
        {"image_id": key, "uri": f"/p/{path}", "batch": "b000001", "bytes": 1, "mtime_ns": 1, **times}
        for key, path in PHOTOS.items()
    ]
    with database.engine.begin() as connection:
        connection.execute(sa.insert(image), rows)
    trial = Experiment("trial", "", tuple(Configuration(one, "m", "p") for one in ANSWERS), tuple(PHOTOS))
    for experiment in (trial, Experiment("silent", "", trial.configurations, tuple(PHOTOS))):
        Experiments(database.engine).keep(experiment, who="anna", now=NOON)
    tables = project.data / "tables"
    for label, said in ANSWERS.items():
        RowStore(tables).write(BENCHMARK_ANSWERS, [answer(label, *one) for one in said.items()], "trial", label)
    proxy = ProxyStore(project.data).put(np.full((60, 80, 3), 90, np.uint8))._asdict()
    FrameStore(tables).write(
        "proxies", "b000001", frame("proxies", *(record("proxies", one, [proxy]) for one in PHOTOS))
    )
    yield project
    clear(database)


def marks(database: Database) -> set[tuple[str, str, bool | None, str]]:
    return {(one.image_id, one.tag, one.relevant, one.marker) for one in Votes(database.engine).marks(list(PHOTOS))}


def test_a_sheet_is_written_filled_in_and_taken(asked: Project, database: Database) -> None:
    sheet = asked.folder / "sheet.csv"
    assert asked.call("experiment", "mark", "trial", "--export", sheet, "--json").json["lines"] == 6
    assert sheet.read_text(encoding="utf-8").splitlines() == [
        "image,tag,relevant",
        # what both say comes first; two photos are called a.jpg
        "id-a,dog,",
        "id-a,grass,",
        "id-b,boat,",
        "c.jpg,lamp,",
        "c.jpg,chair,",
        "c.jpg,table,",
    ]
    filled = "\ufeffimage;tag;relevant\nid-a;Dog;1\nc.jpg;lamp;0\n/p/c.jpg;table;\nc.jpg;tabel;1\n"
    sheet.write_text(filled, encoding="utf-8")
    done = asked.call("experiment", "mark", "trial", "--csv", sheet, "--by", "anna", "--json").json
    assert done == {"experiment": "trial", "marker": "anna", "lines": 3, "marks": 3, "unnamed": 1}
    said = {("id-a", "dog", True, "anna"), ("id-c", "lamp", False, "anna"), ("id-c", "tabel", True, "anna")}
    assert marks(database) == said
    # the same sheet again is no news, and neither does anna's word count as ben's
    again = asked.call("experiment", "mark", "trial", "--csv", sheet, "--by", "anna")
    assert "0 of 3 marks are new" in again.err
    assert "look for slips of the pen" in again.err
    theirs = asked.folder / "ben.csv"
    asked.call("experiment", "mark", "trial", "--export", theirs, "--by", "ben")
    assert "1" not in theirs.read_text(encoding="utf-8")
    hers = asked.folder / "anna.csv"
    asked.call("experiment", "mark", "trial", "--export", hers, "--by", "anna")
    assert "id-a,dog,1\n" in hers.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sheet", "arguments", "message"),
    [
        ("", ("nothing-like-it",), "nothing-like-it"),
        ("", ("silent",), "nobody has answered yet"),
        ("image,tag,relevant\nz.jpg,dog,1\n", ("trial",), 'line 2: no photo with answers is "z.jpg"'),
        # two photos have the name; one has no answers
        ("image,tag,relevant\na.jpg,dog,1\n", ("trial",), "its image_id where two photos have the same"),
        ("image,tag,relevant\nd.jpg,dog,1\n", ("trial",), 'no photo with answers is "d.jpg"'),
        ("image,tag,relevant\nc.jpg,lamp,1\nid-c,Lamp,0\n", ("trial",), 'line 3: "Lamp" is marked both ways'),
        ("image,tag\nc.jpg,lamp\n", ("trial",), 'no column "relevant"'),
        ("image,tag,relevant\n", ("trial", "--by", " "), "--by names nobody"),
        ("image,tag,relevant\n", ("trial", "--export", "x.csv"), "not both"),
    ],
)
def test_a_sheet_that_makes_no_sense(
    asked: Project, database: Database, sheet: str, arguments: tuple[str, ...], message: str
) -> None:
    path = asked.folder / "sheet.csv"
    path.write_text(sheet, encoding="utf-8")
    done = asked.call("experiment", "mark", *arguments, "--csv", path)
    assert done.code == 2
    assert message in done.error
    assert marks(database) == set()


def test_a_sheet_is_never_written_over(asked: Project) -> None:
    sheet = asked.folder / "sheet.csv"
    sheet.write_text("hours of work", encoding="utf-8")
    done = asked.call("experiment", "mark", "trial", "--export", sheet)
    assert (done.code, sheet.read_text(encoding="utf-8")) == (2, "hours of work")
    assert "is there already" in done.error
    missing = asked.call("experiment", "mark", "trial", "--csv", asked.folder / "none.csv")
    assert "none.csv cannot be read (No such file or directory)" in missing.error


def test_a_port_that_is_taken_is_told(asked: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = asked.call("experiment", "vote", "trial", "--port", str(port), "--no-browser")
    assert done.code == 2
    assert f"port {port} is taken" in done.error


def test_people_vote_until_ctrl_c(asked: Project, database: Database) -> None:
    with asked.started("experiment", "vote", "trial", "--no-browser", "--by", "anna") as process:
        wait_for(lambda: "Ctrl-C" in asked.said() or process.poll() is not None, 60, asked.said)
        link = re.search(r"http://127\.0\.0\.1:\d+/enter\?key=\S+", asked.said())
        assert link, asked.said()
        with httpx.Client(base_url=link[0].split("/enter")[0], follow_redirects=True) as browser:
            browser.get(link[0])
            # two photos with different answers; the third has the same answer twice
            for number in (1, 2):
                page = browser.get("/vote")
                assert f"{number} of 2" in page.text
                assert not re.search("plain|brief", page.text)
                (photo,) = re.findall(r"/photo/[\w-]+", page.text)
                assert browser.get(photo).content.startswith(b"\xff\xd8\xff")
                (token,) = re.findall(r'name="token" value="([^"]+)"', page.text)
                left_is_plain = page.text.index("grass" if "grass" in page.text else "table") < page.text.index(">B<")
                winner = "left" if left_is_plain else "right"
                done = browser.post(f"/vote/{number}", data={"token": token, "winner": winner})
        assert re.search("plain.*brief", done.text, re.DOTALL), "best first, and only now by name"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "2 votes and 0 marks written down" in asked.said()
    votes = Votes(database.engine).of("trial")
    assert {(one.image_id, one.left if one.winner == "left" else one.right) for one in votes} == {
        ("id-a", "plain"),
        ("id-c", "plain"),
    }
    assert {one.voter for one in votes} == {"anna"}
