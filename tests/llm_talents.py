"""A stub's answers to a probe, talent by talent."""

from collections.abc import Mapping
from typing import Any

from tests.llm_stub import Behaviour, completion, says, sends

TOMATO = '{"colour": "red", "sure": true}'

#: What is asked, by what tells the question from the others.
Kind = str


def kind_of(body: Mapping[str, Any]) -> Kind:
    if isinstance(body["messages"][-1]["content"], list):
        return "vision"
    if "logprobs" in body:
        return "logprobs"
    return str(body.get("response_format", {}).get("type", "word"))


def with_logprobs() -> dict[str, Any]:
    said = completion("ready")
    said["choices"][0]["logprobs"] = {"content": [{"token": "ready", "logprob": -0.1}]}
    return said


#: A model that can do everything.
ABLE: Mapping[Kind, Behaviour] = {
    "word": says("Ready."),
    "vision": says("Red and yellow."),
    "json_schema": says(TOMATO),
    "json_object": says('{"anything": 1}'),
    "logprobs": sends(with_logprobs()),
}


def able(**other: Behaviour) -> Behaviour:
    """A model that can do everything but this."""

    def behave(handler: Any) -> None:
        {**ABLE, **other}[kind_of(handler.stub.asked[-1].body)](handler)

    return behave
