"""Where the boxes of a left-to-right drawing go, and how its lines run between them.

The layered method of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System
Structures" (IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981): columns by the longest way there, long
lines cut by a dummy in every column they pass, rows by the barycentre of the neighbours, and heights by least
squares under the order found. What does not belong here: what boxes hold and how they look.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]
Point = tuple[float, float]

_SWEEPS = 12
_RELAXATIONS = 40
#: Lines that end on one side of a box keep this distance, where the box is high enough; pixels.
_PORT_GAP = 11.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Measures of a drawing, in pixels.

    Attributes:
        box_width: of every box.
        column_gap: between columns.
        row_gap: between boxes of a column.
        lane: height kept free for a line that passes a column.
        stack_gap: between the boxes of a stack.
    """

    box_width: float
    column_gap: float = 46.0
    row_gap: float = 16.0
    lane: float = 12.0
    stack_gap: float = 18.0


@dataclass(frozen=True, slots=True)
class Rect:
    """A box: upper left corner and size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placing:
    """A finished layout, from (0, 0) on.

    Attributes:
        boxes: by node.
        routes: points of each line from box to box, (x, y): within a column it runs level, between columns it bends.
        width: of everything, pixels.
        height: of everything, pixels.
    """

    boxes: Mapping[str, Rect]
    routes: Mapping[Pair, tuple[Point, ...]]
    width: float
    height: float


@dataclass
class _Block:
    """A box, a stack of boxes or a lane: what has one place in a column. ``offsets``: centres from its own."""

    height: float
    gap: float
    offsets: dict[str, float]
    centre: float = 0.0


def columns(order: Sequence[str], edges: Sequence[Pair]) -> dict[str, int]:
    """Column of each node: the longest way there, then as far right as makes the lines shorter.

    Args:
        order: nodes, each before those it leads to.
        edges: (from, to), from earlier to later nodes.
    """
    above, below = defaultdict(list), defaultdict(list)
    for source, target in edges:
        above[target].append(source)
        below[source].append(target)
    column: dict[str, int] = {}
    for node in order:
        column[node] = 1 + max((column[other] for other in above[node]), default=-1)
    for node in reversed(order):
        if below[node] and len(below[node]) >= len(above[node]):
            column[node] = max(column[node], min(column[other] for other in below[node]) - 1)
    first = min(column.values(), default=0)
    return {node: place - first for node, place in column.items()}


def column_count(order: Sequence[str], edges: Sequence[Pair], stack: Sequence[str] = ()) -> int:
    """How many columns a graph takes; arguments as of :func:`columns` and :func:`place`."""
    blocks, outer = _merged(order, edges, stack)
    return 1 + max(columns(blocks, outer).values(), default=0)


def place(heights: Mapping[str, float], edges: Sequence[Pair], shape: Shape, stack: Sequence[str] = ()) -> Placing:
    """Lay out a graph.

    Args:
        heights: of each node's box, pixels; in an order in which no edge leads back.
        edges: (from, to).
        shape: measures.
        stack: nodes that stand on top of each other in one column, first on top.
    """
    home = {node: stack[0] if node in stack else node for node in heights}
    order, outer = _merged(list(heights), edges, stack)
    blocks = {node: _block(node, heights, shape, stack) for node in order}
    column = columns(order, outer)
    layers: list[list[str]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node, at in column.items():
        layers[at].append(node)
    paths = _with_lanes(edges, home, column, layers, blocks, shape)
    pairs = list(dict.fromkeys(step for path in paths.values() for step in itertools.pairwise(path)))
    _order(layers, pairs)
    _settle(layers, pairs, blocks, paths)
    return _finished(heights, paths, column, blocks, home, shape)


def _merged(order: Sequence[str], edges: Sequence[Pair], stack: Sequence[str]) -> tuple[list[str], list[Pair]]:
    """The graph with the stack as one node, named by its first."""
    home = {node: stack[0] if node in stack else node for node in order}
    outer = dict.fromkeys((home[a], home[b]) for a, b in edges if home[a] != home[b])
    return list(dict.fromkeys(home.values())), list(outer)


def _block(node: str, heights: Mapping[str, float], shape: Shape, stack: Sequence[str]) -> _Block:
    if node not in stack:
        return _Block(heights[node], shape.row_gap, {node: 0.0})
    members = [one for one in stack if one in heights]
    total = sum(heights[one] for one in members) + shape.stack_gap * (len(members) - 1)
    offsets, top = {}, -total / 2
    for one in members:
        offsets[one] = top + heights[one] / 2
        top += heights[one] + shape.stack_gap
    return _Block(total, shape.row_gap, offsets)


def _with_lanes(
    edges: Sequence[Pair],
    home: Mapping[str, str],
    column: dict[str, int],
    layers: list[list[str]],
    blocks: dict[str, _Block],
    shape: Shape,
) -> dict[Pair, list[str]]:
    """The blocks that each line passes, with a lane in every column between its ends."""
    paths = {}
    for source, target in edges:
        start, end = home[source], home[target]
        if start == end:
            continue
        path = [start]
        for at in range(column[start] + 1, column[end]):
            lane = f"{source}\n{target}\n{at}"
            blocks[lane] = _Block(shape.lane, shape.row_gap / 2, {lane: 0.0})
            column[lane] = at
            layers[at].append(lane)
            path.append(lane)
        paths[(source, target)] = [*path, end]
    return paths


def _order(layers: list[list[str]], pairs: Sequence[Pair]) -> None:
    """Order each column by the barycentres of its neighbours, to and fro; keep the order with fewest crossings."""
    before, after = defaultdict(list), defaultdict(list)
    for source, target in pairs:
        after[source].append(target)
        before[target].append(source)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, pairs)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers if forward else reversed(layers):
            rank = _ranks(layers)
            neighbours = before if forward else after
            weight = {
                node: sum(rank[other] for other in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else rank[node]
                for node in layer
            }
            layer.sort(key=lambda node: weight[node])
        for layer in layers:
            _swap(layer, _ranks(layers), (before, after))
        crossings = _crossings(layers, pairs)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _ranks(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Place of each node in its column, from 0 to 1."""
    return {node: index / max(1, len(layer) - 1) for layer in layers for index, node in enumerate(layer)}


def _swap(layer: list[str], rank: Mapping[str, float], sides: Sequence[Mapping[str, Sequence[str]]]) -> None:
    """Swap neighbours of a column while that leaves fewer crossings."""

    def crossed(upper: str, lower: str) -> int:
        return sum(
            rank[first] > rank[second]
            for side in sides
            for first in side.get(upper, ())
            for second in side.get(lower, ())
        )

    for _ in layer:
        for index in range(len(layer) - 1):
            upper, lower = layer[index], layer[index + 1]
            if crossed(lower, upper) < crossed(upper, lower):
                layer[index], layer[index + 1] = lower, upper


def _crossings(layers: Sequence[Sequence[str]], pairs: Sequence[Pair]) -> int:
    spot = {node: (at, index) for at, layer in enumerate(layers) for index, node in enumerate(layer)}
    between: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for source, target in pairs:
        between[spot[source][0]].append((spot[source][1], spot[target][1]))
    return sum(
        (a - c) * (b - d) < 0
        for lines in between.values()
        for number, (a, b) in enumerate(lines)
        for c, d in lines[:number]
    )


def _settle(
    layers: Sequence[Sequence[str]],
    pairs: Sequence[Pair],
    blocks: Mapping[str, _Block],
    paths: Mapping[Pair, Sequence[str]],
) -> None:
    """Give every block its height in the drawing: near its neighbours', in the order of its column."""
    pulls: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for (source, target), path in paths.items():
        for first, second in itertools.pairwise(path):
            shift = blocks[first].offsets.get(source, 0.0) - blocks[second].offsets.get(target, 0.0)
            # Lines bend least where both ends are lanes.
            weight = 1.0 + 2.0 * ("\n" in first) + 2.0 * ("\n" in second)
            pulls[second].append((first, shift, weight))
            pulls[first].append((second, -shift, weight))
    for layer in layers:
        _spread(layer, blocks, dict.fromkeys(layer, 0.0))
    for turn in range(_RELAXATIONS):
        for layer in layers if turn % 2 == 0 else reversed(layers):
            wishes = {}
            for node in layer:
                total = sum(weight for _, _, weight in pulls[node])
                wish = sum((blocks[other].centre + shift) * weight for other, shift, weight in pulls[node])
                wishes[node] = wish / total if total else blocks[node].centre
            _spread(layer, blocks, wishes)


def _spread(layer: Sequence[str], blocks: Mapping[str, _Block], wishes: Mapping[str, float]) -> None:
    """Centres nearest to the wishes (least squares) that keep order and gaps: pool adjacent violators."""
    starts: list[float] = []
    reach = 0.0
    for index, node in enumerate(layer):
        if index:
            last = blocks[layer[index - 1]]
            reach += (last.height + blocks[node].height) / 2 + max(last.gap, blocks[node].gap)
        starts.append(reach)
    pools: list[list[float]] = []
    for node, start in zip(layer, starts, strict=True):
        pools.append([wishes[node] - start, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value, count = pools.pop()
            total = pools[-1][1] + count
            pools[-1] = [(pools[-1][0] * pools[-1][1] + value * count) / total, total]
    levels = [value for value, count in pools for _ in range(int(count))]
    for node, start, level in zip(layer, starts, levels, strict=True):
        blocks[node].centre = start + level


def _finished(
    heights: Mapping[str, float],
    paths: Mapping[Pair, Sequence[str]],
    column: Mapping[str, int],
    blocks: Mapping[str, _Block],
    home: Mapping[str, str],
    shape: Shape,
) -> Placing:
    top = min((block.centre - block.height / 2 for block in blocks.values()), default=0.0)
    step = shape.box_width + shape.column_gap
    boxes = {}
    for node, height in heights.items():
        block = blocks[home[node]]
        y = block.centre + block.offsets[node] - height / 2 - top
        boxes[node] = Rect(column[home[node]] * step, y, shape.box_width, height)
    leave = _ports(boxes, paths, blocks, top, side=0)
    arrive = _ports(boxes, paths, blocks, top, side=1)
    routes = {}
    for pair, path in paths.items():
        points = [(boxes[pair[0]].x + shape.box_width, leave[pair])]
        for lane in path[1:-1]:
            x, y = column[lane] * step, blocks[lane].centre - top
            points += [(x, y), (x + shape.box_width, y)]
        routes[pair] = (*points, (boxes[pair[1]].x, arrive[pair]))
    width = max((box.x + box.width for box in boxes.values()), default=0.0)
    height = max((block.centre + block.height / 2 - top for block in blocks.values()), default=0.0)
    return Placing(boxes, routes, width, height)


def _ports(
    boxes: Mapping[str, Rect], paths: Mapping[Pair, Sequence[str]], blocks: Mapping[str, _Block], top: float, side: int
) -> dict[Pair, float]:
    """Height at which each line leaves (side 0) or reaches (side 1) its box, in the order of where it goes."""
    lines: defaultdict[str, list[tuple[float, Pair]]] = defaultdict(list)
    for pair, path in paths.items():
        other = path[1] if side == 0 else path[-2]
        far = blocks[other].centre - top + blocks[other].offsets.get(pair[1 - side], 0.0)
        lines[pair[side]].append((far, pair))
    found = {}
    for node, ends in lines.items():
        box = boxes[node]
        gap = min(_PORT_GAP, 0.7 * box.height / len(ends))
        for index, (_, pair) in enumerate(sorted(ends)):
            found[pair] = box.y + box.height / 2 + (index - (len(ends) - 1) / 2) * gap
    return found
