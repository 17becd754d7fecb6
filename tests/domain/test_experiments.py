"""Experiments, their keys and their photos."""

import pytest

from tagging_assets.domain.chat_settings import Chat, Sampling
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiments import Configuration, Experiment, choose_photos, names_of

THERE = [f"{number:02}" for number in range(20)]


def test_photos_stay_whatever_else_is_there() -> None:
    chosen = choose_photos((), THERE, limit=5, seed=0)
    assert len(chosen) == 5
    assert choose_photos((), [*reversed(THERE)], limit=5, seed=0) == chosen
    assert choose_photos((), THERE, limit=5, seed=1) != chosen
    # a greater limit adds to what a smaller one chose
    assert choose_photos((), THERE, limit=8, seed=0)[:5] == chosen


@pytest.mark.parametrize(
    ("limit", "add", "expected"),
    [
        # the same command again, though there are more photos now
        (2, False, 2),
        (None, False, 2),
        # less is not asked about less: the experiment is what it is
        (1, False, 2),
        # more on purpose
        (4, False, 4),
        (99, False, 5),
        # all that are new
        (None, True, 5),
        (2, True, 5),
        # new ones up to a limit
        (3, True, 3),
    ],
)
def test_photos_are_added_on_purpose_only(limit: int | None, add: bool, expected: int) -> None:
    chosen = choose_photos(("b", "gone"), ["a", "b", "c", "d"], limit=limit, seed=0, add=add)
    assert chosen[:2] == ("b", "gone")
    assert len(chosen) == len(set(chosen)) == expected


def test_keys_name_experiment_and_contestant() -> None:
    one = Configuration("select-t0.8", "m", "select")
    experiment = Experiment("mine", "", (one,), ())
    assert experiment.keys == ["mine:select-t0.8"]
    assert names_of("mine:select-t0.8") == ("mine", "select-t0.8")
    assert experiment.configuration("select-t0.8") is one
    with pytest.raises(SettingsError, match=r"has no contestant 'x'; there are: select-t0\.8"):
        experiment.configuration("x")


@pytest.mark.parametrize("key", ["", "mine", "mine:", ":a"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(SettingsError, match="is no contestant"):
        names_of(key)


def test_the_label_is_no_part_of_what_a_contestant_is() -> None:
    one = Configuration("a", "m", "p", sampling=Sampling(temperature=0.5))
    assert one.hash == Configuration("b", "m", "p", sampling=Sampling(temperature=0.5)).hash
    assert one.hash != Configuration("a", "m", "p").hash
    assert one.hash != Configuration("a", "m", "p", sampling=Sampling(temperature=0.5), settings={"max_tags": 3}).hash


def test_settings_that_make_no_sense_with_a_contestant() -> None:
    with pytest.raises(SettingsError, match=r"^a: llm\.max_tags: "):
        Configuration("a", "m", "p", settings={"max_tags": 0}).on(Chat())
