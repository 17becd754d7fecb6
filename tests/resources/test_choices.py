"""Which model serves which task, and what a user hears who asks for one that cannot."""

import pytest

from resources.catalogue import load_catalogue
from resources.choices import entries_in_use, model_in_use
from resources.weights import WeightsStore
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import Settings


def test_the_profile_serves_what_no_choice_names() -> None:
    entries = entries_in_use(load_catalogue(), Settings())
    assert entries["tagging"].name == "efficientnet-lite0"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"profile": "enormous"}, "no profile enormous; there are"),
        ({"models": {"tagging": "nothing"}}, "models: tagging: no model nothing"),
        # a model of another kind
        ({"models": {"tagging": "mediapipe-face"}}, "can do face, not tagging; see `tagging models list --task"),
        # a task that the profile leaves open, without a model
        ({"models": {"silhouette": {"precision": "int8"}}}, "has nothing for silhouette; name a model for it"),
        # a knob that the model does not have
        ({"models": {"tagging": {"temperature": 1}}}, "efficientnet-lite0 has no knob temperature"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(said: dict, complaint: str) -> None:
    store = WeightsStore(offline=True)
    task = next(iter(said.get("models", {"tagging": None})))
    with pytest.raises(SettingsError, match=complaint):
        model_in_use(store, Settings.model_validate(said), task)


def test_a_task_that_nothing_serves_is_no_error() -> None:
    assert model_in_use(WeightsStore(offline=True), Settings(), "silhouette") is None
