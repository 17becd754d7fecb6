"""Where boxes go and lines run."""

import itertools
import random

import pytest

from tagging_assets.domain.lineage_layout import Pair, Placing, Rect, Shape, column_count, columns, place

SHAPE = Shape(100, 40)


def pairs(text: str) -> list[Pair]:
    """``ab bc`` is a → b → c."""
    return [(one[0], one[1]) for one in text.split()]


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        # a chain
        ("ab bc", {"a": 0, "b": 1, "c": 2}),
        # the longest way counts
        ("ab bc ac", {"a": 0, "b": 1, "c": 2}),
        # a source moves next to what it leads to
        ("ab bd cd", {"a": 0, "b": 1, "c": 1, "d": 2}),
        # what is made from much stays where that ends
        ("ab ad bc cd", {"a": 0, "b": 1, "c": 2, "d": 3}),
        # nothing leads anywhere
        ("", {"a": 0, "b": 0}),
    ],
)
def test_columns(edges: str, expected: dict[str, int]) -> None:
    assert columns(sorted(expected), pairs(edges)) == expected


def overlapping(placing: Placing) -> list[tuple[str, str]]:
    return [
        (first, second)
        for (first, one), (second, other) in itertools.combinations(placing.boxes.items(), 2)
        if one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height - 0.01
        and other.y < one.y + one.height - 0.01
    ]


def crossed(placing: Placing) -> list[tuple[Pair, str]]:
    """Lines that run level through a box that they do not touch."""
    found = []
    for pair, route in placing.routes.items():
        for (x0, y0), (x1, _) in zip(route[1::2], route[2::2], strict=False):
            for name, box in placing.boxes.items():
                inside = box.y + 0.01 < y0 < box.y + box.height - 0.01
                if name not in pair and inside and x0 < box.x + box.width and box.x < x1:
                    found.append((pair, name))
    return found


def random_graph(seed: int) -> tuple[dict[str, float], list[Pair]]:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(2, 24))]
    edges = [pair for pair in itertools.combinations(names, 2) if chance.random() < 0.18]
    return {name: chance.uniform(20, 90) for name in names}, edges


@pytest.mark.parametrize("seed", range(25))
def test_boxes_and_lines_keep_out_of_each_others_way(seed: int) -> None:
    heights, edges = random_graph(seed)
    placing = place(heights, edges, SHAPE)
    assert overlapping(placing) == []
    assert crossed(placing) == []
    assert set(placing.routes) == set(edges)
    for box in placing.boxes.values():
        assert box.x >= 0
        assert box.y >= -0.01
        assert box.x + box.width <= placing.width + 0.01
        assert box.y + box.height <= placing.height + 0.01


@pytest.mark.parametrize("seed", range(5))
def test_lines_run_from_box_to_box(seed: int) -> None:
    heights, edges = random_graph(seed)
    placing = place(heights, edges, SHAPE)
    for (source, target), route in placing.routes.items():
        start, end = placing.boxes[source], placing.boxes[target]
        assert route[0][0] == start.x + start.width
        assert start.y <= route[0][1] <= start.y + start.height
        assert route[-1][0] == end.x
        assert end.y <= route[-1][1] <= end.y + end.height
        assert [x for x, _ in route] == sorted(x for x, _ in route)


def test_the_same_graph_is_drawn_the_same() -> None:
    assert place(*random_graph(3), SHAPE) == place(*random_graph(3), SHAPE)


def test_a_stack_stands_in_one_column_in_its_order() -> None:
    placing = place({"a": 50, "b": 30, "c": 20, "d": 30}, pairs("ab bc cd"), SHAPE, stack=("a", "b", "c"))
    a, b, c, d = (placing.boxes[name] for name in "abcd")
    assert a == Rect(0, 0, 100, 50)
    assert (b.x, b.y) == (0, 50 + SHAPE.stack_gap)
    assert c.y == b.y + b.height + SHAPE.stack_gap
    # The line to the next column leaves level from the one it comes from.
    assert d.y + d.height / 2 == pytest.approx(c.y + c.height / 2)
    # Within the stack there is nothing to be routed.
    assert set(placing.routes) == {("c", "d")}
    assert column_count("abcd", pairs("ab bc cd"), ("a", "b", "c")) == 2


def test_parallel_chains_do_not_cross() -> None:
    # Given in the wrong order: x leads to q, y to p.
    placing = place(dict.fromkeys("rxypqt", 30.0), pairs("rx ry xq yp qt pt"), SHAPE)
    boxes = placing.boxes
    assert (boxes["x"].y < boxes["y"].y) == (boxes["q"].y < boxes["p"].y)


def test_nothing_at_all() -> None:
    assert place({}, [], SHAPE) == Placing({}, {}, 0.0, 0.0)
    assert place({"a": 10.0}, [], SHAPE).height == 10.0
