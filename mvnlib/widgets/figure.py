"""What the still figures are made of: a plane with axes, tables of numbers, and numbers in words.

An explorer shows such a figure where no script runs: in print, without JavaScript, before the page is alive.
Tables are tables; curves are SVG, in the colours of the page. The class names are those of the front end, so that
one style sheet serves both.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from html import escape
from typing import Any

#: The size of a plot and the margins about its axes, in the units of its drawing.
FRAME = {"width": 360, "height": 260, "left": 66, "right": 14, "top": 10, "bottom": 48}
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = FRAME.values()

#: How the names of variables are written.
LETTERS = {"Sigma": "Σ", "mu": "μ", "pi": "π"}

#: A shape for each component of a mixture, all of about the same area.
SHAPES = [
    "M-3.1 0a3.1 3.1 0 1 0 6.2 0a3.1 3.1 0 1 0-6.2 0Z",
    "M0-3.9L3.9 2.9H-3.9Z",
    "M-2.8-2.8H2.8V2.8H-2.8Z",
    "M0-4L4 0L0 4L-4 0Z",
]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def letter(name: str) -> str:
    """A variable as it is written."""
    return LETTERS.get(name, name)


def names_of(axes: Sequence[str], d: int) -> list[str]:
    """The names of the columns of X, as asked for."""
    if (
        isinstance(axes, str)
        or not isinstance(axes, Sequence)
        or len(axes) != d
        or not all(isinstance(name, str) for name in axes)
    ):
        raise ValueError(f"axes must be {d} names, one for each column of X, but it is {axes!r}")
    return list(axes)


def padded(values: Sequence[float], share: float) -> tuple[float, float]:
    """A range a little wider than the values."""
    low, high = min(values), max(values)
    pad = share * (high - low) or share * abs(low) or share
    return low - pad, high + pad


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers across a range."""
    rough = (high - low) / count
    base = 10.0 ** math.floor(math.log10(rough))
    every = base * next(m for m in (1, 2, 5, 10) if m * base >= rough * 0.999)
    first, last = math.ceil(low / every - 1e-9), math.floor(high / every + 1e-9)
    return [float(f"{k * every:.12g}") for k in range(first, last + 1)]


def around_points(X: Sequence[Sequence[float]]) -> Frame:
    """A plane that holds some points."""
    return Frame(padded([x[0] for x in X], 0.07), padded([x[1] for x in X], 0.07))


class Frame:
    """A plane with axes."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.across, self.up = x, y

    def x(self, v: float) -> float:
        """Where a number lies across, kept within the axes."""
        return self._x(min(max(v, self.across[0]), self.across[1]))

    def y(self, v: float) -> float:
        """Where a number lies upwards, kept within the axes."""
        return self._y(min(max(v, self.up[0]), self.up[1]))

    def _x(self, v: float) -> float:
        low, high = self.across
        return _LEFT + (v - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, v: float) -> float:
        low, high = self.up
        return _HEIGHT - _BOTTOM - (v - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Sequence[tuple[float, float]], css: str) -> str:
        """A line through points, broken where a height is not a number."""
        pen, path = "M", ""
        for u, v in points:
            if math.isnan(v):
                pen = "M"
                continue
            path += f"{pen}{self.x(u):.1f} {self.y(v):.1f}"
            pen = "L"
        return f'<path class="{css}" d="{path}"/>'

    def axes(self, xlabel: str, ylabel: str, xevery: int, yevery: int, tick: Any) -> str:
        """Axes with a tick at every so many units; upwards they count powers of ten."""
        base, body = _HEIGHT - _BOTTOM, ""
        for v in range(int(self.across[0]), int(self.across[1]) + 1, xevery):
            x = f"{self.x(v):.1f}"
            body += f'<line class="mvn-rule" x1="{x}" x2="{x}" y1="{_TOP}" y2="{base}"/>'
            body += f'<text x="{x}" y="{base + 18}" text-anchor="middle">{tick(v)}</text>'
        for v in range(int(self.up[0]), int(self.up[1]) + 1, yevery):
            y = self.y(v)
            body += f'<line class="mvn-rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            body += f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{power(v)}</text>'
        return body + self._labels(xlabel, ylabel)

    def axes_at(self, xlabel: str, ylabel: str) -> str:
        """Axes in plain numbers, with round ticks."""
        base, body = _HEIGHT - _BOTTOM, ""
        for v in _ticks(*self.across, 5):
            x = f"{self.x(v):.1f}"
            body += f'<line class="mvn-rule" x1="{x}" x2="{x}" y1="{_TOP}" y2="{base}"/>'
            body += f'<text x="{x}" y="{base + 18}" text-anchor="middle">{_plain(v)}</text>'
        for v in _ticks(*self.up, 5):
            y = self.y(v)
            body += f'<line class="mvn-rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            body += f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_plain(v)}</text>'
        return body + self._labels(xlabel, ylabel)

    def _labels(self, xlabel: str, ylabel: str) -> str:
        centre, middle = (_LEFT + _WIDTH - _RIGHT) / 2, (_HEIGHT - _BOTTOM + _TOP) / 2
        body = f'<text x="{centre}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(xlabel)}</text>'
        turned = f"translate(12 {middle}) rotate(-90)"
        return body + f'<text transform="{turned}" text-anchor="middle">{escape(ylabel)}</text>'

    def spot(self, point: Sequence[float], css: str, shape: str, opacity: float) -> str:
        """One point of the data."""
        place = f"{self.x(point[0]):.1f} {self.y(point[1]):.1f}"
        return (
            f'<path class="{css}" d="{shape}" transform="translate({place})" fill-opacity="{opacity:.2f}"/>'
        )

    def rings(self, mean: Sequence[float], covariance: Sequence[Sequence[float]], css: str) -> str:
        """The ellipses at one and two standard deviations."""
        a = math.sqrt(covariance[0][0])
        b = covariance[1][0] / a
        c = math.sqrt(max(covariance[1][1] - b * b, 0.0))
        body = ""
        for r in (1, 2):
            turn = [k * math.pi / 30 for k in range(60)]
            around = [
                (mean[0] + r * a * math.cos(t), mean[1] + r * (b * math.cos(t) + c * math.sin(t)))
                for t in turn
            ]
            path = "L".join(f"{self._x(u):.1f} {self._y(v):.1f}" for u, v in around)
            body += f'<path class="{css}" d="M{path}Z"/>'
        return body

    def clipped(self, body: str) -> str:
        """What may reach beyond the axes is cut off there."""
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        box = f'x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}"'
        name = f"mvn-clip-{zlib.crc32(body.encode()):x}"
        return f'<clipPath id="{name}"><rect {box}/></clipPath><g clip-path="url(#{name})">{body}</g>'

    def svg(self, body: str, alt: str) -> str:
        """The whole plot, with the words that stand for it."""
        label = escape(alt, quote=True)
        box = f"0 0 {_WIDTH} {_HEIGHT}"
        return f'<svg class="mvn-plot" viewBox="{box}" role="img" aria-label="{label}">{body}</svg>'


def table(caption: str, values: Any) -> str:
    """A table of numbers whose cells are tinted by size and hatched where negative."""
    rows = [[values]] if not isinstance(values, list) else values if isinstance(values[0], list) else [values]
    scale = max((abs(v) for row in rows for v in row if v is not None), default=0) or 1
    body = ""
    for i, row in enumerate(rows, 1):
        body += f'<tr><th scope="row">{i}</th>' + "".join(_cell(v, scale) for v in row) + "</tr>"
    head = "".join(f'<th scope="col">{j}</th>' for j in range(1, len(rows[0]) + 1))
    title = f'<table class="mvn-table"><caption>{escape(caption)}</caption>'
    return f"{title}<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(v: float | None, scale: float) -> str:
    if v is None:
        return "<td>not finite</td>"
    negative = ' class="mvn-negative"' if v < 0 else ""
    return f'<td{negative} style="--heat: {round(40 * abs(v) / scale)}%">{number(v)}</td>'


def _plain(v: float) -> str:
    return minus(f"{v:.12g}")


def minus(text: str) -> str:
    """A number with a true minus sign."""
    return text.replace("-", "−")


def number(v: float) -> str:
    """A number in six digits."""
    small = v != 0 and not 1e-3 <= abs(v) < 1e5
    return minus(f"{v:.3e}" if small else f"{v:#.6g}")


def log10(x: float) -> float:
    """The logarithm; of zero, that of a very small number."""
    return math.log10(max(x, 1e-300))


def power(v: int) -> str:
    """Ten to a power, as the label of a tick."""
    return "1" if v == 0 else "10" + str(v).translate(_SUPERSCRIPTS)
