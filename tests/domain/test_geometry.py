import numpy as np
import pytest

from tagging_assets.domain.geometry import (
    area_xyxy,
    bounds_xyxy,
    circularity,
    clip_xyxy,
    crop_xyxy,
    expand_xyxy,
    iou_xyxy,
    largest_component,
    mask_shape,
    perimeter,
    run_around,
    runs,
)


def disc(radius: float, size: int = 240) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.hypot(x - size / 2, y - size / 2) <= radius


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),  # the same box
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),  # touching sides share nothing
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),  # half of each
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),  # one inside the other
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),  # no area, no division by it
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0),  # inside out
    ],
)
def test_iou(first: tuple, second: tuple, expected: float) -> None:
    a, b = np.array([first], float), np.array([second], float)
    assert iou_xyxy(a, b)[0, 0] == pytest.approx(expected)
    assert iou_xyxy(b, a)[0, 0] == pytest.approx(expected)


def test_iou_is_a_matrix_and_takes_no_boxes() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]], np.float32)
    assert iou_xyxy(boxes, boxes[:2]).shape == (3, 2)
    assert iou_xyxy(boxes[:0], boxes).shape == (0, 3)
    assert area_xyxy(boxes).tolist() == [4, 4, 1]


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        ((10.0, 20.0, 30.0, 60.0), 0.0, (10, 20, 30, 60)),  # as it is
        ((10.0, 20.0, 30.0, 60.0), 0.1, (8, 16, 32, 64)),  # a tenth of each side
        ((10.4, 20.0, 29.2, 60.0), 0.0, (10, 20, 30, 60)),  # every pixel that is touched
        ((0.0, 0.0, 100.0, 80.0), 0.5, (0, 0, 100, 80)),  # not beyond the picture
        ((120.0, 10.0, 140.0, 20.0), 0.0, (100, 10, 100, 20)),  # outside: empty
    ],
)
def test_crop(box: tuple, margin: float, expected: tuple) -> None:
    assert crop_xyxy(box, 100, 80, margin) == expected


def test_expand_and_clip() -> None:
    assert expand_xyxy((0, 0, 10, 20), 0.1) == (-1, -2, 11, 22)
    assert clip_xyxy((-1, -2, 11, 22), 10, 20) == (0, 0, 10, 20)


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ("..###..", 3.0, (2, 5)),  # inside
        ("..###..", 4.9, (2, 5)),  # the last pixel, whole
        ("..###..", 5.0, None),  # the end is exclusive
        ("##.##", 0.5, (0, 2)),  # at the border
        (".....", 2.0, None),  # nothing there
    ],
)
def test_run_around(row: str, column: float, expected: tuple | None) -> None:
    assert run_around(np.array(list(row)) == "#", column) == expected


def test_runs() -> None:
    assert runs(np.array(list("#.##.#")) == "#").tolist() == [[0, 1], [2, 4], [5, 6]]


@pytest.mark.parametrize("radius", [10, 30, 100])
def test_perimeter_of_discs(radius: float) -> None:
    assert perimeter(disc(radius)) == pytest.approx(2 * np.pi * radius, rel=0.04)
    assert circularity(disc(radius)) == pytest.approx(1, abs=0.08)


def test_circularity_of_other_shapes() -> None:
    square, bar = np.zeros((100, 100), bool), np.zeros((200, 200), bool)
    square[20:80, 20:80] = True
    bar[90:110, 10:190] = True
    y, x = np.mgrid[:200, :200]
    ellipse = ((x - 100) / 80) ** 2 + ((y - 100) / 40) ** 2 <= 1
    assert circularity(square) == pytest.approx(np.pi / 4, rel=0.13)
    assert circularity(bar) == pytest.approx(4 * np.pi * 20 * 180 / 400**2, rel=0.13)
    # Ramanujan's perimeter of that ellipse is 387.5
    assert circularity(ellipse) == pytest.approx(4 * np.pi * np.pi * 80 * 40 / 387.5**2, rel=0.03)
    assert circularity(np.zeros((5, 5), bool)) == 0


@pytest.mark.parametrize(
    ("drawing", "kept"),
    [
        ("##..#", "##..."),  # the larger piece
        ("#...#", "#...."),  # a tie goes to the first
        ("#.#\n###", "#.#\n###"),  # two arms that meet below are one piece
        ("#.\n.#", "#.\n.."),  # corners do not connect
        ("...", "..."),  # nothing
        ("#.#.#\n#.###\n#.#..\n#####", "#.#.#\n#.###\n#.#..\n#####"),  # three pieces that meet one by one
        ("#.##\n##.#\n...#", "..##\n...#\n...#"),  # corners between two pieces; the larger one
        (
            "#.#.#\n###.#\n....#\n#####",
            "#.#.#\n###.#\n....#\n#####".replace("#.#.#\n###.#", "....#\n....#"),
        ),  # longer
    ],
)
def test_largest_component(drawing: str, kept: str) -> None:
    def mask(text: str) -> np.ndarray:
        return np.array([list(line) for line in text.split("\n")]) == "#"

    result = largest_component(mask(drawing))
    assert result.tolist() == mask(kept).tolist()
    assert largest_component(result).tolist() == result.tolist()


def test_mask_shape_ignores_specks() -> None:
    mask = np.zeros((100, 50), bool)
    mask[10:90, 15:35] = True
    clean = mask_shape(mask)
    mask[0, 0] = True
    assert clean.aspect == 4
    assert clean.fraction == pytest.approx(0.32)
    assert mask_shape(mask).aspect == 4
    assert mask_shape(np.zeros((4, 4), bool)).circularity == 0


def test_bounds() -> None:
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    assert bounds_xyxy(mask) == (3, 2, 7, 4)
    assert bounds_xyxy(np.zeros((2, 2), bool)) is None
