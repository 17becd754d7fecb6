"""What an ultralytics-family ONNX file says about itself, read with the distrust that such files have earned.

Names of classes are the text of a Python dict, ``batch`` says 1 where it is free, and what else stands there may be
missing. What does not belong here: running it.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from resources.onnx_session import Session
from tagging_assets.domain.errors import ModelFailed
from tagging_assets.domain.models import PERSON_LABEL

_STRIDE = 32
_INPUT_PIXELS = 640
#: Longest text that is parsed: 10,000 names of 60 letters.
_MOST_TEXT = 1_000_000
_MOST_CLASSES = 10_000
_TYPES: Mapping[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
#: Numbers of a box beyond its classes: mask coefficients. Of joints, the file says how many.
_MASK_NUMBERS = 32


@dataclass(frozen=True, slots=True)
class YoloKind:
    """What a file says, or must be.

    Attributes:
        task: ``detect``, ``segment`` or ``pose``.
        names: of its classes, in the order of its outputs.
        dtype: of its input.
        input_pixels: long side that it was made for.
        height: of its input; 0 where it takes any; likewise ``width``.
        stride: both are multiples of.
        joints: number of joints, and numbers per joint; (0, 0) where it finds none.
    """

    task: str
    names: tuple[str, ...]
    dtype: type[np.floating[Any]]
    input_pixels: int
    height: int
    width: int
    stride: int
    joints: tuple[int, int]

    @property
    def is_dynamic(self) -> bool:
        """Whether it takes inputs of any size."""
        return not (self.height and self.width)

    @property
    def extra(self) -> int:
        """Numbers per box besides the box and the scores of classes."""
        if self.task == "segment":
            return _MASK_NUMBERS
        return self.joints[0] * self.joints[1]


def read_kind(session: Session, noted: Sequence[str] = ()) -> YoloKind:
    """What a loaded model is.

    Args:
        session: the model.
        noted: names of its classes, where its own metadata have none.

    Raises:
        ModelFailed: it is no YOLO that finds boxes, or does not say what its classes are.
    """
    said = session.metadata
    task = said.get("task", "detect")
    if task not in ("detect", "segment", "pose"):
        raise ModelFailed(f"the model is made for {task}; choose one made for detect, segment or pose")
    name, shape = next(iter(session.inputs.items()))
    if len(shape) != 4 or shape[1] != 3:
        raise ModelFailed(f"the model's input {name} is {list(shape)}; a YOLO takes (batch, 3, height, width)")
    element = session.types.get(name, "")
    if element not in _TYPES:
        raise ModelFailed(f"the model's input is {element or 'of an unknown type'}; float and float16 can be fed")
    height, width = (side if isinstance(side, int) else 0 for side in shape[2:])
    sides = [side for side in _literal(said.get("imgsz", "")) or () if isinstance(side, int) and side > 0]
    return YoloKind(
        task=task,
        names=read_names(said.get("names", "")) or tuple(noted),
        dtype=_TYPES[element],
        input_pixels=max(sides, default=_INPUT_PIXELS),
        height=height,
        width=width,
        stride=_stride(said.get("stride", "")),
        joints=_joints(said.get("kpt_shape", "")) if task == "pose" else (0, 0),
    )


def read_names(text: str) -> tuple[str, ...]:
    """Names of classes from ``{0: 'person', 1: 'bicycle'}``, a list of them, or the same as JSON; none if unreadable.

    Raises:
        ModelFailed: the classes are not numbered from 0 on without gaps.
    """
    found = _literal(text)
    if isinstance(found, Mapping):
        try:
            numbered = {int(number): str(name) for number, name in found.items()}
        except (TypeError, ValueError):
            return ()
        if sorted(numbered) != list(range(len(numbered))):
            raise ModelFailed(f"the model's {len(numbered)} classes are not numbered from 0 to {len(numbered) - 1}")
        found = [numbered[number] for number in range(len(numbered))]
    if not isinstance(found, list | tuple) or len(found) > _MOST_CLASSES:
        return ()
    return tuple(" ".join(str(name).split()) for name in found)


def labels_of(names: Sequence[str], labels: Mapping[str, str]) -> dict[int, str]:
    """What each class that counts stands for, by its number.

    Args:
        names: of the model's classes.
        labels: the catalogue's word; all classes by their own names where it has none.

    Raises:
        ModelFailed: the model names no classes, or the catalogue names one that it does not have.
    """
    if not names:
        raise ModelFailed("the model does not say what its classes are; a YOLO export has them as metadata `names`")
    if unknown := sorted(set(labels) - set(names)):
        raise ModelFailed(f"labels: the model has no class {', '.join(unknown)}; it has {told(names)}")
    if labels:
        return {number: labels[name] for number, name in enumerate(names) if name in labels}
    return {number: _usual(name) for number, name in enumerate(names) if name}


def told(names: Sequence[str], most: int = 6) -> str:
    """Names in a few words: ``car, bus, truck and 77 more``."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _usual(name: str) -> str:
    return PERSON_LABEL if name.casefold() == PERSON_LABEL else name


def _literal(text: str) -> Any:
    """The value of a Python or JSON literal; ``None`` where it is neither, or suspiciously long."""
    if not text or len(text) > _MOST_TEXT:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _stride(text: str) -> int:
    try:
        return max(int(float(text)), 1)
    except (ValueError, OverflowError):
        return _STRIDE


def _joints(text: str) -> tuple[int, int]:
    found = _literal(text)
    if isinstance(found, list | tuple) and len(found) == 2 and all(isinstance(one, int) and one > 0 for one in found):
        return found[0], found[1]
    # COCO's 17 joints of x, y and confidence: what every published pose model has.
    return 17, 3
