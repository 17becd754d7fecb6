"""Knobs of a model as a form: what a person may choose, what is chosen, and the lines of settings that say so.

The command line prints such a form, the review desk draws it; neither knows any knob by name. What does not belong
here: which knobs a model has (the catalogue) and what they do (its adapter).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Value = float | int | str | bool
Kind = Literal["choice", "switch", "slider", "number", "text"]

#: A slider has about so many places.
_PLACES = 100


class Knob(Protocol):
    """What a catalogue says about a knob."""

    @property
    def says(self) -> str:
        """What it does, for people."""
        ...

    @property
    def default(self) -> Value:
        """In use where nothing is said."""
        ...

    @property
    def choices(self) -> Sequence[Value]:
        """All there are, where they can be counted."""
        ...

    @property
    def least(self) -> float | None:
        """Smallest number."""
        ...

    @property
    def most(self) -> float | None:
        """Largest number."""
        ...


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form.

    Attributes:
        name: of the knob.
        says: what it does.
        kind: how it is shown: ``choice`` among few, ``switch``, ``slider`` between two ends, ``number`` or ``text``.
        value: in use.
        default: in use where nothing is said.
        choices: of a ``choice``.
        least: of a number; likewise ``most``.
        step: of a ``slider`` or ``number``; 0 otherwise.
    """

    name: str
    says: str
    kind: Kind
    value: Value
    default: Value
    choices: tuple[Value, ...] = ()
    least: float | None = None
    most: float | None = None
    step: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether somebody chose another value than the default."""
        return self.value != self.default

    @property
    def range(self) -> str:
        """What may be chosen, in words for people."""
        if self.kind == "switch":
            return "true or false"
        if self.choices:
            return ", ".join(map(_written, self.choices))
        ends = [
            f"from {self.least:g}" if self.least is not None else "",
            f"to {self.most:g}" if self.most is not None else "",
        ]
        return " ".join(end for end in ends if end) or "anything"


def form(knobs: Mapping[str, Knob], said: Mapping[str, Value] | None = None) -> tuple[Field, ...]:
    """The form of a model's knobs, in the catalogue's order.

    Args:
        knobs: by name.
        said: what is chosen; unknown names are left out, for the catalogue reports them.
    """
    chosen = said or {}
    return tuple(_field(name, knob, chosen.get(name, knob.default)) for name, knob in knobs.items())


def settings_lines(tasks: Sequence[str], model: str, fields: Sequence[Field]) -> list[str]:
    """The lines of tagging.yaml that choose a model and what was changed about it.

    Args:
        tasks: that it is to serve.
        model: entry of the catalogue.
        fields: of its form; only what differs from the default is written.
    """
    own = [f"    {field.name}: {_written(field.value)}" for field in fields if field.changed]
    lines = ["models:"]
    for task in tasks:
        lines += [f"  {task}:", f"    model: {model}", *own] if own else [f"  {task}: {model}"]
    return lines


def _field(name: str, knob: Knob, value: Value) -> Field:
    kind = _kind(knob)
    step = _step(knob) if kind in ("slider", "number") else 0.0
    return Field(name, knob.says, kind, value, knob.default, tuple(knob.choices), knob.least, knob.most, step)


def _kind(knob: Knob) -> Kind:
    if knob.choices:
        return "choice"
    if isinstance(knob.default, bool):
        return "switch"
    if isinstance(knob.default, str):
        return "text"
    return "number" if knob.least is None or knob.most is None else "slider"


def _step(knob: Knob) -> float:
    """1 for whole numbers; else the power of ten that divides the range into about a hundred."""
    if isinstance(knob.default, int):
        return 1.0
    if knob.least is None or knob.most is None or knob.most <= knob.least:
        return 0.01
    return float(f"{10.0 ** math.floor(math.log10((knob.most - knob.least) / _PLACES) + 0.5):.0e}")


def _written(value: Value) -> str:
    """As YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
