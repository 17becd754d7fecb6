"""Plots of a scoreboard as PNG files: score against cost, recall, and ratings out of votes.

Drawn with Matplotlib's objects alone, so that nothing of the process is changed. Colours are Okabe and Ito's, told
apart by everybody, and shapes say the same once more. What does not belong here: numbers (``domain.scoreboard``),
where labels go (``report_labels``).
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from resources.report_labels import Label, place_labels
from tagging_assets.domain.printable import for_line
from tagging_assets.domain.scoreboard import Estimate, Scoreboard, Standing


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of a drawing."""

    ground: str
    ink: str
    soft: str
    line: str
    best: str
    other: str


LIGHT = Look("#ffffff", "#1d2126", "#5b6470", "#dcdcd6", "#0072b2", "#d55e00")
DARK = Look("#1e2126", "#eceef1", "#a5aeb9", "#3a4048", "#56b4e9", "#e69f00")

_DPI = 200
_WIDTH = 7.6

#: Costs further apart than this factor are drawn by decades.
_WIDE_SPREAD = 15.0

_PER = 1000


@dataclass(frozen=True, slots=True)
class _Point:
    standing: Standing
    score: Estimate
    across: float


def score_against_cost_png(board: Scoreboard, look: Look = LIGHT) -> bytes | None:
    """Points per photo against dollars per 1,000 questions; ``None`` where nothing could be scored.

    Contestants that nobody beats in both are joined by a line. Those that cost nothing, and those whose cost nobody
    knows, stand in strips of their own beside the axis.

    Args:
        board: what is drawn.
        look: colours.
    """
    scored = [(one, one.score) for one in board.standings if one.score is not None]
    if not scored:
        return None
    free = _spread([pair for pair in scored if pair[0].cost_usd == 0.0])
    unknown = _spread([pair for pair in scored if pair[0].cost_usd is None])
    paid = [_Point(one, score, _PER * one.cost_usd / max(1, one.asked)) for one, score in scored if one.cost_usd]
    strips = [(points, name) for points, name in ((free, "free"), (paid, ""), (unknown, "cost unknown")) if points]
    figure = _figure(4.6, look)
    widths = [4.2 if not name else 1.0 if paid else 2.0 for _, name in strips]
    grid = figure.add_gridspec(1, len(strips), width_ratios=widths, wspace=0.04)
    drawn: list[tuple[Any, list[_Point]]] = []
    for place, (points, name) in enumerate(strips):
        axes = figure.add_subplot(grid[0, place], sharey=drawn[0][0] if drawn else None)
        _dress(axes, look)
        axes.tick_params(labelleft=place == 0, length=0)
        if name:
            axes.set_xlim(0.0, 1.0)
            axes.set_xticks([])
            axes.set_xlabel(name, color=look.soft)
        else:
            _cost_axis(axes, [one.across for one in points], look)
        drawn.append((axes, points))
    drawn[0][0].set_ylabel("points per photo", color=look.soft)
    for axes, points in drawn:
        _draw_points(axes, points, board.pareto, look)
    _front(drawn, board.pareto, look)
    _explain(figure, look)
    _name_points(figure, drawn, look)
    return _png(figure)


def recall_png(board: Scoreboard, look: Look = LIGHT) -> bytes | None:
    """Recall of each contestant with its interval; ``None`` without reference tags."""
    known = [(one, one.recall) for one in board.standings if one.recall is not None]
    known.sort(key=lambda pair: -pair[1].mean)
    scaled = [(one, Estimate(100 * it.mean, 100 * it.low, 100 * it.high)) for one, it in known]
    return _rows(scaled, "recall: reference tags that were named, %", look, lambda value: f"{value:.1f}")


def ratings_png(board: Scoreboard, look: Look = LIGHT) -> bytes | None:
    """Rating of each contestant with its interval; ``None`` without votes."""
    known = [(one, one.rating) for one in board.standings if one.rating is not None]
    known.sort(key=lambda pair: -pair[1].mean)
    return _rows(known, "Bradley-Terry rating (1500 is the mean of all)", look, lambda value: f"{value:.0f}")


def _figure(height: float, look: Look) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor=look.ground, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _dress(axes: Any, look: Look) -> None:
    axes.set_facecolor(look.ground)
    axes.grid(visible=True, axis="y", color=look.line, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=look.soft, which="both", labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("bottom", "left"))
        spine.set_color(look.line)


def _cost_axis(axes: Any, costs: Sequence[float], look: Look) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(costs), max(costs)
    axes.set_xlabel("dollars per 1,000 questions", color=look.soft)
    axes.grid(visible=True, axis="x", color=look.line, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    if high > _WIDE_SPREAD * low:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.8, high * 1.8)
        axes.xaxis.set_major_locator(LogLocator(base=10.0, subs=(1.0,) if high > 1000 * low else (1.0, 3.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0.0, 1.25 * high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"\\${value:,.6g}"))


def _spread(members: Sequence[tuple[Standing, Estimate]]) -> list[_Point]:
    """Side by side in a strip that has no axis across."""
    return [_Point(one, score, (place + 0.5) / len(members)) for place, (one, score) in enumerate(members)]


def _draw_points(axes: Any, points: Sequence[_Point], pareto: Sequence[str], look: Look) -> None:
    for one in points:
        first = one.standing.contestant in pareto
        colour = look.best if first else look.other
        axes.plot([one.across] * 2, [one.score.low, one.score.high], color=colour, linewidth=1.4, alpha=0.55, zorder=2)
        axes.plot(
            [one.across],
            [one.score.mean],
            marker="o" if first else "D",
            markersize=8 if first else 6.5,
            markerfacecolor=colour if first else look.ground,
            markeredgecolor=colour,
            markeredgewidth=1.6,
            linestyle="none",
            zorder=4,
        )


def _front(drawn: Sequence[tuple[Any, list[_Point]]], pareto: Sequence[str], look: Look) -> None:
    """The steps of the best score that money buys, from the left edge of the paid part on."""
    for place, (axes, points) in enumerate(drawn):
        if not axes.get_xlabel().startswith("dollars"):
            continue
        steps = sorted((one.across, one.score.mean) for one in points if one.standing.contestant in pareto)
        before = [one.score.mean for _, them in drawn[:place] for one in them if one.standing.contestant in pareto]
        left, right = axes.get_xlim()
        steps = [*((left, score) for score in before[:1]), *steps]
        if steps:
            xs, ys = zip(*steps, (right, steps[-1][1]), strict=True)
            axes.step(xs, ys, where="post", color=look.best, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3)
            axes.set_xlim(left, right)


def _explain(figure: Any, look: Look) -> None:
    from matplotlib.lines import Line2D

    shared: dict[str, Any] = {"linestyle": "none", "markeredgewidth": 1.6}
    best = Line2D([], [], marker="o", markersize=7, color=look.best, **shared)
    other = Line2D([], [], marker="D", markersize=6, markerfacecolor=look.ground, markeredgecolor=look.other, **shared)
    steps = Line2D([], [], color=look.best, linewidth=1.2, linestyle=(0, (4, 2)))
    interval = Line2D([], [], color=look.soft, marker="|", markersize=11, **shared)
    figure.legend(
        [best, steps, other, interval],
        ["nobody is better and cheaper", "best score for the money", "others", "95% interval"],
        loc="outside upper center",
        ncols=4,
        frameon=False,
        fontsize=8.5,
        labelcolor=look.soft,
        handletextpad=0.4,
    )


def _name_points(figure: Any, drawn: Sequence[tuple[Any, list[_Point]]], look: Look) -> None:
    """Labels, after one pass of layout: only then it is known where points are and how wide words."""
    from matplotlib.patheffects import withStroke

    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer()
    labels, texts = [], []
    for axes, points in drawn:
        for one in points:
            name = _drawable(one.standing.contestant)
            text = figure.text(0, 0, name, fontsize=8.5, color=look.ink, parse_math=False, ha="center", va="center")
            text.set_path_effects([withStroke(linewidth=3, foreground=look.ground)])
            box = text.get_window_extent(renderer)
            x, y = axes.transData.transform((one.across, one.score.mean))
            labels.append(Label(x, y, box.width + 8, box.height + 4))
            texts.append(text)
    boxes = [axes.get_window_extent(renderer) for axes, _ in drawn]
    bounds = (boxes[0].x0, min(box.y0 for box in boxes), figure.bbox.x1 - 4, max(box.y1 for box in boxes))
    back = figure.transFigure.inverted()
    for text, label, at in zip(texts, labels, place_labels(labels, bounds, _DPI / 100), strict=True):
        text.set_position(back.transform((at.x, at.y)))
        if at.far:
            _lead(figure, (label.x, label.y), (at.x, at.y), look)


def _lead(figure: Any, start: tuple[float, float], end: tuple[float, float], look: Look) -> None:
    from matplotlib.lines import Line2D

    back = figure.transFigure.inverted()
    (x0, y0), (x1, y1) = back.transform(start), back.transform(end)
    figure.add_artist(Line2D([x0, x1], [y0, y1], color=look.soft, linewidth=0.6, zorder=1))


def _rows(
    known: Sequence[tuple[Standing, Estimate]], across: str, look: Look, write: Callable[[float], str]
) -> bytes | None:
    """One row for each contestant, best on top."""
    if not known:
        return None
    figure = _figure(0.9 + 0.36 * len(known), look)
    axes = figure.add_subplot()
    _dress(axes, look)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=look.line, linewidth=0.8)
    axes.set_yticks(range(len(known)))
    axes.set_yticklabels(
        [_drawable(one.contestant) for one, _ in known], color=look.ink, parse_math=False, fontsize=9.5
    )
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.set_xlabel(across, color=look.soft)
    for row, (_, it) in enumerate(known):
        axes.plot([it.low, it.high], [row, row], color=look.best, linewidth=2.2, alpha=0.45, solid_capstyle="round")
        axes.plot([it.mean], [row], marker="o", markersize=7, color=look.best)
        axes.annotate(
            write(it.mean),
            (it.mean, row),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color=look.soft,
        )
    return _png(figure)


def _drawable(text: str) -> str:
    """Text with a box for each character that the font lacks: Matplotlib would warn and draw the same."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(one if ord(one) in known and one.isprintable() else "□" for one in for_line(text))


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    # the library's version would make two machines' files differ
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
