"""Finding out how a model runs fastest, and finding that again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from resources.onnx_providers import CPU, CUDA, TENSORRT, OnnxOptions
from resources.tuning import Candidate, Measured, Subject, Tuned, Tuning, subject_of
from resources.tuning_search import candidates, choose, joins, search
from tagging_assets.domain.errors import ModelFailed

OPTIONS = OnnxOptions(provider="cpu", threads=1)
SHA = "a" * 64
DEFAULT, WIDE, SPINNING = Candidate(2, 1, 0), Candidate(1, 2, 0), Candidate(1, 2, 0, spin=True)


def tuned(subject: Subject, chosen: Candidate = WIDE) -> Tuned:
    measured = (Measured(DEFAULT, 10, 5, 0), Measured(WIDE, 12, 6, 1), Measured(SPINNING, 13, 2, 1))
    return Tuned("a-model", subject, (3, 8, 8), measured, chosen, 1.5)


@pytest.fixture
def subject() -> Subject:
    """The model on the machine the test runs on."""
    return subject_of(SHA, OPTIONS)


def test_what_is_found_is_found_again_and_applied(tmp_path: Path, subject: Subject) -> None:
    Tuning(tmp_path).keep(tuned(subject))
    again = Tuning(tmp_path)
    assert again.kept(subject) == tuned(subject)
    assert again.told() == [tuned(subject)]
    assert again.applied(OPTIONS, SHA) == replace(OPTIONS, callers=1, threads=2, batch=0, spin=False)
    assert again.applied(replace(OPTIONS, batch=4), SHA).batch == 4, "a batch that was asked for is kept"
    assert tuned(subject).gain == pytest.approx(1.2)


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "b" * 64},  # another model
        {"provider": CUDA},
        {"fp16": True},
        {"cores": 96},
        {"machine": "another processor"},
        {"runtime": "1.99"},
    ],
)
def test_a_result_holds_for_what_it_was_measured_on_alone(
    tmp_path: Path, subject: Subject, other: dict[str, Any]
) -> None:
    Tuning(tmp_path).keep(tuned(subject))
    assert Tuning(tmp_path).kept(replace(subject, **other)) is None


def test_where_nothing_was_tuned_options_are_as_they_are(tmp_path: Path, subject: Subject) -> None:
    assert Tuning(tmp_path).applied(OPTIONS, SHA) is OPTIONS
    Tuning(tmp_path).keep(tuned(subject))
    assert Tuning(tmp_path).applied(OPTIONS, "b" * 64) is OPTIONS


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],  # cut off
        lambda text: "",  # empty
        lambda text: text.replace('"version": 1', '"version": 0'),  # measured otherwise
        lambda text: text.replace('"callers": 2', '"callers": "two"'),  # changed by hand
        lambda text: text.replace('"wins": 0', '"loses": 0'),
        lambda text: "[]",
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, subject: Subject, damage: Any) -> None:
    tuning = Tuning(tmp_path)
    tuning.keep(tuned(subject))
    (path,) = (tmp_path / "tuning").iterdir()
    path.write_text(damage(path.read_text()))
    assert tuning.kept(subject) is None
    assert tuning.told() == []
    assert tuning.applied(OPTIONS, SHA) is OPTIONS
    tuning.keep(tuned(subject))
    assert tuning.kept(subject) == tuned(subject)


def test_a_choice_that_was_never_measured_is_not_believed(tmp_path: Path, subject: Subject) -> None:
    Tuning(tmp_path).keep(tuned(subject, Candidate(7, 7, 7)))
    assert Tuning(tmp_path).kept(subject) is None


@pytest.mark.parametrize(
    ("provider", "cores", "joins", "fixed", "expected"),
    [
        # two cores: pictures side by side, or one on both, spinning or not
        (CPU, 2, False, 0, [(2, 1, 0, False), (1, 2, 0, False), (1, 2, 0, True)]),
        # batches only where they change no bit
        (CPU, 2, True, 0, [(2, 1, 0, False), (1, 2, 0, False), (1, 2, 0, True), (2, 1, 4, False), (2, 1, 8, False)]),
        # nor where the model has its own
        (CPU, 2, True, 1, [(2, 1, 0, False), (1, 2, 0, False), (1, 2, 0, True)]),
        # one core leaves little to choose
        (CPU, 1, False, 0, [(1, 1, 0, False), (1, 1, 0, True)]),
        # many: in between, too
        (CPU, 8, False, 0, [(8, 1, 0, False), (1, 8, 0, False), (1, 8, 0, True), (4, 2, 0, False), (2, 4, 0, False)]),
        # on a GPU the batch is what matters
        (CUDA, 8, True, 0, [(0, 1, 32, False), (0, 1, 8, False), (0, 1, 16, False), (0, 1, 64, False)]),
        (CUDA, 8, True, 4, [(0, 1, 4, False)]),
        # where each size is an engine that takes minutes to build, there is one
        (TENSORRT, 8, True, 0, [(0, 1, 32, False)]),
    ],
)
def test_what_is_tried(
    provider: str, cores: int, joins: bool, fixed: int, expected: list[tuple[int, int, int, bool]]
) -> None:
    assert candidates(provider, cores, joins=joins, fixed=fixed) == [Candidate(*one) for one in expected]


@pytest.mark.parametrize(
    ("wide", "spinning", "expected"),
    [
        ((12, 6, 1.0), (13, 2, 1.0), WIDE),  # spinning is faster, and wasteful
        ((12, 6, 1.0), (13, 5, 1.0), SPINNING),  # not wasteful: as fast as it looks
        ((10.4, 6, 1.0), (9, 5, 0.0), DEFAULT),  # a few per cent are noise
        ((12, 6, 0.5), (9, 5, 0.0), DEFAULT),  # so is what wins every other round
        ((8, 6, 0.0), (9, 5, 0.0), DEFAULT),
    ],
)
def test_the_fastest_is_chosen_unless_it_wastes_or_is_noise(
    wide: tuple[float, float, float], spinning: tuple[float, float, float], expected: Candidate
) -> None:
    measured = [Measured(DEFAULT, 10, 5, 0), Measured(WIDE, *wide), Measured(SPINNING, *spinning)]
    assert choose(measured) == expected


class Lamp:
    """A model that takes as much CPU time as its options say; ``mixes`` as dynamic quantisation does."""

    def __init__(self, options: OnnxOptions = OPTIONS, *, provider: str = CPU, mixes: bool = False) -> None:
        self.inputs: Mapping[str, tuple[int | str | None, ...]] = {"x": ("n", 2)}
        self.provider = provider
        self._seconds = 0.004 if options.threads == 1 else 0.001
        self._mixes = mixes

    def run(self, feeds: Mapping[str, NDArray[Any]], _outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        batch = feeds["x"]
        until = time.thread_time() + self._seconds * len(batch)
        while time.thread_time() < until:
            pass
        return [batch / np.abs(batch).max() if self._mixes else batch * 2]


PICTURE = np.array([1, 4], dtype=np.float32)


@pytest.mark.parametrize(("mixes", "expected"), [(False, True), (True, False)])
def test_batches_are_joined_only_where_pictures_stay_what_they_are(mixes: bool, expected: bool) -> None:
    assert joins(Lamp(mixes=mixes), PICTURE) is expected


def test_a_search_measures_every_candidate_and_says_which_is_best(subject: Subject) -> None:
    opened: list[OnnxOptions] = []

    def open_with(options: OnnxOptions) -> Lamp:
        opened.append(options)
        return Lamp(options)

    found = search("lamp", replace(subject, cores=2), PICTURE, open_with, OPTIONS, 0.0)
    assert found.chosen.threads == 2, "four times as fast, called from half as many threads"
    assert found.shape == (2,)
    assert [one.candidate.batch for one in found.measured] == [0, 0, 0, 4, 8]
    assert len(opened) == 3, "one session for what differs in callers or batch alone"


def test_a_model_that_runs_elsewhere_is_not_tuned_for_what_was_wanted(subject: Subject) -> None:
    wanted = replace(subject, provider=CUDA)
    with pytest.raises(ModelFailed, match="runs on CPUExecutionProvider, so it cannot be tuned for CUDA"):
        search("lamp", wanted, PICTURE, Lamp, OPTIONS, 0.0)
