"""One hash for everything whose identity decides freshness."""

import numpy as np
import pytest

from tagging_assets.domain.hashing import content_hash, rows_hash


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),  # the order of keys does not count
        ([1, 2], [2, 1], False),  # the order of lists does
        ({"b", "a"}, ["a", "b"], True),  # sets are sorted lists
        ((1, 2), [1, 2], True),  # tuples are lists
        (b"\x00\xff", "00ff", True),  # bytes count by their hex digits
        (np.float64(0.1), 0.1, True),  # a NumPy scalar is the number it holds
        (np.float32(0.1), 0.1, False),  # but float32's 0.1 is another number
        (1, True, False),  # JSON tells them apart
        (1, 1.0, False),  # and these
        ("naïve", "nai\u0308ve", False),  # spelled differently: whoever cares normalises first
        ("\udcff", "\udcfe", False),  # names that are no text on this disk can be hashed
        (None, "", False),  # nothing is not an empty text
    ],
)
def test_what_counts(one: object, other: object, same: bool) -> None:
    assert (content_hash(one) == content_hash(other)) is same


def test_it_never_changes() -> None:
    # Stored records are compared with this for years.
    assert content_hash({"a": [1, 0.5, None, "é"]}) == (
        "3908c5affcacfa1fbdfad170c0cce372861481ebc3431f16f2f62c5324afd1ad"
    )


@pytest.mark.parametrize(
    ("columns", "same"),
    [
        (None, False),  # all columns: the score differs
        (("tag",), True),  # only the tag
        (("tag", "image_id"), True),  # whose photo it is never counts
        (("score",), False),
    ],
)
def test_columns_choose_what_counts(columns: tuple[str, ...] | None, same: bool) -> None:
    one = [{"image_id": "a", "run_id": "1", "tag": "dog", "score": 0.5}]
    other = [{"image_id": "b", "run_id": "2", "tag": "dog", "score": 0.6}]
    assert (rows_hash(one, columns) == rows_hash(other, columns)) is same


def test_a_column_that_is_not_there_is_a_bug() -> None:
    with pytest.raises(KeyError):
        rows_hash([{"tag": "dog"}], ("tga",))
