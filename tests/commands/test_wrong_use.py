"""Wrong use: exit code 2, and one line that says what is wrong and how to mend it."""

import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tagging_assets.cli import main
from tagging_assets.commands.session import open_database
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import Settings
from tests.commands.command_line import Project


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine where nobody listens, kept from others by being bound."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "nowhere"), "SettingsError: nowhere is not there; give a photo or a folder of photos"),
        (("prompts", "show", "nothing"), 'SettingsError: no prompt or label set "nothing"; `tagging prompts list`'),
        (("models", "pull", "nothing"), "SettingsError: no model nothing in the catalogue; "),
    ],
)
def test_names_of_what_is_not_there(project: Project, arguments: tuple[str, ...], says: str) -> None:
    done = project.run(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.error.startswith(says)


def test_brackets_of_a_message_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tagging", "prompts", "list", "--settings", "[mine]/nowhere.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "[mine]/nowhere.yaml: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("lmm:\n  enabled: false\n", "lmm: no such setting"),
        ("rules:\n  keep_abve: 0.4\n", "rules.keep_abve: no such setting; did you mean keep_above?"),
        ("llm: {model: far/m, providers: {far: {base_url: https://llm.example.com/v1}}}\n", "`privacy: remote` would"),
        ("llm: {model: openai/gpt-5-mini}\n", "llm.providers.openai: base_url 'https://api.openai.com/v1' is not this"),
        ("llm: {model: nowhere/m}\n", "no provider 'nowhere' under llm.providers"),
        ("llm: {model: mediapipe-pose-full}\n", "is no chat model"),
    ],
)
def test_settings_that_make_no_sense(project: Project, extra: str, says: str) -> None:
    wrong = Project(project.folder, extra)
    done = wrong.run("run", wrong.photos)
    assert done.code == 2
    assert done.error.startswith("SettingsError: ")
    assert says in done.error


def test_a_database_that_does_not_answer(project: Project, closed_port: int) -> None:
    url = f"postgresql://me:secret@127.0.0.1:{closed_port}/tags"
    done = project.run("status", more={"TAGGING_DATABASE_URL": url})
    assert done.code == 2
    assert done.error.startswith("DatabaseUnavailable: Postgres does not answer")
    assert "TAGGING_DATABASE_URL" in done.error
    assert "secret" not in done.error


@pytest.mark.parametrize(
    "url",
    [
        # no URL at all
        "tags",
        # a URL of something else
        "mysql://me:secret@127.0.0.1/tags",
        # a port that is no number
        "postgresql://me:secret@127.0.0.1:port/tags",
        # a driver that is not there
        "postgresql+asyncpg://me:secret@127.0.0.1/tags",
    ],
)
def test_urls_of_no_postgres(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv("TAGGING_DATABASE_URL", url)
    with pytest.raises(SettingsError, match="write postgresql://USER:PASSWORD@HOST:PORT/NAME") as caught:
        open_database(Settings(data_dir=tmp_path))
    assert url not in str(caught.value)


@pytest.mark.slow
def test_weights_of_another_hash_are_not_used(
    project: Project, damaged_weights: Path, sample_photos: Mapping[str, Path]
) -> None:
    photo = shutil.copy(sample_photos["chelsea.png"], project.photos)
    done = project.run("run", photo, more={"TAGGING_WEIGHTS": str(damaged_weights)})
    assert done.code == 2
    assert "Traceback" not in done.err
    # Above it stand the stages that went well.
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("Weights")
    assert "best_fp16.onnx" in last
    assert "tagging models pull" in last


def test_a_port_that_is_taken(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = project.run("up", "--port", str(port))
    assert done.code == 2
    assert done.error == f"SettingsError: port {port} is taken; choose another with --port"
