from dataclasses import dataclass

import pytest

from tagging_assets.domain.knobs import Value, form, settings_lines


@dataclass(frozen=True)
class Said:
    """A knob as a catalogue says it."""

    default: Value
    choices: tuple[Value, ...] = ()
    least: float | None = None
    most: float | None = None
    says: str = "does something"


@pytest.mark.parametrize(
    ("knob", "kind", "range_", "step"),
    [
        (Said("fp32", ("fp32", "int8")), "choice", "fp32, int8", 0.0),  # few values that can be counted
        (Said(1, (1, 2, 4)), "choice", "1, 2, 4", 0.0),  # numbers can be counted too
        (Said(True), "switch", "true or false", 0.0),  # True is an int to Python, and no number to people
        (Said(0.7, least=0.1, most=0.95), "slider", "from 0.1 to 0.95", 0.01),
        (Said(1.0, least=0.1, most=10), "slider", "from 0.1 to 10", 0.1),
        (Said(0.02, least=0.0, most=0.1), "slider", "from 0 to 0.1", 0.001),
        (Said(640, least=320, most=1280), "slider", "from 320 to 1280", 1.0),  # whole numbers go by one
        (Said(0.5, least=0.0), "number", "from 0", 0.01),  # no far end: nothing to slide to
        (Said(3), "number", "anything", 1.0),
        (Said("a photo of"), "text", "anything", 0.0),
        (Said(0.5, least=0.5, most=0.5), "slider", "from 0.5 to 0.5", 0.01),  # one place only
    ],
)
def test_a_knob_is_a_field(knob: Said, kind: str, range_: str, step: float) -> None:
    (field,) = form({"k": knob})
    assert (field.kind, field.range, field.step) == (kind, range_, step)
    assert (field.value, field.changed) == (knob.default, False)


def test_what_is_said_is_the_value_and_unknown_names_are_left_to_the_catalogue() -> None:
    fields = form({"a": Said(1.0), "b": Said("x")}, {"a": 2.0, "nonsense": 3})
    assert [(field.name, field.value, field.changed) for field in fields] == [("a", 2.0, True), ("b", "x", False)]


@pytest.mark.parametrize(
    ("tasks", "said", "lines"),
    [
        (["tagging"], {}, ["models:", "  tagging: m"]),  # nothing changed: the short form
        (["tagging"], {"a": 0.5}, ["models:", "  tagging: m"]),  # the default, said aloud
        (["t"], {"a": 0.25, "on": True}, ["models:", "  t:", "    model: m", "    a: 0.25", "    on: true"]),
        (["image_embedding", "zero_shot"], {}, ["models:", "  image_embedding: m", "  zero_shot: m"]),  # one for both
    ],
)
def test_the_settings_say_what_was_changed(tasks: list[str], said: dict[str, Value], lines: list[str]) -> None:
    assert settings_lines(tasks, "m", form({"a": Said(0.5), "on": Said(False)}, said)) == lines
