import pytest

from resources.dialect import Dialect, Structured
from tagging_assets.domain.chat_settings import Sampling
from tests.forms import Choice

FORM = Choice("cat", "dog")


@pytest.mark.parametrize(
    ("complaint", "expected"),
    [
        ("json_schema is not supported", Dialect(structured="json_object")),
        ("failed to parse grammar", Dialect(structured="json_object")),
        ("Unsupported parameter: 'max_tokens'", Dialect(token_limit="max_completion_tokens")),
        ("Unsupported value: 'temperature' does not support 0", Dialect(temperature=False)),
        ("top_p is not supported with this model", Dialect(top_p=False)),
        ("unknown field: seed", Dialect(seed=False)),
        ("your prompt is too long; reduce max_tokens", None),  # about length, not about the parameter
        ("bad request", None),
    ],
)
def test_a_refused_part_of_the_protocol_is_given_up(complaint: str, expected: Dialect | None) -> None:
    assert Dialect().without(complaint) == expected


def test_giving_up_ends() -> None:
    dialect: Dialect | None = Dialect()
    steps = 0
    while dialect is not None:
        dialect = dialect.without("unknown: max_tokens temperature top_p seed response_format")
        steps += 1
    assert steps == 7


@pytest.mark.parametrize(
    ("understood", "wanted", "used"),
    [
        ("json_schema", "json_schema", "json_schema"),
        ("json_schema", "none", "none"),  # no more than is wanted
        ("json_object", "json_schema", "json_object"),  # no more than is understood
        ("none", "json_object", "none"),
    ],
)
def test_the_form_is_asked_for_as_far_as_wanted_and_understood(
    understood: Structured, wanted: Structured, used: Structured
) -> None:
    assert Dialect(understood).at_most(wanted).structured == used


def test_everything_may_be_said() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9)
    said = Dialect().parameters(sampling, 7, seed=3)
    assert said == {"max_tokens": 7, "temperature": 0.7, "top_p": 0.9, "seed": 3}
    wanted = Dialect().response_format(FORM)
    assert wanted["json_schema"] == {"name": "tags", "strict": True, "schema": FORM.schema}


def test_the_simplest_dialect_says_the_least() -> None:
    dialect = Dialect("none", "max_completion_tokens", temperature=False, top_p=False, seed=False)
    assert dialect.parameters(Sampling(top_p=0.5), 7, 0) == {"max_completion_tokens": 7}
    assert dialect.response_format(FORM) == {}


@pytest.mark.parametrize("dialect", [Dialect(), Dialect("none", "max_completion_tokens", seed=False)])
def test_a_dialect_is_remembered(dialect: Dialect) -> None:
    assert Dialect.remembered(dialect.told()) == dialect
    assert Dialect.remembered({**dialect.told(), "of a later version": 1}) == dialect


def test_what_was_not_given_up_is_not_written_down() -> None:
    assert Dialect().told() == {}
    assert Dialect(seed=False).told() == {"seed": False}
