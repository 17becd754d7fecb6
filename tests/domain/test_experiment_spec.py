"""Experiments as people write them down."""

from typing import Any

import pytest

from tagging_assets.domain.chat_settings import Chat
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiment_spec import expand, parse_spec
from tagging_assets.domain.scoreboard import Options

LLM = Chat(model="own", prompt="select", strategy="quick")


def labels(**said: Any) -> list[str]:
    return [one.label for one in expand(parse_spec({"name": "x", **said}, "x.yaml"), LLM)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # nothing said: the recipe in use, called by its prompt
        ({}, ["select"]),
        # one value stands for a list of it
        ({"prompts": "select-brief"}, ["select-brief"]),
        # what differs makes the label, in the order of the grid
        (
            {"prompts": ["select", "select-brief"], "parameters": {"temperature": [0, 0.8]}},
            ["select-t0", "select-t0.8", "select-brief-t0", "select-brief-t0.8"],
        ),
        # what is the same for all is left out of it
        ({"models": ["a/m", "b/n"], "parameters": {"temperature": 0.5}}, ["m", "n"]),
        # two providers' models of one name are told apart
        ({"models": ["a/m", "b/m", "n"]}, ["a-m", "b-m", "n"]),
        # names that are no file names
        ({"models": ["a/m:free", "ü"]}, ["m-free", "x"]),
        # names that become the same
        ({"models": ["m!", "m?"]}, ["m", "m-2"]),
        # other parameters are spelt out
        ({"parameters": {"max_tags": [3, 5]}}, ["max_tags-3", "max_tags-5"]),
        ({"parameters": {"only_evidenced": [True, False]}}, ["only_evidenced-true", "only_evidenced-false"]),
        ({"parameters": {"structured": ["json_schema", "none"]}}, ["json_schema", "none"]),
        ({"strategies": ["quick", "standard"]}, ["quick", "standard"]),
        # combinations that are left out, by one value or several
        (
            {
                "prompts": ["a", "b"],
                "parameters": {"temperature": [0, 1]},
                "except": [{"prompt": "b", "temperature": 1}],
            },
            ["a-t0", "a-t1", "b-t0"],
        ),
        ({"prompts": ["a", "b", "c"], "except": [{"prompt": ["a", "b"]}]}, ["c"]),
        # a list of contestants, with labels of their own or without
        ({"configurations": [{"label": "now"}, {"prompt": "b", "temperature": 0.3}]}, ["now", "b-t0.3"]),
    ],
)
def test_contestants_and_their_labels(said: dict[str, Any], expected: list[str]) -> None:
    assert labels(**said) == expected


def test_what_is_not_said_is_as_in_the_settings_but_for_sampling() -> None:
    llm = LLM.model_validate({**LLM.model_dump(), "sampling": {"temperature": 0.7}, "max_tags": 9})
    (one,) = expand(parse_spec({"name": "x", "parameters": {"image_side": 512, "top_p": 0.9}}, "x"), llm)
    assert (one.model, one.prompt, one.strategy) == ("own", "select", "quick")
    # else promoting a contestant would change the others
    assert (one.sampling.temperature, one.sampling.top_p) == (0.0, 0.9)
    assert one.settings == {"image_side": 512}
    assert one.on(llm).max_tags == 9
    assert one.on(llm).image_side == 512
    assert one.on(llm).sampling == one.sampling


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ([], "x.yaml: must be a mapping"),
        ({"name": "Über"}, "x.yaml: name: write at most 64 lower-case letters"),
        ({"scoring": {"gold_above": 0.2}}, "scoring: minority_below 0.3 is above gold_above 0.2; make it smaller"),
        ({"promts": ["a"]}, "x.yaml: promts: no such setting"),
        ({"repeats": 0}, "repeats: "),
        ({"parameters": {"heat": [1]}}, "heat: no such parameter; there are: temperature, "),
        ({"except": [{"heat": 1}]}, "heat: no such parameter; there are: model, prompt, strategy, "),
        ({"configurations": [{"heat": 1}]}, "heat: no such parameter; there are: label, model, "),
        ({"configurations": [{"prompt": "a"}], "prompts": ["b"]}, "lists its configurations one by one"),
        ({"prompts": ["a"], "except": [{"prompt": "a"}]}, "`except` leaves nobody"),
        ({"parameters": {"temperature": [3]}}, "experiment x: temperature: "),
        ({"parameters": {"max_tags": [0]}}, "llm.max_tags: "),
        ({"strategies": ["slow"]}, "llm.strategy: "),
        ({"parameters": {"seed": list(range(65))}}, "has 65 contestants, more than 64"),
        ({"prompts": ["a", "a"]}, "a-2 is the same as a; leave one out"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(said: Any, complaint: str) -> None:
    whole = {"name": "x", **said} if isinstance(said, dict) else said
    with pytest.raises(SettingsError) as error:
        expand(parse_spec(whole, "x.yaml"), LLM)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_scoring_and_judge() -> None:
    said = {"name": "x", "judge": {"model": "j"}, "scoring": {"leave_one_out": False}}
    spec = parse_spec(said, "x")
    assert spec.options == Options(leave_one_out=False)
    assert spec.judged_by is not None
    assert spec.judged_by.prompt == "judge"
    assert parse_spec({"name": "x"}, "x").options == Options()
