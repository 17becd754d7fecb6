"""Tag tables as they come, and outputs read by them."""

import os
from pathlib import Path

import numpy as np
import pytest

from tagging_assets.domain.booru import TagTable, read_tag_table
from tagging_assets.domain.errors import WeightsCorrupt
from tagging_assets.domain.policy import refused
from tagging_assets.domain.rules import KAOMOJI

# Every oddity of the files in the wild: CRLF, a row of commas that holds an output, floats for ids, categories and
# counts, a name with quotes in it, kaomoji, categories beyond the usual three, a blank line at the end.
TABLE = "\r\n".join(
    [
        "tag_id,name,category,count",
        "9999999.0,general,9.0,807858.0",
        "9999998,sensitive,9,3771700",
        "9999997,questionable,9,769899",
        "9999996,explicit,9,560281",
        "470575,long_hair,0,4225150",
        ",,,",
        "1,^_^,0,10",
        '612924,don\'t_say_"lazy",0,1048',
        "2,hatsune_miku,4,99",
        "3,vocaloid,3,98",
        "4,strange,7,1",
        "",
        "",
    ]
)


def test_a_table_is_read_as_it_comes() -> None:
    tags = read_tag_table(TABLE, "selected_tags.csv")
    assert [(tag.name, tag.category) for tag in tags] == [
        ("rating:general", "rating"),
        ("rating:sensitive", "rating"),
        ("rating:questionable", "rating"),
        ("rating:explicit", "rating"),
        ("long hair", "general"),
        ("", ""),
        ("^_^", "general"),
        ('don\'t say "lazy"', "general"),
        ("hatsune miku", "character"),
        ("vocaloid", "copyright"),
        ("strange", "category 7"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no columns name and category"),  # an empty file
        ("version https://git-lfs.github.com/spec/v1\n", "no columns"),  # a pointer instead of the file
        ("tag_id,name,category,count\r\n", "names no tag"),  # nothing but the head
        ("tag_id,name,category,count\n1,cat,animal,3\n", "tag 0: category 'animal' is no number"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(WeightsCorrupt, match=complaint) as error:
        read_tag_table(text, "selected_tags.csv")
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_and_other_columns_change_nothing() -> None:
    (tag,) = read_tag_table("\ufeffname,extra,category\ncat_ears,x,0\n", "tags.csv")
    assert (tag.name, tag.category) == ("cat ears", "general")


def read(**scores: float) -> list[tuple[str, float]]:
    """What is told where outputs, by the place ``o…`` in the table, have these scores."""
    outputs = np.zeros(11, np.float32)
    for place, score in scores.items():
        outputs[int(place[1:])] = score
    table = TagTable(read_tag_table(TABLE, "tags.csv"))
    return [(one.label, round(one.score, 4)) for one in table.read(outputs, 0.05)]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ({}, []),  # nothing reaches the floor, the best rating neither
        ({"o0": 0.6, "o1": 0.59}, [("rating:general", 0.6)]),  # one rating, the highest
        ({"o0": 0.6, "o3": 0.7}, [("rating:explicit", 0.7)]),  # whatever it is: the policy decides what is kept
        ({"o4": 0.05, "o6": 0.0499}, [("long hair", 0.05)]),  # the floor belongs to what is told
        ({"o4": 0.3, "o8": 0.9, "o0": 0.5}, [("hatsune miku", 0.9), ("rating:general", 0.5), ("long hair", 0.3)]),
        ({"o5": 0.99}, []),  # an output that the table leaves open says nothing
        ({"o9": 0.2, "o10": 0.2}, [("vocaloid", 0.2), ("strange", 0.2)]),  # equals in the table's order
    ],
)
def test_outputs_are_read_by_the_table(scores: dict[str, float], told: list[tuple[str, float]]) -> None:
    assert read(**scores) == told


@pytest.mark.parametrize(
    ("rating", "kept"),
    [
        ("rating:general", True),
        ("rating:sensitive", True),
        # of such a photo no rating is stored, let alone published
        ("rating:questionable", False),
        ("rating:explicit", False),
    ],
)
def test_which_ratings_the_policy_keeps(rating: str, kept: bool) -> None:
    assert (refused(rating) is None) is kept


def test_two_outputs_of_one_name_are_one_label() -> None:
    table = TagTable(read_tag_table("name,category\nCat_Ears,0\ncat ears,0\n", "tags.csv"))
    assert [one.score for one in table.read(np.array([0.25, 0.5], np.float32), 0.05)] == [0.5]


@pytest.mark.parametrize("outputs", [10, 12])
def test_a_table_of_another_model_is_refused(outputs: int) -> None:
    table = TagTable(read_tag_table(TABLE, "tags.csv"))
    with pytest.raises(WeightsCorrupt, match=f"11 tags and the model {outputs} outputs"):
        table.read(np.zeros(outputs, np.float32), 0.05)


@pytest.mark.skipif("TAGGING_CORPUS" not in os.environ, reason="needs the corpus of files in the wild")
def test_a_real_table() -> None:
    path = Path(os.environ["TAGGING_CORPUS"]) / "models" / "wd-selected_tags.csv"
    tags = read_tag_table(path.read_bytes().decode(), path.name)
    assert len(tags) == 6914
    assert tags[4995].name == ""
    assert [tag.name for tag in tags[:5]] == [
        *("rating:general", "rating:sensitive", "rating:questionable", "rating:explicit"),
        "1girl",
    ]
    assert {tag.category for tag in tags} == {"rating", "general", ""}
    assert {"^_^", ">_<", "<o>_<o>", "long hair"} < {tag.name for tag in tags}
    assert {tag.name for tag in tags if "_" in tag.name} == {tag.name for tag in tags if tag.name in KAOMOJI}
