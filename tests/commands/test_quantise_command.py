import pytest

from tagging_assets.commands.quantise import show
from tests.commands.command_line import Project


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no-such-model",), "no model no-such-model in the catalogue"),
        (("minilm-l6-int8",), "minilm-l6-int8 comes in one precision only, not in int8"),
        (("person-yolov8s", "--precision", "int4"), "int4"),  # no such precision at all
        (("person-yolov8s", "--photos", "3"), "--photos"),  # too few to tell anything
        (("person-yolov8s", "--min-agreement", "2"), "--min-agreement"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(project: Project, arguments: tuple[str, ...], said: str) -> None:
    done = project.call("models", "quantise", *arguments)
    assert done.code != 0
    assert said in done.err
    assert "Traceback" not in done.err


def test_what_was_made_is_told_with_the_line_that_uses_it(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        {
            "model": "person-yolov8s",
            "precision": "int8",
            "agreement": 0.97,
            "agreement_means": "boxes found again, of all that either finds",
            "accuracy": {"agreement": 0.97, "boxes_found_iou_90": 0.93},
            "photos": 128,
            "photos_of": "the project",
            "files": {"model": {"name": "best_fp16.onnx", "sha256": "0" * 64, "size": 11_700_000}},
            "folder": "weights/person-yolov8s/int8",
            "seconds": 61.0,
            "tasks": ["person_detection"],
            "in_use": True,
        }
    )
    told = capsys.readouterr()
    assert "boxes found iou 90" in told.out
    assert "0.93" in told.out
    assert "person_detection: {model: person-yolov8s, precision: int8}" in told.err
    assert "11.7 MB" in told.err
    assert "done anew" in told.err
