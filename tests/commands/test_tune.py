"""`tagging models tune`: the models in use are really run; what was found is kept, shown, and used."""

import json
from pathlib import Path

import pytest

from resources.choices import model_in_use
from resources.onnx_session import OnnxOptions, close_sessions
from resources.tunable import tunables
from resources.weights import WeightsStore, default_cache_dir
from tagging_assets.commands import tune
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import Settings

NAME = "efficientnet-lite0"


@pytest.fixture
def cache(tmp_path: Path, weights_store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of weights of the test's own, with one model in it."""
    weights_store.pull(NAME)
    own = tmp_path / "weights"
    own.mkdir()
    for folder in weights_store.cache_dir.iterdir():
        if folder.name != "tuning":
            (own / folder.name).symlink_to(folder)
    monkeypatch.setenv("TAGGING_WEIGHTS", str(own))
    close_sessions()
    return own


@pytest.fixture
def settings_path(tmp_path: Path) -> Path:
    path = tmp_path / "tagging.yaml"
    path.write_text("inference: {provider: cpu}\n")
    return path


def test_what_is_found_is_kept_shown_and_used(
    cache: Path, settings_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert default_cache_dir() == cache
    (told,) = tune.tune(settings_path, [NAME], seconds=0.1)
    assert (told["model"], told["input"], told["provider"]) == (NAME, [3, 224, 224], "CPUExecutionProvider")
    (chosen,) = [way for way in told["candidates"] if way["chosen"]]
    assert all(way["pictures_per_second"] > 0 for way in told["candidates"])
    assert tune.kept() == json.loads(json.dumps([told]))

    tune.show([told])
    shown = capsys.readouterr().out
    assert NAME in shown
    assert "*" in shown

    options = OnnxOptions(provider="cpu", threads=1)
    with WeightsStore() as store:
        (one,) = tunables(lambda task: model_in_use(store, Settings(), task, options), [NAME])
    said = (one.session.options.callers, one.session.options.threads, one.session.options.batch)
    assert said == (chosen["callers"], chosen["threads"], chosen["batch"])


def test_nothing_kept_is_said_so(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune.show(tune.kept())
    assert "Nothing is tuned" in capsys.readouterr().err


def test_models_that_are_not_in_use_cannot_be_tuned(cache: Path, settings_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no-such-model is not in use; in use are .*efficientnet-lite0"):
        tune.tune(settings_path, ["no-such-model"], seconds=0.1)
