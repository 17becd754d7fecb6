import pytest

from tagging_assets.domain.llm import request_hash
from tagging_assets.domain.prompts import Message

ASKED = {
    "model": "m",
    "revision": "r",
    "prompt_hash": "p",
    "messages": (Message("user", "hello"),),
    "parameters": {"seed": 0, "temperature": 0.0},
    "response_format": {"type": "json_object"},
}


def test_a_request_hash_does_not_depend_on_the_order_of_parameters() -> None:
    again = ASKED | {"parameters": {"temperature": 0.0, "seed": 0}}
    assert request_hash(**again) == request_hash(**ASKED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "n"},
        {"revision": "s"},
        {"prompt_hash": "q"},
        {"messages": (Message("user", "Hello"),)},
        {"messages": (Message("system", "hello"),)},  # the role counts
        {"parameters": {"seed": 1, "temperature": 0.0}},
        {"response_format": {}},
        {"images": ("pixels/768/1",)},
        {"repeat": 1},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_request_hash_changes_with_everything_that_can_change_the_answer(changed: dict[str, object]) -> None:
    assert request_hash(**(ASKED | changed)) != request_hash(**ASKED)  # type: ignore[arg-type]


def test_answers_had_before_there_were_pictures_and_repeats_stand() -> None:
    assert request_hash(**ASKED, images=(), repeat=0) == request_hash(**ASKED)  # type: ignore[arg-type]
    assert request_hash(**ASKED) == "1e47acb218c6f508a795507478a6be9097ea14528e723d74ddf1e94b64f7d910"  # type: ignore[arg-type]


def test_the_order_of_pictures_counts() -> None:
    hashes = {request_hash(**ASKED, images=images) for images in (("a", "b"), ("b", "a"))}  # type: ignore[arg-type]
    assert len(hashes) == 2
