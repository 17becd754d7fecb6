"""Which terms describe people, and so wait for the operator's word."""

import pytest

from tagging_assets.domain.policy import describes_people


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        # that somebody is there is no description
        ("person", False),
        ("people", False),
        ("crowd", False),
        ("1girl", True),  # number and sex are
        ("multiple_boys", True),
        ("old man", True),
        ("long hair", True),
        ("blonde", True),
        ("blue_eyes", True),
        ("smile", True),
        ("muscular", True),
        ("cat ears", True),  # in doubt they are somebody's
        ("colored eyelashes", True),
        ("red sclera", True),
        ("buzz cut", True),
        ("two side up", True),
        ("tears", True),
        (":d", True),  # faces
        ("^_^", True),
        ("<o>_<o>", True),
        ("...", False),  # no face
        ("!?", False),
        ("v", False),
        ("rating:safe", False),
        ("猫", False),
        # things, clothes among them
        ("shirt", False),
        ("blue shirt", False),
        ("hat", False),
        ("armchair", False),  # whole words
        ("chair", False),
        ("hairpin", False),
        ("cat", False),
        ("outdoors", False),
        ("rating:general", False),
        ("", False),
    ],
)
def test_what_describes_people(term: str, expected: bool) -> None:
    assert describes_people(term) is expected
