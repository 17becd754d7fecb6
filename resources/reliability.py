"""Reliability diagrams as bitmaps: what was said against what was so, and the curve that was fitted.

Drawn with Pillow and its bundled font, so a picture is the same on every machine. What does not belong here: figures
(``tagging_assets.domain.reliability``) and the page they are shown on (``tagging_assets.domain.calibration_page``).
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.fitted import Fit
from tagging_assets.domain.printable import for_line, for_markdown
from tagging_assets.domain.reliability import Bin

_CARD, _INK, _SOFT, _LINE = "#ffffff", "#1d2126", "#5b6470", "#dcdcd6"
#: Before is grey and hollow, after is green and filled: told apart without colour, too.
_BEFORE, _AFTER, _MARK, _UNKNOWN = "#8a919b", "#1b6e47", "#8a4b00", "#f4f4f1"
_WIDTH, _HEIGHT, _TOP, _SIDE, _GAP = 860, 460, 104, 320, 110
_LEFT = 62


@dataclass(frozen=True, slots=True)
class _Axes:
    """A square plot, in unscaled pixels: its left and upper end, what its x axis reaches from and to."""

    draw: ImageDraw.ImageDraw
    scale: int
    left: int
    low: float = 0.0
    high: float = 1.0

    def x(self, value: float) -> float:
        return (self.left + _SIDE * (value - self.low) / (self.high - self.low)) * self.scale

    def y(self, value: float) -> float:
        return (_TOP + _SIDE * (1.0 - value)) * self.scale

    def point(self, at: tuple[float, float]) -> tuple[float, float]:
        return self.x(at[0]), self.y(at[1])

    def text(
        self, place: tuple[float, float], said: str, colour: str = _SOFT, size: int = 13, *, anchor: str = "la"
    ) -> None:
        scaled = (place[0] * self.scale, place[1] * self.scale)
        self.draw.text(scaled, said, colour, ImageFont.load_default(size * self.scale), anchor=anchor)

    def frame(self, across: str, up: str) -> None:
        """Grid, numbers and names of the axes."""
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            self.draw.line((self.x(self.low), self.y(share), self.x(self.high), self.y(share)), _LINE, self.scale)
            self.text((self.left - 8, _TOP + _SIDE * (1 - share)), f"{share:.2f}", anchor="rm")
            value = self.low + (self.high - self.low) * share
            self.text((self.left + _SIDE * share, _TOP + _SIDE + 6), f"{value:.2f}", anchor="ma")
        self.text((self.left + _SIDE / 2, _TOP + _SIDE + 22), across, anchor="ma")
        self.text((self.left, _TOP - 24), up)


def reliability_png(fit: Fit, before: Calibration, *, scale: int = 1) -> bytes:
    """Two plots side by side, as the bytes of a PNG file (860 by 460 pixels times ``scale``).

    On the left confidences against shares that were right, with 95 % intervals: the catalogue's, and the fitted ones
    by cross-validation; on the diagonal they could be believed to the letter. On the right both curves, and what is
    known of which raw scores.

    Args:
        fit: what was fitted.
        before: the catalogue's curve.
        scale: 2 for sharp screens.
    """
    picture = Image.new("RGB", (_WIDTH * scale, _HEIGHT * scale), _CARD)
    draw = ImageDraw.Draw(picture)
    said = _Axes(draw, scale, _LEFT)
    said.text((24, 16), for_line(fit.name), _INK, 20)
    said.text((24, 46), for_line(summary(fit)), _SOFT, 14)
    said.frame("confidence", "share that was right")
    draw.line((*said.point((0.0, 0.0)), *said.point((1.0, 1.0))), _LINE, 2 * scale)
    _draw_bins(said, fit.before.bins, _BEFORE, filled=False)
    _draw_bins(said, fit.after.bins, _AFTER, filled=True)
    _draw_curves(_curve_axes(draw, scale, fit), fit, before)
    _draw_legend(said)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def reliability_markdown(fits: Sequence[Fit], before: Callable[[Fit], Calibration], *, most: int = 8) -> str:
    """Diagrams as Markdown images with ``data:`` addresses, for Dagster's metadata; those of most decisions first.

    Args:
        fits: any number.
        before: the catalogue's curve behind a fit.
        most: diagrams; the others are named.
    """
    ordered = sorted(fits, key=lambda fit: (-fit.decisions, fit.name, fit.model))
    drawn = [(fit.name, base64.b64encode(reliability_png(fit, before(fit))).decode()) for fit in ordered[:most]]
    images = [f"![{for_markdown(name)}](data:image/png;base64,{data})" for name, data in drawn]
    others = ", ".join(for_markdown(f"{fit.name} ({fit.model})") for fit in ordered[most:])
    return "\n\n".join([*images, *([f"Not drawn: {others}"] if others else [])])


def summary(fit: Fit) -> str:
    """A fit in one line: ``tagger-1 · 212 decisions, 64% right · ECE 0.142, now 0.041 · Brier 0.201, now 0.164``."""
    return (
        f"{fit.model} · {fit.decisions} decisions, {fit.right / fit.decisions:.0%} right · "
        f"ECE {fit.before.ece:.3f}, now {fit.after.ece:.3f} · Brier {fit.before.brier:.3f}, now {fit.after.brier:.3f}"
    )


def _curve_axes(draw: ImageDraw.ImageDraw, scale: int, fit: Fit) -> _Axes:
    return _Axes(draw, scale, _LEFT + _SIDE + _GAP, min(0.0, fit.lowest), max(1.0, fit.highest))


def _draw_bins(axes: _Axes, bins: Sequence[Bin], colour: str, *, filled: bool) -> None:
    reach = 5 * axes.scale
    for one in bins:
        x, y = axes.point((one.confidence, one.right))
        axes.draw.line((x, axes.y(one.low), x, axes.y(one.high)), colour, axes.scale)
        fill = colour if filled else _CARD
        axes.draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill, colour, 2 * axes.scale)


def _draw_curves(axes: _Axes, fit: Fit, before: Calibration) -> None:
    if fit.lowest > axes.low:
        corner = (axes.x(axes.low), axes.y(1.0), axes.x(fit.lowest), axes.y(0.0))
        axes.draw.rectangle(corner, _UNKNOWN)
    axes.frame("raw score", "confidence")
    if axes.x(fit.lowest) - axes.x(axes.low) > 110 * axes.scale:
        axes.text((axes.left + 8, _TOP + 8), "nobody decided here")
    for curve, colour, width in ((before, _BEFORE, 2), (fit.curve, _AFTER, 3)):
        steps = [axes.low, *(raw for raw, _ in curve.points if axes.low < raw < axes.high), axes.high]
        axes.draw.line([axes.point((raw, curve.confidence(raw))) for raw in steps], colour, width * axes.scale, "curve")
    if fit.threshold is not None:
        x = axes.x(fit.threshold.raw)
        axes.draw.line((x, axes.y(1.0), x, axes.y(0.0)), _MARK, 2 * axes.scale)
        late = fit.threshold.raw > (axes.low + axes.high) / 2
        place = (x / axes.scale + (-6 if late else 6), _TOP + _SIDE - 22)
        said = f"from {fit.threshold.raw:.2f}: {fit.threshold.precision:.0%} right"
        axes.text(place, said, _MARK, anchor="ra" if late else "la")


def _draw_legend(axes: _Axes) -> None:
    entries = ((_BEFORE, _CARD, "catalogue's calibration"), (_AFTER, _AFTER, "fitted, cross-validated"))
    right = _WIDTH - 196
    for row, (colour, fill, said) in enumerate(entries):
        x, y, reach = right * axes.scale, (24 + 22 * row) * axes.scale, 5 * axes.scale
        axes.draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill, colour, 2 * axes.scale)
        axes.text((right + 14, 24 + 22 * row), said, anchor="lm")
